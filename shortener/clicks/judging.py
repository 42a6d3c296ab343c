"""Judging clicks again, by what other clicks around them say; sums are corrected in the same transaction.

A click's verdict is a function of the stored clicks in its neighbourhood, so it does not matter in which batches they
came, or when the collector ran. What has been judged is a position in the store, like that of the click log.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence

import msgspec

from shortener.clicks.agents import Agents
from shortener.clicks.firsts import assign
from shortener.clicks.tally import Tally
from shortener.clicks.verdicts.evidence import REQUEST_BITS, Judgement
from shortener.clicks.verdicts.families import FAMILIES, Family, find_bits
from shortener.clicks.verdicts.neighbours import Neighbour, takes_part
from shortener.clicks.verdicts.rules import RULES_VERSION
from shortener.clicks.verdicts.sets import judge_bits
from shortener.store import Store
from shortener.store import clicks as sql
from shortener.store.clicks import Click, NeighbourRow

BATCH = 20_000
"""Clicks that are judged in one transaction: neighbours on both sides are read besides, so few batches are cheaper."""

_BY_TIME = max(
    family.horizon for family in FAMILIES if family.name in {"network", "browser", "hosted browser"}
)
_BY_READER = max(family.horizon for family in FAMILIES if family.name in {"copy", "copy trap", "visitor"})
_BY_TRAP = max(family.horizon for family in FAMILIES if family.name in {"address trap", "network trap"})


Turn = tuple[int | None, str, str]
"""(issue, verdict before, verdict after)."""


class Judge:
    """Judges what has been stored since it judged last."""

    def __init__(self, store: Store, *, agents: Agents) -> None:
        self._store = store
        self._agents = agents
        self.turned: Counter[Turn] = Counter()
        """The verdicts that changed since this judge began."""

    def judge_new(self, *, most: int = BATCH) -> int:
        """Judge the next clicks that were stored, and again what they are neighbours of; how many were new."""
        with self._store.writing():
            rows = sql.after(self._store, self._store.fact("judged_seq"), most=most)
            if rows:
                self.judge(rows)
                sql.set_fact(self._store, "judged_seq", rows[-1].seq)
        return len(rows)

    def judge(self, rows: Sequence[NeighbourRow]) -> None:
        """Judge stored clicks, and again what they are neighbours of; within a transaction."""
        world = _World(self._store)
        universe = {row.seq: world.neighbour(row) for row in rows}
        targets = set(universe)
        for row in _around(self._store, list(universe.values()), world):
            if row.seq not in universe:
                universe[row.seq] = world.neighbour(row)
        bits = _bits(universe, targets)
        judged = {seq: judge_bits(universe[seq], found & ~REQUEST_BITS) for seq, found in bits.items()}
        changed = {
            seq: judgement
            for seq, judgement in judged.items()
            if (judgement.reason, judgement.gaps) != world.stored[seq]
        }
        self.apply(changed)

    def apply(self, changed: Mapping[int, Judgement]) -> None:
        """Write changed verdicts, move first visits where they belong now, and correct the sums."""
        before = sql.by_seq(self._store, changed)
        after = {
            seq: (
                msgspec.structs.replace(
                    click,
                    verdict=changed[seq].verdict,
                    reason=changed[seq].reason,
                    gaps=changed[seq].gaps,
                    rules=RULES_VERSION,
                    first=click.first if changed[seq].verdict == "human" else 0,
                ),
                n,
            )
            for seq, (click, n) in before.items()
        }
        for seq, (click, _) in before.items():
            if click.verdict != after[seq][0].verdict:
                self.turned[click.issue_id, click.verdict, after[seq][0].verdict] += 1
        turned = {
            click.visitor
            for seq, (click, _) in before.items()
            if click.visitor and click.verdict != after[seq][0].verdict
        }
        if turned:
            others = sql.by_seq(
                self._store, set(sql.visitor_seqs(self._store, turned, first_only=False)) - set(after)
            )
            before |= others
            after |= {seq: (msgspec.structs.replace(click), n) for seq, (click, n) in others.items()}
            for click, first in assign(click for click, _ in after.values() if click.visitor in turned):
                click.first = first
        replace(self._store, before, after, agents=self._agents)


Placed = tuple[Click, int]
"""A click and the n of its placement, 0 where it has none."""


def replace(
    store: Store, before: Mapping[int, Placed], after: Mapping[int, Placed], *, agents: Agents
) -> None:
    """Write what changed of stored clicks, by seq, and correct the sums by the difference."""
    tally = Tally()
    changed = {seq: placed for seq, placed in after.items() if placed != before[seq]}
    for seq, (click, n) in changed.items():
        tally.add(before[seq][0], n=n, sign=-1)
        tally.add(click, n=n)
    sql.rewrite(store, {seq: click for seq, (click, _) in changed.items()})
    hourly = {key: sums for key, sums in tally.hourly.items() if any(sums)}
    sql.add_to_rollups(store, hourly, tally.daily(agents.by_id))


class _World:
    """What clicks are judged by besides themselves: hidden links, and when issues were sent."""

    def __init__(self, store: Store) -> None:
        self.traps = sql.traps(store)
        self._issues = sql.issue_facts(store)
        self.stored: dict[int, tuple[str, int]] = {}
        """The stored reason and bits of every click that was looked at, by seq."""

    def neighbour(self, row: NeighbourRow) -> Neighbour:
        """A stored click as the rules see it."""
        self.stored[row.seq] = (row.reason, row.gaps)
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


def _around(store: Store, targets: Sequence[Neighbour], world: _World) -> Iterator[NeighbourRow]:
    """The stored clicks that any judgement on the targets, or on a neighbour of theirs, can depend on.

    A neighbour's own neighbours count too, so everything is read to twice the horizon.
    """
    first, last = min(click.at for click in targets), max(click.at for click in targets)
    for since, until in _spans([click.at for click in targets], margin=2 * _BY_TIME):
        yield from sql.between(store, since, until)
    reach = 2 * _BY_READER
    copies = {click.copy for click in targets if click.copy}
    addresses = {click.addr for click in targets if click.addr and not click.copy}
    yield from sql.sharing(store, "copy", copies, since=first - reach, until=last + reach)
    yield from sql.sharing(store, "addr", addresses, since=first - reach, until=last + reach)
    if world.traps:
        yield from _around_traps(store, targets, world)


def _around_traps(store: Store, targets: Sequence[Neighbour], world: _World) -> Iterator[NeighbourRow]:
    first, last = min(click.at for click in targets), max(click.at for click in targets)
    hits = list(sql.on_links(store, world.traps, since=first - _BY_TRAP, until=last + _BY_TRAP))
    reach = 2 * _BY_TRAP
    for column in ("addr", "net"):
        mine = {getattr(click, column) for click in targets}
        values = {value for hit in hits if (value := getattr(hit, column)) and value in mine}
        yield from sql.sharing(store, column, values, since=first - reach, until=last + reach)


def _spans(times: Iterable[int], *, margin: int) -> Iterator[tuple[int, int]]:
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


def _bits(universe: Mapping[int, Neighbour], targets: set[int]) -> dict[int, int]:
    """The bits of the targets, and of the clicks that a target is a neighbour of: family by family.

    A family's bits of a click that no target touches are left as they are stored: its neighbours may not be here.
    """
    found = {seq: universe[seq].gaps & REQUEST_BITS for seq in targets}
    taking = [click for click in universe.values() if takes_part(click)]
    for family in FAMILIES:
        members, affected = _touched(taking, targets, family)
        for seq, bits in find_bits(members, families=(family,)).items():
            if seq in affected:
                found[seq] = found.get(seq, universe[seq].gaps) & ~family.bits | bits
    return found


def _touched(
    clicks: Iterable[Neighbour], targets: set[int], family: Family
) -> tuple[list[Neighbour], set[int]]:
    """The clicks that share a family's key with a target, and which of them lie within its horizon of one."""
    groups: dict[Hashable, list[Neighbour]] = {}
    for click in clicks:
        if (click.copy is not None) is family.copies and (key := family.key(click)) is not None:
            groups.setdefault(key, []).append(click)
    members: list[Neighbour] = []
    affected: set[int] = set()
    for group in groups.values():
        # A click that is alone has nobody to speak about it, unless it speaks about itself.
        if len(group) > 1 or family.needs is not None:
            near = _near(sorted(group, key=_time), targets, family.horizon)
            if near:
                members += group
                affected.update(near)
    return members, affected


def _time(click: Neighbour) -> int:
    return click.at


def _near(group: Sequence[Neighbour], targets: set[int], horizon: int) -> list[int]:
    """The clicks of a group (in order of time) that lie within the horizon of a target."""
    times = [click.at for click in group if click.seq in targets]
    if not times:
        return []
    near, last, nearest = [], len(times) - 1, 0
    for click in group:
        at = click.at
        while nearest < last and abs(times[nearest + 1] - at) <= abs(times[nearest] - at):
            nearest += 1
        if abs(times[nearest] - at) <= horizon:
            near.append(click.seq)
    return near
