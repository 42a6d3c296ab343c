"""The fields of a stored click that detectors and group rules read."""

from collections.abc import Sequence

from msgspec import Struct

from shortener.classification.evidence import DATACENTER, MAIL_GATEWAY, SECURITY_VENDOR
from shortener.classification.request_reasons import REQUEST_REASONS


class NearbyClick(Struct, frozen=True, gc=False):
    """A stored click as detectors read it; None means unknown, or for ``issue_id`` that the link has no issue."""

    seq: int
    """Number of the click in the store."""
    ts_ms: int
    """Time of the click in milliseconds since the UTC epoch."""
    link_id: int
    issue_id: int | None = None
    n: int = 0
    """Number of the placement in document order; 0 if the URL had none."""
    net: str | None = None
    """Network of the client: /24 (IPv4) or /48 (IPv6)."""
    addr: str | None = None
    """Keyed hash of the client's address."""
    recipient_token: str | None = None
    """Keyed hash of the recipient token."""
    agent_id: int | str | None = None
    """Identifier of the user agent; None if the reader opted out."""
    reason: str = "reader"
    """Stored reason, from the request alone or from an earlier classification; both lead to equal results."""
    evidence: int = 0
    """Stored evidence bits; the rules read the request's bits only."""
    honeypot: bool = False
    """Whether the link is a honeypot link."""
    sent_at_ms: int | None = None
    """Sending time of the issue in milliseconds since the UTC epoch."""
    link_count: int = 0
    """Number of different links in the issue; 0 if unknown."""


SortedClicks = Sequence[NearbyClick]
"""Clicks in ascending order of ``groups.sort_key``."""


def is_correlatable(click: NearbyClick) -> bool:
    """Return whether a click belongs to any group; previews and prefetches do not, because they follow readers."""
    reason = REQUEST_REASONS.get(click.reason)
    return reason is None or reason.verdict not in ("preview", "prefetch")


def from_datacenter(evidence: int) -> bool:
    """Return whether the network is a mail gateway's, or a data center's that is not a security vendor's.

    Vendors isolate browsers in their data centers, so people click from there.
    """
    return bool(evidence & MAIL_GATEWAY) or bool(evidence & DATACENTER and not evidence & SECURITY_VENDOR)


def from_listed_network(evidence: int) -> bool:
    """Return whether the network is a data center's, a mail gateway's or a security vendor's."""
    return bool(evidence & (DATACENTER | MAIL_GATEWAY | SECURITY_VENDOR))
