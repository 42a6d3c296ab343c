"""A centre and redirect nodes as running servers on one machine, with a PostgreSQL that tests stop and start."""

import contextlib
import os
import random
import signal
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from shortener.cli import main
from shortener.collector.rebuild import rebuild
from shortener.store import Store, clicks, inbox, links, open_store, shared_keys
from shortener.store.rollup_tables import ALL_ROLLUPS
from tests.faults.accounting import Account, Readers, account
from tests.faults.serving import CODE, Server, wait
from tests.ports import free_port
from tests.postgres import PostgresServer, start_postgres

SECONDS = 60.0
"""Deadline for what must happen on a busy machine."""


class Centre(Server):
    """A machine that runs ``shortener centre``."""

    role = "centre"


class Node(Server):
    """A machine that has joined a centre and runs ``shortener node``. Its links are those of the centre's domain."""

    role = "node"

    def __init__(self, directory: Path, name: str, *, centre: Server) -> None:
        directory.mkdir()
        self.url = centre.url
        self.directory = directory
        self.data = directory / "data"
        self.port = free_port()
        self.host = centre.host
        self.config = directory / "config.toml"
        self.messages = directory / "messages"
        self.prefix = []
        self.environment = centre.environment
        self.process = None
        token = CliRunner().invoke(main, ["--config", str(centre.config), "node", "token", name])
        joined = CliRunner().invoke(main, ["--config", str(self.config), "node", "join"], input=token.stdout)
        assert joined.exit_code == 0, joined.output
        with self.config.open("a", encoding="utf-8") as file:
            file.write(f"[server]\nport = {self.port}\nworkers = 1\n")


class Cluster:
    """A centre with nodes, and readers on all of them. ``store`` is a connection of the test."""

    def __init__(self, directory: Path, postgres: PostgresServer, url: str, *, nodes: int) -> None:
        self.postgres = postgres
        (directory / "centre").mkdir()
        self.centre = Centre(directory / "centre", url=url, tables='[node]\nname = "centre"\n')
        self.machines: list[Server] = [self.centre]
        self.store: Store = open_store(directory / "test", url=url)
        self._directory = directory
        self._node_count = nodes
        self._readers: list[Readers] = []
        self._asked = 0

    def start(self) -> None:
        """Start the centre, let the nodes join and start; return when all processes respond."""
        self.centre.start(ready=False)
        wait(lambda: shared_keys.read(self.store), seconds=SECONDS, what="the daily key")
        for name in (f"node{number}" for number in range(self._node_count)):
            node = Node(self._directory / name, name, centre=self.centre)
            self.machines.append(node)
            node.start(ready=False)
        self.wait_until_healthy()

    @property
    def nodes(self) -> list[Server]:
        """The machines without the centre."""
        return self.machines[1:]

    def end(self) -> None:
        """Stop all machines."""
        self.store.close()
        for machine in self.machines:
            machine.end()

    def wait_until_healthy(self) -> None:
        """Return when every machine has all its processes and the centre's store has heard of each."""
        for machine in self.machines:
            wait(machine.is_healthy, seconds=SECONDS, what=f"the health of {machine.directory.name}")
            wait(partial(_is_complete, machine), seconds=SECONDS, what=f"the processes of {machine.directory.name}")

    @contextlib.contextmanager
    def readers(self, *machines: Server, pause: float = 0.05) -> Iterator[None]:
        """Let readers click on these machines, or on all, during the block."""
        self._readers = [
            Readers(each, seed=number, first=(self._asked + number) * 10**6, pause=pause)
            for number, each in enumerate(machines or self.machines)
        ]
        self._asked += len(self._readers)
        for each in self._readers:
            each.start()
        try:
            yield
        finally:
            for each in self._readers:
                each.stop()

    def account(self) -> Account:
        """Return the account of the last block of readers."""
        outcomes = {number: kind for each in self._readers for number, kind in each.outcomes.items()}
        rows = self.store.execute("select referrer from clicks where referrer like '%/k%'")
        tags = [row[0].rpartition("/")[2] for row in rows]
        return account(outcomes, [tag for tag in tags if int(tag[1:]) in outcomes])

    def settle(self) -> Account:
        """Wait until all clicks of the readers are stored and classified; return their account."""
        wait(self._is_settled, seconds=SECONDS, what="the end of sending and collecting")
        return self.account()

    def _is_settled(self) -> bool:
        sent = {each: sum(path.stat().st_size for path in each.segments()) for each in self.machines}
        received = self.store.value("select coalesce(sum(position), 0) from sent_segments")
        return sum(sent.values()) == received and not inbox.backlog(self.store)[0] and clicks.all_classified(self.store)

    def edit(self, target: str) -> None:
        """Change the target of the link, as the pages of another machine do."""
        link = links.get(self.store, self.centre.host, CODE)
        links.update_field(self.store, link, "target", target, who="", now=1)

    @contextlib.contextmanager
    def without_notifications(self) -> Iterator[None]:
        """Let PostgreSQL send no notifications of changed links during the block."""
        self.store.execute("alter table meta disable trigger links_announced")
        yield
        self.store.execute("alter table meta enable trigger links_announced")

    def kill(self, kind: str, *, rng: random.Random) -> None:
        """Kill a process of this kind on a random machine that has one now."""
        found = [pid for machine in self.machines for pid in machine.children(kind)]
        if found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(rng.choice(found), signal.SIGKILL)

    def rollups(self) -> dict[str, list[Any]]:
        """Return the rows of all rollups."""
        return {each.table: sorted(self.store.execute(f"select * from {each.table}")) for each in ALL_ROLLUPS}

    def rebuilt_rollups(self) -> dict[str, list[Any]]:
        """Compute the rollups again from the stored clicks, and return them."""
        rebuild(self.store, on_progress=lambda _done: None)
        return self.rollups()


@contextlib.contextmanager
def running_cluster(directory: Path, *, nodes: int) -> Iterator[Cluster]:
    """Start a PostgreSQL server, a centre and nodes; stop them at the end of the block."""
    with (
        tempfile.TemporaryDirectory(prefix="shortener-postgres-") as postgres_directory,
        contextlib.ExitStack() as stack,
    ):
        postgres = start_postgres(Path(postgres_directory) / "data", durable=True)
        stack.callback(postgres.close)
        cluster = Cluster(directory, postgres, stack.enter_context(postgres.schema()), nodes=nodes)
        stack.callback(cluster.end)
        cluster.start()
        yield cluster


def _is_complete(machine: Server) -> bool:
    others = {"node": {"node_pages", "sender"}, "centre": {"pages", "sender", "collector"}}[machine.role]
    return {"serve", "granian", "worker"} | others <= set(machine.members().values())
