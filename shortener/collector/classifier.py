"""Classification of stored clicks, which compares each click with the clicks near it.

A new click can change the verdicts on earlier clicks near it. A verdict depends only on which clicks are
stored, not on the order or the time in which the collector read them. The store keeps the sequence number
(seq) of the last classified click (docs/classification.md, section 11).
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import replace

from shortener.classification.classify import classify_click
from shortener.classification.evidence import REQUEST_MASK, Classification
from shortener.classification.nearby_clicks import NearbyClick
from shortener.collector.devices import UserAgentCache
from shortener.collector.neighbourhood import NEAR_HONEYPOT_MASK, Neighbourhood, RuleContext, update_evidence
from shortener.collector.recount import VerdictChange, apply_changes, apply_classification
from shortener.store import Store, nearby_clicks
from shortener.store.clicks import Click, last_seq
from shortener.store.nearby_clicks import NearbyClickRow

BATCH_SIZE = 20_000
"""Maximum number of clicks classified in one transaction. Large batches read nearby clicks less often."""

ClassifyRequests = Callable[[Sequence[NearbyClick]], Mapping[int, Classification]]
"""Function that classifies stored clicks by their requests only.

It returns the classifications by the sequence number of the click.
"""


class Classifier:
    """Classifies clicks, each compared with its nearby clicks, and stores the results.

    With ``classify_requests``, the requests of stored clicks are classified again too. Without it, the stored
    evidence of their requests is used.
    """

    def __init__(
        self, store: Store, *, agents: UserAgentCache, classify_requests: ClassifyRequests | None = None
    ) -> None:
        self._store = store
        self._agents = agents
        self._classify_requests = classify_requests
        self.verdict_changes: Counter[VerdictChange] = Counter()
        """How often each change of a stored verdict has happened since this classifier was created."""

    def store_unclassified(self, clicks: Sequence[Click]) -> None:
        """Store new clicks with the verdicts of their requests.

        Call ``classify_new`` later to compare nearby clicks.
        """
        first_seq = last_seq(self._store) + 1
        self._apply(dict(enumerate(clicks, first_seq)), {})

    def store_classified(self, clicks: Sequence[Click]) -> None:
        """Classify new clicks and store them. The verdicts on stored clicks near them are updated as well.

        Stored clicks that are not classified yet are classified first.
        """
        while self.classify_new():
            pass
        if not clicks:
            return
        first_seq = last_seq(self._store) + 1
        new_clicks = dict(enumerate(clicks, first_seq))
        context = RuleContext(self._store)
        changed = self._changed_classifications(
            {seq: context.from_click(seq, click) for seq, click in new_clicks.items()}, context, new=True
        )
        for seq in new_clicks.keys() & changed.keys():
            new_clicks[seq] = apply_classification(new_clicks[seq], changed.pop(seq))
        self._apply(new_clicks, changed)
        nearby_clicks.set_meta(self._store, "classified_seq", first_seq + len(new_clicks) - 1)

    def classify_new(self, *, limit: int | None = None) -> int:
        """Classify the oldest stored clicks that are not yet classified.

        Verdicts on clicks near them are updated too.

        Return the number of newly classified clicks, at most ``limit`` (by default BATCH_SIZE).
        """
        with self._store.transaction():
            rows = nearby_clicks.clicks_after(
                self._store, self._store.meta("classified_seq"), limit=limit or BATCH_SIZE
            )
            if rows:
                self._classify_stored(rows, new=True)
                nearby_clicks.set_meta(self._store, "classified_seq", rows[-1][0])
        return len(rows)

    def reclassify(self, rows: Sequence[NearbyClickRow]) -> None:
        """Classify stored clicks again, and update the verdicts on the clicks near them.

        Call it inside a transaction.
        """
        self._classify_stored(rows, new=False)

    def _classify_stored(self, rows: Sequence[NearbyClickRow], *, new: bool) -> None:
        context = RuleContext(self._store)
        targets = {row[0]: context.from_row(row) for row in rows}
        self._apply({}, self._changed_classifications(targets, context, new=new))

    def _changed_classifications(
        self, targets: dict[int, NearbyClick], context: RuleContext, *, new: bool
    ) -> dict[int, Classification]:
        """Return, by seq, the changed classifications of ``targets`` and of stored clicks near them.

        ``targets`` are the clicks being classified, by seq. ``new`` is whether they are the newest clicks.
        """
        before = targets
        targets = self._reclassify_requests(targets)
        neighbourhood = Neighbourhood(self._store, targets, context, new=new)
        before = before | neighbourhood.clicks
        clicks = targets | self._reclassify_requests(neighbourhood.clicks)
        evidence_by_seq = update_evidence(
            clicks,
            targets.keys(),
            honeypot_hits=neighbourhood.honeypot_hits,
            sticky_mask=NEAR_HONEYPOT_MASK if new else 0,
            truncated=neighbourhood.truncated,
        )
        changed = {}
        for seq, evidence in evidence_by_seq.items():
            classification = classify_click(clicks[seq], evidence & ~REQUEST_MASK)
            if (classification.reason, classification.evidence) != (before[seq].reason, before[seq].evidence):
                changed[seq] = classification
        return changed

    def _reclassify_requests(self, clicks: dict[int, NearbyClick]) -> dict[int, NearbyClick]:
        """Return the clicks with new reasons and evidence from their requests.

        Without ``classify_requests`` the clicks are returned unchanged.
        """
        if self._classify_requests is None:
            return clicks
        classifications = self._classify_requests(list(clicks.values()))
        return {
            seq: replace(
                click,
                reason=classifications[seq].reason,
                evidence=classifications[seq].evidence | click.evidence & ~REQUEST_MASK,
            )
            for seq, click in clicks.items()
        }

    def _apply(self, new_clicks: Mapping[int, Click], classifications: Mapping[int, Classification]) -> None:
        self.verdict_changes += apply_changes(
            self._store, agents=self._agents, new_clicks=new_clicks, classifications=classifications
        )


def queue_reclassification(store: Store, issue_id: int) -> None:
    """Mark the clicks of an issue to be classified again.

    Call it when its sending time or honeypot link changes.
    """
    nearby_clicks.set_meta(store, f"{nearby_clicks.RECLASSIFY_PREFIX}{issue_id}", 0)


def run_reclassification_queue(store: Store, *, agents: UserAgentCache | None = None) -> Counter[VerdictChange]:
    """Classify the clicks of all marked issues again; return how often each verdict changed.

    Any process may call this, and an interrupted run continues where it stopped. All clicks with evidence of
    a honeypot hit are reclassified as well, because the link that was hit may no longer be a honeypot link.
    """
    classifier = Classifier(store, agents=agents or UserAgentCache(store))
    for issue_id in nearby_clicks.queued_issues(store):
        while _reclassify_next_batch(store, issue_id, classifier):
            pass
    return classifier.verdict_changes


def _reclassify_next_batch(store: Store, issue_id: int, classifier: Classifier) -> bool:
    key = f"{nearby_clicks.RECLASSIFY_PREFIX}{issue_id}"
    with store.transaction():
        after_seq = nearby_clicks.queued_issues(store).get(issue_id)
        if after_seq is None:
            return False
        rows = nearby_clicks.issue_clicks_after(
            store, issue_id, after_seq, evidence_mask=NEAR_HONEYPOT_MASK, limit=BATCH_SIZE
        )
        if rows:
            classifier.reclassify(rows)
            nearby_clicks.set_meta(store, key, rows[-1][0])
        else:
            nearby_clicks.delete_meta(store, key)
        return bool(rows)
