"""Rollups: coarse sums equal the fine ones after any change, and reports read the same from both."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortener.durations import DAY_SECONDS, HOUR_SECONDS, QUARTER_HOUR_SECONDS
from shortener.store import Store, issue_clicks, open_store, reports
from shortener.store.rollup_tables import (
    ALL_ROLLUPS,
    COARSE_ROLLUPS,
    SUM_COLUMNS,
    VERDICTS,
    VISITOR_COLUMNS,
)
from shortener.store.rollups import (
    LinkBreakdownSums,
    LinkClickSums,
    add_to_rollups,
    recompute_coarse_rollups,
)
from shortener.store.sql_text import json_array
from tests.postgres import both_engines

KEY = st.tuples(
    st.integers(1, 2),
    st.integers(0, 240).map(lambda number: number * QUARTER_HOUR_SECONDS),
    st.integers(0, 1),
    st.integers(0, 2),
)
"""(link, quarter-hour, n, issue) within three days."""
VISITS = st.tuples(st.sampled_from(VERDICTS), st.integers(1, 4), st.integers(0, 4))
"""(verdict, clicks, first visits)."""
VALUE = st.tuples(
    st.integers(1, 2),
    st.sampled_from(("browser", "os")),
    st.sampled_from(("", "x")),
    st.integers(0, 2).map(lambda day: day * DAY_SECONDS),
    st.integers(0, 2),
)
BOUND = st.none() | st.integers(-8, 300).map(lambda number: number * QUARTER_HOUR_SECONDS)
FAR_FUTURE = 1 << 40


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store that every example of a property test empties and fills."""
    with ExitStack() as stack:
        url = (
            stack.enter_context(request.getfixturevalue("postgres").empty_store())
            if request.param == "postgres"
            else ""
        )
        store = open_store(tmp_path_factory.mktemp("data"), url=url)
        stack.callback(store.close)
        yield store


def fill(store: Store, hourly: LinkClickSums, daily: LinkBreakdownSums) -> None:
    """Replace the content of all rollups."""
    with store.transaction():
        for rollup in ALL_ROLLUPS:
            store.execute(f"delete from {rollup.table}")
        add_to_rollups(store, hourly, daily)


def coarse_rows(store: Store) -> dict[str, list[Any]]:
    """Return the sorted rows of each coarse rollup."""
    return {rollup.table: sorted(store.execute(f"select * from {rollup.table}")) for rollup in COARSE_ROLLUPS}


def recomputed_rows(store: Store) -> dict[str, list[Any]]:
    """Recompute the coarse rollups and return their rows."""
    with store.transaction():
        recompute_coarse_rollups(store)
    return coarse_rows(store)


def sums(verdict: str, clicks: int, first: int) -> list[int]:
    """Return the sums of some clicks; at most ``first`` of them are first visits, if they are human."""
    visitors = min(clicks, first) if verdict == "human" else 0
    return [clicks if name == verdict else 0 for name in VERDICTS] + [visitors] * len(VISITOR_COLUMNS)


def test_tables_are_those_of_the_description(tmp_path: Path) -> None:
    """The tables that migrations create have the described columns and keys; no sum can be null or negative."""
    shared = open_store(tmp_path)
    stored = dict(shared.execute("select name, sql from sqlite_master where type = 'table'"))
    for rollup in ALL_ROLLUPS:
        columns = shared.execute(
            f"select name, type, \"notnull\", pk from pragma_table_info('{rollup.table}')"
        ).fetchall()
        keys = [
            (name, "TEXT" if name in {"dimension", "value"} else "INTEGER", 1, number)
            for number, name in enumerate(rollup.key_columns, start=1)
        ]
        assert columns == keys + [(name, "INTEGER", 1, 0) for name in rollup.sum_columns]
        assert all(f"check ({name} >= 0)" in stored[rollup.table] for name in rollup.sum_columns)
        assert stored[rollup.table].endswith("strict, without rowid")
    indexes = shared.execute(
        "select sql from sqlite_master where tbl_name in (select value from json_each(?)) and sql "
        "like 'create index%' order by sql",
        (json_array([rollup.table for rollup in ALL_ROLLUPS]),),
    )
    assert [row[0].partition(" on ")[2] for row in indexes] == [
        "clicks_by_issue (quarter_hour)",
        "clicks_by_link (quarter_hour)",
        "totals_by_placement (link_id, human, link_visitors)",
    ]
    shared.close()


@settings(max_examples=30, deadline=None)
@given(
    st.dictionaries(KEY, VISITS, max_size=12),
    st.lists(st.tuples(KEY, VISITS), max_size=8),
    st.dictionaries(VALUE, st.integers(1, 4), max_size=8),
    st.lists(st.tuples(VALUE, st.integers(1, 4)), max_size=6),
)
def test_coarse_sums_equal_fine_sums_after_corrections(
    shared: Store, added: Any, moved: Any, values: Any, fewer: Any
) -> None:
    """After corrections that add and subtract, coarse rollups equal recomputed ones and have no empty rows."""
    clicks: LinkClickSums = {key: sums(*visits) for key, visits in added.items()}
    breakdown: LinkBreakdownSums = dict(values)
    fill(shared, clicks, breakdown)
    assert coarse_rows(shared) == recomputed_rows(shared)
    correction: LinkClickSums = {key: sums(*visits) for key, visits in moved if key not in clicks}
    correction |= {key: [-number for number in clicks[key]] for key, _ in moved if key in clicks}
    subtracted = {key: -min(count, breakdown[key]) for key, count in fewer if key in breakdown}
    with shared.transaction():
        add_to_rollups(shared, correction, subtracted)
    expected = coarse_rows(shared)
    assert recomputed_rows(shared) == expected
    for rollup in COARSE_ROLLUPS:
        for row in expected[rollup.table]:
            assert sum(row[len(rollup.key_columns) :][: len(rollup.click_columns)])


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(KEY, VISITS, max_size=20), BOUND, BOUND)
def test_period_is_the_sum_of_its_quarter_hours(
    shared: Store, added: Any, since: int | None, until: int | None
) -> None:
    """Reports of a period equal the sum of its quarter-hours, wherever the period begins and ends."""
    fill(shared, {key: sums(*visits) for key, visits in added.items()}, {})
    low, high = -FAR_FUTURE if since is None else since, FAR_FUTURE if until is None else until
    high = max(low, high)
    issues: dict[int, list[int]] = {}
    links: dict[int, list[int]] = {}
    total = [0, 0, 0]
    for (link, quarter_hour, _, issue), visits in added.items():
        if low <= quarter_hour < high:
            row = sums(*visits)
            for group in (issues.setdefault(issue, [0] * 3), links.setdefault(link, [0] * 3), total):
                for index, number in enumerate((row[0], sum(row[1:5]), row[-1])):
                    group[index] += number
    bounds = {"since": since, "until": None if until is None else high}
    assert [
        (row.issue_id, row.human, row.bot + row.scanner + row.preview + row.prefetch, row.issue_visitors)
        for row in reports.site_totals(shared, **bounds)
    ] == [(issue, *issues[issue]) for issue in sorted(issues)]
    assert [(row.link_id, row.clicks, row.visitors) for row in reports.top_links(shared, **bounds, limit=9)] == sorted(
        ((link, row[0], row[2]) for link, row in links.items() if row[0]), key=lambda row: (-row[1], row[0])
    )
    assert [(row.start, row.human, row.automated) for row in reports.site_timeline(shared, [(low, high)])] == [
        (low, *total[:2])
    ] * (total[:2] != [0, 0])


@settings(max_examples=20, deadline=None)
@given(st.dictionaries(KEY, st.integers(1, 5), max_size=20), st.integers(-1, 62))
def test_clicks_by_placement_end_at_the_given_hour(shared: Store, added: Any, hour: int) -> None:
    """Human clicks by placement are the sum of the hours that began by ``until``."""
    fill(shared, {key: sums("human", visits, 2) for key, visits in added.items()}, {})
    until = hour * HOUR_SECONDS
    expected: dict[tuple[int, int, int], int] = {}
    for (link, quarter_hour, n, issue), visits in added.items():
        if issue and quarter_hour - quarter_hour % HOUR_SECONDS <= until:
            expected[issue, link, n] = expected.get((issue, link, n), 0) + visits
    for moment in (until, until + HOUR_SECONDS - 1):
        clicks = {
            (row.issue_id, row.link_id, row.n): row.clicks
            for row in issue_clicks.human_clicks_by_placement(shared, until=moment)
        }
        assert clicks == expected


@settings(max_examples=30, deadline=None)
@given(
    st.sets(st.integers(-120, 1600), max_size=40),
    st.integers(0, 2 * HOUR_SECONDS),
    st.integers(0, 420),
    st.sampled_from((0, 24, 72, 80)),
)
def test_periods_are_hours_and_then_days_since_sending(
    shared: Store, quarters: set[int], late: int, until: int, hourly: int
) -> None:
    """Every hour that ended after sending is in exactly one period, and no period crosses a day of age."""
    base = 100 * DAY_SECONDS
    sent = base + late
    times = [base + quarter * QUARTER_HOUR_SECONDS for quarter in quarters]
    fill(shared, {(1, time, 0, 1): [2, 0, 0, 0, 0, 2, 1, 1, 1, 1] for time in times}, {})
    stop = base + until * HOUR_SECONDS
    spans = issue_clicks.human_clicks_by_period(
        shared, 1, sent_at=sent, hourly_seconds=hourly * HOUR_SECONDS, until=stop
    )
    ages: dict[tuple[str, int], list[int]] = {}
    for hour in sorted(time - time % HOUR_SECONDS for time in times):
        if sent - HOUR_SECONDS < hour <= stop:
            age = hour - sent
            span = ("hour", hour) if age < hourly * HOUR_SECONDS else ("day", age // DAY_SECONDS)
            ages.setdefault(span, []).append(hour)
    assert [(span.first_hour, span.last_hour, span.clicks, span.link_visitors) for span in spans] == [
        (period[0], period[-1], 2 * len(period), len(period)) for period in ages.values()
    ]


@both_engines
def test_subtraction_never_goes_below_zero(tmp_path: Path, store_url: str) -> None:
    """Subtracting two clicks where one was counted (the other without a placement) leaves zero."""
    store = open_store(tmp_path, url=store_url)
    with store.transaction():
        for n in (0, 5):
            add_to_rollups(store, {(1, 0, n, 1): [1, 0, 0, 0, 0, 1, 1, 1, 1, 1]}, {})
        add_to_rollups(store, {(1, 0, 5, 1): [-2, 2, 0, 0, 0, -2, -2, -2, -2, -2]}, {})
    for table in ("clicks_by_link", "totals_by_placement"):
        rows = store.execute(f"select n, human, bot from {table} order by n").fetchall()
        assert rows == [(0, 1, 0), (5, 0, 2)]
    assert store.execute("select human, bot from clicks_of_site").fetchall() == [(0, 2)]
    assert all(store.value(f"select min({name}) from clicks_by_link") >= 0 for name in SUM_COLUMNS)
    store.close()
