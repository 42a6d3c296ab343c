"""Health of a running installation: its store, its disk space, and clicks that are not stored or not logged."""

import shutil
import time
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from shortener import __version__
from shortener.clicklog.format import MAX_LINE_BYTES
from shortener.clicklog.reader import ClickLog
from shortener.config import Config
from shortener.errors import StoreError
from shortener.messages import Message, Number
from shortener.reporting.node_health import NodeHealth, describe_silent_nodes, list_node_health
from shortener.shared_memory import read_totals
from shortener.store import inbox, open_reader
from shortener.store.log_segments import read_positions
from shortener.store.webhooks import count_failed

MAX_BACKLOG_SECONDS = 60.0
"""Age of the oldest uncollected byte above which the collector is taken to be stopped or too slow."""


class Backlog(Struct, frozen=True):
    """How much of the click log is not in the store yet: its size in bytes, and the age of its oldest line in
    seconds.
    """

    bytes: int
    seconds: float


class Health(Struct, frozen=True):
    """Content of the health page ``/-/health``.

    With the status ``warn``, links are still redirected and clicks recorded.
    """

    status: Literal["pass", "warn", "fail"]
    version: str
    store: str
    """``ok`` or an error message."""
    backlog: Backlog
    unrecorded: int
    """Number of clicks that could not be written to the click log."""
    disk_free: int
    """Free disk space in bytes."""
    notes: tuple[str, ...]
    """Explanations of a status other than ``pass``."""
    nodes: tuple[NodeHealth, ...] = ()


def check_health(config: Config, *, now: float | None = None) -> Health:
    """Return the health of the installation; ``now`` is in seconds of the UTC epoch, by default the current time."""
    now = time.time() if now is None else now
    notes: list[str] = []
    positions: dict[str, int] = {}
    failed_webhooks = 0
    nodes: tuple[NodeHealth, ...] = ()
    sent: tuple[int, int | None] = (0, None)
    store = "ok"
    try:
        reader = open_reader(config.data_directory, url=config.storage.url)
        try:
            positions = read_positions(reader)
            failed_webhooks = count_failed(reader)
            nodes = list_node_health(reader, now=now)
            sent = inbox.backlog(reader)
        finally:
            reader.close()
    except StoreError as error:
        store = str(error)
        notes.append(
            Message("the store cannot be read; cached links are still redirected, clicks are kept in the click log")
        )
    backlog = _add_clicks_sent_by_nodes(measure_backlog(config.data_directory, positions, now=now), *sent, now=now)
    if backlog.seconds > MAX_BACKLOG_SECONDS:
        behind = Number(backlog.seconds)
        notes.append(
            Message("the collector is {seconds} s behind; no click is lost, but counts are late", seconds=behind)
        )
    notes += describe_silent_nodes(nodes)
    if failed_webhooks:
        notes.append(
            Message.plural(
                "{count} webhook was disabled because its messages could not be delivered",
                "{count} webhooks were disabled because their messages could not be delivered",
                failed_webhooks,
            )
        )
    unrecorded = read_totals(config.data_directory)["unrecorded"]
    if unrecorded:
        notes.append(describe_unrecorded(unrecorded))
    status: Literal["pass", "warn", "fail"] = "fail" if store != "ok" else "warn" if notes else "pass"
    # The data directory may not exist yet; its parent is on the same disk.
    directory = next(
        path for path in (config.data_directory, *config.data_directory.absolute().parents) if path.is_dir()
    )
    free = shutil.disk_usage(directory).free
    return Health(status, __version__, store, backlog, unrecorded, free, tuple(notes), nodes)


def describe_unrecorded(clicks: int) -> Message:
    """Return the note about clicks that could not be written to the click log."""
    return Message.plural(
        "{count} click was redirected but could not be recorded; see the server's log",
        "{count} clicks were redirected but could not be recorded; see the server's log",
        clicks,
    )


def _add_clicks_sent_by_nodes(backlog: Backlog, size: int, since: int | None, *, now: float) -> Backlog:
    # The oldest of these clicks was recorded after ``since``; None if no clicks wait, or if the time is unknown.
    seconds = 0.0 if since is None else now - since
    return Backlog(backlog.bytes + size, round(max(backlog.seconds, seconds), 1))


def measure_backlog(
    data: Path,
    positions: dict[str, int],  # number of stored bytes of each log file, by segment id
    *,
    now: float,
) -> Backlog:
    """Return how much of the click log is not in the store yet.

    ``now`` is in seconds of the UTC epoch.
    """
    uncollected, oldest = 0, now
    for segment in ClickLog(data).segments():
        position = max(positions.get(segment.id, 0), segment.header_bytes)
        if segment.size > position:
            uncollected += segment.size - position
            oldest = min(oldest, _click_time_at(segment.path, position, now=now))
    return Backlog(uncollected, round(max(0.0, now - oldest), 1))


class _TimedLine(Struct):
    ts: float


def _click_time_at(path: Path, position: int, *, now: float) -> float:
    try:
        with path.open("rb") as file:
            file.seek(position)
            return msgspec.json.decode(file.readline(MAX_LINE_BYTES), type=_TimedLine).ts
    # The line is damaged.
    except msgspec.MsgspecError:
        return path.stat().st_mtime
    except OSError:
        return now
