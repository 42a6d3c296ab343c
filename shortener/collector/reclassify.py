"""Judging history again with today's rules and lists: every request by itself, and by its neighbours' requests.

Each step is one transaction that also moves a mark, so that a reclassification that was interrupted goes on where it
stopped; done twice it changes nothing.
"""

import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from shortener.classification.evidence import Classification, ClickRequest
from shortener.classification.nearby_clicks import NearbyClick
from shortener.classification.networks import NetworkTable
from shortener.classification.request_rules import RULES_VERSION
from shortener.collector.classifier import BATCH_SIZE, Classifier
from shortener.collector.datacenters import read_datacenters
from shortener.collector.devices import UserAgentCache
from shortener.collector.ip_databases import IPDatabases
from shortener.collector.recount import VerdictChange
from shortener.collector.request_cache import RequestClassifier
from shortener.collector.stored_evidence import StoredRequestReader
from shortener.config import Config
from shortener.store import Store
from shortener.store import nearby_clicks as sql
from shortener.store.nearby_clicks import StoredRequest

PROGRESS_KEY = "reclassified_seq"
"""A fact of the store: how far a reclassification has come; absent when none is under way."""
JOB_KEY = "reclassify_job"
"""A fact that stands for the rules, lists and time of that reclassification: another one starts anew."""


class ReclassifyResult(Struct, frozen=True):
    """What a reclassification did. ``resumed`` where it went on with one that had been interrupted."""

    clicks: int
    verdict_changes: Counter[VerdictChange]
    resumed: bool


def reclassify(
    store: Store, *, config: Config, since: int = 0, on_progress: Callable[[int, int], None]
) -> ReclassifyResult:
    """Judge every stored click from ``since`` (seconds of UTC epoch) on again.

    ``on_progress`` is told how many clicks are done, and of how many. The collector need not be stopped.
    """
    datacenters = read_datacenters(config)
    atlas = IPDatabases(config)
    known = (datacenters.fingerprint(), *atlas.fingerprint())
    task = zlib.crc32(repr((since, RULES_VERSION, _https_hosts(config), *known)).encode())
    begin = sql.first_seq_since(store, since * 1000)
    if begin is None:
        return ReclassifyResult(0, Counter(), False)
    resumed = store.meta(JOB_KEY) == task and store.meta(PROGRESS_KEY) >= begin
    at = store.meta(PROGRESS_KEY) if resumed else begin - 1
    judge = Classifier(
        store,
        agents=UserAgentCache(store),
        classify_requests=_StoredRequestClassifier(store, config, datacenters, atlas),
    )
    done, total = 0, sql.count_from_seq(store, at + 1)
    while reached := _reclassify_batch(store, judge, at, job_id=task):
        at, clicks = reached
        done += clicks
        on_progress(done, total)
    return ReclassifyResult(done, judge.verdict_changes, resumed)


def _reclassify_batch(
    store: Store, classifier: Classifier, after_seq: int, *, job_id: int
) -> tuple[int, int] | None:
    """One transaction: the seq that it reached and how many clicks it judged, None at the end."""
    with store.transaction():
        rows = sql.clicks_after(store, after_seq, limit=BATCH_SIZE)
        if not rows:
            sql.delete_meta(store, PROGRESS_KEY)
            sql.delete_meta(store, JOB_KEY)
            return None
        classifier.reclassify(rows)
        last = rows[-1][0]
        sql.set_rules_version(store, RULES_VERSION, first_seq=rows[0][0], last_seq=last)
        sql.set_meta(store, PROGRESS_KEY, last)
        sql.set_meta(store, JOB_KEY, job_id)
    return last, len(rows)


class _StoredRequestClassifier:
    """What today's rules and lists say of stored requests by themselves."""

    def __init__(
        self, store: Store, config: Config, datacenters: NetworkTable, ip_databases: IPDatabases
    ) -> None:
        self._store = store
        self._ip_databases = ip_databases
        self._https_hosts = _https_hosts(config)
        self._request_classifier = RequestClassifier(datacenters)

    def __call__(self, clicks: Sequence[NearbyClick]) -> Mapping[int, Classification]:
        # Read anew each time: a collector that sweeps meanwhile may give an id to other headers.
        stored = StoredRequestReader(self._store)
        return {
            row.seq: self._classify(self._read_request(stored, row))
            for row in sql.stored_requests(self._store, [click.seq for click in clicks])
        }

    def _read_request(self, reader: StoredRequestReader, row: StoredRequest) -> ClickRequest:
        return reader.read(row, https=row.domain in self._https_hosts, asn=self._ip_databases.asn(row.net))

    def _classify(self, request: ClickRequest) -> Classification:
        headers = None if request.headers is None else tuple(request.headers.items())
        return self._request_classifier.classify(request, headers_key=headers)


def _https_hosts(config: Config) -> list[str]:
    """The domains whose short links are reached over https."""
    return sorted(domain.host for domain in config.domains if domain.scheme == "https")
