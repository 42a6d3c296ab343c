"""The rollups: the fine ones (``hourly``, ``daily``), and coarse ones that are plain sums of them.

A coarse one is cut so that a report reads a row per thing that it shows: an issue's placements, hours and shares, a
day's placements, the site's days. All change in the same transaction.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from shortener.store.database import Store

HOUR_SECONDS = 3600
DAY_SECONDS = 86_400
VERDICTS = ("human", "bot", "scanner", "preview", "prefetch")

LinkClickSums = dict[tuple[int, int, int, int, str], list[int]]
"""(issue or 0, link, n, hour, verdict) → [clicks, visitors, link, issue and site visitors]."""
LinkBreakdownSums = dict[tuple[int, int, int, str, str], int]
"""(issue or 0, link, day, dimension, value) → clicks."""
RollupKey = tuple[int | str, ...]
SumsByKey = Mapping[Any, Sequence[int]]
"""Sums by key, in the order of a rollup's columns."""

_VISITOR_COLUMNS = ("visitors", "link_visitors", "issue_visitors", "site_visitors")
SUM_COLUMNS = (*VERDICTS, *_VISITOR_COLUMNS)
"""The sums of a coarse row: clicks by verdict, and first visits as in ``hourly``."""
_VERDICT_SUMS = ", ".join(
    f"sum(case verdict when '{verdict}' then clicks else 0 end) as {verdict}" for verdict in VERDICTS
)
"""The first of ``SUMS`` from rows of ``hourly``."""
_COARSE_SUMS = f"{_VERDICT_SUMS}, {', '.join(f'sum({first}) as {first}' for first in _VISITOR_COLUMNS)}"
_DAY_EXPRESSION = f"hour - hour % {DAY_SECONDS}"


class Rollup(Struct, frozen=True):
    """A table of sums: its key, its clicks and first visits; of a coarse one, the query that says what it holds."""

    table: str
    key_columns: tuple[str, ...]
    click_columns: tuple[str, ...]
    visitor_columns: tuple[str, ...] = ()
    query: str = ""

    @property
    def sum_columns(self) -> tuple[str, ...]:
        """All columns besides the key."""
        return self.click_columns + self.visitor_columns


def _coarse_rollup(table: str, **keys: str) -> Rollup:
    """A rollup of ``hourly``; ``keys`` are the columns of its key and what they are there."""
    query = f"select {', '.join(keys.values())}, {_COARSE_SUMS} from clicks_by_link group by {', '.join(keys.values())}"  # noqa: S608
    return Rollup(table, tuple(keys), VERDICTS, _VISITOR_COLUMNS, query)


CLICKS_BY_LINK = Rollup(
    "clicks_by_link", ("issue_id", "link_id", "n", "hour", "verdict"), ("clicks",), _VISITOR_COLUMNS
)
BREAKDOWN_BY_LINK = Rollup(
    "breakdown_by_link", ("issue_id", "link_id", "day", "dimension", "value"), ("clicks",)
)
TOTALS_BY_PLACEMENT = _coarse_rollup("totals_by_placement", issue_id="issue_id", link_id="link_id", n="n")
CLICKS_BY_ISSUE = _coarse_rollup("clicks_by_issue", issue_id="issue_id", hour="hour")
CLICKS_BY_PLACEMENT = _coarse_rollup(
    "clicks_by_placement", day=_DAY_EXPRESSION, issue_id="issue_id", link_id="link_id", n="n"
)
CLICKS_OF_SITE = _coarse_rollup("clicks_of_site", day=_DAY_EXPRESSION)
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


def add_sums(store: Store, clicks_by_link: LinkClickSums, breakdown_by_link: LinkBreakdownSums) -> None:
    """Add sums to all rollups; negative ones take away, and a row that comes to nothing is removed."""
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
    """Count the fact up by which whoever kept a figure knows that there is another one."""
    store.execute(
        "insert into meta (name, value) values ('rollups_revision', 1) "
        "on conflict (name) do update set value = value + 1"
    )


def _coarse_click_sums(clicks_by_link: LinkClickSums) -> tuple[SumsByKey, ...]:
    """What is added to the coarse rollups of ``hourly``."""
    totals: dict[RollupKey, list[int]] = {}
    hours: dict[RollupKey, list[int]] = {}
    placement_days: dict[RollupKey, list[int]] = {}
    days: dict[RollupKey, list[int]] = {}
    for (issue, link, n, hour, verdict), (clicks, *firsts) in clicks_by_link.items():
        day = hour - hour % DAY_SECONDS
        own = [(VERDICTS.index(verdict), clicks)]
        own += [(at, first) for at, first in enumerate(firsts, start=len(VERDICTS)) if first]
        for sums, key in (
            (totals, (issue, link, n)),
            (hours, (issue, hour)),
            (placement_days, (day, issue, link, n)),
            (days, (day,)),
        ):
            row = sums.get(key)
            if row is None:
                row = sums[key] = [0] * len(SUM_COLUMNS)
            for at, more in own:
                row[at] += more
    return totals, hours, placement_days, days


def _coarse_breakdown_sums(breakdown_by_link: LinkBreakdownSums) -> SumsByKey:
    shares: dict[RollupKey, list[int]] = {}
    for (issue, _, _, dimension, value), clicks in breakdown_by_link.items():
        shares.setdefault((issue, dimension, value), [0])[0] += clicks
    return shares


def recompute_coarse_rollups(store: Store) -> None:
    """Make the coarse rollups say again what the fine ones say, within a transaction."""
    for rollup in COARSE_ROLLUPS:
        columns = ", ".join(rollup.key_columns + rollup.sum_columns)
        store.execute(f"delete from {rollup.table}")  # noqa: S608
        store.execute(f"insert into {rollup.table} ({columns}) {rollup.query}")
    _increment_revision(store)


def _apply_sums(store: Store, rollup: Rollup, sums: SumsByKey) -> None:
    """Add what is positive first: a row that something is taken from may be new as well."""
    more = {key: [max(0, each) for each in row] for key, row in sums.items() if max(row) > 0}
    less = {key: [min(0, each) for each in row] for key, row in sums.items() if min(row) < 0}
    connection = store.db.conn
    connection.executemany(_UPSERTS[rollup.table], _parameters(more))
    connection.executemany(_DECREMENTS[rollup.table], _parameters(less))
    connection.executemany(_EMPTY_DELETES[rollup.table], less)


def _parameters(sums: SumsByKey) -> Iterable[RollupKey]:
    return ((*key, *row) for key, row in sums.items())


def _upsert_statement(rollup: Rollup) -> str:
    columns = rollup.key_columns + rollup.sum_columns
    changes = ", ".join(f"{name} = {rollup.table}.{name} + excluded.{name}" for name in rollup.sum_columns)
    return f"""
        insert into {rollup.table} ({", ".join(columns)}) values ({", ".join("?" * len(columns))})
        on conflict ({", ".join(rollup.key_columns)}) do update set {changes}
    """  # noqa: S608


def _decrement_statement(rollup: Rollup) -> str:
    """Never below nothing: a click that counted under another placement before must not stop the collector."""
    changes = ", ".join(
        f"{name} = case when {name} + ?{at} > 0 then {name} + ?{at} else 0 end"
        for at, name in enumerate(rollup.sum_columns, start=len(rollup.key_columns) + 1)
    )
    return f"update {rollup.table} set {changes} where {_key_condition(rollup)}"  # noqa: S608


def _delete_empty_statement(rollup: Rollup) -> str:
    return f"delete from {rollup.table} where {_key_condition(rollup)} and {' + '.join(rollup.click_columns)} = 0"  # noqa: S608


def _key_condition(rollup: Rollup) -> str:
    return " and ".join(f"{name} = ?{at}" for at, name in enumerate(rollup.key_columns, start=1))


_UPSERTS = {rollup.table: _upsert_statement(rollup) for rollup in ALL_ROLLUPS}
_DECREMENTS = {rollup.table: _decrement_statement(rollup) for rollup in ALL_ROLLUPS}
_EMPTY_DELETES = {rollup.table: _delete_empty_statement(rollup) for rollup in ALL_ROLLUPS}
