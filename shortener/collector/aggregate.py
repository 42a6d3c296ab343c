"""Sums of clicks for the rollups, the tables of click counts."""

from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from urllib.parse import urlsplit

from shortener.collector.devices import UserAgent
from shortener.durations import DAY_SECONDS, QUARTER_HOUR_SECONDS
from shortener.store.clicks import FIRST_IN_ISSUE, FIRST_ON_LINK, FIRST_ON_PLACEMENT, FIRST_ON_SITE, Click
from shortener.store.rollup_tables import SUM_COLUMNS
from shortener.store.rollups import LinkBreakdownSums, LinkClickSums

MAX_VALUE_LENGTH = 100  # characters
_COLUMN_INDEXES = {name: index for index, name in enumerate(SUM_COLUMNS)}
_VISITOR_CLICKS = _COLUMN_INDEXES["visitor_clicks"]
_FIRST_VISIT_INDEXES = (
    (FIRST_ON_PLACEMENT, _COLUMN_INDEXES["visitors"]),
    (FIRST_ON_LINK, _COLUMN_INDEXES["link_visitors"]),
    (FIRST_IN_ISSUE, _COLUMN_INDEXES["issue_visitors"]),
    (FIRST_ON_SITE, _COLUMN_INDEXES["site_visitors"]),
)


class RollupAggregator:
    """Sums clicks for the tables ``clicks_by_link`` and ``breakdown_by_link``, from which reports are made."""

    def __init__(self) -> None:
        self.clicks_by_link: LinkClickSums = {}
        self._breakdown_counts: Counter[tuple[int, int, int, str, str, str, str, int | None]] = Counter()

    def add(self, click: Click, *, sign: int = 1) -> None:
        """Count a click. With ``sign=-1``, subtract it instead."""
        seconds = click.ts // 1000
        issue = click.issue_id or 0
        key = click.link_id, seconds - seconds % QUARTER_HOUR_SECONDS, click.n, issue
        sums = self.clicks_by_link.get(key)
        if sums is None:
            sums = self.clicks_by_link[key] = [0] * len(SUM_COLUMNS)
        sums[_COLUMN_INDEXES[click.verdict]] += sign
        is_human = click.verdict == "human"
        if is_human and click.visitor:
            sums[_VISITOR_CLICKS] += sign
            if click.first_visits:
                for bit, index in _FIRST_VISIT_INDEXES:
                    if click.first_visits & bit:
                        sums[index] += sign
        self._breakdown_counts[
            issue,
            click.link_id,
            seconds - seconds % DAY_SECONDS,
            f"{click.verdict}/{click.reason}",
            click.referrer if is_human else "",
            click.language if is_human else "",
            click.country if is_human else "",
            click.agent_id if is_human else None,
        ] += sign

    def breakdown_by_link(self, agent_by_id: Callable[[int], UserAgent]) -> LinkBreakdownSums:
        """Return the sums for the table ``breakdown_by_link``, such as clicks by link, day and country."""
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
        ), clicks in self._breakdown_counts.items():
            values = {"reason": reason}
            if reason.startswith("human/"):
                values["referrer"] = referrer_host(referrer)
                values["language"] = language.partition("-")[0].lower()
                values["country"] = country
                if agent_id is not None:
                    agent = agent_by_id(agent_id)
                    values |= {"browser": agent.browser, "os": agent.os, "device": agent.device}
            for dimension, value in values.items():
                key = (link, dimension, value[:MAX_VALUE_LENGTH], day, issue)
                sums[key] = sums.get(key, 0) + clicks
        return {key: clicks for key, clicks in sums.items() if clicks}


@lru_cache(maxsize=4096)
def referrer_host(referrer: str) -> str:
    """Return the host of a referrer URL without ``www.``; empty if the URL has no host."""
    try:
        return (urlsplit(referrer).hostname or "").removeprefix("www.")
    except ValueError:
        return ""
