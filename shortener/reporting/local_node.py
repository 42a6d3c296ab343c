"""Health of a redirect node, read from the node's own files. It is available even while the database is down."""

import shutil
import time
from datetime import datetime
from typing import Literal

from msgspec import Struct

from shortener import __version__
from shortener.config import Config
from shortener.reporting.counts import to_datetime_or_none
from shortener.reporting.health import describe_unrecorded
from shortener.shared_memory import BACKLOG_BYTES, LINKS_SEEN_AT, SENT_UNTIL, read_totals, sender_state

MAX_BEHIND_SECONDS = 60
"""Time without the centre above which a node is not well."""


class LocalNode(Struct, frozen=True):
    """Content of the health page ``/-/health`` on a redirect node.

    With the status ``fail`` nothing is redirected.
    """

    status: Literal["pass", "warn", "fail"]
    version: str
    node: str
    links_behind_seconds: int | None
    """Time since the links were last compared with the central store; None if never."""
    sent_until: datetime | None
    """Time before which all clicks were sent to the central store; None if none were sent yet."""
    backlog_bytes: int
    """Size of the click-log lines that were not sent yet."""
    unrecorded: int
    """Number of clicks that could not be written to the click log."""
    disk_free: int
    """Free disk space in bytes."""
    notes: tuple[str, ...]
    """Explanations of a status other than ``pass``."""


def check_local_node(config: Config, *, now: float | None = None) -> LocalNode:
    """Return the health of this node; ``now`` is in seconds of the UTC epoch, by default the current time."""
    now = time.time() if now is None else now
    data = config.data_directory
    state = sender_state(data)
    values = state.values.tolist()
    state.close()
    behind = max(0, int(now) - values[LINKS_SEEN_AT]) if values[LINKS_SEEN_AT] else None
    unrecorded = read_totals(data)["unrecorded"]
    has_links = config.links_file.exists()
    notes: list[str] = []
    if not has_links:
        notes.append("this node has no copy of the links yet, so it redirects nothing")
    elif behind is None or behind > MAX_BEHIND_SECONDS:
        since = "never" if behind is None else f"{behind:,} s ago"
        notes.append(f"the links were last compared with the centre {since}; clicks are kept in the click log")
    if unrecorded:
        notes.append(describe_unrecorded(unrecorded))
    return LocalNode(
        status="warn" if notes and has_links else "pass" if has_links else "fail",
        version=__version__,
        node=config.node.name,
        links_behind_seconds=behind,
        sent_until=to_datetime_or_none(values[SENT_UNTIL] or None),
        backlog_bytes=values[BACKLOG_BYTES],
        unrecorded=unrecorded,
        disk_free=shutil.disk_usage(data).free,
        notes=tuple(notes),
    )
