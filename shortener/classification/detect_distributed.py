"""Rules over who opens what one reader would: the same copy or browser from many places (17b, 21, 22).

Each ``mark_`` takes the clicks of one group in order of time and gives the bits of each.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Hashable, Sequence
from itertools import groupby

from shortener.classification.evidence import (
    AGENT_BURST,
    CLICK_ECHO,
    CLICK_TIME_CHECK,
    FAN_OUT,
    INCOMPLETE_HEADERS,
    NO_LANGUAGE,
    REWRITTEN_LINK,
)
from shortener.classification.nearby_clicks import (
    NearbyClick,
    SortedClicks,
    from_datacenter,
    from_listed_network,
)
from shortener.classification.reasons import REASONS

FAN_OUT_WINDOW_MS = 60_000
MIN_FAN_OUT_NETWORKS = 3
MIN_FAN_OUT_LINKS = 3
AGENT_BURST_WINDOW_MS = 10_000
MIN_AGENT_BURST_ADDRESSES = 2
MIN_AGENT_BURST_LINKS = 4
CLICK_TIME_CHECK_MS = 20_000
CLICK_ECHO_WINDOW_MS = 30_000
"""So long before and after it a link has to have one reader only, for a second look at it to be told from a reader."""
MAX_QUIET_LINK_CLICKS = 16
"""More clicks than that around one are a busy link's."""


def detect_fan_out(clicks: SortedClicks) -> list[int]:
    """Rule 21: one copy from 3 networks outside of data centers, and 3 links, within a minute.

    Only first openings count: a check that follows a reader's click within a minute repeats the reader's
    link. And only networks with at most half of the links are told by it: a reader who opened all of them
    stays.
    """
    firsts = [index for index in _first_opens(clicks) if not from_datacenter(clicks[index].evidence)]
    opened = [clicks[index] for index in firsts]
    places: list[Hashable] = [click.net for click in opened]
    if len(set(places)) < MIN_FAN_OUT_NETWORKS:
        return [0] * len(clicks)
    told = _in_distributed_window(
        opened,
        places,
        window_ms=FAN_OUT_WINDOW_MS,
        min_sources=MIN_FAN_OUT_NETWORKS,
        min_links=MIN_FAN_OUT_LINKS,
    )
    return _bits_at(len(clicks), firsts, told, FAN_OUT)


def detect_agent_burst(clicks: SortedClicks) -> list[int]:
    """Rule 17b: one user agent on 4 links within 10 s from several addresses of data centers.

    One address with all the links may be one reader with tabs on a virtual desktop, and is left to the rules
    on readers.
    """
    places: list[Hashable] = [click.addr or click.net for click in clicks]
    if len(set(places)) < MIN_AGENT_BURST_ADDRESSES:
        return [0] * len(clicks)
    told = _in_distributed_window(
        clicks,
        places,
        window_ms=AGENT_BURST_WINDOW_MS,
        min_sources=MIN_AGENT_BURST_ADDRESSES,
        min_links=MIN_AGENT_BURST_LINKS,
    )
    return _bits_at(len(clicks), range(len(clicks)), told, AGENT_BURST)


def _bits_at(size: int, indexes: Sequence[int], flags: Sequence[bool], bit: int) -> list[int]:
    found = [0] * size
    for index, is_told in zip(indexes, flags, strict=True):
        if is_told:
            found[index] = bit
    return found


def _first_opens(clicks: SortedClicks) -> list[int]:
    """The clicks whose link no other network had opened within FAN_OUT_MS before, as indexes.

    Clicks of one millisecond do not precede each other.
    """
    found: list[int] = []
    latest: dict[int, list[tuple[int, str]]] = {}
    for at, moment in groupby(range(len(clicks)), key=lambda index: clicks[index].ts_ms):
        together = [
            (index, clicks[index].link_id, net) for index in moment if (net := clicks[index].net) is not None
        ]
        for index, link, net in together:
            before = latest.get(link, ())
            if not any(other != net and at - then <= FAN_OUT_WINDOW_MS for then, other in before):
                found.append(index)
        for _, link, net in together:
            latest[link] = _latest_two_networks(latest.get(link, []), at, net)
    return found


def _latest_two_networks(opens: list[tuple[int, str]], at: int, net: str) -> list[tuple[int, str]]:
    """The last openings of the last two networks: enough to tell whether another network than any came
    before.
    """
    return [*[entry for entry in opens if entry[1] != net][-1:], (at, net)]


def _in_distributed_window(
    clicks: SortedClicks, sources: Sequence[Hashable], *, window_ms: int, min_sources: int, min_links: int
) -> list[bool]:
    """For each click, whether a window that ends, starts or has its middle there has so many places and
    links.

    And whether the click's own place has at most half of the window's links.
    """
    told = [False] * len(clicks)
    for before, after in ((window_ms, 0), (0, window_ms), (window_ms // 2, window_ms // 2)):
        window = _SlidingWindow(clicks, sources)
        for index, click in enumerate(clicks):
            window.advance(click.ts_ms - before, click.ts_ms + after)
            if window.is_distributed(sources[index], min_sources=min_sources, min_links=min_links):
                told[index] = True
    return told


class _SlidingWindow:
    """The clicks between two moments that only move on: which places opened which links."""

    def __init__(self, clicks: SortedClicks, sources: Sequence[Hashable]) -> None:
        self._clicks, self._sources = clicks, sources
        self._left = self._right = 0
        self._links: Counter[Hashable] = Counter()
        self._links_by_source: Counter[Hashable] = Counter()
        self._source_links: Counter[Hashable] = Counter()

    def advance(self, since: int, until: int) -> None:
        while self._right < len(self._clicks) and self._clicks[self._right].ts_ms <= until:
            self._add(self._right)
            self._right += 1
        while self._left < self._right and self._clicks[self._left].ts_ms < since:
            self._remove(self._left)
            self._left += 1

    def is_distributed(self, source: Hashable, *, min_sources: int, min_links: int) -> bool:
        many = len(self._links_by_source) >= min_sources and len(self._links) >= min_links
        return many and 2 * self._links_by_source[source] <= len(self._links)

    def _add(self, index: int) -> None:
        link, place = self._clicks[index].link_id, self._sources[index]
        self._links[link] += 1
        if (place, link) not in self._source_links:
            self._links_by_source[place] += 1
        self._source_links[place, link] += 1

    def _remove(self, index: int) -> None:
        link, place = self._clicks[index].link_id, self._sources[index]
        _decrement(self._links, link)
        if _decrement(self._source_links, (place, link)) == 0:
            _decrement(self._links_by_source, place)


def _decrement(counts: Counter[Hashable], key: Hashable) -> int:
    """Take one away and forget what is at none, so that the length counts what is there."""
    left = counts[key] - 1
    if left:
        counts[key] = left
    else:
        del counts[key]
    return left


def detect_click_time_checks(clicks: SortedClicks) -> list[int]:
    """Rule 22: a reader opened the same link within 20 s, from another network with another user agent.

    The side in a data center is the machine; without one, the later side whose headers are incomplete. A
    click without a network or user agent has no twin.
    """
    found = [0] * len(clicks)
    by_link: dict[int, list[int]] = {}
    for index, click in enumerate(clicks):
        if click.net is not None and click.agent_id is not None:
            by_link.setdefault(click.link_id, []).append(index)
    for indexes in by_link.values():
        readers = [clicks[index] for index in indexes if _is_reader(clicks[index])]
        if readers and len(readers) < len(indexes):
            for index in _find_checks(clicks, indexes, readers):
                found[index] = CLICK_TIME_CHECK
    return found


def _is_reader(click: NearbyClick) -> bool:
    return not click.evidence & INCOMPLETE_HEADERS and not from_listed_network(click.evidence)


def _find_checks(clicks: SortedClicks, indexes: Sequence[int], readers: SortedClicks) -> list[int]:
    """The clicks that have such a reader within reach: before and after for data centers, before for the
    others.
    """
    around, earlier = _ReaderWindow(readers), _ReaderWindow(readers)
    found = []
    for index in indexes:
        click = clicks[index]
        around.advance(click.ts_ms - CLICK_TIME_CHECK_MS, click.ts_ms + CLICK_TIME_CHECK_MS)
        earlier.advance(click.ts_ms - CLICK_TIME_CHECK_MS, click.ts_ms - 1)
        if from_listed_network(click.evidence):
            if around.count_others(click):
                found.append(index)
        elif click.evidence & INCOMPLETE_HEADERS and earlier.count_others(click):
            found.append(index)
    return found


def detect_click_echoes(clicks: SortedClicks) -> list[int]:
    """Rule 22 where no copy is known: on a quiet link, a click within 20 s after its only reader, from elsewhere.

    One without a language, or from a data center; from another network with another user agent, and the only one
    there. A person is taken for that only if another reader chanced upon the same link just before: at the worst pace
    of a link that is one in eight of those who have no language or read in a data center.
    """
    found = [0] * len(clicks)
    times = [click.ts_ms for click in clicks]
    for index, click in enumerate(clicks):
        if (
            click.evidence & NO_LANGUAGE or from_datacenter(click.evidence)
        ) and not click.evidence & REWRITTEN_LINK:
            begin, end = (
                bisect_left(times, click.ts_ms - CLICK_ECHO_WINDOW_MS),
                bisect_right(times, click.ts_ms + CLICK_ECHO_WINDOW_MS),
            )
            if end - begin <= MAX_QUIET_LINK_CLICKS and _is_echo(click, clicks[begin:end]):
                found[index] = CLICK_ECHO
    return found


def _is_echo(click: NearbyClick, nearby: SortedClicks) -> bool:
    """Whether the clicks around one show one reader only, who came shortly before, and nobody else like it."""
    readers = [
        other for other in nearby if _is_reader(other) and not REASONS[other.reason].decided_by_request
    ]
    if len({(reader.net, reader.agent_id) for reader in readers}) != 1:
        return False
    reader = readers[0]
    known = None not in (click.net, click.agent_id, reader.net, reader.agent_id)
    elsewhere = known and click.net != reader.net and click.agent_id != reader.agent_id
    only = sum((other.net, other.agent_id) == (click.net, click.agent_id) for other in nearby) == 1
    return (
        elsewhere and only and any(0 < click.ts_ms - other.ts_ms <= CLICK_TIME_CHECK_MS for other in readers)
    )


class _ReaderWindow:
    """The readers between two moments that only move on, counted by network, by user agent and by both."""

    def __init__(self, readers: SortedClicks) -> None:
        self._readers = readers
        self._left = self._right = 0
        self._counts: Counter[Hashable] = Counter()

    def advance(self, since: int, until: int) -> None:
        while self._right < len(self._readers) and self._readers[self._right].ts_ms <= until:
            self._adjust_counts(self._readers[self._right], 1)
            self._right += 1
        while self._left < self._right and self._readers[self._left].ts_ms < since:
            self._adjust_counts(self._readers[self._left], -1)
            self._left += 1

    def count_others(self, click: NearbyClick) -> int:
        """How many of them differ from the click in network and in user agent."""
        counts = self._counts
        same = (
            counts["net", click.net]
            + counts["agent", click.agent_id]
            - counts[click.net, click.agent_id, None]
        )
        return self._right - self._left - same

    def _adjust_counts(self, reader: NearbyClick, step: int) -> None:
        for key in (("net", reader.net), ("agent", reader.agent_id), (reader.net, reader.agent_id, None)):
            self._counts[key] += step
