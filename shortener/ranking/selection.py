"""Selection of the issues for the fit and of the articles for the list (docs/ranking.md section 2.1)."""

import re
from datetime import UTC, datetime, tzinfo

import msgspec
from msgspec import Struct

from shortener.durations import DAY_SECONDS
from shortener.errors import InputError, NotFound
from shortener.ranking.inputs import History, Issue, check_history

SECONDS_PER_MONTH = 30.4375 * DAY_SECONDS  # the mean length of a month


class ArticleFilter(Struct, frozen=True):
    """The articles to list: those last shown in a month (YYYY-MM in `zone`), those of one issue, or all.

    Raises InputError if both are given, or for an invalid month.
    """

    month: str | None = None
    issue: str | None = None
    zone: tzinfo = UTC

    def __post_init__(self) -> None:
        """Validate the filter."""
        if self.month is not None and self.issue is not None:
            raise InputError("rank either a month or an issue, not both")
        if self.month is not None and not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", self.month):
            raise InputError(f"month {self.month!r} is not a month; write it as 2021-04")


def select_articles(history: History, article_filter: ArticleFilter, *, as_of: float) -> tuple[History, set[str]]:
    """Check a history; return its issues sent by `as_of` (epoch seconds) and the URLs of the articles to list.

    Raises InputError for an invalid history, and NotFound if the issue of the filter was not sent by then.
    """
    sent = select_sent(history, as_of=as_of)
    if article_filter.issue is not None:
        issue = find_issue(sent, article_filter.issue)
        return sent, {appearance.url for appearance in sent.appearances if appearance.issue == issue.slug}
    last_issues, month = last_issue_by_url(sent), article_filter.month
    if month is None:
        return sent, set(last_issues)
    zone = article_filter.zone
    return sent, {url for url, issue in last_issues.items() if _month_sent(issue, zone) == month}


def select_sent(history: History, *, as_of: float) -> History:
    """Check a history and return its issues sent by `as_of` (epoch seconds), oldest first.

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
    raise NotFound(f"no issue {slug!r} was sent by then", kind="issue_not_found")


def last_issue_by_url(history: History) -> dict[str, Issue]:
    """Return the issue in which each article was last shown, by the article's URL."""
    issues = {issue.slug: issue for issue in history.issues}
    last_issues: dict[str, Issue] = {}
    for appearance in history.appearances:
        issue = issues[appearance.issue]
        previous = last_issues.get(appearance.url, issue)
        last_issues[appearance.url] = max(previous, issue, key=lambda issue: (issue.sent_at, issue.slug))
    return last_issues


def restrict_to_window(history: History, urls: set[str], *, months: float | None) -> History:
    """Return the history with only the issues at most `months` before or after the last appearance of a listed article.

    `urls` are the listed articles; None for `months` keeps all issues. If all articles are listed, the window is the
    last `months` of the history, so that older articles leave the list.
    """
    last_issues = last_issue_by_url(history)
    if months is None or not urls:
        return history
    times = [last_issues[url].sent_at for url in urls]
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
