"""Store new clicks and changed verdicts, and update click counts.

The marks on each visitor's first clicks of a day are updated too.
"""

from collections import Counter
from collections.abc import Mapping

from msgspec.structs import replace

from shortener.classification.evidence import Classification
from shortener.classification.request_rules import RULES_VERSION
from shortener.collector.aggregate import RollupAggregator
from shortener.collector.devices import UserAgentCache
from shortener.collector.unique_visits import first_visits, visitor_day
from shortener.store import Store, clicks
from shortener.store.clicks import Click, Visit, VisitorDay
from shortener.store.rollups import add_to_rollups

VerdictChange = tuple[int | None, str, str]
"""(issue id, verdict before, verdict after)."""


def apply_changes(
    store: Store,
    *,
    agents: UserAgentCache,
    new_clicks: Mapping[int, Click],  # by sequence number
    classifications: Mapping[int, Classification],  # by sequence number of stored clicks
) -> Counter[VerdictChange]:
    """Store new clicks and changed classifications, and return how often each verdict changed.

    Call it in a transaction.
    """
    before = clicks.clicks_by_seq(store, classifications) if classifications else {}
    after = {seq: apply_classification(click, classifications[seq]) for seq, click in before.items()}
    changes = Counter(
        (click.issue_id, click.verdict, after[seq].verdict)
        for seq, click in before.items()
        if click.verdict != after[seq].verdict
    )
    other_visits = _other_affected_visits(store, new_clicks, before, after)
    bitmasks = first_visits({**other_visits, **after, **new_clicks})
    other_changes = clicks.clicks_by_seq(
        store, [seq for seq, visit in other_visits.items() if bitmasks[seq] != visit.first_visits]
    )
    before |= other_changes
    after |= other_changes
    for seq, bitmask in bitmasks.items():
        if seq in new_clicks:
            new_clicks[seq].first_visits = bitmask
        elif seq in after:
            after[seq] = replace(after[seq], first_visits=bitmask)
    aggregator = RollupAggregator()
    for click in new_clicks.values():
        aggregator.add(click)
    updates = {seq: click for seq, click in after.items() if click != before[seq]}
    for seq, click in updates.items():
        aggregator.add(before[seq], sign=-1)
        aggregator.add(click)
    clicks.insert(store, new_clicks)
    clicks.update_verdicts(store, updates)
    add_to_rollups(store, aggregator.clicks_by_link, aggregator.breakdown_by_link(agents.by_id))
    return changes


def apply_classification(click: Click, classification: Classification) -> Click:
    """Return ``click`` with another classification."""
    return replace(
        click,
        verdict=classification.verdict,
        reason=classification.reason,
        evidence=classification.evidence,
        rules_version=RULES_VERSION,
        first_visits=click.first_visits if classification.verdict == "human" else 0,
    )


def _other_affected_visits(
    store: Store, new_clicks: Mapping[int, Click], before: Mapping[int, Click], after: Mapping[int, Click]
) -> dict[int, Visit]:
    # The mark as a visitor's first human click of a day may change on other stored clicks too. For example, a visitor's
    # second click becomes the first visit if the first click turns out to be automated.
    # A lost first visit can move to any click of its visitor's day. Otherwise only the present first visits matter.
    minimum_first_visits: dict[VisitorDay | None, int] = {
        visitor_day(click): 1 for click in (*new_clicks.values(), *before.values(), *after.values())
    }
    for seq, click in before.items():
        if click.first_visits and after[seq].verdict != "human":
            minimum_first_visits[visitor_day(click)] = 0
    visits = clicks.visits_by_seq(
        store, {day: minimum for day, minimum in minimum_first_visits.items() if day is not None}
    )
    return {seq: click for seq, click in visits.items() if seq not in before}
