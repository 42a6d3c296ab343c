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

Hourly = dict[tuple[int, int, int, int, str], list[int]]
"""(issue or 0, link, n, hour, verdict) → [clicks, visitors, link, issue and site visitors]."""
Daily = dict[tuple[int, int, int, str, str], int]
"""(issue or 0, link, day, dimension, value) → clicks."""
Key = tuple[int | str, ...]
Added = Mapping[Any, Sequence[int]]
"""Sums by key, in the order of a rollup's columns."""

_FIRSTS = ("visitors", "link_visitors", "issue_visitors", "site_visitors")
SUMS = (*VERDICTS, *_FIRSTS)
"""The sums of a coarse row: clicks by verdict, and first visits as in ``hourly``."""
_BY_VERDICT = ", ".join(
    f"sum(case verdict when '{verdict}' then clicks else 0 end) as {verdict}" for verdict in VERDICTS
)
"""The first of ``SUMS`` from rows of ``hourly``."""
_FROM_HOURLY = f"{_BY_VERDICT}, {', '.join(f'sum({first}) as {first}' for first in _FIRSTS)}"
_DAY = f"hour - hour % {DAY_SECONDS}"


class Rollup(Struct, frozen=True):
    """A table of sums: its key, its clicks and first visits; of a coarse one, the query that says what it holds."""

    table: str
    keys: tuple[str, ...]
    clicks: tuple[str, ...]
    firsts: tuple[str, ...] = ()
    query: str = ""

    @property
    def sums(self) -> tuple[str, ...]:
        """All columns besides the key."""
        return self.clicks + self.firsts


def _of_hourly(table: str, **keys: str) -> Rollup:
    """A rollup of ``hourly``; ``keys`` are the columns of its key and what they are there."""
    query = (
        f"select {', '.join(keys.values())}, {_FROM_HOURLY} from hourly group by {', '.join(keys.values())}"  # noqa: S608
    )
    return Rollup(table, tuple(keys), VERDICTS, _FIRSTS, query)


HOURLY = Rollup("hourly", ("issue_id", "link_id", "n", "hour", "verdict"), ("clicks",), _FIRSTS)
DAILY = Rollup("daily", ("issue_id", "link_id", "day", "dimension", "value"), ("clicks",))
TOTALS = _of_hourly("totals", issue_id="issue_id", link_id="link_id", n="n")
HOURS = _of_hourly("hours", issue_id="issue_id", hour="hour")
PLACEMENT_DAYS = _of_hourly("placement_days", day=_DAY, issue_id="issue_id", link_id="link_id", n="n")
DAYS = _of_hourly("days", day=_DAY)
SHARES = Rollup(
    "shares",
    ("issue_id", "dimension", "value"),
    ("clicks",),
    query="select issue_id, dimension, value, sum(clicks) from daily group by issue_id, dimension, value",
)
COARSE = (TOTALS, HOURS, PLACEMENT_DAYS, DAYS, SHARES)
ALL = (HOURLY, DAILY, *COARSE)


def add(store: Store, hourly: Hourly, daily: Daily) -> None:
    """Add sums to all rollups; negative ones take away, and a row that comes to nothing is removed."""
    _add(store, HOURLY, hourly)
    _add(store, DAILY, {key: (clicks,) for key, clicks in daily.items()})
    for rollup, sums in zip(COARSE, (*_sums_of_hourly(hourly), _shares(daily)), strict=True):
        _add(store, rollup, sums)
    _say_changed(store)


def _say_changed(store: Store) -> None:
    """Count the fact up by which whoever kept a figure knows that there is another one."""
    store.execute(
        "insert into facts (name, value) values ('sums_revision', 1) "
        "on conflict (name) do update set value = value + 1"
    )


def _sums_of_hourly(hourly: Hourly) -> tuple[Added, ...]:
    """What is added to the coarse rollups of ``hourly``."""
    totals: dict[Key, list[int]] = {}
    hours: dict[Key, list[int]] = {}
    placement_days: dict[Key, list[int]] = {}
    days: dict[Key, list[int]] = {}
    for (issue, link, n, hour, verdict), (clicks, *firsts) in hourly.items():
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
                row = sums[key] = [0] * len(SUMS)
            for at, more in own:
                row[at] += more
    return totals, hours, placement_days, days


def _shares(daily: Daily) -> Added:
    shares: dict[Key, list[int]] = {}
    for (issue, _, _, dimension, value), clicks in daily.items():
        shares.setdefault((issue, dimension, value), [0])[0] += clicks
    return shares


def recompute(store: Store) -> None:
    """Make the coarse rollups say again what the fine ones say, within a transaction."""
    for rollup in COARSE:
        columns = ", ".join(rollup.keys + rollup.sums)
        store.execute(f"delete from {rollup.table}")  # noqa: S608
        store.execute(f"insert into {rollup.table} ({columns}) {rollup.query}")
    _say_changed(store)


def _add(store: Store, rollup: Rollup, sums: Added) -> None:
    """Add what is positive first: a row that something is taken from may be new as well."""
    more = {key: [max(0, each) for each in row] for key, row in sums.items() if max(row) > 0}
    less = {key: [min(0, each) for each in row] for key, row in sums.items() if min(row) < 0}
    connection = store.db.conn
    connection.executemany(_ADD[rollup.table], _parameters(more))
    connection.executemany(_TAKE[rollup.table], _parameters(less))
    connection.executemany(_DROP[rollup.table], less)


def _parameters(sums: Added) -> Iterable[Key]:
    return ((*key, *row) for key, row in sums.items())


def _adding(rollup: Rollup) -> str:
    columns = rollup.keys + rollup.sums
    changes = ", ".join(f"{name} = {rollup.table}.{name} + excluded.{name}" for name in rollup.sums)
    return f"""
        insert into {rollup.table} ({", ".join(columns)}) values ({", ".join("?" * len(columns))})
        on conflict ({", ".join(rollup.keys)}) do update set {changes}
    """  # noqa: S608


def _taking(rollup: Rollup) -> str:
    """Never below nothing: a click that counted under another placement before must not stop the collector."""
    changes = ", ".join(
        f"{name} = case when {name} + ?{at} > 0 then {name} + ?{at} else 0 end"
        for at, name in enumerate(rollup.sums, start=len(rollup.keys) + 1)
    )
    return f"update {rollup.table} set {changes} where {_is_key(rollup)}"  # noqa: S608


def _dropping(rollup: Rollup) -> str:
    return f"delete from {rollup.table} where {_is_key(rollup)} and {' + '.join(rollup.clicks)} = 0"  # noqa: S608


def _is_key(rollup: Rollup) -> str:
    return " and ".join(f"{name} = ?{at}" for at, name in enumerate(rollup.keys, start=1))


_ADD = {rollup.table: _adding(rollup) for rollup in ALL}
_TAKE = {rollup.table: _taking(rollup) for rollup in ALL}
_DROP = {rollup.table: _dropping(rollup) for rollup in ALL}
