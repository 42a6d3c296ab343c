"""Classification of clicks as human or automated, by comparison with other clicks.

A new click can change the verdict on an earlier one.
"""

# docs/classification.md, section 11, describes which clicks are compared.
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec.structs import replace

from shortener.classification.correlate import changed_classifications
from shortener.classification.detect_honeypot import AUTOMATION_MASK
from shortener.classification.evidence import Classification
from shortener.collector.devices import UserAgentCache
from shortener.collector.neighbourhood import NEAR_HONEYPOT_MASK, RuleContext, load_near_new, load_near_stored
from shortener.collector.recount import VerdictChange, apply_changes, apply_classification
from shortener.store import Store, honeypot_hits, nearby_clicks
from shortener.store.clicks import Click, last_seq
from shortener.store.nearby_clicks import NearbyClickRow

BATCH_SIZE = 20_000
"""Maximum number of clicks classified in one transaction. Large batches read nearby clicks less often."""

ClassifyRequests = Callable[[Iterable[int]], Mapping[int, Classification]]
"""Function from sequence numbers of stored clicks to their classifications by their HTTP requests alone."""


class Classifier:
    """Classifies clicks as human or automated, by comparison with nearby clicks, and stores the verdicts."""

    def __init__(self, store: Store, *, agents: UserAgentCache) -> None:
        self._store = store
        self._agents = agents
        self.verdict_changes: Counter[VerdictChange] = Counter()
        """How often each change of a stored verdict has happened since this classifier was created."""

    def store_unclassified(self, clicks: Sequence[Click]) -> None:
        """Store new clicks with preliminary verdicts by their requests alone. Call ``classify_new`` later."""
        self._apply(dict(enumerate(clicks, last_seq(self._store) + 1)), {})

    def store_classified(self, clicks: Sequence[Click]) -> None:
        """Classify new clicks and store them. Verdicts on stored clicks near them are updated."""
        # Clicks stored earlier are classified first.
        while self.classify_new():
            pass
        if not clicks:
            return
        first_seq = last_seq(self._store) + 1
        new_clicks = dict(enumerate(clicks, first_seq))
        context = RuleContext(self._store)
        to_classify = {seq: context.from_click(seq, click) for seq, click in new_clicks.items()}
        changed = changed_classifications(to_classify, load_near_new(self._store, to_classify, context))
        for seq in new_clicks.keys() & changed.keys():
            new_clicks[seq] = apply_classification(new_clicks[seq], changed.pop(seq))
        self._apply(new_clicks, changed)
        self._record_as_classified(context, first_seq, first_seq + len(clicks) - 1)

    def classify_new(self) -> int:
        """Classify the oldest unclassified clicks in the store, at most BATCH_SIZE; return their number."""
        with self._store.transaction():
            rows = nearby_clicks.clicks_after(self._store, self._store.meta("classified_seq"), limit=BATCH_SIZE)
            if rows:
                context = RuleContext(self._store)
                to_classify = {row[0]: context.from_row(row) for row in rows}
                self._apply({}, changed_classifications(to_classify, load_near_new(self._store, to_classify, context)))
                self._record_as_classified(context, rows[0][0], rows[-1][0])
        return len(rows)

    def reclassify(
        self, rows: Sequence[NearbyClickRow], *, classify_requests: ClassifyRequests = lambda seqs: {}
    ) -> None:
        """Compare stored clicks with nearby clicks again, and update the verdicts on both. Call it in a transaction."""
        context = RuleContext(self._store)
        to_classify = {row[0]: context.from_row(row) for row in rows}
        nearby = load_near_stored(self._store, to_classify, context)
        # Evidence from a click's own HTTP request is kept, unless ``classify_requests`` computes it again.
        nearby = replace(nearby, requests=classify_requests([*to_classify, *nearby.clicks]))
        self._apply({}, changed_classifications(to_classify, nearby))
        times = [click.ts_ms for click in to_classify.values()]
        honeypot_hits.record_again(self._store, first_at=min(times), last_at=max(times), machine_mask=AUTOMATION_MASK)

    def _apply(self, new_clicks: Mapping[int, Click], classifications: Mapping[int, Classification]) -> None:
        self.verdict_changes += apply_changes(
            self._store, agents=self._agents, new_clicks=new_clicks, classifications=classifications
        )

    def _record_as_classified(self, context: RuleContext, first_seq: int, last_seq: int) -> None:
        if context.honeypot_link_ids:
            honeypot_hits.record(self._store, first_seq=first_seq, last_seq=last_seq, machine_mask=AUTOMATION_MASK)
        self._store.set_meta("classified_seq", last_seq)


def run_reclassification_queue(store: Store, *, agents: UserAgentCache | None = None) -> Counter[VerdictChange]:
    """Classify the clicks of all queued issues again. Return how often each verdict changed."""
    # An issue is queued when its sending time or its honeypot links change.
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
        # With all clicks that have evidence from any honeypot link.
        rows = nearby_clicks.issue_clicks_after(
            store, issue_id, after_seq, evidence_mask=NEAR_HONEYPOT_MASK, limit=BATCH_SIZE
        )
        if rows:
            classifier.reclassify(rows)
            store.set_meta(key, rows[-1][0])
        else:
            store.delete_meta(key)
        return bool(rows)
