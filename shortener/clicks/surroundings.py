"""Which stored clicks a judgement depends on, and which it may change: family by family, as few as will do.

A family's rules look no further than its horizon. So what a new click may change lies within one horizon of it, and
what that depends on within two.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence, Set

from shortener.clicks.verdicts.evidence import ADDRESS_TRAP, DATACENTER, NETWORK_TRAP, REQUEST_BITS
from shortener.clicks.verdicts.families import FAMILIES, Family, in_order, mark_group
from shortener.clicks.verdicts.neighbours import Neighbour, takes_part
from shortener.store import Store
from shortener.store import judging as sql
from shortener.store.judging import NeighbourRow


def _horizon(*columns: str) -> int:
    """The widest horizon of the families that are looked up by one of these columns first."""
    return max(family.horizon for family in FAMILIES if family.columns[0] in columns and not _by_trap(family))


def _by_trap(family: Family) -> bool:
    return bool(family.bits & (ADDRESS_TRAP | NETWORK_TRAP))


_BY_TIME = max(
    family.horizon for family in FAMILIES if family.name in {"network", "browser", "hosted browser"}
)
_BY_READER = _horizon("copy", "addr")
_BY_TRAP = max(family.horizon for family in FAMILIES if _by_trap(family))


class World:
    """What clicks are judged by besides themselves and each other: hidden links, and when issues were sent."""

    def __init__(self, store: Store) -> None:
        self.traps = sql.traps(store)
        self._issues = sql.issue_facts(store)

    def neighbour(self, row: NeighbourRow) -> Neighbour:
        """A stored click as the rules see it."""
        sent, links = self._issues.get(row.issue_id or 0, (None, 0))
        return Neighbour(
            seq=row.seq,
            at=row.ts,
            link=row.link_id,
            issue=row.issue_id,
            n=row.n,
            net=row.net,
            addr=row.addr,
            copy=row.copy,
            agent=row.agent_id,
            reason=row.reason,
            gaps=row.gaps,
            trap=row.link_id in self.traps,
            sent=sent,
            links=links,
        )


def read_around(store: Store, targets: Sequence[Neighbour], *, traps: Set[int]) -> Iterator[NeighbourRow]:
    """The stored clicks that any judgement on the targets, or on what they may change, can depend on."""
    first, last = min(click.at for click in targets), max(click.at for click in targets)
    uncopied = [click for click in targets if click.copy is None]
    for since, until in spans((click.at for click in uncopied), margin=2 * _BY_TIME):
        yield from sql.without_copy(store, since, until)
    reach = 2 * _BY_READER
    copies = {click.copy for click in targets if click.copy is not None}
    addresses = {click.addr for click in uncopied if click.addr is not None}
    yield from sql.sharing(store, "copy", copies, since=first - reach, until=last + reach)
    yield from sql.sharing(store, "addr", addresses, since=first - reach, until=last + reach)
    if traps and uncopied:
        yield from _read_around_traps(store, uncopied, traps=traps)


def _read_around_traps(
    store: Store, targets: Sequence[Neighbour], *, traps: Set[int]
) -> Iterator[NeighbourRow]:
    """The hidden links' hits near the targets, and near targets that are hits whoever was not caught by one yet.

    More hits never let anybody off, so who was caught need not be looked at again.
    """
    addresses = {click.addr for click in targets if click.addr is not None}
    nets = {click.net for click in targets if click.net is not None}
    for since, until in spans((click.at for click in targets), margin=2 * _BY_TRAP):
        for hit in sql.on_links(store, traps, since=since, until=until):
            if hit.addr in addresses or hit.net in nets:
                yield hit
    hits = [click for click in targets if click.trap]
    hosted = {click.net for click in hits if click.net is not None and click.gaps & DATACENTER}
    addresses = {click.addr for click in hits if click.addr is not None}
    for since, until in spans((click.at for click in hits), margin=_BY_TRAP):
        yield from sql.sharing(store, "addr", addresses, since=since, until=until, without=ADDRESS_TRAP)
        if hosted:
            yield from sql.sharing(store, "net", hosted, since=since, until=until, without=NETWORK_TRAP)


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


def bits_around(universe: Mapping[int, Neighbour], targets: Set[int]) -> dict[int, int]:
    """The bits of the targets, and of the clicks that a target speaks about: family by family.

    A family's bits of a click that no target speaks about are left as they are stored: its neighbours may not be here.
    """
    found = {seq: universe[seq].gaps & REQUEST_BITS for seq in targets}
    taking = [click for click in universe.values() if takes_part(click)]
    by_copies = {has: [click for click in taking if (click.copy is not None) is has] for has in (True, False)}
    for family in FAMILIES:
        clicks = by_copies[family.copies]
        if family.needs is None or any(map(family.needs, clicks)):
            for group in _groups(clicks, family):
                affected = _spoken_of(group, targets, family)
                for click, bits in zip(group, mark_group(group, family), strict=True) if affected else ():
                    if (seq := click.seq) in affected:
                        found[seq] = found.get(seq, click.gaps) & ~family.bits | bits
    return found


def _groups(clicks: Iterable[Neighbour], family: Family) -> Iterator[list[Neighbour]]:
    """The clicks by a family's key, in order. One that is alone has nobody to speak about it, unless it does so."""
    groups: dict[Hashable, list[Neighbour]] = {}
    key_of = family.key
    for click in clicks:
        if (key := key_of(click)) is not None:
            groups.setdefault(key, []).append(click)
    for group in groups.values():
        if len(group) > 1 or family.needs is not None:
            group.sort(key=in_order)
            yield group


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
