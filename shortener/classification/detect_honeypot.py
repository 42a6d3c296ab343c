"""Detectors of clicks from the same recipient, address or network as a click on a honeypot link.

A honeypot link is hidden from readers.
"""

# Rule numbers are those of docs/classification.md; the conditions are in its section 9.1.
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
"""Milliseconds before and after a honeypot hit in which clicks with its token get evidence."""
HONEYPOT_BY_ADDRESS_MS = 15 * MINUTE_MS
"""Milliseconds around a honeypot hit in which clicks from its address or data-center network get evidence."""
AUTOMATION_MASK = CORROBORATING | DATACENTER | MAIL_GATEWAY | SECURITY_VENDOR
"""Evidence bits that make a honeypot hit look automated; one of them is enough."""


def detect_honeypot_by_token(
    clicks: SortedClicks,  # all with one recipient's token
) -> list[int]:  # rule 18
    """Return one value per click: HONEYPOT_BY_TOKEN within 2 minutes of a click on a honeypot link, else 0.

    Readers do not see honeypot links.
    """
    return _mark_near_hits(clicks, HONEYPOT_BY_TOKEN, window_ms=HONEYPOT_BY_TOKEN_MS)


def detect_honeypot_by_network(
    clicks: SortedClicks,  # all from one network of a data center
) -> list[int]:  # rule 18b
    """Return one value per click: HONEYPOT_BY_NETWORK within 15 minutes of a click on a honeypot link, else 0.

    Readers do not see honeypot links.
    """
    return _mark_near_hits(clicks, HONEYPOT_BY_NETWORK, window_ms=HONEYPOT_BY_ADDRESS_MS)


def _mark_near_hits(clicks: SortedClicks, bit: int, *, window_ms: int) -> list[int]:
    hits = [click.ts_ms for click in clicks if click.honeypot]
    return bits_where((bool(hits) and is_near(click.ts_ms, hits, window_ms=window_ms) for click in clicks), bit)


def detect_honeypot_by_address(
    clicks: SortedClicks,  # all from one address
) -> list[int]:  # rule 18b
    """Return one value per click: HONEYPOT_BY_ADDRESS within 15 minutes of a click on a honeypot link, else 0.

    Readers do not see honeypot links.
    """
    if not any(click.honeypot for click in clicks):
        return [0] * len(clicks)
    automated_hits = [click.ts_ms for click in clicks if click.honeypot and looks_automated(click)]
    reader_hits = _reader_hit_times_by_agent(clicks)
    return bits_where((_is_near_hit(click, automated_hits, reader_hits) for click in clicks), HONEYPOT_BY_ADDRESS)


def _reader_hit_times_by_agent(clicks: SortedClicks) -> dict[int | str, list[int]]:
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
    # People do reach a honeypot link, by assistive software or in the text part of a mail. So a hit that looks like a
    # reader's counts only against clicks with its user agent.
    agent_hits = () if click.agent_id is None else reader_hits.get(click.agent_id, ())
    return is_near(click.ts_ms, agent_hits, window_ms=HONEYPOT_BY_ADDRESS_MS)


def looks_automated(click: NearbyClick) -> bool:
    """Return whether a click on a honeypot link has another sign of automation, in its request or network."""
    return bool(click.evidence & AUTOMATION_MASK) or click.reason in REQUEST_REASONS
