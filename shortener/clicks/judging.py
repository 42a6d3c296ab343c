"""Judging clicks again, by what other clicks around them say; sums are corrected in the same transaction.

A click's verdict is a function of the stored clicks in its neighbourhood, so it does not matter in which batches they
came, or when the collector ran. What has been judged is a position in the store, like that of the click log.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from shortener.clicks.agents import Agents
from shortener.clicks.firsts import assign
from shortener.clicks.surroundings import World, bits_around, read_around
from shortener.clicks.tally import Tally
from shortener.clicks.verdicts.evidence import ADDRESS_TRAP, NETWORK_TRAP, REQUEST_BITS, Judgement
from shortener.clicks.verdicts.neighbours import Neighbour
from shortener.clicks.verdicts.rules import RULES_VERSION
from shortener.clicks.verdicts.sets import judge_bits
from shortener.store import Store
from shortener.store import clicks as stored
from shortener.store import judging as sql
from shortener.store.clicks import Click
from shortener.store.judging import NeighbourRow

BATCH = 20_000
"""Clicks that are judged in one transaction: neighbours on both sides are read besides, so few batches are cheaper."""

Turn = tuple[int | None, str, str]
"""(issue, verdict before, verdict after)."""
Requests = Callable[[Sequence[NeighbourRow]], Mapping[int, Judgement]]
"""What today's rules say of stored requests by themselves, by seq."""


class Judge:
    """Judges stored clicks by their neighbours; with ``requests`` also their requests anew, else as they are stored."""

    def __init__(self, store: Store, *, agents: Agents, requests: Requests | None = None) -> None:
        self._store = store
        self._agents = agents
        self._requests = requests
        self.turned: Counter[Turn] = Counter()
        """The verdicts that changed since this judge began."""

    def judge_new(self, *, most: int | None = None) -> int:
        """Judge the next clicks that were stored, and again what they are neighbours of; how many were new."""
        with self._store.writing():
            rows = sql.after(self._store, self._store.fact("judged_seq"), most=most or BATCH)
            if rows:
                self.judge(rows)
                sql.set_fact(self._store, "judged_seq", rows[-1].seq)
        return len(rows)

    def judge(self, rows: Sequence[NeighbourRow]) -> None:
        """Judge stored clicks, and again what they are neighbours of; within a transaction."""
        world = World(self._store)
        targets = self._neighbours(rows, world)
        around = {
            row.seq: row
            for row in read_around(self._store, list(targets.values()), traps=world.traps)
            if row.seq not in targets
        }
        universe = targets | self._neighbours(list(around.values()), world)
        before = around | {row.seq: row for row in rows}
        judged = {
            seq: judge_bits(universe[seq], bits & ~REQUEST_BITS)
            for seq, bits in bits_around(universe, targets.keys()).items()
        }
        self._apply(
            {
                seq: judgement
                for seq, judgement in judged.items()
                if (judgement.reason, judgement.gaps) != (before[seq].reason, before[seq].gaps)
            }
        )

    def _neighbours(self, rows: Sequence[NeighbourRow], world: World) -> dict[int, Neighbour]:
        """Stored clicks as the rules see them."""
        if self._requests is not None:
            judged = self._requests(rows)
            rows = [
                row._replace(
                    reason=judged[row.seq].reason, gaps=judged[row.seq].gaps | row.gaps & ~REQUEST_BITS
                )
                for row in rows
            ]
        return {row.seq: world.neighbour(row) for row in rows}

    def _apply(self, changed: Mapping[int, Judgement]) -> None:
        """Write changed verdicts, move first visits where they belong now, and correct the sums."""
        before = stored.by_seq(self._store, changed)
        after = {seq: _rejudged(click, changed[seq]) for seq, click in before.items()}
        turned = [seq for seq, click in before.items() if click.verdict != after[seq].verdict]
        for seq in turned:
            self.turned[before[seq].issue_id, before[seq].verdict, after[seq].verdict] += 1
        self._move_first_visits(before, after, turned)
        replace(self._store, before, after, agents=self._agents)

    def _move_first_visits(
        self, before: dict[int, Click], after: dict[int, Click], turned: Iterable[int]
    ) -> None:
        """Give first visits to whom they belong now; stored clicks that lose or gain one join ``before`` and ``after``.

        A first visit that was lost may go to any click of its visitor; one that was won can only come from its holder.
        """
        lost = {before[seq].visitor for seq in turned if before[seq].first}
        won = {before[seq].visitor for seq in turned} - lost
        for visitors, first_only in ((lost, False), (won, True)):
            seqs = stored.visitor_seqs(self._store, (v for v in visitors if v), first_only=first_only)
            others = stored.by_seq(self._store, set(seqs) - before.keys())
            before |= others
            after |= {seq: msgspec.structs.replace(click) for seq, click in others.items()}
        for click, first in assign(click for click in after.values() if click.visitor in lost | won):
            click.first = first


def _rejudged(click: Click, judgement: Judgement) -> Click:
    return msgspec.structs.replace(
        click,
        verdict=judgement.verdict,
        reason=judgement.reason,
        gaps=judgement.gaps,
        rules=RULES_VERSION,
        first=click.first if judgement.verdict == "human" else 0,
    )


def replace(store: Store, before: Mapping[int, Click], after: Mapping[int, Click], *, agents: Agents) -> None:
    """Write what changed of stored clicks, by seq, and correct the sums by the difference."""
    tally = Tally()
    changed = {seq: click for seq, click in after.items() if click != before[seq]}
    for seq, click in changed.items():
        tally.add(before[seq], sign=-1)
        tally.add(click)
    stored.rewrite(store, changed)
    hourly = {key: sums for key, sums in tally.hourly.items() if any(sums)}
    stored.add_to_rollups(store, hourly, tally.daily(agents.by_id))


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
        trapped = ADDRESS_TRAP | NETWORK_TRAP
        rows = sql.of_issue_after(store, issue_id, at, bits=trapped, most=BATCH)
        if rows:
            judge.judge(rows)
            sql.set_fact(store, f"{sql.REJUDGE}{issue_id}", rows[-1].seq)
        else:
            sql.drop_fact(store, f"{sql.REJUDGE}{issue_id}")
        return bool(rows)
