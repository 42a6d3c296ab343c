"""The final choice of a click's reason, by its request's evidence, the evidence from nearby clicks, and its age."""

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

SETTLED_AFTER_MS = max(grouping.window_ms for grouping in GROUPINGS)
"""Time in milliseconds (15 minutes) after which only late lines change a verdict: the longest window of any group."""
_READER_CLASSIFICATION = Classification("human", "reader")


def classify_click(click: NearbyClick, group_evidence: int) -> Classification:
    """Return the classification of a click by its request's evidence and the evidence from nearby clicks.

    A reason that the request decides alone is not changed.
    """
    evidence = click.evidence & REQUEST_MASK | group_evidence
    age = age_of(click)
    if not evidence and not click.honeypot and click.reason == "reader" and age >= SECONDS_AFTER_SENDING_MS:
        return _READER_CLASSIFICATION  # shortcut for most clicks
    if click.reason in REQUEST_REASONS:
        reason = click.reason
    else:
        reason = next(matching_reasons(evidence, age=age, honeypot=click.honeypot), "reader")
    return Classification(REASONS[reason].verdict, reason, evidence)


def matching_reasons(evidence: int, *, age: int, honeypot: bool) -> Iterator[str]:
    """Return the reasons of all matching group rules in the order of their rank; ``age`` is in milliseconds."""
    if honeypot:
        yield "hidden-link"
    if evidence or age < SECONDS_AFTER_SENDING_MS:
        for rule in ALL_RULES:
            if rule.matches(evidence, age):
                yield rule.reason


def age_of(click: NearbyClick) -> int:
    """Return the milliseconds from the sending of the issue to the click, or UNKNOWN_AGE_MS."""
    if click.sent_at_ms is None or click.ts_ms < click.sent_at_ms:
        return UNKNOWN_AGE_MS
    return click.ts_ms - click.sent_at_ms


def is_settled(ts_ms: int, *, now_ms: int) -> bool:
    """Return whether the verdict on a click of ``ts_ms`` is final at ``now_ms``, unless lines arrive late.

    Both times are in milliseconds since the UTC epoch.
    """
    return now_ms - ts_ms > SETTLED_AFTER_MS
