"""Load the ranking's input: issues, articles in issues, arrival times of clicks, and counts from other platforms."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol, TypeVar

from msgspec import Struct

from shortener.durations import HOUR_SECONDS, QUARTER_HOUR_SECONDS
from shortener.ranking.inputs import Appearance, Arrival, History, Issue, Placement, Signal
from shortener.reporting.counts import are_visitors_known
from shortener.reporting.issue_list import effective_sent_at
from shortener.store import Store, issue_clicks, listings, signals
from shortener.store.issue_clicks import ArticlePlacement, HumanClicks, RankedArticle
from shortener.store.listings import IssueSummary

HOURLY_ARRIVAL_HOURS = 72
"""Hours after sending during which clicks are counted by the hour; later clicks are counted by the day."""


class _IssueCounts(Struct, frozen=True):
    """Visitors and human clicks of an issue, in total and by (link id, placement number).

    A placement is one use of a link.
    """

    has_visitors: bool
    """Whether ``total``, ``link_counts`` and ``placement_counts`` are visitors; otherwise they are human clicks."""
    total: int
    """Visitors of the whole issue, each counted once a day."""
    clicks: dict[tuple[int, int], int]
    """Human clicks, whether visitors are known or not."""
    link_counts: dict[tuple[int, int], int]
    """Visitors, each counted once a day for each link: at the placement of the visitor's first click on the link."""
    placement_counts: dict[tuple[int, int], int]
    """Visitors, each counted once a day for each placement."""


def load_history(store: Store, *, as_of: int) -> History:
    """Return the input of the ranking at ``as_of`` (seconds of the UTC epoch)."""
    issues = [issue for issue in listings.list_issues(store, with_hidden=True) if issue.removed_at is None]
    sent = {issue.id: start for issue in issues if (start := effective_sent_at(store, issue, as_of=as_of)) is not None}
    # A draft has neither a sending time nor a human click.
    issues = [issue for issue in issues if issue.id in sent]
    # Clicks count up to the end of the hour that contains ``as_of``.
    clicks = _group_by_issue(issue_clicks.human_clicks_by_placement(store, until=as_of))
    articles = _group_by_issue(issue_clicks.list_ranked_articles(store))
    placements = _group_by_issue(issue_clicks.article_placements(store))
    counts = {issue.id: _issue_counts(clicks.get(issue.id, [])) for issue in issues}
    appearances = (
        appearance
        for issue in issues
        for appearance in _appearances(
            issue, articles.get(issue.id, []), placements.get(issue.id, []), counts[issue.id]
        )
    )
    arrivals = (
        arrival
        for issue in issues
        for arrival in _arrivals(store, issue, sent[issue.id], counts[issue.id], as_of=as_of)
    )
    oldest_first = sorted(issues, key=lambda issue: sent[issue.id])
    latest_last = [article for issue in oldest_first for article in articles.get(issue.id, [])]
    return History(
        issues=tuple(
            Issue(
                issue.slug,
                issue.title,
                sent[issue.id],
                issue.recipients,
                counted="visitors" if counts[issue.id].has_visitors else "clicks",
                total=counts[issue.id].total,
            )
            for issue in issues
        ),
        appearances=tuple(appearances),
        arrivals=tuple(arrivals),
        # Counts from other platforms are always the latest, whatever ``as_of`` is.
        signals=tuple(
            Signal(signal.url, signal.views, signal.reads, signal.fans) for signal in signals.list_all(store)
        ),
        titles={article.url: article.title for article in latest_last if article.title},
        authors={article.url: article.author for article in latest_last if article.author},
    )


def _issue_counts(human_clicks: Iterable[HumanClicks]) -> _IssueCounts:
    rows = list(human_clicks)
    human = sum(row.clicks for row in rows)
    has_visitors = are_visitors_known(sum(row.visitor_clicks for row in rows), human=human)
    return _IssueCounts(
        has_visitors,
        sum(row.issue_visitors for row in rows) if has_visitors else human,
        {(row.link_id, row.n): row.clicks for row in rows},
        {(row.link_id, row.n): row.link_visitors if has_visitors else row.clicks for row in rows},
        {(row.link_id, row.n): row.visitors if has_visitors else row.clicks for row in rows},
    )


def _appearances(
    issue: IssueSummary,
    articles: Iterable[RankedArticle],
    article_placements: Sequence[ArticlePlacement],
    counts: _IssueCounts,
) -> Iterator[Appearance]:
    counted = _sums_by_article(article_placements, counts.link_counts)
    clicks = _sums_by_article(article_placements, counts.clicks)
    numbered: dict[int, list[ArticlePlacement]] = {}
    for placement in article_placements:
        if placement.n:
            numbered.setdefault(placement.article_id, []).append(placement)
    for article in articles:
        yield Appearance(
            issue=issue.slug,
            url=article.url,
            clicks=counted.get(article.id, 0),
            position=article.position,
            placements=tuple(_placements_by_kind(numbered.get(article.id, []), counts)),
            all_clicks=clicks.get(article.id, 0),
        )


def _sums_by_article(
    article_placements: Iterable[ArticlePlacement], counts: Mapping[tuple[int, int], int]
) -> dict[int, int]:
    article_ids: dict[tuple[int, int], int] = {}
    for row in article_placements:
        article_ids[row.link_id, row.n] = row.article_id
        # The number 0 is an unknown placement, which counts for the article of the link's first one.
        article_ids.setdefault((row.link_id, 0), row.article_id)
    sums: dict[int, int] = {}
    for (link_id, n), count in counts.items():
        article_id = article_ids.get((link_id, n), article_ids.get((link_id, 0), 0))
        sums[article_id] = sums.get(article_id, 0) + count
    return sums


def _placements_by_kind(rows: Iterable[ArticlePlacement], counts: _IssueCounts) -> Iterator[Placement]:
    clicks_by_kind: dict[str, list[int]] = {}
    for row in rows:
        count = counts.placement_counts.get((row.link_id, row.n), 0)
        clicks_by_kind.setdefault(row.kind, []).append(count)
    for kind, clicks in clicks_by_kind.items():
        yield Placement(kind=kind, clicks=sum(clicks), links=len(clicks))


def _arrivals(
    store: Store, issue: IssueSummary, sent_at: int, counts: _IssueCounts, *, as_of: int
) -> Iterator[Arrival]:
    periods = issue_clicks.human_clicks_by_period(
        store, issue.id, sent_at=sent_at, hourly_seconds=HOURLY_ARRIVAL_HOURS * HOUR_SECONDS, until=as_of
    )
    for period in periods:
        yield Arrival(
            issue=issue.slug,
            start_hours=max(0.0, (period.first_hour - sent_at) / HOUR_SECONDS),
            end_hours=(period.last_hour - sent_at) / HOUR_SECONDS + 1,
            clicks=period.link_visitors if counts.has_visitors else period.clicks,
        )


def load_issue_arrivals(store: Store, history: History, slugs: Iterable[str], *, as_of: int) -> tuple[Arrival, ...]:
    """Return the visitors or clicks of each issue by quarter-hour, with times in hours after sending.

    Clicks before sending count at hour 0.
    """
    found = {each.id: issue for each, issue in _stored_issues(store, history, set(slugs))}
    # Clicks on links that lead to no article are included.
    rows = issue_clicks.human_clicks_by_quarter_hour(store, dict.fromkeys(found, as_of))
    arrivals = []
    for row in rows:
        issue = found[row.issue_id]
        end = min(row.start + QUARTER_HOUR_SECONDS, as_of)
        arrivals.append(
            Arrival(
                issue=issue.slug,
                start_hours=max(0.0, (row.start - issue.sent_at) / HOUR_SECONDS),
                end_hours=max(0.0, (end - issue.sent_at) / HOUR_SECONDS),
                clicks=row.visitors if issue.counted == "visitors" else row.clicks,
            )
        )
    return tuple(arrivals)


def _stored_issues(store: Store, history: History, slugs: set[str]) -> Iterator[tuple[IssueSummary, Issue]]:
    known = {issue.slug: issue for issue in history.issues if issue.slug in slugs}
    for each in listings.list_issues(store, with_hidden=True):
        if each.slug in known:
            yield each, known[each.slug]


class _HasIssueId(Protocol):
    @property
    def issue_id(self) -> int: ...


_Row = TypeVar("_Row", bound=_HasIssueId)


def _group_by_issue(rows: Iterable[_Row]) -> dict[int, list[_Row]]:
    groups: dict[int, list[_Row]] = {}
    for row in rows:
        groups.setdefault(row.issue_id, []).append(row)
    return groups
