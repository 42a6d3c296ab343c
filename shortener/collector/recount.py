"""Counting: new clicks and changed verdicts go into the store together with their first visits and their sums."""

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from shortener.classification.evidence import Classification
from shortener.classification.request_rules import RULES_VERSION
from shortener.collector.aggregate import RollupAggregator
from shortener.collector.devices import UserAgentCache
from shortener.collector.unique_visits import DAY_MS, first_visits
from shortener.store import Store
from shortener.store import clicks as sql
from shortener.store.clicks import Click, StoredVisit

VerdictChange = tuple[int | None, str, str]
"""(issue, verdict before, verdict after)."""
VisitorDay = tuple[int, str]
"""(UTC day since 1970, visitor): nobody is the same on the next day."""


def apply_changes(
    store: Store,
    *,
    agents: UserAgentCache,
    new_clicks: Mapping[int, Click],
    classifications: Mapping[int, Classification],
) -> Counter[VerdictChange]:
    """Store new clicks, and what has changed of the judgements on stored ones, both by seq; within a transaction.

    First visits go where they belong now, and the sums follow. Which verdicts turned into which.
    """
    before = sql.clicks_by_seq(store, classifications) if classifications else {}
    after = {seq: apply_classification(click, classifications[seq]) for seq, click in before.items()}
    turned = [seq for seq, click in before.items() if click.verdict != after[seq].verdict]
    turns = Counter((before[seq].issue_id, before[seq].verdict, after[seq].verdict) for seq in turned)
    _move_first_visits(store, new_clicks, before, after, turned)
    tally = RollupAggregator()
    for click in new_clicks.values():
        tally.add(click)
    rewritten = {seq: click for seq, click in after.items() if click != before[seq]}
    for seq, click in rewritten.items():
        tally.add(before[seq], sign=-1)
        tally.add(click)
    sql.insert(store, new_clicks)
    sql.update_verdicts(store, rewritten)
    hourly = {key: sums for key, sums in tally.hourly.items() if any(sums)}
    sql.add_to_rollups(store, hourly, tally.daily(agents.by_id))
    return turns


def apply_classification(click: Click, classification: Classification) -> Click:
    """The click with another judgement; only a person's is a first visit."""
    return msgspec.structs.replace(
        click,
        verdict=classification.verdict,
        reason=classification.reason,
        evidence=classification.evidence,
        rules_version=RULES_VERSION,
        first_visits=click.first_visits if classification.verdict == "human" else 0,
    )


def _move_first_visits(
    store: Store,
    new_clicks: Mapping[int, Click],
    before: dict[int, Click],
    after: dict[int, Click],
    changed_seqs: Iterable[int],
) -> None:
    """Give first visits to whom they belong now; stored clicks that lose or gain one join ``before`` and ``after``.

    A first visit that was lost may go to any click of its visitor; one that was won can only come from its holder.
    """
    changed_seqs = list(changed_seqs)
    lost = _visitor_days(before[seq] for seq in changed_seqs if before[seq].first_visits)
    won = _visitor_days(before[seq] for seq in changed_seqs)
    won |= _visitor_days(click for click in new_clicks.values() if click.verdict == "human")
    others = [
        visit
        for visitors, first_only in ((lost, False), (won - lost, True))
        for day, names in _visitors_by_day(visitors).items()
        for visit in sql.human_visits(store, day, names, first_only=first_only)
        if visit.seq not in before
    ]
    concerned = won | lost
    changing = (click for click in after.values() if click.visitor and _visitor_day(click) in concerned)
    visits: list[Click | StoredVisit] = [*new_clicks.values(), *changing, *others]
    moved: dict[int, int] = {}
    for visit, first in first_visits(visits):
        if isinstance(visit, Click):
            visit.first_visits = first
        elif visit.first_visits != first:
            moved[visit.seq] = first
    for seq, click in sql.clicks_by_seq(store, moved).items() if moved else ():
        before[seq] = click
        after[seq] = msgspec.structs.replace(click, first_visits=moved[seq])


def _visitor_day(click: Click) -> VisitorDay:
    return click.ts // DAY_MS, click.visitor or ""


def _visitor_days(clicks: Iterable[Click]) -> set[VisitorDay]:
    return {_visitor_day(click) for click in clicks if click.visitor}


def _visitors_by_day(visitor_days: Iterable[VisitorDay]) -> dict[int, list[str]]:
    days: dict[int, list[str]] = {}
    for day, visitor in visitor_days:
        days.setdefault(day, []).append(visitor)
    return days
