"""Rollups: coarse sums equal the fine ones after any change, and reports read the same from both."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortener.durations import DAY_SECONDS, HOUR_SECONDS
from shortener.store import Store, open_store, reports
from shortener.store.rollups import (
    ALL_ROLLUPS,
    COARSE_ROLLUPS,
    VERDICTS,
    LinkBreakdownSums,
    LinkClickSums,
    add_to_rollups,
    recompute_coarse_rollups,
)

KEY = st.tuples(
    st.integers(0, 2),
    st.integers(1, 2),
    st.integers(0, 1),
    st.integers(0, 60).map(lambda hour: hour * HOUR_SECONDS),
    st.sampled_from(VERDICTS),
)
"""(issue, link, n, hour, verdict) within three days."""
VALUE = st.tuples(
    st.integers(0, 2),
    st.integers(1, 2),
    st.integers(0, 2).map(lambda day: day * DAY_SECONDS),
    st.sampled_from(("browser", "os")),
    st.sampled_from(("", "x")),
)
BOUND = st.none() | st.integers(-2, 75).map(lambda hour: hour * HOUR_SECONDS)
FAR_FUTURE = 1 << 40


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store that every example of a property test empties and fills."""
    store = open_store(tmp_path_factory.mktemp("data"))
    yield store
    store.close()


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


def sums(verdict: str, visits: int, first: int) -> list[int]:
    """Return the sums of ``visits`` clicks; at most ``first`` of them are first visits, if they are human."""
    return [visits, *([min(visits, first)] * 4 if verdict == "human" else [0] * 4)]


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(KEY, st.tuples(st.integers(1, 4), st.integers(0, 4)), max_size=12),
    st.lists(st.tuples(KEY, st.integers(1, 4), st.integers(0, 4)), max_size=8),
    st.dictionaries(VALUE, st.integers(1, 4), max_size=8),
    st.lists(st.tuples(VALUE, st.integers(1, 4)), max_size=6),
)
def test_coarse_sums_equal_fine_sums_after_corrections(
    shared: Store, added: Any, moved: Any, values: Any, fewer: Any
) -> None:
    """After corrections that add and subtract, coarse rollups equal recomputed ones and have no empty rows."""
    hourly: LinkClickSums = {key: sums(key[4], *visits) for key, visits in added.items()}
    daily: LinkBreakdownSums = dict(values)
    fill(shared, hourly, daily)
    assert coarse_rows(shared) == recomputed_rows(shared)
    correction: LinkClickSums = {
        key: sums(key[4], visits, first) for key, visits, first in moved if key not in hourly
    }
    correction |= {key: [-number for number in hourly[key]] for key, *_ in moved if key in hourly}
    subtracted = {key: -min(count, daily[key]) for key, count in fewer if key in daily}
    with shared.transaction():
        add_to_rollups(shared, correction, subtracted)
    expected = coarse_rows(shared)
    assert recomputed_rows(shared) == expected
    assert all(
        sum(row[-9:-4])
        for table in ("totals_by_placement", "clicks_by_issue", "clicks_by_placement", "clicks_of_site")
        for row in expected[table]
    )


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(KEY, st.integers(1, 5), max_size=20), BOUND, BOUND)
def test_period_is_the_sum_of_its_hours(
    shared: Store, added: dict[Any, int], since: int | None, until: int | None
) -> None:
    """Reports of a period equal the sum of its hours, wherever the period begins and ends."""
    hourly = {key: sums(key[4], visits, 2) for key, visits in added.items()}
    fill(shared, hourly, {})
    low, high = -FAR_FUTURE if since is None else since, FAR_FUTURE if until is None else until
    inside = {key: row for key, row in hourly.items() if low <= key[3] < high}
    issues: dict[int, list[int]] = {}
    links: dict[int, list[int]] = {}
    days: dict[int, list[int]] = {}
    for (issue, link, _, hour, verdict), (visits, *firsts) in inside.items():
        human = verdict == "human"
        for of, key in ((issues, issue), (links, link), (days, hour - hour % DAY_SECONDS)):
            row = of.setdefault(key, [0, 0, 0])
            row[0 if human else 1] += visits
            row[2] += firsts[0]
    assert [
        (row.issue_id, row.human, row.bot + row.scanner + row.preview + row.prefetch, row.issue_visitors)
        for row in reports.site_totals(shared, since=since, until=until)
    ] == [(issue, *issues[issue]) for issue in sorted(issues)]
    assert [
        (row.link_id, row.clicks, row.visitors)
        for row in reports.top_links(shared, since=since, until=until, limit=9)
    ] == sorted(
        ((link, row[0], row[2]) for link, row in links.items() if row[0]), key=lambda row: (-row[1], row[0])
    )
    assert [
        (row.start, row.human, row.automated)
        for row in reports.site_timeline(shared, since=since, until=until)
    ] == [(day, *days[day][:2]) for day in sorted(days)]


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(KEY, st.integers(1, 5), max_size=20), st.integers(-1, 62))
def test_clicks_by_placement_end_at_the_given_hour(shared: Store, added: dict[Any, int], hour: int) -> None:
    """Human clicks by placement are the sum of the hours that began by ``until``."""
    fill(shared, {key: sums(key[4], visits, 2) for key, visits in added.items()}, {})
    until = hour * HOUR_SECONDS
    expected: dict[tuple[int, int, int], int] = {}
    for (issue, link, n, at, verdict), visits in added.items():
        if issue and verdict == "human" and at <= until:
            expected[issue, link, n] = expected.get((issue, link, n), 0) + visits
    clicks = {
        (row.issue_id, row.link_id, row.n): row.clicks
        for row in reports.human_clicks_by_placement(shared, until=until)
    }
    assert clicks == expected


@settings(max_examples=60, deadline=None)
@given(
    st.sets(st.integers(-30, 400), max_size=40),
    st.integers(0, 2 * HOUR_SECONDS),
    st.integers(0, 420),
    st.sampled_from((0, 24, 72, 80)),
)
def test_periods_are_hours_and_then_days_since_sending(
    shared: Store, hours: set[int], late: int, until: int, hourly: int
) -> None:
    """Every hour that ended after sending is in exactly one period, and no period crosses a day of age."""
    base = 100 * DAY_SECONDS
    sent = base + late
    rows = {(1, 1, 0, base + hour * HOUR_SECONDS, "human"): [2, 1, 1, 1, 1] for hour in hours}
    fill(shared, rows, {})
    stop = base + until * HOUR_SECONDS
    spans = reports.human_clicks_by_period(
        shared, 1, sent_at=sent, hourly_seconds=hourly * HOUR_SECONDS, until=stop
    )
    ages: dict[tuple[str, int], list[int]] = {}
    for hour in sorted(key[3] for key in rows if sent - HOUR_SECONDS < key[3] <= stop):
        age = hour - sent
        span = ("hour", hour) if age < hourly * HOUR_SECONDS else ("day", age // DAY_SECONDS)
        ages.setdefault(span, []).append(hour)
    assert [(span.first_hour, span.last_hour, span.clicks, span.link_visitors) for span in spans] == [
        (period[0], period[-1], 2 * len(period), len(period)) for period in ages.values()
    ]


def test_subtraction_never_goes_below_zero(tmp_path: Path) -> None:
    """Subtracting two clicks where one was counted (the other without a placement) leaves zero."""
    store = open_store(tmp_path)
    with store.transaction():
        for n in (0, 5):
            add_to_rollups(store, {(1, 1, n, 0, "human"): [1, 1, 1, 1, 1]}, {})
        correction = {(1, 1, 5, 0, "human"): [-2, -2, -2, -2, -2], (1, 1, 5, 0, "bot"): [2, 0, 0, 0, 0]}
        add_to_rollups(store, correction, {})
    hourly = store.execute("select n, verdict, clicks from clicks_by_link order by n").fetchall()
    assert hourly == [(0, "human", 1), (5, "bot", 2)]
    assert store.execute("select n, human, bot from totals_by_placement order by n").fetchall() == [
        (0, 1, 0),
        (5, 0, 2),
    ]
    assert store.execute("select human, bot from clicks_of_site").fetchall() == [(0, 2)]
    store.close()
