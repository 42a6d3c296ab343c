"""Detectors for clicks near a honeypot hit, by recipient token, address or network (rules 18 and 18b).

Each detector takes the clicks of one group in order of time and returns the evidence bits of each. Which clicks a hit
affects is described in docs/classification.md, section 9.1.
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
from shortener.classification.request_reasons import REQUEST_REASONS
from shortener.classification.sliding_window import is_near
from shortener.durations import MINUTE_MS

HONEYPOT_BY_TOKEN_MS = 2 * MINUTE_MS
"""Time before and after a hit in which clicks with its recipient token are affected."""
HONEYPOT_BY_ADDRESS_MS = 15 * MINUTE_MS
"""Time before and after a hit in which clicks from its address or data-center network are affected."""
AUTOMATION_MASK = CORROBORATING | DATACENTER | MAIL_GATEWAY | SECURITY_VENDOR
"""Bits of which a single one makes a honeypot hit look automated."""


def detect_honeypot_by_token(clicks: SortedClicks) -> list[int]:
    """Mark the clicks of a recipient token within 2 minutes of a honeypot hit (rule 18)."""
    return _mark_near_hits(clicks, HONEYPOT_BY_TOKEN, window_ms=HONEYPOT_BY_TOKEN_MS)


def detect_honeypot_by_network(clicks: SortedClicks) -> list[int]:
    """Mark the clicks from a data center's network within 15 minutes of a honeypot hit (rule 18b)."""
    return _mark_near_hits(clicks, HONEYPOT_BY_NETWORK, window_ms=HONEYPOT_BY_ADDRESS_MS)


def _mark_near_hits(clicks: SortedClicks, bit: int, *, window_ms: int) -> list[int]:
    hits = [click.ts_ms for click in clicks if click.honeypot]
    return bits_where(
        (bool(hits) and is_near(click.ts_ms, hits, window_ms=window_ms) for click in clicks), bit
    )


def detect_honeypot_by_address(clicks: SortedClicks) -> list[int]:
    """Mark the clicks from an address within 15 minutes of a honeypot hit (rule 18b).

    A hit that looks automated affects all clicks from its address. A hit that looks like a reader's affects clicks with
    its user agent only: people do reach a honeypot link, for example by assistive software or the text part of a mail.
    """
    if not any(click.honeypot for click in clicks):
        return [0] * len(clicks)
    automated_hits = [click.ts_ms for click in clicks if click.honeypot and looks_automated(click)]
    reader_hits = _reader_hit_times(clicks)
    return bits_where(
        (_is_near_hit(click, automated_hits, reader_hits) for click in clicks), HONEYPOT_BY_ADDRESS
    )


def _reader_hit_times(clicks: SortedClicks) -> dict[int | str, list[int]]:
    """Return the times of the hits that look like a reader's, by user agent."""
    hits: dict[int | str, list[int]] = {}
    for click in clicks:
        if click.honeypot and click.agent_id is not None and not looks_automated(click):
            hits.setdefault(click.agent_id, []).append(click.ts_ms)
    return hits


def _is_near_hit(
    click: NearbyClick, automated_hits: Sequence[int], reader_hits: Mapping[int | str, Sequence[int]]
) -> bool:
    if is_near(click.ts_ms, automated_hits, window_ms=HONEYPOT_BY_ADDRESS_MS):
        return True
    agent_hits = () if click.agent_id is None else reader_hits.get(click.agent_id, ())
    return is_near(click.ts_ms, agent_hits, window_ms=HONEYPOT_BY_ADDRESS_MS)


def looks_automated(click: NearbyClick) -> bool:
    """Return whether a honeypot hit has other signs of automation than being a hit."""
    return bool(click.evidence & AUTOMATION_MASK) or click.reason in REQUEST_REASONS
