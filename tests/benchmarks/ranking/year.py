"""Measure the time to rank one year from a store, with its queries, for several numbers of clicks.

Run `python tests/benchmarks/ranking/year.py [--issues 12] [--articles 30] [--clicks 10000,1000000,100000000]`.
A number of clicks is for the whole year. Rollups are written directly, without the clicks themselves.
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
from shortener.store.rollup_tables import VERDICTS, VISITOR_COLUMNS
from shortener.store.rollups import add_to_rollups

SENT = 1_704_096_000  # 2024-01-01T08:00Z
MONTH = 30 * 86_400
HOURS = 60 * 24  # hours of rollups for each issue
KINDS = ("image", "title", "more")
VERDICT_WEIGHTS = (("human", 1.0), ("bot", 0.05), ("scanner", 0.3))
REPETITIONS = 3


def main() -> None:
    """Measure one store for each number of clicks, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--issues", type=int, default=12)
    parser.add_argument("--articles", type=int, default=30)
    parser.add_argument("--clicks", default="10000,1000000,100000000")
    arguments = parser.parse_args()
    print(f"{arguments.issues} issues of {arguments.articles} articles; shortest of {REPETITIONS}")
    print(f"{'clicks':>14} {'ranked':>12} {'rollups':>10} {'queries':>9} {'model':>9} {'total':>9} seconds")
    for clicks in map(int, arguments.clicks.split(",")):
        with tempfile.TemporaryDirectory() as directory:
            measure(Path(directory), clicks, months=arguments.issues, articles=arguments.articles)


def measure(directory: Path, clicks: int, *, months: int, articles: int) -> None:
    """Fill a store, rank it like `shortener rank`, and print the times in seconds."""
    config = Config(domain=(Domain(host="go.example"),), storage=Storage(data=str(directory)))
    store = open_store(config.data_directory)
    try:
        fill(store, clicks, months=months, articles=articles)
        as_of = SENT + months * MONTH
        queries = shortest_time(lambda: load_history(store, as_of=as_of))
        total = shortest_time(lambda: rank_stored_articles(store, config=config, as_of=as_of))
        ranking = rank_stored_articles(store, config=config, as_of=as_of)
        ranked = sum(getattr(article, ranking.counted) for article in ranking.articles)
        rows = store.value("select count(*) from clicks_by_link")
        times = f"{queries:>9.3f} {total - queries:>9.3f} {total:>9.3f}"
        print(f"{clicks:>14,} {ranked:>12,} {rows:>10,} {times}")
    finally:
        store.close()


def shortest_time(run: Callable[[], object]) -> float:
    """Return the shortest of a few runs in seconds, which other load on the machine affects least."""
    times = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def fill(store: Store, clicks: int, *, months: int, articles: int) -> None:
    """Store monthly issues, some articles of which appear again in the next, and their rollups."""
    rng = np.random.default_rng(1)
    with store.transaction():
        for month in range(months):
            placements = add_issue(store, month, articles=articles)
            add_to_rollups(store, dict(rollups(rng, month, placements, clicks=clicks / months)), {})


def add_issue(store: Store, month: int, *, articles: int) -> list[issues.Placement]:
    """Store one issue, whose first three articles were in the previous issue, and return its placements."""
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
    placements: list[issues.Placement] = []
    for index in range(articles):
        origin = month - 1 if index < 3 and month else month
        url = f"https://a.example/{origin}/{index + 3 if origin < month else index}"
        details = {"title": f"About {url}", "author": "", "summary": "", "section": "", "image": ""}
        article = issues.add_article(store, issue, url=url, **details)
        issues.set_positions(store, {article: index + 1})
        link = links.add(store, "go.example", f"m{month}a{index}", target=url, now=sent)
        links.assign_owner(store, link, issue_id=issue, article_id=article, now=sent)
        placements += [
            issues.Placement(link, index * len(KINDS) + n, article, kind, "") for n, kind in enumerate(KINDS, start=1)
        ]
    issues.replace_placements(store, issue, placements)
    return placements


def rollups(
    rng: np.random.Generator, month: int, placements: list[issues.Placement], *, clicks: float
) -> Iterator[tuple[tuple[int, int, int, int], list[int]]]:
    """Yield hourly rollups with about this many human clicks, distributed over positions and hours."""
    curve, sent = prior_curve(), SENT + month * MONTH
    arrived = np.diff([curve.share_at(hour) for hour in range(HOURS + 1)])
    weights = np.repeat(np.arange(1, len(placements) // len(KINDS) + 1) ** -0.7, len(KINDS))
    for placement, share in zip(placements, weights / weights.sum(), strict=True):
        weights_of_verdicts = [dict(VERDICT_WEIGHTS).get(verdict, 0) for verdict in VERDICTS]
        counts = rng.poisson(clicks * share * np.outer(arrived, weights_of_verdicts))
        for hour in np.flatnonzero(counts.sum(axis=1)):
            row = [int(count) for count in counts[hour]]
            key = (placement.link_id, sent + int(hour) * 3600, placement.n, month + 1)
            yield key, [*row, *[row[0]] * len(VISITOR_COLUMNS)]


if __name__ == "__main__":
    main()
