"""Classification by nearby clicks: results do not depend on the order of clicks or on batches."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from shortener.classification.detect_honeypot import AUTOMATION_MASK
from shortener.classification.request_rules import RULES_VERSION
from shortener.collector import classifier
from shortener.collector.classifier import Classifier, run_reclassification_queue
from shortener.collector.collector import Collector
from shortener.collector.devices import UserAgentCache
from shortener.collector.neighbourhood import RuleContext
from shortener.collector.rebuild import rebuild
from shortener.collector.reclassify import reclassify
from shortener.collector.unique_visits import first_visits
from shortener.config import Config, Domain, Storage, Verdicts
from shortener.errors import StoreUnavailable
from shortener.store import Store, honeypot_hits, issues, links, nearby_clicks, open_store
from shortener.store.clicks import clicks_by_seq, purge_clicks
from shortener.store.nearby_clicks import queue_reclassification
from shortener.store.rollup_tables import ALL_ROLLUPS
from shortener.store.rollups import recompute_coarse_rollups
from tests.classification.reference import classify_clicks

NOON = 1_795_500_000
CODES = ("a", "b", "c", "d", "e", "trap")
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
)
COMPLETE_HEADERS = {"accept": "*/*", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
DATACENTER = "203.0.113.0/24"
Line = dict[str, Any]


class Site:
    """A store with an issue of six links, the last of them a honeypot link, and a click log."""

    def __init__(self, data: Path, *, sent: int | None = NOON - 30, lists: bool = True, honeypot: bool = True) -> None:
        data.mkdir(parents=True, exist_ok=True)
        (data / "cloud.txt").write_text(DATACENTER)
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
            placements = []
            for n, code in enumerate(CODES, 1):
                link = links.add(
                    self.store,
                    "go.example",
                    code,
                    target="https://a.example/",
                    now=1,
                    honeypot=honeypot and code == "trap",
                    issue_id=self.issue,
                )
                placements.append(issues.Placement(link, n, None, "text", code))
            issues.replace_placements(self.store, self.issue, placements)
            links.add(self.store, "go.example", "lone", target="https://a.example/", now=1)

    def drain(self, lines: Sequence[Line], *, classify: bool = True) -> None:
        """Write a segment and drain it, with or without classification by nearby clicks."""
        self._segments += 1
        directory = self.config.data_directory / "clicklog"
        directory.mkdir(exist_ok=True)
        header = {"v": 1, "segment": f"s{self._segments}", "node": "test", "started": NOON}
        text = "".join(json.dumps(record) + "\n" for record in (header, *lines))
        (directory / f"{self._segments:04}.jsonl").write_text(text)
        collector = Collector(self.store, config=self.config, clock=lambda: NOON)
        try:
            if classify:
                collector.drain()
            else:
                while collector._drain_batch(classify=False):
                    pass
        finally:
            collector.close()

    def classify_batch(self) -> int:
        """Classify the next stored clicks, as the collector does every few seconds; return their number."""
        return Classifier(self.store, agents=UserAgentCache(self.store)).classify_new()

    def classify_all(self) -> None:
        """Classify all clicks that are not classified yet or are queued."""
        while self.classify_batch():
            pass
        run_reclassification_queue(self.store)

    def reclassify(self) -> Mapping[Any, int]:
        """Reclassify all clicks by the current rules; return the changes of verdicts."""
        return reclassify(self.store, config=self.config, on_progress=lambda done, total: None).verdict_changes

    def stored(self) -> dict[str, tuple[Any, ...]]:
        """Return (verdict, reason, evidence, first visits) of all stored clicks by id."""
        rows = self.store.execute("select id, verdict, reason, evidence, first_visits from clicks")
        return {row[0]: row[1:] for row in rows}

    def expected(self) -> dict[str, tuple[Any, ...]]:
        """Return what ``stored`` should return, by the pure rules applied to all stored clicks at once."""
        context = RuleContext(self.store)
        rows = nearby_clicks.clicks_after(self.store, 0, limit=1_000_000)
        results = classify_clicks([context.from_row(row) for row in rows])
        clicks = clicks_by_seq(self.store, results)
        for seq, click in clicks.items():
            click.verdict = results[seq].verdict
        visits = first_visits(clicks)
        return {
            click.id: (results[seq].verdict, results[seq].reason, results[seq].evidence, visits.get(seq, 0))
            for seq, click in clicks.items()
        }

    def rollups(self) -> dict[str, list[Any]]:
        """Return all rows of each rollup."""
        return {
            rollup.table: sorted(self.store.execute(f"select * from {rollup.table}").fetchall())
            for rollup in ALL_ROLLUPS
        }

    def check(self) -> None:
        """Assert that stored results equal those of the pure rules, and rollups and hits those of a recomputation."""
        assert self.stored() == self.expected()
        incremental = self.rollups()
        with self.store.transaction():
            recompute_coarse_rollups(self.store)
        assert self.rollups() == incremental
        rebuild(self.store, on_progress=lambda _: None)
        assert self.rollups() == incremental
        hits = self.store.execute("select * from honeypot_hits").fetchall()
        honeypot_hits.record_again(self.store, first_at=0, last_at=2000 * NOON, machine_mask=AUTOMATION_MASK)
        assert self.store.execute("select * from honeypot_hits").fetchall() == hits


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path / "data")
    yield site
    site.store.close()


def line(id: str, code: str = "a", at: float = 300, **keys: Any) -> Line:
    """Return a click line of a reader with a current browser, ``at`` seconds after NOON."""
    base = {
        "v": 1, "id": id, "ts": NOON + at, "host": "go.example", "code": code, "n": (*CODES, "lone").index(code) + 1,
        "method": "GET", "status": 302, "ua": FIREFOX, "visitor": "v1", "addr": "a1", "net": "192.0.2.0/24",
        "lang": "en", "h": COMPLETE_HEADERS,
    }  # fmt: skip
    return base | keys


TIMES = (0, 0.3, 0.9, 1.5, 2, 4, 9, 14, 20, 33, 45, 62, 70, 110, 121, 200, 250, 599, 890, 905, 1790, 1830)
LINES = st.builds(
    lambda code, at, jitter, reader, **more: line(
        "", code, at + jitter, addr=f"a{reader}", visitor=f"v{reader}", **more
    ),
    code=st.sampled_from((*CODES, "lone")),
    at=st.sampled_from(TIMES),
    jitter=st.integers(0, 999).map(lambda ms: ms / 1000),
    reader=st.integers(1, 3),
    net=st.sampled_from(["192.0.2.0/24", "198.51.100.0/24", DATACENTER, None]),
    copy=st.sampled_from([None, None, None, "copy 1", "copy 2"]),
    ua=st.sampled_from([FIREFOX, CHROME, CHROME, "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", None]),
    lang=st.sampled_from(["en", "en", None]),
    h=st.sampled_from([COMPLETE_HEADERS, COMPLETE_HEADERS, {"accept": "*/*"}, COMPLETE_HEADERS | {"sec-gpc": "1"}]),
    ref=st.sampled_from([None, None, "https://urldefense.com/"]),
    method=st.sampled_from(["GET", "GET", "GET", "HEAD"]),
)  # fmt: skip
DATACENTER_BURST = [line("", code, 40 + n / 10, net=DATACENTER, ua=CHROME) for n, code in enumerate(CODES)]
TOKEN_BURST = [line("", code, 100 + n / 10, copy="copy 1") for n, code in enumerate(CODES)]
Steps = Sequence[tuple[Sequence[Line], int]]
STEPS = st.lists(st.tuples(st.lists(LINES, max_size=12), st.integers(0, 3)), min_size=1, max_size=5)
PROPERTY = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def numbered(steps: Steps) -> list[tuple[list[Line], int]]:
    """Return the steps with an id in each line."""
    numbers = count(1)
    return [([line | {"id": f"click-{next(numbers):03}"} for line in lines], rounds) for lines, rounds in steps]


@PROPERTY
@given(steps=STEPS, batch=st.sampled_from([1, 3, 7, 20_000]))
@example(steps=[(DATACENTER_BURST[:2], 2), (DATACENTER_BURST[4:], 0), (DATACENTER_BURST[2:4], 1)], batch=1)
@example(steps=[(TOKEN_BURST[3:], 2), (TOKEN_BURST[:3], 2)], batch=3)
def test_results_do_not_depend_on_batches(tmp_path_factory: pytest.TempPathFactory, steps: Steps, batch: int) -> None:
    """Verdicts, first visits and sums do not depend on batches, nor on when clicks are classified."""
    site = Site(tmp_path_factory.mktemp("data"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classifier, "BATCH_SIZE", batch)
        for lines, rounds in numbered(steps):
            site.drain(lines, classify=False)
            for _ in range(rounds):
                site.classify_batch()
        site.classify_all()
    site.check()
    site.store.close()


@PROPERTY
@given(steps=STEPS, order=st.randoms(use_true_random=False))
def test_results_do_not_depend_on_order(tmp_path_factory: pytest.TempPathFactory, steps: Steps, order: Any) -> None:
    """Lines in another order, classified after each batch, give equal verdicts, first visits and sums."""
    lines = [line for batch, _ in numbered(steps) for line in batch]
    # Before the stores are open, because Hypothesis may end an example here.
    shuffled = lines.copy()
    order.shuffle(shuffled)
    first, second = (Site(tmp_path_factory.mktemp("data")) for _ in range(2))
    first.drain(lines)
    for start in range(0, len(shuffled), 5):
        second.drain(shuffled[start : start + 5])
    assert first.stored() == second.stored()
    assert first.rollups() == second.rollups()
    for site in (first, second):
        site.check()
        site.store.close()


@PROPERTY
@given(
    steps=STEPS,
    lists=st.booleans(),
    sent=st.sampled_from([None, NOON - 30, NOON + 600]),
    honeypot=st.booleans(),
)
@example(steps=[(DATACENTER_BURST, 1)], lists=False, sent=None, honeypot=False)
def test_late_changes_reclassify_old_clicks(
    tmp_path_factory: pytest.TempPathFactory, steps: Steps, lists: bool, sent: int | None, honeypot: bool
) -> None:
    """Lists, sending time or honeypot link set later give the results that they would have given at first."""
    site = Site(tmp_path_factory.mktemp("data"), lists=lists, sent=sent, honeypot=honeypot)
    expected = Site(tmp_path_factory.mktemp("data"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classifier, "BATCH_SIZE", 7)
        for lines, rounds in numbered(steps):
            expected.drain(lines)
            site.drain(lines, classify=False)
            for _ in range(rounds):
                site.classify_batch()
        with site.store.transaction():
            issues.update(site.store, site.issue, now=2, sent_at=NOON - 30)
            site.store.execute("update links set honeypot = (code = 'trap')")
            queue_reclassification(site.store, site.issue)
        site.classify_all()
        site.check()
        site.config = expected.config
        site.reclassify()
        site.classify_all()
    assert site.stored() == expected.stored()
    site.check()
    assert not site.reclassify(), "a second reclassification changes nothing"
    site.store.close()
    expected.store.close()


@PROPERTY
@given(steps=STEPS)
def test_undeclaring_a_honeypot_link(tmp_path_factory: pytest.TempPathFactory, steps: Steps) -> None:
    """A link that is no honeypot link any more gives no evidence, in any issue."""
    site = Site(tmp_path_factory.mktemp("data"))
    site.drain([line for lines, _ in numbered(steps) for line in lines])
    with site.store.transaction():
        site.store.execute("update links set honeypot = 0")
        queue_reclassification(site.store, site.issue)
    site.classify_all()
    site.check()
    site.store.close()


def verdicts(site: Site) -> dict[str, str]:
    """Return the stored verdicts by click id."""
    return {id: result[0] for id, result in site.stored().items()}


def test_late_clicks_change_earlier_verdicts(site: Site) -> None:
    """Two links of a recipient within a second are human until a third arrives, then all are automated."""
    site.drain([line("1", "a", 50, copy="c"), line("2", "b", 50.2, copy="c")])
    assert set(verdicts(site).values()) == {"human"}
    before = site.rollups()["totals_by_placement"]
    site.drain([line("3", "c", 50.4, copy="c")])
    assert set(verdicts(site).values()) == {"scanner"}
    assert site.rollups()["totals_by_placement"] != before
    assert site.store.value("select sum(human) from clicks_by_link") == 0
    assert site.store.value("select sum(visitors) from clicks_by_link") == 0
    site.check()


def test_a_first_visit_moves_to_the_next_human_click(site: Site) -> None:
    """If a visitor's first click becomes automated, the next human click of that day is the first visit."""
    site.drain([line("1", "a", 50, net=None), line("2", "a", 4000), line("3", "a", 90_000)])
    first = {id: result[3] for id, result in site.stored().items()}
    assert first["1"]
    assert not first["2"]
    assert first["3"], "another day is another first visit"
    site.drain([line("4", "trap", 51, net=None)])
    first = {id: result[3] for id, result in site.stored().items()}
    assert verdicts(site)["1"] == "scanner"
    assert not first["1"]
    assert first["2"]
    assert site.store.value("select sum(visitors) from clicks_by_link") == 2
    site.check()


def test_late_lines_do_not_remove_honeypot_evidence(site: Site) -> None:
    """A late click does not remove the evidence of a honeypot hit that is outside its own window."""
    site.drain([line("caught", "a", 1000), line("hit", "trap", 1850)])
    assert verdicts(site) == {"caught": "scanner", "hit": "scanner"}
    site.drain([line("late", "b", 300)])
    assert verdicts(site) == {"caught": "scanner", "hit": "scanner", "late": "human"}
    site.check()


@pytest.mark.parametrize(
    ("owner", "function"),
    [(Store, "set_meta"), (nearby_clicks, "honeypot_link_ids"), (nearby_clicks, "issue_contexts")],
)
def test_a_failed_classification_stores_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch, owner: object, function: str
) -> None:
    """Verdicts, first visits, sums and progress are stored together or not at all, and all by the next attempt."""
    site.drain([line(str(n), code, 50 + n / 10, copy="c") for n, code in enumerate(CODES)], classify=False)
    before = site.stored(), site.rollups(), site.store.meta("classified_seq")
    original: Callable[..., Any] = getattr(owner, function)

    def fail(*args: Any, **options: Any) -> None:
        original(*args, **options)
        raise StoreUnavailable("disk I/O error")

    monkeypatch.setattr(owner, function, fail)
    with pytest.raises(StoreUnavailable):
        site.classify_batch()
    assert (site.stored(), site.rollups(), site.store.meta("classified_seq")) == before
    monkeypatch.undo()
    site.classify_all()
    assert set(verdicts(site).values()) == {"scanner"}
    site.check()


def test_a_failed_update_of_rollups_stores_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure while the rollups are updated rolls back the verdicts as well."""
    site.drain([line(str(n), code, 50 + n / 10, copy="c") for n, code in enumerate(CODES)], classify=False)
    before = site.stored(), site.rollups()

    def fail(*args: Any, **options: Any) -> None:
        raise StoreUnavailable("database or disk is full")

    monkeypatch.setattr("shortener.collector.recount.add_to_rollups", fail)
    with pytest.raises(StoreUnavailable):
        site.classify_batch()
    assert (site.stored(), site.rollups()) == before
    monkeypatch.undo()
    site.classify_all()
    site.check()


def test_an_interrupted_reclassification_continues(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupted reclassification continues after the last step, but starts anew for another ``since``."""
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


def test_reclassification_stores_the_rules_version(site: Site) -> None:
    """Every reclassified click stores the rules version, also if its verdict did not change."""
    site.drain([line("1"), line("2", at=5000)])
    site.store.execute("update clicks set rules_version = 0")
    assert not reclassify(site.store, config=site.config, on_progress=lambda done, total: None).verdict_changes
    assert {row[0] for row in site.store.execute("select rules_version from clicks")} == {RULES_VERSION}


def test_reclassification_corrects_an_old_verdict(site: Site) -> None:
    """A verdict of older rules changes once and is counted once in the changes."""
    site.drain([line("1"), line("2", at=5000)])
    site.store.execute("update clicks set verdict = 'bot', reason = 'named-bot', first_visits = 0 where id = '1'")
    rebuild(site.store, on_progress=lambda _: None)
    assert dict(site.reclassify()) == {(site.issue, "bot", "human"): 1}
    site.check()


def test_clicks_after_a_purge_are_classified(site: Site) -> None:
    """A new click that gets the seq of a deleted one is classified like any other."""
    site.drain([line(str(n), at=-n * 100) for n in range(8)])
    while purge_clicks(site.store, before=NOON + 86_400):
        pass
    site.drain([line(f"new {n}", code, 200_000 + n / 10, copy="c") for n, code in enumerate(CODES)])
    assert set(verdicts(site).values()) == {"scanner"}


def test_honeypot_hits_are_purged_with_their_clicks(site: Site) -> None:
    """A deletion of old clicks deletes the honeypot hits of their days, and no others."""
    site.drain([line("old", "trap", -86_400), line("new", "trap", 0)])
    assert site.store.value("select count(*) from honeypot_hits") == 2
    purge_clicks(site.store, before=NOON // 86_400 * 86_400)
    assert site.store.value("select count(*) from honeypot_hits") == 1
    site.check()


def test_new_placements_do_not_move_stored_clicks(site: Site) -> None:
    """A click keeps its placement when it is reclassified after the issue got new placements."""
    site.drain([line("1", "a", 50, copy="c", n=9), line("2", "b", 50.2, copy="c")])
    with site.store.transaction():
        link = links.get(site.store, "go.example", "a")
        placements = issues.list_placements(site.store, site.issue)
        new_placement = issues.Placement(link.id, 9, None, "text", "")
        issues.replace_placements(site.store, site.issue, [*placements, new_placement])
    site.drain([line("3", "c", 50.4, copy="c")])
    assert set(verdicts(site).values()) == {"scanner"}
    site.check()


KILLED_PROGRAM = """
import os, signal, sys
from pathlib import Path
from shortener.collector import reclassify
from shortener.config import load
from shortener.store import nearby_clicks, open_store

reclassify.BATCH_SIZE = 2
calls = []
original = nearby_clicks.set_rules_version

def set_rules(*args, **options):
    original(*args, **options)
    calls.append(1)
    if len(calls) == 3:
        os.kill(os.getpid(), signal.SIGKILL)  # within the third transaction

nearby_clicks.set_rules_version = set_rules
config = load(Path(sys.argv[1]), environment={})
reclassify.reclassify(open_store(config.data_directory), config=config, on_progress=lambda done, total: None)
"""


def test_a_killed_reclassification_continues(site: Site, tmp_path: Path) -> None:
    """``kill -9`` within a step loses that step only, and the next reclassification continues before it."""
    site.drain(
        [line(str(n), CODES[n % 5], 50 + n / 10, net=DATACENTER, visitor=f"v{n}", addr=f"a{n}") for n in range(9)]
    )
    site.store.execute("update clicks set verdict = 'human', reason = 'reader', evidence = 0, rules_version = 1")
    rebuild(site.store, on_progress=lambda _: None)
    (tmp_path / "config.toml").write_text(
        f'[[domain]]\nhost = "go.example"\n[storage]\ndata = "{site.config.data_directory}"\n'
        f'[verdicts]\ndatacenters = ["{site.config.data_directory}/cloud.txt"]\n'
    )
    command = [sys.executable, "-c", KILLED_PROGRAM, str(tmp_path / "config.toml")]
    killed = subprocess.run(command, check=False, cwd=Path(__file__).parents[2])
    assert killed.returncode == -signal.SIGKILL
    assert site.store.meta("reclassified_seq") == 4
    result = reclassify(site.store, config=site.config, on_progress=lambda done, total: None)
    assert (result.clicks, result.resumed) == (5, True)
    assert set(verdicts(site).values()) == {"scanner"}
    site.check()


@PROPERTY
@given(steps=STEPS, batch=st.sampled_from([1, 2, 5]))
def test_classification_before_and_after_storing_agree(
    tmp_path_factory: pytest.TempPathFactory, steps: Steps, batch: int
) -> None:
    """Batches classified before they are stored and others classified after give equal results."""
    site = Site(tmp_path_factory.mktemp("data"))
    with pytest.MonkeyPatch.context() as patch:
        for lines, rounds in numbered(steps):
            patch.setattr("shortener.collector.collector.BATCH_LINES", batch if rounds % 2 else 20_000)
            site.drain(lines, classify=False)
            for _ in range(rounds // 2):
                site.classify_batch()
    site.classify_all()
    site.check()
    site.store.close()
