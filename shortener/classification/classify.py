"""Decide the verdict on a click, human or automated, from its evidence bits and the time since the issue was sent."""

from collections.abc import Iterator

from shortener.classification.evidence import REQUEST_MASK, Classification
from shortener.classification.group_rules import (
    ALL_RULES,
    GROUPINGS,
    SECONDS_AFTER_SENDING_MS,
    UNKNOWN_AGE_MS,
)
from shortener.classification.nearby_clicks import NearbyClick
from shortener.classification.reasons import REASONS
from shortener.classification.request_reasons import REQUEST_REASONS

# The longest time window of a correlation group: 15 minutes.
SETTLED_AFTER_MS = max(grouping.window_ms for grouping in GROUPINGS)
"""Milliseconds after a click until its verdict is final, unless lines of the click log arrive late."""
_READER_CLASSIFICATION = Classification("human", "reader")


def classify_click(click: NearbyClick, group_evidence: int) -> Classification:
    """Return the verdict on a click, with its reason and evidence bits.

    ``group_evidence`` has the evidence bits from nearby clicks.
    """
    evidence = click.evidence & REQUEST_MASK | group_evidence
    age = age_of(click)
    if not evidence and not click.honeypot and click.reason == "reader" and age >= SECONDS_AFTER_SENDING_MS:
        return _READER_CLASSIFICATION  # shortcut for most clicks
    # A verdict that the click's request alone has decided is kept.
    if click.reason in REQUEST_REASONS:
        reason = click.reason
    else:
        reason = next(matching_reasons(evidence, age=age, honeypot=click.honeypot), "reader")
    return Classification(REASONS[reason].verdict, reason, evidence)


def matching_reasons(
    evidence: int,  # the evidence bits of the click
    *,
    age: int,
    honeypot: bool,  # whether the link is hidden from readers
) -> Iterator[str]:
    """Yield the reasons of the rules that match a click, the most certain first.

    ``age`` is the click's time after sending, in milliseconds.
    """
    if honeypot:
        yield "hidden-link"
    if evidence or age < SECONDS_AFTER_SENDING_MS:
        for rule in ALL_RULES:
            if rule.matches(evidence, age):
                yield rule.reason


def age_of(click: NearbyClick) -> int:
    """Return the time from the sending of the issue to the click in milliseconds; UNKNOWN_AGE_MS if it is unknown."""
    if click.sent_at_ms is None or click.ts_ms < click.sent_at_ms:
        return UNKNOWN_AGE_MS
    return click.ts_ms - click.sent_at_ms


def is_settled(ts_ms: int, *, now_ms: int) -> bool:
    """Return whether no later click can change the verdict on a click made at ``ts_ms``.

    Times are milliseconds since the UTC epoch.
    """
    return now_ms - ts_ms > SETTLED_AFTER_MS
