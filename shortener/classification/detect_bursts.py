"""Detectors of clicks that are too fast, too evenly spaced or repeated.

Each detector returns one value per click: its evidence bits, or 0.
"""

# Rule numbers are those of docs/classification.md; the detectors are in its section 6.
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
"""Longest duration of a burst in milliseconds. Readers who open several tabs take longer (rules 16 and 17)."""
MIN_BURST_LINKS = 3
"""Smallest number of different links, opened within BURST_WINDOW_MS, that is a burst."""
QUICK_LINKS_WINDOW_MS = 10 * SECOND_MS
"""Time window in milliseconds within which clicks on several links are called quick links (rule 16c)."""
MIN_QUICK_LINKS = 3
"""Smallest number of different links that are quick links. Readers who open several tabs reach it too."""
MIN_RAPID_LINKS = 5
"""Smallest number of different links within QUICK_LINKS_WINDOW_MS that is too fast for most readers."""
COVERAGE_WINDOW_MS = 2 * MINUTE_MS
"""Time window in milliseconds of nearly all links of an issue (rule 19) and of evenly spaced clicks (rule 20)."""
MIN_COVERAGE_SHARE = 0.8
"""Share of an issue's links, from 0 to 1, that is called nearly all of them (rule 19)."""
MIN_COVERAGE_LINKS = 5
"""Smallest number of links of an issue for rule 19; in smaller issues, readers easily open all links."""
EVEN_PACE_INTERVALS = 5
"""Number of consecutive intervals between clicks that must be about equal (rule 20)."""
MAX_EVEN_PACE_VARIATION = 0.2
"""Intervals are about equal if their standard deviation divided by their mean is below this."""
DOUBLE_CLICK_MS = 10 * SECOND_MS
"""Longest time in milliseconds between the two clicks of a double click (rule 24)."""
MAX_NETWORK_LINKS = 8
"""Number of different links within a second that are a burst even from the busiest network."""
MIN_BROWSER_LINKS = 4
"""Smallest number of different links within a second that is a burst of clicks with one user agent."""
UNLIMITED_LINKS = 1_000
"""More links than any issue has: with this limit, clicks of a very common user agent are never a burst."""


def bits_where(flags: Iterable[bool], bit: int) -> list[int]:
    """Return a list with ``bit`` where a flag is true and 0 where it is false."""
    return [bit if is_set else 0 for is_set in flags]


def _max_links_around(clicks: SortedClicks, *, window_ms: int) -> list[int]:
    links: list[Hashable] = [click.link_id for click in clicks]
    return max_distinct([click.ts_ms for click in clicks], links, window_ms=window_ms)


def detect_burst(
    clicks: SortedClicks,  # all with one recipient's token
) -> list[int]:  # rules 16 and 16b
    """Return one value per click: TWO_LINKS_1S for 2 different links within 1 second, else 0.

    A third link adds BURST.
    """
    return [
        BURST | TWO_LINKS_1S if links >= MIN_BURST_LINKS else TWO_LINKS_1S if links > 1 else 0
        for links in _max_links_around(clicks, window_ms=BURST_WINDOW_MS)
    ]


def detect_quick_links(
    clicks: SortedClicks,  # all of one reader in one issue
) -> list[int]:  # rule 16c
    """Return one value per click: THREE_LINKS_10S for 3 different links within 10 seconds, else 0.

    Five links add FIVE_LINKS_10S.
    """
    return [
        THREE_LINKS_10S | FIVE_LINKS_10S
        if links >= MIN_RAPID_LINKS
        else THREE_LINKS_10S
        if links >= MIN_QUICK_LINKS
        else 0
        for links in _max_links_around(clicks, window_ms=QUICK_LINKS_WINDOW_MS)
    ]


def detect_coverage(
    clicks: SortedClicks,  # all of one reader in one issue
) -> list[int]:  # rule 19
    """Return one value per click: COVERAGE for clicks on 80 % of the links (5 or more) within 2 minutes, else 0."""
    link_count = max(click.link_count for click in clicks)
    if link_count < MIN_COVERAGE_LINKS:
        return [0] * len(clicks)
    opened = _max_links_around(clicks, window_ms=COVERAGE_WINDOW_MS)
    return bits_where((links >= MIN_COVERAGE_SHARE * link_count for links in opened), COVERAGE)


def detect_even_pace(
    clicks: SortedClicks,  # all of one reader in one issue
) -> list[int]:  # rule 20
    """Return one value per click: EVEN_PACE for 6 evenly spaced clicks in the order of the links, else 0."""
    evidence = [0] * len(clicks)
    ascending = 0
    for last, (earlier, later) in enumerate(pairwise(clicks), 1):
        ascending = ascending + 1 if 0 < earlier.n < later.n else 0
        first = last - EVEN_PACE_INTERVALS
        if ascending >= EVEN_PACE_INTERVALS and _is_evenly_paced([click.ts_ms for click in clicks[first : last + 1]]):
            evidence[first : last + 1] = [EVEN_PACE] * (EVEN_PACE_INTERVALS + 1)
    return evidence


def _is_evenly_paced(times: Sequence[int]) -> bool:
    if times[-1] - times[0] > COVERAGE_WINDOW_MS:
        return False
    intervals = [later - earlier for earlier, later in pairwise(times)]
    mean = sum(intervals) / len(intervals)
    variance = sum((interval - mean) ** 2 for interval in intervals) / len(intervals)
    return mean > 0 and variance < (MAX_EVEN_PACE_VARIATION * mean) ** 2


def detect_double_clicks(
    clicks: SortedClicks,  # all of one reader in one issue
) -> list[int]:  # rule 24
    """Return one value per click: DOUBLE_CLICK if the same link was clicked in the 10 seconds before, else 0."""
    evidence: list[int] = []
    latest_times: dict[int, tuple[int, int | None]] = {}  # by link: its latest time, and the time before
    for click in clicks:
        latest, before_latest = latest_times.get(click.link_id, (click.ts_ms, None))
        # Of two clicks in the same millisecond, neither is earlier.
        earlier = latest if latest < click.ts_ms else before_latest
        is_repeat = earlier is not None and click.ts_ms - earlier <= DOUBLE_CLICK_MS
        evidence.append(DOUBLE_CLICK if is_repeat else 0)
        latest_times[click.link_id] = (click.ts_ms, earlier)
    return evidence


def detect_network_burst(
    clicks: SortedClicks,  # all from one network
) -> list[int]:  # rule 17
    """Return one value per click: NETWORK_BURST for 3 different links within 1 second, else 0.

    A busy network requires more links.
    """
    return bits_where(_is_in_burst(clicks, minimum=MIN_BURST_LINKS, maximum=MAX_NETWORK_LINKS), NETWORK_BURST)


def detect_browser_burst(
    clicks: SortedClicks,  # all with one user agent
) -> list[int]:  # rule 17
    """Return one value per click: BROWSER_BURST for 4 different links from 2 networks within 1 second, else 0.

    A common user agent requires more.
    """
    in_burst = _is_in_burst(clicks, minimum=MIN_BROWSER_LINKS, maximum=UNLIMITED_LINKS)
    if not any(in_burst):
        return [0] * len(clicks)
    networks: list[Hashable] = [click.net for click in clicks]
    network_counts = max_distinct([click.ts_ms for click in clicks], networks, window_ms=BURST_WINDOW_MS)
    return bits_where(
        (count > 1 and is_burst for count, is_burst in zip(network_counts, in_burst, strict=True)),
        BROWSER_BURST,
    )


def _is_in_burst(
    clicks: SortedClicks,
    *,
    minimum: int,  # links that make a burst
    maximum: int,  # links that always suffice, however many readers click
) -> list[bool]:
    """Return for each click whether enough different links were clicked within 1 second."""
    times = [click.ts_ms for click in clicks]
    if all(last - first > BURST_WINDOW_MS for first, last in zip(times, times[minimum - 1 :], strict=False)):
        return [False] * len(clicks)
    opened = _max_links_around(clicks, window_ms=BURST_WINDOW_MS)
    if max(opened) < minimum:
        return [False] * len(clicks)
    seconds = sorted({click.ts_ms // SECOND_MS for click in clicks})
    # The more clicks there are in the seconds around a click, the more links make a burst.
    required = {
        second: required_links(background_rate(second, seconds), minimum=minimum, maximum=maximum) for second in seconds
    }
    return [links >= required[click.ts_ms // SECOND_MS] for click, links in zip(clicks, opened, strict=True)]
