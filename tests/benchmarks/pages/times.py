"""Server time of every page with 1,000,000 clicks and 100 issues: ``python -m tests.benchmarks.pages.times``.

The rollups are generated as the collector would write them; pages read no single clicks. Prints the time of the first
request (empty caches, rankings are computed meanwhile), then, when no ranking is computed any more, the median, the
slowest and the median of processor time, in milliseconds. Processor time does not count other programs.

With a DIRECTORY as first argument the store is kept there and used again. The second argument is the number of links,
10,000 by default; measure the list of links with 100,000.
"""

import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from flask.testing import FlaskClient

from shortener.app import create_pages_app
from shortener.config import Config, Domain, Site, Storage
from shortener.services import accounts
from shortener.store import Store, issues, links, open_store
from shortener.store.rollup_tables import SUM_COLUMNS, VISITOR_COLUMNS
from shortener.store.rollups import LinkBreakdownSums, LinkClickSums, add_to_rollups
from tests.browser.scene import sample_issue

CLICKS, ISSUES, LINKS = 1_000_000, 100, 10_000
ARTICLES, PLACEMENTS = 15, 3
TRIES = 15
BUDGET_MS = 50.0
HOUR, DAY = 3_600, 86_400
BASE = "http://127.0.0.1:8000"
PAGES = {
    "overview": "/-/",
    "overview.json": "/-/overview.json?months=12",
    "issues by rate": "/-/issues?sort=-rate&page=2",
    "issues found": "/-/issues?q=issue+9&status=sent",
    "search": "/-/search?q=article+7",
    "search, nothing": "/-/search?q=nowhere",
    "issues": "/-/issues",
    "report": "/-/issues/issue-099",
    "old report": "/-/issues/issue-003",
    "live": "/-/issues/issue-099/live",
    "audience": "/-/issues/issue-099/audience",
    "phones": "/-/issues/issue-099/audience?device=phone",
    "map": "/-/issues/issue-099/map",
    "map's issue": "/-/issues/issue-099/map/issue",
    "setup": "/-/issues/issue-099/setup",
    "ready": "/-/issues/issue-099/ready",
    "articles": "/-/articles",
    "articles of a year": "/-/articles?period=12-months",
    "picks": "/-/picks",
    "links": "/-/links",
    "links by visitors": "/-/links?sort=-visitors",
    "links by last click": "/-/links?sort=-clicked",
    "least visitors": "/-/links?sort=visitors&size=100",
    "links by issue": "/-/links?sort=issue&page=3",
    "links by title": "/-/links?sort=title&page=60",
    "links by code": "/-/links?sort=-code&page=40",
    "links changed": "/-/links?sort=-changed&page=100",
    "last page": "/-/links?page=999999",
    "links found": "/-/links?q=article+7",
    "found by clicks": "/-/links?q=hand&sort=-clicks",
    "found, last clicked": "/-/links?q=article&sort=-clicked",
    "found, three words": "/-/links?q=by+hand+77&status=active",
    "six short words": "/-/links?q=e+a+h+d+t+p&sort=-visitors",
    "found nothing": "/-/links?q=nowhere+to+be+found",
    "of an issue": "/-/links?issue=issue-042",
    "retired": "/-/links?status=retired",
    "need a target": "/-/links?status=todo&sort=title",
    "10 KB of %": "/-/links?q=" + "%25" * 10_000,
    "links.json": "/-/links.json?limit=1000&page=5",
    "link": "/-/links/127.0.0.1:8000/i099a01",
    "new link": "/-/new-link",
    "article": "/-/articles/article?url=https://example.org/99/1",
    "new issue": "/-/new-issue",
    "settings": "/-/settings",
    "system": "/-/settings/system",
    "users": "/-/settings/users",
    "tokens": "/-/settings/tokens",
    "webhooks": "/-/settings/webhooks",
    "account": "/-/account",
    "help": "/-/help",
}


def main(directory: Path, *, link_count: int = LINKS) -> int:
    """Fill a store unless it exists, measure every page and print; return 1 if a median exceeds BUDGET_MS."""
    config = Config(
        site=Site(base_url=BASE),
        domain=(Domain(host="127.0.0.1:8000", scheme="http"),),
        storage=Storage(data=str(directory)),
    )
    if not (directory / "store.db").exists():
        started = time.perf_counter()
        fill(config, link_count=link_count)
        print(f"filled in {time.perf_counter() - started:.0f} s")
    client = create_pages_app(config).test_client()
    headers = {"Sec-Fetch-Site": "same-origin"}
    client.post("/-/sign-in", data={"name": "ann", "password": "a long sentence"}, base_url=BASE, headers=headers)
    pasted = client.post("/-/new-issue", data={"source": sample_issue().decode()}, base_url=BASE, headers=headers)
    assert pasted.status_code == 303, pasted.text
    review = {"review": pasted.location, "review's text": pasted.location.replace("review", "preview")}
    slow = 0
    pages = {name: (path, time_request(client, path)[0]) for name, path in (review | PAGES).items()}
    wait_for_rankings()
    print(f"{'page':<20}{'first':>8}{'median':>8}{'slowest':>9}{'cpu':>8}{'KB':>7}")
    for name, (path, first) in pages.items():
        time_request(client, path)
        wait_for_rankings()
        times, processor_times, sizes = zip(*(time_request(client, path) for _ in range(TRIES)), strict=True)
        median, processor = statistics.median(times), statistics.median(processor_times)
        slow += median > BUDGET_MS
        print(f"{name:<20}{first:>8.1f}{median:>8.1f}{max(times):>9.1f}{processor:>8.1f}{sizes[-1] / 1024:>7.0f}")
    return int(slow > 0)


def time_request(client: FlaskClient, path: str) -> tuple[float, float, int]:
    """Return the time and the processor time of a request, in milliseconds, and the bytes of its response."""
    started, processor = time.perf_counter(), time.thread_time()
    response = client.get(path, base_url=BASE)
    processor = time.thread_time() - processor
    assert response.status_code == 200, (path, response.status_code)
    return 1_000 * (time.perf_counter() - started), 1_000 * processor, len(response.data)


def wait_for_rankings() -> None:
    """Wait until no ranking is computed in the background."""
    while any(thread.name == "refresh" for thread in threading.enumerate()):
        time.sleep(0.1)


def fill(config: Config, *, link_count: int) -> None:
    """Add weekly issues with clicks, and links of no issue up to ``link_count``."""
    rng = random.Random(1)
    now = int(time.time()) // HOUR * HOUR
    store = open_store(config.data_directory)
    accounts.add_user(store, "ann", role="admin", password="a long sentence", now=now)
    with store.transaction():
        for number in range(ISSUES):
            sent = now - (ISSUES - number) * 7 * DAY + 3 * DAY
            weights = add_issue(store, number, sent=sent)
            add_to_rollups(store, *click_sums(weights, sent=sent, now=now, rng=rng))
        for number in range(link_count - ISSUES * (ARTICLES + 5)):
            target = f"https://example.org/by-hand/{number}"
            links.add(store, "127.0.0.1:8000", f"hand{number}", target=target, title=f"By hand {number}", now=now)
    store.close()


LinkWeights = tuple[int, int, list[tuple[int, float]]]
"""(issue id, link id, [(placement number, weight)])."""


def add_issue(store: Store, number: int, *, sent: int) -> list[LinkWeights]:
    """Add an issue of 15 articles with three placements each and five other links; return its weights."""
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
    placements, weights, n = [], [], 0
    for position in range(1, ARTICLES + 6):
        code, is_article = f"i{number:03d}a{position:02d}", position <= ARTICLES
        url = f"https://example.org/{number}/{position}"
        details = {
            "title": f"Article {position} of {number}",
            "author": "Ada",
            "summary": "",
            "section": "",
            "image": "",
        }
        article_id = issues.add_article(store, issue, url=url, **details)
        issues.set_positions(store, {article_id: position if is_article else None})
        link = links.add(store, "127.0.0.1:8000", code, target=url, title=details["title"], now=sent)
        links.assign_owner(store, link, issue_id=issue, article_id=article_id, now=sent)
        link_weights = []
        for kind, weight in kinds if is_article else (("footer", 0.05),):
            n += 1
            placements.append(issues.Placement(link, n, article_id, kind, details["title"]))
            link_weights.append((n, weight / position**0.4))
            text.append(f"[{details['title']}](http://127.0.0.1:8000/{code}/{n}) and some words around it.\n")
        weights.append((issue, link, link_weights))
    issues.replace_placements(store, issue, placements)
    document = "\n".join(text).encode()
    issues.update(store, issue, now=sent, source=document, output=document)
    return weights


def click_sums(
    weights: list[LinkWeights], *, sent: int, now: int, rng: random.Random
) -> tuple[LinkClickSums, LinkBreakdownSums]:
    """Return the rollup sums of an issue's share of all clicks, whose number falls exponentially with age."""
    cells = [(issue, link, n, weight) for issue, link, own in weights for n, weight in own]
    clicked = rng.choices(cells, [cell[3] for cell in cells], k=CLICKS // ISSUES)
    clicks: LinkClickSums = {}
    breakdown: LinkBreakdownSums = {}
    for issue, link, n, _ in clicked:
        ts = sent + int(rng.expovariate(1 / (18 * HOUR)))
        if ts >= now:
            continue
        human = rng.random() < 0.85
        quarter_hour, day, verdict = ts // 900 * 900, ts // DAY * DAY, "human" if human else "scanner"
        row = clicks.setdefault((link, quarter_hour, n, issue), [0] * len(SUM_COLUMNS))
        row[SUM_COLUMNS.index(verdict)] += 1
        for name in VISITOR_COLUMNS if human else ():
            row[SUM_COLUMNS.index(name)] += name != "issue_visitors" or rng.random() < 0.7
        for dimension, value in dimensions(verdict, rng):
            key = (link, dimension, value, day, issue)
            breakdown[key] = breakdown.get(key, 0) + 1
    return clicks, breakdown


def dimensions(verdict: str, rng: random.Random) -> Iterator[tuple[str, str]]:
    """Yield (dimension, value) of a click."""
    yield "reason", f"{verdict}/{'navigation' if verdict == 'human' else 'too-fast'}"
    if verdict == "human":
        yield "referrer", rng.choice(("", "mail.google.com", "outlook.live.com", "mail.proton.me"))
        yield "browser", rng.choice(("Chrome", "Firefox", "Mobile Safari", "Safari", "Edge"))
        yield "os", rng.choice(("Windows", "iOS", "Android", "Mac OS X", "Linux"))
        yield "device", rng.choice(("computer", "phone", "tablet"))
        yield "language", rng.choice(("en", "de", "nb", "pt", "zh"))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(main(Path(sys.argv[1]), link_count=int(sys.argv[2]) if len(sys.argv) > 2 else LINKS))
    with tempfile.TemporaryDirectory() as temporary:
        sys.exit(main(Path(temporary)))
