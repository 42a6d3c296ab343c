"""The collector: every line of the click log counts exactly once, whatever happens to log or collector."""

import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shortener.collector.collector import Collector
from shortener.collector.other_collector import acquire_collector, drain_once
from shortener.collector.rebuild import rebuild
from shortener.config import Config, Domain, Privacy, Storage
from shortener.errors import AlreadyRunning, StoreError, StoreUnavailable
from shortener.store import Store, issues, links, open_store
from shortener.store.clicks import MAX_MISSED_CODES_PER_DAY
from shortener.store.log_segments import advance_position
from shortener.store.rollup_tables import ALL_ROLLUPS
from shortener.store.rollups import recompute_coarse_rollups
from tests.postgres import both_engines

NOON = 1_795_500_000.0
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"


def make_config(data: Path, **privacy: Any) -> Config:
    """Return a configuration with two domains, one of them case-sensitive."""
    return Config(
        domain=(Domain(host="go.example"), Domain(host="case.example", case_sensitive=True)),
        storage=Storage(data=str(data)),
        privacy=Privacy(**privacy),
    )


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return make_config(tmp_path)


@pytest.fixture
def store(config: Config, store_url: str) -> Iterator[Store]:
    """A store with an issue of two links: `one` at placements 1 and 2, `two` at 3; `Abc` belongs to no issue."""
    store = open_store(config.data_directory, url=store_url)
    with store.transaction():
        issue = issues.add(
            store, "may", title="May", format="markdown", domain="go.example", sent_at=None, recipients=None,
            source=b"x", now=1,
        )  # fmt: skip
        placements = []
        for code, numbers in (("one", (1, 2)), ("two", (3,))):
            article = issues.add_article(store, issue, url=f"https://a.example/{code}", title=code)
            link = links.add(store, "go.example", code, target=f"https://a.example/{code}", now=1)
            links.assign_owner(store, link, issue_id=issue, article_id=article, now=1)
            placements += [issues.Placement(link, n, article, "title", code) for n in numbers]
        issues.replace_placements(store, issue, placements)
        links.add(store, "case.example", "Abc", target="https://a.example/abc", now=1)
    yield store
    store.close()


def line(id: str, code: str = "one", **keys: Any) -> dict[str, Any]:
    """Return a click line of a reader with a current browser."""
    base = {
        "v": 1, "id": id, "ts": NOON, "host": "go.example", "code": code, "method": "GET", "status": 302,
        "ua": FIREFOX, "visitor": "aa", "addr": "bb", "net": "192.0.2.0/24", "lang": "en",
        "h": {"accept": "*/*", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"},
    }  # fmt: skip
    return base | keys


def segment(data: Path, name: str, lines: list[Any], *, header: bool = True, end: bytes = b"") -> Path:
    """Write the segment of a worker that is not running any more, and return its path."""
    directory = data / "clicklog"
    directory.mkdir(exist_ok=True)
    headers = [{"v": 1, "segment": name, "node": "test", "started": NOON}] if header else []
    path = directory / f"{name}.jsonl"
    path.write_bytes(b"".join(json.dumps(record).encode() + b"\n" for record in headers + lines) + end)
    return path


def drain(store: Store, config: Config) -> None:
    """Drain the click log with a new collector."""
    collector = Collector(store, config=config, clock=lambda: NOON)
    try:
        collector.drain()
    finally:
        collector.close()


def stored_ids(store: Store) -> list[str]:
    """Return the ids of all stored clicks."""
    return [row[0] for row in store.execute("select id from clicks order by id")]


def rollups(store: Store) -> dict[str, list[Any]]:
    """Return all rows of each rollup."""
    return {rollup.table: sorted(store.execute(f"select * from {rollup.table}")) for rollup in ALL_ROLLUPS}


@both_engines
def test_clicks_are_summed_by_link_placement_and_issue(store: Store, config: Config) -> None:
    """A click counts for the placement in its URL; a visitor counts once a day for placement, link and issue."""
    segment(
        config.data_directory,
        "s1",
        [
            line("a", n=1),
            line("b", n=1),
            line("c", n=2),
            line("d", "two", n=3),
            line("e", "two", n=77),
            line("f", "two", visitor="other"),
            line("g", "Abc", host="case.example"),
        ],
    )
    drain(store, config)
    rows = {
        (row["code"], row["n"]): (row["human"], row["visitors"], row["link_visitors"], row["issue_visitors"])
        for row in store.rows(
            "select links.code, clicks_by_link.* from clicks_by_link join links on links.id = clicks_by_link.link_id"
        )
    }
    assert rows == {
        ("one", 1): (2, 1, 1, 1),
        ("one", 2): (1, 1, 0, 0),
        ("two", 3): (1, 1, 1, 0),
        ("two", 0): (2, 2, 1, 1),
        ("Abc", 0): (1, 1, 1, 0),
    }
    assert store.value("select sum(site_visitors) from clicks_by_link") == 2
    assert store.value("select count(*) from clicks where issue_id is null") == 1


def test_codes_follow_the_case_rule_of_their_domain(store: Store, config: Config) -> None:
    """A case-sensitive domain matches codes exactly, another domain in any case."""
    segment(
        config.data_directory,
        "s1",
        [
            line("a", "ONE"),
            line("b", "one", host="GO.example"),
            line("c", "Abc", host="case.example"),
            line("d", "abc", host="case.example"),
        ],
    )
    drain(store, config)
    assert stored_ids(store) == ["a", "b", "c"]


@both_engines
def test_a_repeated_id_counts_once(store: Store, config: Config) -> None:
    """An id counts once within a batch, across segments and after a restart."""
    segment(config.data_directory, "s1", [line("a"), line("a"), line("b")])
    segment(config.data_directory, "s2", [line("b"), line("c")])
    drain(store, config)
    segment(config.data_directory, "s3", [line("c"), line("a"), line("d")])
    drain(store, config)
    assert stored_ids(store) == ["a", "b", "c", "d"]
    assert store.value("select sum(human + bot + scanner + preview + prefetch) from clicks_by_link") == 4


def test_a_copied_or_renamed_segment_is_not_read_again(store: Store, config: Config) -> None:
    """A segment is identified by the id in its header, so a renamed or copied file adds nothing."""
    path = segment(config.data_directory, "s1", [line("a"), line("b")])
    drain(store, config)
    path.rename(path.with_name("renamed.jsonl"))
    segment(config.data_directory, "s1", [line("a"), line("b")])
    drain(store, config)
    assert stored_ids(store) == ["a", "b"]
    assert store.value("select count(*) from segments") == 1


def test_a_growing_segment_is_read_from_its_position(store: Store, config: Config) -> None:
    """Appended lines are read later, also a line that is written in two parts."""
    path = segment(config.data_directory, "foreign.log", [line("a")], header=False)
    drain(store, config)
    content = json.dumps(line("b")).encode() + b"\n"
    with path.open("ab") as file:
        file.write(content[:30])
        file.flush()
        drain(store, config)
        assert stored_ids(store) == ["a"]
        file.write(content[30:])
    drain(store, config)
    assert stored_ids(store) == ["a", "b"]
    assert store.value("select skipped from segments") == 0


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        pytest.param(b'{"v":1,"id":"x"', "unreadable", id="half a line"),
        pytest.param(b"\0" * 300, "unreadable", id="a block of zeros"),
        pytest.param(b"\xff\xfe garbage", "unreadable", id="garbage"),
        pytest.param(b'{"v":1,"id":"x","ts":1}', "wrong keys", id="keys missing"),
        pytest.param(b'{"v":1,"id":"x","ts":"now","host":"h","code":"c"}', "wrong keys", id="time of letters"),
        pytest.param(b'{"v":2,"id":"x","ts":1,"host":"h","code":"c"}', "other version", id="version 2"),
        pytest.param(b'{"v":1,"id":"","ts":1,"host":"h","code":"c"}', "wrong values", id="empty id"),
        pytest.param(b'{"v":1,"id":"x","ts":-5,"host":"h","code":"c"}', "wrong values", id="before 1970"),
        pytest.param(
            b'{"v":1,"id":"x","ts":5,"host":"h","code":"c","status":99999999999999999999}', "wrong values", id="status"
        ),
        pytest.param(b"[1,2,3]", "wrong keys", id="a list"),
        pytest.param(b'"' + b"x" * 9000 + b'"', "over-long", id="9 KB"),
        pytest.param(b"x" * 3_000_000, "over-long", id="3 MB"),
        pytest.param(b'{"v":1,"x":' + b"[" * 4000, "unreadable", id="nested"),
    ],
)
def test_a_damaged_line_costs_only_itself(store: Store, config: Config, bad: bytes, reason: str) -> None:
    """A torn, over-long or invalid line is stored with position and reason; the other lines count."""
    path = segment(config.data_directory, "s1", [line("a")])
    offset = path.stat().st_size
    with path.open("ab") as file:
        file.write(bad + b"\n" + json.dumps(line("b")).encode() + b"\n")
    drain(store, config)
    assert stored_ids(store) == ["a", "b"]
    assert store.execute("select byte_position, reason from skips").fetchall() == [(offset, reason)]
    assert store.execute("select skipped, lines from segments").fetchone()[0] == 1


@pytest.mark.parametrize("tail", [b'{"v":1,"id":"torn"', b"\0" * 100, b"y" * 2_500_000], ids=["torn", "zeros", "long"])
def test_a_torn_last_line_of_a_dead_writer(store: Store, config: Config, tail: bytes) -> None:
    """A last line without end is skipped, and the segment is finished, if its writer does not run any more."""
    segment(config.data_directory, "s1", [line("a")], end=tail)
    drain(store, config)
    assert stored_ids(store) == ["a"]
    assert store.execute("select skipped, finished_at is not null from segments").fetchone() == (1, 1)


@both_engines
def test_a_truncated_segment_is_not_read_again(store: Store, config: Config) -> None:
    """A segment that became shorter than its position, as after a power cut, adds nothing."""
    path = segment(config.data_directory, "s1", [line("a"), line("b")])
    drain(store, config)
    path.write_bytes(path.read_bytes()[:-40])
    drain(store, config)
    assert stored_ids(store) == ["a", "b"]


@both_engines
def test_a_failed_commit_stores_nothing(store: Store, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failed commit neither clicks nor sums nor position are stored; the next attempt stores all once."""
    segment(config.data_directory, "s1", [line("a"), line("b", ua="Another/1.0 (x)")])

    def fail(*args: Any, **options: Any) -> None:
        advance_position(*args, **options)
        raise StoreUnavailable("disk I/O error")

    monkeypatch.setattr("shortener.store.log_segments.advance_position", fail)
    with pytest.raises(StoreUnavailable):
        drain(store, config)
    assert stored_ids(store) == []
    assert not any(rollups(store).values())
    monkeypatch.undo()
    drain(store, config)
    assert stored_ids(store) == ["a", "b"]
    assert store.value("select sum(human + bot + scanner + preview + prefetch) from clicks_by_link") == 2


def test_a_second_collector_is_refused(store: Store, config: Config) -> None:
    """A second collector is refused; ``drain_once`` waits until the first has read all lines."""
    first = Collector(store, config=config, clock=lambda: NOON)
    with pytest.raises(AlreadyRunning, match="another collector"):
        Collector(store, config=config)
    segment(config.data_directory, "s1", [line("a")])
    first.drain()
    assert drain_once(store, config=config) == 0
    first.close()
    drain(store, config)


def test_acquire_collector_stops_waiting(store: Store, config: Config) -> None:
    """Waiting for another collector ends with a stop, or with a new collector once the other has ended."""
    first = Collector(store, config=config)
    stops = iter([False, False, True, True, True])
    assert acquire_collector(store, config=config, stop=lambda: next(stops)) is None
    first.close()
    second = acquire_collector(store, config=config, stop=lambda: False)
    assert second is not None
    second.close()


def test_shutdown_does_not_drain_a_whole_backlog(store: Store, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a stop a short rest is drained; of a backlog only part is, and the next collector drains the rest."""
    segment(config.data_directory, "s1", [line("first")])
    collector = Collector(store, config=config, clock=lambda: NOON)
    collector.follow(stop=lambda: True)
    assert stored_ids(store) == ["first"]
    for number in range(30):
        segment(config.data_directory, f"t{number:02}", [line(f"c{number:02}")])
    monkeypatch.setattr("shortener.collector.collector.BATCH_LINES", 1)
    monkeypatch.setattr("shortener.collector.collector.SHUTDOWN_SECONDS", 10.0)
    seconds = iter(range(1000))
    with monkeypatch.context() as slow:
        slow.setattr("time.monotonic", lambda: float(next(seconds)))
        collector.follow(stop=lambda: True)
    collector.close()
    assert 1 < len(stored_ids(store)) < 31
    drain(store, config)
    assert len(stored_ids(store)) == 31
    assert store.value("select sum(human + bot + scanner + preview + prefetch) from clicks_by_link") == 31


def test_a_locked_store_is_retried(store: Store, config: Config) -> None:
    """The collector continues after another program's long transaction."""
    segment(config.data_directory, "s1", [line("a")])
    collector = Collector(store, config=config, clock=lambda: NOON)
    store.execute("pragma busy_timeout = 20")
    other = sqlite3.connect(config.data_directory / "store.db", isolation_level=None)
    other.execute("begin immediate")
    calls = 0

    def stop() -> bool:
        nonlocal calls
        calls += 1
        if calls == 4:
            assert stored_ids(store) == []
            other.execute("rollback")
        return bool(stored_ids(store))

    collector.follow(stop=stop)
    other.close()
    collector.close()
    assert stored_ids(store) == ["a"]


def test_shutdown_while_the_store_is_locked(store: Store, config: Config) -> None:
    """A stop while the store is locked raises nothing and loses no click."""
    segment(config.data_directory, "s1", [line("a")])
    collector = Collector(store, config=config, clock=lambda: NOON)
    store.execute("pragma busy_timeout = 20")
    with sqlite3.connect(config.data_directory / "store.db", isolation_level=None) as other:
        other.execute("begin immediate")
        collector.follow(stop=lambda: True)
        other.execute("rollback")
    other.close()
    collector.close()
    drain(store, config)
    assert stored_ids(store) == ["a"]


@both_engines
def test_a_position_moved_by_another_collector(store: Store, config: Config, store_url: str) -> None:
    """A collector that was paused while another one drained reads the positions again and counts nothing twice."""
    segment(config.data_directory, "s1", [line("a"), line("b")])
    paused = Collector(store, config=config, clock=lambda: NOON)
    (config.data_directory / "collector.lock").unlink()
    other = open_store(config.data_directory, url=store_url)
    drain(other, config)
    paused.drain()
    assert stored_ids(store) == ["a", "b"]
    assert store.value("select sum(human + bot + scanner + preview + prefetch) from clicks_by_link") == 2
    other.close()
    paused.close()


def test_a_moved_store_stops_the_collector(store: Store, config: Config) -> None:
    """A collector refuses to write to a store file that was moved, and no empty store is created in its place."""
    segment(config.data_directory, "s1", [line("a")])
    collector = Collector(store, config=config)
    (config.data_directory / "store.db").rename(config.data_directory / "elsewhere.db")
    with pytest.raises(StoreError, match="moved away"):
        collector.drain()
    collector.close()
    with pytest.raises(StoreError, match="there is a click log but no store"):
        open_store(config.data_directory)


@both_engines
def test_misses_are_no_clicks(store: Store, config: Config) -> None:
    """Lines with status 404 or 410 are summed as misses; in a flood of codes, without their codes."""
    lines = [line(f"m{i}", f"random{i}", status=404) for i in range(1500)]
    segment(config.data_directory, "s1", [*lines, line("x", "one", status=410), line("a")])
    drain(store, config)
    assert stored_ids(store) == ["a"]
    assert store.value("select sum(requests) from misses") == 1501
    assert store.value("select count(*) from misses") <= MAX_MISSED_CODES_PER_DAY + 2


def test_whole_addresses_are_reduced(store: Store, config: Config) -> None:
    """A whole address in a line is stored as network and hashes, and is in none of the store's files."""
    segment(
        config.data_directory,
        "s1",
        [
            line("a", ip="203.0.113.77", net=None, addr=None, visitor=None),
            line("b", ip="2001:db8:1:2:3:4:5:6", net=None, addr=None, visitor=None),
        ],
    )
    drain(store, config)
    rows = store.execute("select net, length(addr), length(visitor) from clicks order by id").fetchall()
    assert rows == [("203.0.113.0/24", 16, 16), ("2001:db8:1::/48", 16, 16)]
    for path in config.data_directory.glob("store.db*"):
        content = path.read_bytes()
        assert b"203.0.113.77" not in content
        assert b"2001:db8:1:2" not in content


def test_readers_who_opt_out(store: Store, config: Config) -> None:
    """With Global Privacy Control or Do Not Track, visitor, user agent and referrer are not stored."""
    segment(
        config.data_directory,
        "s1",
        [
            line("a", ref="https://mail.example/", h={"sec-gpc": "1", "accept": "*/*"}),
            line("b", ref="https://mail.example/", h={"dnt": "1", "accept": "*/*"}),
        ],
    )
    drain(store, config)
    rows = store.execute("select visitor, agent_id, referrer from clicks").fetchall()
    assert rows == [(None, None, "")] * 2


def test_configuration_without_addresses(store: Store, tmp_path: Path) -> None:
    """With ``addresses = "none"`` network, hashes and recipient token are not stored."""
    config = make_config(tmp_path, addresses="none")
    segment(config.data_directory, "s1", [line("a", copy="cc"), line("b", ip="203.0.113.7")])
    drain(store, config)
    assert store.execute("select net, addr, visitor, recipient_token from clicks").fetchall() == [(None,) * 4] * 2


def test_many_small_segments(store: Store, config: Config) -> None:
    """Each of 2,000 small segments is drained once and marked as finished."""
    for number in range(2_000):
        segment(config.data_directory, f"s{number:05}", [line(f"c{number}")])
    drain(store, config)
    assert len(stored_ids(store)) == 2_000
    assert store.value("select count(*) from segments where finished_at is not null") == 2_000


@both_engines
def test_expired_clicks_are_deleted_and_their_sums_stay(store: Store, config: Config) -> None:
    """After ``keep_clicks`` days clicks and their user agents are deleted; a rebuild keeps their sums."""
    old = NOON - 100 * 86_400
    segment(config.data_directory, "s1", [line("a", ts=old, ua="Old/1.0 (old browser)"), line("b")])
    collector = Collector(store, config=config, clock=lambda: NOON)
    collector.drain()
    before = rollups(store)
    collector.delete_expired()
    collector.close()
    assert stored_ids(store) == ["b"]
    assert store.value("select count(*) from user_agents where ua like 'Old%'") == 0
    rebuild(store, on_progress=lambda _: None)
    assert rollups(store) == before


def test_drained_segments_are_deleted_after_keep_log(store: Store, config: Config) -> None:
    """A drained segment is deleted after ``keep_log`` days, an undrained one never."""
    drained = segment(config.data_directory, "s1", [line("a")])
    drain(store, config)
    unread = segment(config.data_directory, "s2", [line("b")])
    for path in (drained, unread):
        os.utime(path, (NOON - 8 * 86_400,) * 2)
    collector = Collector(store, config=config, clock=lambda: NOON)
    collector.delete_expired()
    assert not drained.exists()
    assert unread.exists()
    collector.close()


CLICKS = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.integers(0, 40).map(str),
            "code": st.sampled_from(["one", "two", "nowhere"]),
            "n": st.sampled_from([None, 1, 2, 3, 99]),
            "ts": st.sampled_from([NOON, NOON + 3600, NOON + 86_400]),
            "visitor": st.sampled_from(["v1", "v2", None]),
            "method": st.sampled_from(["GET", "HEAD"]),
            "ua": st.sampled_from([FIREFOX, "curl/8.0", ""]),
            "ref": st.sampled_from([None, "https://mail.example/x"]),
        }
    ),
    max_size=40,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(CLICKS, min_size=1, max_size=3))
def test_increments_and_rebuild_are_equal(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[dict[str, Any]]]
) -> None:
    """For any lines in any batches, each id counts once and the sums equal those of a rebuild."""
    config = make_config(tmp_path_factory.mktemp("data"))
    store = open_store(config.data_directory)
    with store.transaction():
        issue = issues.add(
            store, "may", title="", format="html", domain="go.example", sent_at=None, recipients=None, source=b"x",
            now=1,
        )  # fmt: skip
        for code in ("one", "two"):
            link = links.add(store, "go.example", code, target="https://a.example/", now=1)
            issues.replace_placements(store, issue, [issues.Placement(link, 1, None, "title", "")])
    for number, batch in enumerate(batches):
        segment(config.data_directory, f"s{number}", [line(keys.pop("id"), **keys) for keys in batch])
        drain(store, config)
    incremental = rollups(store)
    assert Counter(stored_ids(store)) == Counter(set(stored_ids(store)))
    assert store.value(
        "select coalesce(sum(human + bot + scanner + preview + prefetch), 0) from clicks_by_link"
    ) == len(stored_ids(store))
    with store.transaction():
        recompute_coarse_rollups(store)
    assert rollups(store) == incremental
    rebuild(store, on_progress=lambda _: None)
    assert rollups(store) == incremental
    store.close()
