"""Why a click has its verdict: every rule that spoke, which one decided, and its evidence in words."""

from msgspec import Struct

from shortener.classification.data_files import network_owner
from shortener.classification.evidence import REQUEST_BITS, Evidence, Judgement, describe
from shortener.classification.group_rules import ALL_RULES, NEVER, age_of, judge_bits, reasons_that_speak
from shortener.classification.nearby_clicks import Neighbour
from shortener.classification.reasons import REASONS, REQUEST_REASONS
from shortener.classification.request_rules import request_reasons

_HEADERS = ("sec-purpose", "purpose", "x-purpose", "x-moz", "range", "sec-fetch-dest", "sec-fetch-mode")
_RULES = {rule.reason: rule for rule in ALL_RULES}
_BY_AGENT = {"named-scanner", "named-preview", "named-bot", "no-user-agent", "no-browser-name"}
_BY_HEADERS = {"prefetch-header", "range-request", "no-navigation"}


class Spoken(Struct, frozen=True):
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

    judgement: Judgement
    spoken: tuple[Spoken, ...]
    noticed: tuple[str, ...]


def explain(click: Neighbour, *, evidence: Evidence | None = None) -> Explanation:
    """The scoreboard of a click from its stored bits; with ``evidence``, of all rules on its request as well.

    Without ``evidence`` only the one rule on the request that decided is known. The bits of the neighbourhood
    are those that are stored: they need no neighbours again.
    """
    judgement = judge_bits(click, click.gaps & ~REQUEST_BITS)
    reasons = list(_request_reasons(click, evidence))
    reasons += [reason for reason in _set_reasons(click) if reason not in reasons]
    if judgement.reason not in reasons:
        reasons.insert(0, judgement.reason)
    spoken = tuple(_spoken(reason, click, evidence, decided=reason == judgement.reason) for reason in reasons)
    return Explanation(judgement, spoken, describe(click.gaps))


def _request_reasons(click: Neighbour, evidence: Evidence | None) -> list[str]:
    known = [click.reason] if click.reason in REQUEST_REASONS else []
    if evidence is not None:
        known += [reason for reason in request_reasons(evidence, click.gaps) if reason not in known]
    return known


def _set_reasons(click: Neighbour) -> list[str]:
    return list(reasons_that_speak(click.gaps, age=age_of(click), trap=click.trap))


def _spoken(reason: str, click: Neighbour, evidence: Evidence | None, *, decided: bool) -> Spoken:
    known = REASONS[reason]
    return Spoken(
        reason, known.verdict, known.precision, known.words, _seen(reason, click, evidence), decided
    )


def _seen(reason: str, click: Neighbour, evidence: Evidence | None) -> tuple[str, ...]:
    rule = _RULES.get(reason)
    if rule is not None:
        age = age_of(click)
        aged = (f"{age / 1000:.0f} s after the sending",) if rule.aged and age < NEVER else ()
        return describe(click.gaps & rule.bits) + aged
    if reason in _BY_AGENT:
        return (f"user agent {evidence.ua!r}",) if evidence is not None else ()
    if reason in _BY_HEADERS:
        sent = (evidence.h if evidence is not None else None) or {}
        return tuple(f"{name}: {sent[name]}" for name in _HEADERS if sent.get(name))
    if reason == "gateway-network" and click.net:
        return (f"{click.net}: {network_owner(click.net)}",)
    return describe(click.gaps & REQUEST_BITS) if reason in REQUEST_REASONS - {"head-request"} else ()
