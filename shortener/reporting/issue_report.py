"""Report of one issue: its human clicks by article, by link, by hour, and by properties such as the browser."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, tzinfo

from msgspec import Struct

from shortener.config import Domain
from shortener.reporting.completeness import add_completeness
from shortener.reporting.counts import (
    Breakdown,
    PlacementCount,
    TimelineHour,
    Totals,
    build_breakdown,
    build_timeline,
    click_rate,
    has_visitors,
    sum_by_verdict,
    to_datetime,
    to_datetime_or_none,
    zone_name,
)
from shortener.reporting.local_time import has_utc_hours
from shortener.reporting.outlook import Outlook
from shortener.reporting.quality import Quality, assess_quality, clicked_hours, is_settling
from shortener.short_urls import build_short_url
from shortener.store import Store, issues, links, listings, reports
from shortener.store.issues import Article, Issue, Placement
from shortener.store.listings import LinkDetails
from shortener.store.reports import ClickTotals
from shortener.store.rollup_tables import SUM_COLUMNS


class ArticleReport(Struct, frozen=True):
    """Human clicks on an article of an issue."""

    position: int
    url: str
    title: str
    clicks: int
    """Human clicks, including ``unplaced``."""
    visitors: int | None
    """People who clicked, each counted once a day for each link; None if unknown."""
    rate: float | None
    """Visitors divided by recipients; None if either number is unknown."""
    placements: tuple[PlacementCount, ...]
    """Uses of the article's links in the issue."""
    author: str
    section: str
    unplaced: int
    """Human clicks that cannot be assigned to one of the ``placements``."""
    other: int
    """Number of automated requests."""
    short_urls: tuple[str, ...]


class OtherLinkReport(Struct, frozen=True):
    """Human clicks on a link of the issue that leads to no article, such as a social link."""

    short_url: str
    target: str | None
    title: str
    clicks: int
    visitors: int | None
    """None if unknown."""
    rate: float | None
    """Visitors divided by recipients; None if either number is unknown."""
    placements: tuple[PlacementCount, ...]
    """Uses of the link in the issue."""
    unplaced: int
    """Human clicks that cannot be assigned to one of the ``placements``."""
    other: int
    """Number of automated requests."""
    trap: bool = False
    """Whether it is a honeypot link, which readers do not see."""
    role: str = "other"
    """Either "inline" (a link in running text) or "other"."""


class RerunSuggestion(Struct, frozen=True):
    """A suggestion to show an article again at another position, to learn how much a position matters."""

    url: str
    title: str
    position: int
    """Position in the reported issue."""
    new_position: int
    """Suggested position in a later issue."""
    uncertainty_removed: float
    """Share (0 to 1) by which the uncertainty about the effect of positions falls if the suggestion is followed."""
    shown_again: str | None
    """Slug of the first later issue that has the article at another position; None if there is none."""
    shown_position: int | None
    """Position in the issue ``shown_again``."""
    open: bool
    """True until an issue is sent after the reported one."""


class IssueReport(Struct, frozen=True):
    """Report of one issue: its human clicks by article, by link, by hour, and by properties such as the browser."""

    slug: str
    as_of: datetime
    totals: Totals
    recipients: int | None
    quality: Quality
    articles: tuple[ArticleReport, ...]
    """All articles by position, also those without clicks."""
    timeline: tuple[TimelineHour, ...]
    title: str
    sent_at: datetime | None
    rate: float | None
    """Visitors divided by recipients; None if either number is unknown."""
    links: tuple[OtherLinkReport, ...]
    """Links that lead to no article."""
    breakdown: Breakdown
    timezone: str
    """Time zone of the hours of ``timeline``."""
    settling: bool = False
    """Whether the report may include clicks of the last 15 minutes, whose verdicts can still change."""
    # ``ranking.complete_report`` fills in the next two fields, which is slow.
    reruns: tuple[RerunSuggestion, ...] = ()
    """At most two articles that are worth showing again at another position."""
    outlook: Outlook | None = None
    """Comparison with earlier issues, and forecast of the final count; None for an issue unsent or without clicks."""


def build_issue_report(
    store: Store,
    slug: str,
    *,
    as_of: int,
    domains: Sequence[Domain] = (),
    zone: tzinfo = UTC,  # time zone of the timeline
) -> IssueReport:
    """Return the report of the issue with this slug. Raises NotFound.

    ``as_of`` is the present time in seconds of the UTC epoch.
    """
    issue = issues.get(store, slug)
    sums = reports.issue_totals(store, issue.id)
    values = reports.issue_breakdown(store, issue.id)
    clicks = sum_by_verdict(sums)
    visitors = sum(row.issue_visitors for row in sums) if has_visitors(sums) else None
    builder = _IssueReportBuilder(store, issue, sums=sums, domains=domains)
    hourly = has_utc_hours(reports.clicked_range(store, issue_id=issue.id), zone)
    timeline = build_timeline(reports.issue_timeline(store, issue.id, hourly=hourly), zone=zone)
    return IssueReport(
        slug=issue.slug,
        as_of=to_datetime(as_of),
        totals=Totals(clicks, visitors),
        recipients=issue.recipients,
        quality=add_completeness(assess_quality(clicks, values), store, as_of=as_of, hours=clicked_hours(timeline)),
        articles=builder.article_reports(),
        timezone=zone_name(zone),
        timeline=timeline,
        title=issue.title,
        sent_at=to_datetime_or_none(issue.sent_at),
        rate=click_rate(visitors, issue.recipients),
        links=builder.other_link_reports(),
        breakdown=build_breakdown(values, human=clicks.human),
        settling=is_settling(timeline, as_of=as_of),
    )


class _PlacementTotals(Struct, frozen=True):
    """Click counts of one placement, which is one use of a link in an issue."""

    link: LinkDetails
    placement: Placement | None
    """None for clicks on the link that cannot be assigned to a placement."""
    totals: ClickTotals


class _IssueReportBuilder:
    """Builds the reports of the articles of an issue, and of the links that belong to no article."""

    def __init__(self, store: Store, issue: Issue, *, sums: list[ClickTotals], domains: Sequence[Domain]) -> None:
        self._recipients = issue.recipients
        self._domains = domains
        self._has_visitors = has_visitors(sums)
        self._articles = {article.id: article for article in issues.list_articles(store, issue.id)}
        self._totals_by_article: dict[int, list[_PlacementTotals]] = {}
        self._totals_by_link: dict[int, list[_PlacementTotals]] = {}
        placements = issues.list_placements(store, issue.id)
        first_placements: dict[int, Placement] = {}
        for placement in placements:
            first_placements.setdefault(placement.link_id, placement)
        issue_links = links.list_by_issue(store, issue.id)
        self._honeypot_link_ids = {link.id for link in issue_links if link.honeypot}
        unused_link_ids = {link.id for link in issue_links} - first_placements.keys()
        for row in _load_placement_totals(store, sums, placements, unused_link_ids=unused_link_ids):
            article = self._article_of_clicks(row, first_placements.get(row.link.id))
            if article is not None and article.position is not None:
                self._totals_by_article.setdefault(article.id, []).append(row)
            else:
                self._totals_by_link.setdefault(row.link.id, []).append(row)

    def _known(self, visitors: int) -> int | None:
        return visitors if self._has_visitors else None

    def _article_of_clicks(self, row: _PlacementTotals, first_placement: Placement | None) -> Article | None:
        if row.placement:
            return self._articles.get(row.placement.article_id or 0)
        article = self._articles.get(row.link.article_id or 0)
        if article is None and first_placement:
            article = self._articles.get(first_placement.article_id or 0)
        return article

    def article_reports(self) -> tuple[ArticleReport, ...]:
        """Return the reports of all articles by position, also of those without clicks."""
        return tuple(
            self._article_report(article, article.position, self._totals_by_article.get(article.id, []))
            for article in self._articles.values()
            if article.position is not None
        )

    def _article_report(self, article: Article, position: int, rows: list[_PlacementTotals]) -> ArticleReport:
        visitors = self._known(sum(row.totals.link_visitors for row in rows))
        clicks = sum_by_verdict(row.totals for row in rows)
        return ArticleReport(
            position=position,
            url=article.url,
            title=article.title,
            clicks=clicks.human,
            visitors=visitors,
            rate=click_rate(visitors, self._recipients),
            placements=self._placement_counts(rows),
            author=article.author,
            section=article.section,
            unplaced=_clicks_without_placement(rows),
            other=clicks.automated,
            short_urls=tuple(dict.fromkeys(self._short_url(row.link) for row in rows)),
        )

    def other_link_reports(self) -> tuple[OtherLinkReport, ...]:
        """Return the reports of the links that belong to no article.

        Links in running text come first.
        """
        # Within the two groups, the oldest link is first.
        reports = [self._other_link_report(rows) for _, rows in sorted(self._totals_by_link.items())]
        return tuple(sorted(reports, key=_is_other))

    def _other_link_report(self, rows: list[_PlacementTotals]) -> OtherLinkReport:
        link = rows[0].link
        visitors = self._known(sum(row.totals.link_visitors for row in rows))
        clicks = sum_by_verdict(row.totals for row in rows)
        return OtherLinkReport(
            short_url=self._short_url(link),
            target=link.target,
            title=link.title or link.article_title,
            clicks=clicks.human,
            visitors=visitors,
            rate=click_rate(visitors, self._recipients),
            placements=self._placement_counts(rows),
            unplaced=_clicks_without_placement(rows),
            other=clicks.automated,
            trap=link.id in self._honeypot_link_ids,
            role=self._role(rows[0]),
        )

    def _role(self, row: _PlacementTotals) -> str:
        article = self._article_of_clicks(row, None)
        return article.role if article and article.role != "article" else "other"

    def _placement_counts(self, rows: Iterable[_PlacementTotals]) -> tuple[PlacementCount, ...]:
        counts = [
            PlacementCount(
                n=row.placement.n,
                kind=row.placement.kind,
                clicks=row.totals.human,
                visitors=self._known(row.totals.visitors),
                short_url=self._short_url(row.link),
                text=row.placement.text,
                other=sum_by_verdict([row.totals]).automated,
            )
            for row in rows
            if row.placement
        ]
        return tuple(sorted(counts, key=lambda count: (count.n, count.short_url)))

    def _short_url(self, link: LinkDetails) -> str:
        return build_short_url(link.domain, link.code, domains=self._domains)


def _load_placement_totals(
    store: Store, sums: Iterable[ClickTotals], placements: Iterable[Placement], *, unused_link_ids: set[int]
) -> list[_PlacementTotals]:
    """Return the click counts of each use of a link in an issue."""
    # Uses without clicks are included. The entry of an unused link has the placement number 0.
    placements_by_key = {(placement.link_id, placement.n): placement for placement in placements}
    sums_by_key = {(row.link_id, row.n): row for row in sums}
    keys = sorted(sums_by_key.keys() | placements_by_key.keys() | {(link_id, 0) for link_id in unused_link_ids})
    details = listings.link_details_by_id(store, {link_id for link_id, _ in keys})
    return [
        _PlacementTotals(
            details[link_id],
            placements_by_key.get((link_id, n)),
            sums_by_key.get((link_id, n)) or ClickTotals(0, link_id, n, *[0] * len(SUM_COLUMNS)),
        )
        for link_id, n in keys
    ]


def _clicks_without_placement(rows: Iterable[_PlacementTotals]) -> int:
    return sum(row.totals.human for row in rows if not row.placement)


def _is_other(report: OtherLinkReport) -> bool:
    return report.role != "inline"
