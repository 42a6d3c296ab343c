"""Judging by neighbours: the same verdicts, first visits and sums, whatever came in which order and batches."""

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from shortener.classification.request_rules import RULES_VERSION
from shortener.collector import classifier
from shortener.collector import collector as collecting
from shortener.collector.classifier import Classifier, queue_reclassification, run_reclassification_queue
from shortener.collector.collector import Collector
from shortener.collector.devices import UserAgentCache
from shortener.collector.neighbourhood import RuleContext
from shortener.collector.rebuild import rebuild
from shortener.collector.reclassify import reclassify
from shortener.collector.unique_visits import first_visits
from shortener.config import Config, Domain, Storage, Verdicts
from shortener.store import clicks as stored
from shortener.store import issues, links, open_store
from shortener.store import nearby_clicks as sql
from shortener.store.rollups import ALL_ROLLUPS, recompute_coarse_rollups
from tests.classification.reference import classify_clicks

NOON = 1_795_500_000
CODES = ("a", "b", "c", "d", "e", "trap")
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/142.0.0.0 Safari/537.36"
)
WHOLE = {"accept": "*/*", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
HOSTED = "203.0.113.0/24"
Line = dict[str, Any]


class Site:
    """A store with one issue of six links, the last one hidden, and a click log that is drained by the collector."""

    def __init__(
        self, data: Path, *, sent: int | None = NOON - 30, lists: bool = True, trap: bool = True
    ) -> None:
        data.mkdir(parents=True, exist_ok=True)
        (data / "cloud.txt").write_text(HOSTED)
        self.config = Config(
            domain=(Domain(host="go.example"),),
            storage=Storage(data=str(data)),
            verdicts=Verdicts(datacenters=(str(data / "cloud.txt"),) if lists else ()),
        )
        self.store = open_store(data)
        self._segments = 0
        with self.store.transaction():
            self.issue = issues.add(
                self.store, "may", title="May", format="html", domain="go.example", sent_at=sent, recipients=None,
                source=b"x", now=1,
            )  # fmt: skip
            placed = []
            for n, code in enumerate(CODES, 1):
                hidden = trap and code == "trap"
                link = links.add(
                    self.store,
                    "go.example",
                    code,
                    target="https://a.example/",
                    now=1,
                    honeypot=hidden,
                    issue_id=self.issue,
                )
                placed.append(issues.Placement(link, n, None, "text", code))
            issues.replace_placements(self.store, self.issue, placed)
            links.add(self.store, "go.example", "lone", target="https://a.example/", now=1)

    def collector(self) -> Collector:
        return Collector(self.store, config=self.config, clock=lambda: NOON)

    def drain(self, lines: Sequence[Line], *, judged: bool = True) -> None:
        """Write a segment and drain it, with or without judging by neighbours."""
        self._segments += 1
        directory = self.config.data_directory / "clicklog"
        directory.mkdir(exist_ok=True)
        head = {"v": 1, "segment": f"s{self._segments}", "node": "test", "started": NOON}
        text = "".join(json.dumps(each) + "\n" for each in (head, *lines))
        (directory / f"{self._segments:04}.jsonl").write_text(text)
        collector = self.collector()
        try:
            if judged:
                collector.drain()
            else:
                while collector._drain_batch(classify=False):
                    pass
        finally:
            collector.close()

    def judge(self) -> int:
        """One round of judging, as the collector does it when it has the time."""
        return Classifier(self.store, agents=UserAgentCache(self.store)).classify_new()

    def settle(self) -> None:
        """Judge whatever is still to be judged."""
        while self.judge():
            pass
        run_reclassification_queue(self.store)

    def reclassify(self) -> Mapping[Any, int]:
        return reclassify(
            self.store, config=self.config, on_progress=lambda done, total: None
        ).verdict_changes

    def judged(self) -> dict[str, tuple[Any, ...]]:
        """What is stored of every click's judgement, by its id."""
        rows = self.store.execute("select id, verdict, reason, evidence, first_visits from clicks")
        return {row[0]: row[1:] for row in rows}

    def expected(self) -> dict[str, tuple[Any, ...]]:
        """The judgement of the pure rules on all stored clicks at once, each with its first visits."""
        world = RuleContext(self.store)
        rows = sql.clicks_after(self.store, 0, limit=1_000_000)
        judged = classify_clicks([world.from_row(row) for row in rows])
        clicks = list(stored.clicks_by_seq(self.store, judged).items())
        for seq, click in clicks:
            click.verdict = judged[seq].verdict
        firsts = {click.id: first for click, first in first_visits([click for _, click in clicks])}
        return {
            click.id: (judged[seq].verdict, judged[seq].reason, judged[seq].evidence, firsts[click.id])
            for seq, click in clicks
        }

    def rollups(self) -> dict[str, list[Any]]:
        """All rows of all sums."""
        return {
            each.table: sorted(self.store.execute(f"select * from {each.table}").fetchall())
            for each in ALL_ROLLUPS
        }

    def check(self) -> None:
        """What is stored is what the pure rules say of everything at once, and the sums are those of the clicks."""
        assert self.judged() == self.expected()
        incremental = self.rollups()
        with self.store.transaction():
            recompute_coarse_rollups(self.store)
        assert self.rollups() == incremental
        rebuild(self.store, on_progress=lambda _: None)
        assert self.rollups() == incremental


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path / "data")
    yield made
    made.store.close()


def line(id: str, code: str = "a", at: float = 300, **more: Any) -> Line:
    """A click line of a reader at home with a browser of today."""
    base = {
        "v": 1, "id": id, "ts": NOON + at, "host": "go.example", "code": code, "n": (*CODES, "lone").index(code) + 1,
        "method": "GET", "status": 302, "ua": FIREFOX, "visitor": "v1", "addr": "a1", "net": "192.0.2.0/24",
        "lang": "en", "h": WHOLE,
    }  # fmt: skip
    return base | more


MOMENTS = (0, 0.3, 0.9, 1.5, 2, 4, 9, 14, 20, 33, 45, 62, 70, 110, 121, 200, 250, 599, 890, 905, 1790, 1830)
LINES = st.builds(
    lambda code, at, jitter, reader, **more: line(
        "", code, at + jitter, addr=f"a{reader}", visitor=f"v{reader}", **more
    ),
    code=st.sampled_from((*CODES, "lone")),
    at=st.sampled_from(MOMENTS),
    jitter=st.integers(0, 999).map(lambda ms: ms / 1000),
    reader=st.integers(1, 3),
    net=st.sampled_from(["192.0.2.0/24", "198.51.100.0/24", HOSTED, None]),
    copy=st.sampled_from([None, None, None, "copy 1", "copy 2"]),
    ua=st.sampled_from([FIREFOX, CHROME, CHROME, "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", None]),
    lang=st.sampled_from(["en", "en", None]),
    h=st.sampled_from([WHOLE, WHOLE, {"accept": "*/*"}, WHOLE | {"sec-gpc": "1"}]),
    ref=st.sampled_from([None, None, "https://urldefense.com/"]),
    method=st.sampled_from(["GET", "GET", "GET", "HEAD"]),
)  # fmt: skip
SWEEP = [line("", code, 40 + n / 10, net=HOSTED, ua=CHROME) for n, code in enumerate(CODES)]
COPIED = [line("", code, 100 + n / 10, copy="copy 1") for n, code in enumerate(CODES)]
Steps = Sequence[tuple[Sequence[Line], int]]
STEPS = st.lists(st.tuples(st.lists(LINES, max_size=12), st.integers(0, 3)), min_size=1, max_size=5)
PROPERTY = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def numbered(steps: Steps) -> list[tuple[list[Line], int]]:
    """The same with an id for each line."""
    made, number = [], 0
    for lines, rounds in steps:
        each = []
        for given_line in lines:
            number += 1
            each.append(given_line | {"id": f"click-{number:03}"})
        made.append((each, rounds))
    return made


@PROPERTY
@given(steps=STEPS, batch=st.sampled_from([1, 3, 7, 20_000]))
@example(steps=[(SWEEP[:2], 2), (SWEEP[4:], 0), (SWEEP[2:4], 1)], batch=1)
@example(steps=[(COPIED[3:], 2), (COPIED[:3], 2)], batch=3)
def test_batches_and_moments_do_not_matter(
    tmp_path_factory: pytest.TempPathFactory, steps: Steps, batch: int
) -> None:
    """However lines are cut into batches and judged when: verdicts, first visits and sums are those of all at once."""
    site = Site(tmp_path_factory.mktemp("data"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classifier, "BATCH_SIZE", batch)
        for lines, rounds in numbered(steps):
            site.drain(lines, judged=False)
            for _ in range(rounds):
                site.judge()
        site.settle()
    site.check()
    site.store.close()


@PROPERTY
@given(steps=STEPS, order=st.randoms(use_true_random=False))
def test_order_does_not_matter(tmp_path_factory: pytest.TempPathFactory, steps: Steps, order: Any) -> None:
    """The same lines in another order, judged after each batch, give the same verdicts, first visits and sums."""
    lines = [each for batch, _ in numbered(steps) for each in batch]
    first, second = (Site(tmp_path_factory.mktemp("data")) for _ in range(2))
    first.drain(lines)
    order.shuffle(lines)
    for at in range(0, len(lines), 5):
        second.drain(lines[at : at + 5])
    assert first.judged() == second.judged()
    assert first.rollups() == second.rollups()
    for site in (first, second):
        site.check()
        site.store.close()


@PROPERTY
@given(
    steps=STEPS, lists=st.booleans(), sent=st.sampled_from([None, NOON - 30, NOON + 600]), trap=st.booleans()
)
@example(steps=[(SWEEP, 1)], lists=False, sent=None, trap=False)
def test_history_follows_what_is_known_today(
    tmp_path_factory: pytest.TempPathFactory, steps: Steps, lists: bool, sent: int | None, trap: bool
) -> None:
    """Told later of lists, of the sending or of the hidden link, the store says what it had said if told at once."""
    site = Site(tmp_path_factory.mktemp("data"), lists=lists, sent=sent, trap=trap)
    today = Site(tmp_path_factory.mktemp("data"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classifier, "BATCH_SIZE", 7)
        for lines, rounds in numbered(steps):
            today.drain(lines)
            site.drain(lines, judged=False)
            for _ in range(rounds):
                site.judge()
        with site.store.transaction():
            issues.update(site.store, site.issue, now=2, sent_at=NOON - 30)
            site.store.execute("update links set honeypot = (code = 'trap')")
            queue_reclassification(site.store, site.issue)
        site.settle()
        site.check()
        site.config = today.config
        site.reclassify()
        site.settle()
    assert site.judged() == today.judged()
    site.check()
    assert not site.reclassify(), "done twice, it changes nothing"
    site.store.close()
    today.store.close()


@PROPERTY
@given(steps=STEPS)
def test_undeclaring_a_hidden_link_lets_its_neighbours_off(
    tmp_path_factory: pytest.TempPathFactory, steps: Steps
) -> None:
    """A link that is no issue's hidden one any more speaks about nobody, on whatever issue."""
    site = Site(tmp_path_factory.mktemp("data"))
    site.drain([each for lines, _ in numbered(steps) for each in lines])
    with site.store.transaction():
        site.store.execute("update links set honeypot = 0")
        queue_reclassification(site.store, site.issue)
    site.settle()
    site.check()
    site.store.close()


def verdicts(site: Site) -> dict[str, str]:
    return {id: each[0] for id, each in site.judged().items()}


def test_late_evidence_judges_the_past_again(site: Site) -> None:
    """Two links of a copy within a second are a reader's until the third line arrives; then all are a machine's."""
    early = [line("1", "a", 50, copy="c"), line("2", "b", 50.2, copy="c")]
    site.drain(early)
    assert set(verdicts(site).values()) == {"human"}
    before = site.rollups()["totals_by_placement"]
    site.drain([line("3", "c", 50.4, copy="c")])
    assert set(verdicts(site).values()) == {"scanner"}
    assert site.rollups()["totals_by_placement"] != before
    assert site.store.value("select sum(clicks) from clicks_by_link where verdict = 'human'") is None
    assert site.store.value("select sum(visitors) from clicks_by_link") == 0
    site.check()


def test_a_first_visit_passes_to_the_next_click(site: Site) -> None:
    """When a visitor's first click turns out a machine's, the next human one is the first visit, also on later days."""
    site.drain([line("1", "a", 50, net=None), line("2", "a", 4000), line("3", "a", 90_000)])
    first = {id: each[3] for id, each in site.judged().items()}
    assert first["1"]
    assert not first["2"]
    assert first["3"], "another day is another first visit"
    site.drain([line("4", "trap", 51, net=None)])
    first = {id: each[3] for id, each in site.judged().items()}
    assert verdicts(site)["1"] == "scanner"
    assert not first["1"]
    assert first["2"]
    assert site.store.value("select sum(visitors) from clicks_by_link") == 2
    site.check()


def test_a_hit_beyond_reach_of_a_late_line_keeps_its_say(site: Site) -> None:
    """A late line between does not let off whom a hidden link's hit further on has caught."""
    site.drain([line("caught", "a", 1000), line("hit", "trap", 1850)])
    assert verdicts(site) == {"caught": "scanner", "hit": "scanner"}
    site.drain([line("late", "b", 300)])
    assert verdicts(site) == {"caught": "scanner", "hit": "scanner", "late": "human"}
    site.check()


@pytest.mark.parametrize("where", ["set_meta", "honeypot_link_ids", "issue_contexts"])
def test_a_crash_while_judging_leaves_nothing_half_done(
    site: Site, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Verdicts, first visits, sums and the mark change together or not at all; the next round brings them all."""
    site.drain([line(str(n), code, 50 + n / 10, copy="c") for n, code in enumerate(CODES)], judged=False)
    before = site.judged(), site.rollups(), site.store.meta("classified_seq")
    real: Callable[..., Any] = getattr(sql, where)

    def fail(*given_args: Any, **more: Any) -> None:
        real(*given_args, **more)
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(sql, where, fail)
    with pytest.raises(sqlite3.OperationalError):
        site.judge()
    assert (site.judged(), site.rollups(), site.store.meta("classified_seq")) == before
    monkeypatch.undo()
    site.settle()
    assert set(verdicts(site).values()) == {"scanner"}
    site.check()


def test_the_last_write_of_a_round_can_fail_too(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure when the sums are corrected, the last thing but the mark, takes the verdicts back as well."""
    site.drain([line(str(n), code, 50 + n / 10, copy="c") for n, code in enumerate(CODES)], judged=False)
    before = site.judged(), site.rollups()

    def fail(*given_args: Any, **more: Any) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(stored, "add_to_rollups", fail)
    with pytest.raises(sqlite3.OperationalError):
        site.judge()
    assert (site.judged(), site.rollups()) == before
    monkeypatch.undo()
    site.settle()
    site.check()


def test_a_reclassification_goes_on_where_it_stopped(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupted after a step, it is resumed behind it; for other rules, lists or times it starts anew."""
    monkeypatch.setattr("shortener.collector.reclassify.BATCH_SIZE", 3)
    site.drain([line(str(n), at=100 * n) for n in range(10)])
    steps: list[int] = []

    def interrupt(done: int, total: int) -> None:
        steps.append(done)
        if done >= 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reclassify(site.store, config=site.config, on_progress=interrupt)
    assert steps == [3, 6]
    resumed = reclassify(site.store, config=site.config, on_progress=lambda done, total: None)
    assert (resumed.clicks, resumed.resumed) == (4, True)
    with pytest.raises(KeyboardInterrupt):
        reclassify(site.store, config=site.config, on_progress=interrupt)
    other = reclassify(site.store, config=site.config, since=NOON + 50, on_progress=lambda done, total: None)
    assert (other.clicks, other.resumed) == (9, False)
    assert not site.store.meta("reclassified_seq")


def test_a_reclassification_writes_the_version_of_its_rules(site: Site) -> None:
    """Every click that was judged again says by which rules, also where nothing changed."""
    site.drain([line("1"), line("2", at=5000)])
    site.store.execute("update clicks set rules_version = 0")
    assert not reclassify(
        site.store, config=site.config, on_progress=lambda done, total: None
    ).verdict_changes
    assert {row[0] for row in site.store.execute("select rules_version from clicks")} == {RULES_VERSION}


def test_a_verdict_of_old_rules_is_mended(site: Site) -> None:
    """A click that older rules had judged otherwise turns once, and is counted once in what changed."""
    site.drain([line("1"), line("2", at=5000)])
    site.store.execute(
        "update clicks set verdict = 'bot', reason = 'named-bot', first_visits = 0 where id = '1'"
    )
    rebuild(site.store, on_progress=lambda _: None)
    assert dict(site.reclassify()) == {(site.issue, "bot", "human"): 1}
    site.check()


def test_clicks_are_judged_after_all_older_ones_were_purged(site: Site) -> None:
    """Numbers of deleted clicks are given again; a new click under an old number is judged as any other."""
    site.drain([line(str(n), at=-n * 100) for n in range(8)])
    while stored.purge_clicks(site.store, before=NOON + 86_400):
        pass
    fresh = [line(f"new {n}", code, 200_000 + n / 10, copy="c") for n, code in enumerate(CODES)]
    site.drain(fresh)
    assert set(verdicts(site).values()) == {"scanner"}


def test_what_an_issue_places_later_moves_no_counted_click(site: Site) -> None:
    """A click counts under the placement that its issue had when it came, before and after it is judged again."""
    site.drain([line("1", "a", 50, copy="c", n=9), line("2", "b", 50.2, copy="c")])
    with site.store.transaction():
        link = links.get(site.store, "go.example", "a")
        placed = issues.list_placements(site.store, site.issue)
        later = issues.Placement(link.id, 9, None, "text", "")
        issues.replace_placements(site.store, site.issue, [*placed, later])
    site.drain([line("3", "c", 50.4, copy="c")])
    assert set(verdicts(site).values()) == {"scanner"}
    site.check()


KILLED = """
import os, signal, sys
from pathlib import Path
from shortener.collector import reclassify
from shortener.config import load
from shortener.store import nearby_clicks, open_store

reclassify.BATCH_SIZE = 2
calls = []
say = nearby_clicks.set_rules_version

def set_rules(*args, **more):
    say(*args, **more)
    calls.append(1)
    if len(calls) == 3:
        os.kill(os.getpid(), signal.SIGKILL)  # within the third transaction

nearby_clicks.set_rules_version = set_rules
config = load(Path(sys.argv[1]), environment={})
reclassify.reclassify(open_store(config.data_directory), config=config, on_progress=lambda done, total: None)
"""


def test_a_reclassification_that_was_killed_goes_on(site: Site, tmp_path: Path) -> None:
    """kill -9 within a step loses that step only: the same command goes on behind the one before, and all agree."""
    site.drain(
        [line(str(n), CODES[n % 5], 50 + n / 10, net=HOSTED, visitor=f"v{n}", addr=f"a{n}") for n in range(9)]
    )
    site.store.execute(
        "update clicks set verdict = 'human', reason = 'reader', evidence = 0, rules_version = 1"
    )
    rebuild(site.store, on_progress=lambda _: None)
    (tmp_path / "config.toml").write_text(
        f'[[domain]]\nhost = "go.example"\n[storage]\ndata = "{site.config.data_directory}"\n'
        f'[verdicts]\ndatacenters = ["{site.config.data_directory}/cloud.txt"]\n'
    )
    command = [sys.executable, "-c", KILLED, str(tmp_path / "config.toml")]
    killed = subprocess.run(command, check=False, cwd=Path(__file__).parents[2])
    assert killed.returncode == -signal.SIGKILL
    assert site.store.meta("reclassified_seq") == 4
    outcome = reclassify(site.store, config=site.config, on_progress=lambda done, total: None)
    assert (outcome.clicks, outcome.resumed) == (5, True)
    assert set(verdicts(site).values()) == {"scanner"}
    site.check()


@PROPERTY
@given(steps=STEPS, batch=st.sampled_from([1, 2, 5]))
def test_judged_before_or_after_it_is_stored(
    tmp_path_factory: pytest.TempPathFactory, steps: Steps, batch: int
) -> None:
    """Full batches are judged before they are stored, the rest after it, in any mixture: nothing else comes of it."""
    site = Site(tmp_path_factory.mktemp("data"))
    with pytest.MonkeyPatch.context() as patch:
        for lines, rounds in numbered(steps):
            patch.setattr(collecting, "BATCH_LINES", batch if rounds % 2 else 20_000)
            site.drain(lines, judged=False)
            for _ in range(rounds // 2):
                site.judge()
    site.settle()
    site.check()
    site.store.close()
