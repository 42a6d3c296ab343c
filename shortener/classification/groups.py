"""What clicks can share, and how far they speak about each other: one family of rules for each.

A family looks only at clicks that share its key, and only within its horizon of each; so a click's bits of a
family are a function of that set, whatever came in which order. Families read requests, never each other's
findings or verdicts.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence

from msgspec import Struct

from shortener.classification.detect_bursts import (
    COVERAGE_MS,
    RARE_MS,
    mark_browser,
    mark_burst,
    mark_coverage,
    mark_even,
    mark_network,
    mark_quick,
    mark_rare,
    mark_repeats,
)
from shortener.classification.detect_distributed import (
    AGENT_MS,
    ECHO_MS,
    mark_agent,
    mark_echoes,
    mark_fan_out,
    mark_twins,
)
from shortener.classification.detect_honeypot import (
    ADDRESS_TRAP_MS,
    COPY_TRAP_MS,
    mark_address_trap,
    mark_copy_trap,
    mark_network_trap,
)
from shortener.classification.evidence import (
    ADDRESS_TRAP,
    AGENT_BURST,
    BROWSER_BURST,
    BURST,
    COPY_TRAP,
    COVERAGE,
    DATACENTER,
    ECHO,
    EVEN,
    FAN_OUT,
    NETWORK_BURST,
    NETWORK_TRAP,
    PAIR,
    QUICK,
    RARE_AGENT,
    REPEAT,
    RUSH,
    TWIN,
)
from shortener.classification.nearby_clicks import Clicks, Neighbour, takes_part
from shortener.classification.sliding_window import PACE_MS

Key = Callable[[Neighbour], Hashable | None]
Mark = Callable[[Clicks], list[int]]


class Family(Struct, frozen=True, kw_only=True):
    """Rules over clicks with the same ``key``, each about clicks up to ``horizon`` milliseconds away.

    ``columns`` names the fields that make the key, for whoever looks neighbours up; the key is None for a
    click that has no part in the family. Previews and prefetches have none in any.
    """

    name: str
    columns: tuple[str, ...]
    horizon: int
    key: Key
    marks: tuple[Mark, ...]
    bits: int
    """The bits that the marks can set."""
    copies: bool = False
    """Whether it is about clicks with a copy token, and not about those without. Where a copy is known it
    says more than an address does, and the office behind the address is left in peace.
    """
    needs: Callable[[Neighbour], bool] | None = None
    """What at least one click of a group has to be for the family to say anything about the others."""


def find_bits(clicks: Iterable[Neighbour], *, families: Sequence[Family] | None = None) -> dict[int, int]:
    """The neighbourhood bits of every click, by ``seq``. O(n log n) in the number of clicks."""
    ordered = sorted(clicks, key=in_order)
    found = {click.seq: 0 for click in ordered}
    taking = [click for click in ordered if takes_part(click)]
    by_copies = {
        copies: [click for click in taking if (click.copy is not None) is copies] for copies in (True, False)
    }
    for family in FAMILIES if families is None else families:
        for group in _groups(by_copies[family.copies], family):
            for click, bits in zip(group, mark_group(group, family), strict=True):
                found[click.seq] |= bits
    return found


def mark_group(group: Clicks, family: Family) -> list[int]:
    """A family's bits of each click of a group: all that share its key within reach, sorted by ``in_order``."""
    bits = family.marks[0](group)
    for mark in family.marks[1:]:
        bits = [some | more for some, more in zip(bits, mark(group), strict=True)]
    return bits


def in_order(click: Neighbour) -> tuple[int, int, int]:
    """By what clicks are sorted: the time, and of equal times what no arrival decides."""
    return click.at, click.n, click.link


def _groups(clicks: Clicks, family: Family) -> list[list[Neighbour]]:
    """The clicks by key, in order of time, without those that are alone and cannot speak about themselves."""
    if family.needs is not None and not any(map(family.needs, clicks)):
        return []
    groups: dict[Hashable, list[Neighbour]] = {}
    for click in clicks:
        shared = family.key(click)
        if shared is not None:
            groups.setdefault(shared, []).append(click)
    least = 2 if family.needs is None else 1  # a hit of the hidden link speaks about itself too
    return [group for group in groups.values() if len(group) >= least]


def _copy(click: Neighbour) -> Hashable | None:
    return click.copy, click.issue


def _visitor(click: Neighbour) -> Hashable | None:
    return None if click.addr is None or click.agent is None else (click.addr, click.agent, click.issue)


def _network(click: Neighbour) -> Hashable | None:
    return None if click.net is None else (click.net, click.issue)


def _browser(click: Neighbour) -> Hashable | None:
    return None if click.agent is None else (click.agent, click.issue)


def _link(click: Neighbour) -> Hashable | None:
    return click.link, click.issue


def _hosted_browser(click: Neighbour) -> Hashable | None:
    return _browser(click) if click.gaps & DATACENTER else None


def _address(click: Neighbour) -> Hashable | None:
    return click.addr


def _hosted_network(click: Neighbour) -> Hashable | None:
    return click.net if click.gaps & DATACENTER else None


def _rare_browser(click: Neighbour) -> Hashable | None:
    return click.agent if click.rare else None


def _is_trap(click: Neighbour) -> bool:
    return click.trap


def _is_rare(click: Neighbour) -> bool:
    return click.rare


_READER = (mark_quick, mark_coverage, mark_even, mark_repeats)
_READER_BITS = QUICK | RUSH | COVERAGE | EVEN | REPEAT

FAMILIES: Sequence[Family] = (
    Family(
        name="copy",
        columns=("copy", "issue"),
        horizon=COVERAGE_MS,
        key=_copy,
        marks=(mark_burst, *_READER, mark_fan_out, mark_twins),
        bits=BURST | PAIR | _READER_BITS | FAN_OUT | TWIN,
        copies=True,
    ),
    Family(
        name="copy trap",
        columns=("copy", "issue"),
        horizon=COPY_TRAP_MS,
        key=_copy,
        marks=(mark_copy_trap,),
        bits=COPY_TRAP,
        copies=True,
        needs=_is_trap,
    ),
    Family(
        name="rare browser",
        columns=("agent",),
        horizon=RARE_MS,
        key=_rare_browser,
        marks=(mark_rare,),
        bits=RARE_AGENT,
        copies=True,
        needs=_is_rare,
    ),
    Family(
        name="visitor",
        columns=("addr", "agent", "issue"),
        horizon=COVERAGE_MS,
        key=_visitor,
        marks=_READER,
        bits=_READER_BITS,
    ),
    Family(
        name="network",
        columns=("net", "issue"),
        horizon=PACE_MS,
        key=_network,
        marks=(mark_network,),
        bits=NETWORK_BURST,
    ),
    Family(
        name="browser",
        columns=("agent", "issue"),
        horizon=PACE_MS,
        key=_browser,
        marks=(mark_browser,),
        bits=BROWSER_BURST,
    ),
    Family(
        name="link",
        columns=("link", "issue"),
        horizon=ECHO_MS,
        key=_link,
        marks=(mark_echoes,),
        bits=ECHO,
    ),
    Family(
        name="hosted browser",
        columns=("agent", "issue"),
        horizon=AGENT_MS,
        key=_hosted_browser,
        marks=(mark_agent,),
        bits=AGENT_BURST,
    ),
    Family(
        name="address trap",
        columns=("addr",),
        horizon=ADDRESS_TRAP_MS,
        key=_address,
        marks=(mark_address_trap,),
        bits=ADDRESS_TRAP,
        needs=_is_trap,
    ),
    Family(
        name="network trap",
        columns=("net",),
        horizon=ADDRESS_TRAP_MS,
        key=_hosted_network,
        marks=(mark_network_trap,),
        bits=NETWORK_TRAP,
        needs=_is_trap,
    ),
)
"""Every family of rules that looks at more than one click. No two set the same bit of one click."""
