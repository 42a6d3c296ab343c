"""What the ranking is given, from the rollups: issues, showings of articles, when clicks arrived; and signals."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

from msgspec import Struct

from shortener.ranking.inputs import Appearance, Arrival, History, Issue, Placement, Signal
from shortener.store import Store, signals
from shortener.store import reports as sql
from shortener.store.clicks import HOUR_SECONDS
from shortener.store.reports import ArticlePlacement, HumanClicks, IssueBasics, RankedArticle

HOURLY_ARRIVAL_HOURS = 72
"""Hours after sending from which arrivals are added up by the day: so are the curve's edges from there."""
MIN_VISITOR_SHARE = 0.5
"""Visitors per click below which the visitors of an issue count as unknown. Readers who may not be followed
are clicks without a visitor; where they are most of them, clicks are the better count."""


class _IssueCounts(Struct, frozen=True):
    """People's counts of one issue, in visitors where ``visitors`` are known, else in clicks.

    ``total`` by link and n holds visitors of the link, ``placed`` visitors of the placement.
    """

    has_visitors: bool
    link_counts: dict[tuple[int, int], int]
    placement_counts: dict[tuple[int, int], int]


def load_history(store: Store, *, as_of: int, draft_slug: str | None = None) -> History:
    """The history of all issues by ``as_of`` (seconds of UTC epoch), to the hour.

    An issue that has no time of sending and no clicks is a draft: left out, because it has shown nobody anything yet,
    unless ``draft`` names it.

    An article is the same in every issue that carries its canonical URL; what has no position is no article.
    Counts are visitors, or clicks in an issue whose visitors are mostly unknown. Signals are those of today:
    what other platforms counted earlier is not kept.
    """
    issues = [
        each
        for each in sql.list_issues(store)
        if each.slug == draft_slug or not _is_draft(store, each, as_of=as_of)
    ]
    sums = _group_by_issue(sql.human_clicks_by_placement(store, until=as_of))
    articles = _group_by_issue(sql.list_ranked_articles(store))
    shown = _group_by_issue(sql.article_placements(store))
    counts = {issue.id: _issue_counts(sums.get(issue.id, [])) for issue in issues}
    sent = {issue.id: effective_sent_at(store, issue, as_of=as_of) for issue in issues}
    showings = (
        showing
        for issue in issues
        for showing in _appearances(
            issue, articles.get(issue.id, []), shown.get(issue.id, []), counts[issue.id]
        )
    )
    arrivals = (
        arrival
        for issue in issues
        for arrival in _arrivals(store, issue, sent[issue.id], counts[issue.id], as_of=as_of)
    )
    return History(
        issues=tuple(
            Issue(
                each.slug,
                each.title,
                sent[each.id],
                each.recipients,
                counted="visitors" if counts[each.id].has_visitors else "clicks",
            )
            for each in issues
        ),
        appearances=tuple(showings),
        arrivals=tuple(arrivals),
        signals=tuple(
            Signal(each.url, each.views, each.reads, each.fans) for each in signals.list_all(store)
        ),
        titles=_titles(sorted(issues, key=lambda issue: sent[issue.id]), articles),
    )


def _is_draft(store: Store, issue: IssueBasics, *, as_of: int) -> bool:
    return issue.sent_at is None and sql.first_clicked_hour(store, issue.id, until=as_of) is None


def effective_sent_at(store: Store, issue: IssueBasics, *, as_of: int) -> int:
    """When an issue was sent or, as long as nobody wrote it down, the first hour in which a person clicked.

    One that nobody clicked is taken for sent just now: it waits to be sent, and its silence says nothing.
    """
    if issue.sent_at is not None:
        return issue.sent_at
    first = sql.first_clicked_hour(store, issue.id, until=as_of)
    return max(issue.created_at, as_of) if first is None else first


def _issue_counts(human_clicks: Iterable[HumanClicks]) -> _IssueCounts:
    rows = list(human_clicks)
    visitors = sum(row.link_visitors for row in rows) >= MIN_VISITOR_SHARE * sum(row.clicks for row in rows)
    return _IssueCounts(
        visitors,
        {(row.link_id, row.n): row.link_visitors if visitors else row.clicks for row in rows},
        {(row.link_id, row.n): row.visitors if visitors else row.clicks for row in rows},
    )


def _appearances(
    issue: IssueBasics,
    articles: Iterable[RankedArticle],
    article_placements: Sequence[ArticlePlacement],
    counts: _IssueCounts,
) -> Iterator[Appearance]:
    """One showing per article of an issue, clicked or not."""
    clicks = _clicks_by_article(article_placements, counts)
    placed: dict[int, list[ArticlePlacement]] = {}
    for row in article_placements:
        if row.n:
            placed.setdefault(row.article_id, []).append(row)
    for article in articles:
        yield Appearance(
            issue=issue.slug,
            url=article.url,
            clicks=clicks.get(article.id, 0),
            position=article.position,
            placements=tuple(_placements_by_kind(placed.get(article.id, []), counts)),
        )


def _clicks_by_article(
    article_placements: Iterable[ArticlePlacement], counts: _IssueCounts
) -> dict[int, int]:
    """The counts by article: that of the placement; without one the link's, else its first placement's."""
    owner: dict[tuple[int, int], int] = {}
    for row in article_placements:
        owner[row.link_id, row.n] = row.article_id
        owner.setdefault((row.link_id, 0), row.article_id)
    clicks: dict[int, int] = {}
    for (link, n), count in counts.link_counts.items():
        article = owner.get((link, n), owner.get((link, 0), 0))
        clicks[article] = clicks.get(article, 0) + count
    return clicks


def _placements_by_kind(rows: Iterable[ArticlePlacement], counts: _IssueCounts) -> Iterator[Placement]:
    """The placements of an article added up by kind."""
    kinds: dict[str, list[int]] = {}
    for row in rows:
        kinds.setdefault(row.kind, []).append(counts.placement_counts.get((row.link_id, row.n), 0))
    for kind, clicks in kinds.items():
        yield Placement(kind=kind, clicks=sum(clicks), links=len(clicks))


def _arrivals(
    store: Store, issue: IssueBasics, sent_at: int, counts: _IssueCounts, *, as_of: int
) -> Iterator[Arrival]:
    """When an issue's clicks came, in hours after sending; what came before it was sent is left out."""
    spans = sql.human_clicks_by_period(
        store, issue.id, sent_at=sent_at, hourly_seconds=HOURLY_ARRIVAL_HOURS * HOUR_SECONDS, until=as_of
    )
    for span in spans:
        yield Arrival(
            issue=issue.slug,
            start_hours=max(0.0, (span.first_hour - sent_at) / HOUR_SECONDS),
            end_hours=(span.last_hour - sent_at) / HOUR_SECONDS + 1,
            clicks=span.link_visitors if counts.has_visitors else span.clicks,
        )


def _titles(issues: Iterable[IssueBasics], articles: dict[int, list[RankedArticle]]) -> dict[str, str]:
    """The title of every article as its latest issue gives it."""
    return {
        article.url: article.title
        for issue in issues
        for article in articles.get(issue.id, [])
        if article.title
    }


class _HasIssueId(Protocol):
    @property
    def issue_id(self) -> int: ...


_Row = TypeVar("_Row", bound=_HasIssueId)


def _group_by_issue(rows: Iterable[_Row]) -> dict[int, list[_Row]]:
    found: dict[int, list[_Row]] = {}
    for row in rows:
        found.setdefault(row.issue_id, []).append(row)
    return found
