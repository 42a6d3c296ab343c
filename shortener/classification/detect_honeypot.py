"""Rules over the hidden link (18, 18b): whoever fetches it is a machine, and so is what comes with it, for a
while.

Each ``mark_`` takes the clicks of one group in order of time and gives the bits of each.
"""

from collections.abc import Mapping, Sequence

from shortener.classification.detect_bursts import bits_where
from shortener.classification.evidence import (
    CORROBORATING,
    DATACENTER,
    HONEYPOT_BY_ADDRESS,
    HONEYPOT_BY_NETWORK,
    HONEYPOT_BY_TOKEN,
    MAIL_GATEWAY,
    SECURITY_VENDOR,
)
from shortener.classification.nearby_clicks import NearbyClick, SortedClicks
from shortener.classification.reasons import REASONS
from shortener.classification.sliding_window import is_near

HONEYPOT_BY_TOKEN_MS = 120_000
HONEYPOT_BY_ADDRESS_MS = 900_000
AUTOMATION_MASK = CORROBORATING | DATACENTER | MAIL_GATEWAY | SECURITY_VENDOR
"""A hit with one of these looks like a machine's, whatever browser it names."""


def detect_honeypot_by_token(clicks: SortedClicks) -> list[int]:
    """Rule 18: the hidden link of this copy within 2 minutes."""
    hits = _hit_times(clicks)
    return bits_where(
        (bool(hits) and is_near(click.ts_ms, hits, window_ms=HONEYPOT_BY_TOKEN_MS) for click in clicks),
        HONEYPOT_BY_TOKEN,
    )


def detect_honeypot_by_network(clicks: SortedClicks) -> list[int]:
    """Rule 18b: the hidden link from this data center's network within 15 minutes."""
    hits = _hit_times(clicks)
    return bits_where(
        (bool(hits) and is_near(click.ts_ms, hits, window_ms=HONEYPOT_BY_ADDRESS_MS) for click in clicks),
        HONEYPOT_BY_NETWORK,
    )


def detect_honeypot_by_address(clicks: SortedClicks) -> list[int]:
    """Rule 18b: the hidden link from this address within 15 minutes.

    A hit that shows a second signal speaks about everybody at its address. One that looks like a reader's own
    (from the text part, by a screen reader, out of curiosity) speaks about the same browser there only.
    """
    if not any(click.honeypot for click in clicks):
        return [0] * len(clicks)
    machines = [click.ts_ms for click in clicks if click.honeypot and looks_automated(click)]
    readers = _reader_hit_times(clicks)
    return bits_where((_is_near_honeypot(click, machines, readers) for click in clicks), HONEYPOT_BY_ADDRESS)


def _hit_times(clicks: SortedClicks) -> list[int]:
    return [click.ts_ms for click in clicks if click.honeypot]


def _reader_hit_times(clicks: SortedClicks) -> dict[int | str, list[int]]:
    hits: dict[int | str, list[int]] = {}
    for click in clicks:
        if click.honeypot and click.agent_id is not None and not looks_automated(click):
            hits.setdefault(click.agent_id, []).append(click.ts_ms)
    return hits


def _is_near_honeypot(
    click: NearbyClick, automated_hits: Sequence[int], reader_hits: Mapping[int | str, Sequence[int]]
) -> bool:
    if is_near(click.ts_ms, automated_hits, window_ms=HONEYPOT_BY_ADDRESS_MS):
        return True
    own = () if click.agent_id is None else reader_hits.get(click.agent_id, ())
    return is_near(click.ts_ms, own, window_ms=HONEYPOT_BY_ADDRESS_MS)


def looks_automated(click: NearbyClick) -> bool:
    """Whether a hit shows more of a machine than that it is one: then it speaks about everybody at its address."""
    return bool(click.evidence & AUTOMATION_MASK) or REASONS[click.reason].decided_by_request
