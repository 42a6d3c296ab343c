"""What is wrong with an installation, or will be: each finding names the mend."""

import os
import sqlite3
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from msgspec import Struct

from shortener.clicklog.reader import ClickLog
from shortener.collector.datacenters import read_datacenters
from shortener.collector.ip_databases import open_asn_database, open_country_database
from shortener.config import Config
from shortener.errors import ConfigError, ShortenerError, StoreError
from shortener.files import STORE_FILE_NAME
from shortener.reporting.health import check_health
from shortener.store import open_reader

Level = Literal["good", "warn", "bad"]

MIN_SAFE_SQLITE = (3, 51, 3)
"""The first release without the WAL-reset bug (sqlite.org/wal.html#walresetbug): corruption when two connections
write and checkpoint at the same moment. One writing process at a time keeps clear of it."""
MIN_FREE_BYTES = 500 * 1024 * 1024
CLOCK_TOLERANCE_SECONDS = 120


class Finding(Struct, frozen=True):
    """One thing that was looked at."""

    level: Level
    check: str
    finding: str


def examine(config: Config, *, config_path: Path | None, now: float | None = None) -> list[Finding]:
    """Look at everything; the configuration itself has been read without a fault when this is called."""
    now = time.time() if now is None else now
    return [
        Finding(
            "good", "configuration", str(config_path) if config_path else "defaults; no configuration file"
        ),
        *_check_domains(config),
        *_check_permissions(config),
        _check_sqlite(),
        _check_store(config),
        *_check_network_lists(config),
        *_check_health(config, now=now),
        _check_clock(config, now=now),
    ]


def _check_domains(config: Config) -> Iterator[Finding]:
    for domain in config.domains:
        local = domain.host.partition(":")[0] in {"127.0.0.1", "localhost"}
        if local:
            yield Finding(
                "warn", "domain", f"{domain.host} is reachable from this machine only; set [[domain]] host"
            )
        elif domain.scheme == "http":
            yield Finding(
                "warn", "domain", f"{domain.host} is plain http: browsers tell less, scanners hide better"
            )
        else:
            yield Finding("good", "domain", f"{domain.scheme}://{domain.host}")
    if config.redirect.status in {301, 308}:
        yield Finding(
            "warn", "redirect.status", "browsers remember 301 and 308: repeated clicks and edits go unseen"
        )


def _check_permissions(config: Config) -> Iterator[Finding]:
    data = config.data_directory
    if not data.is_dir():
        yield Finding(
            "warn", "data directory", f"{data}: is not there yet; the first command that writes makes it"
        )
        return
    if not os.access(data, os.W_OK | os.X_OK):
        yield Finding(
            "bad", "data directory", f"{data}: this user cannot write here; chown it to the user that serves"
        )
        return
    open_to_others = [path for path in (data, *data.rglob("*")) if _is_open_to_others(path)]
    if open_to_others:
        yield Finding("bad", "permissions", f"{open_to_others[0]}: others can read it; chmod -R go= {data}")
    else:
        yield Finding("good", "permissions", f"{data}: for its owner only")
    if os.geteuid() == 0:
        yield Finding("warn", "user", "running as root; a user of its own is enough, and safer")


def _is_open_to_others(path: Path) -> bool:
    try:
        return bool(stat.S_IMODE(path.lstat().st_mode) & 0o077) and not path.is_symlink()
    except OSError:
        return False


def _check_sqlite() -> Finding:
    version = sqlite3.sqlite_version
    if sqlite3.sqlite_version_info < MIN_SAFE_SQLITE:
        return Finding(
            "warn",
            "sqlite",
            f"{version}; 3.51.3 mends a rare WAL corruption: upgrade when you can, keep backups",
        )
    return Finding("good", "sqlite", version)


def _check_store(config: Config) -> Finding:
    path = config.data_directory / STORE_FILE_NAME
    try:
        reader = open_reader(config.data_directory)
        verdict = reader.conn.execute("pragma quick_check(1)").fetchone()[0]
        reader.close()
    except (StoreError, sqlite3.Error) as error:
        if not path.exists():
            return Finding(
                "warn", "store", f"{path}: is not there yet; the first command that writes makes it"
            )
        return Finding("bad", "store", f"{error}; restore a backup, the click log replays what came after it")
    if verdict != "ok":
        return Finding(
            "bad", "store", f"{path}: {verdict}; restore a backup, the click log replays what came after it"
        )
    return Finding("good", "store", f"{path}: sound, {path.stat().st_size / 1e6:,.1f} MB")


def _check_network_lists(config: Config) -> Iterator[Finding]:
    """What the operator brought to know networks by."""
    try:
        if config.verdicts.datacenters:
            yield Finding("good", "data centers", f"{len(read_datacenters(config)):,} ranges of addresses")
    except ShortenerError as error:
        yield Finding("bad", "data centers", str(error))
    for open_database in (open_asn_database, open_country_database):
        try:
            database = open_database(config)
        except ConfigError as error:
            yield Finding("bad", "networks", str(error))
        else:
            if database:
                built = time.strftime("%Y-%m-%d", time.gmtime(database.built_at))
                yield Finding("good", database.config_key, f"{database}, built {built}")


def _check_health(config: Config, *, now: float) -> Iterator[Finding]:
    found = check_health(config, now=now)
    late = found.backlog.seconds > 60
    yield Finding(
        "warn" if late else "good",
        "backlog",
        f"{found.backlog.bytes:,} bytes of the click log wait, the oldest for {found.backlog.seconds:.0f} s"
        + ("; is `shortener serve` running?" if late else ""),
    )
    yield Finding(
        "warn" if found.unrecorded else "good",
        "unrecorded",
        f"{found.unrecorded:,} clicks were redirected but could not be written down",
    )
    low = found.disk_free < MIN_FREE_BYTES
    yield Finding(
        "bad" if low else "good",
        "disk",
        f"{found.disk_free / 1e9:,.1f} GB free"
        + ("; when it is full, clicks are not recorded" if low else ""),
    )


def _check_clock(config: Config, *, now: float) -> Finding:
    """A clock that was set back shows in files from the future."""
    newest = max(
        (segment.path.stat().st_mtime for segment in ClickLog(config.data_directory).segments()), default=0.0
    )
    if newest > now + CLOCK_TOLERANCE_SECONDS:
        return Finding(
            "warn", "clock", f"the click log is {newest - now:.0f} s ahead of the clock; check NTP"
        )
    return Finding("good", "clock", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)))
