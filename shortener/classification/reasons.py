"""Every reason for a verdict: which verdict it gives, how sure it is, and what it says in words.

A reason decides its verdict, so the two can never disagree. ``sure`` reasons are above 99.5 % precise by the
figures of the rules' specification, ``likely`` ones below; ``suspect`` ones leave a click human unless a
report asks for the strict count.
"""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

Verdict = Literal["human", "bot", "scanner", "preview", "prefetch"]
Precision = Literal["sure", "likely", "suspect", "person"]
Band = Literal["strict", "usual", "lenient"]


class Reason(Struct, frozen=True):
    """What a rule's name stands for. ``request``: the request alone decides it, whatever neighbours say."""

    verdict: Verdict
    precision: Precision
    description: str
    decided_by_request: bool = False


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
    "prefetch-header": _request_reason("prefetch", "a browser asked ahead of its reader"),
    "head-request": _request_reason("bot", "HEAD: links are checked that way, never opened"),
    "range-request": _request_reason("bot", "part of a redirect was asked for, as previews do"),
    "no-navigation": _request_reason("bot", "Sec-Fetch says that this was no page being opened"),
    "gateway-network": _request_reason("scanner", "the request came from a mail gateway's network"),
    "bare-request": _request_reason(
        "scanner", "a browser's name without a language and without Sec-Fetch headers"
    ),
    "false-browser": _request_reason(
        "scanner", "a browser that is old, odd or a scanner's, with missing headers"
    ),
    "bare-datacenter": _request_reason(
        "scanner", "a data center's address, and headers that a browser would send are missing"
    ),
    "scanner-browser": _request_reason(
        "scanner", "a data center's address and a browser version that only scanners still name"
    ),
    "hidden-link": _group_reason("it fetched the hidden link"),
    "burst": _group_reason("3 different links of this copy within 1 s"),
    "fan-out": _group_reason("the copy was opened from several networks at once"),
    "hidden-link-copy": _group_reason("whoever had this copy fetched its hidden link within 2 minutes"),
    "network-burst": _group_reason("more different links from one network within 1 s than readers open"),
    "browser-burst": _group_reason(
        "more links by one browser from several networks within 1 s than its readers open"
    ),
    "click-time-check": _group_reason("a second look at what a reader elsewhere had just opened"),
    "vendor-network": _group_reason("a mail-security vendor's network within 10 minutes of the sending"),
    "datacenter-soon": _group_reason("a data center's address within 10 minutes of the sending"),
    "seconds-after-sending": _group_reason("within 10 s of the sending: before a reader can have opened it"),
    "pair": _group_reason("2 different links of this copy within 1 s, and a second signal"),
    "agent-burst": _group_reason("4 different links by one browser in data centers within 10 s"),
    "hidden-link-address": _group_reason(
        "the hidden link was fetched from the same address within 15 minutes"
    ),
    "bare-soon": _group_reason("incomplete headers soon after the sending", "likely"),
    "quick-links": _group_reason("3 different links within 10 s, and a second signal", "likely"),
    "click-echo": _group_reason(
        "a second look, from elsewhere, at what the link's only reader had just opened", "likely"
    ),
    "most-links": _group_reason("nearly all links within 2 minutes, and a second signal", "likely"),
    "rare-agent": _group_reason("a rare user agent on several copies, and a second signal", "likely"),
    "even-pace": Reason("human", "suspect", "links in document order at even intervals"),
    "many-tabs": Reason("human", "suspect", "3 different links within 10 s, as readers with tabs do"),
    "many-links": Reason("human", "suspect", "nearly all links within 2 minutes, as thorough readers do"),
    "double-click": Reason(
        "human", "person", "a repeat of the same link within 10 s; counts once as a visitor"
    ),
    "rewritten-link": Reason(
        "human", "person", "sent on by a mail-security rewriter, in the reader's own browser"
    ),
    "reader": Reason("human", "person", "nothing speaks against it"),
}
"""Every reason by its name, which the store, the export and the reports share."""

REQUEST_REASONS = frozenset(name for name, reason in REASONS.items() if reason.decided_by_request)


def counts_as_human(reason: str, *, band: Band = "usual") -> bool:
    """Whether a click with this reason is human in a band of a report.

    ``usual`` is the verdict. ``lenient`` trusts only reasons with a precision above 99.5 %; ``strict`` also
    sets aside what is only suspect. So strict <= usual <= lenient, and the truth should lie between. Raises
    KeyError for a reason that no rule has.
    """
    known = REASONS[reason]
    if known.precision == "suspect":
        return band != "strict"
    if known.precision == "likely":
        return band == "lenient"
    return known.verdict == "human"
