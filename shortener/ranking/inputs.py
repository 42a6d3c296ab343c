"""The input of the ranking: issues, articles, clicks with their arrival times, and counts from other platforms.

See docs/ranking.md section 2.
"""

import math
from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from shortener.errors import InputError

Counted = Literal["visitors", "clicks"]
"""Unit of the counts of an issue: human visitors, or human clicks if too few visitors are known."""

MAX_COUNT = 10**12
"""Largest accepted count: larger than any real one, and below 2^53, up to which floats hold every integer."""


class Issue(Struct, frozen=True):
    """One sent issue."""

    slug: str
    title: str
    sent_at: float
    """Seconds of the UTC epoch."""
    recipients: int | None = None
    """None if unknown."""
    counted: Counted = "clicks"
    """Unit of all counts of the issue. If it is "visitors", the fields named `clicks` have numbers of visitors."""
    total: int | None = None
    """Count of the whole issue, in which a visitor who clicks two articles counts once. None: the sum of its
    articles.
    """


# Elsewhere in the program a placement is a single link in an issue.
class Placement(Struct, frozen=True):
    """All links of one kind to an article in an issue, with their total clicks."""

    kind: str
    """Kind of link, such as title or image."""
    clicks: int
    links: int = 1


class Appearance(Struct, frozen=True):
    """One article in one issue, with its clicks up to the time of the ranking."""

    issue: str
    url: str
    """Normalized URL of the article, by which it is recognized in other issues."""
    clicks: int
    """Number of visitors if the issue counts visitors, else of clicks."""
    position: int | None = None
    """1 for the top of the issue; None if unknown."""
    placements: tuple[Placement, ...] = ()
    """The article's links by kind. Their clicks may add up to more than `clicks`: a visitor can click two kinds."""
    all_clicks: int | None = None
    """Number of clicks, if `clicks` is a number of visitors; may be None otherwise."""

    @property
    def click_count(self) -> int:
        """Number of clicks. The field `clicks` has the number of visitors instead, if the issue counts visitors."""
        return self.clicks if self.all_clicks is None else self.all_clicks


class Arrival(Struct, frozen=True):
    """The number of clicks of a whole issue in one interval of time, from `start_hours` to `end_hours`
    after sending.
    """

    issue: str
    start_hours: float
    end_hours: float
    clicks: int


class Signal(Struct, frozen=True):
    """What another platform counted for an article: page views, completed reads, and readers who applauded (fans)."""

    url: str
    views: int | None = None
    reads: int | None = None
    fans: int | None = None


class History(Struct, frozen=True):
    """All data from which a ranking is computed. The order of the rows has no effect."""

    issues: tuple[Issue, ...] = ()
    appearances: tuple[Appearance, ...] = ()
    arrivals: tuple[Arrival, ...] = ()
    signals: tuple[Signal, ...] = ()
    titles: dict[str, str] = {}
    """Titles by article URL. An unknown title is missing or ''."""
    authors: dict[str, str] = {}
    """Authors by article URL. An unknown author is missing or ''."""


def common_unit(issues: Iterable[Issue]) -> Counted:
    """Return what can be counted for all issues: "visitors" if each of them counts visitors, otherwise "clicks"."""
    return "visitors" if all(issue.counted == "visitors" for issue in issues) else "clicks"


def check_history(history: History) -> None:
    """Raise InputError if a history has impossible counts, duplicate rows or unknown issues. The message
    names the row.
    """
    slugs = _require_unique((issue.slug for issue in history.issues), "issue")
    _require_unique((signal.url for signal in history.signals), "signals row for")
    for issue in history.issues:
        _check_issue(issue)
    for appearance in history.appearances:
        _require_known_issue(appearance.issue, slugs)
        _check_appearance(appearance)
    for arrival in history.arrivals:
        _require_known_issue(arrival.issue, slugs)
        _check_arrival(arrival)
    for signal in history.signals:
        for count in (signal.views, signal.reads, signal.fans):
            _check_count(count or 0, f"signals of {signal.url}")


def _require_unique(names: Iterable[str], label: str) -> set[str]:
    unique: set[str] = set()
    for name in names:
        if name in unique:
            raise InputError(f"{label} {name!r} is given twice")
        unique.add(name)
    return unique


def _require_known_issue(slug: str, known_slugs: set[str]) -> None:
    if slug not in known_slugs:
        raise InputError(f"counts refer to the unknown issue {slug!r}")


def _check_issue(issue: Issue) -> None:
    if not math.isfinite(issue.sent_at):
        raise InputError(f"issue {issue.slug!r} has no valid sending time")
    if issue.recipients is not None and not 1 <= issue.recipients <= MAX_COUNT:
        raise InputError(f"issue {issue.slug!r} has {issue.recipients} recipients; give 1 or more, or none")


def _check_appearance(appearance: Appearance) -> None:
    label = f"{appearance.url} in issue {appearance.issue!r}"
    _check_count(appearance.clicks, label)
    if appearance.position is not None and not 1 <= appearance.position <= MAX_COUNT:
        raise InputError(f"{label} has position {appearance.position}; positions start at 1")
    for placement in appearance.placements:
        _check_count(placement.clicks, label)
        if not 1 <= placement.links <= MAX_COUNT:
            raise InputError(f"{label} has {placement.links} links of kind {placement.kind!r}; give 1 or more")


def _check_arrival(arrival: Arrival) -> None:
    label, start, end = f"arrivals of issue {arrival.issue!r}", arrival.start_hours, arrival.end_hours
    _check_count(arrival.clicks, label)
    if not (math.isfinite(start) and math.isfinite(end) and start < end):
        raise InputError(f"{label} run from {start} to {end} hours; the end must be after the start")


def _check_count(count: int, label: str) -> None:
    if not 0 <= count <= MAX_COUNT:
        raise InputError(f"{label}: {count} is not a valid count; give a number from 0 to {MAX_COUNT}")
