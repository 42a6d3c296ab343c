"""Nearby clicks for tests, in an issue with LINK_COUNT links."""

from collections.abc import Sequence
from typing import Any

import msgspec

from shortener.classification.nearby_clicks import NearbyClick
from shortener.durations import HOUR_MS, SECOND_MS

START = 1_790_000_000_000
"""Time of the first click in milliseconds since the UTC epoch."""
LINK_COUNT = 12


def click(seconds: float, link: int, **changes: Any) -> NearbyClick:
    """Return a reader's click some seconds after START, on a link of an issue that was sent two hours before."""
    fields: dict[str, Any] = {
        "seq": 0,
        "ts_ms": START + round(seconds * SECOND_MS),
        "link_id": link,
        "issue_id": 1,
        "n": link + 1,
        "net": "24.5.6.0/24",
        "addr": "a1",
        "agent_id": "chrome",
        "sent_at_ms": START - 2 * HOUR_MS,
        "link_count": LINK_COUNT,
    }
    return NearbyClick(**{**fields, **changes})


def numbered(clicks: Sequence[NearbyClick]) -> list[NearbyClick]:
    """Return the clicks with ``seq`` set to their index."""
    return [msgspec.structs.replace(nearby_click, seq=seq) for seq, nearby_click in enumerate(clicks)]
