"""How long reports take at a number of clicks and at ten times as many, side by side.

    .venv/bin/python tests/benchmarks/reports/growth.py [--clicks 1000000] [--days 180] [--links 100000]

Fills the rollups directly with what that many clicks would have added up to, in three shapes: one issue of 90
placements whose clicks thin out over --days (the n-th hour gets 1/n of the first); 100 issues of 90 placements, one
every five days, that share the clicks; and --links links of no issue that share them. RESULTS.md has figures.
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
from shortener.durations import DAY_SECONDS, HOUR_SECONDS
from shortener.reporting.issue_report import build_issue_report
from shortener.reporting.link_report import build_link_report
from shortener.reporting.ranking_inputs import load_history
from shortener.reporting.summary import build_summary
from shortener.store import Store, issues, links, listings, open_store, rollups

START = 1_700_006_400
"""A midnight, UTC."""
PLACEMENTS = 90
LINKS_OF_ISSUE = 60
VERDICTS = {"human": 0.8, "bot": 0.1, "scanner": 0.06, "preview": 0.03, "prefetch": 0.01}
VALUES = {"reason": 8, "referrer": 20, "language": 10, "country": 20, "browser": 10, "os": 6, "device": 3}
"""How many values a dimension has; the n-th is as frequent as 1/n of the first."""
DOMAINS = (Domain(host="go.example"),)
Parts = list[tuple[int, int, int]]
"""(issue or 0, link, n) of the placements of one shape, the most clicked first."""


Shares = np.ndarray[tuple[int], np.dtype[np.float64]]


def harmonic(count: int) -> Shares:
    """Shares of ``count`` things, the n-th as frequent as 1/n of the first."""
    shares: Shares = 1 / np.arange(1.0, count + 1)
    return shares / float(shares.sum())


def add_issue(store: Store, number: int, *, sent_at: int) -> Parts:
    """An issue of LINKS_OF_ISSUE links, half of which are placed twice."""
    issue = issues.add(
        store, f"issue-{number}", title=f"Issue {number}", format="markdown", domain="go.example", sent_at=sent_at,
        recipients=1_000_000, source=b"x", now=sent_at,
    )  # fmt: skip
    placed: list[issues.Placement] = []
    for place in range(LINKS_OF_ISSUE):
        url = f"https://a.example/{number}/{place}"
        about = {"title": url, "author": "", "summary": "", "section": "", "image": ""}
        article = issues.put_article(store, issue, url, **about)
        link = links.add(store, "go.example", f"i{number}x{place}", target=url, now=sent_at)
        links.assign_owner(store, link, issue_id=issue, article_id=article, now=sent_at)
        issues.set_positions(store, {article: place + 1})
        kinds = ("title", "image") if place < PLACEMENTS - LINKS_OF_ISSUE else ("title",)
        placed += [
            issues.Placement(link, len(placed) + at, article, kind, "") for at, kind in enumerate(kinds, 1)
        ]
    issues.replace_placements(store, issue, placed)
    return [(issue, each.link_id, each.n) for each in placed]


def add_links(store: Store, count: int) -> Parts:
    """Links of no issue."""
    return [
        (0, links.add(store, "go.example", f"l{number}", target=f"https://b.example/{number}", now=START), 0)
        for number in range(count)
    ]


def hourly(
    parts: Parts, *, clicks: int, begin: int, days: int, rng: np.random.Generator
) -> Iterator[tuple[object, ...]]:
    """Rows of ``clicks_by_link`` for the clicks on some placements from ``begin`` on: a draw for every cell."""
    places, hours = harmonic(len(parts)), clicks * harmonic(days * 24)
    step = max(1, 4_000_000 // len(hours))
    for start in range(0, len(parts), step):
        for verdict, share in VERDICTS.items():
            drawn = rng.poisson(np.outer(places[start : start + step], hours) * share)
            for place, hour in zip(*(each.tolist() for each in np.nonzero(drawn)), strict=True):
                count = int(drawn[place, hour])
                firsts = (
                    [max(1, count * part // 10) for part in (9, 8, 5, 4)] if verdict == "human" else [0] * 4
                )
                yield *parts[start + place], begin + hour * HOUR_SECONDS, verdict, count, *firsts


def daily(store: Store, *, rng: np.random.Generator) -> Iterator[tuple[object, ...]]:
    """Rows of ``daily`` that go with the stored ``clicks_by_link``."""
    reasons = [f"{REASONS[reason].verdict}/{reason}" for reason in sorted(REASONS)]
    keys = store.execute(
        f"select issue_id, link_id, hour - hour % {DAY_SECONDS} as day, sum(clicks) from clicks_by_link "
        "where verdict = 'human' group by link_id, issue_id, day"
    ).fetchall()
    clicks = np.array([key[3] for key in keys])
    for dimension, count in VALUES.items():
        for start in range(0, len(keys), 50_000):
            drawn = rng.multinomial(clicks[start : start + 50_000], harmonic(count))
            for at, value in zip(*(each.tolist() for each in np.nonzero(drawn)), strict=True):
                name = reasons[value] if dimension == "reason" else f"{dimension} {value}"
                yield *keys[start + at][:3], dimension, name, int(drawn[at, value])


def insert(store: Store, table: str, columns: int, rows: Iterable[tuple[object, ...]]) -> None:
    """Store rows of one of the fine rollups."""
    marks = ", ".join("?" * columns)
    store.db.conn.executemany(f"insert into {table} values ({marks})", rows)


def fill(store: Store, shares: Iterable[tuple[Parts, int, int, int]]) -> None:
    """Store the rollups of (placements, clicks, begin, days), then the coarse ones from them."""
    rng = np.random.default_rng(1)
    for parts, clicks, begin, days in shares:
        insert(store, "clicks_by_link", 10, hourly(parts, clicks=clicks, begin=begin, days=days, rng=rng))
    insert(store, "breakdown_by_link", 6, daily(store, rng=rng))
    rollups.recompute_coarse_rollups(store)


def one_issue(store: Store, *, clicks: int, days: int, count: int) -> None:
    """All clicks in one long-tailed issue."""
    fill(store, [(add_issue(store, 0, sent_at=START), clicks, START, days)])


def many_issues(store: Store, *, clicks: int, days: int, count: int) -> None:
    """The clicks shared by 100 issues, one every five days."""
    begins = [START + number * 5 * DAY_SECONDS for number in range(100)]
    fill(store, [(add_issue(store, n, sent_at=at), clicks // 100, at, days) for n, at in enumerate(begins)])


def many_links(store: Store, *, clicks: int, days: int, count: int) -> None:
    """The clicks shared by many links of no issue, over two days."""
    fill(store, [(add_links(store, count), clicks, START, 2)])


SHAPES = {"one issue": one_issue, "100 issues": many_issues, "links": many_links}


def reports(store: Store, shape: str) -> dict[str, Callable[[], object]]:
    """What is timed, by name."""
    now = START + 900 * DAY_SECONDS
    since = START + 3 * HOUR_SECONDS + (0 if shape == "links" else 20 * DAY_SECONDS)
    until = since + 30 * DAY_SECONDS
    code = "l0" if shape == "links" else "i0x0"
    found: dict[str, Callable[[], object]] = {
        "link": lambda: build_link_report(store, "go.example", code, as_of=now),
        "summary": lambda: build_summary(store, as_of=now, domains=DOMAINS),
        "summary of 30 days": lambda: build_summary(
            store, since=since, until=until, as_of=now, domains=DOMAINS
        ),
        "link list": lambda: list(listings.all_links(store)),
        "issue list": lambda: listings.list_issues(store),
    }
    if shape != "links":
        found["issue"] = lambda: build_issue_report(store, "issue-0", as_of=now)
        found["history (rank)"] = lambda: load_history(store, as_of=now)
        found["history, a week ago"] = lambda: load_history(
            store, as_of=START + days_of(store) - 7 * DAY_SECONDS
        )
    return found


def days_of(store: Store) -> int:
    """The seconds between START and the last hour with a click."""
    return int(store.value("select max(hour) from clicks_by_link")) - START


def median_ms(work: Callable[[], object], *, runs: int = 7) -> float:
    """The median time of a piece of work, in milliseconds."""
    times = []
    for _ in range(runs):
        begun = time.perf_counter()
        work()
        times.append((time.perf_counter() - begun) * 1000)
    return statistics.median(times)


def measure(shape: str, *, clicks: int, days: int, count: int, directory: Path) -> dict[str, float]:
    """Fill one store and time its reports."""
    store = open_store(directory / f"{shape} {clicks}")
    store.execute("pragma synchronous = off")
    with store.transaction():
        SHAPES[shape](store, clicks=clicks, days=days, count=count)
    store.execute("pragma wal_checkpoint(truncate)")
    found: dict[str, float] = {
        f"rows of {table}": store.value(f"select count(*) from {table}")
        for table in (each.table for each in rollups.ALL_ROLLUPS)
    }
    found |= {f"{name}, ms": median_ms(work) for name, work in reports(store, shape).items()}
    for name, work in reports(store, shape).items():
        (directory / f"{shape} {clicks} {name}.json").write_bytes(msgspec.json.encode(work()))
    store.close()
    return found


def main() -> None:
    """Measure every shape at the clicks asked for and at ten times as many."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clicks", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=180)
    parser.add_argument("--links", type=int, default=100_000)
    parser.add_argument("--directory", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as temporary:
        for shape in SHAPES:
            one, ten = (
                measure(
                    shape, clicks=clicks, days=options.days, count=options.links, directory=Path(temporary)
                )
                for clicks in (options.clicks, 10 * options.clicks)
            )
            print(f"| {shape} | {options.clicks:,} clicks | {10 * options.clicks:,} clicks |\n|---|--:|--:|")
            for name, value in one.items():
                print(f"| {name} | {value:,.0f} | {ten[name]:,.0f} |")
            print(flush=True)


if __name__ == "__main__":
    main()
