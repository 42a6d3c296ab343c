"""Server time of every page, 1,000,000 clicks, 100 issues, 10,000 links: ``python times.py [DIRECTORY [LINKS]]``.

The rollups are generated as the collector would have written them for that many clicks; the pages read nothing else.
Prints the first time (nothing kept yet), the median, and the slowest of the tries, in milliseconds. With a directory
the store is kept there and used again; with a number of links there are so many (the list of links is for 100,000).
"""

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from shortener.app import create_pages_app
from shortener.config import Config, Domain, Site, Storage
from shortener.services import accounts
from shortener.store import Store, issues, links, open_store
from shortener.store.rollups import LinkBreakdownSums, LinkClickSums, add_to_rollups

CLICKS, ISSUES, LINKS = 1_000_000, 100, 10_000
ARTICLES, PLACEMENTS = 15, 3
TRIES = 15
BUDGET_MS = 50.0
HOUR, DAY = 3_600, 86_400
BASE = "http://127.0.0.1:8000"
PAGES = {
    "issues": "/-/issues",
    "report": "/-/issues/issue-099",
    "old report": "/-/issues/issue-003",
    "live": "/-/issues/issue-099/live",
    "map": "/-/issues/issue-099/map",
    "map's issue": "/-/issues/issue-099/map/issue",
    "contents": "/-/issues/issue-099/contents",
    "ranking": "/-/ranking",
    "picks": "/-/ranking/picks",
    "links": "/-/links",
    "links by clicks": "/-/links?sort=clicks",
    "links by title": "/-/links?sort=title&page=60",
    "links by code": "/-/links?sort=code&page=40",
    "links changed": "/-/links?sort=changed&page=100",
    "last page": "/-/links?page=999999",
    "links found": "/-/links?q=article+7",
    "found by clicks": "/-/links?q=hand&sort=clicks",
    "found, three words": "/-/links?q=by+hand+77&status=active",
    "six short words": "/-/links?q=e+a+h+d+t+p&sort=clicks",
    "found nothing": "/-/links?q=nowhere+to+be+found",
    "of an issue": "/-/links?issue=issue-042",
    "retired": "/-/links?status=retired",
    "need a target": "/-/links?status=todo&sort=title",
    "10 KB of %": "/-/links?q=" + "%25" * 10_000,
    "links.json": "/-/links.json?limit=1000&page=5",
    "link": "/-/links/127.0.0.1:8000/i099a01",
    "settings": "/-/settings",
    "help": "/-/help",
}


def main(directory: Path, *, many: int = LINKS) -> int:
    """Fill a store (unless it is there), ask for every page, print; 1 when a median is over the budget."""
    config = Config(
        site=Site(base_url=BASE),
        domain=(Domain(host="127.0.0.1:8000", scheme="http"),),
        storage=Storage(data=str(directory)),
    )
    if not (directory / "store.db").exists():
        begun = time.perf_counter()
        fill(config, many=many)
        print(f"filled in {time.perf_counter() - begun:.0f} s")
    client = create_pages_app(config).test_client()
    headers = {"Sec-Fetch-Site": "same-origin"}
    client.post(
        "/-/sign-in", data={"name": "ann", "password": "a long sentence"}, base_url=BASE, headers=headers
    )
    slow = 0
    print(f"{'page':<18}{'first':>8}{'median':>8}{'slowest':>9}{'KB':>7}")
    for name, path in PAGES.items():
        times = []
        for _ in range(TRIES + 1):
            begun = time.perf_counter()
            answer = client.get(path, base_url=BASE)
            times.append(1_000 * (time.perf_counter() - begun))
            assert answer.status_code == 200, (path, answer.status_code)
        first, *rest = times
        median = statistics.median(rest)
        slow += median > BUDGET_MS
        print(f"{name:<18}{first:>8.1f}{median:>8.1f}{max(rest):>9.1f}{len(answer.data) / 1024:>7.0f}")
    return int(slow > 0)


def fill(config: Config, *, many: int) -> None:
    """A hundred weekly issues whose clicks come in over days, and links by hand up to the number."""
    chance = random.Random(1)
    now = int(time.time()) // HOUR * HOUR
    store = open_store(config.data_directory)
    accounts.add_user(store, "ann", role="admin", password="a long sentence", now=now)
    with store.transaction():
        for number in range(ISSUES):
            sent = now - (ISSUES - number) * 7 * DAY + 3 * DAY
            placed = add_issue(store, number, sent=sent)
            add_to_rollups(store, *clicks(placed, sent=sent, now=now, chance=chance))
        for number in range(many - ISSUES * (ARTICLES + 5)):
            target = f"https://example.org/by-hand/{number}"
            links.add(
                store, "127.0.0.1:8000", f"hand{number}", target=target, title=f"By hand {number}", now=now
            )
    store.close()


Placed = tuple[int, int, list[tuple[int, float]]]


def add_issue(store: Store, number: int, *, sent: int) -> list[Placed]:
    """An issue of 15 articles with three placements each and five other links; (issue, link, (n, weight))."""
    kinds = (("image", 0.6), ("title", 1.0), ("more", 0.4))
    text = [f"# Issue {number}\n"]
    issue = issues.add(
        store,
        f"issue-{number:03d}",
        title=f"Issue {number}: a letter of the week",
        format="markdown",
        domain="127.0.0.1:8000",
        sent_at=sent,
        recipients=20_000,
        source=b"x",
        now=sent,
    )
    placed, weights, n = [], [], 0
    for place in range(1, ARTICLES + 6):
        code, article = f"i{number:03d}a{place:02d}", place <= ARTICLES
        url = f"https://example.org/{number}/{place}"
        about = {
            "title": f"Article {place} of {number}",
            "author": "Ada",
            "summary": "",
            "section": "",
            "image": "",
        }
        article_id = issues.put_article(store, issue, url, **about)
        issues.set_positions(store, {article_id: place if article else None})
        link = links.add(store, "127.0.0.1:8000", code, target=url, title=about["title"], now=sent)
        links.assign_owner(store, link, issue_id=issue, article_id=article_id, now=sent)
        own = []
        for kind, weight in kinds if article else (("footer", 0.05),):
            n += 1
            placed.append(issues.Placement(link, n, article_id, kind, about["title"]))
            own.append((n, weight / place**0.4))
            text.append(f"[{about['title']}](http://127.0.0.1:8000/{code}/{n}) and some words around it.\n")
        weights.append((issue, link, own))
    issues.replace_placements(store, issue, placed)
    document = "\n".join(text).encode()
    issues.update(store, issue, now=sent, source=document, output=document)
    return weights


def clicks(
    placed: list[Placed], *, sent: int, now: int, chance: random.Random
) -> tuple[LinkClickSums, LinkBreakdownSums]:
    """The sums of an issue's share of all clicks: most in the first day, the last weeks later."""
    cells = [(issue, link, n, weight) for issue, link, own in placed for n, weight in own]
    chosen = chance.choices(cells, [each[3] for each in cells], k=CLICKS // ISSUES)
    hourly: LinkClickSums = {}
    daily: LinkBreakdownSums = {}
    for issue, link, n, _ in chosen:
        at = sent + int(chance.expovariate(1 / (18 * HOUR)))
        if at >= now:
            continue
        human = chance.random() < 0.85
        hour, day, verdict = at // HOUR * HOUR, at // DAY * DAY, "human" if human else "scanner"
        row = hourly.setdefault((issue, link, n, hour, verdict), [0, 0, 0, 0, 0])
        for index, more in enumerate((1, human, human, human and chance.random() < 0.7, human)):
            row[index] += int(more)
        for dimension, value in dimensions(verdict, chance):
            key = (issue, link, day, dimension, value)
            daily[key] = daily.get(key, 0) + 1
    return hourly, daily


def dimensions(verdict: str, chance: random.Random) -> Iterator[tuple[str, str]]:
    """Where a click came from and with what."""
    yield "reason", f"{verdict}/{'navigation' if verdict == 'human' else 'too-fast'}"
    if verdict == "human":
        yield "referrer", chance.choice(("", "mail.google.com", "outlook.live.com", "mail.proton.me"))
        yield "browser", chance.choice(("Chrome", "Firefox", "Mobile Safari", "Safari", "Edge"))
        yield "os", chance.choice(("Windows", "iOS", "Android", "Mac OS X", "Linux"))
        yield "device", chance.choice(("computer", "phone", "tablet"))
        yield "language", chance.choice(("en", "de", "nb", "pt", "zh"))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(main(Path(sys.argv[1]), many=int(sys.argv[2]) if len(sys.argv) > 2 else LINKS))
    with tempfile.TemporaryDirectory() as place:
        sys.exit(main(Path(place)))
