"""SQL for reports: queries use rollups by their keys, never clicks; the export streams clicks."""

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
from shortener.store.rollup_tables import ALL_ROLLUPS
from shortener.store.sqlite import SqliteConnection
from tests.postgres import both_engines

pytestmark = both_engines

NOW = 1_800_000_000
REPORTS: dict[str, Callable[[Store], object]] = {
    "issue": lambda store: build_issue_report(store, "may", as_of=NOW),
    "link": lambda store: build_link_report(store, "go.example", "one", as_of=NOW),
    "summary": lambda store: build_summary(store, as_of=NOW),
    "summary between": lambda store: build_summary(store, since=0, until=NOW, as_of=NOW),
    "history": lambda store: load_history(store, as_of=NOW),
}
ROLLUPS = {
    "issue": {"totals_by_placement", "clicks_by_issue_hour", "breakdown_by_issue"},
    "link": {"totals_by_placement", "clicks_by_link", "clicks_by_link_hour", "breakdown_by_link"},
}
"""Rollups that the report of an issue and of a link search."""


@pytest.fixture
def sqlite_only(store_url: str) -> None:
    """Skip the test on PostgreSQL, which has no such trace and no such plans."""
    if store_url:
        pytest.skip("reads the statements and plans of SQLite")


@contextmanager
def traced_statements(store: Store) -> Iterator[list[str]]:
    """Collect the SQL statements that run inside the block."""
    statements: list[str] = []
    assert isinstance(store.connection, SqliteConnection)
    sqlite = store.connection.sqlite
    sqlite.set_trace_callback(statements.append)
    try:
        yield statements
    finally:
        sqlite.set_trace_callback(None)


@pytest.mark.usefixtures("sqlite_only")
@pytest.mark.parametrize("build", REPORTS.values(), ids=REPORTS)
def test_reports_never_read_clicks(read: Any, build: Callable[[Store], object]) -> None:
    """No statement of any report reads the table of clicks."""
    with traced_statements(read.store) as statements:
        build(read.store)
    assert statements
    for statement in statements:
        assert not re.search(r"\b(from|join)\s+clicks\b", statement), statement


@pytest.mark.usefixtures("sqlite_only")
@pytest.mark.parametrize("name", ["issue", "link"])
def test_reports_search_rollups_by_key(read: Any, name: str) -> None:
    """The report of an issue or link searches rollups by key and scans none of the large tables."""
    with traced_statements(read.store) as statements:
        REPORTS[name](read.store)
    plans = [detail for statement in statements for *_, detail in read.store.execute(f"explain query plan {statement}")]
    searched = {match[1] for plan in plans if (match := re.match(r"SEARCH (\w+)", plan))}
    assert searched >= ROLLUPS[name]
    assert not searched & {"clicks_by_link", "breakdown_by_link"} - ROLLUPS[name]
    scans = rf"SCAN ({'|'.join(rollup.table for rollup in ALL_ROLLUPS)}|links|placements|articles)\b"
    assert not [plan for plan in plans if re.match(scans, plan)]


def exported_ids(store: Store, **bounds: int | None) -> list[str]:
    """Return the ids of the exported clicks."""
    return [row.id for row in reports.export_clicks(store, **({"since": None, "until": None} | bounds))]


def test_export_is_ordered_by_time(read: Any) -> None:
    """Clicks are exported in order of time, even if they were collected in another order."""
    read.click("one", 1, after=0)
    read.drain()
    rows = list(reports.export_clicks(read.store, since=None, until=None))
    assert [row.ts for row in rows] == sorted(row.ts for row in rows)
    assert len({row.id for row in rows}) == len(rows) == 12


def test_export_bounds_are_half_open(read: Any) -> None:
    """The bound ``since`` is inclusive and ``until`` exclusive, so adjacent periods share no click."""
    first = next(iter(reports.export_clicks(read.store, since=None, until=None))).ts
    second = first // 1000 + 1
    assert len(exported_ids(read.store, until=second)) == 1
    assert exported_ids(read.store, since=second) == exported_ids(read.store)[1:]
    assert exported_ids(read.store, since=0, until=0) == []


def test_exported_click_has_link_and_user_agent(read: Any) -> None:
    """A row of the export has link, placement, verdict, browser and device."""
    row = next(iter(reports.export_clicks(read.store, since=None, until=None)))
    assert (row.domain, row.code, row.n, row.verdict) == ("go.example", "one", 1, "human")
    assert (row.browser, row.device) == ("Firefox", "computer")
