"""Rules over who opens what one reader would: the same copy or browser from many places (17b, 21, 22).

Each ``mark_`` takes the clicks of one group in order of time and gives the bits of each.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Hashable, Sequence
from itertools import groupby

from shortener.classification.evidence import AGENT_BURST, BARE, ECHO, FAN_OUT, NO_LANGUAGE, REWRITTEN, TWIN
from shortener.classification.nearby_clicks import Clicks, Neighbour, is_anywhere, is_hosted
from shortener.classification.reasons import REASONS

FAN_OUT_MS = 60_000
FAN_OUT_NETWORKS = 3
FAN_OUT_LINKS = 3
AGENT_MS = 10_000
AGENT_ADDRESSES = 2
AGENT_LINKS = 4
TWIN_MS = 20_000
ECHO_MS = 30_000
"""So long before and after it a link has to have one reader only, for a second look at it to be told from a reader."""
CROWD = 16
"""More clicks than that around one are a busy link's."""


def mark_fan_out(clicks: Clicks) -> list[int]:
    """Rule 21: one copy from 3 networks outside of data centers, and 3 links, within a minute.

    Only first openings count: a check that follows a reader's click within a minute repeats the reader's
    link. And only networks with at most half of the links are told by it: a reader who opened all of them
    stays.
    """
    firsts = [index for index in _first_openings(clicks) if not is_hosted(clicks[index].gaps)]
    opened = [clicks[index] for index in firsts]
    places: list[Hashable] = [click.net for click in opened]
    if len(set(places)) < FAN_OUT_NETWORKS:
        return [0] * len(clicks)
    told = _told(opened, places, span=FAN_OUT_MS, least_places=FAN_OUT_NETWORKS, least_links=FAN_OUT_LINKS)
    return _bits(len(clicks), firsts, told, FAN_OUT)


def mark_agent(clicks: Clicks) -> list[int]:
    """Rule 17b: one user agent on 4 links within 10 s from several addresses of data centers.

    One address with all the links may be one reader with tabs on a virtual desktop, and is left to the rules
    on readers.
    """
    places: list[Hashable] = [click.addr or click.net for click in clicks]
    if len(set(places)) < AGENT_ADDRESSES:
        return [0] * len(clicks)
    told = _told(clicks, places, span=AGENT_MS, least_places=AGENT_ADDRESSES, least_links=AGENT_LINKS)
    return _bits(len(clicks), range(len(clicks)), told, AGENT_BURST)


def _bits(size: int, indexes: Sequence[int], told: Sequence[bool], bit: int) -> list[int]:
    found = [0] * size
    for index, is_told in zip(indexes, told, strict=True):
        if is_told:
            found[index] = bit
    return found


def _first_openings(clicks: Clicks) -> list[int]:
    """The clicks whose link no other network had opened within FAN_OUT_MS before, as indexes.

    Clicks of one millisecond do not precede each other.
    """
    found: list[int] = []
    latest: dict[int, list[tuple[int, str]]] = {}
    for at, moment in groupby(range(len(clicks)), key=lambda index: clicks[index].at):
        together = [
            (index, clicks[index].link, net) for index in moment if (net := clicks[index].net) is not None
        ]
        for index, link, net in together:
            before = latest.get(link, ())
            if not any(other != net and at - then <= FAN_OUT_MS for then, other in before):
                found.append(index)
        for _, link, net in together:
            latest[link] = _latest_of_two(latest.get(link, []), at, net)
    return found


def _latest_of_two(known: list[tuple[int, str]], at: int, net: str) -> list[tuple[int, str]]:
    """The last openings of the last two networks: enough to tell whether another network than any came
    before.
    """
    return [*[entry for entry in known if entry[1] != net][-1:], (at, net)]


def _told(
    clicks: Clicks, places: Sequence[Hashable], *, span: int, least_places: int, least_links: int
) -> list[bool]:
    """For each click, whether a window that ends, starts or has its middle there has so many places and
    links.

    And whether the click's own place has at most half of the window's links.
    """
    told = [False] * len(clicks)
    for before, after in ((span, 0), (0, span), (span // 2, span // 2)):
        window = _Window(clicks, places)
        for index, click in enumerate(clicks):
            window.move(click.at - before, click.at + after)
            if window.is_spread(places[index], least_places=least_places, least_links=least_links):
                told[index] = True
    return told


class _Window:
    """The clicks between two moments that only move on: which places opened which links."""

    def __init__(self, clicks: Clicks, places: Sequence[Hashable]) -> None:
        self._clicks, self._places = clicks, places
        self._left = self._right = 0
        self._links: Counter[Hashable] = Counter()
        self._links_by_place: Counter[Hashable] = Counter()
        self._pairs: Counter[Hashable] = Counter()

    def move(self, since: int, until: int) -> None:
        while self._right < len(self._clicks) and self._clicks[self._right].at <= until:
            self._enter(self._right)
            self._right += 1
        while self._left < self._right and self._clicks[self._left].at < since:
            self._leave(self._left)
            self._left += 1

    def is_spread(self, place: Hashable, *, least_places: int, least_links: int) -> bool:
        many = len(self._links_by_place) >= least_places and len(self._links) >= least_links
        return many and 2 * self._links_by_place[place] <= len(self._links)

    def _enter(self, index: int) -> None:
        link, place = self._clicks[index].link, self._places[index]
        self._links[link] += 1
        if (place, link) not in self._pairs:
            self._links_by_place[place] += 1
        self._pairs[place, link] += 1

    def _leave(self, index: int) -> None:
        link, place = self._clicks[index].link, self._places[index]
        _take(self._links, link)
        if _take(self._pairs, (place, link)) == 0:
            _take(self._links_by_place, place)


def _take(counts: Counter[Hashable], key: Hashable) -> int:
    """Take one away and forget what is at none, so that the length counts what is there."""
    left = counts[key] - 1
    if left:
        counts[key] = left
    else:
        del counts[key]
    return left


def mark_twins(clicks: Clicks) -> list[int]:
    """Rule 22: a reader opened the same link within 20 s, from another network with another user agent.

    The side in a data center is the machine; without one, the later side whose headers are incomplete. A
    click without a network or user agent has no twin.
    """
    found = [0] * len(clicks)
    by_link: dict[int, list[int]] = {}
    for index, click in enumerate(clicks):
        if click.net is not None and click.agent is not None:
            by_link.setdefault(click.link, []).append(index)
    for indexes in by_link.values():
        readers = [clicks[index] for index in indexes if _is_reader(clicks[index])]
        if readers and len(readers) < len(indexes):
            for index in _checks(clicks, indexes, readers):
                found[index] = TWIN
    return found


def _is_reader(click: Neighbour) -> bool:
    return not click.gaps & BARE and not is_anywhere(click.gaps)


def _checks(clicks: Clicks, indexes: Sequence[int], readers: Clicks) -> list[int]:
    """The clicks that have such a reader within reach: before and after for data centers, before for the
    others.
    """
    around, earlier = _Readers(readers), _Readers(readers)
    found = []
    for index in indexes:
        click = clicks[index]
        around.move(click.at - TWIN_MS, click.at + TWIN_MS)
        earlier.move(click.at - TWIN_MS, click.at - 1)
        if is_anywhere(click.gaps):
            if around.others(click):
                found.append(index)
        elif click.gaps & BARE and earlier.others(click):
            found.append(index)
    return found


def mark_echoes(clicks: Clicks) -> list[int]:
    """Rule 22 where no copy is known: on a quiet link, a click within 20 s after its only reader, from elsewhere.

    One without a language, or from a data center; from another network with another user agent, and the only one
    there. A person is taken for that only if another reader chanced upon the same link just before: at the worst pace
    of a link that is one in eight of those who have no language or read in a data center.
    """
    found = [0] * len(clicks)
    times = [click.at for click in clicks]
    for index, click in enumerate(clicks):
        if (click.gaps & NO_LANGUAGE or is_hosted(click.gaps)) and not click.gaps & REWRITTEN:
            begin, end = bisect_left(times, click.at - ECHO_MS), bisect_right(times, click.at + ECHO_MS)
            if end - begin <= CROWD and _is_echo(click, clicks[begin:end]):
                found[index] = ECHO
    return found


def _is_echo(click: Neighbour, around: Clicks) -> bool:
    """Whether the clicks around one show one reader only, who came shortly before, and nobody else like it."""
    readers = [other for other in around if _is_reader(other) and not REASONS[other.reason].request]
    if len({(reader.net, reader.agent) for reader in readers}) != 1:
        return False
    reader = readers[0]
    known = None not in (click.net, click.agent, reader.net, reader.agent)
    elsewhere = known and click.net != reader.net and click.agent != reader.agent
    only = sum((other.net, other.agent) == (click.net, click.agent) for other in around) == 1
    return elsewhere and only and any(0 < click.at - other.at <= TWIN_MS for other in readers)


class _Readers:
    """The readers between two moments that only move on, counted by network, by user agent and by both."""

    def __init__(self, readers: Clicks) -> None:
        self._readers = readers
        self._left = self._right = 0
        self._counts: Counter[Hashable] = Counter()

    def move(self, since: int, until: int) -> None:
        while self._right < len(self._readers) and self._readers[self._right].at <= until:
            self._count(self._readers[self._right], 1)
            self._right += 1
        while self._left < self._right and self._readers[self._left].at < since:
            self._count(self._readers[self._left], -1)
            self._left += 1

    def others(self, click: Neighbour) -> int:
        """How many of them differ from the click in network and in user agent."""
        counts = self._counts
        same = counts["net", click.net] + counts["agent", click.agent] - counts[click.net, click.agent, None]
        return self._right - self._left - same

    def _count(self, reader: Neighbour, step: int) -> None:
        for key in (("net", reader.net), ("agent", reader.agent), (reader.net, reader.agent, None)):
            self._counts[key] += step
