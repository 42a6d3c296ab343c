"""What the ranking is given: issues, showings of articles with their clicks, arrivals by age, signals.

Everything is a plain count or time; who counted, and from what, is not this room's concern.
"""

import math
from collections.abc import Iterable

from msgspec import Struct

from shortener.errors import InputError

MAX_COUNT = 10**12  # far above any newsletter, far below where floats stop counting by one


class Issue(Struct, frozen=True):
    """One sent issue; ``sent`` in epoch seconds, ``recipients`` None when nobody wrote it down."""

    slug: str
    title: str
    sent_at: float
    recipients: int | None = None


class Placement(Struct, frozen=True):
    """The ``links`` of one kind that an article has in an issue, and their clicks together."""

    kind: str
    clicks: int
    links: int = 1


class Appearance(Struct, frozen=True):
    """One article in one issue: ``clicks`` are human visitors where known, else human clicks, by ``as_of``.

    ``url`` is the canonical target, the same in every issue that carries the article. ``position`` is the
    article's place, 1 at the top, None when unknown. ``placements`` may sum to more than ``clicks``: a
    visitor who used both the image and the title is one visitor. Two showings of one article in one issue
    are merged.
    """

    issue: str
    url: str
    clicks: int
    position: int | None = None
    placements: tuple[Placement, ...] = ()


class Arrival(Struct, frozen=True):
    """Clicks of a whole issue that came between ``start`` and ``end`` hours after it was sent."""

    issue: str
    start_hours: float
    end_hours: float
    clicks: int


class Signal(Struct, frozen=True):
    """What another platform counted for an article: landed (views), stayed (reads), applauded (fans)."""

    url: str
    views: int | None = None
    reads: int | None = None
    fans: int | None = None


class History(Struct, frozen=True):
    """All that is known on the day of ranking; the order of the rows never matters. ``titles`` go by URL."""

    issues: tuple[Issue, ...] = ()
    appearances: tuple[Appearance, ...] = ()
    arrivals: tuple[Arrival, ...] = ()
    signals: tuple[Signal, ...] = ()
    titles: dict[str, str] = {}


def check_history(history: History) -> None:
    """Refuse a history that cannot be counted with; raises InputError that names the row and the mend."""
    slugs = _require_unique((issue.slug for issue in history.issues), "issue")
    _require_unique((signal.url for signal in history.signals), "signals row for")
    for issue in history.issues:
        _check_issue(issue)
    for showing in history.appearances:
        _require_known_issue(showing.issue, slugs)
        _check_appearance(showing)
    for arrival in history.arrivals:
        _require_known_issue(arrival.issue, slugs)
        _check_arrival(arrival)
    for signal in history.signals:
        for count in (signal.views, signal.reads, signal.fans):
            _check_count(count or 0, f"signals of {signal.url}")


def _require_unique(names: Iterable[str], label: str) -> set[str]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InputError(f"{label} {name!r} is given twice; give it once")
        seen.add(name)
    return seen


def _require_known_issue(slug: str, known_slugs: set[str]) -> None:
    if slug not in known_slugs:
        raise InputError(f"counts name the issue {slug!r}, which is unknown; add the issue first")


def _check_issue(issue: Issue) -> None:
    if not math.isfinite(issue.sent_at):
        raise InputError(f"issue {issue.slug!r} has no usable sending time; set it with --sent-at")
    if issue.recipients is not None and not 1 <= issue.recipients <= MAX_COUNT:
        raise InputError(f"issue {issue.slug!r} has {issue.recipients} recipients; give 1 or more, or none")


def _check_appearance(appearance: Appearance) -> None:
    where = f"{appearance.url} in issue {appearance.issue!r}"
    _check_count(appearance.clicks, where)
    if appearance.position is not None and not 1 <= appearance.position <= MAX_COUNT:
        raise InputError(f"{where} has position {appearance.position}; positions count from 1")
    for placement in appearance.placements:
        _check_count(placement.clicks, where)
        if not 1 <= placement.links <= MAX_COUNT:
            raise InputError(
                f"{where} has {placement.links} links of kind {placement.kind!r}; give 1 or more"
            )


def _check_arrival(arrival: Arrival) -> None:
    where = f"arrivals of issue {arrival.issue!r}"
    _check_count(arrival.clicks, where)
    if not (
        math.isfinite(arrival.start_hours)
        and math.isfinite(arrival.end_hours)
        and arrival.start_hours < arrival.end_hours
    ):
        raise InputError(
            f"{where} run from {arrival.start_hours} to {arrival.end_hours} hours; the end must be later"
        )


def _check_count(count: int, label: str) -> None:
    if not 0 <= count <= MAX_COUNT:
        raise InputError(f"{label}: {count} is not a count; give a number from 0 to {MAX_COUNT}")
