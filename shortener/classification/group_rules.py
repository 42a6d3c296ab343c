"""The rules that classify a click by nearby clicks, in the order in which they are tried."""

# Precision and time limits are explained in docs/classification.md, section 7.
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from shortener.classification import groups
from shortener.classification.detect_bursts import (
    detect_browser_burst,
    detect_burst,
    detect_coverage,
    detect_double_clicks,
    detect_even_pace,
    detect_network_burst,
    detect_quick_links,
)
from shortener.classification.detect_distributed import (
    detect_agent_burst,
    detect_click_echoes,
    detect_click_time_checks,
    detect_fan_out,
)
from shortener.classification.detect_honeypot import (
    detect_honeypot_by_address,
    detect_honeypot_by_network,
    detect_honeypot_by_token,
)
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
    REWRITTEN_LINK,
    SECURITY_VENDOR,
    THREE_LINKS_10S,
    TWO_LINKS_1S,
)
from shortener.classification.groups import Detector, Grouping
from shortener.classification.nearby_clicks import from_datacenter
from shortener.classification.request_reasons import Precision, Verdict
from shortener.durations import MINUTE_MS, SECOND_MS
from shortener.messages import mark_text

SECONDS_AFTER_SENDING_MS = 10 * SECOND_MS
"""Milliseconds after sending in which every click is automated: no reader has opened the mail yet (rule 15)."""
QUICK_LINKS_AGE_MS = MINUTE_MS
"""Milliseconds after sending in which 3 links within 10 s are automated without a second signal (rule 16c)."""
INCOMPLETE_HEADERS_AGE_MS = 2 * MINUTE_MS
"""Milliseconds after sending in which a click with incomplete headers can be automated (rule 15)."""
NETWORK_AGE_MS = 10 * MINUTE_MS
"""Milliseconds after sending in which clicks from data centers and security vendors are automated (rules 13, 14b)."""
UNKNOWN_AGE_MS = 1 << 62
"""Stands for the age of a click if the issue has no sending time, or was sent after the click."""


class Detection(Struct, frozen=True):
    """A detector, the kinds of groups that it examines, and the text of each evidence bit that it sets."""

    detect: Detector
    groupings: tuple[Grouping, ...]
    texts: Mapping[int, str]

    @property
    def evidence_mask(self) -> int:
        """All evidence bits that the detector can set, as one integer."""
        return sum(self.texts)


class GroupRule(Struct, frozen=True):
    """A condition on a click's evidence bits and age, and the reason that a matching click gets."""

    reason: str
    description: str
    evidence_mask: int
    """Evidence bits that the condition reads; used to explain a match."""
    matches: Callable[[int, int], bool]
    """The condition: a function of the evidence bits and of the age in milliseconds or UNKNOWN_AGE_MS."""
    detections: tuple[Detection, ...] = ()
    uses_age: bool = False
    """Whether the condition reads the time since sending; used to explain a match."""
    verdict: Verdict = "scanner"
    precision: Precision = "sure"


def _two_links_1s(evidence: int, age: int) -> bool:  # rule 16b
    return bool(evidence & TWO_LINKS_1S) and has_corroboration(evidence)


def _vendor_soon(evidence: int, age: int) -> bool:  # rule 13 for networks that also isolate browsers
    return bool(evidence & SECURITY_VENDOR) and age < NETWORK_AGE_MS


def _datacenter_soon(evidence: int, age: int) -> bool:  # rule 14b
    return bool(evidence & DATACENTER) and age < NETWORK_AGE_MS


def _seconds_after_sending(evidence: int, age: int) -> bool:  # rule 15 alone
    return age < SECONDS_AFTER_SENDING_MS


def _incomplete_headers_soon(evidence: int, age: int) -> bool:  # rule 15 with 6, 7 or 11
    return bool(evidence & INCOMPLETE_HEADERS) and age < INCOMPLETE_HEADERS_AGE_MS and has_corroboration(evidence)


def _quick_links(evidence: int, age: int) -> bool:  # rule 16c
    # Readers open a tab every three seconds, so 3 links need two second signals; 5 links are too fast for a reader.
    if evidence & FIVE_LINKS_10S:
        return has_corroboration(evidence) or age < QUICK_LINKS_AGE_MS
    return bool(evidence & THREE_LINKS_10S) and (age < QUICK_LINKS_AGE_MS or count_corroborations(evidence) > 1)


def _most_links(evidence: int, age: int) -> bool:  # rule 19
    return bool(evidence & COVERAGE) and has_corroboration(evidence)


def has_corroboration(evidence: int) -> bool:
    """Return whether the evidence bits of a click contain a corroborating sign, which is a weak sign of automation."""
    return count_corroborations(evidence) > 0


def count_corroborations(evidence: int) -> int:
    """Return the number of weak signs of automation in a click's evidence bits.

    They are called second signals in docs/classification.md, section 4.
    """
    # A mail-security service that rewrites links (rule 10) forwards readers in their own browsers, but proxies of its
    # customers often remove headers.
    if evidence & REWRITTEN_LINK:
        return 0
    return (evidence & CORROBORATING).bit_count() + from_datacenter(evidence)


_CORROBORATION_MASK = CORROBORATING | DATACENTER | SECURITY_VENDOR | MAIL_GATEWAY | REWRITTEN_LINK


def _rule_if_any_detected(
    reason: str, *detections: Detection, verdict: Verdict = "scanner", precision: Precision = "sure"
) -> GroupRule:
    mask = sum(detection.evidence_mask for detection in detections)
    description = next(iter(detections[0].texts.values()))
    return GroupRule(reason, description, mask, _any_bit(mask), detections, verdict=verdict, precision=precision)


def _any_bit(mask: int) -> Callable[[int, int], bool]:
    return lambda evidence, age: bool(evidence & mask)


_READERS = (groups.TOKEN, groups.VISITOR)
_BURST = Detection(
    detect_burst,
    (groups.TOKEN,),
    {
        BURST: mark_text("3 different links by this recipient within 1 s"),
        TWO_LINKS_1S: mark_text("2 different links by this recipient within 1 s"),
    },
)
_QUICK_LINKS = Detection(
    detect_quick_links,
    _READERS,
    {
        THREE_LINKS_10S: mark_text("3 different links by the same reader within 10 s"),
        FIVE_LINKS_10S: mark_text("5 different links by the same reader within 10 s"),
    },
)
_COVERAGE = Detection(
    detect_coverage, _READERS, {COVERAGE: mark_text("nearly all links of the issue within 2 minutes")}
)

AUTOMATION_RULES: Sequence[GroupRule] = (
    GroupRule("burst", _BURST.texts[BURST], BURST, _any_bit(BURST), (_BURST,)),
    _rule_if_any_detected(
        "fan-out",
        Detection(
            detect_fan_out,
            (groups.TOKEN,),
            {FAN_OUT: mark_text("links of this recipient were opened from several networks at once")},
        ),
    ),
    _rule_if_any_detected(
        "hidden-link-copy",
        Detection(
            detect_honeypot_by_token,
            (groups.HONEYPOT_TOKEN,),
            {HONEYPOT_BY_TOKEN: mark_text("the honeypot link of the same recipient was opened within 2 minutes")},
        ),
    ),
    _rule_if_any_detected(
        "network-burst",
        Detection(
            detect_network_burst,
            (groups.NETWORK,),
            {NETWORK_BURST: mark_text("more different links from one network within 1 s than readers open")},
        ),
    ),
    _rule_if_any_detected(
        "browser-burst",
        Detection(
            detect_browser_burst,
            (groups.BROWSER,),
            {
                BROWSER_BURST: mark_text(
                    "more different links by one browser, from several networks, within 1 s than its readers open"
                )
            },
        ),
    ),
    _rule_if_any_detected(
        "click-time-check",
        Detection(
            detect_click_time_checks,
            (groups.TOKEN,),
            {
                CLICK_TIME_CHECK: mark_text(
                    "the same link was opened elsewhere by a reader within 20 s: a security check"
                )
            },
        ),
    ),
    GroupRule(
        "vendor-network",
        mark_text("a mail-security vendor's network within 10 minutes after sending"),
        SECURITY_VENDOR,
        _vendor_soon,
        uses_age=True,
    ),
    GroupRule(
        "datacenter-soon",
        mark_text("a data center's network within 10 minutes after sending"),
        DATACENTER,
        _datacenter_soon,
        uses_age=True,
    ),
    GroupRule(
        "seconds-after-sending",
        mark_text("within 10 s after sending, before a reader can have opened the mail"),
        0,
        _seconds_after_sending,
        uses_age=True,
    ),
    GroupRule(
        "pair",
        mark_text("2 different links by this recipient within 1 s, with another sign of automation"),
        TWO_LINKS_1S | _CORROBORATION_MASK,
        _two_links_1s,
        (_BURST,),
    ),
    _rule_if_any_detected(
        "agent-burst",
        Detection(
            detect_agent_burst,
            (groups.DATACENTER_BROWSER,),
            {AGENT_BURST: mark_text("4 different links by one browser in data centers within 10 s")},
        ),
    ),
    _rule_if_any_detected(
        "hidden-link-address",
        Detection(
            detect_honeypot_by_address,
            (groups.HONEYPOT_ADDRESS,),
            {HONEYPOT_BY_ADDRESS: mark_text("the honeypot link was opened from the same address within 15 minutes")},
        ),
        Detection(
            detect_honeypot_by_network,
            (groups.HONEYPOT_NETWORK,),
            {
                HONEYPOT_BY_NETWORK: mark_text(
                    "the honeypot link was opened from this data center's network within 15 minutes"
                )
            },
        ),
    ),
    GroupRule(
        "bare-soon",
        mark_text("incomplete headers within 2 minutes after sending"),
        INCOMPLETE_HEADERS,
        _incomplete_headers_soon,
        uses_age=True,
        precision="likely",
    ),
    GroupRule(
        "quick-links",
        mark_text("3 different links within 10 s, with another sign of automation"),
        THREE_LINKS_10S | FIVE_LINKS_10S | _CORROBORATION_MASK,
        _quick_links,
        (_QUICK_LINKS,),
        uses_age=True,
        precision="likely",
    ),
    _rule_if_any_detected(
        "click-echo",
        Detection(
            detect_click_echoes,
            (groups.LINK,),
            {CLICK_ECHO: mark_text("opened within 20 s of the link's only reader, from another network")},
        ),
        precision="likely",
    ),
    GroupRule(
        "most-links",
        mark_text("nearly all links within 2 minutes, with another sign of automation"),
        COVERAGE | _CORROBORATION_MASK,
        _most_links,
        (_COVERAGE,),
        precision="likely",
    ),
)
"""Rules that classify a click as automated although its request alone does not; the most certain come first."""

HUMAN_RULES: Sequence[GroupRule] = (
    _rule_if_any_detected(
        "even-pace",
        Detection(detect_even_pace, _READERS, {EVEN_PACE: mark_text("links in document order at even intervals")}),
        verdict="human",
        precision="suspect",
    ),
    GroupRule(
        "many-tabs",
        mark_text("3 different links within 10 s, as readers with tabs do"),
        THREE_LINKS_10S,
        _any_bit(THREE_LINKS_10S),
        (_QUICK_LINKS,),
        verdict="human",
        precision="suspect",
    ),
    GroupRule(
        "many-links",
        mark_text("nearly all links within 2 minutes, as thorough readers do"),
        COVERAGE,
        _any_bit(COVERAGE),
        (_COVERAGE,),
        verdict="human",
        precision="suspect",
    ),
    _rule_if_any_detected(
        "double-click",
        Detection(
            detect_double_clicks,
            _READERS,
            {DOUBLE_CLICK: mark_text("the same link again within 10 s; the visitor is counted once")},
        ),
        verdict="human",
        precision="person",
    ),
    GroupRule(
        "rewritten-link",
        mark_text("redirected by a mail-security rewriter, in the reader's own browser"),
        REWRITTEN_LINK,
        _any_bit(REWRITTEN_LINK),
        verdict="human",
        precision="person",
    ),
)
"""Rules that give a human click a more specific reason than ``reader``."""
ALL_RULES = (*AUTOMATION_RULES, *HUMAN_RULES)
"""All group rules in the order in which they are tried."""
DETECTIONS = tuple({detection.detect: detection for rule in ALL_RULES for detection in rule.detections}.values())
"""The detections of all rules, each once."""


def _with_detectors(grouping: Grouping) -> Grouping:
    detections = [detection for detection in DETECTIONS if grouping in detection.groupings]
    return replace(
        grouping,
        detectors=tuple(detection.detect for detection in detections),
        evidence_mask=sum(detection.evidence_mask for detection in detections),
    )


GROUPINGS: Sequence[Grouping] = tuple(
    _with_detectors(grouping)
    for grouping in dict.fromkeys(grouping for detection in DETECTIONS for grouping in detection.groupings)
)
"""All kinds of correlation groups, with detectors. Each evidence bit of a click is set by one kind only."""
