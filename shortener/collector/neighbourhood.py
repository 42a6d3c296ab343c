"""Which stored clicks a judgement depends on, and which it may change: family by family, as few as will do.

A family's rules look no further than its horizon. So what a new click may change lies within one horizon of it, and
what that depends on within two.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence, Set

from shortener.classification.detect_honeypot import ADDRESS_TRAP_MS, MACHINE_BITS, looks_machine
from shortener.classification.evidence import ADDRESS_TRAP, DATACENTER, NETWORK_TRAP, REQUEST_BITS
from shortener.classification.groups import FAMILIES, Family, in_order, mark_group
from shortener.classification.intervals import Range, merge, subtract
from shortener.classification.nearby_clicks import Neighbour, takes_part
from shortener.store import Store
from shortener.store import nearby_clicks as sql
from shortener.store.clicks import Click
from shortener.store.nearby_clicks import HitRow, NeighbourRow, Neighbours, Reading

HOUR_MS = 3_600_000
TRAPPED = ADDRESS_TRAP | NETWORK_TRAP

Place = tuple[str, str, int | str | None]
"""A column, its value, and a user agent if only that is meant."""


def _horizon(*columns: str) -> int:
    """The widest horizon of the families that are looked up by one of these columns first."""
    return max(family.horizon for family in FAMILIES if family.columns[0] in columns and not _by_trap(family))


def _by_trap(family: Family) -> bool:
    return bool(family.bits & TRAPPED)


_BY_TIME = max(
    family.horizon for family in FAMILIES if family.name in {"network", "browser", "link", "hosted browser"}
)
_BY_READER = _horizon("copy", "addr")


class World:
    """What clicks are judged by besides themselves and each other: hidden links, and when issues were sent."""

    def __init__(self, store: Store) -> None:
        self.traps = sql.traps(store)
        self._issues = sql.issue_facts(store)

    def neighbour(self, row: NeighbourRow) -> Neighbour:
        """A stored click as the rules see it."""
        return Neighbour(*row, row[2] in self.traps, *self._issues.get(row[3] or 0, _UNKNOWN))

    def newcomer(self, seq: int, click: Click) -> Neighbour:
        """A click that is about to be stored, as the rules see it."""
        return self.neighbour(
            (
                seq,
                click.ts,
                click.link_id,
                click.issue_id,
                click.n,
                click.net,
                click.addr,
                click.copy,
                click.agent_id,
                click.reason,
                click.gaps,
            )
        )


_UNKNOWN = (None, 0)
"""What is known of a click's issue where it has none: when it was sent, and how many links it has."""


class Surroundings:
    """The stored clicks that any judgement on ``targets``, or on what they may change, can depend on.

    ``clicks`` by seq, the targets not among them; ``hits`` of hidden links besides, which speak and are not judged.
    """

    def __init__(self, store: Store, targets: Mapping[int, Neighbour], world: World, *, new: bool) -> None:
        """``new`` targets are those that were stored last, and everybody else has been judged.

        For others all is read that a hidden link may speak about, hit by hit.
        """
        self._store, self._world = store, world
        self.cut = False
        """Whether, in a flood, there are more neighbours than were read."""
        self._uncopied = [click for click in targets.values() if click.copy is None]
        rows = {row[0]: row for row in self._around_readers(targets.values())}
        self.hits: list[Neighbour] = []
        if world.traps and self._uncopied:
            read = self._around_new_hits if new else self._around_hits
            rows |= {row[0]: row for row in read(min(targets))}
        self.clicks = {seq: world.neighbour(row) for seq, row in rows.items() if seq not in targets}

    def _around_readers(self, targets: Iterable[Neighbour]) -> Iterator[NeighbourRow]:
        margin = 2 * _BY_TIME
        for since, until in spans((click.at for click in self._uncopied), margin=margin):
            reading = Reading(since + margin, until - margin, since, until)
            yield from self._all(sql.without_copy(self._store, reading))
        copied = ((click.copy, click.at) for click in targets if click.copy is not None)
        for hour, (copies, reading) in _by_hour(copied, reach=2 * _BY_READER).items():
            yield from self._all(sql.sharing(self._store, "copy", copies, reading, hour=hour))
        placed = ((click.addr, click.at) for click in self._uncopied if click.addr is not None)
        for hour, (addresses, reading) in _by_hour(placed, reach=2 * _BY_READER).items():
            yield from self._all(sql.sharing(self._store, "addr", addresses, reading, hour=hour))

    def _all(self, found: Neighbours) -> list[NeighbourRow]:
        self.cut = self.cut or found.cut
        return found.rows

    def _around_hits(self, first: int) -> Iterator[NeighbourRow]:
        """Every hit near the targets, and near targets that are hits everybody from their addresses."""
        addresses, nets = self._places()
        for since, until in self._spans_of_hits():
            for row in sql.on_links(self._store, self._world.traps, since=since, until=until):
                if row[6] in addresses or row[5] in nets:
                    yield row
        yield from self._spoken_of({})

    def _around_new_hits(self, first: int) -> Iterator[NeighbourRow]:
        """Earlier hits near the targets, the first and the last of a while stand for those between them.

        Whom an earlier hit speaks about has been caught, so that only the time is looked at that a new one adds.
        """
        addresses, nets = self._places()
        earlier: dict[Place, list[Range]] = {}
        for since, until in self._spans_of_hits():
            rows = sql.hits(
                self._store, self._world.traps, since=since, until=until, below=first,
                bits=REQUEST_BITS, whoever=MACHINE_BITS, every=ADDRESS_TRAP_MS,
            )  # fmt: skip
            for row in rows:
                if row.addr in addresses or row.net in nets:
                    ends = self._ends_of(row)
                    for place in _speaks_about(ends[0]):
                        earlier.setdefault(place, []).append(_reach(row.first, row.last))
                    self.hits += filter(takes_part, ends)
        yield from self._spoken_of({place: merge(each) for place, each in earlier.items()})

    def _places(self) -> tuple[set[str], set[str]]:
        addresses = {click.addr for click in self._uncopied if click.addr is not None}
        return addresses, {click.net for click in self._uncopied if click.net is not None}

    def _spans_of_hits(self) -> Iterator[tuple[int, int]]:
        return spans((click.at for click in self._uncopied), margin=2 * ADDRESS_TRAP_MS)

    def _ends_of(self, row: HitRow) -> list[Neighbour]:
        """The first and the last of hits that say the same; their seqs are no stored click's."""
        return [
            Neighbour(
                seq=-1, at=at, link=min(self._world.traps), net=row.net, addr=row.addr, agent=row.agent_id,
                reason=row.reason, gaps=row.gaps, trap=True,
            )
            for at in sorted({row.first, row.last})
        ]  # fmt: skip

    def _spoken_of(self, earlier: Mapping[Place, Sequence[Range]]) -> Iterator[NeighbourRow]:
        """The clicks that targets speak about which are hits, where nobody spoke ``earlier``."""
        spoken: dict[Place, list[Range]] = {}
        for hit in self._uncopied:
            for place in _speaks_about(hit):
                spoken.setdefault(place, []).append(_reach(hit.at, hit.at))
        added = {place: subtract(merge(each), earlier.get(place, ())) for place, each in spoken.items()}
        for (column, value, _), moments in added.items():
            if column == "addr":
                for since, until in moments:
                    yield from self._at_address(value, since, until - 1)
        nets = {value for (column, value, _), moments in added.items() if column == "net" and moments}
        times = [each for (column, *_), moments in added.items() if column == "net" for each in moments]
        for since, until in merge(times):
            yield from sql.from_networks(self._store, nets, since=since, until=until - 1)

    def _at_address(self, address: str, since: int, until: int) -> Iterator[NeighbourRow]:
        for hour in range(since // HOUR_MS, until // HOUR_MS + 1):
            reading = Reading(since, until, since, until)
            yield from self._all(sql.sharing(self._store, "addr", [address], reading, hour=hour))


def _reach(first: int, last: int) -> Range:
    """The moments that hits from the first to the last speak about."""
    return first - ADDRESS_TRAP_MS, last + ADDRESS_TRAP_MS + 1


def _speaks_about(click: Neighbour) -> Iterator[Place]:
    """Whom a hit of a hidden link speaks about, as ``traps`` has it; nobody if the click is none."""
    if not click.trap or not takes_part(click):
        return
    if click.addr is not None and looks_machine(click):
        yield "addr", click.addr, None
    elif click.addr is not None and click.agent is not None:
        yield "addr", click.addr, click.agent
    if click.net is not None and click.gaps & DATACENTER:
        yield "net", click.net, None


def _by_hour(places: Iterable[tuple[str, int]], *, reach: int) -> dict[int, tuple[set[str], Reading]]:
    """What is looked for in which hour: each value ``reach`` milliseconds before and after its time."""
    hours: dict[int, tuple[set[str], list[int]]] = {}
    for value, at in places:
        for hour in range((at - reach) // HOUR_MS, (at + reach) // HOUR_MS + 1):
            known = hours.get(hour)
            if known is None:
                hours[hour] = {value}, [at, at]
            else:
                known[0].add(value)
                if at < known[1][0]:
                    known[1][0] = at
                elif at > known[1][1]:
                    known[1][1] = at
    return {
        hour: (values, Reading(first, last, first - reach, last + reach))
        for hour, (values, (first, last)) in hours.items()
    }


def spans(times: Iterable[int], *, margin: int) -> Iterator[tuple[int, int]]:
    """Disjoint spans that hold every time with its margin: what lies between two times far apart is not read."""
    begin = end = None
    for time in sorted(times):
        if begin is None or end is None or time - margin > end:
            if begin is not None and end is not None:
                yield begin, end
            begin = time - margin
        end = time + margin
    if begin is not None and end is not None:
        yield begin, end


def bits_around(
    universe: Mapping[int, Neighbour],
    targets: Set[int],
    *,
    hits: Sequence[Neighbour] = (),
    caught: int = 0,
    cut: bool = False,
) -> dict[int, int]:
    """The bits of the targets, and of the clicks that a target speaks about: family by family.

    A family's bits of a click that no target speaks about are left as they are stored: its neighbours may not be here.
    ``hits`` of hidden links speak besides, and are not judged. Of the bits in ``caught`` no target rids anybody else,
    so whoever has one keeps it. Where the universe is ``cut``, nobody but the targets loses a bit: what it was found
    by may not be here.
    """
    found = {seq: universe[seq].gaps & REQUEST_BITS for seq in targets}
    first, last = min(universe[seq].at for seq in targets), max(universe[seq].at for seq in targets)
    ordered = sorted(filter(takes_part, universe.values()), key=in_order)
    copied = [click for click in ordered if click.copy is not None]
    uncopied = [click for click in ordered if click.copy is None] if copied else ordered
    for family in FAMILIES:
        clicks = _between(
            copied if family.copies else uncopied, first - 2 * family.horizon, last + 2 * family.horizon
        )
        if settled := family.bits & caught:
            clicks = [click for click in clicks if not click.gaps & settled or click.seq in targets]
            clicks = sorted([*clicks, *hits], key=in_order)
        if family.needs is None or any(map(family.needs, clicks)):
            for group in _groups(clicks, family):
                affected = _spoken_of(group, targets, family)
                for click, bits in zip(group, mark_group(group, family), strict=True) if affected else ():
                    if (seq := click.seq) in affected and seq in universe:
                        kept = family.bits if cut and seq not in targets else 0
                        found[seq] = found.get(seq, click.gaps) & (~family.bits | kept) | bits
    return found


def _between(clicks: Sequence[Neighbour], since: int, until: int) -> Sequence[Neighbour]:
    """The part of clicks in order of time from one moment to another."""
    begin = bisect_left(clicks, since, key=_moment)
    return clicks[begin : bisect_right(clicks, until, key=_moment)]


def _moment(click: Neighbour) -> int:
    return click.at


def _groups(clicks: Sequence[Neighbour], family: Family) -> Iterator[list[Neighbour]]:
    """The clicks by a family's key, in their order. Nobody speaks about one that is alone, unless it does itself."""
    alone: dict[Hashable, Neighbour] = {}
    groups: dict[Hashable, list[Neighbour]] = {}
    for key, click in zip(map(family.key, clicks), clicks, strict=True):
        if key is None:
            continue
        first = alone.setdefault(key, click)
        if first is not click:
            group = groups.get(key)
            if group is None:
                groups[key] = [first, click]
            else:
                group.append(click)
    yield from groups.values()
    if family.needs is not None:
        yield from ([click] for key, click in alone.items() if key not in groups)


def _spoken_of(group: Sequence[Neighbour], targets: Set[int], family: Family) -> Set[int]:
    """The targets in a group, and what lies within the horizon of those of them that speak."""
    own = [click for click in group if click.seq in targets]
    found = {click.seq for click in own}
    if len(own) not in (0, len(group)):
        times = [click.at for click in own if family.needs is None or family.needs(click)]
        found.update(_near(group, times, family.horizon) if times else ())
    return found


def _near(group: Sequence[Neighbour], times: Sequence[int], horizon: int) -> list[int]:
    """The clicks of a group that lie within the horizon of a time; both in order of time."""
    near, last, nearest = [], len(times) - 1, 0
    for click in group:
        at = click.at
        while nearest < last and abs(times[nearest + 1] - at) <= abs(times[nearest] - at):
            nearest += 1
        if abs(times[nearest] - at) <= horizon:
            near.append(click.seq)
    return near
