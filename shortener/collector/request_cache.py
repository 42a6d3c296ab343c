"""Judging requests as they come in: what two requests have in common is judged once."""

from collections.abc import Callable, Hashable
from typing import TypeVar

from shortener.classification.evidence import Evidence, Judgement
from shortener.classification.networks import NetworkTable
from shortener.classification.request_rules import is_rewriter, judge_request, network_bits

REMEMBERED = 20_000
DAY_SECONDS = 86_400

Key = TypeVar("Key")
Value = TypeVar("Value")


class Requests:
    """The judgements of requests by themselves, the recent ones in memory.

    Most readers of a newsletter send one of a few hundred combinations of user agent and headers, from networks that no
    list knows.
    """

    def __init__(self, datacenters: NetworkTable) -> None:
        self._datacenters = datacenters
        self._judged: dict[tuple[object, ...], Judgement] = {}
        self._networks: dict[str | None, int] = {}
        self._referrers: dict[str | None, bool] = {}

    def judge(self, evidence: Evidence, *, headers: Hashable) -> Judgement:
        """The verdict on a request; ``headers`` stands for ``evidence.h`` and is as good as equal."""
        net, ref = evidence.net, evidence.ref
        listed = _remember(
            self._networks, net, lambda: network_bits(net, asn=evidence.asn, datacenters=self._datacenters)
        )
        key = (
            evidence.ua,
            headers,
            evidence.method,
            not evidence.lang,
            evidence.https,
            bool(ref) and _remember(self._referrers, ref, lambda: is_rewriter(ref or "")),
            listed,
            evidence.ts // DAY_SECONDS,  # which browser versions there are depends on the day
        )
        return _remember(self._judged, key, lambda: judge_request(evidence, datacenters=self._datacenters))

    def forget(self) -> None:
        """Forget all, because what stood for request headers, or was known of networks, may be another now."""
        self._judged.clear()
        self._networks.clear()


def _remember(known: dict[Key, Value], key: Key, find: Callable[[], Value]) -> Value:
    value = known.get(key)
    if value is None:
        if len(known) >= REMEMBERED:
            known.clear()
        value = known[key] = find()
    return value
