"""Updates of the rollups (tables of click counts) in the transaction that stores the clicks."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shortener.store.database import Store
from shortener.store.rollup_tables import (
    ALL_ROLLUPS,
    BREAKDOWN_BY_LINK,
    CLICKS_BY_LINK,
    COARSE_ROLLUPS,
    PERIOD_SECONDS,
    Rollup,
    recompute_statements,
)

RollupKey = tuple[int | str, ...]
SumsByKey = Mapping[Any, Sequence[int]]
"""Sums of a rollup by the key of their row, both in the order of the rollup's columns."""
LinkClickSums = dict[tuple[int, int, int, int], list[int]]
"""Rows of ``clicks_by_link``: (link id, quarter-hour, n, issue id or 0) → ``SUM_COLUMNS``."""
LinkBreakdownSums = dict[tuple[int, str, str, int, int], int]
"""Rows of ``breakdown_by_link``: (link id, dimension, value, day, issue id or 0) → clicks."""


def add_to_rollups(store: Store, clicks_by_link: LinkClickSums, breakdown_by_link: LinkBreakdownSums) -> None:
    """Add numbers to all tables of click counts. Negative numbers subtract."""
    # Each mapping has the numbers for the table of its name. The other tables are sums of these two.
    fine: dict[str, SumsByKey] = {
        CLICKS_BY_LINK.table: clicks_by_link,
        BREAKDOWN_BY_LINK.table: {key: (clicks,) for key, clicks in breakdown_by_link.items()},
    }
    for rollup in ALL_ROLLUPS:
        sums = fine[rollup.table] if rollup.source is None else _coarse_sums(rollup, fine[rollup.source.table])
        store.connection.add_sums(rollup, sums)
    _increment_revision(store)


def _increment_revision(store: Store) -> None:
    # Reports that were cached for an earlier revision become invalid.
    store.add_to_meta("rollups_revision", 1)


def _coarse_sums(rollup: Rollup, fine: SumsByKey) -> SumsByKey:
    coarse_key = _COARSE_KEYS[rollup.table]
    sums: dict[RollupKey, list[int]] = {}
    for key, numbers in fine.items():
        row = sums.setdefault(coarse_key(key), [0] * len(numbers))
        for column, number in enumerate(numbers):
            if number:
                row[column] += number
    return sums


def _coarse_key_function(rollup: Rollup, source: Rollup) -> Callable[[Any], RollupKey]:
    # The steps are 1 for columns that both tables have, so that these are copied.
    columns = [
        (source.key_columns.index("quarter_hour"), PERIOD_SECONDS[name])
        if name in PERIOD_SECONDS and name not in source.key_columns
        else (source.key_columns.index(name), 1)
        for name in rollup.key_columns
    ]
    return lambda key: tuple([key[index] if step == 1 else key[index] - key[index] % step for index, step in columns])


def recompute_coarse_rollups(store: Store) -> None:
    """Compute the coarse tables of click counts again from the two detailed ones. Call it inside a transaction."""
    for statement in recompute_statements():
        store.execute(statement)
    _increment_revision(store)


_COARSE_KEYS = {rollup.table: _coarse_key_function(rollup, rollup.source) for rollup in COARSE_ROLLUPS if rollup.source}
