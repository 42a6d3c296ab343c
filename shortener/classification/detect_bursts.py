"""Detectors of many different links in a short time, of an even pace and of repeats (rules 16, 17, 19, 20 and 24).

Each detector takes the clicks of one group in order of time and returns the evidence bits of each click. The
thresholds and their precision are in docs/classification.md, section 6.
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
"""Window of a burst in milliseconds (rules 16 and 17); a longer one would match readers who open several tabs."""
MIN_BURST_LINKS = 3
"""Number of different links that make a burst."""
QUICK_LINKS_WINDOW_MS = 10 * SECOND_MS
"""Window for quick links in milliseconds (rule 16c)."""
MIN_QUICK_LINKS = 3
"""Number of different links that count as quick links; readers who open several tabs reach it too."""
MIN_RAPID_LINKS = 5
"""Number of different links that count as a rush; readers do not choose a link every two seconds."""
COVERAGE_WINDOW_MS = 2 * MINUTE_MS
"""Window for coverage and even pace in milliseconds (rules 19 and 20)."""
MIN_COVERAGE_SHARE = 0.8
"""Share of an issue's links, from 0 to 1, that must be opened to count as coverage."""
MIN_COVERAGE_LINKS = 5
"""Number of links below which an issue has no coverage, because readers easily open all links of a small issue."""
EVEN_PACE_INTERVALS = 5
"""Number of consecutive intervals between clicks that are compared (rule 20)."""
MAX_EVEN_PACE_VARIATION = 0.2
"""Coefficient of variation (standard deviation divided by mean) below which intervals count as equal."""
DOUBLE_CLICK_MS = 10 * SECOND_MS
"""Time in milliseconds within which a second click on a link is a repeat (rule 24)."""
MAX_NETWORK_LINKS = 8
"""Number of different links within a second that are a burst on any network, however busy it is."""
MIN_BROWSER_LINKS = 4
"""Number of different links within a second that are a burst of a browser without other clicks."""
UNLIMITED_LINKS = 1_000
"""Highest number of links that a browser burst can require; no issue has so many, so a busy browser has no bursts."""


def bits_where(flags: Iterable[bool], bit: int) -> list[int]:
    """Return a list with ``bit`` for each flag that is true and 0 for each that is false."""
    return [bit if is_set else 0 for is_set in flags]


def _max_links(clicks: SortedClicks, *, window_ms: int) -> list[int]:
    """Return for each click the largest number of different links in any window that contains the click."""
    links: list[Hashable] = [click.link_id for click in clicks]
    return max_distinct([click.ts_ms for click in clicks], links, window_ms=window_ms)


def detect_burst(clicks: SortedClicks) -> list[int]:
    """Set TWO_LINKS_1S on clicks of a recipient on 2 different links within 1 s, and BURST too on 3 (rules 16, 16b)."""
    return [
        BURST | TWO_LINKS_1S if links >= MIN_BURST_LINKS else TWO_LINKS_1S if links > 1 else 0
        for links in _max_links(clicks, window_ms=BURST_WINDOW_MS)
    ]


def detect_quick_links(clicks: SortedClicks) -> list[int]:
    """Set THREE_LINKS_10S on a reader's clicks on 3 different links within 10 s, FIVE_LINKS_10S too on 5 (rule 16c)."""
    return [
        THREE_LINKS_10S | FIVE_LINKS_10S
        if links >= MIN_RAPID_LINKS
        else THREE_LINKS_10S
        if links >= MIN_QUICK_LINKS
        else 0
        for links in _max_links(clicks, window_ms=QUICK_LINKS_WINDOW_MS)
    ]


def detect_coverage(clicks: SortedClicks) -> list[int]:
    """Set COVERAGE on clicks on 80 % of an issue's links within 2 minutes, if it has at least 5 links (rule 19)."""
    link_count = max(click.link_count for click in clicks)
    if link_count < MIN_COVERAGE_LINKS:
        return [0] * len(clicks)
    opened = _max_links(clicks, window_ms=COVERAGE_WINDOW_MS)
    return bits_where((links >= MIN_COVERAGE_SHARE * link_count for links in opened), COVERAGE)


def detect_even_pace(clicks: SortedClicks) -> list[int]:
    """Set EVEN_PACE on 6 clicks in document order with 5 equal intervals, within 2 minutes (rule 20)."""
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
    """Set DOUBLE_CLICK on clicks on a link that the same reader clicked up to 10 s before (rule 24).

    Of two clicks at the same millisecond neither repeats the other.
    """
    evidence: list[int] = []
    latest_times: dict[int, tuple[int, int | None]] = {}  # by link: its latest time, and the time before
    for click in clicks:
        latest, before_latest = latest_times.get(click.link_id, (click.ts_ms, None))
        earlier = latest if latest < click.ts_ms else before_latest
        is_repeat = earlier is not None and click.ts_ms - earlier <= DOUBLE_CLICK_MS
        evidence.append(DOUBLE_CLICK if is_repeat else 0)
        latest_times[click.link_id] = (click.ts_ms, earlier)
    return evidence


def detect_network_burst(clicks: SortedClicks) -> list[int]:
    """Set NETWORK_BURST on clicks from a network on 3 different links in 1 s; a busy network needs more (rule 17)."""
    return bits_where(
        _exceeds_background_rate(clicks, minimum=MIN_BURST_LINKS, maximum=MAX_NETWORK_LINKS), NETWORK_BURST
    )


def detect_browser_burst(clicks: SortedClicks) -> list[int]:
    """Set BROWSER_BURST on clicks by a user agent on 4 different links from several networks within 1 s (rule 17).

    A common user agent needs more links, and a very common one never has a burst, because its readers are everywhere.
    Bursts from one network are found by ``detect_network_burst``.
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

    A burst needs at least ``minimum`` links, and never more than ``maximum``. The method is described in
    docs/classification.md, section 6.1.
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
