"""Checks of an installation for operators. Each problem is reported with what to do about it."""

import os
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from shortener import __version__
from shortener.clicklog.reader import ClickLog
from shortener.collector.datacenters import read_datacenters
from shortener.collector.ip_databases import open_asn_database, open_country_database
from shortener.config import Config
from shortener.errors import ConfigError, ShortenerError, StoreError
from shortener.files import STORE_FILE_NAME
from shortener.reporting.doctor_operation import CLOCK_TOLERANCE_SECONDS, Finding, check_operation
from shortener.reporting.health import MAX_BACKLOG_SECONDS, check_health
from shortener.reporting.node_health import NodeHealth, describe_silent_nodes
from shortener.store import open_reader
from shortener.store.operation import check_content, postgres_version, sqlite_version
from shortener.store.write_ahead_log import Relation, logs_set_aside, relation, wal_path

# The bug corrupts a store when two connections write and checkpoint at one moment. One writing process avoids it.
MIN_SAFE_SQLITE = (3, 51, 3)
"""First SQLite release without the WAL-reset bug (sqlite.org/wal.html#walresetbug)."""
MIN_FREE_BYTES = 500 * 1024 * 1024
"""Free disk space in bytes below which the check fails."""


def examine(
    config: Config,
    *,
    config_path: Path | None,  # the file from which ``config`` was loaded
    now: float | None = None,  # seconds of the UTC epoch
) -> list[Finding]:
    """Run all checks of the installation, and return their results.

    Without a configuration file, ``config_path`` is None.
    """
    now = time.time() if now is None else now
    return [
        Finding("good", "configuration", str(config_path) if config_path else "defaults; no configuration file"),
        *_check_domains(config),
        *_check_permissions(config),
        *_check_storage(config),
        *check_operation(config, now=now),
        *_check_network_lists(config),
        *_check_health(config, now=now),
        _check_clock(config, now=now),
    ]


def _check_domains(config: Config) -> Iterator[Finding]:
    for domain in config.domains:
        if domain.host.partition(":")[0] in {"127.0.0.1", "localhost"}:
            yield Finding("warn", "domain", f"{domain.host} is reachable from this machine only; set [[domain]] host")
        elif domain.scheme == "http":
            yield Finding(
                "warn",
                "domain",
                f"{domain.host} is plain http: browsers send fewer headers, so scanners are harder to detect",
            )
        else:
            yield Finding("good", "domain", f"{domain.scheme}://{domain.host}")
    if config.redirect.status in {301, 308}:
        yield Finding(
            "warn",
            "redirect.status",
            "browsers cache 301 and 308: repeated clicks are not counted, edits are not noticed",
        )


def _check_permissions(config: Config) -> Iterator[Finding]:
    data = config.data_directory
    if not data.is_dir():
        yield Finding(
            "warn",
            "data directory",
            f"{data}: does not exist yet; it is created by the first command that writes",
        )
        return
    if not os.access(data, os.W_OK | os.X_OK):
        yield Finding(
            "bad",
            "data directory",
            f"{data}: this user cannot write here; chown it to the user that runs the server",
        )
        return
    open_to_others = [path for path in (data, *data.rglob("*")) if _is_open_to_others(path)]
    if open_to_others:
        yield Finding("bad", "permissions", f"{open_to_others[0]}: others can read it; chmod -R go= {data}")
    else:
        yield Finding("good", "permissions", f"{data}: readable by its owner only")
    if os.geteuid() == 0:
        yield Finding("warn", "user", "running as root; a user of its own is enough and safer")


def _is_open_to_others(path: Path) -> bool:
    try:
        return bool(stat.S_IMODE(path.lstat().st_mode) & 0o077) and not path.is_symlink()
    except OSError:
        return False


def _check_storage(config: Config) -> Iterator[Finding]:
    if config.storage.url:
        yield _check_database(config)
    else:
        yield _check_sqlite()
        yield _check_store(config)
        yield from _check_write_ahead_logs(config)


def _check_database(config: Config) -> Finding:
    try:
        with closing(open_reader(config.data_directory, url=config.storage.url)) as reader:
            return Finding("good", "store", f"PostgreSQL {postgres_version(reader)}")
    except StoreError as error:
        remedy = "redirects go on and no click is lost; check the database and storage.url"
        return Finding("bad", "store", f"{error}; {remedy}")


def _check_sqlite() -> Finding:
    version = ".".join(map(str, sqlite_version()))
    if sqlite_version() < MIN_SAFE_SQLITE:
        return Finding(
            "warn",
            "sqlite",
            f"{version}; 3.51.3 fixes a rare WAL corruption: upgrade when you can, keep backups",
        )
    return Finding("good", "sqlite", version)


def _check_store(config: Config) -> Finding:
    path = config.data_directory / STORE_FILE_NAME
    remedy = "restore a backup; the collector adds what came after it from the click log"
    if not (path.exists() and path.stat().st_size) and ClickLog(config.data_directory).segments():
        return Finding("bad", "store", f"{path}: missing or empty, but there is a click log; {remedy}")
    try:
        with closing(open_reader(config.data_directory, url=config.storage.url)) as reader:
            result = check_content(reader)
    except StoreError as error:
        if not path.exists():
            return Finding(
                "warn", "store", f"{path}: does not exist yet; it is created by the first command that writes"
            )
        return Finding("bad", "store", f"{error}; {remedy}")
    if result != "ok":
        return Finding("bad", "store", f"{path}: {result}; {remedy}")
    return Finding("good", "store", f"{path}: intact, {path.stat().st_size / 1e6:,.1f} MB")


def _check_write_ahead_logs(config: Config) -> Iterator[Finding]:
    # A log of another store file is left over, for example, when a backup is copied over the store file.
    store = config.data_directory / STORE_FILE_NAME
    try:
        foreign, set_aside = relation(store) is Relation.FOREIGN, logs_set_aside(store)
    except OSError:
        return  # the check of the data directory reports it
    if foreign:
        yield Finding(
            "warn", "write-ahead log", f"{wal_path(store)}: belongs to another store file; the next start moves it away"
        )
    for path in set_aside:
        yield Finding(
            "warn",
            "write-ahead log",
            f"{path}: belonged to another store file. If that file is needed, stop the server, put it back as "
            f"{STORE_FILE_NAME}, and run `shortener store restore-wal {path.name}`; otherwise delete the log",
        )


def _check_network_lists(config: Config) -> Iterator[Finding]:
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
    health = check_health(config, now=now)
    late = health.backlog.seconds > MAX_BACKLOG_SECONDS
    yield Finding(
        "warn" if late else "good",
        "backlog",
        f"{health.backlog.bytes:,} bytes of the click log are not collected yet; "
        f"the oldest are {health.backlog.seconds:.0f} s old" + ("; is `shortener serve` running?" if late else ""),
    )
    yield Finding(
        "warn" if health.unrecorded else "good",
        "unrecorded",
        f"{health.unrecorded:,} clicks were redirected but could not be recorded",
    )
    low = health.disk_free < MIN_FREE_BYTES
    yield Finding(
        "bad" if low else "good",
        "disk",
        f"{health.disk_free / 1e9:,.1f} GB free" + ("; when the disk is full, clicks are not recorded" if low else ""),
    )

    yield from _check_nodes(health.nodes)


def _check_nodes(nodes: Sequence[NodeHealth]) -> Iterator[Finding]:
    silent = dict(zip((node.name for node in nodes if node.is_silent), describe_silent_nodes(nodes), strict=True))
    for node in nodes:
        state = f"{node.backlog_bytes:,} bytes to send, {node.links_behind:,} changes of links behind"
        if node.name in silent:
            yield Finding("warn", f"node {node.name}", silent[node.name])
        elif node.version != __version__:
            yield Finding("warn", f"node {node.name}", f"it has version {node.version}, this machine {__version__}")
        else:
            yield Finding("good", f"node {node.name}", f"reported {node.heard_seconds} s ago; {state}")


def _check_clock(config: Config, *, now: float) -> Finding:
    newest = max((segment.path.stat().st_mtime for segment in ClickLog(config.data_directory).segments()), default=0.0)
    if newest > now + CLOCK_TOLERANCE_SECONDS:
        return Finding("warn", "clock", f"the click log is {newest - now:.0f} s ahead of the clock; check NTP")
    return Finding("good", "clock", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)))
