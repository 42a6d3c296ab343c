"""Which issues the fit uses, and which articles the list shows."""

import re
from datetime import UTC, datetime, tzinfo

import msgspec
from msgspec import Struct

from shortener.errors import InputError, NotFound
from shortener.ranking.inputs import History, Issue

MONTH = 30.4375 * 86400  # seconds


class Listing(Struct, frozen=True):
    """What was asked for: all articles, those last shown in a month, or those of one issue."""

    month: str | None = None
    issue: str | None = None
    zone: tzinfo = UTC

    def __post_init__(self) -> None:
        """Refuse a listing that names two things, or a month that is none."""
        if self.month is not None and self.issue is not None:
            raise InputError("rank either a month or an issue, not both")
        if self.month is not None and not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", self.month):
            raise InputError(f"month {self.month!r} is not a month; write it as 2021-04")


def sent_by(history: History, as_of: float) -> History:
    """The history of the issues sent by ``as_of`` (epoch seconds), oldest issue first."""
    issues = sorted((i for i in history.issues if i.sent <= as_of), key=lambda i: (i.sent, i.slug))
    return _only(history, issues)


def listed(history: History, listing: Listing) -> set[str]:
    """URLs of the articles to list; raises NotFound for an issue that the (sent) history does not have."""
    if listing.issue is not None:
        if listing.issue not in {issue.slug for issue in history.issues}:
            raise NotFound(f"no issue {listing.issue!r} was sent by then; see the list of issues")
        return {s.url for s in history.showings if s.issue == listing.issue}
    last = last_issues(history)
    if listing.month is None:
        return set(last)
    return {url for url, issue in last.items() if _month(issue, listing.zone) == listing.month}


def last_issues(history: History) -> dict[str, Issue]:
    """The issue in which each article was last shown."""
    issues = {issue.slug: issue for issue in history.issues}
    last: dict[str, Issue] = {}
    for showing in history.showings:
        issue = issues[showing.issue]
        have = last.get(showing.url, issue)
        last[showing.url] = max(have, issue, key=lambda i: (i.sent, i.slug))
    return last


def within(history: History, urls: set[str], *, months: float | None) -> History:
    """The issues no further than ``months`` from the last showing of a listed article; None keeps them all.

    When all articles are listed that is the last ``months`` of the history, and older articles drop out.
    """
    last = last_issues(history)
    if months is None or not urls:
        return history
    ends = [last[url].sent for url in urls]
    newest, oldest = max(ends), min(ends) if len(urls) < len(last) else max(ends)
    reach = months * MONTH
    kept = [i for i in history.issues if oldest - reach <= i.sent <= newest + reach]
    return _only(history, kept)


def _only(history: History, issues: list[Issue]) -> History:
    slugs = {issue.slug for issue in issues}
    return msgspec.structs.replace(
        history,
        issues=tuple(issues),
        showings=tuple(s for s in history.showings if s.issue in slugs),
        arrivals=tuple(a for a in history.arrivals if a.issue in slugs),
    )


def _month(issue: Issue, zone: tzinfo) -> str:
    return datetime.fromtimestamp(issue.sent, zone).strftime("%Y-%m")
