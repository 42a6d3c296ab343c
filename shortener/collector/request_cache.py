"""Judging requests as they come in: what two requests have in common is judged once."""

from collections.abc import Callable, Hashable
from typing import TypeVar

from shortener.classification.evidence import Classification, ClickRequest
from shortener.classification.networks import NetworkTable
from shortener.classification.request_rules import classify_request, is_rewriter, network_evidence

CACHE_SIZE = 20_000
DAY_SECONDS = 86_400

Key = TypeVar("Key")
Value = TypeVar("Value")


class RequestClassifier:
    """The judgements of requests by themselves, the recent ones in memory.

    Most readers of a newsletter send one of a few hundred combinations of user agent and headers, from networks that no
    list knows.
    """

    def __init__(self, datacenters: NetworkTable) -> None:
        self._datacenters = datacenters
        self._classifications: dict[tuple[object, ...], Classification] = {}
        self._network_evidence: dict[str | None, int] = {}
        self._rewriter_referrers: dict[str | None, bool] = {}

    def classify(self, request: ClickRequest, *, headers_key: Hashable) -> Classification:
        """The verdict on a request; ``headers`` stands for ``evidence.h`` and is as good as equal."""
        net, ref = request.net, request.ref
        listed = _get_or_compute(
            self._network_evidence,
            net,
            lambda: network_evidence(net, asn=request.asn, datacenters=self._datacenters),
        )
        key = (
            request.ua,
            headers_key,
            request.method,
            not request.lang,
            request.https,
            bool(ref) and _get_or_compute(self._rewriter_referrers, ref, lambda: is_rewriter(ref or "")),
            listed,
            request.ts // DAY_SECONDS,  # which browser versions there are depends on the day
        )
        return _get_or_compute(
            self._classifications, key, lambda: classify_request(request, datacenters=self._datacenters)
        )

    def clear(self) -> None:
        """Forget all, because what stood for request headers, or was known of networks, may be another now."""
        self._classifications.clear()
        self._network_evidence.clear()


def _get_or_compute(cache: dict[Key, Value], key: Key, compute: Callable[[], Value]) -> Value:
    value = cache.get(key)
    if value is None:
        if len(cache) >= CACHE_SIZE:
            cache.clear()
        value = cache[key] = compute()
    return value
