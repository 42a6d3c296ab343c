"""The report of one issue: its articles and other links, when they were clicked, and by whom."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import Struct

from shortener.config import Domain
from shortener.reporting.counts import (
    Breakdown,
    PlacementCount,
    TimelineHour,
    Totals,
    build_breakdown,
    build_timeline,
    click_rate,
    sum_by_verdict,
    to_datetime,
    to_datetime_or_none,
)
from shortener.reporting.quality import Quality, assess_quality, is_settling
from shortener.short_urls import build_short_url
from shortener.store import Store, links, listings
from shortener.store import issues as stored
from shortener.store import reports as sql
from shortener.store.issues import Article, Issue, Placement
from shortener.store.listings import LinkDetails
from shortener.store.reports import ClickTotals


class ArticleReport(Struct, frozen=True):
    """Human clicks on an article's placements and, ``unplaced``, without one; together ``clicks``.

    ``visitors`` counts a person once a day and link. ``other`` are the requests of machines.
    """

    position: int
    url: str
    title: str
    clicks: int
    visitors: int
    rate: float | None
    placements: tuple[PlacementCount, ...]
    author: str
    section: str
    unplaced: int
    other: int
    short_urls: tuple[str, ...]


class OtherLinkReport(Struct, frozen=True):
    """A link of the issue that leads to no article, as far as it does not: footer, social and the like."""

    short_url: str
    target: str | None
    title: str
    clicks: int
    visitors: int
    rate: float | None
    placements: tuple[PlacementCount, ...]
    unplaced: int
    other: int
    trap: bool = False
    """Whether it is hidden in the issue: nobody but machines follows it."""


class IssueReport(Struct, frozen=True):
    """Everything that was counted of an issue; articles by position, clicked or not."""

    slug: str
    as_of: datetime
    totals: Totals
    recipients: int | None
    quality: Quality
    articles: tuple[ArticleReport, ...]
    timeline: tuple[TimelineHour, ...]
    title: str
    sent_at: datetime | None
    rate: float | None
    links: tuple[OtherLinkReport, ...]
    breakdown: Breakdown
    settling: bool = False
    """Whether clicks of the last 15 minutes may be among it, whose verdicts what comes next may still turn."""


def build_issue_report(store: Store, slug: str, *, as_of: int, domains: Sequence[Domain] = ()) -> IssueReport:
    """The report of an issue from the rollups; ``as_of`` (seconds of UTC epoch) is when it is made.

    ``domains`` say how short URLs begin. Raises NotFound.
    """
    issue = stored.get(store, slug)
    sums = sql.issue_totals(store, issue.id)
    values = sql.issue_breakdown(store, issue.id)
    clicks = sum_by_verdict(sums)
    visitors = sum(row.issue_visitors for row in sums)
    counted = _IssueReportBuilder(store, issue, sums=sums, domains=domains)
    timeline = build_timeline(sql.issue_timeline(store, issue.id))
    return IssueReport(
        slug=issue.slug,
        as_of=to_datetime(as_of),
        totals=Totals(clicks, visitors),
        recipients=issue.recipients,
        quality=assess_quality(clicks, values),
        articles=counted.article_reports(),
        timeline=timeline,
        title=issue.title,
        sent_at=to_datetime_or_none(issue.sent_at),
        rate=click_rate(visitors, issue.recipients),
        links=counted.other_link_reports(),
        breakdown=build_breakdown(values, human=clicks.human),
        settling=is_settling(timeline, as_of=as_of),
    )


class _PlacementTotals(Struct, frozen=True):
    """One placement of a link, or (without) its clicks that came without one."""

    link: LinkDetails
    placement: Placement | None
    totals: ClickTotals


class _IssueReportBuilder:
    """The counts of one issue, laid out by article and, where there is none, by link."""

    def __init__(
        self, store: Store, issue: Issue, *, sums: list[ClickTotals], domains: Sequence[Domain]
    ) -> None:
        self._recipients = issue.recipients
        self._domains = domains
        self._articles = {article.id: article for article in stored.list_articles(store, issue.id)}
        self._totals_by_article: dict[int, list[_PlacementTotals]] = {}
        self._totals_by_link: dict[int, list[_PlacementTotals]] = {}
        placements = stored.list_placements(store, issue.id)
        first: dict[int, Placement] = {}
        for each in placements:
            first.setdefault(each.link_id, each)
        own = {link.id: link for link in links.list_by_issue(store, issue.id)}
        self._honeypot_link_ids = {link.id for link in own.values() if link.honeypot}
        for cell in _load_placement_totals(store, sums, placements, unplaced=own.keys() - first.keys()):
            article = self._find_article(cell, first.get(cell.link.id))
            if article is not None and article.position is not None:
                self._totals_by_article.setdefault(article.id, []).append(cell)
            else:
                self._totals_by_link.setdefault(cell.link.id, []).append(cell)

    def _find_article(self, placement_totals: _PlacementTotals, first: Placement | None) -> Article | None:
        """The article of the placement; without one the link's, else its first placement's here."""
        if placement_totals.placement:
            return self._articles.get(placement_totals.placement.article_id or 0)
        own = self._articles.get(placement_totals.link.article_id or 0)
        return own or (self._articles.get(first.article_id or 0) if first else None)

    def article_reports(self) -> tuple[ArticleReport, ...]:
        """All articles by position, clicked or not."""
        return tuple(
            self._article_report(article, article.position, self._totals_by_article.get(article.id, []))
            for article in self._articles.values()
            if article.position is not None
        )

    def _article_report(
        self, article: Article, position: int, placement_totals: list[_PlacementTotals]
    ) -> ArticleReport:
        visitors = sum(cell.totals.link_visitors for cell in placement_totals)
        clicks = sum_by_verdict(cell.totals for cell in placement_totals)
        return ArticleReport(
            position=position,
            url=article.url,
            title=article.title,
            clicks=clicks.human,
            visitors=visitors,
            rate=click_rate(visitors, self._recipients),
            placements=self._placement_counts(placement_totals),
            author=article.author,
            section=article.section,
            unplaced=_clicks_without_placement(placement_totals),
            other=clicks.other,
            short_urls=tuple(dict.fromkeys(self._short_url(cell.link) for cell in placement_totals)),
        )

    def other_link_reports(self) -> tuple[OtherLinkReport, ...]:
        """The links that lead to no article, in the order in which they were made."""
        return tuple(self._other_link_report(cells) for _, cells in sorted(self._totals_by_link.items()))

    def _other_link_report(self, placement_totals: list[_PlacementTotals]) -> OtherLinkReport:
        link = placement_totals[0].link
        visitors = sum(cell.totals.link_visitors for cell in placement_totals)
        clicks = sum_by_verdict(cell.totals for cell in placement_totals)
        return OtherLinkReport(
            short_url=self._short_url(link),
            target=link.target,
            title=link.title or link.article_title,
            clicks=clicks.human,
            visitors=visitors,
            rate=click_rate(visitors, self._recipients),
            placements=self._placement_counts(placement_totals),
            unplaced=_clicks_without_placement(placement_totals),
            other=clicks.other,
            trap=placement_totals[0].link.id in self._honeypot_link_ids,
        )

    def _placement_counts(self, placement_totals: Iterable[_PlacementTotals]) -> tuple[PlacementCount, ...]:
        counts = [
            PlacementCount(
                n=cell.placement.n,
                kind=cell.placement.kind,
                clicks=cell.totals.human,
                visitors=cell.totals.visitors,
                short_url=self._short_url(cell.link),
                text=cell.placement.text,
                other=sum_by_verdict([cell.totals]).other,
            )
            for cell in placement_totals
            if cell.placement
        ]
        return tuple(sorted(counts, key=lambda each: (each.n, each.short_url)))

    def _short_url(self, link: LinkDetails) -> str:
        return build_short_url(link.domain, link.code, domains=self._domains)


def _load_placement_totals(
    store: Store, sums: Iterable[ClickTotals], placements: Iterable[Placement], *, unplaced: set[int]
) -> list[_PlacementTotals]:
    """Every placement and every sum of an issue, once; links that are ``unplaced`` appear with nothing."""
    placed = {(each.link_id, each.n): each for each in placements}
    found = {(row.link_id, row.n): row for row in sums}
    keys = sorted(found.keys() | placed.keys() | {(link, 0) for link in unplaced})
    rows = listings.link_details_by_id(store, {link for link, _ in keys})
    return [
        _PlacementTotals(
            rows[link], placed.get((link, n)), found.get((link, n)) or ClickTotals(0, link, n, *[0] * 9)
        )
        for link, n in keys
    ]


def _clicks_without_placement(placement_totals: Iterable[_PlacementTotals]) -> int:
    return sum(cell.totals.human for cell in placement_totals if not cell.placement)
