"""Judging history again with today's rules and lists: every request by itself, and by its neighbours' requests.

Each step is one transaction that also moves a mark, so that a reclassification that was interrupted goes on where it
stopped; done twice it changes nothing.
"""

import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from shortener.classification.evidence import Evidence, Judgement
from shortener.classification.nearby_clicks import Neighbour
from shortener.classification.networks import NetworkTable
from shortener.classification.request_rules import RULES_VERSION
from shortener.collector.classifier import BATCH, Judge
from shortener.collector.datacenters import read_datacenters
from shortener.collector.devices import Agents
from shortener.collector.ip_databases import Atlas
from shortener.collector.recount import Turn
from shortener.collector.request_cache import Requests
from shortener.collector.stored_evidence import StoredEvidence
from shortener.config import Config
from shortener.store import Store
from shortener.store import nearby_clicks as sql
from shortener.store.nearby_clicks import StoredRequest

MARK = "reclassified_seq"
"""A fact of the store: how far a reclassification has come; absent when none is under way."""
TASK = "reclassify_task"
"""A fact that stands for the rules, lists and time of that reclassification: another one starts anew."""


class Outcome(Struct, frozen=True):
    """What a reclassification did. ``resumed`` where it went on with one that had been interrupted."""

    clicks: int
    turned: Counter[Turn]
    resumed: bool


def reclassify(
    store: Store, *, config: Config, since: int = 0, on_progress: Callable[[int, int], None]
) -> Outcome:
    """Judge every stored click from ``since`` (seconds of UTC epoch) on again.

    ``on_progress`` is told how many clicks are done, and of how many. The collector need not be stopped.
    """
    datacenters = read_datacenters(config)
    atlas = Atlas(config)
    known = (datacenters.fingerprint(), *atlas.fingerprint())
    task = zlib.crc32(repr((since, RULES_VERSION, _secure(config), *known)).encode())
    begin = sql.seq_at(store, since * 1000)
    if begin is None:
        return Outcome(0, Counter(), False)
    resumed = store.fact(TASK) == task and store.fact(MARK) >= begin
    at = store.fact(MARK) if resumed else begin - 1
    judge = Judge(store, agents=Agents(store), requests=_Afresh(store, config, datacenters, atlas))
    done, total = 0, sql.count_from(store, at + 1)
    while reached := _judge_next(store, judge, at, task=task):
        at, clicks = reached
        done += clicks
        on_progress(done, total)
    return Outcome(done, judge.turned, resumed)


def _judge_next(store: Store, judge: Judge, at: int, *, task: int) -> tuple[int, int] | None:
    """One transaction: the seq that it reached and how many clicks it judged, None at the end."""
    with store.writing():
        rows = sql.after(store, at, most=BATCH)
        if not rows:
            sql.drop_fact(store, MARK)
            sql.drop_fact(store, TASK)
            return None
        judge.judge(rows)
        last = rows[-1][0]
        sql.set_rules(store, RULES_VERSION, first=rows[0][0], last=last)
        sql.set_fact(store, MARK, last)
        sql.set_fact(store, TASK, task)
    return last, len(rows)


class _Afresh:
    """What today's rules and lists say of stored requests by themselves."""

    def __init__(self, store: Store, config: Config, datacenters: NetworkTable, atlas: Atlas) -> None:
        self._store = store
        self._atlas = atlas
        self._secure = _secure(config)
        self._requests = Requests(datacenters)

    def __call__(self, clicks: Sequence[Neighbour]) -> Mapping[int, Judgement]:
        # Read anew each time: a collector that sweeps meanwhile may give an id to other headers.
        stored = StoredEvidence(self._store)
        return {
            row.seq: self._judge(self._evidence(stored, row))
            for row in sql.requests(self._store, [click.seq for click in clicks])
        }

    def _evidence(self, stored: StoredEvidence, row: StoredRequest) -> Evidence:
        return stored.of(row, https=row.domain in self._secure, asn=self._atlas.system(row.net))

    def _judge(self, evidence: Evidence) -> Judgement:
        headers = None if evidence.h is None else tuple(evidence.h.items())
        return self._requests.judge(evidence, headers=headers)


def _secure(config: Config) -> list[str]:
    """The domains whose short links are reached over https."""
    return sorted(domain.host for domain in config.domains if domain.scheme == "https")
