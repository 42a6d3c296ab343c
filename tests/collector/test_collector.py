"""The collector: every line of the click log counts exactly once, whatever happens to the log or to the collector."""

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shortener.collector import collector as collecting
from shortener.collector.collector import Collector, acquire_collector, drain_once
from shortener.collector.rebuild import rebuild
from shortener.config import Config, Domain, Privacy, Storage
from shortener.errors import AlreadyRunning, StoreError
from shortener.store import Store, clicks, issues, links, open_store
from shortener.store.rollups import ALL_ROLLUPS, recompute_coarse_rollups

NOON = 1_795_500_000.0
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"


def make_config(data: Path, **privacy: Any) -> Config:
    return Config(
        domain=(Domain(host="go.example"), Domain(host="case.example", case_sensitive=True)),
        storage=Storage(data=str(data)),
        privacy=Privacy(**privacy),
    )


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return make_config(tmp_path)


@pytest.fixture
def store(config: Config) -> Iterator[Store]:
    """A store with an issue of two links: `one` placed at 1 and 2, `two` at 3, and the lone link `Abc`."""
    store = open_store(config.data_directory)
    with store.transaction():
        issue = issues.add(
            store, "may", title="May", format="markdown", domain="go.example", sent_at=None, recipients=None,
            source=b"x", now=1,
        )  # fmt: skip
        placed = []
        for code, numbers in (("one", (1, 2)), ("two", (3,))):
            article = issues.put_article(
                store,
                issue,
                f"https://a.example/{code}",
                title=code,
                author="",
                summary="",
                section="",
                image="",
            )
            link = links.add(store, "go.example", code, target=f"https://a.example/{code}", now=1)
            links.assign_owner(store, link, issue_id=issue, article_id=article, now=1)
            placed += [issues.Placement(link, n, article, "title", code) for n in numbers]
        issues.replace_placements(store, issue, placed)
        links.add(store, "case.example", "Abc", target="https://a.example/abc", now=1)
    yield store
    store.close()


def line(id: str, code: str = "one", **more: Any) -> dict[str, Any]:
    """A click line of a reader with a browser of today."""
    base = {
        "v": 1, "id": id, "ts": NOON, "host": "go.example", "code": code, "method": "GET", "status": 302,
        "ua": FIREFOX, "visitor": "aa", "addr": "bb", "net": "192.0.2.0/24", "lang": "en",
        "h": {"accept": "*/*", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"},
    }  # fmt: skip
    return base | more


def segment(data: Path, name: str, lines: list[Any], *, header: bool = True, end: bytes = b"") -> Path:
    """Write a segment as a process would that is dead by now."""
    directory = data / "clicklog"
    directory.mkdir(exist_ok=True)
    first = [{"v": 1, "segment": name, "node": "test", "started": NOON}] if header else []
    path = directory / f"{name}.jsonl"
    path.write_bytes(b"".join(json.dumps(each).encode() + b"\n" for each in first + lines) + end)
    return path


def drain(store: Store, config: Config, **more: Any) -> None:
    collector = Collector(store, config=config, clock=lambda: NOON, **more)
    try:
        collector.drain()
    finally:
        collector.close()


def stored(store: Store) -> list[str]:
    return [row[0] for row in store.execute("select id from clicks order by id")]


def rollups(store: Store) -> dict[str, list[Any]]:
    """All rows of the fine rollups and of the coarse ones."""
    return {rollup.table: sorted(store.execute(f"select * from {rollup.table}")) for rollup in ALL_ROLLUPS}


def test_a_click_counts_under_its_link_placement_and_issue(store: Store, config: Config) -> None:
    """The placement in the URL decides the placement and the issue; visitors count once a day at each level."""
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
        (row["code"], row["n"]): (row["clicks"], row["visitors"], row["link_visitors"], row["issue_visitors"])
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
    """A case-insensitive domain takes any spelling, a case-sensitive one only its own."""
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
    assert stored(store) == ["a", "b", "c"]


def test_an_id_seen_twice_counts_once(store: Store, config: Config) -> None:
    """In one batch, across segments and after a restart, an id is one click."""
    segment(config.data_directory, "s1", [line("a"), line("a"), line("b")])
    segment(config.data_directory, "s2", [line("b"), line("c")])
    drain(store, config)
    segment(config.data_directory, "s3", [line("c"), line("a"), line("d")])
    drain(store, config)
    assert stored(store) == ["a", "b", "c", "d"]
    assert store.value("select sum(clicks) from clicks_by_link") == 4


def test_a_copied_or_renamed_segment_is_known_again(store: Store, config: Config) -> None:
    """A segment is its header's id, not its name: moved, copied back or read by another host, it adds nothing."""
    path = segment(config.data_directory, "s1", [line("a"), line("b")])
    drain(store, config)
    path.rename(path.with_name("renamed.jsonl"))
    segment(config.data_directory, "s1", [line("a"), line("b")])
    drain(store, config)
    assert stored(store) == ["a", "b"]
    assert store.value("select count(*) from segments") == 1


def test_a_growing_segment_is_read_on_from_its_position(store: Store, config: Config) -> None:
    """What is appended later is read later, also when a line arrives in two pieces."""
    path = segment(config.data_directory, "foreign.log", [line("a")], header=False)
    drain(store, config)
    whole = json.dumps(line("b")).encode() + b"\n"
    with path.open("ab") as file:
        file.write(whole[:30])
        file.flush()
        drain(store, config)
        assert stored(store) == ["a"]
        file.write(whole[30:])
    drain(store, config)
    assert stored(store) == ["a", "b"]
    assert store.value("select skipped from segments") == 0


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        pytest.param(b'{"v":1,"id":"x"', "unreadable", id="half a line"),
        pytest.param(b"\0" * 300, "unreadable", id="a block of zeros"),
        pytest.param(b"\xff\xfe garbage", "unreadable", id="garbage"),
        pytest.param(b'{"v":1,"id":"x","ts":1}', "wrong keys", id="keys missing"),
        pytest.param(
            b'{"v":1,"id":"x","ts":"now","host":"h","code":"c"}', "wrong keys", id="time of letters"
        ),
        pytest.param(b'{"v":2,"id":"x","ts":1,"host":"h","code":"c"}', "other version", id="version 2"),
        pytest.param(b'{"v":1,"id":"","ts":1,"host":"h","code":"c"}', "wrong values", id="empty id"),
        pytest.param(b'{"v":1,"id":"x","ts":-5,"host":"h","code":"c"}', "wrong values", id="before 1970"),
        pytest.param(b"[1,2,3]", "wrong keys", id="a list"),
        pytest.param(b'"' + b"x" * 9000 + b'"', "over-long", id="9 KB"),
        pytest.param(b"x" * 3_000_000, "over-long", id="3 MB"),
        pytest.param(b'{"v":1,"x":' + b"[" * 4000, "unreadable", id="nested"),
    ],
)
def test_a_bad_line_is_passed_over_alone(store: Store, config: Config, bad: bytes, reason: str) -> None:
    """A torn, over-long or foreign line is counted with its offset and reason; its neighbours count as ever."""
    path = segment(config.data_directory, "s1", [line("a")])
    offset = path.stat().st_size
    with path.open("ab") as file:
        file.write(bad + b"\n" + json.dumps(line("b")).encode() + b"\n")
    drain(store, config)
    assert stored(store) == ["a", "b"]
    assert store.execute("select byte_position, reason from skips").fetchall() == [(offset, reason)]
    assert store.execute("select skipped, lines from segments").fetchone()[0] == 1


@pytest.mark.parametrize(
    "tail", [b'{"v":1,"id":"torn"', b"\0" * 100, b"y" * 2_500_000], ids=["torn", "zeros", "long"]
)
def test_a_dead_writers_torn_tail_ends_the_segment(store: Store, config: Config, tail: bytes) -> None:
    """What a kill tore off is counted as skipped, and the segment is finished: nobody will complete it."""
    segment(config.data_directory, "s1", [line("a")], end=tail)
    drain(store, config)
    assert stored(store) == ["a"]
    assert store.execute("select skipped, finished_at is not null from segments").fetchone() == (1, 1)


def test_a_shortened_segment_is_not_read_again(store: Store, config: Config) -> None:
    """A segment that lost its tail (a power cut) is left alone behind its position."""
    path = segment(config.data_directory, "s1", [line("a"), line("b")])
    drain(store, config)
    path.write_bytes(path.read_bytes()[:-40])
    drain(store, config)
    assert stored(store) == ["a", "b"]


def test_nothing_is_half_done_when_the_commit_fails(
    store: Store, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clicks, sums and position go in together or not at all; the next try brings them all, once."""
    segment(config.data_directory, "s1", [line("a"), line("b", ua="Another/1.0 (x)")])
    real: Callable[..., None] = clicks.advance_position

    def fail(*args: Any, **more: Any) -> None:
        real(*args, **more)
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(clicks, "advance_position", fail)
    with pytest.raises(sqlite3.OperationalError):
        drain(store, config)
    assert stored(store) == []
    assert not any(rollups(store).values())
    monkeypatch.undo()
    drain(store, config)
    assert stored(store) == ["a", "b"]
    assert store.value("select sum(clicks) from clicks_by_link") == 2


def test_there_is_one_collector_at_a_time(store: Store, config: Config) -> None:
    """A second collector is refused; `--once` then waits for the first to reach what was written before."""
    first = Collector(store, config=config, clock=lambda: NOON)
    with pytest.raises(AlreadyRunning, match="another collector"):
        Collector(store, config=config)
    segment(config.data_directory, "s1", [line("a")])
    first.drain()
    assert drain_once(store, config=config) == 0
    first.close()
    drain(store, config)


def test_a_waiting_collector_gives_up_when_it_shall_stop(store: Store, config: Config) -> None:
    """Who waits for another collector to end hears SIGTERM, and gets its turn when the other has ended."""
    first = Collector(store, config=config)
    looks = iter([False, False, True, True, True])
    assert acquire_collector(store, config=config, stop=lambda: next(looks)) is None
    first.close()
    second = acquire_collector(store, config=config, stop=lambda: False)
    assert second is not None
    second.close()


def test_a_stop_does_not_wait_for_a_backlog(
    store: Store, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After SIGTERM what is short is drained; of a backlog what can be in time, and the next one takes the rest."""
    segment(config.data_directory, "s1", [line("first")])
    collector = Collector(store, config=config, clock=lambda: NOON)
    collector.follow(stop=lambda: True)
    assert stored(store) == ["first"]
    for number in range(30):
        segment(config.data_directory, f"t{number:02}", [line(f"c{number:02}")])
    monkeypatch.setattr(collecting, "BATCH_LINES", 1)
    monkeypatch.setattr(collecting, "SHUTDOWN_SECONDS", 10.0)
    seconds = iter(range(1000))
    with monkeypatch.context() as slow:
        slow.setattr("time.monotonic", lambda: float(next(seconds)))
        collector.follow(stop=lambda: True)
    collector.close()
    assert 1 < len(stored(store)) < 31
    drain(store, config)
    assert len(stored(store)) == 31
    assert store.value("select sum(clicks) from clicks_by_link") == 31


def test_a_locked_store_is_tried_again(store: Store, config: Config) -> None:
    """The collector outlives somebody else's long transaction, and goes on where it was."""
    segment(config.data_directory, "s1", [line("a")])
    collector = Collector(store, config=config, clock=lambda: NOON)
    store.execute("pragma busy_timeout = 20")
    other = sqlite3.connect(config.data_directory / "store.db", isolation_level=None)
    other.execute("begin immediate")
    looks = 0

    def stop() -> bool:
        nonlocal looks
        looks += 1
        if looks == 4:
            assert stored(store) == []
            other.execute("rollback")
        return bool(stored(store))

    collector.follow(stop=stop)
    other.close()
    collector.close()
    assert stored(store) == ["a"]


def test_a_stop_while_the_store_is_locked_is_in_order(
    store: Store, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that cannot be written at SIGTERM is said in one line, and nothing is lost."""
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
    assert stored(store) == ["a"]


def test_a_position_that_someone_else_moved_is_believed(store: Store, config: Config) -> None:
    """A collector that was frozen while another one drained looks again, and counts nothing twice."""
    segment(config.data_directory, "s1", [line("a"), line("b")])
    frozen = Collector(store, config=config, clock=lambda: NOON)
    fcntl_free = config.data_directory / "collector.lock"
    fcntl_free.unlink()
    other = open_store(config.data_directory)
    drain(other, config)
    frozen.drain()
    assert stored(store) == ["a", "b"]
    assert store.value("select sum(clicks) from clicks_by_link") == 2
    other.close()
    frozen.close()


def test_a_store_that_was_moved_away_stops_the_collector(store: Store, config: Config) -> None:
    """Clicks are not written into a file that nobody will look at, and no empty store is made in its place."""
    segment(config.data_directory, "s1", [line("a")])
    collector = Collector(store, config=config)
    (config.data_directory / "store.db").rename(config.data_directory / "elsewhere.db")
    with pytest.raises(StoreError, match="moved away"):
        collector.drain()
    collector.close()
    with pytest.raises(StoreError, match="there is a click log but no store"):
        open_store(config.data_directory)


def test_misses_are_kept_apart_from_clicks(store: Store, config: Config) -> None:
    """A 404 or 410 is no click; a flood of random codes is summed up."""
    lines = [line(f"m{i}", f"random{i}", status=404) for i in range(1500)]
    segment(config.data_directory, "s1", [*lines, line("x", "one", status=410), line("a")])
    drain(store, config)
    assert stored(store) == ["a"]
    assert store.value("select sum(requests) from misses") == 1501
    assert store.value("select count(*) from misses") <= clicks.MAX_MISSED_CODES_PER_DAY + 2


def test_a_foreign_writers_address_is_reduced(store: Store, config: Config) -> None:
    """A whole address in a line becomes a network and hashes; it is nowhere in the store's files."""
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


def test_who_asks_not_to_be_followed_only_counts(store: Store, config: Config) -> None:
    """With GPC or DNT a line loses visitor, user agent and referrer, whoever wrote it."""
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


def test_without_addresses_nothing_of_a_reader_is_kept(store: Store, tmp_path: Path) -> None:
    """addresses = "none" drops network, hashes and tokens."""
    config = make_config(tmp_path, addresses="none")
    segment(config.data_directory, "s1", [line("a", copy="cc"), line("b", ip="203.0.113.7")])
    drain(store, config)
    assert (
        store.execute("select net, addr, visitor, recipient_token from clicks").fetchall()
        == [(None,) * 4] * 2
    )


def test_ten_thousand_small_segments_are_drained(store: Store, config: Config) -> None:
    """Many small segments share transactions; each is finished and none is read twice."""
    for number in range(2_000):
        segment(config.data_directory, f"s{number:05}", [line(f"c{number}")])
    drain(store, config)
    assert len(stored(store)) == 2_000
    assert store.value("select count(*) from segments where finished_at is not null") == 2_000


def test_old_clicks_go_and_their_sums_stay(store: Store, config: Config) -> None:
    """After keep_clicks days single clicks are deleted with what only they used; rebuild leaves their sums alone."""
    old = NOON - 100 * 86_400
    segment(config.data_directory, "s1", [line("a", ts=old, ua="Old/1.0 (old browser)"), line("b")])
    collector = Collector(store, config=config, clock=lambda: NOON)
    collector.drain()
    before = rollups(store)
    collector.sweep()
    collector.close()
    assert stored(store) == ["b"]
    assert store.value("select count(*) from user_agents where ua like 'Old%'") == 0
    rebuild(store, on_progress=lambda _: None)
    assert rollups(store) == before


def test_drained_segments_are_deleted_after_keep_log(store: Store, config: Config) -> None:
    """A drained segment is kept for keep_log days, an undrained one for ever."""
    import os

    done = segment(config.data_directory, "s1", [line("a")])
    drain(store, config)
    waiting = segment(config.data_directory, "s2", [line("b")])
    for path in (done, waiting):
        os.utime(path, (NOON - 8 * 86_400,) * 2)
    collector = Collector(store, config=config, clock=lambda: NOON)
    collector.sweep()
    assert not done.exists()
    assert waiting.exists()
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
def test_increments_and_rebuild_say_the_same(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[dict[str, Any]]]
) -> None:
    """Whatever lines came in whatever batches: each id counts once, and the sums are those of the stored clicks."""
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
        segment(config.data_directory, f"s{number}", [line(each.pop("id"), **each) for each in batch])
        drain(store, config)
    incremental = rollups(store)
    assert Counter(stored(store)) == Counter(set(stored(store)))
    assert store.value("select coalesce(sum(clicks), 0) from clicks_by_link") == len(stored(store))
    with store.transaction():
        recompute_coarse_rollups(store)
    assert rollups(store) == incremental
    rebuild(store, on_progress=lambda _: None)
    assert rollups(store) == incremental
    store.close()
