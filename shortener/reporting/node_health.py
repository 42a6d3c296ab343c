"""State of the redirect nodes, as each node last reported it to the central store."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from msgspec import Struct

from shortener.messages import Message, Number
from shortener.reporting.counts import to_datetime_or_none
from shortener.store import Reader, nodes

MAX_SILENT_SECONDS = 60
"""Time in seconds without a report after which a node is taken to be cut off or stopped."""


class NodeHealth(Struct, frozen=True):
    """State of a redirect node in its last report."""

    name: str
    version: str
    heard_at: datetime | None
    """When the report was received; None without a report."""
    heard_seconds: int | None
    """Seconds since then; None without a report."""
    links_behind: int
    """Number of changes of links that the node had not applied yet."""
    sent_until: datetime | None
    """Time before which all clicks had been sent to the central store."""
    backlog_bytes: int
    """Size of the click-log lines that had not been sent to the central store."""
    unrecorded: int
    """Number of clicks that the node could not write to its click log."""
    disk_free: int
    """Free disk space in bytes."""

    @property
    def is_silent(self) -> bool:
        """Whether the node has not reported for MAX_SILENT_SECONDS, or never."""
        return self.heard_seconds is None or self.heard_seconds > MAX_SILENT_SECONDS


def list_node_health(reader: Reader, *, now: float) -> tuple[NodeHealth, ...]:
    """Return the state of all nodes, by name; ``now`` is in seconds of the UTC epoch."""
    listed = nodes.list_nodes(reader)
    revision = reader.meta("links_revision") if listed else 0
    return tuple(
        NodeHealth(
            name=node.name,
            version=node.version,
            heard_at=to_datetime_or_none(node.heard_at),
            heard_seconds=None if node.heard_at is None else max(0, int(now) - node.heard_at),
            links_behind=max(0, revision - node.links_revision),
            sent_until=to_datetime_or_none(node.sent_until),
            backlog_bytes=node.backlog_bytes,
            unrecorded=node.unrecorded,
            disk_free=node.disk_free,
        )
        for node in listed
    )


def describe_silent_nodes(listed: Sequence[NodeHealth]) -> Iterator[str]:
    """Yield a message for each node that has not reported for some time."""
    for node in listed:
        if node.heard_seconds is None:
            yield Message("the node {node} has never reported", node=node.name)
        elif node.is_silent:
            yield Message(
                "the node {node} has not reported for {seconds} s; its clicks are late, but none is lost",
                node=node.name,
                seconds=Number(node.heard_seconds),
            )
