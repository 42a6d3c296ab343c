"""The fields of a click by which it is compared with nearby clicks."""

from collections.abc import Sequence

from msgspec import Struct

from shortener.classification.evidence import DATACENTER, MAIL_GATEWAY, SECURITY_VENDOR
from shortener.classification.request_reasons import REQUEST_REASONS


class NearbyClick(Struct, frozen=True, gc=False):
    """The fields of a click that are needed to compare it with other clicks. None means unknown."""

    seq: int
    """Sequence number of the click in the store."""
    ts_ms: int
    """Time of the click in milliseconds since the UTC epoch."""
    link_id: int
    issue_id: int | None = None
    """Issue of the link; None if the link belongs to no issue."""
    n: int = 0
    """Number of the placement at the end of the short URL, such as 2 in ``/7pk3e/2``; 0 if the URL has none."""
    net: str | None = None
    """Network of the client: /24 (IPv4) or /48 (IPv6)."""
    addr: str | None = None
    """Keyed hash of the client's address."""
    recipient_token: str | None = None
    """Keyed hash of the recipient token."""
    agent_id: int | str | None = None
    """Identifier of the user agent; None if the reader opted out."""
    reason: str = "reader"
    """Reason for the verdict so far: from the request alone, or also from nearby clicks."""
    evidence: int = 0
    """Evidence bits so far. Those from nearby clicks are replaced when the click is classified again."""
    honeypot: bool = False
    """Whether the clicked link is a honeypot link."""
    sent_at_ms: int | None = None
    """Sending time of the issue in milliseconds since the UTC epoch."""
    link_count: int = 0
    """Number of different links in the issue; 0 if unknown."""


SortedClicks = Sequence[NearbyClick]
"""Clicks in ascending order of ``groups.sort_key``."""


def is_correlatable(click: NearbyClick) -> bool:
    """Return whether a click is compared with other clicks: True unless it is a preview or a prefetch."""
    reason = REQUEST_REASONS.get(click.reason)
    # Previews and prefetches follow from what a reader does.
    return reason is None or reason.verdict not in ("preview", "prefetch")


def from_datacenter(evidence: int) -> bool:
    """Return whether evidence bits say that a click came from a data center or mail gateway.

    A security vendor's data center does not count.
    """
    # People also browse from the data centers of security vendors.
    return bool(evidence & MAIL_GATEWAY) or bool(evidence & DATACENTER and not evidence & SECURITY_VENDOR)


def from_listed_network(evidence: int) -> bool:
    """Return whether a click comes from a data center, a mail gateway or a security vendor, by its evidence bits."""
    return bool(evidence & (DATACENTER | MAIL_GATEWAY | SECURITY_VENDOR))
