"""Clock steps of seven days back and a year ahead, while readers click and the collector runs."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shortener.clicklog.pseudonyms import DailyKeys
from shortener.clicklog.writer import SegmentWriter
from shortener.collector.collector import Collector
from shortener.collector.rebuild import rebuild
from shortener.config import Config, Domain, Storage
from shortener.redirect.redirector import Redirector
from shortener.redirect.request import parse_environ
from shortener.redirect.responses import Response
from shortener.store import Store, links, open_store
from tests.faults.clock import Clock as ServerClock
from tests.faults.serving import Server, needs_proc, serving, wait

NOON = 1_795_521_600.0
"""12:00 UTC of 2026-11-24."""
DAY = 86_400.0
STEPS = {
    "a week back": -7 * DAY,
    "a year ahead": 365 * DAY,
    "an hour back": -3600.0,
    "ten seconds back": -10.0,
}


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock set to noon."""
    return Clock()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A configuration with one domain."""
    return Config(domain=(Domain(host="go.example"),), storage=Storage(data=str(tmp_path / "data")))


@pytest.fixture
def store(config: Config) -> Iterator[Store]:
    """A store with the link ``abcde``."""
    store = open_store(config.data_directory)
    with store.transaction():
        links.add(store, "go.example", "abcde", target="https://example.com/a", now=0)
    yield store
    store.close()


def click(handler: Redirector, reader: int) -> None:
    """Send one click to the redirector."""
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/abcde",
        "REMOTE_ADDR": f"192.0.2.{reader}",
        "HTTP_HOST": "go.example",
        "HTTP_USER_AGENT": "Firefox",
    }
    response = handler.respond(parse_environ(environ))
    assert isinstance(response, Response)
    assert response.status == 302


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_no_click_is_lost_or_doubled(store: Store, config: Config, clock: Clock, step: float) -> None:
    """Over a clock step and back, with retention in between, every click is stored and summed once."""
    clicked = 0
    for offset in (0.0, step, 0.0):
        clock.now = NOON + offset
        handler = Redirector(config, clock=clock)
        for _ in range(3):
            clicked += 1
            clock.now += 1
            click(handler, clicked)
        collector = Collector(store, config=config, clock=clock)
        collector.drain()
        collector.delete_expired()
        click(handler, clicked := clicked + 1)
        handler.close()
        collector.drain()
        collector.delete_expired()
        collector.close()
        kept = store.value("select count(*) from clicks")
        assert store.value("select count(distinct id) from clicks") == kept
        assert store.value("select sum(human + bot + scanner + preview + prefetch) from clicks_by_link") == clicked
        assert store.value("select min(human + bot + scanner + preview + prefetch) from clicks_by_link") > 0
    if step < 90 * DAY:
        assert kept == clicked
    rebuild(store, on_progress=lambda _: None)
    assert store.value("select sum(human + bot + scanner + preview + prefetch) from clicks_by_link") == clicked


def test_a_clock_a_year_ahead_does_not_take_all_clicks(store: Store, config: Config, clock: Clock) -> None:
    """Retention with a wrong clock deletes clicks of at most two days; with the right clock it deletes no more."""
    handler = Redirector(config, clock=clock)
    for day in range(30):
        clock.now = NOON + day * DAY
        click(handler, day)
    handler.close()
    collector = Collector(store, config=config, clock=clock)
    collector.drain()
    clock.now += 365 * DAY
    collector.delete_expired()
    clock.now -= 365 * DAY
    collector.delete_expired()
    collector.close()
    assert store.value("select count(*) from clicks") == 28
    rebuild(store, on_progress=lambda _: None)
    assert store.value("select sum(human + bot + scanner + preview + prefetch) from clicks_by_link") == 30


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_keys_of_a_wrong_clock_do_not_stay(tmp_path: Path, step: float) -> None:
    """After any clock step, 48 hours later only the keys of the last two days are left."""
    keys = DailyKeys(tmp_path)
    for offset in (0.0, step, 0.0):
        keys.key(NOON + offset)
        keys.destroy_expired(now=NOON + offset)
    assert keys.destroy_expired(now=NOON + 3600) >= 0
    today = int(NOON // DAY)
    assert {path.name for path in (tmp_path / "keys").iterdir()} <= {str(today)}
    keys.destroy_expired(now=NOON + 2 * DAY)
    assert list((tmp_path / "keys").iterdir()) == []


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_segments_go_by_the_time_that_passes(tmp_path: Path, clock: Clock, step: float) -> None:
    """A clock step neither rotates a segment nor gives one name to two segments."""
    log = SegmentWriter(tmp_path, node="one", rotate_bytes=1 << 20, sync_seconds=3600, clock=clock)
    assert log.write(b"{}\n")
    clock.now += step
    assert log.write(b"{}\n")
    assert len(list(tmp_path.iterdir())) == 1
    log.close()
    assert log.write(b"{}\n")
    clock.now -= step
    log.close()
    assert log.write(b"{}\n")
    log.close()
    assert len(list(tmp_path.iterdir())) == 3


@needs_proc
def test_a_running_server_outlives_steps_of_its_clock(tmp_path: Path) -> None:
    """After steps of a week back and a year ahead, no click is lost or doubled, no process ends, and keys expire."""
    clock = ServerClock(tmp_path)
    server = Server(tmp_path, environment=clock.environment)
    with serving(server):
        server.click("first")
        wait(server.stored)
        members = set(server.members())
        tags = ["first"]
        for number, days in enumerate((-7, 365, -1, 0)):
            clock.set(days * 86_400)
            for each in range(10):
                server.click(tag := f"s{number}-{each}")
                tags.append(tag)
            wait(lambda tags=tags: server.stored() == len(tags), what="the clicks' way into the store")  # type: ignore[misc]
        wait(server.is_healthy)
        assert set(server.members()) >= members
        keys = {path.name for path in (server.data / "keys").iterdir()}
        assert len(keys) >= 4  # one for each day that the clock showed
        server.stop()
    server.check()
    assert server.tags() == sorted(tags)
    visitors = "select count(distinct visitor) from clicks"
    assert server.value(visitors) == server.value("select count(distinct ts / 86400000) from clicks")
    assert (
        server.value(
            "select count(*) from clicks_by_link where human + bot + scanner + preview + prefetch < 1 or visitors < 0"
        )
        == 0
    )
    # The next start sweeps by the right clock: only keys of the days of the last 48 hours are left.
    today, made = int(time.time() // 86_400), server.data / "keys"
    server.start()
    wait(
        lambda: {int(path.name) for path in made.iterdir()} <= {today - 1, today, today + 1},
        what="the keys' end",
    )
    server.stop()
    assert server.stored() == len(tags)
