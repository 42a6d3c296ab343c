"""A stored click as its neighbours see it."""

from collections.abc import Sequence

from msgspec import Struct

from shortener.classification.evidence import DATACENTER, MAIL_GATEWAY, SECURITY_VENDOR
from shortener.classification.reasons import REASONS


class NearbyClick(Struct, frozen=True, gc=False):
    """A stored click, with what the rules need of it. None is unknown: such a click shares nothing there."""

    seq: int
    ts_ms: int
    """Milliseconds of UTC epoch."""
    link_id: int
    issue_id: int | None = None
    n: int = 0
    """The placement, in document order; 0 where the click came without one."""
    net: str | None = None
    addr: str | None = None
    recipient_token: str | None = None
    agent_id: int | str | None = None
    """Stands for the user agent; None where it was withheld."""
    reason: str = "reader"
    """The stored reason, of the request alone or of any earlier judgement: both lead to the same result."""
    evidence: int = 0
    """The stored bits; those of an earlier neighbourhood are ignored."""
    honeypot: bool = False
    """Whether the link is its issue's hidden one."""
    sent_at_ms: int | None = None
    """When the issue was sent, milliseconds of UTC epoch."""
    link_count: int = 0
    """How many different links the issue has; 0 where unknown."""
    rare_agent: bool = False
    """Whether the user agent is outside of the 20 commonest of the last 30 days; False where nobody counts.
    """


SortedClicks = Sequence[NearbyClick]
"""Clicks in order of time."""


def is_correlatable(click: NearbyClick) -> bool:
    """Whether a click speaks about its neighbours: previews and prefetches follow readers, and do not."""
    return REASONS[click.reason].verdict not in ("preview", "prefetch")


def from_datacenter(evidence: int) -> bool:
    """Whether a click came from a data center, other than a vendor's where people browse in isolation."""
    return bool(evidence & MAIL_GATEWAY) or bool(evidence & DATACENTER and not evidence & SECURITY_VENDOR)


def from_listed_network(evidence: int) -> bool:
    """Whether a click came from any listed network: a data center, a gateway or a vendor."""
    return bool(evidence & (DATACENTER | MAIL_GATEWAY | SECURITY_VENDOR))
