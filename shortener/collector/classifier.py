"""Judging clicks by what other clicks around them say, when they are stored and whenever that changes.

A click's verdict is a function of the stored clicks in its neighbourhood, so it does not matter in which batches they
came, or when the collector ran. What has been judged is a position in the store, like that of the click log.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import replace

from shortener.classification.evidence import REQUEST_BITS, Judgement
from shortener.classification.group_rules import judge_bits
from shortener.classification.nearby_clicks import Neighbour
from shortener.collector.devices import Agents
from shortener.collector.neighbourhood import TRAPPED, Surroundings, World, bits_around
from shortener.collector.recount import Turn, count, rejudge
from shortener.store import Store
from shortener.store import clicks as stored
from shortener.store import nearby_clicks as sql
from shortener.store.clicks import Click
from shortener.store.nearby_clicks import NeighbourRow

BATCH = 20_000
"""Clicks that are judged in one transaction: neighbours on both sides are read besides, so few batches are cheaper."""

Requests = Callable[[Sequence[Neighbour]], Mapping[int, Judgement]]
"""What today's rules say of stored requests by themselves, by seq."""


class Judge:
    """Judges clicks by their neighbours; with ``requests`` also stored requests anew, else as they are stored."""

    def __init__(self, store: Store, *, agents: Agents, requests: Requests | None = None) -> None:
        self._store = store
        self._agents = agents
        self._requests = requests
        self.turned: Counter[Turn] = Counter()
        """The verdicts of stored clicks that changed since this judge began."""

    def take(self, clicks: Sequence[Click]) -> None:
        """Store new clicks with the verdicts of their requests; ``judge_new`` is to follow."""
        first = stored.last_seq(self._store) + 1
        self._count(dict(enumerate(clicks, first)), {})

    def take_judged(self, clicks: Sequence[Click]) -> None:
        """Store new clicks, judged by their neighbours, and judge again what they are neighbours of."""
        while self.judge_new():
            pass
        if not clicks:
            return
        first = stored.last_seq(self._store) + 1
        new = dict(enumerate(clicks, first))
        world = World(self._store)
        changed = self._judged(
            {seq: world.newcomer(seq, click) for seq, click in new.items()}, world, new=True
        )
        for seq in new.keys() & changed.keys():
            new[seq] = rejudge(new[seq], changed.pop(seq))
        self._count(new, changed)
        sql.set_fact(self._store, "judged_seq", first + len(new) - 1)

    def judge_new(self, *, most: int | None = None) -> int:
        """Judge the next clicks that were stored, and again what they are neighbours of; how many were new."""
        with self._store.writing():
            rows = sql.after(self._store, self._store.fact("judged_seq"), most=most or BATCH)
            if rows:
                self._judge_stored(rows, new=True)
                sql.set_fact(self._store, "judged_seq", rows[-1][0])
        return len(rows)

    def judge(self, rows: Sequence[NeighbourRow]) -> None:
        """Judge stored clicks again, and what they are neighbours of; within a transaction."""
        self._judge_stored(rows, new=False)

    def _judge_stored(self, rows: Sequence[NeighbourRow], *, new: bool) -> None:
        world = World(self._store)
        self._count({}, self._judged({row[0]: world.neighbour(row) for row in rows}, world, new=new))

    def _judged(self, targets: dict[int, Neighbour], world: World, *, new: bool) -> dict[int, Judgement]:
        """The judgements that change: of the targets, and of stored clicks that they are neighbours of."""
        before = targets
        targets = self._afresh(targets)
        around = Surroundings(self._store, targets, world, new=new)
        before = before | around.clicks
        universe = targets | self._afresh(around.clicks)
        changed = {}
        caught = TRAPPED if new else 0
        found = bits_around(universe, targets.keys(), hits=around.hits, caught=caught, cut=around.cut)
        for seq, bits in found.items():
            judgement = judge_bits(universe[seq], bits & ~REQUEST_BITS)
            if judgement.reason != before[seq].reason or judgement.gaps != before[seq].gaps:
                changed[seq] = judgement
        return changed

    def _afresh(self, clicks: dict[int, Neighbour]) -> dict[int, Neighbour]:
        """Clicks with what today's rules say of their requests, if this judge was given them."""
        if self._requests is None:
            return clicks
        judged = self._requests(list(clicks.values()))
        return {
            seq: replace(click, reason=judged[seq].reason, gaps=judged[seq].gaps | click.gaps & ~REQUEST_BITS)
            for seq, click in clicks.items()
        }

    def _count(self, new: Mapping[int, Click], changed: Mapping[int, Judgement]) -> None:
        self.turned += count(self._store, agents=self._agents, new=new, changed=changed)


def ask_for_judging(store: Store, issue_id: int) -> None:
    """Remember that what an issue's clicks are judged by has changed: its sending, or its hidden link."""
    sql.set_fact(store, f"{sql.REJUDGE}{issue_id}", 0)


def judge_asked(store: Store, *, agents: Agents | None = None) -> Counter[Turn]:
    """Judge the clicks of all issues that were asked for again, in steps; which verdicts turned into which.

    Whoever comes first does it, and what was interrupted goes on where it stopped. With an issue's clicks all are
    judged that any hidden link speaks about: a link that is none any more must not.
    """
    judge = Judge(store, agents=agents or Agents(store))
    for issue_id in sql.asked(store):
        while _judge_next_of(store, issue_id, judge):
            pass
    return judge.turned


def _judge_next_of(store: Store, issue_id: int, judge: Judge) -> bool:
    with store.writing():
        at = sql.asked(store).get(issue_id)
        if at is None:
            return False
        rows = sql.of_issue_after(store, issue_id, at, bits=TRAPPED, most=BATCH)
        if rows:
            judge.judge(rows)
            sql.set_fact(store, f"{sql.REJUDGE}{issue_id}", rows[-1][0])
        else:
            sql.drop_fact(store, f"{sql.REJUDGE}{issue_id}")
        return bool(rows)
