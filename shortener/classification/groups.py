"""Kinds of groups of clicks that are compared because they share something, such as the network.

All kinds are in docs/classification.md, section 5.
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
"""Function that returns what a click shares with the others of its group; None if it is in no such group."""
Detector = Callable[[SortedClicks], list[int]]
"""Function that takes the clicks of one group and returns one value per click: its evidence bits, or 0."""


class Grouping(Struct, frozen=True, kw_only=True):
    """One kind of correlation group, such as the clicks of one network in one issue, with its detectors."""

    name: str
    key_fields: tuple[str, ...]
    """Names of the fields that all clicks of a group have in common."""
    window_ms: int
    """Longest time in milliseconds over which a click can change the evidence of another click."""
    key: KeyFunction
    detectors: tuple[Detector, ...] = ()
    """Detectors of the rules that compare the clicks of a group (``group_rules.GROUPINGS``)."""
    evidence_mask: int = 0
    """All evidence bits that the detectors can set."""
    with_token: bool = False
    """True if only clicks with a recipient token are grouped, false if only clicks without one.

    Clicks with a token are not grouped by address: the token identifies one recipient, while many readers of
    an office can have one address.
    """
    needs_honeypot_hit: bool = False
    """Whether the detectors set bits only in groups with a click on a honeypot link."""


def detect_in_group(group: SortedClicks, grouping: Grouping) -> list[int]:
    """Return the evidence bits that the detectors of a grouping (kind of group) find for each click of a group."""
    evidence = grouping.detectors[0](group)
    for detect in grouping.detectors[1:]:
        evidence = [bits | more for bits, more in zip(evidence, detect(group), strict=True)]
    return evidence


def sort_key(click: NearbyClick) -> tuple[int, int, int]:
    """Return the key by which clicks are sorted: the time, then values that do not depend on the order of arrival."""
    return click.ts_ms, click.n, click.link_id


def _token_key(click: NearbyClick) -> Hashable | None:
    return click.recipient_token, click.issue_id


def _visitor_key(click: NearbyClick) -> Hashable | None:
    return None if click.addr is None or click.agent_id is None else (click.addr, click.agent_id, click.issue_id)


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
    needs_honeypot_hit=True,
)
VISITOR = Grouping(
    name="visitor",
    key_fields=("addr", "agent_id", "issue_id"),
    window_ms=COVERAGE_WINDOW_MS,
    key=_visitor_key,
)
NETWORK = Grouping(name="network", key_fields=("net", "issue_id"), window_ms=RATE_WINDOW_MS, key=_network_key)
BROWSER = Grouping(name="browser", key_fields=("agent_id", "issue_id"), window_ms=RATE_WINDOW_MS, key=_browser_key)
LINK = Grouping(name="link", key_fields=("link_id", "issue_id"), window_ms=CLICK_ECHO_WINDOW_MS, key=_link_key)
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
    needs_honeypot_hit=True,
)
HONEYPOT_NETWORK = Grouping(
    name="honeypot by network",
    key_fields=("net",),
    window_ms=HONEYPOT_BY_ADDRESS_MS,
    key=_datacenter_network_key,
    needs_honeypot_hit=True,
)
