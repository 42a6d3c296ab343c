"""Rules that choose the reason for a click's verdict, from evidence and the time since sending.

The time from the sending of the issue to the click is called the age of the click. The rules are tried in the
order in which they are listed here. docs/classification.md, section 7, gives their precision and explains the
time limits.
"""

from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from shortener.classification.evidence import (
    AGENT_BURST,
    BROWSER_BURST,
    BURST,
    CLICK_ECHO,
    CLICK_TIME_CHECK,
    CORROBORATING,
    COVERAGE,
    DATACENTER,
    DOUBLE_CLICK,
    EVEN_PACE,
    FAN_OUT,
    FIVE_LINKS_10S,
    HONEYPOT_BY_ADDRESS,
    HONEYPOT_BY_NETWORK,
    HONEYPOT_BY_TOKEN,
    INCOMPLETE_HEADERS,
    MAIL_GATEWAY,
    NETWORK_BURST,
    REQUEST_MASK,
    REWRITTEN_LINK,
    SECURITY_VENDOR,
    THREE_LINKS_10S,
    TWO_LINKS_1S,
    Classification,
)
from shortener.classification.groups import GROUPINGS
from shortener.classification.nearby_clicks import NearbyClick, from_datacenter
from shortener.classification.reasons import REASONS, REQUEST_REASONS
from shortener.durations import MINUTE_MS, SECOND_MS

SECONDS_AFTER_SENDING_MS = 10 * SECOND_MS
"""Milliseconds after sending in which every click is automated (rule 15).

No reader has opened the mail yet.
"""
QUICK_LINKS_AGE_MS = MINUTE_MS
"""Milliseconds after sending in which quick links are automated without a second signal (rule 16c).

Quick links are clicks on 3 different links within 10 seconds.
"""
INCOMPLETE_HEADERS_AGE_MS = 2 * MINUTE_MS
"""Milliseconds after sending in which a click with incomplete headers can be automated (rule 15)."""
NETWORK_AGE_MS = 10 * MINUTE_MS
"""Milliseconds after sending in which clicks from data centers are automated (rules 13 and 14b).

The same holds for clicks from networks of security vendors.
"""
UNKNOWN_AGE_MS = 1 << 62
"""Stands for the age of a click if the issue has no sending time, or was sent after the click."""

SETTLED_AFTER_MS = max(grouping.window_ms for grouping in GROUPINGS)
"""Time in milliseconds after a click when its verdict is final, unless lines of the click log arrive late.

It is the longest time window of a correlation group: 15 minutes.
"""


class GroupRule(Struct, frozen=True):
    """A condition on a click's evidence and age, and the reason of a click that meets it."""

    reason: str
    matches: Callable[[int, int], bool]
    """The condition: a function of the evidence bits and of the age in milliseconds or UNKNOWN_AGE_MS."""
    evidence_mask: int
    """Evidence bits that the condition reads; used to explain a match."""
    uses_age: bool = False
    """Whether the condition reads the time since sending; used to explain a match."""


def _two_links_1s(evidence: int, age: int) -> bool:  # rule 16b
    return bool(evidence & TWO_LINKS_1S) and has_corroboration(evidence)


def _vendor_soon(evidence: int, age: int) -> bool:  # rule 13 for networks that also isolate browsers
    return bool(evidence & SECURITY_VENDOR) and age < NETWORK_AGE_MS


def _datacenter_soon(evidence: int, age: int) -> bool:  # rule 14b
    return bool(evidence & DATACENTER) and age < NETWORK_AGE_MS


def _seconds_after_sending(evidence: int, age: int) -> bool:  # rule 15 alone
    return age < SECONDS_AFTER_SENDING_MS


def _incomplete_headers_soon(evidence: int, age: int) -> bool:  # rule 15 with 6, 7 or 11
    return (
        bool(evidence & INCOMPLETE_HEADERS)
        and age < INCOMPLETE_HEADERS_AGE_MS
        and has_corroboration(evidence)
    )


def _quick_links(evidence: int, age: int) -> bool:  # rule 16c
    # Readers open a tab every three seconds, so 3 links need two second signals; 5 links are too fast for a reader.
    if evidence & FIVE_LINKS_10S:
        return has_corroboration(evidence) or age < QUICK_LINKS_AGE_MS
    return bool(evidence & THREE_LINKS_10S) and (
        age < QUICK_LINKS_AGE_MS or count_corroborations(evidence) > 1
    )


def _most_links(evidence: int, age: int) -> bool:  # rule 19
    return bool(evidence & COVERAGE) and has_corroboration(evidence)


def has_corroboration(evidence: int) -> bool:
    """Return whether the evidence contains a second signal (docs/classification.md, section 4)."""
    return count_corroborations(evidence) > 0


def count_corroborations(evidence: int) -> int:
    """Return the number of second signals in the evidence (docs/classification.md, section 4).

    It is 0 for a click whose referrer is a mail-security service that rewrites links: the service redirects
    readers' own browsers, and proxies of its customers often remove headers (rule 10).
    """
    if evidence & REWRITTEN_LINK:
        return 0
    return (evidence & CORROBORATING).bit_count() + from_datacenter(evidence)


_CORROBORATION_MASK = CORROBORATING | DATACENTER | SECURITY_VENDOR | MAIL_GATEWAY | REWRITTEN_LINK


def _evidence_rule(reason: str, mask: int) -> GroupRule:
    """Return a rule that matches if any evidence bit of ``mask`` is set."""
    return GroupRule(reason, lambda evidence, age: bool(evidence & mask), mask)


AUTOMATION_RULES: Sequence[GroupRule] = (
    _evidence_rule("burst", BURST),
    _evidence_rule("fan-out", FAN_OUT),
    _evidence_rule("hidden-link-copy", HONEYPOT_BY_TOKEN),
    _evidence_rule("network-burst", NETWORK_BURST),
    _evidence_rule("browser-burst", BROWSER_BURST),
    _evidence_rule("click-time-check", CLICK_TIME_CHECK),
    GroupRule("vendor-network", _vendor_soon, SECURITY_VENDOR, uses_age=True),
    GroupRule("datacenter-soon", _datacenter_soon, DATACENTER, uses_age=True),
    GroupRule("seconds-after-sending", _seconds_after_sending, 0, uses_age=True),
    GroupRule("pair", _two_links_1s, TWO_LINKS_1S | _CORROBORATION_MASK),
    _evidence_rule("agent-burst", AGENT_BURST),
    _evidence_rule("hidden-link-address", HONEYPOT_BY_ADDRESS | HONEYPOT_BY_NETWORK),
    GroupRule("bare-soon", _incomplete_headers_soon, INCOMPLETE_HEADERS, uses_age=True),
    GroupRule(
        "quick-links", _quick_links, THREE_LINKS_10S | FIVE_LINKS_10S | _CORROBORATION_MASK, uses_age=True
    ),
    _evidence_rule("click-echo", CLICK_ECHO),
    GroupRule("most-links", _most_links, COVERAGE | _CORROBORATION_MASK),
)
"""Rules that classify a click as automated although its request alone does not.

The most certain come first.
"""

HUMAN_RULES: Sequence[GroupRule] = (
    _evidence_rule("even-pace", EVEN_PACE),
    _evidence_rule("many-tabs", THREE_LINKS_10S),
    _evidence_rule("many-links", COVERAGE),
    _evidence_rule("double-click", DOUBLE_CLICK),
    _evidence_rule("rewritten-link", REWRITTEN_LINK),
)
"""Rules that give a human click a more specific reason than ``reader``."""
ALL_RULES = (*AUTOMATION_RULES, *HUMAN_RULES)
"""All group rules in the order in which they are tried."""


_READER_CLASSIFICATION = Classification("human", "reader")


def classify_click(click: NearbyClick, group_evidence: int) -> Classification:
    """Return the classification of a click, from the evidence of its request and of nearby clicks.

    ``group_evidence`` are the bits from nearby clicks. If the request alone decided the reason, the reason
    stays.
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
    """Yield the reasons of all matching group rules, the most certain first.

    ``age`` is the time from sending to the click in milliseconds; ``honeypot`` is whether its link is a
    honeypot link.
    """
    if honeypot:
        yield "hidden-link"
    if evidence or age < SECONDS_AFTER_SENDING_MS:
        for rule in ALL_RULES:
            if rule.matches(evidence, age):
                yield rule.reason


def age_of(click: NearbyClick) -> int:
    """Return the milliseconds from the sending of the issue to the click, or UNKNOWN_AGE_MS if they are unknown."""
    if click.sent_at_ms is None or click.ts_ms < click.sent_at_ms:
        return UNKNOWN_AGE_MS
    return click.ts_ms - click.sent_at_ms


def is_settled(ts_ms: int, *, now_ms: int) -> bool:
    """Return whether the verdict on a click is final, provided that no click-log line arrives late.

    ``ts_ms`` is the time of the click and ``now_ms`` the current time, in milliseconds since the UTC epoch.
    """
    return now_ms - ts_ms > SETTLED_AFTER_MS
