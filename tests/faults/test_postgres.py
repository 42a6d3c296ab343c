"""A server whose store is on PostgreSQL: restarts of the database under load, and starts without it."""

import contextlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shortener.store import links, open_store
from tests.faults.accounting import Readers, account
from tests.faults.serving import CODE, TARGET, Server, needs_proc, wait
from tests.postgres import PostgresServer, start_postgres

pytestmark = needs_proc


@pytest.fixture(scope="module")
def database() -> Iterator[PostgresServer]:
    """A database of this module, which its tests stop and start."""
    with tempfile.TemporaryDirectory(prefix="shortener-postgres-") as directory:
        server = start_postgres(Path(directory) / "data", durable=True)
        yield server
        server.close()


def count_sums(server: Server) -> object:
    """Return the number of clicks in the sums."""
    return server.value("select coalesce(sum(human + bot + scanner + preview + prefetch), 0) from clicks_by_link")


def test_redirects_do_not_depend_on_the_database(tmp_path: Path, database: PostgresServer) -> None:
    """A server that starts without its database, sees edits of other machines, and goes on through crashes."""
    with contextlib.ExitStack() as stack:
        server = Server(tmp_path, url=stack.enter_context(database.schema()))
        stack.callback(server.end)
        a_server_starts_while_the_database_is_stopped(server, database)
        an_edit_of_another_machine_is_seen(server)
        a_crash_of_the_database_loses_and_doubles_no_click(server, database)


def a_server_starts_while_the_database_is_stopped(server: Server, database: PostgresServer) -> None:
    """Redirects start from the local copy of the links, and clicks are stored once the database is back."""
    database.stop()
    try:
        server.start()
        server.click("early")
    finally:
        database.start()
    wait(lambda: server.stored() == 1, what="the click's way into the store")
    assert server.health()["store"] == "ok"


def an_edit_of_another_machine_is_seen(server: Server) -> None:
    """A link that another machine changes in the database is redirected to its new target soon."""
    with contextlib.closing(open_store(server.directory / "elsewhere", url=server.url)) as store:
        for target in ("https://example.com/new", TARGET):
            link = links.get(store, server.host, CODE)
            links.update_field(store, link, "target", target, who="", now=1)
            wanted = f"location: {target}\r\n".encode()
            wait(lambda wanted=wanted: wanted in server.get().lower(), what="the new target")  # type: ignore[misc]


def a_crash_of_the_database_loses_and_doubles_no_click(server: Server, database: PostgresServer) -> None:
    """While PostgreSQL crashes and starts under load every click is redirected, and stored exactly once afterwards."""
    readers = Readers(server, pause=0.01)
    readers.start()
    try:
        for _ in range(2):
            time.sleep(0.7)
            database.crash()
        database.stop()
        time.sleep(1.0)
        database.start()
        time.sleep(0.5)
    finally:
        readers.stop()
    wait(server.is_healthy, what="the pages' recovery")
    server.stop()
    server.call("collect", "--once")
    found = account(readers.outcomes, server.tags())
    assert found.is_exact, found
    assert found.answered > 200
    assert found.refused == found.rejected == found.ambiguous == 0
    assert count_sums(server) == server.stored()
