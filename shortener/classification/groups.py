"""Correlation groups: what clicks share, and the time window in which they affect each other.

Detectors read requests, never the results of other detectors. So a click's evidence depends on the set of clicks around
it and not on their order of arrival. The groups are listed in docs/classification.md, section 5.
"""

from collections.abc import Callable, Hashable

from msgspec import Struct

from shortener.classification.detect_bursts import COVERAGE_WINDOW_MS
from shortener.classification.detect_distributed import AGENT_BURST_WINDOW_MS, CLICK_ECHO_WINDOW_MS
from shortener.classification.detect_honeypot import HONEYPOT_BY_ADDRESS_MS, HONEYPOT_BY_TOKEN_MS
from shortener.classification.evidence import DATACENTER
from shortener.classification.nearby_clicks import NearbyClick, SortedClicks
from shortener.classification.sliding_window import RATE_WINDOW_MS

KeyFunction = Callable[[NearbyClick], Hashable | None]
"""Function that returns the key of a click's group, or None if the click belongs to no such group."""
Detector = Callable[[SortedClicks], list[int]]
"""Function that takes the clicks of one group and returns the evidence bits of each."""


class Grouping(Struct, frozen=True, kw_only=True):
    """One way to group clicks, with the detectors that compare the clicks of a group."""

    name: str
    key_fields: tuple[str, ...]
    """Fields of NearbyClick that make up the key, for the queries that load nearby clicks."""
    window_ms: int
    """Longest time in milliseconds between two clicks that affect each other."""
    key: KeyFunction
    detectors: tuple[Detector, ...] = ()
    """Detectors of the rules that compare the clicks of a group (``group_rules.GROUPINGS``)."""
    evidence_mask: int = 0
    """All evidence bits that the detectors can set."""
    with_token: bool = False
    """Whether it groups the clicks with a recipient token, or else those without one.

    Clicks with a token are not grouped by address: the token says more, and an office behind one address is not
    affected.
    """
    trigger: Callable[[NearbyClick], bool] | None = None
    """Condition that at least one click of a group must meet before the detectors can set any bit."""


def detect_in_group(group: SortedClicks, grouping: Grouping) -> list[int]:
    """Return the evidence bits of each click in a group, which must be sorted by ``sort_key``."""
    evidence = grouping.detectors[0](group)
    for detect in grouping.detectors[1:]:
        evidence = [bits | more for bits, more in zip(evidence, detect(group), strict=True)]
    return evidence


def sort_key(click: NearbyClick) -> tuple[int, int, int]:
    """Return the key that sorts clicks by time, and clicks of equal times independently of their arrival."""
    return click.ts_ms, click.n, click.link_id


def _token_key(click: NearbyClick) -> Hashable | None:
    return click.recipient_token, click.issue_id


def _visitor_key(click: NearbyClick) -> Hashable | None:
    return (
        None if click.addr is None or click.agent_id is None else (click.addr, click.agent_id, click.issue_id)
    )


def _network_key(click: NearbyClick) -> Hashable | None:
    return None if click.net is None else (click.net, click.issue_id)


def _browser_key(click: NearbyClick) -> Hashable | None:
    return None if click.agent_id is None else (click.agent_id, click.issue_id)


def _link_key(click: NearbyClick) -> Hashable | None:
    return click.link_id, click.issue_id


def _datacenter_browser_key(click: NearbyClick) -> Hashable | None:
    return _browser_key(click) if click.evidence & DATACENTER else None


def _address_key(click: NearbyClick) -> Hashable | None:
    return click.addr


def _datacenter_network_key(click: NearbyClick) -> Hashable | None:
    return click.net if click.evidence & DATACENTER else None


def _is_honeypot_hit(click: NearbyClick) -> bool:
    return click.honeypot


TOKEN = Grouping(
    name="token",
    key_fields=("recipient_token", "issue_id"),
    window_ms=COVERAGE_WINDOW_MS,
    key=_token_key,
    with_token=True,
)
HONEYPOT_TOKEN = Grouping(
    name="honeypot by token",
    key_fields=("recipient_token", "issue_id"),
    window_ms=HONEYPOT_BY_TOKEN_MS,
    key=_token_key,
    with_token=True,
    trigger=_is_honeypot_hit,
)
VISITOR = Grouping(
    name="visitor",
    key_fields=("addr", "agent_id", "issue_id"),
    window_ms=COVERAGE_WINDOW_MS,
    key=_visitor_key,
)
NETWORK = Grouping(name="network", key_fields=("net", "issue_id"), window_ms=RATE_WINDOW_MS, key=_network_key)
BROWSER = Grouping(
    name="browser", key_fields=("agent_id", "issue_id"), window_ms=RATE_WINDOW_MS, key=_browser_key
)
LINK = Grouping(
    name="link", key_fields=("link_id", "issue_id"), window_ms=CLICK_ECHO_WINDOW_MS, key=_link_key
)
DATACENTER_BROWSER = Grouping(
    name="datacenter browser",
    key_fields=("agent_id", "issue_id"),
    window_ms=AGENT_BURST_WINDOW_MS,
    key=_datacenter_browser_key,
)
HONEYPOT_ADDRESS = Grouping(
    name="honeypot by address",
    key_fields=("addr",),
    window_ms=HONEYPOT_BY_ADDRESS_MS,
    key=_address_key,
    trigger=_is_honeypot_hit,
)
HONEYPOT_NETWORK = Grouping(
    name="honeypot by network",
    key_fields=("net",),
    window_ms=HONEYPOT_BY_ADDRESS_MS,
    key=_datacenter_network_key,
    trigger=_is_honeypot_hit,
)
