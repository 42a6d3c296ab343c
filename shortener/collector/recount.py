"""Counting: new clicks and changed verdicts go into the store together with their first visits and their sums."""

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from shortener.classification.evidence import Judgement
from shortener.classification.request_rules import RULES_VERSION
from shortener.collector.aggregate import Tally
from shortener.collector.devices import Agents
from shortener.collector.unique_visits import DAY_MS, assign
from shortener.store import Store
from shortener.store import clicks as sql
from shortener.store.clicks import Click, StoredVisit

Turn = tuple[int | None, str, str]
"""(issue, verdict before, verdict after)."""
Visitor = tuple[int, str]
"""(UTC day since 1970, visitor): nobody is the same on the next day."""


def count(
    store: Store, *, agents: Agents, new: Mapping[int, Click], changed: Mapping[int, Judgement]
) -> Counter[Turn]:
    """Store new clicks, and what has changed of the judgements on stored ones, both by seq; within a transaction.

    First visits go where they belong now, and the sums follow. Which verdicts turned into which.
    """
    before = sql.by_seq(store, changed) if changed else {}
    after = {seq: rejudge(click, changed[seq]) for seq, click in before.items()}
    turned = [seq for seq, click in before.items() if click.verdict != after[seq].verdict]
    turns = Counter((before[seq].issue_id, before[seq].verdict, after[seq].verdict) for seq in turned)
    _move_first_visits(store, new, before, after, turned)
    tally = Tally()
    for click in new.values():
        tally.add(click)
    rewritten = {seq: click for seq, click in after.items() if click != before[seq]}
    for seq, click in rewritten.items():
        tally.add(before[seq], sign=-1)
        tally.add(click)
    sql.insert(store, new)
    sql.rewrite(store, rewritten)
    hourly = {key: sums for key, sums in tally.hourly.items() if any(sums)}
    sql.add_to_rollups(store, hourly, tally.daily(agents.by_id))
    return turns


def rejudge(click: Click, judgement: Judgement) -> Click:
    """The click with another judgement; only a person's is a first visit."""
    return msgspec.structs.replace(
        click,
        verdict=judgement.verdict,
        reason=judgement.reason,
        gaps=judgement.gaps,
        rules=RULES_VERSION,
        first=click.first if judgement.verdict == "human" else 0,
    )


def _move_first_visits(
    store: Store,
    new: Mapping[int, Click],
    before: dict[int, Click],
    after: dict[int, Click],
    turned: Iterable[int],
) -> None:
    """Give first visits to whom they belong now; stored clicks that lose or gain one join ``before`` and ``after``.

    A first visit that was lost may go to any click of its visitor; one that was won can only come from its holder.
    """
    turned = list(turned)
    lost = _visitors(before[seq] for seq in turned if before[seq].first)
    won = _visitors(before[seq] for seq in turned)
    won |= _visitors(click for click in new.values() if click.verdict == "human")
    others = [
        visit
        for visitors, first_only in ((lost, False), (won - lost, True))
        for day, names in _by_day(visitors).items()
        for visit in sql.visits(store, day, names, first_only=first_only)
        if visit.seq not in before
    ]
    concerned = won | lost
    changing = (click for click in after.values() if click.visitor and _visitor(click) in concerned)
    visits: list[Click | StoredVisit] = [*new.values(), *changing, *others]
    moved: dict[int, int] = {}
    for visit, first in assign(visits):
        if isinstance(visit, Click):
            visit.first = first
        elif visit.first != first:
            moved[visit.seq] = first
    for seq, click in sql.by_seq(store, moved).items() if moved else ():
        before[seq] = click
        after[seq] = msgspec.structs.replace(click, first=moved[seq])


def _visitor(click: Click) -> Visitor:
    return click.ts // DAY_MS, click.visitor or ""


def _visitors(clicks: Iterable[Click]) -> set[Visitor]:
    return {_visitor(click) for click in clicks if click.visitor}


def _by_day(visitors: Iterable[Visitor]) -> dict[int, list[str]]:
    days: dict[int, list[str]] = {}
    for day, visitor in visitors:
        days.setdefault(day, []).append(visitor)
    return days
