"""Copying of a store into an empty PostgreSQL database, with a check that all rows have arrived."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from msgspec import Struct

from shortener.clicklog.format import storable_text
from shortener.errors import InputError, StoreError
from shortener.store.database import Reader, Store, open_database

BATCH_ROWS = 20_000
_OWN_META = ("links_revision", "store_id", "write_lock")
"""Keys in the table ``meta`` that the database has of its own."""
_MEASURES = {"bigint": "coalesce(sum({0}), 0)", "text": "coalesce(sum(length({0})), 0)"}
_OTHER_MEASURE = "coalesce(sum(octet_length({0})), 0)"


class CopiedTable(Struct, frozen=True):
    """A table that was copied, and the number of its rows."""

    table: str
    rows: int


def copy_store(
    source: Store,
    url: str,
    *,
    on_progress: Callable[[str, int], None],  # called with the name of a table and its number of copied rows
) -> list[CopiedTable]:
    """Copy all rows of a store to an empty PostgreSQL database, and return the copied tables.

    Raises InputError, StoreError.
    """
    # The transaction of the source keeps other processes from writing to it meanwhile.
    with closing(_open_empty_target(source.data, url)) as target, source.transaction(), target.transaction():
        types = _types_by_table_and_column(target)
        copied = []
        for table in _sort_by_foreign_keys(target, types):
            if table == "meta":
                rows = _copy_meta(source, target)
            else:
                rows = _copy_table(source, target, table, types[table], on_progress=on_progress)
            copied.append(CopiedTable(table, rows))
        _advance_id_sequences(target, types)
    return copied


def _open_empty_target(data: Path, url: str) -> Store:
    target = open_database(data, url=url)
    used = [name for name in ("issues", "links", "users", "clicks", "segments") if not _is_empty(target, name)]
    if used:
        target.close()
        raise InputError(
            f"the database has a store that is in use (there are rows in {used[0]}); name an empty database"
        )
    return target


def _is_empty(reader: Reader, table: str) -> bool:
    return reader.value(f"select 1 from {table} limit 1") is None  # noqa: S608


def _types_by_table_and_column(target: Reader) -> dict[str, dict[str, str]]:
    # Columns keep the order of their table, because the first one is the key.
    types: dict[str, dict[str, str]] = {}
    for table, column, kind in target.execute(
        "select table_name, column_name, data_type from information_schema.columns "
        "where table_schema = current_schema() and table_name <> 'migrations' order by table_name, ordinal_position"
    ):
        types.setdefault(str(table), {})[str(column)] = str(kind)
    return types


def _sort_by_foreign_keys(target: Reader, names: Iterable[str]) -> Iterator[str]:
    tables: dict[str, set[str]] = {name: set() for name in names}
    for table, other in target.execute(
        "select conrelid::regclass::text, confrelid::regclass::text from pg_constraint "
        "where contype = 'f' and connamespace = current_schema()::regnamespace"
    ):
        tables[table].add(other)
    # A table comes after the tables to which its foreign keys refer.
    yield from TopologicalSorter(tables).static_order()


def _copy_table(
    source: Store, target: Store, table: str, types: Mapping[str, str], *, on_progress: Callable[[str, int], None]
) -> int:
    """Copy a table, and return its number of rows."""
    columns = [name for name in types if name != "revision"]
    measured = [0] * (len(columns) + 1)
    batch: list[list[Any]] = []

    def send() -> None:
        target.connection.insert_rows(table, columns, batch)
        for row in batch:
            _add_to_sums(row, measured)
        on_progress(table, measured[0])
        batch.clear()

    for row in source.connection.stream(f"select {', '.join(columns)} from {table}"):  # noqa: S608
        batch.append([storable_text(value) if isinstance(value, str) and "\0" in value else value for value in row])
        if len(batch) == BATCH_ROWS:
            send()
    send()
    _check_copied(target, table, {name: types[name] for name in columns}, measured)
    return measured[0]


def _add_to_sums(row: Sequence[Any], measured: list[int]) -> None:
    # The first total is the number of rows; then each column has a sum of its integers, or of the lengths of other
    # values.
    measured[0] += 1
    for index, value in enumerate(row, start=1):
        if value is not None:
            measured[index] += value if isinstance(value, int) else len(value)


def _check_copied(target: Reader, table: str, types: Mapping[str, str], measured: Sequence[int]) -> None:
    sums = ", ".join(_MEASURES.get(kind, _OTHER_MEASURE).format(name) for name, kind in types.items())
    stored = target.execute(f"select count(*), {sums} from {table}").fetchone()  # noqa: S608
    for name, expected, found in zip(("rows", *types), measured, stored, strict=True):
        if expected != found:
            raise StoreError(f"{table}: the copy is not complete ({name}: {found:,} instead of {expected:,})")


def _copy_meta(source: Store, target: Store) -> int:
    rows = [row for row in source.execute("select name, value from meta") if row[0] not in _OWN_META]
    for name, value in rows:
        target.set_meta(name, value)
    return len(rows)


def _advance_id_sequences(target: Store, types: Mapping[str, Mapping[str, str]]) -> None:
    for table, columns in types.items():
        key = next(iter(columns))
        sequence = target.value("select pg_get_serial_sequence(?, ?)", (table, key))
        # New rows must get higher ids than the copied rows.
        if sequence:
            target.execute(f"select setval(?, coalesce(max({key}), 0) + 1, false) from {table}", (sequence,))  # noqa: S608
