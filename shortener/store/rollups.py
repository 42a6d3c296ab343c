"""Rollups: tables of sums of clicks, updated in the transaction that stores the clicks.

Two are detailed, or fine: ``clicks_by_link`` by hour and ``breakdown_by_link`` by day. The others are coarse:
they sum rows of these two, with one row for each thing that a report shows, so that a report reads few rows.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from shortener.durations import DAY_SECONDS
from shortener.store.database import Store

VERDICTS = ("human", "bot", "scanner", "preview", "prefetch")

LinkClickSums = dict[tuple[int, int, int, int, str], list[int]]
"""(issue id or 0, link id, n, hour, verdict) → [clicks, visitors of the placement, link, issue and site]."""
LinkBreakdownSums = dict[tuple[int, int, int, str, str], int]
"""(issue id or 0, link id, day, dimension, value) → clicks."""
RollupKey = tuple[int | str, ...]
SumsByKey = Mapping[Any, Sequence[int]]
"""Sums of a rollup by the key of their row, both in the order of the rollup's columns."""

VISITOR_COLUMNS = ("visitors", "link_visitors", "issue_visitors", "site_visitors")
"""Sums of first visits: to the placement, the link, the issue and the site."""
SUM_COLUMNS = (*VERDICTS, *VISITOR_COLUMNS)
"""Columns of sums in a coarse rollup: number of clicks with each verdict, and first visits."""
VERDICT_CLICKS = {verdict: f"case verdict when '{verdict}' then clicks else 0 end" for verdict in VERDICTS}
"""SQL for each verdict: the clicks of a row of ``clicks_by_link`` if it has this verdict, else 0."""
_COARSE_SUMS = ", ".join(f"sum({column})" for column in (*VERDICT_CLICKS.values(), *VISITOR_COLUMNS))
"""SQL that computes the columns ``SUM_COLUMNS`` from rows of ``clicks_by_link``."""
DAY_EXPRESSION = f"hour - hour % {DAY_SECONDS}"
"""SQL: the second at which the UTC day of ``hour`` begins."""


class Rollup(Struct, frozen=True):
    """Definition of a rollup: its table, key columns, and columns of clicks and of visitors.

    A coarse rollup also has the query that recomputes it.
    """

    table: str
    key_columns: tuple[str, ...]
    click_columns: tuple[str, ...]
    visitor_columns: tuple[str, ...] = ()
    query: str = ""

    @property
    def sum_columns(self) -> tuple[str, ...]:
        """All columns except the key."""
        return self.click_columns + self.visitor_columns


def _coarse_rollup(table: str, **keys: str) -> Rollup:
    """Define a coarse rollup of clicks, which sums rows of ``clicks_by_link``.

    ``keys`` maps its key columns to SQL expressions.
    """
    query = f"select {', '.join(keys.values())}, {_COARSE_SUMS} from clicks_by_link group by {', '.join(keys.values())}"  # noqa: S608
    return Rollup(table, tuple(keys), VERDICTS, VISITOR_COLUMNS, query)


CLICKS_BY_LINK = Rollup(
    "clicks_by_link", ("issue_id", "link_id", "n", "hour", "verdict"), ("clicks",), VISITOR_COLUMNS
)
BREAKDOWN_BY_LINK = Rollup(
    "breakdown_by_link", ("issue_id", "link_id", "day", "dimension", "value"), ("clicks",)
)
TOTALS_BY_PLACEMENT = _coarse_rollup("totals_by_placement", issue_id="issue_id", link_id="link_id", n="n")
CLICKS_BY_ISSUE = _coarse_rollup("clicks_by_issue", issue_id="issue_id", hour="hour")
CLICKS_BY_PLACEMENT = _coarse_rollup(
    "clicks_by_placement", day=DAY_EXPRESSION, issue_id="issue_id", link_id="link_id", n="n"
)
CLICKS_OF_SITE = _coarse_rollup("clicks_of_site", day=DAY_EXPRESSION)
BREAKDOWN_BY_ISSUE = Rollup(
    "breakdown_by_issue",
    ("issue_id", "dimension", "value"),
    ("clicks",),
    query="select issue_id, dimension, value, sum(clicks) from breakdown_by_link group by issue_id, dimension, value",
)
COARSE_ROLLUPS = (
    TOTALS_BY_PLACEMENT,
    CLICKS_BY_ISSUE,
    CLICKS_BY_PLACEMENT,
    CLICKS_OF_SITE,
    BREAKDOWN_BY_ISSUE,
)
ALL_ROLLUPS = (CLICKS_BY_LINK, BREAKDOWN_BY_LINK, *COARSE_ROLLUPS)


def add_to_rollups(store: Store, clicks_by_link: LinkClickSums, breakdown_by_link: LinkBreakdownSums) -> None:
    """Add sums to all rollups; negative sums are subtracted, and rows without clicks are deleted."""
    _apply_sums(store, CLICKS_BY_LINK, clicks_by_link)
    _apply_sums(store, BREAKDOWN_BY_LINK, {key: (clicks,) for key, clicks in breakdown_by_link.items()})
    for rollup, sums in zip(
        COARSE_ROLLUPS,
        (*_coarse_click_sums(clicks_by_link), _coarse_breakdown_sums(breakdown_by_link)),
        strict=True,
    ):
        _apply_sums(store, rollup, sums)
    _increment_revision(store)


def _increment_revision(store: Store) -> None:
    """Increment the revision of the rollups, which invalidates cached reports."""
    store.execute(
        "insert into meta (name, value) values ('rollups_revision', 1) "
        "on conflict (name) do update set value = value + 1"
    )


def _coarse_click_sums(clicks_by_link: LinkClickSums) -> tuple[SumsByKey, ...]:
    """Return the sums to add to each rollup that is computed from ``clicks_by_link``.

    They are in the order of ``COARSE_ROLLUPS``.
    """
    totals: dict[RollupKey, list[int]] = {}
    hours: dict[RollupKey, list[int]] = {}
    placement_days: dict[RollupKey, list[int]] = {}
    days: dict[RollupKey, list[int]] = {}
    for (issue, link, n, hour, verdict), (clicks, *visits) in clicks_by_link.items():
        day = hour - hour % DAY_SECONDS
        # Most of the nine sums of a key are 0: only the others are added.
        additions = [(VERDICTS.index(verdict), clicks)]
        additions += [(column, visitors) for column, visitors in enumerate(visits, len(VERDICTS)) if visitors]
        for sums, key in (
            (totals, (issue, link, n)),
            (hours, (issue, hour)),
            (placement_days, (day, issue, link, n)),
            (days, (day,)),
        ):
            row = sums.get(key)
            if row is None:
                row = sums[key] = [0] * len(SUM_COLUMNS)
            for column, number in additions:
                row[column] += number
    return totals, hours, placement_days, days


def _coarse_breakdown_sums(breakdown_by_link: LinkBreakdownSums) -> SumsByKey:
    """Return the sums to add to ``breakdown_by_issue``."""
    sums: dict[RollupKey, list[int]] = {}
    for (issue, _, _, dimension, value), clicks in breakdown_by_link.items():
        sums.setdefault((issue, dimension, value), [0])[0] += clicks
    return sums


def recompute_coarse_rollups(store: Store) -> None:
    """Recompute the coarse rollups, which are sums of the fine ones, within the caller's transaction."""
    for rollup in COARSE_ROLLUPS:
        columns = ", ".join(rollup.key_columns + rollup.sum_columns)
        store.execute(f"delete from {rollup.table}")  # noqa: S608
        store.execute(f"insert into {rollup.table} ({columns}) {rollup.query}")
    _increment_revision(store)


def _apply_sums(store: Store, rollup: Rollup, sums: SumsByKey) -> None:
    """Add sums to one rollup, and delete the rows that have no clicks afterwards."""
    # Positive sums first: a key that is also decreased may have no row before.
    increases = {key: [max(0, number) for number in row] for key, row in sums.items() if max(row) > 0}
    decreases = {key: [min(0, number) for number in row] for key, row in sums.items() if min(row) < 0}
    connection = store.db.conn
    connection.executemany(_UPSERTS[rollup.table], ((*key, *row) for key, row in increases.items()))
    connection.executemany(_DECREMENTS[rollup.table], ((*row, *key) for key, row in decreases.items()))
    connection.executemany(_EMPTY_DELETES[rollup.table], decreases)


def _upsert_statement(rollup: Rollup) -> str:
    """Return the statement that adds to a row, or inserts it."""
    columns = rollup.key_columns + rollup.sum_columns
    changes = ", ".join(f"{name} = {rollup.table}.{name} + excluded.{name}" for name in rollup.sum_columns)
    return f"""
        insert into {rollup.table} ({", ".join(columns)}) values ({", ".join("?" * len(columns))})
        on conflict ({", ".join(rollup.key_columns)}) do update set {changes}
    """  # noqa: S608


def _decrement_statement(rollup: Rollup) -> str:
    """Return the statement that subtracts from a row, whose sums never fall below 0; the sums come before the key."""
    # A click may have been counted under another placement before: its subtraction must not break a check and
    # stop the collector.
    changes = ", ".join(f"{name} = max({name} + ?, 0)" for name in rollup.sum_columns)
    return f"update {rollup.table} set {changes} where {_key_condition(rollup)}"  # noqa: S608


def _delete_empty_statement(rollup: Rollup) -> str:
    return f"delete from {rollup.table} where {_key_condition(rollup)} and {' + '.join(rollup.click_columns)} = 0"  # noqa: S608


def _key_condition(rollup: Rollup) -> str:
    return " and ".join(f"{name} = ?" for name in rollup.key_columns)


_UPSERTS = {rollup.table: _upsert_statement(rollup) for rollup in ALL_ROLLUPS}
_DECREMENTS = {rollup.table: _decrement_statement(rollup) for rollup in ALL_ROLLUPS}
_EMPTY_DELETES = {rollup.table: _delete_empty_statement(rollup) for rollup in ALL_ROLLUPS}
