"""Redirect nodes in the store: what they send, how far the store is complete, the lease, keys, and their rights."""

import secrets
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest

from shortener.errors import StoreError
from shortener.store import Reader, Store, inbox, leases, nodes, open_reader, open_store, postgres_roles, shared_keys
from shortener.store.inbox import ReceivedSegment, SentPosition
from shortener.store.log_segments import SegmentPosition, advance_position
from shortener.store.nodes import Completeness, Node

PARIS = Node("paris", "", 1, "1.0", None, 500, 0, 0, 0, 0)


@pytest.fixture
def store(tmp_path: Path, postgres_url: str) -> Iterator[Store]:
    """A store on PostgreSQL with the nodes berlin and paris."""
    with closing(open_store(tmp_path, url=postgres_url)) as opened:
        for name in ("paris", "berlin"):
            nodes.add(opened, name, role="", now=1)
        yield opened


def send(
    store: Reader, body: bytes, *, start: int, finished: bool = False, after: int = 0, node: str = "paris"
) -> bool:
    """Send a part of the segment s of a node."""
    return inbox.send(
        store, "s", body, node=node, file_name="s.jsonl", start=start, finished=finished, recorded_after=after, now=2
    )


def collected(store: Store, position: int, *, finished: bool = False) -> None:
    """Let the collector have read the segment s up to a position."""
    reached = SegmentPosition(position, False, finished)
    advance_position(store, "s", file_name="s", node="paris", new_position=reached, lines=0, skips=[], now=3)


def test_each_byte_arrives_once(store: Store) -> None:
    """A part that does not continue the segment is refused, and what arrived is read from any position."""
    assert send(store, b"one\n", start=0)
    assert not send(store, b"one\n", start=0)
    assert not send(store, b"gap\n", start=9)
    assert send(store, b"two\nthree\n", start=4)
    assert send(store, b"", start=14, finished=True)
    assert inbox.sent_positions(store, node="paris") == {"s": SentPosition(14, True)}
    assert inbox.received_segments(store) == [ReceivedSegment("s", "paris", "s.jsonl", 14, True)]
    assert inbox.read_bytes(store, "s", position=2, parts=9) == b"e\ntwo\nthree\n"
    assert inbox.read_bytes(store, "s", position=2, parts=1) == b"e\n"
    collected(store, 6)
    inbox.delete_read(store, {"other"})
    assert inbox.backlog(store)[0] == 14
    inbox.delete_read(store, {"s"})
    assert inbox.backlog(store)[0] == 10
    assert inbox.read_bytes(store, "s", position=0, parts=9) == b""
    collected(store, 14)
    inbox.delete_read(store)
    assert inbox.backlog(store)[0] == 10  # it waits for the end of the segment to be noticed
    assert [segment.finished for segment in inbox.received_segments(store)] == [True]
    collected(store, 14, finished=True)
    assert inbox.received_segments(store) == []
    inbox.delete_read(store)
    assert store.value("select count(*) from inbox") == 0


def test_completeness_is_that_of_the_node_furthest_behind(store: Store) -> None:
    """A node that has sent nothing, then the oldest part in the inbox, and then the oldest report limits it."""
    assert nodes.report(store, PARIS)
    assert nodes.completeness(store) == Completeness(None, "berlin", None)
    assert nodes.report(store, Node("berlin", "", 1, "1.0", None, 480, 0, 0, 0, 0))
    state = nodes.completeness(store)
    assert state is not None
    assert (state.node, state.until) == ("berlin", 480)
    assert state.heard_at
    send(store, b"one\n", start=0, after=400)
    state = nodes.completeness(store)
    assert state is not None
    assert (state.node, state.until) == ("paris", 400)
    inbox.send(
        store, "t", b"new\n", node="paris", file_name="t.jsonl", start=0, finished=False, recorded_after=0, now=2
    )
    state = nodes.completeness(store)
    assert state is not None
    assert (state.node, state.until) == ("paris", None), "the first part of a new node"
    nodes.remove(store, "paris", now=9)
    nodes.remove(store, "berlin", now=9)
    assert nodes.completeness(store) is None
    assert not nodes.report(store, PARIS)
    nodes.add(store, "paris", role="", now=9)
    assert nodes.completeness(store) == Completeness(None, "paris", None)


def test_a_lease_has_one_holder(store: Store) -> None:
    """Another holder gets it when it has ended, in a new epoch; the former one does not hold it any more."""
    assert leases.take(store, "collector", holder="a", seconds=60) == 1
    assert leases.take(store, "collector", holder="a", seconds=60) == 2
    assert leases.take(store, "collector", holder="b", seconds=60) is None
    assert leases.current_holder(store, "collector") == "a"
    leases.release(store, "collector", holder="a")
    assert leases.current_holder(store, "collector") is None
    assert leases.take(store, "collector", holder="b", seconds=60) == 3
    with store.transaction():
        leases.limit_pauses(store, seconds=60)
        assert leases.renew(store, "collector", holder="b", epoch=3, seconds=60)
        assert not leases.renew(store, "collector", holder="a", epoch=1, seconds=60)
        assert store.value("show idle_in_transaction_session_timeout") == "1min"
    assert store.value("show idle_in_transaction_session_timeout") == "0"


def test_shared_keys_are_outside_of_the_write_ahead_log(store: Store) -> None:
    """The table has exactly the given keys, and is unlogged, so that standbys and base backups have no keys."""
    keys = {20_000: secrets.token_bytes(32), 20_001: secrets.token_bytes(32)}
    shared_keys.replace(store, keys)
    assert shared_keys.read(store) == keys
    shared_keys.replace(store, {})
    assert shared_keys.read(store) == {}
    assert store.value("select relpersistence from pg_class where oid = to_regclass('shared_keys')") == "u"


def test_a_node_can_read_no_click(store: Store, postgres_url: str) -> None:
    """The role of a node reads links and keys, sends its own segments, and can do nothing else."""
    role, password = postgres_roles.create(store, "paris")
    nodes.add(store, "paris", role=role, now=2)
    url = f"{postgres_url}&user={role}&password={quote(password)}"
    with closing(open_reader(store.data, url=url)) as node:
        assert node.value("select count(target) from links") == 0
        assert shared_keys.read(node) == {}
        assert [each.name for each in nodes.list_nodes(node)] == ["paris"]
        assert nodes.report(node, PARIS)
        assert send(node, b"one\n", start=0)
        assert send(node, b"two\n", start=4)
        assert inbox.sent_positions(node, node="paris") == {"s": SentPosition(8, False)}
        assert not nodes.report(node, Node("berlin", "", 1, "9", None, 0, 0, 0, 0, 0))
        for statement in (
            "select * from clicks",
            "select * from inbox",
            "select * from users",
            "select title from issues",
            "update links set target = 'https://evil.example/'",
            "update nodes set role = 'x'",
            "delete from inbox",
            "insert into inbox values ('t', 0, 'berlin', 0, '')",
            "insert into sent_segments values ('t', 'berlin', 't', 0, 0, 0)",
        ):
            with pytest.raises(StoreError, match=r"denied|policy"):
                node.execute(statement)
        postgres_roles.drop(store, role)
        with pytest.raises(StoreError):
            node.value("select count(target) from links")
