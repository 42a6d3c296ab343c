"""The verdicts on a set of clicks, judged together: a pure function of the set, whatever order and batches it
came in.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

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
    RARE_AGENT,
    REQUEST_MASK,
    REWRITTEN_LINK,
    SECURITY_VENDOR,
    THREE_LINKS_10S,
    TWO_LINKS_1S,
    Classification,
)
from shortener.classification.groups import GROUPINGS, Grouping, find_group_evidence
from shortener.classification.nearby_clicks import NearbyClick, from_datacenter
from shortener.classification.reasons import REASONS, REQUEST_REASONS

SECONDS_AFTER_SENDING_MS = 10_000
QUICK_LINKS_AGE_MS = 60_000
INCOMPLETE_HEADERS_AGE_MS = 120_000
NETWORK_AGE_MS = 600_000
UNKNOWN_AGE_MS = 1 << 62
"""The age of a click whose issue has no time of sending, or that came before it."""

SETTLED_AFTER_MS = max(family.window_ms for family in GROUPINGS)
"""15 minutes: a click older than that changes its verdict only if lines arrive late."""
FINAL_AFTER_MS = 86_400_000
"""24 hours: by then late lines have arrived."""


class GroupRule(Struct, frozen=True):
    """A rule over bits and age (milliseconds since the sending, NEVER where unknown), and its reason."""

    reason: str
    matches: Callable[[int, int], bool]
    evidence_mask: int
    """The bits that it reads, for an explanation."""
    uses_age: bool = False
    """Whether it reads the age."""


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
    """A tab every three seconds is a reader's pace: one second signal is not enough there, but it is for a
    rush.
    """
    if evidence & FIVE_LINKS_10S:
        return has_corroboration(evidence) or age < QUICK_LINKS_AGE_MS
    return bool(evidence & THREE_LINKS_10S) and (
        age < QUICK_LINKS_AGE_MS or count_corroborations(evidence) > 1
    )


def _most_links(evidence: int, age: int) -> bool:  # rule 19
    return bool(evidence & COVERAGE) and has_corroboration(evidence)


def _rare_agent(evidence: int, age: int) -> bool:  # rule 23 is a gap: it takes another
    return bool(evidence & RARE_AGENT) and has_corroboration(evidence)


def has_corroboration(evidence: int) -> bool:
    """Whether a click shows a second signal of its own: a gap, or a data center where nobody browses.

    A mail-security rewriter's referrer takes that away: the rewriter sends readers' own browsers on, and its
    customers' proxies are the ones that strip headers (rule 10).
    """
    return count_corroborations(evidence) > 0


def count_corroborations(evidence: int) -> int:
    """How many second signals a click shows."""
    if evidence & REWRITTEN_LINK:
        return 0
    return (evidence & CORROBORATING).bit_count() + from_datacenter(evidence)


_CORROBORATION_MASK = CORROBORATING | DATACENTER | SECURITY_VENDOR | MAIL_GATEWAY | REWRITTEN_LINK


def _single_bit_rule(reason: str, bit: int) -> GroupRule:
    """A rule that one of its bits is enough for."""
    return GroupRule(reason, lambda bits, age: bool(bits & bit), bit)


AUTOMATION_RULES: Sequence[GroupRule] = (
    _single_bit_rule("burst", BURST),
    _single_bit_rule("fan-out", FAN_OUT),
    _single_bit_rule("hidden-link-copy", HONEYPOT_BY_TOKEN),
    _single_bit_rule("network-burst", NETWORK_BURST),
    _single_bit_rule("browser-burst", BROWSER_BURST),
    _single_bit_rule("click-time-check", CLICK_TIME_CHECK),
    GroupRule("vendor-network", _vendor_soon, SECURITY_VENDOR, uses_age=True),
    GroupRule("datacenter-soon", _datacenter_soon, DATACENTER, uses_age=True),
    GroupRule("seconds-after-sending", _seconds_after_sending, 0, uses_age=True),
    GroupRule("pair", _two_links_1s, TWO_LINKS_1S | _CORROBORATION_MASK),
    _single_bit_rule("agent-burst", AGENT_BURST),
    _single_bit_rule("hidden-link-address", HONEYPOT_BY_ADDRESS | HONEYPOT_BY_NETWORK),
    GroupRule("bare-soon", _incomplete_headers_soon, INCOMPLETE_HEADERS, uses_age=True),
    GroupRule(
        "quick-links", _quick_links, THREE_LINKS_10S | FIVE_LINKS_10S | _CORROBORATION_MASK, uses_age=True
    ),
    _single_bit_rule("click-echo", CLICK_ECHO),
    GroupRule("most-links", _most_links, COVERAGE | _CORROBORATION_MASK),
    GroupRule("rare-agent", _rare_agent, RARE_AGENT | _CORROBORATION_MASK),
)
"""What makes a machine of a click that looked human by itself, the surest first: the first to speak is the
reason.
"""

HUMAN_RULES: Sequence[GroupRule] = (
    _single_bit_rule("even-pace", EVEN_PACE),
    _single_bit_rule("many-tabs", THREE_LINKS_10S),
    _single_bit_rule("many-links", COVERAGE),
    _single_bit_rule("double-click", DOUBLE_CLICK),
    _single_bit_rule("rewritten-link", REWRITTEN_LINK),
)
"""What is worth saying of a click that stays human."""
ALL_RULES = (*AUTOMATION_RULES, *HUMAN_RULES)


_READER_CLASSIFICATION = Classification("human", "reader")


def classify_clicks(clicks: Iterable[NearbyClick]) -> dict[int, Classification]:
    """The verdict on every click of a set, by ``seq``; a verdict is right where all neighbours are in the
    set.

    The neighbours of a click are those that share a key of ``neighbours.FAMILIES`` within the family's
    horizon. The stored reason and bits of a click may be those of its request or of any earlier judgement.
    O(n log n).
    """
    known = list(clicks)
    bits = find_group_evidence(known)
    return {click.seq: classify_click(click, bits[click.seq]) for click in known}


def classify_by_grouping(clicks: Iterable[NearbyClick], grouping: Grouping) -> dict[int, Classification]:
    """The verdicts of a family's clicks after it has looked again; the bits of other families are the stored
    ones.

    This is how late clicks are taken in without asking for neighbours of neighbours. For clicks that are new
    under a key between two moments, ``clicks`` are all with that key from two horizons before the first to
    two after the last; the verdicts within one horizon are then right as far as this family goes. With every
    family in turn, each with the bits that the one before has left, the result is that of ``judge_set`` on
    everything.
    """
    about = [click for click in clicks if (click.recipient_token is not None) is grouping.with_token]
    found = find_group_evidence(about, groupings=(grouping,))
    kept = ~(REQUEST_MASK | grouping.evidence_mask)
    return {click.seq: classify_click(click, click.evidence & kept | found[click.seq]) for click in about}


def classify_click(click: NearbyClick, group_evidence: int) -> Classification:
    """The verdict on a click whose neighbourhood shows ``bits``; a machine by its request alone stays one."""
    gaps = click.evidence & REQUEST_MASK | group_evidence
    if (
        not gaps
        and not click.honeypot
        and click.reason == "reader"
        and age_of(click) >= SECONDS_AFTER_SENDING_MS
    ):
        return _READER_CLASSIFICATION  # most clicks, and nothing could speak
    if click.reason in REQUEST_REASONS:
        reason = click.reason
    else:
        reason = next(matching_reasons(gaps, age=age_of(click), honeypot=click.honeypot), "reader")
    return Classification(REASONS[reason].verdict, reason, gaps)


def matching_reasons(evidence: int, *, age: int, honeypot: bool) -> Iterator[str]:
    """Every rule over sets that speaks, the surest first; machines before what is said of people."""
    if honeypot:
        yield "hidden-link"
    if evidence or age < SECONDS_AFTER_SENDING_MS:
        for rule in ALL_RULES:
            if rule.matches(evidence, age):
                yield rule.reason


def age_of(click: NearbyClick) -> int:
    """Milliseconds from the sending of the issue to the click, or NEVER."""
    if click.sent_at_ms is None or click.ts_ms < click.sent_at_ms:
        return UNKNOWN_AGE_MS
    return click.ts_ms - click.sent_at_ms


def is_settled(ts_ms: int, *, now_ms: int, after_ms: int = SETTLED_AFTER_MS) -> bool:
    """Whether the window of a click at ``at`` is closed at ``now`` (both milliseconds of UTC epoch)."""
    return now_ms - ts_ms > after_ms
