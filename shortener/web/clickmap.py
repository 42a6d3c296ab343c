"""The click map of an issue: a badge at each link shows how often the link was clicked."""

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct

from shortener.config import Domain
from shortener.ranking import RankedArticle
from shortener.reporting.counts import PlacementCount
from shortener.reporting.issue_report import ArticleReport, IssueReport, OtherLinkReport
from shortener.short_urls import parse_short_url
from shortener.web.filters import (
    NO_VALUE,
    format_multiple,
    format_number,
    format_percent,
    join_percent_signs,
    result_tone,
)
from shortener.web.issue_document import Badge, FindBadge
from shortener.web.languages import gettext as _

HEAT_LEVELS = 5
MAX_PLACEMENT_DIGITS = 5

Measure = Literal["share", "typical"]
"""What badges show: the share of all clicks, or the article's clicks as a multiple of the typical ones."""
# The number tells several appearances of a link in an issue apart.
LinkKey = tuple[str, str, int]
"""Host, code and number of a short URL such as ``https://host/code/3``; the number is 0 if it is missing."""


class MapPlacement(Struct, frozen=True):
    """One appearance of a link in an issue, for the table beside the click map."""

    kind: str
    text: str
    clicks: int
    share: float
    """Part of all clicks in the issue, from 0 to 1."""
    anchor: str
    """HTML id of the badge in the map."""


class MapRow(Struct, frozen=True):
    """A row of the table beside the click map: an article or another link."""

    title: str
    url: str
    position: int | None
    """Position of the article in the issue; None for another link."""
    clicks: int
    share: float
    """Part of all clicks in the issue, from 0 to 1."""
    placements: tuple[MapPlacement, ...]
    result: RankedArticle | None
    """The article's entry in the ranking; None if unknown."""


def placement_kinds() -> dict[str, str]:
    """Return the name of each kind of link (image, title, …) in the language of the page, by kind."""
    return {
        "image": _("image"),
        "title": _("title"),
        "more": _("read more"),
        "button": _("button"),
        "text": _("text"),
        "footer": _("footer"),
    }


def heat_level(clicks: int, max_clicks: int) -> int:
    """Return the intensity of a link's color in the click map, from 0 (no clicks) to HEAT_LEVELS (the most clicked)."""
    return 0 if not clicks else max(1, round(HEAT_LEVELS * clicks / max_clicks)) if max_clicks else 0


def comparison(result: RankedArticle | None) -> str:
    """Compare an article with a typical one: return "above", "usual", "below" or "unknown"."""
    return result_tone(result) if result and result.is_comparable else "unknown"


def articles_and_links(report: IssueReport) -> list[ArticleReport | OtherLinkReport]:
    """Return the articles of a report in the order of their positions, then its other links."""
    return [*report.articles, *report.links]


def map_rows(
    report: IssueReport, *, results: Mapping[str, RankedArticle], domains: Sequence[Domain]
) -> tuple[MapRow, ...]:
    """Return the rows of the table beside the click map: first the articles, then the other links with clicks."""
    total = max(1, report.totals.clicks.human)
    return tuple(
        _map_row(item, total=total, results=results, domains=domains)
        for item in articles_and_links(report)
        if item.clicks or isinstance(item, ArticleReport)
    )


def _map_row(
    item: ArticleReport | OtherLinkReport,
    *,
    total: int,
    results: Mapping[str, RankedArticle],
    domains: Sequence[Domain],
) -> MapRow:
    is_article = isinstance(item, ArticleReport)
    url = item.url if isinstance(item, ArticleReport) else item.target or item.short_url
    return MapRow(
        title=item.title,
        url=url,
        position=item.position if isinstance(item, ArticleReport) else None,
        clicks=item.clicks,
        share=item.clicks / total,
        placements=tuple(
            MapPlacement(each.kind, each.text, each.clicks, each.clicks / total, _badge_id(each, domains))
            for each in item.placements
        ),
        result=results.get(url) if is_article else None,
    )


def _badge_id(placement: PlacementCount, domains: Sequence[Domain]) -> str:
    key = parse_short_url(placement.short_url, domains=domains)
    return f"shortener-{key[1] if key else ''}-{placement.n}"


def badges(
    report: IssueReport, *, measure: Measure, results: Mapping[str, RankedArticle], domains: Sequence[Domain]
) -> dict[LinkKey, Badge]:
    """Return a badge (small label) for each short link in an issue.

    With the measure ``typical``, only links to articles get badges.
    """
    items = articles_and_links(report)
    most = max((each.clicks for item in items for each in item.placements), default=0)
    total = max(1, report.totals.clicks.human)
    found: dict[LinkKey, Badge] = {}
    for item in items:
        result = results.get(item.url) if isinstance(item, ArticleReport) else None
        for placement in item.placements:
            key = parse_short_url(placement.short_url, domains=domains)
            if key is None or (measure == "typical" and not isinstance(item, ArticleReport)):
                continue
            # The issue may have been sent with short URLs that have no placement number.
            counts = {placement.n: placement.clicks} | ({0: item.clicks} if len(item.placements) == 1 else {})
            for n, clicks in counts.items():
                tooltip, anchor = _tooltip(clicks, item, total=total), _badge_id(placement, domains)
                if measure == "typical":
                    text = format_multiple(result.appeal) if result and result.is_comparable else NO_VALUE
                    found[(*key, n)] = Badge(text, tooltip, comparison(result), anchor=anchor)
                else:
                    text = join_percent_signs(format_percent(clicks / total))
                    found[(*key, n)] = Badge(text, tooltip, "share", heat_level(clicks, most), anchor)
    return found


def _tooltip(clicks: int, item: ArticleReport | OtherLinkReport, *, total: int) -> str:
    values = {
        "clicks": format_number(clicks),
        "share": format_percent(clicks / total),
        "all": format_number(item.clicks),
        "all_share": format_percent(item.clicks / total),
    }
    if isinstance(item, ArticleReport):
        text = _(
            "{clicks} clicks here, {share} of all. Article {position} has {all} clicks, {all_share} of all.",
            position=item.position,
            **values,
        )
    else:
        text = _("{clicks} clicks here, {share} of all. This link has {all} clicks, {all_share} of all.", **values)
    return text.unescape()


def find_badge(badge_by_link: Mapping[LinkKey, Badge], *, domains: Sequence[Domain]) -> FindBadge:
    """Return a function that maps the URL of a link to its badge (small label), or to None."""

    def find(url: str) -> Badge | None:
        key = parse_short_url(url, domains=domains) if "://" in url else None
        if key is None:
            return None
        segment = url.partition("#")[0].partition("?")[0].rstrip("/").rpartition("/")[2]
        is_number = segment.isascii() and segment.isdigit() and len(segment) <= MAX_PLACEMENT_DIGITS
        return badge_by_link.get((*key, int(segment) if is_number else 0)) or badge_by_link.get((*key, 0))

    return find


def clicks_by_kind(report: IssueReport) -> dict[str, int]:
    """Return the clicks on the issue's articles by kind of link (image, title, …), the most clicked kind first."""
    sums: dict[str, int] = {}
    for article in report.articles:
        for placement in article.placements:
            sums[placement.kind] = sums.get(placement.kind, 0) + placement.clicks
    return dict(sorted(sums.items(), key=lambda pair: -pair[1]))
