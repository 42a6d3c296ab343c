"""First visits: of a visitor's human clicks on a UTC day, the earliest on each placement, link, issue and the site."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from shortener.store.clicks import (
    DAY_SECONDS,
    FIRST_IN_ISSUE,
    FIRST_ON_LINK,
    FIRST_ON_PLACEMENT,
    FIRST_ON_SITE,
    Click,
    StoredVisit,
)

DAY_MS = DAY_SECONDS * 1000
FIRST_WITHOUT_ISSUE = FIRST_ON_PLACEMENT | FIRST_ON_LINK | FIRST_ON_SITE


Visit = TypeVar("Visit", bound=Click | StoredVisit)


def first_visits(clicks: Iterable[Visit]) -> Iterator[tuple[Visit, int]]:
    """Each click with the first visits that are its own, as bits.

    The earliest click has them (of equal times the smaller id), whatever came in which order. Right where every
    human click of the visitors is among ``clicks``, or every one that is a first visit and all that are new.
    """
    alone: dict[tuple[str, int], Visit] = {}
    days: dict[tuple[str, int], list[Visit]] = {}
    for click in clicks:
        if not click.visitor or click.verdict != "human":
            yield click, 0
            continue
        key = click.visitor, click.ts // DAY_MS
        first = alone.setdefault(key, click)
        if first is not click:
            days.setdefault(key, [first]).append(click)
    for key, click in alone.items():
        if key not in days:
            yield click, FIRST_WITHOUT_ISSUE | (0 if click.issue_id is None else FIRST_IN_ISSUE)
    for day in days.values():
        yield from _first_visits_of_day(day)


def _first_visits_of_day(clicks: list[Visit]) -> Iterator[tuple[Visit, int]]:
    """The same for one visitor's human clicks of one day."""
    taken: set[tuple[int, int | None, int]] = set()
    clicks.sort(key=_sort_key)
    for click in clicks:
        first = 0
        for bit, place in (
            (FIRST_ON_PLACEMENT, (FIRST_ON_PLACEMENT, click.link_id, click.n)),
            (FIRST_ON_LINK, (FIRST_ON_LINK, click.link_id, 0)),
            (FIRST_IN_ISSUE, (FIRST_IN_ISSUE, click.issue_id, 0)),
            (FIRST_ON_SITE, (FIRST_ON_SITE, 0, 0)),
        ):
            if place not in taken:
                taken.add(place)
                first |= bit
        yield click, first if click.issue_id is not None else first & ~FIRST_IN_ISSUE


def _sort_key(click: Click | StoredVisit) -> tuple[int, str]:
    return click.ts, click.id
