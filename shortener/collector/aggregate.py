"""Sums of a set of clicks, in the form in which they are added to the rollups."""

from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from urllib.parse import urlsplit

from shortener.collector.devices import UserAgent
from shortener.durations import DAY_SECONDS, HOUR_SECONDS
from shortener.store.clicks import (
    FIRST_IN_ISSUE,
    FIRST_ON_LINK,
    FIRST_ON_PLACEMENT,
    FIRST_ON_SITE,
    Click,
    LinkBreakdownSums,
    LinkClickSums,
)

MAX_VALUE_LENGTH = 100  # characters
_FIRST_VISIT_BITS = (FIRST_ON_PLACEMENT, FIRST_ON_LINK, FIRST_IN_ISSUE, FIRST_ON_SITE)


class RollupAggregator:
    """Counts clicks for each hour and each day.

    ``hourly`` maps (issue, link, placement, hour, verdict) to a list of five counts: clicks, and first visits
    on the placement, on the link, in the issue and on the site.
    """

    def __init__(self) -> None:
        self.hourly: LinkClickSums = {}
        self._daily_counts: Counter[tuple[int, int, int, str, str, str, str, int | None]] = Counter()

    def add(self, click: Click, *, sign: int = 1) -> None:
        """Count a click; with ``sign=-1`` subtract it from the counts."""
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
        is_human = click.verdict == "human"
        self._daily_counts[
            issue,
            click.link_id,
            day,
            reason,
            click.referrer if is_human else "",
            click.language if is_human else "",
            click.country if is_human else "",
            click.agent_id if is_human else None,
        ] += sign

    def daily(self, agent_by_id: Callable[[int], UserAgent]) -> LinkBreakdownSums:
        """Return the number of clicks of each (issue, link, day, dimension, value), without zeros.

        A dimension is for example ``reason`` or ``country``. All clicks are counted for each reason, and
        human clicks also for each referrer, language, country, browser, system and device. Days and hours are
        the seconds of the UTC epoch at their start.
        """
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
                    agent = agent_by_id(agent_id)
                    values |= {"browser": agent.browser, "os": agent.os, "device": agent.device}
            for dimension, value in values.items():
                key = (issue, link, day, dimension, value[:MAX_VALUE_LENGTH])
                sums[key] = sums.get(key, 0) + clicks
        return {key: clicks for key, clicks in sums.items() if clicks}


@lru_cache(maxsize=4096)
def referrer_host(referrer: str) -> str:
    """Return the host of a referrer URL without ``www.``; empty if the URL has no host."""
    try:
        return (urlsplit(referrer).hostname or "").removeprefix("www.")
    except ValueError:
        return ""
