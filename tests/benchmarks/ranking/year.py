"""How long the ranking of a year takes from a store, queries included, and whether the number of clicks matters.

Run it: ``python tests/benchmarks/ranking/year.py [--issues 12] [--articles 30] [--clicks 10000,1000000,100000000]``.
Every count is the clicks of one year. The sums are written as the collector would have left them, without clicks.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from shortener.config import Config, Domain, Storage
from shortener.ranking.arrival_curve import prior_curve
from shortener.reporting.ranking import rank_stored_articles
from shortener.reporting.ranking_inputs import load_history
from shortener.store import Store, issues, links, open_store
from shortener.store.rollups import add_to_rollups

SENT = 1_704_096_000  # 2024-01-01T08:00Z
MONTH = 30 * 86_400
HOURS = 60 * 24  # of sums behind every issue
KINDS = ("image", "title", "more")
OTHERS = (("human", 1.0), ("bot", 0.05), ("scanner", 0.3))
REPEAT = 3


def main() -> None:
    """Measure one store for each number of clicks."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--issues", type=int, default=12)
    asked.add_argument("--articles", type=int, default=30)
    asked.add_argument("--clicks", default="10000,1000000,100000000")
    given = asked.parse_args()
    print(f"{given.issues} issues of {given.articles} articles; best of {REPEAT}")
    print(
        f"{'clicks asked':>14} {'ranked':>12} {'sums':>10} {'queries':>9} {'model':>9} {'together':>9} seconds"
    )
    for clicks in map(int, given.clicks.split(",")):
        with tempfile.TemporaryDirectory() as directory:
            measure(Path(directory), clicks, months=given.issues, articles=given.articles)


def measure(directory: Path, clicks: int, *, months: int, articles: int) -> None:
    """Fill a store, rank it as ``shortener rank`` does, and print the times in seconds."""
    config = Config(domain=(Domain(host="go.example"),), storage=Storage(data=str(directory)))
    store = open_store(config.data_directory)
    try:
        fill(store, clicks, months=months, articles=articles)
        as_of = SENT + months * MONTH
        queries = best(lambda: load_history(store, as_of=as_of))
        whole = best(lambda: rank_stored_articles(store, config=config, as_of=as_of))
        ranked = sum(each.clicks for each in rank_stored_articles(store, config=config, as_of=as_of).articles)
        rows = store.value("select count(*) from clicks_by_link")
        times = f"{queries:>9.3f} {whole - queries:>9.3f} {whole:>9.3f}"
        print(f"{clicks:>14,} {ranked:>12,} {rows:>10,} {times}")
    finally:
        store.close()


def best(run: Callable[[], object]) -> float:
    """The shortest of a few runs, in seconds: what the work costs when nothing else is done."""
    times = []
    for _ in range(REPEAT):
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return min(times)


def fill(store: Store, clicks: int, *, months: int, articles: int) -> None:
    """Issues a month apart, a few articles of each shown again in the next, and the sums of their clicks."""
    rng = np.random.default_rng(1)
    with store.transaction():
        for month in range(months):
            placed = add_issue(store, month, articles=articles)
            add_to_rollups(store, dict(sums(rng, month, placed, clicks=clicks / months)), {})


def add_issue(store: Store, month: int, *, articles: int) -> list[issues.Placement]:
    """One issue; its first three articles stood in the issue before."""
    sent = SENT + month * MONTH
    issue = issues.add(
        store,
        f"n{month}",
        title=f"Letter {month}",
        format="markdown",
        domain="go.example",
        sent_at=sent,
        recipients=20_000,
        source=b"",
        now=sent,
    )
    placed: list[issues.Placement] = []
    for place in range(articles):
        origin = month - 1 if place < 3 and month else month
        url = f"https://a.example/{origin}/{place + 3 if origin < month else place}"
        about = {"title": f"About {url}", "author": "", "summary": "", "section": "", "image": ""}
        article = issues.put_article(store, issue, url, **about)
        issues.set_positions(store, {article: place + 1})
        link = links.add(store, "go.example", f"m{month}a{place}", target=url, now=sent)
        links.assign_owner(store, link, issue_id=issue, article_id=article, now=sent)
        placed += [
            issues.Placement(link, place * len(KINDS) + n, article, kind, "")
            for n, kind in enumerate(KINDS, start=1)
        ]
    issues.replace_placements(store, issue, placed)
    return placed


def sums(
    rng: np.random.Generator, month: int, placed: list[issues.Placement], *, clicks: float
) -> Iterator[tuple[tuple[int, int, int, int, str], list[int]]]:
    """Hourly sums that add up to about so many clicks of people, spread over places and hours."""
    curve, sent = prior_curve(), SENT + month * MONTH
    arrived = np.diff([curve.share_at(hour) for hour in range(HOURS + 1)])
    places = np.repeat(np.arange(1, len(placed) // len(KINDS) + 1) ** -0.7, len(KINDS))
    for placement, share in zip(placed, places / places.sum(), strict=True):
        for verdict, weight in OTHERS:
            counts = rng.poisson(clicks * weight * share * arrived)
            for hour in np.flatnonzero(counts):
                n, people = int(counts[hour]), int(counts[hour]) if verdict == "human" else 0
                key = (month + 1, placement.link_id, placement.n, sent + int(hour) * 3600, verdict)
                yield key, [n, people, people, people, people]


if __name__ == "__main__":
    main()
