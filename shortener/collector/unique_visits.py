"""Finding of first visits: the earliest human click of a visitor on a UTC day.

There is one for each placement, each link, each issue, and the whole site.
"""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from shortener.durations import DAY_MS
from shortener.store.clicks import (
    FIRST_IN_ISSUE,
    FIRST_ON_LINK,
    FIRST_ON_PLACEMENT,
    FIRST_ON_SITE,
    Click,
    StoredVisit,
)

FIRST_WITHOUT_ISSUE = FIRST_ON_PLACEMENT | FIRST_ON_LINK | FIRST_ON_SITE


Visit = TypeVar("Visit", bound=Click | StoredVisit)


def first_visits(clicks: Iterable[Visit]) -> Iterator[tuple[Visit, int]]:
    """Yield each click with a bitmask of the kinds of first visit that it is.

    The bits are ``FIRST_ON_PLACEMENT`` and so on. Of several clicks with equal times, the one with the
    smallest id is the first visit. The result is right if ``clicks`` has all human clicks of its visitors, or
    all new ones and all that are a first visit so far.
    """
    # Most visitors click once a day, so that a list is made for the others only.
    first_clicks: dict[tuple[str, int], Visit] = {}
    days: dict[tuple[str, int], list[Visit]] = {}
    for click in clicks:
        if not click.visitor or click.verdict != "human":
            yield click, 0
            continue
        key = click.visitor, click.ts // DAY_MS
        first_click = first_clicks.setdefault(key, click)
        if first_click is not click:
            days.setdefault(key, [first_click]).append(click)
    for key, click in first_clicks.items():
        if key not in days:
            yield click, FIRST_WITHOUT_ISSUE | (0 if click.issue_id is None else FIRST_IN_ISSUE)
    for day in days.values():
        yield from _first_visits_of_day(day)


def _first_visits_of_day(clicks: list[Visit]) -> Iterator[tuple[Visit, int]]:
    """Yield the human clicks of one visitor on one day, each with its bitmask of first visits."""
    seen: set[tuple[int, int | None, int]] = set()
    clicks.sort(key=_sort_key)
    for click in clicks:
        bitmask = 0
        for bit, scope in (
            (FIRST_ON_PLACEMENT, (FIRST_ON_PLACEMENT, click.link_id, click.n)),
            (FIRST_ON_LINK, (FIRST_ON_LINK, click.link_id, 0)),
            (FIRST_IN_ISSUE, (FIRST_IN_ISSUE, click.issue_id, 0)),
            (FIRST_ON_SITE, (FIRST_ON_SITE, 0, 0)),
        ):
            if scope not in seen:
                seen.add(scope)
                bitmask |= bit
        yield click, bitmask if click.issue_id is not None else bitmask & ~FIRST_IN_ISSUE


def _sort_key(click: Click | StoredVisit) -> tuple[int, str]:
    return click.ts, click.id
