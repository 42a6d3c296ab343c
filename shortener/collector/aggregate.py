"""Sums of clicks on their way into the rollups: what one batch, one correction or a rebuild adds up to."""

from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from urllib.parse import urlsplit

from shortener.collector.devices import UserAgent
from shortener.store.clicks import (
    DAY_SECONDS,
    FIRST_IN_ISSUE,
    FIRST_ON_LINK,
    FIRST_ON_PLACEMENT,
    FIRST_ON_SITE,
    HOUR_SECONDS,
    Click,
    LinkBreakdownSums,
    LinkClickSums,
)

MAX_VALUE_LENGTH = 100
_FIRST_VISIT_BITS = (FIRST_ON_PLACEMENT, FIRST_ON_LINK, FIRST_IN_ISSUE, FIRST_ON_SITE)


class RollupAggregator:
    """Adds clicks up by hour and by day."""

    def __init__(self) -> None:
        self.hourly: LinkClickSums = {}
        self._daily_counts: Counter[tuple[int, int, int, str, str, str, str, int | None]] = Counter()

    def add(self, click: Click, *, sign: int = 1) -> None:
        """Add a click (or, with sign -1, take it away)."""
        seconds = click.ts // 1000
        issue = click.issue_id or 0
        sums = self.hourly.setdefault(
            (issue, click.link_id, click.n, seconds - seconds % HOUR_SECONDS, click.verdict), [0, 0, 0, 0, 0]
        )
        sums[0] += sign
        if click.first_visits:
            for index, bit in enumerate(_FIRST_VISIT_BITS, start=1):
                if click.first_visits & bit:
                    sums[index] += sign
        day = seconds - seconds % DAY_SECONDS
        reason = f"{click.verdict}/{click.reason}"
        human = click.verdict == "human"
        self._daily_counts[
            issue,
            click.link_id,
            day,
            reason,
            click.referrer if human else "",
            click.language if human else "",
            click.country if human else "",
            click.agent_id if human else None,
        ] += sign

    def daily(self, agent_by_id: Callable[[int], UserAgent]) -> LinkBreakdownSums:
        """The daily sums by dimension: reasons of all clicks; of human ones also who, with what, and from where."""
        sums: LinkBreakdownSums = {}
        for (
            issue,
            link,
            day,
            reason,
            referrer,
            language,
            country,
            agent_id,
        ), clicks in self._daily_counts.items():
            values = {"reason": reason}
            if reason.startswith("human/"):
                values["referrer"] = referrer_host(referrer)
                values["language"] = language.partition("-")[0].lower()
                values["country"] = country
                if agent_id is not None:
                    read = agent_by_id(agent_id)
                    values |= {"browser": read.browser, "os": read.os, "device": read.device}
            for dimension, value in values.items():
                key = (issue, link, day, dimension, value[:MAX_VALUE_LENGTH])
                sums[key] = sums.get(key, 0) + clicks
        return {key: clicks for key, clicks in sums.items() if clicks}


@lru_cache(maxsize=4096)
def referrer_host(referrer: str) -> str:
    """The host of a referrer, '' for none."""
    try:
        return (urlsplit(referrer).hostname or "").removeprefix("www.")
    except ValueError:
        return ""
