"""Explanation of a verdict: the rules that match a click, which of them decided, and the evidence."""

from msgspec import Struct

from shortener.classification.classify import age_of, classify_click, matching_reasons
from shortener.classification.data_files import network_owner
from shortener.classification.evidence import REQUEST_MASK, ClickRequest
from shortener.classification.group_rules import ALL_RULES, UNKNOWN_AGE_MS
from shortener.classification.nearby_clicks import NearbyClick
from shortener.classification.reasons import REASONS, describe_evidence
from shortener.classification.request_reasons import REQUEST_REASONS
from shortener.classification.request_rules import request_reasons
from shortener.durations import SECOND_MS

_SHOWN_HEADERS = ("sec-purpose", "purpose", "x-purpose", "x-moz", "range", "sec-fetch-dest", "sec-fetch-mode")
_RULES = {rule.reason: rule for rule in ALL_RULES}
_USER_AGENT_REASONS = {"named-scanner", "named-preview", "named-bot", "no-user-agent", "no-browser-name"}
_HEADER_REASONS = {"prefetch-header", "range-request", "no-navigation"}


class RuleMatch(Struct, frozen=True):
    """A rule that matches a click, with its description and the evidence that made it match."""

    reason: str
    verdict: str
    precision: str
    words: str
    """Description of the reason."""
    evidence: tuple[str, ...]
    """Descriptions of the evidence that the rule read."""
    decided: bool = False
    """Whether this rule gave the click its verdict."""


class Explanation(Struct, frozen=True):
    """All rules that match a click, the most certain first, and a description of each evidence bit of the click."""

    matches: tuple[RuleMatch, ...]
    evidence_texts: tuple[str, ...]


def explain(click: NearbyClick, *, request: ClickRequest | None = None) -> Explanation:
    """Return the rules that match a stored click, and which of them decided its verdict.

    Rules about the request are complete only with ``request``.
    """
    deciding_reason = classify_click(click, click.evidence & ~REQUEST_MASK).reason
    reasons = [click.reason] if click.reason in REQUEST_REASONS else []
    if request is not None:
        reasons += request_reasons(request, click.evidence)
    reasons += matching_reasons(click.evidence, age=age_of(click), honeypot=click.honeypot)
    if deciding_reason not in reasons:
        reasons.insert(0, deciding_reason)
    matches = tuple(
        _rule_match(reason, click, request, decided=reason == deciding_reason) for reason in dict.fromkeys(reasons)
    )
    return Explanation(matches, describe_evidence(click.evidence))


def _rule_match(reason: str, click: NearbyClick, request: ClickRequest | None, *, decided: bool) -> RuleMatch:
    definition = REASONS[reason]
    return RuleMatch(
        reason,
        definition.verdict,
        definition.precision,
        definition.description,
        _describe_match(reason, click, request),
        decided,
    )


def _describe_match(reason: str, click: NearbyClick, request: ClickRequest | None) -> tuple[str, ...]:
    rule = _RULES.get(reason)
    if rule is not None:
        age = age_of(click)
        age_text = (f"{age / SECOND_MS:.0f} s after sending",) if rule.uses_age and age < UNKNOWN_AGE_MS else ()
        return describe_evidence(click.evidence & rule.evidence_mask) + age_text
    if reason in _USER_AGENT_REASONS:
        return (f"user agent {request.ua!r}",) if request is not None else ()
    if reason in _HEADER_REASONS:
        headers = (request.headers if request is not None else None) or {}
        return tuple(f"{name}: {headers[name]}" for name in _SHOWN_HEADERS if headers.get(name))
    if reason == "gateway-network" and click.net:
        return (f"{click.net}: {network_owner(click.net)}",)
    return (
        describe_evidence(click.evidence & REQUEST_MASK) if reason in REQUEST_REASONS.keys() - {"head-request"} else ()
    )
