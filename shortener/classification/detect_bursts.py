"""Rules over how many different links are opened in how short a time (16 to 17, 19, 20, 23, 24).

Each ``mark_`` takes the clicks of one group in order of time and gives the bits of each.
"""

from collections.abc import Hashable, Iterable, Sequence
from itertools import pairwise

from shortener.classification.evidence import (
    BROWSER_BURST,
    BURST,
    COVERAGE,
    DOUBLE_CLICK,
    EVEN_PACE,
    FIVE_LINKS_10S,
    NETWORK_BURST,
    RARE_AGENT,
    THREE_LINKS_10S,
    TWO_LINKS_1S,
)
from shortener.classification.nearby_clicks import SortedClicks
from shortener.classification.sliding_window import background_rate, max_distinct, required_links

BURST_WINDOW_MS = 1_000
MIN_BURST_LINKS = 3
QUICK_LINKS_WINDOW_MS = 10_000
MIN_QUICK_LINKS = 3
MIN_RAPID_LINKS = 5
"""So many links within QUICK_MS are a link every two seconds: faster than readers choose, whatever their
tabs.
"""
COVERAGE_WINDOW_MS = 120_000
MIN_COVERAGE_SHARE = 0.8
"""The share of an issue's links from which its clicks count as coverage."""
MIN_COVERAGE_LINKS = 5
"""Issues with fewer links are read through by anybody."""
EVEN_PACE_INTERVALS = 5
MAX_EVEN_PACE_VARIATION = 0.2
"""Coefficient of variation below which gaps count as equal."""
DOUBLE_CLICK_MS = 10_000
RARE_AGENT_WINDOW_MS = 600_000
MIN_RARE_AGENT_TOKENS = 3
MS_PER_SECOND = 1_000
MAX_NETWORK_LINKS = 8
"""So many different links from one network within a second are no readers, however busy it is."""
MIN_BROWSER_LINKS = 4
UNLIMITED_LINKS = 1_000
"""More links than an issue has."""


def click_times(clicks: SortedClicks) -> list[int]:
    return [click.ts_ms for click in clicks]


def bits_where(flags: Iterable[bool], bit: int) -> list[int]:
    """The bit where a flag is set, else 0."""
    return [bit if is_set else 0 for is_set in flags]


def _link_ids(clicks: SortedClicks) -> list[Hashable]:
    return [click.link_id for click in clicks]


def detect_burst(clicks: SortedClicks) -> list[int]:
    """Rules 16 and 16b: 3 different links of a copy within 1 s, or 2."""
    peaks = max_distinct(click_times(clicks), _link_ids(clicks), window_ms=BURST_WINDOW_MS)
    return [
        BURST | TWO_LINKS_1S if peak >= MIN_BURST_LINKS else TWO_LINKS_1S if peak > 1 else 0 for peak in peaks
    ]


def detect_quick_links(clicks: SortedClicks) -> list[int]:
    """Rule 16c: 3 different links within 10 s, as readers with tabs do too; or 5, as they hardly do."""
    peaks = max_distinct(click_times(clicks), _link_ids(clicks), window_ms=QUICK_LINKS_WINDOW_MS)
    return [
        THREE_LINKS_10S | FIVE_LINKS_10S
        if peak >= MIN_RAPID_LINKS
        else THREE_LINKS_10S
        if peak >= MIN_QUICK_LINKS
        else 0
        for peak in peaks
    ]


def detect_coverage(clicks: SortedClicks) -> list[int]:
    """Rule 19: at least 80 % of the links of an issue that has 5 or more, within 2 minutes."""
    links = max(click.link_count for click in clicks)
    if links < MIN_COVERAGE_LINKS:
        return [0] * len(clicks)
    peaks = max_distinct(click_times(clicks), _link_ids(clicks), window_ms=COVERAGE_WINDOW_MS)
    return bits_where((peak >= MIN_COVERAGE_SHARE * links for peak in peaks), COVERAGE)


def detect_even_pace(clicks: SortedClicks) -> list[int]:
    """Rule 20: 6 clicks in document order with 5 equal gaps, within 2 minutes."""
    found = [0] * len(clicks)
    ascending = 0
    for last, (earlier, later) in enumerate(pairwise(clicks), 1):
        ascending = ascending + 1 if 0 < earlier.n < later.n else 0
        first = last - EVEN_PACE_INTERVALS
        if ascending >= EVEN_PACE_INTERVALS and _is_evenly_paced(
            [click.ts_ms for click in clicks[first : last + 1]]
        ):
            found[first : last + 1] = [EVEN_PACE] * (EVEN_PACE_INTERVALS + 1)
    return found


def _is_evenly_paced(times: Sequence[int]) -> bool:
    if times[-1] - times[0] > COVERAGE_WINDOW_MS:
        return False
    gaps = [later - earlier for earlier, later in pairwise(times)]
    mean = sum(gaps) / len(gaps)
    variance = sum((gap - mean) ** 2 for gap in gaps) / len(gaps)
    return mean > 0 and variance < (MAX_EVEN_PACE_VARIATION * mean) ** 2


def detect_double_clicks(clicks: SortedClicks) -> list[int]:
    """Rule 24: the same link again within 10 s. Of equal times neither repeats the other."""
    found: list[int] = []
    last: dict[int, tuple[int, int | None]] = {}
    for click in clicks:
        at, before = last.get(click.link_id, (click.ts_ms, None))
        earlier = at if at < click.ts_ms else before
        found.append(DOUBLE_CLICK if earlier is not None and click.ts_ms - earlier <= DOUBLE_CLICK_MS else 0)
        last[click.link_id] = (click.ts_ms, earlier)
    return found


def detect_network_burst(clicks: SortedClicks) -> list[int]:
    """Rule 17: 3 different links from one network within 1 s; more where its readers click all the time."""
    return bits_where(
        _exceeds_background_rate(clicks, minimum=MIN_BURST_LINKS, maximum=MAX_NETWORK_LINKS), NETWORK_BURST
    )


def detect_browser_burst(clicks: SortedClicks) -> list[int]:
    """Rule 17 for machines that change networks: 4 different links by one browser within 1 s, or more by its
    pace.

    A browser's readers are everywhere, so there is no number of links that they never reach: where its pace
    cannot be told any more, nothing is said. One network alone is rule 17's.
    """
    networks: list[Hashable] = [click.net for click in clicks]
    several = max_distinct(click_times(clicks), networks, window_ms=BURST_WINDOW_MS)
    beyond = _exceeds_background_rate(clicks, minimum=MIN_BROWSER_LINKS, maximum=UNLIMITED_LINKS)
    return bits_where(
        (many > 1 and is_it for many, is_it in zip(several, beyond, strict=True)), BROWSER_BURST
    )


def _exceeds_background_rate(clicks: SortedClicks, *, minimum: int, maximum: int) -> list[bool]:
    """For each click, whether more different links came within 1 s of it than independent readers open."""
    peaks = max_distinct(click_times(clicks), _link_ids(clicks), window_ms=BURST_WINDOW_MS)
    if max(peaks) < minimum:
        return [False] * len(clicks)
    seconds = sorted({click.ts_ms // MS_PER_SECOND for click in clicks})
    needed = {
        second: required_links(background_rate(second, seconds), minimum=minimum, maximum=maximum)
        for second in seconds
    }
    return [peak >= needed[click.ts_ms // MS_PER_SECOND] for click, peak in zip(clicks, peaks, strict=True)]


def detect_rare_agent(clicks: SortedClicks) -> list[int]:
    """Rule 23: one rare user agent on 3 copies within 10 minutes."""
    copies: list[Hashable] = [click.recipient_token for click in clicks]
    peaks = max_distinct(click_times(clicks), copies, window_ms=RARE_AGENT_WINDOW_MS)
    return bits_where((peak >= MIN_RARE_AGENT_TOKENS for peak in peaks), RARE_AGENT)
