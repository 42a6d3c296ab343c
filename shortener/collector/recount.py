"""Storing of new clicks and changed verdicts, which also updates first visits and rollups."""

from collections import Counter
from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from shortener.classification.evidence import Classification
from shortener.classification.request_rules import RULES_VERSION
from shortener.collector.aggregate import RollupAggregator
from shortener.collector.devices import UserAgentCache
from shortener.collector.unique_visits import first_visits
from shortener.durations import DAY_MS
from shortener.store import Store, clicks
from shortener.store.clicks import Click, StoredVisit

VerdictChange = tuple[int | None, str, str]
"""(issue id, verdict before, verdict after)."""
VisitorDay = tuple[int, str]
"""(UTC day as days since 1970, visitor hash)."""


def apply_changes(
    store: Store,
    *,
    agents: UserAgentCache,
    new_clicks: Mapping[int, Click],
    classifications: Mapping[int, Classification],
) -> Counter[VerdictChange]:
    """Store new clicks and the changed classifications of stored clicks; update first visits and rollups.

    Both mappings are by sequence number. Call it inside a transaction. Return how often each verdict changed.
    """
    before = clicks.clicks_by_seq(store, classifications) if classifications else {}
    after = {seq: apply_classification(click, classifications[seq]) for seq, click in before.items()}
    changed_seqs = [seq for seq, click in before.items() if click.verdict != after[seq].verdict]
    changes = Counter((before[seq].issue_id, before[seq].verdict, after[seq].verdict) for seq in changed_seqs)
    _move_first_visits(store, new_clicks, before, after, changed_seqs)
    aggregator = RollupAggregator()
    for click in new_clicks.values():
        aggregator.add(click)
    updates = {seq: click for seq, click in after.items() if click != before[seq]}
    for seq, click in updates.items():
        aggregator.add(before[seq], sign=-1)
        aggregator.add(click)
    clicks.insert(store, new_clicks)
    clicks.update_verdicts(store, updates)
    hourly = {key: sums for key, sums in aggregator.hourly.items() if any(sums)}
    clicks.add_to_rollups(store, hourly, aggregator.daily(agents.by_id))
    return changes


def apply_classification(click: Click, classification: Classification) -> Click:
    """Return a copy of the click with another classification.

    If it is not human, its first visits are removed.
    """
    return replace(
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
    """Determine the first visits again for all visitors whose clicks are new or changed.

    Stored clicks that gain or lose a first visit are added to ``before`` and ``after``, the clicks before and
    after the change by sequence number. ``changed_seqs`` are the clicks whose verdicts change.
    """
    # A lost first visit may move to any click of its visitor, so all of them are read. A new human click can
    # only take a first visit from its present holder, so reading the holders is enough.
    changed_seqs = list(changed_seqs)
    losing = _visitor_days(before[seq] for seq in changed_seqs if before[seq].first_visits)
    gaining = _visitor_days(before[seq] for seq in changed_seqs)
    gaining |= _visitor_days(click for click in new_clicks.values() if click.verdict == "human")
    other_visits = [
        visit
        for visitor_days, first_only in ((losing, False), (gaining - losing, True))
        for day, visitors in _visitors_by_day(visitor_days).items()
        for visit in clicks.human_visits(store, day, visitors, first_only=first_only)
        if visit.seq not in before
    ]
    concerned = gaining | losing
    changing = (click for click in after.values() if click.visitor and _visitor_day(click) in concerned)
    visits: list[Click | StoredVisit] = [*new_clicks.values(), *changing, *other_visits]
    moved: dict[int, int] = {}
    for visit, bitmask in first_visits(visits):
        if isinstance(visit, Click):
            visit.first_visits = bitmask
        elif visit.first_visits != bitmask:
            moved[visit.seq] = bitmask
    for seq, click in clicks.clicks_by_seq(store, moved).items() if moved else ():
        before[seq] = click
        after[seq] = replace(click, first_visits=moved[seq])


def _visitor_day(click: Click) -> VisitorDay:
    return click.ts // DAY_MS, click.visitor or ""


def _visitor_days(visits: Iterable[Click]) -> set[VisitorDay]:
    return {_visitor_day(click) for click in visits if click.visitor}


def _visitors_by_day(visitor_days: Iterable[VisitorDay]) -> dict[int, list[str]]:
    days: dict[int, list[str]] = {}
    for day, visitor in visitor_days:
        days.setdefault(day, []).append(visitor)
    return days
