"""First visits, by which visitors are counted: a visitor's earliest human click on a UTC day."""

from collections.abc import Mapping, Sequence

from shortener.durations import DAY_MS
from shortener.store.clicks import (
    FIRST_IN_ISSUE,
    FIRST_ON_LINK,
    FIRST_ON_PLACEMENT,
    FIRST_ON_SITE,
    Visit,
    VisitorDay,
)

FIRST_WITHOUT_ISSUE = FIRST_ON_PLACEMENT | FIRST_ON_LINK | FIRST_ON_SITE


def visitor_day(click: Visit) -> VisitorDay | None:
    """Return (UTC day, visitor) of a human click; None for a click that is not human or has no visitor hash."""
    return (click.ts // DAY_MS, click.visitor) if click.visitor and click.verdict == "human" else None


def first_visits(clicks: Mapping[int, Visit]) -> dict[int, int]:
    """Return a bitmask of first visits for each human click with a visitor hash.

    Each bit marks the visitor's first click of the UTC day in one scope: FIRST_ON_PLACEMENT, FIRST_ON_LINK,
    FIRST_IN_ISSUE or FIRST_ON_SITE. ``clicks`` must contain all human clicks of each visitor and day.
    """
    # Most visitors click once a day, so that a list is made for the others only.
    first_keys: dict[VisitorDay, int] = {}
    repeated: dict[VisitorDay, list[int]] = {}
    bitmasks: dict[int, int] = {}
    for key, click in clicks.items():
        if click.visitor and click.verdict == "human":
            day = click.ts // DAY_MS, click.visitor
            first_key = first_keys.setdefault(day, key)
            if first_key == key:
                bitmasks[key] = FIRST_WITHOUT_ISSUE | (0 if click.issue_id is None else FIRST_IN_ISSUE)
            else:
                repeated.setdefault(day, [first_key]).append(key)
    for keys in repeated.values():
        keys.sort(key=lambda key: (clicks[key].ts, clicks[key].id))
        _add_first_visits(bitmasks, keys, clicks)
    return bitmasks


def _add_first_visits(bitmasks: dict[int, int], keys: Sequence[int], clicks: Mapping[int, Visit]) -> None:
    """Add the bitmasks of first visits for all human clicks of one visitor on one day.

    ``keys`` are the keys of these clicks in order of time.
    """
    seen: set[tuple[int, int | None, int]] = set()
    for key in keys:
        click = clicks[key]
        bitmask = 0
        for scope in (
            (FIRST_ON_PLACEMENT, click.link_id, click.n),
            (FIRST_ON_LINK, click.link_id, 0),
            (FIRST_IN_ISSUE, click.issue_id, 0),
            (FIRST_ON_SITE, 0, 0),
        ):
            if scope not in seen:
                seen.add(scope)
                bitmask |= scope[0]
        bitmasks[key] = bitmask if click.issue_id is not None else bitmask & ~FIRST_IN_ISSUE
