"""The evidence bits of a click, the request fields that rules read, and the result of a classification."""

from collections.abc import Mapping

from msgspec import Struct

NO_LANGUAGE = 1 << 0
NO_FETCH_METADATA = 1 << 1
IMPOSSIBLE_BROWSER = 1 << 2
OLD_BROWSER = 1 << 3
SCANNER_BROWSER = 1 << 4
DATACENTER = 1 << 5
SECURITY_VENDOR = 1 << 6
MAIL_GATEWAY = 1 << 7
IN_FRAME = 1 << 8
REWRITTEN_LINK = 1 << 9

BURST = 1 << 12
TWO_LINKS_1S = 1 << 13
THREE_LINKS_10S = 1 << 14
COVERAGE = 1 << 15
EVEN_PACE = 1 << 16
FAN_OUT = 1 << 17
CLICK_TIME_CHECK = 1 << 18
HONEYPOT_BY_TOKEN = 1 << 19
HONEYPOT_BY_ADDRESS = 1 << 20
NETWORK_BURST = 1 << 21
AGENT_BURST = 1 << 22
DOUBLE_CLICK = 1 << 24  # bit 23 is free
FIVE_LINKS_10S = 1 << 25
BROWSER_BURST = 1 << 26
HONEYPOT_BY_NETWORK = 1 << 27
CLICK_ECHO = 1 << 28

REQUEST_MASK = (1 << 12) - 1
"""Mask of the bits that come from a click's own request. All other bits come from nearby clicks."""

INCOMPLETE_HEADERS = NO_LANGUAGE | NO_FETCH_METADATA | IMPOSSIBLE_BROWSER
"""Mask of the bits for missing headers, and for a browser that never existed (rules 6, 7 and 11)."""
CORROBORATING = INCOMPLETE_HEADERS | OLD_BROWSER | SCANNER_BROWSER | IN_FRAME
"""Mask of the bits that are second signals: weak evidence that some rules require in addition."""

REQUEST_EVIDENCE_TEXTS: Mapping[int, str] = {
    NO_LANGUAGE: "no Accept-Language header was sent",
    NO_FETCH_METADATA: "no Sec-Fetch headers were sent, although this browser version sends them",
    IMPOSSIBLE_BROWSER: "the user agent names a browser version that never existed",
    OLD_BROWSER: "the browser is years out of date",
    SCANNER_BROWSER: "the user agent is one that mail scanners still use",
    DATACENTER: "the network is on a data-center list",
    SECURITY_VENDOR: "the network belongs to a mail-security vendor",
    MAIL_GATEWAY: "the network belongs to a mail gateway where no person browses",
    IN_FRAME: "the link was opened in a frame",
    REWRITTEN_LINK: "the referrer is a mail-security rewriter, which redirects the reader's own browser",
}
"""Description of each bit of a request; those of the other bits are stated with their rules (``group_rules``)."""


class ClickRequest(Struct, frozen=True):
    """The fields of a request that the classification rules read.

    None means that a field is unknown; an empty value means that it was not sent.
    """

    ts: float
    """Time of the request in seconds since the UTC epoch."""
    method: str | None = None
    ua: str | None = None
    """User agent; None if the reader opted out of tracking, or if it was not logged."""
    headers: Mapping[str, str] | None = None
    """Request headers by lower-case name. None if none were logged; then no header counts as missing."""
    lang: str | None = None
    """Value of the header ``Accept-Language``, which may be in ``headers`` instead."""
    https: bool = True
    """Whether the short link is https; browsers send no Sec-Fetch headers over http."""
    net: str | None = None
    """Network of the client: /24 (IPv4) or /48 (IPv6)."""
    ref: str | None = None
    """Referrer, as scheme, host and path."""
    asn: int | None = None
    """Autonomous system number of the network, if the operator has a database of them."""


class Classification(Struct, frozen=True):
    """The verdict on a click, such as ``scanner``, the name of the deciding rule (``reason``) and the evidence bits."""

    verdict: str
    reason: str
    evidence: int = 0
