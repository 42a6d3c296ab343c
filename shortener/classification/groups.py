"""What clicks can share, and how far they speak about each other: one family of rules for each.

A family looks only at clicks that share its key, and only within its horizon of each; so a click's bits of a
family are a function of that set, whatever came in which order. Families read requests, never each other's
findings or verdicts.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence

from msgspec import Struct

from shortener.classification.detect_bursts import (
    COVERAGE_WINDOW_MS,
    RARE_AGENT_WINDOW_MS,
    detect_browser_burst,
    detect_burst,
    detect_coverage,
    detect_double_clicks,
    detect_even_pace,
    detect_network_burst,
    detect_quick_links,
    detect_rare_agent,
)
from shortener.classification.detect_distributed import (
    AGENT_BURST_WINDOW_MS,
    CLICK_ECHO_WINDOW_MS,
    detect_agent_burst,
    detect_click_echoes,
    detect_click_time_checks,
    detect_fan_out,
)
from shortener.classification.detect_honeypot import (
    HONEYPOT_BY_ADDRESS_MS,
    HONEYPOT_BY_TOKEN_MS,
    detect_honeypot_by_address,
    detect_honeypot_by_network,
    detect_honeypot_by_token,
)
from shortener.classification.evidence import (
    AGENT_BURST,
    BROWSER_BURST,
    BURST,
    CLICK_ECHO,
    CLICK_TIME_CHECK,
    COVERAGE,
    DATACENTER,
    DOUBLE_CLICK,
    EVEN_PACE,
    FAN_OUT,
    FIVE_LINKS_10S,
    HONEYPOT_BY_ADDRESS,
    HONEYPOT_BY_NETWORK,
    HONEYPOT_BY_TOKEN,
    NETWORK_BURST,
    RARE_AGENT,
    THREE_LINKS_10S,
    TWO_LINKS_1S,
)
from shortener.classification.nearby_clicks import NearbyClick, SortedClicks, is_correlatable
from shortener.classification.sliding_window import RATE_WINDOW_MS

KeyFunction = Callable[[NearbyClick], Hashable | None]
Detector = Callable[[SortedClicks], list[int]]


class Grouping(Struct, frozen=True, kw_only=True):
    """Rules over clicks with the same ``key``, each about clicks up to ``horizon`` milliseconds away.

    ``columns`` names the fields that make the key, for whoever looks neighbours up; the key is None for a
    click that has no part in the family. Previews and prefetches have none in any.
    """

    name: str
    key_fields: tuple[str, ...]
    window_ms: int
    key: KeyFunction
    detectors: tuple[Detector, ...]
    evidence_mask: int
    """The bits that the marks can set."""
    with_token: bool = False
    """Whether it is about clicks with a copy token, and not about those without. Where a copy is known it
    says more than an address does, and the office behind the address is left in peace.
    """
    trigger: Callable[[NearbyClick], bool] | None = None
    """What at least one click of a group has to be for the family to say anything about the others."""


def find_group_evidence(
    clicks: Iterable[NearbyClick], *, groupings: Sequence[Grouping] | None = None
) -> dict[int, int]:
    """The neighbourhood bits of every click, by ``seq``. O(n log n) in the number of clicks."""
    ordered = sorted(clicks, key=sort_key)
    found = {click.seq: 0 for click in ordered}
    taking = [click for click in ordered if is_correlatable(click)]
    by_copies = {
        copies: [click for click in taking if (click.recipient_token is not None) is copies]
        for copies in (True, False)
    }
    for family in GROUPINGS if groupings is None else groupings:
        for group in _group_by_key(by_copies[family.with_token], family):
            for click, bits in zip(group, detect_in_group(group, family), strict=True):
                found[click.seq] |= bits
    return found


def detect_in_group(group: SortedClicks, grouping: Grouping) -> list[int]:
    """A family's bits of each click of a group: all that share its key within reach, sorted by ``in_order``."""
    bits = grouping.detectors[0](group)
    for mark in grouping.detectors[1:]:
        bits = [some | more for some, more in zip(bits, mark(group), strict=True)]
    return bits


def sort_key(click: NearbyClick) -> tuple[int, int, int]:
    """By what clicks are sorted: the time, and of equal times what no arrival decides."""
    return click.ts_ms, click.n, click.link_id


def _group_by_key(clicks: SortedClicks, grouping: Grouping) -> list[list[NearbyClick]]:
    """The clicks by key, in order of time, without those that are alone and cannot speak about themselves."""
    if grouping.trigger is not None and not any(map(grouping.trigger, clicks)):
        return []
    groups: dict[Hashable, list[NearbyClick]] = {}
    for click in clicks:
        shared = grouping.key(click)
        if shared is not None:
            groups.setdefault(shared, []).append(click)
    least = 2 if grouping.trigger is None else 1  # a hit of the hidden link speaks about itself too
    return [group for group in groups.values() if len(group) >= least]


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


def _rare_browser_key(click: NearbyClick) -> Hashable | None:
    return click.agent_id if click.rare_agent else None


def _is_honeypot_hit(click: NearbyClick) -> bool:
    return click.honeypot


def _has_rare_agent(click: NearbyClick) -> bool:
    return click.rare_agent


_READER_DETECTORS = (detect_quick_links, detect_coverage, detect_even_pace, detect_double_clicks)
_READER_MASK = THREE_LINKS_10S | FIVE_LINKS_10S | COVERAGE | EVEN_PACE | DOUBLE_CLICK

GROUPINGS: Sequence[Grouping] = (
    Grouping(
        name="copy",
        key_fields=("recipient_token", "issue_id"),
        window_ms=COVERAGE_WINDOW_MS,
        key=_token_key,
        detectors=(detect_burst, *_READER_DETECTORS, detect_fan_out, detect_click_time_checks),
        evidence_mask=BURST | TWO_LINKS_1S | _READER_MASK | FAN_OUT | CLICK_TIME_CHECK,
        with_token=True,
    ),
    Grouping(
        name="copy trap",
        key_fields=("recipient_token", "issue_id"),
        window_ms=HONEYPOT_BY_TOKEN_MS,
        key=_token_key,
        detectors=(detect_honeypot_by_token,),
        evidence_mask=HONEYPOT_BY_TOKEN,
        with_token=True,
        trigger=_is_honeypot_hit,
    ),
    Grouping(
        name="rare browser",
        key_fields=("agent_id",),
        window_ms=RARE_AGENT_WINDOW_MS,
        key=_rare_browser_key,
        detectors=(detect_rare_agent,),
        evidence_mask=RARE_AGENT,
        with_token=True,
        trigger=_has_rare_agent,
    ),
    Grouping(
        name="visitor",
        key_fields=("addr", "agent_id", "issue_id"),
        window_ms=COVERAGE_WINDOW_MS,
        key=_visitor_key,
        detectors=_READER_DETECTORS,
        evidence_mask=_READER_MASK,
    ),
    Grouping(
        name="network",
        key_fields=("net", "issue_id"),
        window_ms=RATE_WINDOW_MS,
        key=_network_key,
        detectors=(detect_network_burst,),
        evidence_mask=NETWORK_BURST,
    ),
    Grouping(
        name="browser",
        key_fields=("agent_id", "issue_id"),
        window_ms=RATE_WINDOW_MS,
        key=_browser_key,
        detectors=(detect_browser_burst,),
        evidence_mask=BROWSER_BURST,
    ),
    Grouping(
        name="link",
        key_fields=("link_id", "issue_id"),
        window_ms=CLICK_ECHO_WINDOW_MS,
        key=_link_key,
        detectors=(detect_click_echoes,),
        evidence_mask=CLICK_ECHO,
    ),
    Grouping(
        name="hosted browser",
        key_fields=("agent_id", "issue_id"),
        window_ms=AGENT_BURST_WINDOW_MS,
        key=_datacenter_browser_key,
        detectors=(detect_agent_burst,),
        evidence_mask=AGENT_BURST,
    ),
    Grouping(
        name="address trap",
        key_fields=("addr",),
        window_ms=HONEYPOT_BY_ADDRESS_MS,
        key=_address_key,
        detectors=(detect_honeypot_by_address,),
        evidence_mask=HONEYPOT_BY_ADDRESS,
        trigger=_is_honeypot_hit,
    ),
    Grouping(
        name="network trap",
        key_fields=("net",),
        window_ms=HONEYPOT_BY_ADDRESS_MS,
        key=_datacenter_network_key,
        detectors=(detect_honeypot_by_network,),
        evidence_mask=HONEYPOT_BY_NETWORK,
        trigger=_is_honeypot_hit,
    ),
)
"""Every family of rules that looks at more than one click. No two set the same bit of one click."""
