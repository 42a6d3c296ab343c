"""Which issues the fit uses, and which articles the list shows."""

import re
from datetime import UTC, datetime, tzinfo

import msgspec
from msgspec import Struct

from shortener.errors import InputError, NotFound
from shortener.ranking.inputs import History, Issue

SECONDS_PER_MONTH = 30.4375 * 86400  # seconds


class ArticleFilter(Struct, frozen=True):
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


def restrict_to_sent(history: History, as_of: float) -> History:
    """The history of the issues sent by ``as_of`` (epoch seconds), oldest issue first."""
    issues = sorted((i for i in history.issues if i.sent_at <= as_of), key=lambda i: (i.sent_at, i.slug))
    return _restrict_to_issues(history, issues)


def matching_urls(history: History, article_filter: ArticleFilter) -> set[str]:
    """URLs of the articles to list; raises NotFound for an issue that the (sent) history does not have."""
    if article_filter.issue is not None:
        if article_filter.issue not in {issue.slug for issue in history.issues}:
            raise NotFound(f"no issue {article_filter.issue!r} was sent by then; see the list of issues")
        return {s.url for s in history.appearances if s.issue == article_filter.issue}
    last = last_issue_by_url(history)
    if article_filter.month is None:
        return set(last)
    return {
        url for url, issue in last.items() if _month_sent(issue, article_filter.zone) == article_filter.month
    }


def last_issue_by_url(history: History) -> dict[str, Issue]:
    """The issue in which each article was last shown."""
    issues = {issue.slug: issue for issue in history.issues}
    last: dict[str, Issue] = {}
    for showing in history.appearances:
        issue = issues[showing.issue]
        have = last.get(showing.url, issue)
        last[showing.url] = max(have, issue, key=lambda i: (i.sent_at, i.slug))
    return last


def restrict_to_window(history: History, urls: set[str], *, months: float | None) -> History:
    """The issues no further than ``months`` from the last showing of a listed article; None keeps them all.

    When all articles are listed that is the last ``months`` of the history, and older articles drop out.
    """
    last = last_issue_by_url(history)
    if months is None or not urls:
        return history
    ends = [last[url].sent_at for url in urls]
    newest, oldest = max(ends), min(ends) if len(urls) < len(last) else max(ends)
    reach = months * SECONDS_PER_MONTH
    kept = [i for i in history.issues if oldest - reach <= i.sent_at <= newest + reach]
    return _restrict_to_issues(history, kept)


def _restrict_to_issues(history: History, issues: list[Issue]) -> History:
    slugs = {issue.slug for issue in issues}
    return msgspec.structs.replace(
        history,
        issues=tuple(issues),
        appearances=tuple(s for s in history.appearances if s.issue in slugs),
        arrivals=tuple(a for a in history.arrivals if a.issue in slugs),
    )


def _month_sent(issue: Issue, zone: tzinfo) -> str:
    return datetime.fromtimestamp(issue.sent_at, zone).strftime("%Y-%m")
