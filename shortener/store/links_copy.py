"""A local SQLite copy of the links of a store on PostgreSQL, so that redirects do not depend on the database."""

import contextlib
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shortener.errors import StoreUnavailable
from shortener.files import LINKS_COPY_FILE_NAME
from shortener.store import settings
from shortener.store.database import Reader
from shortener.store.sqlite import store_error

BATCH_SIZE = 5_000
BUSY_TIMEOUT_SECONDS = 10.0
STORE_ID_KEY = "store_id"
"""Key in the table ``meta`` for the random number that identifies a store on PostgreSQL."""
# `redirect/link_cache.py` reads these columns, and the row of `meta`, also from a store on SQLite. Titles and settings
# are for the pages of redirect nodes.
_COLUMNS = "domain, code, target, title, forward, status, expires_at"
_VERSION = 1
"""Version of the copy's schema. A copy of another version is replaced."""
_SCHEMA = (
    "drop table if exists links",
    "drop table if exists meta",
    "drop table if exists settings",
    """
    create table links (
        domain text not null, code text not null, target text, title text not null, forward text, status text not null,
        expires_at integer, primary key (domain, code)
    ) strict, without rowid
    """,
    "create table meta (name text primary key, value integer not null) strict, without rowid",
    "create table settings (name text primary key, value text not null) strict, without rowid",
    f"pragma user_version = {_VERSION}",
)
_SAVE_LINK = f"insert or replace into links ({_COLUMNS}) values (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
_SAVE_META = "insert or replace into meta (name, value) values (?, ?)"

log = logging.getLogger(__name__)


def update_copy(
    reader: Reader,
    data: Path,  # directory of the copy
) -> int:
    """Bring the local copy of the links up to date, and return the revision number of the copy.

    Raises StoreError.
    """
    path = data / LINKS_COPY_FILE_NAME
    try:
        try:
            return _update(reader, path)
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
                raise
            for name in ("", "-wal", "-shm"):
                path.with_name(path.name + name).unlink(missing_ok=True)
            return _update(reader, path)
    except sqlite3.Error as error:
        raise store_error(error) from error
    except OSError as error:
        raise StoreUnavailable(f"{path}: {error.strerror or error}") from error


def _update(reader: Reader, path: Path) -> int:
    with _open_copy(path) as copy:
        # The lock is taken first: a process with older links cannot overwrite newer ones.
        copy.execute("begin immediate")
        if copy.execute("pragma user_version").fetchone()[0] != _VERSION:
            for statement in _SCHEMA:
                copy.execute(statement)
        meta: dict[str, int] = dict(copy.execute("select name, value from meta").fetchall())
        revision, store_id = reader.meta("links_revision"), reader.meta(STORE_ID_KEY)
        after = meta.get("links_revision", -1)
        if meta.get(STORE_ID_KEY, store_id) != store_id or after > revision:
            log.warning(
                "the store has other links than before (revision %d, after %d), as after the restoration of a backup; "
                "all links are copied again",
                revision,
                after,
            )
            copy.execute("delete from links")
            after = -1
        if after < revision:
            for batch in _batches_of_changed_links(reader, after):
                copy.executemany(_SAVE_LINK, batch)
            copy.execute("delete from settings")
            copy.executemany("insert into settings (name, value) values (?, ?)", settings.read(reader).items())
            copy.executemany(_SAVE_META, [("links_revision", revision), (STORE_ID_KEY, store_id)])
        copy.execute("commit")
        return revision


def _batches_of_changed_links(reader: Reader, revision: int) -> Iterator[list[tuple[Any, ...]]]:
    last = (revision, 1 << 62)
    while True:
        rows = reader.execute(
            f"select revision, id, {_COLUMNS} from links where (revision, id) > (?, ?) order by revision, id limit ?",  # noqa: S608
            (*last, BATCH_SIZE),
        ).fetchall()
        yield [row[2:] for row in rows]
        if len(rows) < BATCH_SIZE:
            return
        last = rows[-1][:2]


@contextlib.contextmanager
def _open_copy(path: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=BUSY_TIMEOUT_SECONDS)) as copy:
        path.chmod(0o600)
        copy.execute("pragma journal_mode = wal")
        copy.execute("pragma synchronous = normal")
        yield copy
