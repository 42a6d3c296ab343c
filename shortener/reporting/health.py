"""How the installation is: the store, the log that waits to be drained, and clicks that could not be recorded."""

import shutil
import sqlite3
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
from shortener.shared_memory import read_totals
from shortener.store import open_reader
from shortener.store.clicks import read_positions

MAX_BACKLOG_SECONDS = 60.0
"""A backlog older than this means that the collector does not run, or does not keep up."""


class Backlog(Struct, frozen=True):
    """Click-log bytes that are not in the store yet, and the age of the oldest in seconds."""

    bytes: int
    seconds: float


class Health(Struct, frozen=True):
    """The answer of ``/-/health``. ``warn`` still redirects and loses nothing that was recorded."""

    status: Literal["pass", "warn", "fail"]
    version: str
    store: str
    backlog: Backlog
    unrecorded: int
    disk_free: int
    notes: tuple[str, ...]


def check_health(config: Config, *, now: float | None = None) -> Health:
    """Look at everything that can be wrong while the server answers."""
    now = time.time() if now is None else now
    notes = []
    positions: dict[str, int] = {}
    store = "ok"
    try:
        reader = open_reader(config.data_directory)
        try:
            positions = read_positions(reader)
        finally:
            reader.close()
    except (StoreError, sqlite3.Error) as error:
        store = str(error)
        notes.append(
            "the store cannot be read; known links are redirected from memory, clicks are kept in the log"
        )
    backlog = _measure_backlog(config.data_directory, positions, now=now)
    if backlog.seconds > MAX_BACKLOG_SECONDS:
        notes.append(f"the collector is {backlog.seconds:.0f} s behind; nothing is lost, counts are late")
    unrecorded = read_totals(config.data_directory)["unrecorded"]
    if unrecorded:
        notes.append(
            f"{unrecorded} clicks were redirected but could not be recorded; see the server's messages"
        )
    status: Literal["pass", "warn", "fail"] = "fail" if store != "ok" else "warn" if notes else "pass"
    there = next(
        path for path in (config.data_directory, *config.data_directory.absolute().parents) if path.is_dir()
    )
    free = shutil.disk_usage(there).free
    return Health(status, __version__, store, backlog, unrecorded, free, tuple(notes))


def _measure_backlog(data: Path, positions: dict[str, int], *, now: float) -> Backlog:
    waiting, oldest = 0, now
    for segment in ClickLog(data).segments():
        position = positions.get(segment.id, segment.header_bytes)
        if segment.size > max(position, segment.header_bytes):
            waiting += segment.size - max(position, segment.header_bytes)
            oldest = min(oldest, _line_time(segment.path, max(position, segment.header_bytes), now=now))
    return Backlog(waiting, round(max(0.0, now - oldest), 1))


class _TimedLine(Struct):
    ts: float


def _line_time(path: Path, position: int, *, now: float) -> float:
    """When the line at a position was written; the file's own time where the line does not say."""
    try:
        with path.open("rb") as file:
            file.seek(position)
            return msgspec.json.decode(file.readline(MAX_LINE_BYTES), type=_TimedLine).ts
    except msgspec.MsgspecError:
        return path.stat().st_mtime
    except OSError:
        return now
