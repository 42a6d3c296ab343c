"""Checks of ``doctor``: what an operator gets wrong is found, and a sound installation has no complaint."""

import fcntl
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from shortener.config import Config, Domain, Server, Storage
from shortener.durations import DAY_SECONDS
from shortener.errors import StoreError
from shortener.redirect.redirector import Redirector
from shortener.redirect.request import EnvironHeaders, Request
from shortener.redirect.responses import Response
from shortener.reporting import doctor_operation
from shortener.reporting.doctor import examine
from shortener.reporting.doctor_operation import file_system_kind
from shortener.shared_memory import COUNTER_NAMES, claim_worker_counters, read_totals
from shortener.store import Store, links, open_store, settings
from shortener.store.backups import back_up

NOW = 1_795_500_000


def make_config(data: Path, *, trusted: tuple[str, ...] = ()) -> Config:
    """Return the configuration of one domain."""
    return Config(
        domain=(Domain(host="go.example"),),
        storage=Storage(data=str(data)),
        server=Server(trusted_proxies=trusted),
    )


def add_clicks(store: Store, networks: list[str], *, agents: int = 1, ts: int = NOW - 3_600) -> None:
    """Store a click from each network, with user agents in turn."""
    with store.transaction():
        for number in range(agents):
            store.execute("insert into user_agents (id, ua) values (?, ?)", (number + 1, f"agent {number}"))
        for number, net in enumerate(networks):
            store.execute(
                "insert into clicks (id, ts, link_id, verdict, reason, rules_version, net, agent_id) "
                "values (?, ?, 1, 'human', 'reader', 1, ?, ?)",
                (f"c{number}", ts * 1000 + number, net, number % agents + 1),
            )


def spread(store: Store) -> None:
    """Store clicks of readers in many networks."""
    add_clicks(store, [f"93.184.{n}.0/24" for n in range(40)], agents=12)


def one_office(store: Store) -> None:
    """Store the clicks of an office with few user agents."""
    add_clicks(store, ["93.184.216.0/24"] * 40, agents=3)


CASES: dict[str, tuple[Callable[[Store], None], tuple[str, ...], str, str]] = {
    "readers": (spread, (), "", ""),
    "an office": (one_office, (), "", ""),
    "proxy not trusted": (
        lambda store: add_clicks(store, ["127.0.0.0/24"] * 40),
        (),
        "proxy",
        "put its address into server.trusted_proxies",
    ),
    "proxy without addresses": (
        lambda store: add_clicks(store, ["10.1.2.0/24"] * 40),
        ("10.1.2.3",),
        "proxy",
        "let it send X-Forwarded-For",
    ),
    "public proxy": (
        lambda store: add_clicks(store, ["93.184.216.0/24"] * 40, agents=20),
        (),
        "proxy",
        "40 of the last 40 clicks come from 93.184.216.0/24",
    ),
    "clock": (lambda store: add_clicks(store, ["93.184.216.0/24"], ts=NOW + 9_000), (), "clock", "ahead of the clock"),
    "setting": (
        lambda store: settings.put(store, "site.timezone", "Mars/Base"),
        (),
        "site.timezone",
        "the stored setting is not used: enter a time zone such as Europe/Berlin; save it again",
    ),
}


@pytest.mark.parametrize(("fill", "trusted", "check", "text"), CASES.values(), ids=CASES.keys())
def test_stored_evidence(
    fill: Callable[[Store], None], trusted: tuple[str, ...], check: str, text: str, tmp_path: Path
) -> None:
    """Clicks show a proxy that hides readers, and a clock that was set back; a stored setting can be invalid."""
    with closing(open_store(tmp_path)) as store:
        with store.transaction():
            links.add(store, "go.example", "abc", target="https://a.example/", now=0)
        fill(store)
    config = make_config(tmp_path, trusted=trusted)
    found = {
        finding.check: finding.finding
        for finding in examine(config, config_path=None, now=NOW)
        if finding.level != "good" and finding.check in {"proxy", "host", "clock", "site.timezone"}
    }
    assert list(found) == ([check] if check else [])
    assert text in found.get(check, "")


@pytest.mark.parametrize(("age", "level"), [(None, "warn"), (1, "good"), (8, "warn")])
def test_backup(age: int | None, level: str, tmp_path: Path) -> None:
    """A backup that is older than the click log is kept, or none, is reported."""
    with closing(open_store(tmp_path / "data")) as store:
        if age is not None:
            back_up(store, tmp_path / "backup.db", now=NOW - age * DAY_SECONDS)
    findings = examine(make_config(tmp_path / "data"), config_path=None, now=NOW)
    (finding,) = (finding for finding in findings if finding.check == "backup")
    assert finding.level == level


MOUNTS = """\
/dev/sda1 / ext4 rw,relatime 0 0
server:/x /srv/links nfs4 rw 0 0
tmpfs /srv/links/local tmpfs rw 0 0
//host/share /mnt/my\\040share cifs rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib/x", "ext4"),
        ("/srv/links/data", "nfs4"),
        ("/srv/linksx", "ext4"),
        ("/srv/links/local/x", "tmpfs"),
        ("/mnt/my share/x", "cifs"),
    ],
)
def test_file_system_kind(path: str, kind: str) -> None:
    """The longest mount point of a path decides."""
    assert file_system_kind(Path(path), mounts=MOUNTS) == kind


def findings_of(data: Path) -> dict[str, tuple[str, str]]:
    """Return level and text of all findings by check."""
    findings = examine(make_config(data), config_path=None, now=NOW)
    return {finding.check: (finding.level, finding.finding) for finding in findings}


def test_network_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data directory on a network file system, or without working locks, is a problem."""
    open_store(tmp_path).close()
    assert "file system" not in findings_of(tmp_path)
    monkeypatch.setattr(doctor_operation, "_read_mounts", lambda: f"server:/x {tmp_path} nfs4 rw 0 0\n")
    assert "nfs4" in findings_of(tmp_path)["file system"][1]
    monkeypatch.setattr(doctor_operation, "_read_mounts", lambda: "")
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    assert "locks have no effect" in findings_of(tmp_path)["file system"][1]


def test_inodes_and_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk without inodes and a machine without a writable temporary folder are reported."""
    open_store(tmp_path).close()
    assert findings_of(tmp_path)["temporary folder"][0] == "good"
    real = os.statvfs(tmp_path)
    few: Any = os.statvfs_result((*real[:5], 1_000_000, 3, 3, *real[8:10]))
    monkeypatch.setattr(os, "statvfs", lambda _path: few)
    monkeypatch.setattr(doctor_operation, "has_temporary_directory", lambda: False)
    found = findings_of(tmp_path)
    assert found["inodes"][0] == "bad"
    assert found["temporary folder"][0] == "warn"


@pytest.mark.parametrize(
    ("unknown", "redirects", "level"), [(50, 0, "bad"), (50, 20, "warn"), (50, 60, None), (5, 0, None)]
)
def test_unknown_hosts(unknown: int, redirects: int, level: str | None, tmp_path: Path) -> None:
    """More requests at hosts that are no domain than at domains are reported; a few probes are not."""
    open_store(tmp_path).close()
    counters = claim_worker_counters(tmp_path)
    for name, value in (("unknown_hosts", unknown), ("redirects", redirects)):
        counters.values[COUNTER_NAMES.index(name)] = value
    counters.close()
    assert findings_of(tmp_path).get("host", (None, ""))[0] == level


def test_worker_counts_unknown_hosts(tmp_path: Path) -> None:
    """A request for a code at another host is counted by the worker."""
    with closing(open_store(tmp_path)):
        redirector = Redirector(make_config(tmp_path))
        for host in ("www.go.example", "go.example"):
            redirector.respond(Request("GET", host, "/abc", "", EnvironHeaders({}), "192.0.2.1"))
        redirector.close()
    assert read_totals(tmp_path)["unknown_hosts"] == 1


@pytest.mark.parametrize(("damage", "level"), [(None, "good"), ("missing", "bad"), ("empty", "bad")])
def test_a_store_that_was_lost(damage: str | None, level: str, tmp_path: Path) -> None:
    """A store file that is missing or cut to nothing is reported, and no empty store takes its place."""
    with closing(open_store(tmp_path)) as store, store.transaction():
        links.add(store, "go.example", "abcde", target="https://example.com/", now=0)
    config = make_config(tmp_path)
    redirector = Redirector(config)
    request = Request("GET", "go.example", "/abcde", "", EnvironHeaders({}), "192.0.2.1")
    assert isinstance(redirector.respond(request), Response)
    redirector.close()
    if damage:
        (tmp_path / "store.db").unlink()
        if damage == "empty":
            (tmp_path / "store.db").touch()
        for create in (True, False):
            with pytest.raises(StoreError):
                open_store(tmp_path, create=create)
    (finding,) = [each for each in examine(config, config_path=None, now=NOW) if each.check == "store"]
    assert finding.level == level
    assert ("restore a backup" in finding.finding) == bool(damage)
