"""Rules that classify a click by its own request only, and the version number of all rules."""

# Rule numbers are those of docs/classification.md, section 3.
from collections.abc import Iterable, Iterator, Mapping

from shortener.classification.bot_user_agents import MAX_USER_AGENT_LENGTH, bot_reason
from shortener.classification.browsers import is_old, parse_browser
from shortener.classification.data_files import bundled_asns, bundled_networks
from shortener.classification.evidence import (
    DATACENTER,
    IMPOSSIBLE_BROWSER,
    IN_FRAME,
    INCOMPLETE_HEADERS,
    MAIL_GATEWAY,
    NO_FETCH_METADATA,
    NO_LANGUAGE,
    OLD_BROWSER,
    REWRITTEN_LINK,
    SCANNER_BROWSER,
    SECURITY_VENDOR,
    Classification,
    ClickRequest,
)
from shortener.classification.networks import Network, NetworkTable
from shortener.classification.request_reasons import REQUEST_REASONS

# Raise it with every change of a rule, threshold or list that affects verdicts.
RULES_VERSION = 2
"""Version stored with every verdict."""

FRAME_DESTINATIONS = frozenset({"iframe", "frame", "fencedframe"})
"""Values of the header ``Sec-Fetch-Dest`` for a page in a frame, as some mail clients open it (rule 5)."""
REWRITER_HOSTS = (
    "safelinks.protection.outlook.com",
    "urldefense.com",
    "urldefense.proofpoint.com",
    "mimecast.com",
    "mimecastprotect.com",
)
"""Hosts of mail-security services that rewrite links and then redirect the reader's own browser (rule 10)."""

_GATEWAYS = NetworkTable(bundled_networks("gateway"))
_VENDORS = NetworkTable(bundled_networks("vendor"))
_VENDOR_ASNS = bundled_asns("vendor")
EMPTY_TABLE = NetworkTable()
"""The list of data-center networks if the operator has configured none."""


def datacenter_table(networks: Iterable[Network]) -> NetworkTable:
    """Return a table of the networks that the operator has listed as data centers.

    Networks from which people browse are removed.
    """
    # Such as Apple's iCloud Private Relay: docs/classification.md, section 10.
    return NetworkTable(networks, excluded=bundled_networks("people"))


def classify_request(request: ClickRequest, *, datacenters: NetworkTable = EMPTY_TABLE) -> Classification:
    """Return the classification of a click by its request alone; it is human if no rule matches."""
    evidence = request_evidence(request, datacenters=datacenters)
    human_reason = "rewritten-link" if evidence & REWRITTEN_LINK else "reader"
    reason = next(request_reasons(request, evidence), human_reason)
    verdict = REQUEST_REASONS[reason].verdict if reason in REQUEST_REASONS else "human"
    return Classification(verdict, reason, evidence)


def request_evidence(request: ClickRequest, *, datacenters: NetworkTable = EMPTY_TABLE) -> int:
    """Return the evidence bits (0 to 11) that follow from a request alone."""
    from_network = network_evidence(request.net, asn=request.asn, datacenters=datacenters)
    return from_network | _browser_evidence(request) | _header_evidence(request)


def request_reasons(request: ClickRequest, evidence: int) -> Iterator[str]:
    """Yield the reason of each request rule that matches, the most certain first.

    ``evidence`` is the result of ``request_evidence`` for the request.
    """
    user_agent_reason = None if request.ua is None else bot_reason(request.ua[:MAX_USER_AGENT_LENGTH])
    if user_agent_reason:
        yield user_agent_reason
    yield from _header_reasons(request)
    yield from _evidence_reasons(evidence)


def _header_reasons(request: ClickRequest) -> Iterator[str]:  # rules 1, 4 and 5
    headers = request.headers or {}
    if headers and is_prefetch(headers):
        yield "prefetch-header"
    if request.method == "HEAD":
        yield "head-request"
    if headers.get("range"):
        yield "range-request"
    destination = headers.get("sec-fetch-dest") or "document"
    mode = headers.get("sec-fetch-mode") or "navigate"
    if mode != "navigate" or (destination != "document" and destination not in FRAME_DESTINATIONS):
        yield "no-navigation"


def is_prefetch(headers: Mapping[str, str]) -> bool:
    """Return whether headers such as ``Sec-Purpose`` declare a prefetch, preview or prerender (docs/classification.md,
    rule 4).
    """
    if "prefetch" in headers.get("sec-purpose", "").lower():
        return True
    purposes = {headers.get(name, "").strip().lower() for name in ("purpose", "x-purpose", "x-moz")}
    return bool(purposes & {"prefetch", "preview", "prerender"})


def _evidence_reasons(evidence: int) -> Iterator[str]:  # rules 6, 7 and 11 to 14c
    if not evidence:
        return
    if evidence & MAIL_GATEWAY:
        yield "gateway-network"
    if evidence & NO_LANGUAGE and evidence & NO_FETCH_METADATA:
        yield "bare-request"
    if _is_false_browser(evidence):
        yield "false-browser"
    if evidence & (DATACENTER | SECURITY_VENDOR) and evidence & INCOMPLETE_HEADERS:
        yield "bare-datacenter"
    if evidence & (DATACENTER | SECURITY_VENDOR) and evidence & SCANNER_BROWSER:
        yield "scanner-browser"


def _is_false_browser(evidence: int) -> bool:
    # See docs/classification.md, rules 11 and 12.
    doubtful = evidence & (IMPOSSIBLE_BROWSER | SCANNER_BROWSER)
    if evidence & NO_LANGUAGE:
        return bool(doubtful or evidence & OLD_BROWSER)
    return bool(doubtful and evidence & NO_FETCH_METADATA)


def network_evidence(
    net: str | None,  # a /24 (IPv4) or /48 (IPv6)
    *,
    asn: int | None = None,  # the autonomous system number of the network
    datacenters: NetworkTable = EMPTY_TABLE,
) -> int:  # rules 13 and 14
    """Return the evidence bits of a network: data center, security vendor, mail gateway."""
    evidence = DATACENTER if datacenters.contains(net) else 0
    if _VENDORS.contains(net) or asn in _VENDOR_ASNS:
        evidence |= SECURITY_VENDOR
    if _GATEWAYS.contains(net):
        evidence |= MAIL_GATEWAY
    return evidence


def _browser_evidence(request: ClickRequest) -> int:  # rules 11 and 12
    if not request.ua:
        return 0
    browser = parse_browser(request.ua[:MAX_USER_AGENT_LENGTH])
    evidence = IMPOSSIBLE_BROWSER if browser.impossible else 0
    if browser.used_by_scanners:
        evidence |= SCANNER_BROWSER
    if is_old(browser, ts=request.ts):
        evidence |= OLD_BROWSER
    return evidence


def _header_evidence(request: ClickRequest) -> int:  # rules 5 (frames), 6, 7 and 10
    evidence = REWRITTEN_LINK if request.ref and is_rewriter(request.ref) else 0
    headers = request.headers
    if headers is None:
        return evidence
    if not (request.lang or headers.get("accept-language")):
        evidence |= NO_LANGUAGE
    if request.https and _expects_fetch_metadata(request.ua) and not _has_fetch_metadata(headers):
        evidence |= NO_FETCH_METADATA
    if headers.get("sec-fetch-dest") in FRAME_DESTINATIONS:
        evidence |= IN_FRAME
    return evidence


def _expects_fetch_metadata(ua: str | None) -> bool:
    return ua is not None and parse_browser(ua[:MAX_USER_AGENT_LENGTH]).sends_fetch_metadata


def _has_fetch_metadata(headers: Mapping[str, str]) -> bool:
    return bool(headers.get("sec-fetch-mode") or headers.get("sec-fetch-dest") or headers.get("sec-fetch-site"))


def is_rewriter(referrer: str) -> bool:
    """Return whether a referrer URL belongs to a mail-security service that rewrites links.

    See docs/classification.md, rule 10.
    """
    host = referrer.partition("//")[2].partition("/")[0].partition(":")[0].lower()
    return any(host == rewriter or host.endswith("." + rewriter) for rewriter in REWRITER_HOSTS)
