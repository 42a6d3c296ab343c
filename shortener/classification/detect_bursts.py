"""Detectors for many different links in a short time, for an even pace and for repeats (rules 16, 17, 19, 20 and 24).

Each detector takes the clicks of one group in order of time and returns the evidence bits of each. The thresholds and
their precision are in docs/classification.md, section 6.
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
    THREE_LINKS_10S,
    TWO_LINKS_1S,
)
from shortener.classification.nearby_clicks import SortedClicks
from shortener.classification.sliding_window import background_rate, max_distinct, required_links
from shortener.durations import MINUTE_MS, SECOND_MS

BURST_WINDOW_MS = SECOND_MS
"""Window of a burst (rules 16 and 17); a longer one loses readers who open tabs."""
MIN_BURST_LINKS = 3
"""Different links that make a burst."""
QUICK_LINKS_WINDOW_MS = 10 * SECOND_MS
"""Window for quick links (rule 16c)."""
MIN_QUICK_LINKS = 3
"""Different links that count as quick, as readers with tabs open them too."""
MIN_RAPID_LINKS = 5
"""Different links that count as a rush: one every two seconds is faster than readers choose."""
COVERAGE_WINDOW_MS = 2 * MINUTE_MS
"""Window for coverage and even pace (rules 19 and 20)."""
MIN_COVERAGE_SHARE = 0.8
"""Share of an issue's links that counts as coverage."""
MIN_COVERAGE_LINKS = 5
"""Links of the smallest issue with coverage; readers easily open all links of a smaller one."""
EVEN_PACE_INTERVALS = 5
"""Consecutive intervals between clicks that are compared (rule 20)."""
MAX_EVEN_PACE_VARIATION = 0.2
"""Coefficient of variation below which intervals count as equal."""
DOUBLE_CLICK_MS = 10 * SECOND_MS
"""Time within which a second click on a link is a repeat (rule 24)."""
MAX_NETWORK_LINKS = 8
"""Different links within a second that are a burst on any network, however busy."""
MIN_BROWSER_LINKS = 4
"""Different links within a second that are a burst of a browser without other clicks."""
UNLIMITED_LINKS = 1_000
"""Upper bound on the links of a browser burst, which issues do not reach: a busy browser has no bursts."""


def bits_where(flags: Iterable[bool], bit: int) -> list[int]:
    """Return ``bit`` for each flag that is set, and 0 for the others."""
    return [bit if is_set else 0 for is_set in flags]


def _max_links(clicks: SortedClicks, *, window_ms: int) -> list[int]:
    """Return for each click the largest number of different links in a window that contains it."""
    links: list[Hashable] = [click.link_id for click in clicks]
    return max_distinct([click.ts_ms for click in clicks], links, window_ms=window_ms)


def detect_burst(clicks: SortedClicks) -> list[int]:
    """Mark clicks of a recipient on 3 different links within 1 s; 2 links have a bit of their own (rules 16, 16b)."""
    return [
        BURST | TWO_LINKS_1S if links >= MIN_BURST_LINKS else TWO_LINKS_1S if links > 1 else 0
        for links in _max_links(clicks, window_ms=BURST_WINDOW_MS)
    ]


def detect_quick_links(clicks: SortedClicks) -> list[int]:
    """Mark clicks of a reader on 3 different links within 10 s; 5 links have a bit of their own (rule 16c)."""
    return [
        THREE_LINKS_10S | FIVE_LINKS_10S
        if links >= MIN_RAPID_LINKS
        else THREE_LINKS_10S
        if links >= MIN_QUICK_LINKS
        else 0
        for links in _max_links(clicks, window_ms=QUICK_LINKS_WINDOW_MS)
    ]


def detect_coverage(clicks: SortedClicks) -> list[int]:
    """Mark clicks on 80 % of an issue's links within 2 minutes, if the issue has at least 5 links (rule 19)."""
    link_count = max(click.link_count for click in clicks)
    if link_count < MIN_COVERAGE_LINKS:
        return [0] * len(clicks)
    opened = _max_links(clicks, window_ms=COVERAGE_WINDOW_MS)
    return bits_where((links >= MIN_COVERAGE_SHARE * link_count for links in opened), COVERAGE)


def detect_even_pace(clicks: SortedClicks) -> list[int]:
    """Mark 6 clicks in document order with 5 equal intervals, within 2 minutes (rule 20)."""
    evidence = [0] * len(clicks)
    ascending = 0
    for last, (earlier, later) in enumerate(pairwise(clicks), 1):
        ascending = ascending + 1 if 0 < earlier.n < later.n else 0
        first = last - EVEN_PACE_INTERVALS
        if ascending >= EVEN_PACE_INTERVALS and _is_evenly_paced(
            [click.ts_ms for click in clicks[first : last + 1]]
        ):
            evidence[first : last + 1] = [EVEN_PACE] * (EVEN_PACE_INTERVALS + 1)
    return evidence


def _is_evenly_paced(times: Sequence[int]) -> bool:
    if times[-1] - times[0] > COVERAGE_WINDOW_MS:
        return False
    intervals = [later - earlier for earlier, later in pairwise(times)]
    mean = sum(intervals) / len(intervals)
    variance = sum((interval - mean) ** 2 for interval in intervals) / len(intervals)
    return mean > 0 and variance < (MAX_EVEN_PACE_VARIATION * mean) ** 2


def detect_double_clicks(clicks: SortedClicks) -> list[int]:
    """Mark clicks on a link that the same reader clicked up to 10 s before (rule 24).

    Of two clicks at the same millisecond neither repeats the other.
    """
    evidence: list[int] = []
    latest_times: dict[int, tuple[int, int | None]] = {}  # latest time of each link, and latest earlier time
    for click in clicks:
        latest, before_latest = latest_times.get(click.link_id, (click.ts_ms, None))
        earlier = latest if latest < click.ts_ms else before_latest
        is_repeat = earlier is not None and click.ts_ms - earlier <= DOUBLE_CLICK_MS
        evidence.append(DOUBLE_CLICK if is_repeat else 0)
        latest_times[click.link_id] = (click.ts_ms, earlier)
    return evidence


def detect_network_burst(clicks: SortedClicks) -> list[int]:
    """Mark clicks from a network on 3 different links within 1 s, or more links if the network is busy (rule 17)."""
    return bits_where(
        _exceeds_background_rate(clicks, minimum=MIN_BURST_LINKS, maximum=MAX_NETWORK_LINKS), NETWORK_BURST
    )


def detect_browser_burst(clicks: SortedClicks) -> list[int]:
    """Mark clicks by a browser on 4 different links from several networks within 1 s, or more if it is busy (rule 17).

    Readers of a common browser are everywhere, so on a saturated browser no number of links is a burst. Bursts from one
    network are left to ``detect_network_burst``.
    """
    networks: list[Hashable] = [click.net for click in clicks]
    network_counts = max_distinct([click.ts_ms for click in clicks], networks, window_ms=BURST_WINDOW_MS)
    exceeded = _exceeds_background_rate(clicks, minimum=MIN_BROWSER_LINKS, maximum=UNLIMITED_LINKS)
    return bits_where(
        (count > 1 and is_burst for count, is_burst in zip(network_counts, exceeded, strict=True)),
        BROWSER_BURST,
    )


def _exceeds_background_rate(clicks: SortedClicks, *, minimum: int, maximum: int) -> list[bool]:
    """Return for each click whether more different links were opened within 1 s than independent readers open.

    The method is described in docs/classification.md, section 6.1.
    """
    opened = _max_links(clicks, window_ms=BURST_WINDOW_MS)
    if max(opened) < minimum:
        return [False] * len(clicks)
    seconds = sorted({click.ts_ms // SECOND_MS for click in clicks})
    required = {
        second: required_links(background_rate(second, seconds), minimum=minimum, maximum=maximum)
        for second in seconds
    }
    return [links >= required[click.ts_ms // SECOND_MS] for click, links in zip(clicks, opened, strict=True)]
