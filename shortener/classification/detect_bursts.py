"""Rules over how many different links are opened in how short a time (16 to 17, 19, 20, 23, 24).

Each ``mark_`` takes the clicks of one group in order of time and gives the bits of each.
"""

from collections.abc import Hashable, Iterable, Sequence
from itertools import pairwise

from shortener.classification.evidence import (
    BROWSER_BURST,
    BURST,
    COVERAGE,
    EVEN,
    NETWORK_BURST,
    PAIR,
    QUICK,
    RARE_AGENT,
    REPEAT,
    RUSH,
)
from shortener.classification.nearby_clicks import Clicks
from shortener.classification.sliding_window import links_needed, pace, peak_distinct

BURST_MS = 1_000
BURST_LINKS = 3
QUICK_MS = 10_000
QUICK_LINKS = 3
RUSH_LINKS = 5
"""So many links within QUICK_MS are a link every two seconds: faster than readers choose, whatever their
tabs.
"""
COVERAGE_MS = 120_000
COVERED = 0.8
"""The share of an issue's links from which its clicks count as coverage."""
COVERAGE_LINKS = 5
"""Issues with fewer links are read through by anybody."""
EVEN_GAPS = 5
EVEN_VARIATION = 0.2
"""Coefficient of variation below which gaps count as equal."""
REPEAT_MS = 10_000
RARE_MS = 600_000
RARE_COPIES = 3
SECOND_MS = 1_000
NETWORK_LINKS = 8
"""So many different links from one network within a second are no readers, however busy it is."""
BROWSER_LINKS = 4
ENDLESS = 1_000
"""More links than an issue has."""


def times_of(clicks: Clicks) -> list[int]:
    return [click.at for click in clicks]


def flag(flags: Iterable[bool], bit: int) -> list[int]:
    """The bit where a flag is set, else 0."""
    return [bit if is_set else 0 for is_set in flags]


def _links(clicks: Clicks) -> list[Hashable]:
    return [click.link for click in clicks]


def mark_burst(clicks: Clicks) -> list[int]:
    """Rules 16 and 16b: 3 different links of a copy within 1 s, or 2."""
    peaks = peak_distinct(times_of(clicks), _links(clicks), span=BURST_MS)
    return [BURST | PAIR if peak >= BURST_LINKS else PAIR if peak > 1 else 0 for peak in peaks]


def mark_quick(clicks: Clicks) -> list[int]:
    """Rule 16c: 3 different links within 10 s, as readers with tabs do too; or 5, as they hardly do."""
    peaks = peak_distinct(times_of(clicks), _links(clicks), span=QUICK_MS)
    return [QUICK | RUSH if peak >= RUSH_LINKS else QUICK if peak >= QUICK_LINKS else 0 for peak in peaks]


def mark_coverage(clicks: Clicks) -> list[int]:
    """Rule 19: at least 80 % of the links of an issue that has 5 or more, within 2 minutes."""
    links = max(click.links for click in clicks)
    if links < COVERAGE_LINKS:
        return [0] * len(clicks)
    peaks = peak_distinct(times_of(clicks), _links(clicks), span=COVERAGE_MS)
    return flag((peak >= COVERED * links for peak in peaks), COVERAGE)


def mark_even(clicks: Clicks) -> list[int]:
    """Rule 20: 6 clicks in document order with 5 equal gaps, within 2 minutes."""
    found = [0] * len(clicks)
    ascending = 0
    for last, (earlier, later) in enumerate(pairwise(clicks), 1):
        ascending = ascending + 1 if 0 < earlier.n < later.n else 0
        first = last - EVEN_GAPS
        if ascending >= EVEN_GAPS and _is_even([click.at for click in clicks[first : last + 1]]):
            found[first : last + 1] = [EVEN] * (EVEN_GAPS + 1)
    return found


def _is_even(times: Sequence[int]) -> bool:
    if times[-1] - times[0] > COVERAGE_MS:
        return False
    gaps = [later - earlier for earlier, later in pairwise(times)]
    mean = sum(gaps) / len(gaps)
    variance = sum((gap - mean) ** 2 for gap in gaps) / len(gaps)
    return mean > 0 and variance < (EVEN_VARIATION * mean) ** 2


def mark_repeats(clicks: Clicks) -> list[int]:
    """Rule 24: the same link again within 10 s. Of equal times neither repeats the other."""
    found: list[int] = []
    last: dict[int, tuple[int, int | None]] = {}
    for click in clicks:
        at, before = last.get(click.link, (click.at, None))
        earlier = at if at < click.at else before
        found.append(REPEAT if earlier is not None and click.at - earlier <= REPEAT_MS else 0)
        last[click.link] = (click.at, earlier)
    return found


def mark_network(clicks: Clicks) -> list[int]:
    """Rule 17: 3 different links from one network within 1 s; more where its readers click all the time."""
    return flag(_beyond_pace(clicks, least=BURST_LINKS, most=NETWORK_LINKS), NETWORK_BURST)


def mark_browser(clicks: Clicks) -> list[int]:
    """Rule 17 for machines that change networks: 4 different links by one browser within 1 s, or more by its
    pace.

    A browser's readers are everywhere, so there is no number of links that they never reach: where its pace
    cannot be told any more, nothing is said. One network alone is rule 17's.
    """
    networks: list[Hashable] = [click.net for click in clicks]
    several = peak_distinct(times_of(clicks), networks, span=BURST_MS)
    beyond = _beyond_pace(clicks, least=BROWSER_LINKS, most=ENDLESS)
    return flag((many > 1 and is_it for many, is_it in zip(several, beyond, strict=True)), BROWSER_BURST)


def _beyond_pace(clicks: Clicks, *, least: int, most: int) -> list[bool]:
    """For each click, whether more different links came within 1 s of it than independent readers open."""
    peaks = peak_distinct(times_of(clicks), _links(clicks), span=BURST_MS)
    if max(peaks) < least:
        return [False] * len(clicks)
    seconds = sorted({click.at // SECOND_MS for click in clicks})
    needed = {second: links_needed(pace(second, seconds), least=least, most=most) for second in seconds}
    return [peak >= needed[click.at // SECOND_MS] for click, peak in zip(clicks, peaks, strict=True)]


def mark_rare(clicks: Clicks) -> list[int]:
    """Rule 23: one rare user agent on 3 copies within 10 minutes."""
    copies: list[Hashable] = [click.copy for click in clicks]
    peaks = peak_distinct(times_of(clicks), copies, span=RARE_MS)
    return flag((peak >= RARE_COPIES for peak in peaks), RARE_AGENT)
