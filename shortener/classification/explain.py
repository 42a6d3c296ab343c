"""Why a click has its verdict: every rule that spoke, which one decided, and its evidence in words."""

from msgspec import Struct

from shortener.classification.data_files import network_owner
from shortener.classification.evidence import REQUEST_MASK, Classification, ClickRequest, describe_evidence
from shortener.classification.group_rules import (
    ALL_RULES,
    UNKNOWN_AGE_MS,
    age_of,
    classify_click,
    matching_reasons,
)
from shortener.classification.nearby_clicks import NearbyClick
from shortener.classification.reasons import REASONS, REQUEST_REASONS
from shortener.classification.request_rules import request_reasons

_SHOWN_HEADERS = ("sec-purpose", "purpose", "x-purpose", "x-moz", "range", "sec-fetch-dest", "sec-fetch-mode")
_RULES = {rule.reason: rule for rule in ALL_RULES}
_USER_AGENT_REASONS = {"named-scanner", "named-preview", "named-bot", "no-user-agent", "no-browser-name"}
_HEADER_REASONS = {"prefetch-header", "range-request", "no-navigation"}


class RuleMatch(Struct, frozen=True):
    """A rule that spoke: what it would make of the click, in words, and what it saw. ``decided`` for the
    first.
    """

    reason: str
    verdict: str
    precision: str
    words: str
    evidence: tuple[str, ...]
    decided: bool = False


class Explanation(Struct, frozen=True):
    """The verdict, the scoreboard behind it, and everything else that was noticed."""

    classification: Classification
    matches: tuple[RuleMatch, ...]
    evidence_texts: tuple[str, ...]


def explain(click: NearbyClick, *, request: ClickRequest | None = None) -> Explanation:
    """The scoreboard of a click from its stored bits; with ``evidence``, of all rules on its request as well.

    Without ``evidence`` only the one rule on the request that decided is known. The bits of the neighbourhood
    are those that are stored: they need no neighbours again.
    """
    judgement = classify_click(click, click.evidence & ~REQUEST_MASK)
    reasons = list(_request_reasons(click, request))
    reasons += [reason for reason in _group_reasons(click) if reason not in reasons]
    if judgement.reason not in reasons:
        reasons.insert(0, judgement.reason)
    spoken = tuple(
        _rule_match(reason, click, request, decided=reason == judgement.reason) for reason in reasons
    )
    return Explanation(judgement, spoken, describe_evidence(click.evidence))


def _request_reasons(click: NearbyClick, request: ClickRequest | None) -> list[str]:
    known = [click.reason] if click.reason in REQUEST_REASONS else []
    if request is not None:
        known += [reason for reason in request_reasons(request, click.evidence) if reason not in known]
    return known


def _group_reasons(click: NearbyClick) -> list[str]:
    return list(matching_reasons(click.evidence, age=age_of(click), honeypot=click.honeypot))


def _rule_match(reason: str, click: NearbyClick, request: ClickRequest | None, *, decided: bool) -> RuleMatch:
    known = REASONS[reason]
    return RuleMatch(
        reason,
        known.verdict,
        known.precision,
        known.description,
        _matched_evidence(reason, click, request),
        decided,
    )


def _matched_evidence(reason: str, click: NearbyClick, request: ClickRequest | None) -> tuple[str, ...]:
    rule = _RULES.get(reason)
    if rule is not None:
        age = age_of(click)
        aged = (f"{age / 1000:.0f} s after the sending",) if rule.uses_age and age < UNKNOWN_AGE_MS else ()
        return describe_evidence(click.evidence & rule.evidence_mask) + aged
    if reason in _USER_AGENT_REASONS:
        return (f"user agent {request.ua!r}",) if request is not None else ()
    if reason in _HEADER_REASONS:
        sent = (request.headers if request is not None else None) or {}
        return tuple(f"{name}: {sent[name]}" for name in _SHOWN_HEADERS if sent.get(name))
    if reason == "gateway-network" and click.net:
        return (f"{click.net}: {network_owner(click.net)}",)
    return (
        describe_evidence(click.evidence & REQUEST_MASK)
        if reason in REQUEST_REASONS - {"head-request"}
        else ()
    )
