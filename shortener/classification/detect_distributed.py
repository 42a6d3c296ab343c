"""Detectors of programs that open links from several networks or addresses (docs/classification.md, section 6)."""

# Rule and section numbers are those of docs/classification.md.
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
"""Time window in milliseconds in which a fan-out is looked for (rule 21)."""
MIN_FAN_OUT_NETWORKS = 3
"""Smallest number of networks in a fan-out. Networks of data centers are not counted."""
MIN_FAN_OUT_LINKS = 3
"""Smallest number of different links in a fan-out."""
AGENT_BURST_WINDOW_MS = 10 * SECOND_MS
"""Time window in milliseconds in which an agent burst is looked for (rule 17b)."""
MIN_AGENT_BURST_ADDRESSES = 2
"""Smallest number of data-center addresses in an agent burst."""
MIN_AGENT_BURST_LINKS = 4
"""Smallest number of different links in an agent burst."""
CLICK_TIME_CHECK_MS = 20 * SECOND_MS
"""Longest time in milliseconds between a reader's click and a mail gateway's check of that link (rule 22)."""
CLICK_ECHO_WINDOW_MS = 30 * SECOND_MS
"""Milliseconds before and after a mail gateway's check (click echo) in which exactly one reader clicked the link."""
MAX_QUIET_LINK_CLICKS = 16
"""Largest number of clicks on a link, within CLICK_ECHO_WINDOW_MS of a click, at which the click can be an echo."""


def detect_fan_out(
    clicks: SortedClicks,  # all with one recipient's token
) -> list[int]:  # rule 21
    """Return one value per click: FAN_OUT for 3 different links from 3 networks within a minute, else 0."""
    # Mail gateways check a link when its reader clicks it, so a link that another network has just opened is ignored.
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


def detect_agent_burst(
    clicks: SortedClicks,  # all from data centers, with one user agent
) -> list[int]:  # rule 17b
    """Return one value per click: AGENT_BURST for 4 different links from 2 addresses within 10 seconds, else 0."""
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
    """Return the indexes of clicks whose link no other network has just opened."""
    # "Just" is within a minute. A network is a /24 or /48; clicks from unknown networks are ignored.
    indexes: list[int] = []
    latest_opens: dict[int, list[tuple[int, str]]] = {}
    # Of two clicks in the same millisecond, neither is earlier.
    for time, same_time in groupby(range(len(clicks)), key=lambda index: clicks[index].ts_ms):
        opens = [(index, clicks[index].link_id, net) for index in same_time if (net := clicks[index].net) is not None]
        for index, link, net in opens:
            before = latest_opens.get(link, ())
            if not any(other != net and time - at <= FAN_OUT_WINDOW_MS for at, other in before):
                indexes.append(index)
        for _, link, net in opens:
            # Two entries from different networks suffice: any later click differs in network from one of them.
            others = [entry for entry in latest_opens.get(link, ()) if entry[1] != net]
            latest_opens[link] = [*others[-1:], (time, net)]
    return indexes


def _in_distributed_window(
    clicks: SortedClicks,
    sources: Sequence[Hashable],  # the network or address of each click
    *,
    window_ms: int,
    min_sources: int,
    min_links: int,
) -> list[bool]:
    """Return for each click whether enough sources clicked enough links around its time."""
    flags = [False] * len(clicks)
    # The windows before the click, after it, and around it.
    for before, after in ((window_ms, 0), (0, window_ms), (window_ms // 2, window_ms // 2)):
        window = _SourceWindow(clicks, sources)
        for index, click in enumerate(clicks):
            window.advance(click.ts_ms - before, click.ts_ms + after)
            if window.is_distributed(sources[index], min_sources=min_sources, min_links=min_links):
                flags[index] = True
    return flags


class _ClickWindow:
    """Base class for counting the clicks in a time window that only moves forward."""

    def __init__(self, clicks: SortedClicks) -> None:
        self._clicks = clicks
        self._left = self._right = 0

    def advance(self, since: int, until: int) -> None:
        """Move the window to the clicks from time ``since`` to ``until`` in milliseconds, both included."""
        while self._right < len(self._clicks) and self._clicks[self._right].ts_ms <= until:
            self._count_click(self._right, 1)
            self._right += 1
        while self._left < self._right and self._clicks[self._left].ts_ms < since:
            self._count_click(self._left, -1)
            self._left += 1

    def _count_click(self, index: int, step: int) -> None:
        # ``step`` is 1 for a click that enters the window, and -1 for one that leaves it.
        raise NotImplementedError


class _SourceWindow(_ClickWindow):
    """Counts the different links in a time window, in total and for each source (network or address)."""

    def __init__(self, clicks: SortedClicks, sources: Sequence[Hashable]) -> None:
        super().__init__(clicks)
        self._sources = sources
        self._links: Counter[Hashable] = Counter()
        self._links_by_source: Counter[Hashable] = Counter()
        self._source_links: Counter[Hashable] = Counter()

    def is_distributed(self, source: Hashable, *, min_sources: int, min_links: int) -> bool:
        """Return whether enough sources clicked enough different links in the time window.

        The result is False if ``source`` opened over half of these links.
        """
        many = len(self._links_by_source) >= min_sources and len(self._links) >= min_links
        # A source of more than half of the links may be the reader's own network, or a virtual desktop with many tabs.
        return many and 2 * self._links_by_source[source] <= len(self._links)

    def _count_click(self, index: int, step: int) -> None:
        link, source = self._clicks[index].link_id, self._sources[index]
        _change_count(self._links, link, step)
        count = _change_count(self._source_links, (source, link), step)
        if count == max(step, 0):  # the first click of this source on the link came in, or its last one left
            _change_count(self._links_by_source, source, step)


def _change_count(counts: Counter[Hashable], key: Hashable, step: int) -> int:
    counts[key] += step
    # Keys with the count 0 are removed, because the keys are counted too.
    return counts[key] or counts.pop(key)


def detect_click_time_checks(
    clicks: SortedClicks,  # all with one recipient's token
) -> list[int]:  # rule 22
    """Return one value per click: CLICK_TIME_CHECK for a mail gateway's scan that a reader's click caused, else 0."""
    evidence = [0] * len(clicks)
    by_link: dict[int, list[int]] = {}
    for index, click in enumerate(clicks):
        if click.net is not None and click.agent_id is not None:
            by_link.setdefault(click.link_id, []).append(index)
    for indexes in by_link.values():
        readers = [clicks[index] for index in indexes if _looks_like_reader(clicks[index])]
        if readers and len(readers) < len(indexes):
            for index in _find_checks(clicks, indexes, readers):
                evidence[index] = CLICK_TIME_CHECK
    return evidence


def _looks_like_reader(click: NearbyClick) -> bool:
    return not click.evidence & INCOMPLETE_HEADERS and not from_listed_network(click.evidence)


def _find_checks(
    clicks: SortedClicks,
    indexes: Sequence[int],  # of all clicks on this link
    readers: SortedClicks,  # those of them that look human
) -> list[int]:
    """Return the indexes of a mail gateway's scans of a link that readers clicked."""
    around, earlier = _ReaderWindow(readers), _ReaderWindow(readers)
    checks = []
    for index in indexes:
        click = clicks[index]
        around.advance(click.ts_ms - CLICK_TIME_CHECK_MS, click.ts_ms + CLICK_TIME_CHECK_MS)
        earlier.advance(click.ts_ms - CLICK_TIME_CHECK_MS, click.ts_ms - 1)
        # A check from a listed network may come before or after the reader's click. A check from another network must
        # come after it, and lack headers that browsers send.
        if from_listed_network(click.evidence):
            if around.count_others(click):
                checks.append(index)
        elif click.evidence & INCOMPLETE_HEADERS and earlier.count_others(click):
            checks.append(index)
    return checks


def detect_click_echoes(
    clicks: SortedClicks,  # all on one link, without recipient tokens
) -> list[int]:  # section 6.3
    """Return one value per click: CLICK_ECHO for a mail gateway's probable scan after a reader's click, else 0."""
    evidence = [0] * len(clicks)
    times = [click.ts_ms for click in clicks]
    for index, click in enumerate(clicks):
        suspicious = click.evidence & NO_LANGUAGE or from_datacenter(click.evidence)
        if suspicious and not click.evidence & REWRITTEN_LINK:
            begin = bisect_left(times, click.ts_ms - CLICK_ECHO_WINDOW_MS)
            end = bisect_right(times, click.ts_ms + CLICK_ECHO_WINDOW_MS)
            # A reader's click is marked by mistake if it is suspicious and follows just after another reader's click.
            # On the busiest link that is examined, this happens to one in eight such readers.
            if end - begin <= MAX_QUIET_LINK_CLICKS and _is_echo(click, clicks[begin:end]):
                evidence[index] = CLICK_ECHO
    return evidence


def _is_echo(
    click: NearbyClick,
    nearby: SortedClicks,  # the clicks on this link at about the same time
) -> bool:
    """Return whether a mail gateway probably made this click after a reader's click."""
    # There must be exactly one reader, which is a pair of network and user agent.
    readers = [other for other in nearby if _looks_like_reader(other) and other.reason not in REQUEST_REASONS]
    if len({(reader.net, reader.agent_id) for reader in readers}) != 1:
        return False
    reader = readers[0]
    known = None not in (click.net, click.agent_id, reader.net, reader.agent_id)
    elsewhere = known and click.net != reader.net and click.agent_id != reader.agent_id
    # The click itself is among the nearby clicks.
    alike = sum((other.net, other.agent_id) == (click.net, click.agent_id) for other in nearby)
    just_before = any(0 < click.ts_ms - other.ts_ms <= CLICK_TIME_CHECK_MS for other in readers)
    return elsewhere and alike == 1 and just_before


class _ReaderWindow(_ClickWindow):
    """Counts readers' clicks in a time window by network, by user agent, and by both."""

    def __init__(self, readers: SortedClicks) -> None:
        super().__init__(readers)
        self._counts: Counter[Hashable] = Counter()

    def count_others(self, click: NearbyClick) -> int:
        """Return how many clicks in the time window differ from ``click`` in network and also in user agent."""
        counts = self._counts
        same = counts["net", click.net] + counts["agent", click.agent_id] - counts[click.net, click.agent_id, None]
        return self._right - self._left - same

    def _count_click(self, index: int, step: int) -> None:
        reader = self._clicks[index]
        for key in (("net", reader.net), ("agent", reader.agent_id), (reader.net, reader.agent_id, None)):
            self._counts[key] += step
