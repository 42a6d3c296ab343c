"""Checks of the environment in which the program runs: proxy, hosts, file system, temporary folder, clock
and backups.
"""

import errno
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from ipaddress import ip_network
from pathlib import Path

from msgspec import Struct

from shortener.config import Config
from shortener.durations import DAY_SECONDS
from shortener.errors import StoreError
from shortener.reporting.checklist import Level
from shortener.settings import invalid_settings
from shortener.shared_memory import read_totals
from shortener.store import Reader, open_reader, settings
from shortener.store.database import has_temporary_directory
from shortener.store.operation import (
    last_backup_time,
    newest_click_time,
    recent_networks,
)

MIN_CLICKS = 20
"""Number of clicks from which networks are judged."""
MIN_USER_AGENTS = 10
"""Number of different user agents in one network above which it is taken for a proxy's and not for an office's."""
SAME_NETWORK_SHARE = 0.95
MIN_OTHER_HOST_REQUESTS = 10
CLOCK_TOLERANCE_SECONDS = 120
"""Seconds by which a click may be newer than the current time before the clock is reported as wrong."""
MIN_FREE_INODES = 2_000
NETWORK_FILE_SYSTEMS = ("nfs", "cifs", "smb", "9p", "afs", "glusterfs", "lustre", "ceph", "vboxsf", "fuse.sshfs")
"""Beginnings of the names of file systems on which SQLite's write-ahead log or locks are not reliable."""


class Finding(Struct, frozen=True):
    """Result of one check: its level, its name, and a sentence that also says what to do if something is wrong."""

    level: Level
    check: str
    finding: str


def check_operation(config: Config, *, now: float) -> Iterator[Finding]:
    """Yield the results of the checks of the environment. ``now`` is in seconds of the UTC epoch."""
    if config.data_directory.is_dir():
        yield from _check_file_system(config.data_directory)
        yield from _check_hosts(config)
    yield _check_temporary_directory()
    try:
        with closing(open_reader(config.data_directory, url=config.storage.url)) as reader:
            yield from _check_proxy(config, reader)
            yield from _check_stored_times(reader, now=now)
            yield from _check_settings(config, reader)
            if not config.storage.url:  # backups of a database are made with its own tools
                yield _check_backup(config, reader, now=now)
    except StoreError:
        return  # the check of the store reports it


def _check_settings(config: Config, reader: Reader) -> Iterator[Finding]:
    for key, problem in invalid_settings(config, settings.read(reader)).items():
        yield Finding("warn", key, f"the stored setting is not used: {problem}; save it again on the page Settings")


def _check_proxy(config: Config, reader: Reader) -> Iterator[Finding]:
    # If a proxy hides the addresses of readers, nearly all clicks come from one network.
    recent = recent_networks(reader)
    if recent is None or recent.clicks < MIN_CLICKS or recent.network_clicks < SAME_NETWORK_SHARE * recent.clicks:
        return
    network = ip_network(recent.network, strict=False)
    is_local = network.is_private or network.is_loopback
    if not is_local and recent.user_agents < MIN_USER_AGENTS:
        return
    seen = f"{recent.network_clicks:,} of the last {recent.clicks:,} clicks come from {recent.network}"
    if not config.server.trusted_proxies:
        fix = "that is your proxy: put its address into server.trusted_proxies, and let it send X-Forwarded-For"
    else:
        fix = (
            "the proxy in front does not pass on addresses: let it send X-Forwarded-For, and put every proxy between "
            "readers and the server into server.trusted_proxies"
        )
    yield Finding("bad" if is_local else "warn", "proxy", f"{seen}, so readers are not told apart; {fix}")


def _check_hosts(config: Config) -> Iterator[Finding]:
    totals = read_totals(config.data_directory)
    unknown, known = totals["unknown_hosts"], totals["redirects"] + totals["misses"]
    if unknown >= MIN_OTHER_HOST_REQUESTS and unknown > known:
        hosts = ", ".join(domain.host for domain in config.domains)
        yield Finding(
            "warn" if known else "bad",
            "host",
            f"{unknown:,} requests for short links came with a host that is none of the domains ({hosts}), and "
            f"{known:,} with one; add the host as [[domain]], or let the proxy pass on the Host header",
        )


def _check_stored_times(reader: Reader, *, now: float) -> Iterator[Finding]:
    ahead = newest_click_time(reader) - now
    if ahead > CLOCK_TOLERANCE_SECONDS:
        yield Finding("warn", "clock", f"the newest click is {ahead:.0f} s ahead of the clock; check NTP")


def _check_backup(config: Config, reader: Reader, *, now: float) -> Finding:
    backed_up_at, kept = last_backup_time(reader), config.privacy.keep_log
    if backed_up_at is None:
        return Finding(
            "warn", "backup", "none was made with `shortener backup` yet; make one every day, on another disk"
        )
    age = (now - backed_up_at) / DAY_SECONDS
    made = time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime(backed_up_at))
    if age > kept:
        return Finding(
            "warn",
            "backup",
            f"the last one is of {made}, older than the click log is kept ({kept} days): clicks between would be lost; "
            "run `shortener backup` every day",
        )
    return Finding("good", "backup", made)


def _check_temporary_directory() -> Finding:
    if has_temporary_directory():
        return Finding("good", "temporary folder", "one is writable")
    return Finding(
        "warn", "temporary folder", "none is writable, so sorting needs memory; mount a tmpfs at /tmp or set TMPDIR"
    )


def _check_file_system(data: Path) -> Iterator[Finding]:
    status = os.statvfs(data)
    if status.f_files and status.f_favail < MIN_FREE_INODES:
        yield Finding("bad", "inodes", f"{status.f_favail:,} are free on the disk of {data}; delete small files")
    kind = file_system_kind(data, mounts=_read_mounts())
    if kind.startswith(NETWORK_FILE_SYSTEMS):
        yield Finding(
            "bad", "file system", f"{data} is on {kind}: SQLite needs a disk of this machine; move storage.data to one"
        )
    elif os.access(data, os.W_OK | os.X_OK) and not _can_lock(data):
        yield Finding(
            "bad", "file system", f"{data}: file locks have no effect there; move storage.data to a local disk"
        )


def _read_mounts() -> str:
    try:
        return Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""  # not Linux


def file_system_kind(path: Path, *, mounts: str) -> str:
    """Return the kind of the file system that contains ``path``, such as ``ext4``; '' if unknown.

    ``mounts`` is a table like /proc/self/mounts.
    """
    best, kind = "", ""
    for line in mounts.splitlines():
        words = line.split(" ")
        if len(words) < 3:
            continue
        point = words[1].replace("\\040", " ")
        if path.resolve().is_relative_to(point) and len(point) >= len(best):
            best, kind = point, words[2]
    return kind


def _can_lock(data: Path) -> bool:
    try:
        # A second lock on a locked file must fail.
        with tempfile.NamedTemporaryFile(dir=data, prefix=".lock-test-") as file, Path(file.name).open("rb") as second:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            try:
                fcntl.flock(second.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False
    # Other errors do not show whether locks work.
    except OSError as error:
        return error.errno not in {errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
