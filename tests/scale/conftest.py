"""A newsletter on PostgreSQL whose clicks are recorded by nodes and sent to the inbox."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from shortener.collector.collector import Collector
from shortener.config import Config, Storage
from shortener.store import Store, inbox, nodes, open_store
from tests.conftest import SENT, Newsletter


class Centre(Newsletter):
    """A newsletter with the nodes berlin and paris, each of which sends one segment."""

    def __init__(self, directory: Path, *, url: str) -> None:
        super().__init__(directory, url=url)
        self.content: dict[str, bytes] = {}
        for name in ("berlin", "paris"):
            nodes.add(self.store, name, role="", now=SENT)
            header = {"v": 1, "segment": f"segment-{name}", "node": name, "started": SENT}
            self.content[name] = json.dumps(header).encode() + b"\n"

    def record(self, node: str) -> bytes:
        """Let a node record the waiting clicks; return the lines that were added to its segment."""
        lines = b"".join(json.dumps(line).encode() + b"\n" for line in self.waiting)
        self.content[node] += lines
        self.waiting = []
        return lines

    def send(self, node: str, *, after: int = SENT, finished: bool = False, until: int | None = None) -> None:
        """Record the waiting clicks on a node, and send what it has not sent up to the position ``until``."""
        self.record(node)
        segment = f"segment-{node}"
        sent = inbox.sent_positions(self.store, node=node).get(segment)
        start = sent.position if sent else 0
        assert inbox.send(
            self.store, segment, self.content[node][start:until], node=node, file_name=f"{segment}.jsonl", start=start,
            finished=finished, recorded_after=after, now=SENT,
        )  # fmt: skip

    def report(self, node: str, *, sent_until: int) -> None:
        """Report that a node has sent everything it had recorded until then."""
        stored = nodes.find(self.store, node)
        assert stored is not None
        stored = nodes.Node(node, "", SENT, "1.0", None, sent_until, 0, 0, 0, 0)
        assert nodes.report(self.store, stored)

    def collect(self, *, own_log: bool = False, now: float = SENT + 86_400) -> int:
        """Drain the inbox, and the local click log if this machine has its own; return the number of lines."""
        with closing(Collector(self.store, config=self.config, own_log=own_log, clock=lambda: now)) as collector:
            return collector.drain()

    def expire(self, *, now: float) -> None:
        """Delete old data."""
        with closing(Collector(self.store, config=self.config, own_log=False, clock=lambda: now)) as collector:
            collector.delete_expired()

    def other_machine(self, directory: Path) -> tuple[Store, Config]:
        """Return the store and the configuration of a second machine."""
        storage = Storage(data=str(directory), url=self.config.storage.url)
        config = msgspec.structs.replace(self.config, storage=storage)
        return open_store(config.data_directory, url=config.storage.url), config

    def ids(self) -> list[str]:
        """Return the ids of the stored clicks."""
        return [row[0] for row in self.store.execute("select id from clicks order by id")]


@pytest.fixture
def centre(tmp_path: Path, postgres_url: str) -> Iterator[Centre]:
    """A newsletter with two nodes."""
    made = Centre(tmp_path, url=postgres_url)
    yield made
    made.store.close()
