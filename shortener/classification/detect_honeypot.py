"""Rules over the hidden link (18, 18b): whoever fetches it is a machine, and so is what comes with it, for a
while.

Each ``mark_`` takes the clicks of one group in order of time and gives the bits of each.
"""

from collections.abc import Mapping, Sequence

from shortener.classification.detect_bursts import flag
from shortener.classification.evidence import (
    ADDRESS_TRAP,
    COPY_TRAP,
    DATACENTER,
    GATEWAY,
    NETWORK_TRAP,
    SECOND,
    VENDOR,
)
from shortener.classification.nearby_clicks import Clicks, Neighbour
from shortener.classification.reasons import REASONS
from shortener.classification.sliding_window import is_near

COPY_TRAP_MS = 120_000
ADDRESS_TRAP_MS = 900_000
MACHINE_BITS = SECOND | DATACENTER | GATEWAY | VENDOR
"""A hit with one of these looks like a machine's, whatever browser it names."""


def mark_copy_trap(clicks: Clicks) -> list[int]:
    """Rule 18: the hidden link of this copy within 2 minutes."""
    hits = _hits(clicks)
    return flag((bool(hits) and is_near(click.at, hits, span=COPY_TRAP_MS) for click in clicks), COPY_TRAP)


def mark_network_trap(clicks: Clicks) -> list[int]:
    """Rule 18b: the hidden link from this data center's network within 15 minutes."""
    hits = _hits(clicks)
    return flag(
        (bool(hits) and is_near(click.at, hits, span=ADDRESS_TRAP_MS) for click in clicks), NETWORK_TRAP
    )


def mark_address_trap(clicks: Clicks) -> list[int]:
    """Rule 18b: the hidden link from this address within 15 minutes.

    A hit that shows a second signal speaks about everybody at its address. One that looks like a reader's own
    (from the text part, by a screen reader, out of curiosity) speaks about the same browser there only.
    """
    if not any(click.trap for click in clicks):
        return [0] * len(clicks)
    machines = [click.at for click in clicks if click.trap and looks_machine(click)]
    readers = _readers_hits(clicks)
    return flag((_is_spoken_of(click, machines, readers) for click in clicks), ADDRESS_TRAP)


def _hits(clicks: Clicks) -> list[int]:
    return [click.at for click in clicks if click.trap]


def _readers_hits(clicks: Clicks) -> dict[int | str, list[int]]:
    hits: dict[int | str, list[int]] = {}
    for click in clicks:
        if click.trap and click.agent is not None and not looks_machine(click):
            hits.setdefault(click.agent, []).append(click.at)
    return hits


def _is_spoken_of(
    click: Neighbour, machines: Sequence[int], readers: Mapping[int | str, Sequence[int]]
) -> bool:
    if is_near(click.at, machines, span=ADDRESS_TRAP_MS):
        return True
    own = () if click.agent is None else readers.get(click.agent, ())
    return is_near(click.at, own, span=ADDRESS_TRAP_MS)


def looks_machine(click: Neighbour) -> bool:
    """Whether a hit shows more of a machine than that it is one: then it speaks about everybody at its address."""
    return bool(click.gaps & MACHINE_BITS) or REASONS[click.reason].request
