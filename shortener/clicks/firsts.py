"""First visits: of a visitor's human clicks on a UTC day, the earliest on each placement, link, issue and the site."""

from collections.abc import Iterable, Iterator

from shortener.store.clicks import (
    DAY_SECONDS,
    FIRST_IN_ISSUE,
    FIRST_ON_LINK,
    FIRST_ON_PLACEMENT,
    FIRST_ON_SITE,
    Click,
)

Visit = tuple[int, str | None, int, int, int]
"""(the bit of ``clicks.first``, visitor, day, link or issue, n)."""


def assign(clicks: Iterable[Click]) -> Iterator[tuple[Click, int]]:
    """Each click with the first visits that are its own, as bits.

    The earliest click has them (of equal times the smaller id), whatever came in which order. Right where every
    human click of the visitors is among ``clicks``, or every one that is a first visit and all that are new.
    """
    taken: set[Visit] = set()
    for click in sorted(clicks, key=lambda click: (click.ts, click.id)):
        first = 0
        if click.visitor and click.verdict == "human":
            for visit in _visits(click):
                if visit not in taken:
                    taken.add(visit)
                    first |= visit[0]
        yield click, first


def _visits(click: Click) -> Iterator[Visit]:
    """All that a click can be the first visit of."""
    day = click.ts // (DAY_SECONDS * 1000)
    yield FIRST_ON_PLACEMENT, click.visitor, day, click.link_id, click.n
    yield FIRST_ON_LINK, click.visitor, day, click.link_id, 0
    yield FIRST_ON_SITE, click.visitor, day, 0, 0
    if click.issue_id is not None:
        yield FIRST_IN_ISSUE, click.visitor, day, click.issue_id, 0
