"""The reasons for verdicts. Each has a verdict, a precision class, and a description that users see.

A reason belongs to one verdict, so that the two cannot contradict each other. The precision classes are
defined in docs/classification.md, section 8.
"""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

Verdict = Literal["human", "bot", "scanner", "preview", "prefetch"]
Precision = Literal["sure", "likely", "suspect", "person"]
"""How certain a reason is, called its precision class.

``sure``: automated, right in over 99.5 % of cases; ``likely``: automated, less certain; ``suspect``: human,
but with a pattern that scanners show too; ``person``: human.
"""
Band = Literal["strict", "usual", "lenient"]
"""Which of three counts of human clicks: ``strict`` (lowest), ``usual`` or ``lenient`` (highest)."""


class Reason(Struct, frozen=True):
    """The verdict, precision class and description of one reason."""

    verdict: Verdict
    precision: Precision
    description: str
    decided_by_request: bool = False
    """Whether the reason is decided by the request alone. Nearby clicks then never change it."""


def _request_reason(verdict: Verdict, description: str, precision: Precision = "sure") -> Reason:
    return Reason(verdict, precision, description, decided_by_request=True)


def _group_reason(description: str, precision: Precision = "sure") -> Reason:
    return Reason("scanner", precision, description)


REASONS: Mapping[str, Reason] = {
    "named-scanner": _request_reason("scanner", "the user agent names a mail scanner"),
    "named-preview": _request_reason("preview", "the user agent names a link preview"),
    "named-bot": _request_reason("bot", "the user agent names a crawler, a tool or a library"),
    "no-user-agent": _request_reason("bot", "no user agent was sent"),
    "no-browser-name": _request_reason("bot", "the user agent is too short for a browser's"),
    "prefetch-header": _request_reason("prefetch", "prefetched by the browser, not opened by a reader"),
    "head-request": _request_reason("bot", "a HEAD request, which checks a link without opening it"),
    "range-request": _request_reason("bot", "a Range header was sent, as link previews do"),
    "no-navigation": _request_reason("bot", "the Sec-Fetch headers show that no page was being opened"),
    "gateway-network": _request_reason("scanner", "the request came from a mail gateway's network"),
    "bare-request": _request_reason(
        "scanner", "a browser's user agent without Accept-Language and Sec-Fetch headers"
    ),
    "false-browser": _request_reason(
        "scanner", "an outdated, impossible or scanner's browser, with headers missing"
    ),
    "bare-datacenter": _request_reason("scanner", "from a data center, without headers that a browser sends"),
    "scanner-browser": _request_reason(
        "scanner", "from a data center, with a user agent that mail scanners still use"
    ),
    "hidden-link": _group_reason("opened the honeypot link"),
    "burst": _group_reason("3 different links by this recipient within 1 s"),
    "fan-out": _group_reason("links of this recipient were opened from several networks at once"),
    "hidden-link-copy": _group_reason("the honeypot link of the same recipient was opened within 2 minutes"),
    "network-burst": _group_reason("more different links from one network within 1 s than readers open"),
    "browser-burst": _group_reason(
        "more different links by one browser, from several networks, within 1 s than its readers open"
    ),
    "click-time-check": _group_reason(
        "the same link was opened elsewhere by a reader within 20 s: a security check"
    ),
    "vendor-network": _group_reason("a mail-security vendor's network within 10 minutes after sending"),
    "datacenter-soon": _group_reason("a data center's network within 10 minutes after sending"),
    "seconds-after-sending": _group_reason(
        "within 10 s after sending, before a reader can have opened the mail"
    ),
    "pair": _group_reason("2 different links by this recipient within 1 s, with another sign of automation"),
    "agent-burst": _group_reason("4 different links by one browser in data centers within 10 s"),
    "hidden-link-address": _group_reason(
        "the honeypot link was opened from the same address within 15 minutes"
    ),
    "bare-soon": _group_reason("incomplete headers within 2 minutes after sending", "likely"),
    "quick-links": _group_reason("3 different links within 10 s, with another sign of automation", "likely"),
    "click-echo": _group_reason(
        "opened within 20 s of the link's only reader, from another network", "likely"
    ),
    "most-links": _group_reason(
        "nearly all links within 2 minutes, with another sign of automation", "likely"
    ),
    "even-pace": Reason("human", "suspect", "links in document order at even intervals"),
    "many-tabs": Reason("human", "suspect", "3 different links within 10 s, as readers with tabs do"),
    "many-links": Reason("human", "suspect", "nearly all links within 2 minutes, as thorough readers do"),
    "double-click": Reason("human", "person", "the same link again within 10 s; the visitor is counted once"),
    "rewritten-link": Reason(
        "human", "person", "redirected by a mail-security rewriter, in the reader's own browser"
    ),
    "reader": Reason("human", "person", "no sign of automation"),
}
"""All reasons by name; the names are stored, exported and shown in reports."""

REQUEST_REASONS = frozenset(name for name, reason in REASONS.items() if reason.decided_by_request)
"""Names of the reasons that are decided by a request alone, without nearby clicks."""


def counts_as_human(reason: str, *, band: Band = "usual") -> bool:
    """Return whether a click with this reason is in the strict, usual or lenient count of human clicks.

    ``usual`` follows the verdict. ``lenient`` also counts clicks with a *likely* reason, and ``strict``
    leaves out clicks with a *suspect* one. Raises KeyError for an unknown reason.
    """
    precision = REASONS[reason].precision
    if precision == "suspect":
        return band != "strict"
    if precision == "likely":
        return band == "lenient"
    return precision == "person"
