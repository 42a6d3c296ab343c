"""The rules for one request, judged at once: one verdict, one reason, and bits for what counts only with
other evidence.

The numbers in the comments are those of the rules' specification.
"""

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
from shortener.classification.reasons import REASONS

RULES_VERSION = 2
"""Stored with every verdict; raised whenever a rule, a threshold or a list changes what any click is judged
to be.
"""

FRAME_DESTINATIONS = frozenset({"iframe", "frame", "fencedframe"})
REWRITER_HOSTS = (
    "safelinks.protection.outlook.com",
    "urldefense.com",
    "urldefense.proofpoint.com",
    "mimecast.com",
    "mimecastprotect.com",
)
"""Hosts whose referrer means that a mail-security rewriter sent a reader's own browser on (rule 10)."""

_GATEWAYS = NetworkTable(bundled_networks("gateway"))
_VENDORS = NetworkTable(bundled_networks("vendor"))
_VENDOR_ASNS = bundled_asns("vendor")
EMPTY_TABLE = NetworkTable()


def datacenter_table(networks: Iterable[Network]) -> NetworkTable:
    """The operator's data-center networks, without those that people are known to come from (rule 14)."""
    return NetworkTable(networks, excluded=bundled_networks("people"))


def classify_request(request: ClickRequest, *, datacenters: NetworkTable = EMPTY_TABLE) -> Classification:
    """The verdict on a request by itself: rules 1 to 5, 6 with 7, 13 and 14c; else human, with its bits."""
    gaps = request_evidence(request, datacenters=datacenters)
    machine = next(request_reasons(request, gaps), None)
    reason = machine or ("rewritten-link" if gaps & REWRITTEN_LINK else "reader")
    return Classification(REASONS[reason].verdict, reason, gaps)


def request_evidence(request: ClickRequest, *, datacenters: NetworkTable = EMPTY_TABLE) -> int:
    """All that a request shows that convicts nobody alone, as bits of ``evidence``."""
    known = network_evidence(request.net, asn=request.asn, datacenters=datacenters)
    return known | _browser_evidence(request) | _header_evidence(request)


def request_reasons(request: ClickRequest, evidence: int) -> Iterator[str]:
    """Every rule on one request that speaks, the surest first."""
    named = None if request.ua is None else bot_reason(request.ua[:MAX_USER_AGENT_LENGTH])  # rules 2 and 3
    if named:
        yield named
    yield from _header_reasons(request)
    yield from _evidence_reasons(evidence)


def _header_reasons(request: ClickRequest) -> Iterator[str]:  # rules 1, 4 and 5
    sent = request.headers or {}
    if sent and is_prefetch(sent):
        yield "prefetch-header"
    if request.method == "HEAD":
        yield "head-request"
    if sent.get("range"):
        yield "range-request"
    destination, mode = sent.get("sec-fetch-dest") or "document", sent.get("sec-fetch-mode") or "navigate"
    if mode != "navigate" or (destination != "document" and destination not in FRAME_DESTINATIONS):
        yield "no-navigation"


def is_prefetch(headers: Mapping[str, str]) -> bool:
    """Whether a browser says that it asks ahead of its reader (rule 4)."""
    if "prefetch" in headers.get("sec-purpose", "").lower():
        return True
    purposes = {headers.get(name, "").strip().lower() for name in ("purpose", "x-purpose", "x-moz")}
    return bool(purposes & {"prefetch", "preview", "prerender"})


def _evidence_reasons(evidence: int) -> Iterator[str]:  # rules 13, 6 with 7, 11 and 12 with them, 14c
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
    """Two gaps that hardly any reader joins: an old, odd or scanner's browser, and missing headers."""
    doubtful = evidence & (IMPOSSIBLE_BROWSER | SCANNER_BROWSER)
    if evidence & NO_LANGUAGE:
        return bool(doubtful or evidence & OLD_BROWSER)
    return bool(doubtful and evidence & NO_FETCH_METADATA)


def network_evidence(
    net: str | None, *, asn: int | None = None, datacenters: NetworkTable = EMPTY_TABLE
) -> int:
    """What the lists know of a network or of who runs it, as bits of ``evidence`` (rules 13 and 14)."""
    gaps = DATACENTER if datacenters.contains(net) else 0
    if _VENDORS.contains(net) or asn in _VENDOR_ASNS:
        gaps |= SECURITY_VENDOR
    if _GATEWAYS.contains(net):
        gaps |= MAIL_GATEWAY
    return gaps


def _browser_evidence(request: ClickRequest) -> int:  # rules 11 and 12
    if not request.ua:
        return 0
    browser = parse_browser(request.ua[:MAX_USER_AGENT_LENGTH])
    gaps = IMPOSSIBLE_BROWSER if browser.impossible else 0
    if browser.used_by_scanners:
        gaps |= SCANNER_BROWSER
    if is_old(browser, ts=request.ts):
        gaps |= OLD_BROWSER
    return gaps


def _header_evidence(request: ClickRequest) -> int:  # rules 6, 7, 5's frames and 10
    gaps = REWRITTEN_LINK if request.ref and is_rewriter(request.ref) else 0
    sent = request.headers
    if sent is None:
        return gaps
    if not (request.lang or sent.get("accept-language")):
        gaps |= NO_LANGUAGE
    if request.https and _expects_fetch_metadata(request.ua) and not _has_fetch_metadata(sent):
        gaps |= NO_FETCH_METADATA
    if sent.get("sec-fetch-dest") in FRAME_DESTINATIONS:
        gaps |= IN_FRAME
    return gaps


def _expects_fetch_metadata(ua: str | None) -> bool:
    return ua is not None and parse_browser(ua[:MAX_USER_AGENT_LENGTH]).sends_fetch_metadata


def _has_fetch_metadata(headers: Mapping[str, str]) -> bool:
    return bool(
        headers.get("sec-fetch-mode") or headers.get("sec-fetch-dest") or headers.get("sec-fetch-site")
    )


def is_rewriter(referrer: str) -> bool:
    """Whether a referrer is a mail-security rewriter's (rule 10)."""
    host = referrer.partition("//")[2].partition("/")[0].partition(":")[0].lower()
    return any(host == rewriter or host.endswith("." + rewriter) for rewriter in REWRITER_HOSTS)
