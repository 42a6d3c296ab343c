"""Judging clicks by what other clicks around them say, when they are stored and whenever that changes.

A click's verdict is a function of the stored clicks in its neighbourhood, so it does not matter in which batches they
came, or when the collector ran. What has been judged is a position in the store, like that of the click log.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import replace

from shortener.classification.evidence import REQUEST_MASK, Classification
from shortener.classification.group_rules import classify_click
from shortener.classification.nearby_clicks import NearbyClick
from shortener.collector.devices import UserAgentCache
from shortener.collector.neighbourhood import NEAR_HONEYPOT_MASK, Neighbourhood, RuleContext, update_evidence
from shortener.collector.recount import VerdictChange, apply_changes, apply_classification
from shortener.store import Store
from shortener.store import clicks as stored
from shortener.store import nearby_clicks as sql
from shortener.store.clicks import Click
from shortener.store.nearby_clicks import NearbyClickRow

BATCH_SIZE = 20_000
"""Clicks that are judged in one transaction: neighbours on both sides are read besides, so few batches are cheaper."""

ClassifyRequests = Callable[[Sequence[NearbyClick]], Mapping[int, Classification]]
"""What today's rules say of stored requests by themselves, by seq."""


class Classifier:
    """Judges clicks by their neighbours; with ``requests`` also stored requests anew, else as they are stored."""

    def __init__(
        self, store: Store, *, agents: UserAgentCache, classify_requests: ClassifyRequests | None = None
    ) -> None:
        self._store = store
        self._agents = agents
        self._classify_requests = classify_requests
        self.verdict_changes: Counter[VerdictChange] = Counter()
        """The verdicts of stored clicks that changed since this judge began."""

    def store_unclassified(self, clicks: Sequence[Click]) -> None:
        """Store new clicks with the verdicts of their requests; ``judge_new`` is to follow."""
        first = stored.last_seq(self._store) + 1
        self._apply(dict(enumerate(clicks, first)), {})

    def store_classified(self, clicks: Sequence[Click]) -> None:
        """Store new clicks, judged by their neighbours, and judge again what they are neighbours of."""
        while self.classify_new():
            pass
        if not clicks:
            return
        first = stored.last_seq(self._store) + 1
        new = dict(enumerate(clicks, first))
        world = RuleContext(self._store)
        changed = self._changed_classifications(
            {seq: world.from_click(seq, click) for seq, click in new.items()}, world, new=True
        )
        for seq in new.keys() & changed.keys():
            new[seq] = apply_classification(new[seq], changed.pop(seq))
        self._apply(new, changed)
        sql.set_meta(self._store, "classified_seq", first + len(new) - 1)

    def classify_new(self, *, limit: int | None = None) -> int:
        """Judge the next clicks that were stored, and again what they are neighbours of; how many were new."""
        with self._store.transaction():
            rows = sql.clicks_after(
                self._store, self._store.meta("classified_seq"), limit=limit or BATCH_SIZE
            )
            if rows:
                self._classify_stored(rows, new=True)
                sql.set_meta(self._store, "classified_seq", rows[-1][0])
        return len(rows)

    def reclassify(self, rows: Sequence[NearbyClickRow]) -> None:
        """Judge stored clicks again, and what they are neighbours of; within a transaction."""
        self._classify_stored(rows, new=False)

    def _classify_stored(self, rows: Sequence[NearbyClickRow], *, new: bool) -> None:
        world = RuleContext(self._store)
        self._apply(
            {}, self._changed_classifications({row[0]: world.from_row(row) for row in rows}, world, new=new)
        )

    def _changed_classifications(
        self, targets: dict[int, NearbyClick], context: RuleContext, *, new: bool
    ) -> dict[int, Classification]:
        """The judgements that change: of the targets, and of stored clicks that they are neighbours of."""
        before = targets
        targets = self._reclassify_requests(targets)
        around = Neighbourhood(self._store, targets, context, new=new)
        before = before | around.clicks
        universe = targets | self._reclassify_requests(around.clicks)
        changed = {}
        caught = NEAR_HONEYPOT_MASK if new else 0
        found = update_evidence(
            universe,
            targets.keys(),
            honeypot_hits=around.honeypot_hits,
            sticky_mask=caught,
            truncated=around.truncated,
        )
        for seq, bits in found.items():
            judgement = classify_click(universe[seq], bits & ~REQUEST_MASK)
            if judgement.reason != before[seq].reason or judgement.evidence != before[seq].evidence:
                changed[seq] = judgement
        return changed

    def _reclassify_requests(self, clicks: dict[int, NearbyClick]) -> dict[int, NearbyClick]:
        """Clicks with what today's rules say of their requests, if this judge was given them."""
        if self._classify_requests is None:
            return clicks
        judged = self._classify_requests(list(clicks.values()))
        return {
            seq: replace(
                click,
                reason=judged[seq].reason,
                evidence=judged[seq].evidence | click.evidence & ~REQUEST_MASK,
            )
            for seq, click in clicks.items()
        }

    def _apply(self, new_clicks: Mapping[int, Click], classifications: Mapping[int, Classification]) -> None:
        self.verdict_changes += apply_changes(
            self._store, agents=self._agents, new_clicks=new_clicks, classifications=classifications
        )


def queue_reclassification(store: Store, issue_id: int) -> None:
    """Remember that what an issue's clicks are judged by has changed: its sending, or its hidden link."""
    sql.set_meta(store, f"{sql.RECLASSIFY_PREFIX}{issue_id}", 0)


def run_reclassification_queue(
    store: Store, *, agents: UserAgentCache | None = None
) -> Counter[VerdictChange]:
    """Judge the clicks of all issues that were asked for again, in steps; which verdicts turned into which.

    Whoever comes first does it, and what was interrupted goes on where it stopped. With an issue's clicks all are
    judged that any hidden link speaks about: a link that is none any more must not.
    """
    judge = Classifier(store, agents=agents or UserAgentCache(store))
    for issue_id in sql.queued_issues(store):
        while _reclassify_next_batch(store, issue_id, judge):
            pass
    return judge.verdict_changes


def _reclassify_next_batch(store: Store, issue_id: int, classifier: Classifier) -> bool:
    with store.transaction():
        at = sql.queued_issues(store).get(issue_id)
        if at is None:
            return False
        rows = sql.issue_clicks_after(store, issue_id, at, evidence_mask=NEAR_HONEYPOT_MASK, limit=BATCH_SIZE)
        if rows:
            classifier.reclassify(rows)
            sql.set_meta(store, f"{sql.RECLASSIFY_PREFIX}{issue_id}", rows[-1][0])
        else:
            sql.delete_meta(store, f"{sql.RECLASSIFY_PREFIX}{issue_id}")
        return bool(rows)
