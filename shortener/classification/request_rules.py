"""The rules for one request, judged at once: one verdict, one reason, and bits for what counts only with
other evidence.

The numbers in the comments are those of the rules' specification.
"""

from collections.abc import Iterable, Iterator, Mapping

from shortener.classification.bot_user_agents import MAX_AGENT, machine_named_by
from shortener.classification.browsers import claimed, is_old
from shortener.classification.data_files import shipped_networks, shipped_systems
from shortener.classification.evidence import (
    BARE,
    DATACENTER,
    FRAMED,
    GATEWAY,
    NO_FETCH_METADATA,
    NO_LANGUAGE,
    ODD_BROWSER,
    OLD_BROWSER,
    REWRITTEN,
    SCANNER_BROWSER,
    VENDOR,
    Evidence,
    Judgement,
)
from shortener.classification.networks import Network, NetworkTable
from shortener.classification.reasons import REASONS

RULES_VERSION = 2
"""Stored with every verdict; raised whenever a rule, a threshold or a list changes what any click is judged
to be.
"""

FRAMES = frozenset({"iframe", "frame", "fencedframe"})
REWRITERS = (
    "safelinks.protection.outlook.com",
    "urldefense.com",
    "urldefense.proofpoint.com",
    "mimecast.com",
    "mimecastprotect.com",
)
"""Hosts whose referrer means that a mail-security rewriter sent a reader's own browser on (rule 10)."""

_GATEWAYS = NetworkTable(shipped_networks("gateway"))
_VENDORS = NetworkTable(shipped_networks("vendor"))
_VENDOR_SYSTEMS = shipped_systems("vendor")
NOWHERE = NetworkTable()


def datacenter_table(networks: Iterable[Network]) -> NetworkTable:
    """The operator's data-center networks, without those that people are known to come from (rule 14)."""
    return NetworkTable(networks, without=shipped_networks("people"))


def judge_request(evidence: Evidence, *, datacenters: NetworkTable = NOWHERE) -> Judgement:
    """The verdict on a request by itself: rules 1 to 5, 6 with 7, 13 and 14c; else human, with its bits."""
    gaps = request_bits(evidence, datacenters=datacenters)
    machine = next(request_reasons(evidence, gaps), None)
    reason = machine or ("rewritten-link" if gaps & REWRITTEN else "reader")
    return Judgement(REASONS[reason].verdict, reason, gaps)


def request_bits(evidence: Evidence, *, datacenters: NetworkTable = NOWHERE) -> int:
    """All that a request shows that convicts nobody alone, as bits of ``evidence``."""
    known = network_bits(evidence.net, asn=evidence.asn, datacenters=datacenters)
    return known | _browser_bits(evidence) | _header_bits(evidence)


def request_reasons(evidence: Evidence, gaps: int) -> Iterator[str]:
    """Every rule on one request that speaks, the surest first."""
    named = None if evidence.ua is None else machine_named_by(evidence.ua[:MAX_AGENT])  # rules 2 and 3
    if named:
        yield named
    yield from _header_reasons(evidence)
    yield from _gap_reasons(gaps)


def _header_reasons(evidence: Evidence) -> Iterator[str]:  # rules 1, 4 and 5
    sent = evidence.h or {}
    if sent and is_prefetch(sent):
        yield "prefetch-header"
    if evidence.method == "HEAD":
        yield "head-request"
    if sent.get("range"):
        yield "range-request"
    destination, mode = sent.get("sec-fetch-dest") or "document", sent.get("sec-fetch-mode") or "navigate"
    if mode != "navigate" or (destination != "document" and destination not in FRAMES):
        yield "no-navigation"


def is_prefetch(sent: Mapping[str, str]) -> bool:
    """Whether a browser says that it asks ahead of its reader (rule 4)."""
    if "prefetch" in sent.get("sec-purpose", "").lower():
        return True
    purposes = {sent.get(name, "").strip().lower() for name in ("purpose", "x-purpose", "x-moz")}
    return bool(purposes & {"prefetch", "preview", "prerender"})


def _gap_reasons(gaps: int) -> Iterator[str]:  # rules 13, 6 with 7, 11 and 12 with them, 14c
    if not gaps:
        return
    if gaps & GATEWAY:
        yield "gateway-network"
    if gaps & NO_LANGUAGE and gaps & NO_FETCH_METADATA:
        yield "bare-request"
    if _is_false_browser(gaps):
        yield "false-browser"
    if gaps & (DATACENTER | VENDOR) and gaps & BARE:
        yield "bare-datacenter"
    if gaps & (DATACENTER | VENDOR) and gaps & SCANNER_BROWSER:
        yield "scanner-browser"


def _is_false_browser(gaps: int) -> bool:
    """Two gaps that hardly any reader joins: an old, odd or scanner's browser, and missing headers."""
    doubtful = gaps & (ODD_BROWSER | SCANNER_BROWSER)
    if gaps & NO_LANGUAGE:
        return bool(doubtful or gaps & OLD_BROWSER)
    return bool(doubtful and gaps & NO_FETCH_METADATA)


def network_bits(net: str | None, *, asn: int | None = None, datacenters: NetworkTable = NOWHERE) -> int:
    """What the lists know of a network or of who runs it, as bits of ``evidence`` (rules 13 and 14)."""
    gaps = DATACENTER if datacenters.holds(net) else 0
    if _VENDORS.holds(net) or asn in _VENDOR_SYSTEMS:
        gaps |= VENDOR
    if _GATEWAYS.holds(net):
        gaps |= GATEWAY
    return gaps


def _browser_bits(evidence: Evidence) -> int:  # rules 11 and 12
    if not evidence.ua:
        return 0
    browser = claimed(evidence.ua[:MAX_AGENT])
    gaps = ODD_BROWSER if browser.odd else 0
    if browser.scanner:
        gaps |= SCANNER_BROWSER
    if is_old(browser, ts=evidence.ts):
        gaps |= OLD_BROWSER
    return gaps


def _header_bits(evidence: Evidence) -> int:  # rules 6, 7, 5's frames and 10
    gaps = REWRITTEN if evidence.ref and is_rewriter(evidence.ref) else 0
    sent = evidence.h
    if sent is None:
        return gaps
    if not (evidence.lang or sent.get("accept-language")):
        gaps |= NO_LANGUAGE
    if evidence.https and _expects_fetch(evidence.ua) and not _has_fetch(sent):
        gaps |= NO_FETCH_METADATA
    if sent.get("sec-fetch-dest") in FRAMES:
        gaps |= FRAMED
    return gaps


def _expects_fetch(ua: str | None) -> bool:
    return ua is not None and claimed(ua[:MAX_AGENT]).sends_fetch


def _has_fetch(sent: Mapping[str, str]) -> bool:
    return bool(sent.get("sec-fetch-mode") or sent.get("sec-fetch-dest") or sent.get("sec-fetch-site"))


def is_rewriter(referrer: str) -> bool:
    """Whether a referrer is a mail-security rewriter's (rule 10)."""
    host = referrer.partition("//")[2].partition("/")[0].partition(":")[0].lower()
    return any(host == rewriter or host.endswith("." + rewriter) for rewriter in REWRITERS)
