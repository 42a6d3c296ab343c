"""Judging requests as they come in: what two requests have in common is judged once."""

from collections.abc import Callable
from typing import TypeVar

from shortener.clicks.line import ClickLine
from shortener.clicks.verdicts.evidence import Evidence, Judgement
from shortener.clicks.verdicts.networks import NetworkTable
from shortener.clicks.verdicts.rules import judge_request, network_bits

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

    def judge(self, line: ClickLine, *, https: bool) -> Judgement:
        """The verdict on a line's request; ``https`` says how its domain is reached."""
        headers = None if line.h is None else tuple(line.h.items())
        listed = _remember(
            self._networks, line.net, lambda: network_bits(line.net, datacenters=self._datacenters)
        )
        # Which browser versions there are depends on the day.
        key = (line.ua, headers, line.method, line.lang, https, line.ref, listed, line.ts // DAY_SECONDS)
        return _remember(self._judged, key, lambda: self._judge(line, https=https))

    def _judge(self, line: ClickLine, *, https: bool) -> Judgement:
        evidence = Evidence(
            ts=line.ts,
            method=line.method,
            ua=line.ua,
            h=line.h,
            lang=line.lang,
            https=https,
            net=line.net,
            ref=line.ref,
        )
        return judge_request(evidence, datacenters=self._datacenters)


def _remember(known: dict[Key, Value], key: Key, find: Callable[[], Value]) -> Value:
    value = known.get(key)
    if value is None:
        if len(known) >= REMEMBERED:
            known.clear()
        value = known[key] = find()
    return value
