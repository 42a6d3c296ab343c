"""Reclassification: stored clicks are classified again, as human or automated, with the current rules and lists.

An interrupted reclassification continues where it stopped.
"""

import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from functools import lru_cache, partial

import msgspec
from msgspec import Struct

from shortener.classification.evidence import Classification, ClickRequest
from shortener.classification.networks import NetworkTable
from shortener.classification.request_rules import RULES_VERSION
from shortener.collector.classifier import BATCH_SIZE, Classifier
from shortener.collector.datacenters import read_datacenters
from shortener.collector.devices import UserAgentCache
from shortener.collector.ip_databases import IPDatabases
from shortener.collector.recount import VerdictChange
from shortener.collector.request_cache import RequestClassifier
from shortener.config import Config
from shortener.store import Store, nearby_clicks
from shortener.store.nearby_clicks import StoredRequest

PROGRESS_KEY = "reclassified_seq"
"""Key in the table ``meta`` for the last sequence number that was done; absent when nothing is under way."""
JOB_KEY = "reclassify_job"
"""Key in the table ``meta`` for a checksum of rules, lists and start time. A run is resumed only if it is equal."""
CACHE_SIZE = 20_000


class ReclassifyResult(Struct, frozen=True):
    """Number of reclassified clicks, how often each verdict changed, and whether an interrupted run was continued."""

    clicks: int
    verdict_changes: Counter[VerdictChange]
    resumed: bool


def reclassify(
    store: Store,
    *,
    config: Config,
    since: int = 0,  # seconds of the UTC epoch
    on_progress: Callable[[int, int], None],  # called with (number of clicks done, number of all clicks)
) -> ReclassifyResult:
    """Classify all stored clicks since a given time again, with the current rules. The collector may run meanwhile."""
    datacenters = read_datacenters(config)
    ip_databases = IPDatabases(config)
    lists = (datacenters.fingerprint(), *ip_databases.fingerprint())
    job_id = zlib.crc32(repr((since, RULES_VERSION, sorted(config.https_hosts), *lists)).encode())
    first_seq = nearby_clicks.first_seq_since(store, since * 1000)
    if first_seq is None:
        return ReclassifyResult(0, Counter(), False)
    resumed = store.meta(JOB_KEY) == job_id and store.meta(PROGRESS_KEY) >= first_seq
    last_seq = store.meta(PROGRESS_KEY) if resumed else first_seq - 1
    classifier = Classifier(store, agents=UserAgentCache(store))
    requests = _StoredRequestClassifier(store, config, datacenters, ip_databases)
    done, total = 0, nearby_clicks.count_from_seq(store, last_seq + 1)
    while batch := _reclassify_next_batch(store, classifier, requests, last_seq, job_id=job_id):
        last_seq, clicks = batch
        done += clicks
        on_progress(done, total)
    return ReclassifyResult(done, classifier.verdict_changes, resumed)


def _reclassify_next_batch(
    store: Store, classifier: Classifier, requests: "_StoredRequestClassifier", after_seq: int, *, job_id: int
) -> tuple[int, int] | None:
    with store.transaction():
        rows = nearby_clicks.clicks_after(store, after_seq, limit=BATCH_SIZE)
        if not rows:
            store.delete_meta(PROGRESS_KEY)
            store.delete_meta(JOB_KEY)
            return None
        classifier.reclassify(rows, classify_requests=requests.classify)
        last_seq = rows[-1][0]
        nearby_clicks.set_rules_version(store, RULES_VERSION, first_seq=rows[0][0], last_seq=last_seq)
        store.set_meta(PROGRESS_KEY, last_seq)
        store.set_meta(JOB_KEY, job_id)
    return last_seq, len(rows)


class StoredRequestReader:
    """Reads the requests of stored clicks. User agents and headers are cached."""

    def __init__(self, store: Store) -> None:
        # Many clicks share user agent and headers.
        self._user_agent = lru_cache(CACHE_SIZE)(partial(nearby_clicks.user_agent_text, store))
        self._headers = lru_cache(CACHE_SIZE)(partial(_load_headers, store))

    def read(
        self,
        row: StoredRequest,
        *,
        https: bool,  # whether the short URL begins with ``https``
        asn: int | None = None,  # autonomous system number of the network
    ) -> ClickRequest:
        """Return the request of a stored click, with the fields that the classification rules read."""
        return ClickRequest(
            ts=row.ts / 1000,
            method=row.method,
            ua=None if row.agent_id is None else self._user_agent(row.agent_id),
            headers=None if row.headers_id is None else self._headers(row.headers_id),
            lang=row.language or None,
            https=https,
            net=row.net,
            ref=row.referrer or None,
            asn=asn,
        )


def _load_headers(store: Store, headers_id: int) -> dict[str, str]:
    return msgspec.json.decode(nearby_clicks.headers_text(store, headers_id), type=dict[str, str])


class _StoredRequestClassifier:
    """Classifies stored clicks by their requests only, without nearby clicks, with the current rules and lists."""

    def __init__(self, store: Store, config: Config, datacenters: NetworkTable, ip_databases: IPDatabases) -> None:
        self._store = store
        self._ip_databases = ip_databases
        self._https_hosts = config.https_hosts
        self._request_classifier = RequestClassifier(datacenters)

    def classify(self, seqs: Iterable[int]) -> dict[int, Classification]:
        """Return the classifications of stored clicks by sequence number."""
        # A new reader each time: a collector that runs meanwhile may delete headers and reuse their id.
        reader = StoredRequestReader(self._store)
        return {
            row.seq: self._classify(self._read_request(reader, row))
            for row in nearby_clicks.stored_requests(self._store, seqs)
        }

    def _read_request(self, reader: StoredRequestReader, row: StoredRequest) -> ClickRequest:
        return reader.read(row, https=row.domain in self._https_hosts, asn=self._ip_databases.asn(row.net))

    def _classify(self, request: ClickRequest) -> Classification:
        headers_key = None if request.headers is None else tuple(request.headers.items())
        return self._request_classifier.classify(request, headers_key=headers_key)
