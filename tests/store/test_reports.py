"""The SQL of reports: it reads the rollups by their keys, and never a click."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from shortener.reporting.issue_report import build_issue_report
from shortener.reporting.link_report import build_link_report
from shortener.reporting.ranking_inputs import load_history
from shortener.reporting.summary import build_summary
from shortener.store import Store, reports
from shortener.store.rollups import ALL_ROLLUPS

NOW = 1_800_000_000
REPORTS: dict[str, Callable[[Store], object]] = {
    "issue": lambda store: build_issue_report(store, "may", as_of=NOW),
    "link": lambda store: build_link_report(store, "go.example", "one", as_of=NOW),
    "summary": lambda store: build_summary(store, as_of=NOW),
    "summary between": lambda store: build_summary(store, since=0, until=NOW, as_of=NOW),
    "history": lambda store: load_history(store, as_of=NOW),
}
ROLLUPS = {
    "issue": {"totals_by_placement", "clicks_by_issue", "breakdown_by_issue"},
    "link": {"totals_by_placement", "clicks_by_link", "breakdown_by_link"},
}
"""What the report of one thing reads its counts from."""


@contextmanager
def traced(store: Store) -> Iterator[list[str]]:
    """The statements that run meanwhile."""
    statements: list[str] = []
    store.db.conn.set_trace_callback(statements.append)
    try:
        yield statements
    finally:
        store.db.conn.set_trace_callback(None)


@pytest.mark.parametrize("make", REPORTS.values(), ids=REPORTS)
def test_reports_never_read_clicks(read: Any, make: Callable[[Store], object]) -> None:
    """No statement of any report names the table of clicks."""
    with traced(read.store) as statements:
        make(read.store)
    assert statements
    for statement in statements:
        assert not re.search(r"\b(from|join)\s+clicks\b", statement), statement


@pytest.mark.parametrize("name", ["issue", "link"])
def test_reports_of_one_thing_read_the_rollups_by_key(read: Any, name: str) -> None:
    """An issue's or link's report searches the rollups, it does not scan those of everything else."""
    with traced(read.store) as statements:
        REPORTS[name](read.store)
    plans = [
        detail
        for statement in statements
        for *_, detail in read.store.execute(f"explain query plan {statement}")
    ]
    searched = {match[1] for plan in plans if (match := re.match(r"SEARCH (\w+)", plan))}
    assert searched >= ROLLUPS[name]
    assert not searched & {"clicks_by_link", "breakdown_by_link"} - ROLLUPS[name]
    scans = rf"SCAN ({'|'.join(rollup.table for rollup in ALL_ROLLUPS)}|links|placements|articles)\b"
    assert not [plan for plan in plans if re.match(scans, plan)]


def exported(store: Store, **bounds: int | None) -> list[str]:
    return [row.id for row in reports.export_clicks(store, **({"since": None, "until": None} | bounds))]


def test_clicks_come_in_the_order_of_their_time(read: Any) -> None:
    """Whatever order they were drained in."""
    read.click("one", 1, after=0)
    read.drain()
    rows = list(reports.export_clicks(read.store, since=None, until=None))
    assert [row.ts for row in rows] == sorted(row.ts for row in rows)
    assert len({row.id for row in rows}) == len(rows) == 12


def test_clicks_are_bounded_to_the_millisecond(read: Any) -> None:
    """Since is inclusive, until is not, and neighbouring periods share no click."""
    first = next(iter(reports.export_clicks(read.store, since=None, until=None))).ts
    second = first // 1000 + 1
    assert len(exported(read.store, until=second)) == 1
    assert exported(read.store, since=second) == exported(read.store)[1:]
    assert exported(read.store, since=0, until=0) == []


def test_a_click_says_who_and_what(read: Any) -> None:
    """Link, placement, verdict and what the user agent told."""
    row = next(iter(reports.export_clicks(read.store, since=None, until=None)))
    assert (row.domain, row.code, row.n, row.verdict) == ("go.example", "one", 1, "human")
    assert (row.browser, row.device) == ("Firefox", "computer")
