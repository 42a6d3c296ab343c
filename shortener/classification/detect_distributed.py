"""Detectors for clicks from several places: fan-out, agent burst and checks at click time (rules 17b, 21 and 22).

Each detector takes the clicks of one group in order of time and returns the evidence bits of each. The conditions are
described in docs/classification.md, sections 6.2 and 6.3.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Hashable, Sequence
from itertools import groupby

from shortener.classification.detect_bursts import bits_where
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
from shortener.classification.request_reasons import REQUEST_REASONS
from shortener.durations import MINUTE_MS, SECOND_MS

FAN_OUT_WINDOW_MS = MINUTE_MS
"""Window for fan-out (rule 21)."""
MIN_FAN_OUT_NETWORKS = 3
"""Networks outside data centers that make a fan-out."""
MIN_FAN_OUT_LINKS = 3
"""Different links that make a fan-out."""
AGENT_BURST_WINDOW_MS = 10 * SECOND_MS
"""Window for an agent burst (rule 17b)."""
MIN_AGENT_BURST_ADDRESSES = 2
"""Data-center addresses that make an agent burst."""
MIN_AGENT_BURST_LINKS = 4
"""Different links that make an agent burst."""
CLICK_TIME_CHECK_MS = 20 * SECOND_MS
"""Longest time between a reader's click and the gateway's check of the same link (rule 22)."""
CLICK_ECHO_WINDOW_MS = 30 * SECOND_MS
"""Time before and after a click echo in which its link may have one reader only."""
MAX_QUIET_LINK_CLICKS = 16
"""Clicks within CLICK_ECHO_WINDOW_MS above which a link is too busy for click echoes."""


def detect_fan_out(clicks: SortedClicks) -> list[int]:
    """Mark clicks of a recipient on 3 links from 3 networks outside data centers within a minute (rule 21).

    Only the first opening of a link counts, because a check at click time repeats the reader's link. A network that
    opened more than half of the links is not marked: it is the reader's.
    """
    indexes = [index for index in _first_opens(clicks) if not from_datacenter(clicks[index].evidence)]
    first_opens = [clicks[index] for index in indexes]
    networks: list[Hashable] = [click.net for click in first_opens]
    if len(set(networks)) < MIN_FAN_OUT_NETWORKS:
        return [0] * len(clicks)
    flags = _in_distributed_window(
        first_opens,
        networks,
        window_ms=FAN_OUT_WINDOW_MS,
        min_sources=MIN_FAN_OUT_NETWORKS,
        min_links=MIN_FAN_OUT_LINKS,
    )
    evidence = [0] * len(clicks)
    for index, is_distributed in zip(indexes, flags, strict=True):
        if is_distributed:
            evidence[index] = FAN_OUT
    return evidence


def detect_agent_burst(clicks: SortedClicks) -> list[int]:
    """Mark clicks by a user agent on 4 links from several data-center addresses within 10 s (rule 17b).

    An address that opened most of the links is not marked: it may be one reader with tabs on a virtual desktop.
    """
    addresses: list[Hashable] = [click.addr or click.net for click in clicks]
    if len(set(addresses)) < MIN_AGENT_BURST_ADDRESSES:
        return [0] * len(clicks)
    flags = _in_distributed_window(
        clicks,
        addresses,
        window_ms=AGENT_BURST_WINDOW_MS,
        min_sources=MIN_AGENT_BURST_ADDRESSES,
        min_links=MIN_AGENT_BURST_LINKS,
    )
    return bits_where(flags, AGENT_BURST)


def _first_opens(clicks: SortedClicks) -> list[int]:
    """Return the indexes of clicks whose link no other network opened within FAN_OUT_WINDOW_MS before.

    Clicks of the same millisecond do not precede each other.
    """
    indexes: list[int] = []
    latest_opens: dict[int, list[tuple[int, str]]] = {}
    for time, same_time in groupby(range(len(clicks)), key=lambda index: clicks[index].ts_ms):
        opens = [
            (index, clicks[index].link_id, net)
            for index in same_time
            if (net := clicks[index].net) is not None
        ]
        for index, link, net in opens:
            before = latest_opens.get(link, ())
            if not any(other != net and time - at <= FAN_OUT_WINDOW_MS for at, other in before):
                indexes.append(index)
        for _, link, net in opens:
            # The latest opens of the latest two networks suffice: one of them differs from any network.
            others = [entry for entry in latest_opens.get(link, ()) if entry[1] != net]
            latest_opens[link] = [*others[-1:], (time, net)]
    return indexes


def _in_distributed_window(
    clicks: SortedClicks, sources: Sequence[Hashable], *, window_ms: int, min_sources: int, min_links: int
) -> list[bool]:
    """Return for each click whether the links around it are shared among many sources (networks or addresses).

    Three windows are tried: ending at the click, beginning at it, and centred on it. One of them must have
    ``min_sources`` and ``min_links``, and the click's own source at most half of the window's links.
    """
    flags = [False] * len(clicks)
    for before, after in ((window_ms, 0), (0, window_ms), (window_ms // 2, window_ms // 2)):
        window = _SourceWindow(clicks, sources)
        for index, click in enumerate(clicks):
            window.advance(click.ts_ms - before, click.ts_ms + after)
            if window.is_distributed(sources[index], min_sources=min_sources, min_links=min_links):
                flags[index] = True
    return flags


class _ClickWindow:
    """Counters over the clicks between two times that only increase."""

    def __init__(self, clicks: SortedClicks) -> None:
        self._clicks = clicks
        self._left = self._right = 0

    def advance(self, since: int, until: int) -> None:
        """Move the window to the clicks from ``since`` to ``until``, both included."""
        while self._right < len(self._clicks) and self._clicks[self._right].ts_ms <= until:
            self._update(self._right, 1)
            self._right += 1
        while self._left < self._right and self._clicks[self._left].ts_ms < since:
            self._update(self._left, -1)
            self._left += 1

    def _update(self, index: int, step: int) -> None:
        """Add a click to the counters (``step`` 1) or remove it (-1)."""
        raise NotImplementedError


class _SourceWindow(_ClickWindow):
    """Sliding-window counter of links, and of the links that each source opened."""

    def __init__(self, clicks: SortedClicks, sources: Sequence[Hashable]) -> None:
        super().__init__(clicks)
        self._sources = sources
        self._links: Counter[Hashable] = Counter()
        self._links_by_source: Counter[Hashable] = Counter()
        self._source_links: Counter[Hashable] = Counter()

    def is_distributed(self, source: Hashable, *, min_sources: int, min_links: int) -> bool:
        """Return whether the window has enough sources and links, and ``source`` at most half of its links."""
        many = len(self._links_by_source) >= min_sources and len(self._links) >= min_links
        return many and 2 * self._links_by_source[source] <= len(self._links)

    def _update(self, index: int, step: int) -> None:
        link, source = self._clicks[index].link_id, self._sources[index]
        _change_count(self._links, link, step)
        count = _change_count(self._source_links, (source, link), step)
        if count == max(step, 0):  # the first click of this source on the link came in, or its last one left
            _change_count(self._links_by_source, source, step)


def _change_count(counts: Counter[Hashable], key: Hashable, step: int) -> int:
    """Return the new count of a key; a count of 0 is deleted, so that ``len`` is the number of keys in the window."""
    counts[key] += step
    return counts[key] or counts.pop(key)


def detect_click_time_checks(clicks: SortedClicks) -> list[int]:
    """Mark a gateway's check of a link that a reader of the same recipient token opens within 20 s (rule 22).

    The check comes from another network with another user agent than the reader's. It comes from a listed network, or
    after the reader with incomplete headers. Clicks without a network or user agent are not compared.
    """
    evidence = [0] * len(clicks)
    by_link: dict[int, list[int]] = {}
    for index, click in enumerate(clicks):
        if click.net is not None and click.agent_id is not None:
            by_link.setdefault(click.link_id, []).append(index)
    for indexes in by_link.values():
        readers = [clicks[index] for index in indexes if _is_reader(clicks[index])]
        if readers and len(readers) < len(indexes):
            for index in _find_checks(clicks, indexes, readers):
                evidence[index] = CLICK_TIME_CHECK
    return evidence


def _is_reader(click: NearbyClick) -> bool:
    """Return whether a click has complete headers and comes from no listed network."""
    return not click.evidence & INCOMPLETE_HEADERS and not from_listed_network(click.evidence)


def _find_checks(clicks: SortedClicks, indexes: Sequence[int], readers: SortedClicks) -> list[int]:
    """Return the indexes of the clicks that check a reader's click.

    The reader may come before or after a click from a listed network, and only before a click from another network.
    """
    around, earlier = _ReaderWindow(readers), _ReaderWindow(readers)
    checks = []
    for index in indexes:
        click = clicks[index]
        around.advance(click.ts_ms - CLICK_TIME_CHECK_MS, click.ts_ms + CLICK_TIME_CHECK_MS)
        earlier.advance(click.ts_ms - CLICK_TIME_CHECK_MS, click.ts_ms - 1)
        if from_listed_network(click.evidence):
            if around.count_others(click):
                checks.append(index)
        elif click.evidence & INCOMPLETE_HEADERS and earlier.count_others(click):
            checks.append(index)
    return checks


def detect_click_echoes(clicks: SortedClicks) -> list[int]:
    """Mark a gateway's check of a link without recipient token, up to 20 s after the link's only reader (rule 22).

    A person is marked only if another reader happened to open the same link just before. On the busiest link that still
    counts as quiet, this affects one in eight of the people without ``Accept-Language`` or in a data center.
    """
    evidence = [0] * len(clicks)
    times = [click.ts_ms for click in clicks]
    for index, click in enumerate(clicks):
        suspicious = click.evidence & NO_LANGUAGE or from_datacenter(click.evidence)
        if suspicious and not click.evidence & REWRITTEN_LINK:
            begin = bisect_left(times, click.ts_ms - CLICK_ECHO_WINDOW_MS)
            end = bisect_right(times, click.ts_ms + CLICK_ECHO_WINDOW_MS)
            if end - begin <= MAX_QUIET_LINK_CLICKS and _is_echo(click, clicks[begin:end]):
                evidence[index] = CLICK_ECHO
    return evidence


def _is_echo(click: NearbyClick, nearby: SortedClicks) -> bool:
    """Return whether the nearby clicks have exactly one reader, shortly before the click, and none like the click."""
    readers = [other for other in nearby if _is_reader(other) and other.reason not in REQUEST_REASONS]
    if len({(reader.net, reader.agent_id) for reader in readers}) != 1:
        return False
    reader = readers[0]
    known = None not in (click.net, click.agent_id, reader.net, reader.agent_id)
    elsewhere = known and click.net != reader.net and click.agent_id != reader.agent_id
    alike = sum((other.net, other.agent_id) == (click.net, click.agent_id) for other in nearby)
    just_before = any(0 < click.ts_ms - other.ts_ms <= CLICK_TIME_CHECK_MS for other in readers)
    return elsewhere and alike == 1 and just_before


class _ReaderWindow(_ClickWindow):
    """Sliding-window counter of readers, keyed by network, by user agent, and by both."""

    def __init__(self, readers: SortedClicks) -> None:
        super().__init__(readers)
        self._counts: Counter[Hashable] = Counter()

    def count_others(self, click: NearbyClick) -> int:
        """Return how many readers differ from the click in both network and user agent."""
        counts = self._counts
        same = (
            counts["net", click.net]
            + counts["agent", click.agent_id]
            - counts[click.net, click.agent_id, None]
        )
        return self._right - self._left - same

    def _update(self, index: int, step: int) -> None:
        reader = self._clicks[index]
        for key in (("net", reader.net), ("agent", reader.agent_id), (reader.net, reader.agent_id, None)):
            self._counts[key] += step
