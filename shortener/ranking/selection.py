"""Selection of the issues that the model is fitted to, and of the articles that the ranking shows.

The rules are in docs/ranking.md section 2.1.
"""

import re
from datetime import UTC, datetime, tzinfo

import msgspec
from msgspec import Struct

from shortener.durations import DAY_SECONDS, HOUR_SECONDS
from shortener.errors import InputError, NotFound
from shortener.messages import Message
from shortener.ranking.inputs import Appearance, Arrival, History, Issue, check_history

MIN_AGE_HOURS = 1.0
"""Age of an issue, in hours, from which its articles are ranked; before, the arrived share is an assumption."""
SECONDS_PER_MONTH = 30.4375 * DAY_SECONDS  # the mean length of a month


class ArticleFilter(Struct, frozen=True):
    """Which articles the ranking shows: all, or those of a month, of an issue or since a time.

    Raises InputError if several are given.
    """

    month: str | None = None
    """Articles last shown in this month (YYYY-MM in `zone`)."""
    issue: str | None = None
    """Articles of the issue with this slug."""
    zone: tzinfo = UTC
    since: float | None = None
    """Articles last shown in an issue sent since this time (epoch seconds)."""

    def __post_init__(self) -> None:
        """Raise InputError if more than one of the filters is given, or for an invalid month."""
        if sum(given is not None for given in (self.month, self.issue, self.since)) > 1:
            raise InputError(Message("rank either a month or an issue, not both"))
        if self.month is not None and not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", self.month):
            raise InputError(Message("month {month} is not a month; write it as 2021-04", month=repr(self.month)))


def select_articles(
    history: History,
    article_filter: ArticleFilter,
    *,
    as_of: float,  # epoch seconds
) -> tuple[History, set[str]]:
    """Return the data of the issues that can be ranked, and the URLs of the selected articles.

    Raises InputError, NotFound.
    """
    sent = select_sent(history, as_of=as_of)
    clicked = clicked_issues(sent)
    known = _restrict_to_issues(
        sent, [issue for issue in sent.issues if not why_unranked(issue, clicked=clicked, as_of=as_of)]
    )
    if article_filter.issue is not None:
        issue = find_issue(sent, article_filter.issue)
        return known, {appearance.url for appearance in known.appearances if appearance.issue == issue.slug}
    urls, month, zone = {row.url for row in known.appearances}, article_filter.month, article_filter.zone
    last_issues = last_issue_by_url(sent)
    if month is not None:
        urls = {url for url in urls if _month_sent(last_issues[url], zone) == month}
    if article_filter.since is not None:
        urls = {url for url in urls if last_issues[url].sent_at >= article_filter.since}
    return known, urls


def why_unranked(
    issue: Issue,
    *,
    clicked: set[str],  # slugs of the issues with clicks
    as_of: float,
) -> str:
    """Return a clause that says why the articles of a sent issue cannot be ranked yet; '' if they can be ranked."""
    if as_of - issue.sent_at < MIN_AGE_HOURS * HOUR_SECONDS:
        return Message("was sent less than an hour ago")
    return "" if issue.slug in clicked else Message("has no clicks yet")


def clicked_issues(sent: History) -> set[str]:
    """Return the slugs of the sent issues that have clicks."""
    rows: tuple[Appearance | Arrival, ...] = (*sent.appearances, *sent.arrivals)
    return {row.issue for row in rows if row.clicks}


def describe_missing(history: History, article_filter: ArticleFilter, *, as_of: float) -> str:
    """Return a sentence that says why the ranking has no articles. It is shown in place of the ranking."""
    sent = select_sent(history, as_of=as_of)
    asked = [
        issue
        for issue in sent.issues
        if article_filter.issue in {None, issue.slug}
        if article_filter.month in {None, _month_sent(issue, article_filter.zone)}
        if article_filter.since is None or issue.sent_at >= article_filter.since
    ]
    clicked = clicked_issues(sent)
    for issue in reversed(asked):
        if why := why_unranked(issue, clicked=clicked, as_of=as_of):
            return Message("issue {slug} {why}: nothing to rank", slug=issue.slug, why=why)
    if article_filter.issue:
        return Message("issue {slug} has no articles to rank", slug=article_filter.issue)
    if article_filter.month:
        return Message("no article was last shown in {month}: nothing to rank", month=article_filter.month)
    if article_filter.since is not None:
        return Message("no issue was sent in this period: nothing to rank")
    return Message("no article was shown by then: nothing to rank")


def select_sent(history: History, *, as_of: float) -> History:
    """Check a history, and return it without the issues sent after `as_of` (epoch seconds). The oldest issue is first.

    Raises InputError for an invalid history.
    """
    check_history(history)
    issues = [issue for issue in history.issues if issue.sent_at <= as_of]
    return _restrict_to_issues(history, sorted(issues, key=lambda issue: (issue.sent_at, issue.slug)))


def find_issue(history: History, slug: str) -> Issue:
    """Return the issue with this slug from a history of sent issues. Raises NotFound if there is none."""
    for issue in history.issues:
        if issue.slug == slug:
            return issue
    raise NotFound(Message("no issue {slug} was sent by then", slug=repr(slug)), kind="issue_not_found")


def last_issue_by_url(history: History) -> dict[str, Issue]:
    """Return the issue in which each article was last shown, by article URL."""
    issues = {issue.slug: issue for issue in history.issues}
    last_issues: dict[str, Issue] = {}
    for appearance in history.appearances:
        issue = issues[appearance.issue]
        previous = last_issues.get(appearance.url, issue)
        last_issues[appearance.url] = max(previous, issue, key=lambda issue: (issue.sent_at, issue.slug))
    return last_issues


def restrict_to_window(
    history: History,
    urls: set[str],
    *,
    months: float | None,  # None: the whole history
) -> History:
    """Return the history from `months` before to `months` after the articles `urls` were last shown.

    If `urls` has all articles, return the last `months`.
    """
    last_issues = last_issue_by_url(history)
    if months is None or not urls:
        return history
    times = [last_issues[url].sent_at for url in urls]
    # If all articles are listed, only the newest issue counts, so that older articles leave the list.
    newest, oldest = max(times), min(times) if len(urls) < len(last_issues) else max(times)
    width = months * SECONDS_PER_MONTH
    issues = [issue for issue in history.issues if oldest - width <= issue.sent_at <= newest + width]
    return _restrict_to_issues(history, issues)


def _restrict_to_issues(history: History, issues: list[Issue]) -> History:
    slugs = {issue.slug for issue in issues}
    return msgspec.structs.replace(
        history,
        issues=tuple(issues),
        appearances=tuple(row for row in history.appearances if row.issue in slugs),
        arrivals=tuple(row for row in history.arrivals if row.issue in slugs),
    )


def _month_sent(issue: Issue, zone: tzinfo) -> str:
    return datetime.fromtimestamp(issue.sent_at, zone).strftime("%Y-%m")
