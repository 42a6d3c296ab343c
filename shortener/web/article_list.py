"""The filters of the page with the list of articles, and its rows in groups such as clear winners."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from flask import request
from msgspec import Struct

from shortener.durations import DAY_SECONDS
from shortener.ranking import CountedArticle, RankedArticle, Ranking
from shortener.ranking.certainty import ComparedGroup, Group, article_group
from shortener.store import articles, decisions
from shortener.store.articles import ArticleDetails, SentIssue
from shortener.store.decisions import Decision
from shortener.web.components import TableOrder, read_order
from shortener.web.context import config, now, store
from shortener.web.ranking_cache import RankingKey

WIDE_PERIODS = {"3-months": 92, "6-months": 183, "12-months": 366}
"""Days of the periods that are longer than a month."""
ALL = "all"
GROUPS: tuple[Group, ...] = ("winner", "typical", "below")
SORT_COLUMNS = ("typical", "visitors", "title", "sent")
DEFAULT_SORT = "-typical"
MAX_SEARCH_LENGTH = 200
PAGE_SIZE = 30
"""Rows of one page of the list."""


class ArticleFilterValues(Struct, frozen=True):
    """The filters of the list of articles, from the query string; '' means that a filter is not set."""

    period: str
    issue: str
    section: str
    search: str


class ArticleRow(Struct, frozen=True):
    """A row of the list of articles, for one article."""

    article: RankedArticle
    group: ComparedGroup
    month: str
    """Month (YYYY-MM) of the last issue with the article; '' if its sending time is unknown."""
    issue_title: str
    """Title of the last issue with the article."""
    sent_at: int | None
    """Sending time of the last issue with the article, in seconds of the UTC epoch."""
    details: ArticleDetails
    decision: Decision | None
    is_loved_by_few: bool


class RowGroup(Struct, frozen=True):
    """Rows of one group of articles: clear winners, typical, below typical, or not comparable."""

    name: ComparedGroup | None
    """Name of the group; None if the list is not grouped."""
    rows: Sequence[ArticleRow]
    total: int
    """Number of rows of the group on all pages of the list."""


def read_filters() -> ArticleFilterValues:
    """Return the filters in the query string of the request. Raises InputError for an invalid period."""
    values = request.args
    # Links to this page, and the form of a decision, use the name ``month``.
    period = values.get("period") or values.get("month") or request.form.get("month", "")
    if period not in {"", ALL, *WIDE_PERIODS}:
        decisions.check_month(period)
    search = values.get("q", "").strip()[:MAX_SEARCH_LENGTH]
    return ArticleFilterValues(period, values.get("issue", ""), values.get("section", ""), search)


def ranking_key(filters: ArticleFilterValues) -> RankingKey:
    """Return the selection of articles for a ranking: the issue in ``filters`` if one is set, else the period."""
    if filters.issue:
        return RankingKey(issue=filters.issue)
    if days := WIDE_PERIODS.get(filters.period):
        # The period begins at midnight UTC, so that the key of the cached ranking stays the same all day.
        return RankingKey(since=now() // DAY_SECONDS * DAY_SECONDS - days * DAY_SECONDS)
    return RankingKey() if filters.period == ALL else RankingKey(month=filters.period)


def month_of(sent_at: int) -> str:
    """Return the month (YYYY-MM) of a time (seconds of the UTC epoch) in the site's time zone."""
    return datetime.fromtimestamp(sent_at, UTC).astimezone(config().zone).strftime("%Y-%m")


def months_of(sent_issues: Iterable[SentIssue]) -> list[str]:
    """Return the distinct months (YYYY-MM) in which issues were sent, in the order of the issues."""
    return list(dict.fromkeys(month_of(issue.sent_at) for issue in sent_issues))


def build_rows(ranking: Ranking, sent_issues: Iterable[SentIssue]) -> list[ArticleRow]:
    """Return a row of the list of articles for each article of a ranking, in the order of the ranking."""
    issues = {issue.slug: issue for issue in sent_issues}
    months = {slug: month_of(issue.sent_at) for slug, issue in issues.items()}
    details = articles.details_by_url(store(), [article.url for article in ranking.articles])
    decided = {(decision.month, decision.url): decision for decision in decisions.list_all(store())}
    rows = []
    for article in ranking.articles:
        issue = issues.get(article.issue)
        month = months.get(article.issue, "")
        rows.append(
            ArticleRow(
                article=article,
                group=article_group(article),
                month=month,
                issue_title=issue.title if issue else article.issue,
                sent_at=issue.sent_at if issue else None,
                details=details.get(article.url, ArticleDetails()),
                decision=decided.get((month, article.url)),
                is_loved_by_few=article.url in ranking.loved_by_few,
            )
        )
    return rows


def list_sections(rows: Iterable[ArticleRow]) -> list[str]:
    """Return the names of the newsletter sections of these articles, in alphabetical order."""
    return sorted({row.details.section for row in rows if row.details.section}, key=str.casefold)


def filter_rows(rows: Iterable[ArticleRow], filters: ArticleFilterValues) -> list[ArticleRow]:
    """Return the rows that match both the newsletter section and the search text in ``filters``."""
    words = filters.search.casefold().split()
    return [
        row
        for row in rows
        if filters.section in ("", row.details.section)
        if all(word in f"{row.article.title} {row.details.author} {row.article.url}".casefold() for word in words)
    ]


def group_rows(
    rows: Sequence[ArticleRow],
    counted: str,  # what sorting by the column ``visitors`` compares: ``visitors`` or ``clicks``
) -> tuple[TableOrder, list[RowGroup]]:
    """Return the sort order from the query string, and the rows in this order.

    Rows that are not sorted by result are one group.
    """
    order = read_order(SORT_COLUMNS, default=DEFAULT_SORT)
    if order.key != "typical":
        values = {
            "visitors": lambda row: getattr(row.article, counted),
            "title": lambda row: row.article.title.casefold(),
            "sent": lambda row: row.sent_at,
        }
        return order, [RowGroup(None, order.sort(rows, values), len(rows))]
    groups = []
    names: tuple[ComparedGroup, ...] = GROUPS if order.descending else GROUPS[::-1]
    for name in (*names, "unknown"):
        members = [row for row in rows if row.group == name]
        groups.append(RowGroup(name, members if order.descending else members[::-1], len(members)))
    return order, groups


def cut_page(
    groups: Iterable[RowGroup],
    page: int,  # counted from 1
) -> list[RowGroup]:
    """Return the groups on one page of the list, each with only its rows on that page."""
    start, shown = (page - 1) * PAGE_SIZE, []
    for group in groups:
        rows = group.rows[max(start, 0) : max(start + PAGE_SIZE, 0)]
        if rows:
            shown.append(RowGroup(group.name, rows, group.total))
        start -= len(group.rows)
    return shown


def count_groups(rows: Iterable[ArticleRow]) -> Mapping[ComparedGroup, int]:
    """Return the number of rows in each group: clear winners, typical, below typical, and not comparable."""
    counts: dict[ComparedGroup, int] = dict.fromkeys((*GROUPS, "unknown"), 0)
    for row in rows:
        counts[row.group] += 1
    return counts


def filter_counted(counted: Iterable[CountedArticle], filters: ArticleFilterValues) -> list[CountedArticle]:
    """Return the articles whose title or URL contains every word of the search text."""
    words = filters.search.casefold().split()
    return [each for each in counted if all(word in f"{each.title} {each.url}".casefold() for word in words)]
