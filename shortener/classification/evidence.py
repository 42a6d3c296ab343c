"""What is known of one request, what was made of it, and the bits that stand for what was found.

One integer holds all bits of a click: those of the request below 1 << 12, those of its neighbourhood above,
so that a store needs one column (``gaps``) to judge again.
"""

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
RARE_AGENT = 1 << 23
DOUBLE_CLICK = 1 << 24
FIVE_LINKS_10S = 1 << 25
BROWSER_BURST = 1 << 26
HONEYPOT_BY_NETWORK = 1 << 27
CLICK_ECHO = 1 << 28

REQUEST_MASK = (1 << 12) - 1
"""The bits that the request alone decides; the rest is worked out anew whenever a neighbourhood is judged."""

INCOMPLETE_HEADERS = NO_LANGUAGE | NO_FETCH_METADATA | IMPOSSIBLE_BROWSER
"""Header gaps: what a browser sends and this request did not, or a browser that was never built (rules 6, 7,
11).
"""
CORROBORATING = INCOMPLETE_HEADERS | OLD_BROWSER | SCANNER_BROWSER | IN_FRAME
"""What convicts nobody alone, and counts as the second signal of a rule that asks for one."""

EVIDENCE_TEXTS: Mapping[int, str] = {
    NO_LANGUAGE: "no Accept-Language was sent",
    NO_FETCH_METADATA: "a browser of this version sends Sec-Fetch headers; none came",
    IMPOSSIBLE_BROWSER: "the user agent names a browser that was never built",
    OLD_BROWSER: "the browser is years out of date",
    SCANNER_BROWSER: "the user agent is one that mail scanners have kept for years",
    DATACENTER: "the network is on a data-center list",
    SECURITY_VENDOR: "the network belongs to a mail-security vendor",
    MAIL_GATEWAY: "the network belongs to a mail gateway where no person browses",
    IN_FRAME: "the link was opened in a frame",
    REWRITTEN_LINK: "the referrer is a mail-security rewriter, which sends the reader's own browser on",
    BURST: "3 links of this copy within 1 s",
    TWO_LINKS_1S: "2 links of this copy within 1 s",
    THREE_LINKS_10S: "3 links by the same reader within 10 s",
    FIVE_LINKS_10S: "5 links by the same reader within 10 s",
    COVERAGE: "nearly every link of the issue within 2 minutes",
    EVEN_PACE: "links in document order at even intervals",
    FAN_OUT: "this copy from 3 networks within a minute, each with links of its own",
    CLICK_TIME_CHECK: "a reader elsewhere opened the same link of the same copy within 20 s",
    HONEYPOT_BY_TOKEN: "the hidden link of this copy was fetched within 2 minutes",
    HONEYPOT_BY_ADDRESS: "the hidden link was fetched from this address within 15 minutes",
    HONEYPOT_BY_NETWORK: "the hidden link was fetched from this data center's network within 15 minutes",
    NETWORK_BURST: "more links from this network within 1 s than its readers open",
    BROWSER_BURST: "more links by this browser, from several networks, within 1 s than its readers open",
    AGENT_BURST: "4 links by one browser at several data-center addresses within 10 s",
    RARE_AGENT: "a rare user agent on 3 copies within 10 minutes",
    CLICK_ECHO: "seconds after the only reader of this link, from elsewhere, and no reader's request itself",
    DOUBLE_CLICK: "a repeat of the same link by the same reader within 10 s",
}
"""Each bit in words."""


class ClickRequest(Struct, frozen=True):
    """What a click line says of its request. ``None`` means unknown, an empty value means not sent.

    ``ua`` is None where it was withheld (Sec-GPC, DNT) or never logged: no rule speaks of it then. ``h`` are
    the request headers with lower-case names; None where the writer logged no headers, and then no header can
    be missed.
    """

    ts: float
    """Seconds of UTC epoch; only tells which browser versions exist."""
    method: str | None = None
    ua: str | None = None
    headers: Mapping[str, str] | None = None
    lang: str | None = None
    """``Accept-Language``, where the line keeps it apart from ``h``."""
    https: bool = True
    """False where the short link is plain http: browsers send Sec-Fetch headers over https only."""
    net: str | None = None
    """The network as the line has it: /24 or /48."""
    ref: str | None = None
    asn: int | None = None
    """The autonomous system of the network, where the operator has a database that knows it."""


class Classification(Struct, frozen=True):
    """A verdict, the one rule that gave it (``reasons.REASONS``), and all that was found (bits of this
    module).
    """

    verdict: str
    reason: str
    evidence: int = 0


def describe_evidence(evidence: int) -> tuple[str, ...]:
    """The bits in words, in the order of their numbers."""
    return tuple(words for bit, words in EVIDENCE_TEXTS.items() if evidence & bit)
