"""Time of reports at a number of clicks and at ten times as many.

    .venv/bin/python tests/benchmarks/reports/growth.py [--clicks 1000000] [--days 180] [--links 100000]

Fills the rollups with the sums of that many simulated clicks, in three data sets: one issue of 90 placements whose
clicks decrease over --days (hour n has 1/n of the first hour); 100 issues of 90 placements, one every five days, that
share the clicks; and --links links of no issue that share them. RESULTS.md has the results.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec
import numpy as np

from shortener.classification.reasons import REASONS
from shortener.config import Domain
from shortener.durations import DAY_SECONDS, HOUR_SECONDS, QUARTER_HOUR_SECONDS
from shortener.reporting.issue_report import build_issue_report
from shortener.reporting.link_report import build_link_report
from shortener.reporting.ranking_inputs import load_history
from shortener.reporting.summary import build_summary
from shortener.store import Store, issues, links, listings, open_store, rollup_tables, rollups

START = 1_700_006_400
"""Start of the simulated clicks: midnight UTC, in seconds of the epoch."""
PLACEMENTS = 90
LINKS_OF_ISSUE = 60
VERDICTS = {"human": 0.8, "bot": 0.1, "scanner": 0.06, "preview": 0.03, "prefetch": 0.01}
VALUES = {"reason": 8, "referrer": 20, "language": 10, "country": 20, "browser": 10, "os": 6, "device": 3}
"""Number of values of each dimension; value n has 1/n of the clicks of the first."""
DOMAINS = (Domain(host="go.example"),)
Parts = list[tuple[int, int, int]]
"""(issue id or 0, link id, placement number), the most clicked first."""
Shares = np.ndarray[tuple[int], np.dtype[np.float64]]


def harmonic(count: int) -> Shares:
    """Return ``count`` shares that add up to 1; share n is 1/n of the first."""
    shares: Shares = 1 / np.arange(1.0, count + 1)
    return shares / float(shares.sum())


def add_issue(store: Store, number: int, *, sent_at: int) -> Parts:
    """Add an issue of LINKS_OF_ISSUE links, half of which are placed twice; return its placements."""
    issue = issues.add(
        store, f"issue-{number}", title=f"Issue {number}", format="markdown", domain="go.example", sent_at=sent_at,
        recipients=1_000_000, source=b"x", now=sent_at,
    )  # fmt: skip
    placements: list[issues.Placement] = []
    for index in range(LINKS_OF_ISSUE):
        url = f"https://a.example/{number}/{index}"
        details = {"title": url, "author": "", "summary": "", "section": "", "image": ""}
        article = issues.add_article(store, issue, url=url, **details)
        link = links.add(store, "go.example", f"i{number}x{index}", target=url, now=sent_at)
        links.assign_owner(store, link, issue_id=issue, article_id=article, now=sent_at)
        issues.set_positions(store, {article: index + 1})
        kinds = ("title", "image") if index < PLACEMENTS - LINKS_OF_ISSUE else ("title",)
        start = len(placements) + 1
        placements += [issues.Placement(link, n, article, kind, "") for n, kind in enumerate(kinds, start=start)]
    issues.replace_placements(store, issue, placements)
    return [(issue, placement.link_id, placement.n) for placement in placements]


def add_links(store: Store, count: int) -> Parts:
    """Add links of no issue; return (0, link id, 0) of each."""
    return [
        (0, links.add(store, "go.example", f"l{number}", target=f"https://b.example/{number}", now=START), 0)
        for number in range(count)
    ]


def click_rows(
    parts: Parts, *, clicks: int, begin: int, days: int, rng: np.random.Generator
) -> Iterator[tuple[object, ...]]:
    """Yield rows of ``clicks_by_link``: clicks on the placements from ``begin`` on, drawn for each quarter-hour."""
    # Each hour has its share of the clicks, evenly over its four quarters.
    shares, quarters = harmonic(len(parts)), clicks * np.repeat(harmonic(days * 24), 4) / 4
    step = max(1, 1_000_000 // len(quarters))
    for start in range(0, len(parts), step):
        means = np.outer(shares[start : start + step], quarters)
        drawn = np.stack([rng.poisson(means * VERDICTS[verdict]) for verdict in VERDICTS], axis=2)
        for index, quarter in zip(*(axis.tolist() for axis in np.nonzero(drawn.sum(axis=2))), strict=True):
            row = drawn[index, quarter].tolist()
            visitors = [max(1, row[0] * tenths // 10) if row[0] else 0 for tenths in (10, 9, 8, 5, 4)]
            issue, link, n = parts[start + index]
            yield link, begin + quarter * QUARTER_HOUR_SECONDS, n, issue, *row, *visitors


def daily_clicks(store: Store) -> list[tuple[int, int, int, int]]:
    """Return (link id, day, issue id, human clicks) of the stored ``clicks_by_link``."""
    sql = (
        f"select link_id, quarter_hour - quarter_hour % {DAY_SECONDS} as day, issue_id, sum(human) from clicks_by_link "
        "where human > 0 group by link_id, issue_id, day order by link_id, day, issue_id"
    )
    return list(store.execute(sql).fetchall())


def daily_rows(keys: list[tuple[int, int, int, int]], *, rng: np.random.Generator) -> Iterator[tuple[object, ...]]:
    """Yield rows of ``breakdown_by_link`` that agree with the clicks of days."""
    reasons = [f"{REASONS[reason].verdict}/{reason}" for reason in sorted(REASONS)]
    clicks = np.array([key[3] for key in keys])
    for dimension, count in VALUES.items():
        for start in range(0, len(keys), 50_000):
            drawn = rng.multinomial(clicks[start : start + 50_000], harmonic(count))
            for index, value in zip(*(axis.tolist() for axis in np.nonzero(drawn)), strict=True):
                name = reasons[value] if dimension == "reason" else f"{dimension} {value}"
                link, day, issue = keys[start + index][:3]
                yield link, dimension, name, day, issue, int(drawn[index, value])


def insert(store: Store, rollup: rollup_tables.Rollup, rows: Iterable[tuple[object, ...]]) -> None:
    """Insert rows into a rollup."""
    store.connection.insert_rows(rollup.table, rollup.key_columns + rollup.sum_columns, rows)


def fill(store: Store, shares: Iterable[tuple[Parts, int, int, int]]) -> None:
    """Fill the rollups for each (placements, clicks, begin, days)."""
    rng = np.random.default_rng(1)
    for parts, clicks, begin, days in shares:
        insert(
            store,
            rollup_tables.CLICKS_BY_LINK,
            click_rows(parts, clicks=clicks, begin=begin, days=days, rng=rng),
        )
    insert(store, rollup_tables.BREAKDOWN_BY_LINK, daily_rows(daily_clicks(store), rng=rng))
    rollups.recompute_coarse_rollups(store)


def one_issue(store: Store, *, clicks: int, days: int, count: int) -> None:
    """Fill one issue with all clicks."""
    fill(store, [(add_issue(store, 0, sent_at=START), clicks, START, days)])


def many_issues(store: Store, *, clicks: int, days: int, count: int) -> None:
    """Fill 100 issues, one every five days, that share the clicks."""
    begins = [START + number * 5 * DAY_SECONDS for number in range(100)]
    fill(store, [(add_issue(store, n, sent_at=at), clicks // 100, at, days) for n, at in enumerate(begins)])


def many_links(store: Store, *, clicks: int, days: int, count: int) -> None:
    """Fill many links of no issue that share the clicks of two days."""
    fill(store, [(add_links(store, count), clicks, START, 2)])


DATA_SETS = {"one issue": one_issue, "100 issues": many_issues, "links": many_links}


def reports(store: Store, data_set: str) -> dict[str, Callable[[], object]]:
    """Return the functions to measure, by name."""
    now = START + 900 * DAY_SECONDS
    since = START + 3 * HOUR_SECONDS + (0 if data_set == "links" else 20 * DAY_SECONDS)
    until = since + 30 * DAY_SECONDS
    code = "l0" if data_set == "links" else "i0x0"
    functions: dict[str, Callable[[], object]] = {
        "link": lambda: build_link_report(store, "go.example", code, as_of=now),
        "summary": lambda: build_summary(store, as_of=now, domains=DOMAINS),
        "summary of 30 days": lambda: build_summary(store, since=since, until=until, as_of=now, domains=DOMAINS),
        "link list": lambda: list(listings.all_links(store)),
        "issue list": lambda: listings.list_issues(store),
    }
    if data_set != "links":
        functions["issue"] = lambda: build_issue_report(store, "issue-0", as_of=now)
        functions["history (rank)"] = lambda: load_history(store, as_of=now)
        functions["history, a week ago"] = lambda: load_history(
            store, as_of=START + duration_seconds(store) - 7 * DAY_SECONDS
        )
    return functions


def duration_seconds(store: Store) -> int:
    """Return the seconds from START to the last hour with a click."""
    return int(store.value("select max(quarter_hour) from clicks_by_link")) - START


def median_ms(function: Callable[[], object], *, runs: int = 7) -> float:
    """Return the median duration of a call in milliseconds."""
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        function()
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)


def measure(data_set: str, *, clicks: int, days: int, count: int, directory: Path) -> dict[str, float]:
    """Fill a store and return its numbers of rows and the duration of each report."""
    store = open_store(directory / f"{data_set} {clicks}")
    store.execute("pragma synchronous = off")
    with store.transaction():
        DATA_SETS[data_set](store, clicks=clicks, days=days, count=count)
    store.execute("pragma wal_checkpoint(truncate)")
    results: dict[str, float] = {
        f"rows of {table}": store.value(f"select count(*) from {table}")
        for table in (rollup.table for rollup in rollup_tables.ALL_ROLLUPS)
    }
    results |= {f"{name}, ms": median_ms(function) for name, function in reports(store, data_set).items()}
    for name, function in reports(store, data_set).items():
        (directory / f"{data_set} {clicks} {name}.json").write_bytes(msgspec.json.encode(function(), enc_hook=str))
    store.close()
    return results


def main() -> None:
    """Measure every data set at the given number of clicks and at ten times as many."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clicks", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=180)
    parser.add_argument("--links", type=int, default=100_000)
    parser.add_argument("--directory", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as temporary:
        for data_set in DATA_SETS:
            one, ten = (
                measure(data_set, clicks=clicks, days=options.days, count=options.links, directory=Path(temporary))
                for clicks in (options.clicks, 10 * options.clicks)
            )
            print(f"| {data_set} | {options.clicks:,} clicks | {10 * options.clicks:,} clicks |\n|---|--:|--:|")
            for name, value in one.items():
                print(f"| {name} | {value:,.0f} | {ten[name]:,.0f} |")
            print(flush=True)


if __name__ == "__main__":
    main()
