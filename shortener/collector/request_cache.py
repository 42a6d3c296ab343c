"""Cache of classifications, so that requests with equal fields are classified once."""

from collections.abc import Hashable
from functools import lru_cache, partial

from cachetools import LRUCache

from shortener.classification.evidence import Classification, ClickRequest
from shortener.classification.networks import NetworkTable
from shortener.classification.request_rules import classify_request, is_rewriter, network_evidence
from shortener.durations import DAY_SECONDS

CACHE_SIZE = 20_000


class RequestClassifier:
    """Classifies requests as human or automated by their own fields, and caches recent results."""

    def __init__(self, datacenters: NetworkTable) -> None:
        self._datacenters = datacenters
        self._classifications: LRUCache[tuple[object, ...], Classification] = LRUCache(CACHE_SIZE)
        self._network_evidence = lru_cache(maxsize=CACHE_SIZE)(partial(network_evidence, datacenters=datacenters))

    def classify(
        self,
        request: ClickRequest,
        *,
        headers_key: Hashable,  # such as the id of the headers in the store
    ) -> Classification:
        """Return the classification of a request, from the cache if possible.

        Requests with equal ``headers_key`` must have equal headers.
        """
        key = (
            request.ua,
            headers_key,
            request.method,
            not request.lang,
            request.https,
            _cached_is_rewriter(request.ref or ""),
            self._network_evidence(request.net, asn=request.asn),
            request.ts // DAY_SECONDS,  # which browser versions exist depends on the day
        )
        classification = self._classifications.get(key)
        if classification is None:
            classification = classify_request(request, datacenters=self._datacenters)
            self._classifications[key] = classification
        return classification

    def clear(self) -> None:
        """Forget all cached results.

        Call it after IP databases change, or after headers are deleted from the store, because their ids may be reused.
        """
        self._classifications.clear()
        self._network_evidence.cache_clear()


_cached_is_rewriter = lru_cache(maxsize=CACHE_SIZE)(is_rewriter)
