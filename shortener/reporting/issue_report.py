"""The report of one issue: its articles and other links, when they were clicked, and by whom."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import Struct

from shortener.config import Domain
from shortener.reporting.counts import (
    Breakdown,
    Hour,
    PlacementCount,
    Totals,
    break_down,
    clicks_of,
    hours_of,
    moment,
    moment_or_none,
    rate,
)
from shortener.reporting.quality import Quality, assess, is_settling
from shortener.short_urls import short_url
from shortener.store import Store, links
from shortener.store import issues as stored
from shortener.store import reports as sql
from shortener.store.issues import Article, Issue, Placement
from shortener.store.reports import LinkRow, Sums


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


class LinkCount(Struct, frozen=True):
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
    timeline: tuple[Hour, ...]
    title: str
    sent_at: datetime | None
    rate: float | None
    links: tuple[LinkCount, ...]
    breakdown: Breakdown
    settling: bool = False
    """Whether clicks of the last 15 minutes may be among it, whose verdicts what comes next may still turn."""


def issue_report(store: Store, slug: str, *, as_of: int, domains: Sequence[Domain] = ()) -> IssueReport:
    """The report of an issue from the rollups; ``as_of`` (seconds of UTC epoch) is when it is made.

    ``domains`` say how short URLs begin. Raises NotFound.
    """
    issue = stored.get(store, slug)
    sums = sql.sums_of_issue(store, issue.id)
    values = sql.values_of_issue(store, issue.id)
    clicks = clicks_of(sums)
    visitors = sum(row.issue_visitors for row in sums)
    counted = _Counted(store, issue, sums=sums, domains=domains)
    timeline = hours_of(sql.hours_of_issue(store, issue.id))
    return IssueReport(
        slug=issue.slug,
        as_of=moment(as_of),
        totals=Totals(clicks, visitors),
        recipients=issue.recipients,
        quality=assess(clicks, values),
        articles=counted.articles(),
        timeline=timeline,
        title=issue.title,
        sent_at=moment_or_none(issue.sent_at),
        rate=rate(visitors, issue.recipients),
        links=counted.links(),
        breakdown=break_down(values, human=clicks.human),
        settling=is_settling(timeline, as_of=as_of),
    )


class _Cell(Struct, frozen=True):
    """One placement of a link, or (without) its clicks that came without one."""

    link: LinkRow
    placement: Placement | None
    sums: Sums


class _Counted:
    """The counts of one issue, laid out by article and, where there is none, by link."""

    def __init__(self, store: Store, issue: Issue, *, sums: list[Sums], domains: Sequence[Domain]) -> None:
        self._recipients = issue.recipients
        self._domains = domains
        self._articles = {article.id: article for article in stored.articles(store, issue.id)}
        self._of_article: dict[int, list[_Cell]] = {}
        self._of_link: dict[int, list[_Cell]] = {}
        placements = stored.placements(store, issue.id)
        first: dict[int, Placement] = {}
        for each in placements:
            first.setdefault(each.link_id, each)
        own = {link.id: link for link in links.of_issue(store, issue.id)}
        self._traps = {link.id for link in own.values() if link.trap}
        for cell in _cells(store, sums, placements, unplaced=own.keys() - first.keys()):
            article = self._article_of(cell, first.get(cell.link.id))
            if article is not None and article.position is not None:
                self._of_article.setdefault(article.id, []).append(cell)
            else:
                self._of_link.setdefault(cell.link.id, []).append(cell)

    def _article_of(self, cell: _Cell, first: Placement | None) -> Article | None:
        """The article of the placement; without one the link's, else its first placement's here."""
        if cell.placement:
            return self._articles.get(cell.placement.article_id or 0)
        own = self._articles.get(cell.link.article_id or 0)
        return own or (self._articles.get(first.article_id or 0) if first else None)

    def articles(self) -> tuple[ArticleReport, ...]:
        """All articles by position, clicked or not."""
        return tuple(
            self._article(article, article.position, self._of_article.get(article.id, []))
            for article in self._articles.values()
            if article.position is not None
        )

    def _article(self, article: Article, position: int, cells: list[_Cell]) -> ArticleReport:
        visitors = sum(cell.sums.link_visitors for cell in cells)
        clicks = clicks_of(cell.sums for cell in cells)
        return ArticleReport(
            position=position,
            url=article.url,
            title=article.title,
            clicks=clicks.human,
            visitors=visitors,
            rate=rate(visitors, self._recipients),
            placements=self._placements(cells),
            author=article.author,
            section=article.section,
            unplaced=_unplaced(cells),
            other=clicks.other,
            short_urls=tuple(dict.fromkeys(self._short_url(cell.link) for cell in cells)),
        )

    def links(self) -> tuple[LinkCount, ...]:
        """The links that lead to no article, in the order in which they were made."""
        return tuple(self._link(cells) for _, cells in sorted(self._of_link.items()))

    def _link(self, cells: list[_Cell]) -> LinkCount:
        link = cells[0].link
        visitors = sum(cell.sums.link_visitors for cell in cells)
        clicks = clicks_of(cell.sums for cell in cells)
        return LinkCount(
            short_url=self._short_url(link),
            target=link.target,
            title=link.title or link.article_title,
            clicks=clicks.human,
            visitors=visitors,
            rate=rate(visitors, self._recipients),
            placements=self._placements(cells),
            unplaced=_unplaced(cells),
            other=clicks.other,
            trap=cells[0].link.id in self._traps,
        )

    def _placements(self, cells: Iterable[_Cell]) -> tuple[PlacementCount, ...]:
        counts = [
            PlacementCount(
                n=cell.placement.n,
                kind=cell.placement.kind,
                clicks=cell.sums.human,
                visitors=cell.sums.visitors,
                short_url=self._short_url(cell.link),
                text=cell.placement.text,
                other=clicks_of([cell.sums]).other,
            )
            for cell in cells
            if cell.placement
        ]
        return tuple(sorted(counts, key=lambda each: (each.n, each.short_url)))

    def _short_url(self, link: LinkRow) -> str:
        return short_url(link.domain, link.code, domains=self._domains)


def _cells(
    store: Store, sums: Iterable[Sums], placements: Iterable[Placement], *, unplaced: set[int]
) -> list[_Cell]:
    """Every placement and every sum of an issue, once; links that are ``unplaced`` appear with nothing."""
    placed = {(each.link_id, each.n): each for each in placements}
    found = {(row.link_id, row.n): row for row in sums}
    keys = sorted(found.keys() | placed.keys() | {(link, 0) for link in unplaced})
    rows = sql.links_by_id(store, {link for link, _ in keys})
    return [
        _Cell(rows[link], placed.get((link, n)), found.get((link, n)) or Sums(0, link, n, *[0] * 9))
        for link, n in keys
    ]


def _unplaced(cells: Iterable[_Cell]) -> int:
    return sum(cell.sums.human for cell in cells if not cell.placement)
