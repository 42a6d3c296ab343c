"""View of an issue's audience: the number of clicks by device, country, language and other properties."""

from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlencode

from babel import Locale, UnknownLocaleError
from flask import Blueprint, render_template, request, url_for
from msgspec import Struct

from shortener.reporting.audience import AudiencePart, build_audience, clicks_with_value
from shortener.reporting.issue_report import IssueReport
from shortener.short_urls import build_short_url
from shortener.store import issues
from shortener.web.context import config, role_required, store
from shortener.web.languages import current_language
from shortener.web.languages import gettext as _
from shortener.web.views.reports import load_report

blueprint = Blueprint("audience", __name__, url_prefix="/-/issues")

DIMENSIONS = ("device", "browser", "os", "language", "referrer", "country")
"""Properties in the order of their panels; they are the names of the filters, too."""


class Bar(Struct, frozen=True):
    """A row of a bar list: a value, such as a country, with its clicks.

    ``share`` (0 to 1) is the value's share of all clicks. ``url`` is the URL of the page with the value as the filter,
    or ''.
    """

    name: str
    clicks: int
    share: float
    url: str
    is_chosen: bool = False
    is_known: bool = True


class Panel(Struct, frozen=True):
    """The bar list of a property, such as country."""

    dimension: str
    title: str
    bars: Sequence[Bar]


class Filter(Struct, frozen=True):
    """The property and value by which the page is filtered, with their names in the language of the page."""

    dimension: str
    value: str
    title: str
    name: str


class ArticleShare(Struct, frozen=True):
    """The clicks on one article that match the filter of the page, such as clicks from one country.

    ``share`` (0 to 1) is the article's part of all matching clicks. ``usual`` (0 to 1) is the article's part of all
    clicks in the issue. ``position`` is None for the sum of the links that are not articles.
    """

    position: int | None
    title: str
    url: str
    clicks: int
    share: float
    usual: float


@blueprint.get("/<slug>/audience")
@role_required("viewer")
def show_audience(slug: str) -> str:
    """Show the clicks of an issue by device, country and other properties.

    With a filter such as ?device=phone, the page also shows the matching clicks on each article.
    """
    report = load_report(slug)
    issue_id = issues.get(store(), slug).id
    audience = build_audience(store(), issue_id, human=report.totals.clicks.human)
    chosen = _read_filter(audience)
    return render_template(
        "audience.html",
        slug=slug,
        report=report,
        panels=_panels(slug, audience, chosen),
        phone=next((part.share for part in audience["device"] if part.value == "phone"), None),
        chosen=chosen,
        articles=_article_shares(report, issue_id, chosen) if chosen else (),
    )


def _titles() -> dict[str, str]:
    return {
        "device": _("Device"),
        "browser": _("Browser or app"),
        "os": _("Operating system"),
        "language": _("Language"),
        "referrer": _("Referrer"),
        "country": _("Country"),
    }


def _read_filter(audience: Mapping[str, Sequence[AudiencePart]]) -> Filter | None:
    for dimension in DIMENSIONS:
        value = request.args.get(dimension, "")
        if value and any(part.value == value for part in audience[dimension]):
            return Filter(dimension, value, _titles()[dimension], value_name(dimension, value))
    return None


def _panels(slug: str, audience: Mapping[str, Sequence[AudiencePart]], chosen: Filter | None) -> list[Panel]:
    """Return the bar lists of an issue, with rows that are links to the filtered page."""

    def address(dimension: str, value: str) -> str:
        # Choosing the chosen value again removes the filter.
        page = url_for("audience.show_audience", slug=slug)
        is_chosen = chosen is not None and (chosen.dimension, chosen.value) == (dimension, value)
        return page if is_chosen else f"{page}?{urlencode({dimension: value})}#chosen"

    return build_panels(audience, address=address, chosen=chosen)


def build_panels(
    audience: Mapping[str, Sequence[AudiencePart]],
    *,
    address: Callable[[str, str], str] | None = None,
    chosen: Filter | None = None,
) -> list[Panel]:
    """Return a bar list for each property that has known values.

    ``address`` returns the URL of the page with a property and value as the filter. Without ``address``, the rows are
    not links.
    """
    titles = _titles()
    return [
        Panel(
            dimension,
            titles[dimension],
            [
                Bar(
                    value_name(dimension, part.value),
                    part.clicks,
                    part.share,
                    address(dimension, part.value) if address and part.value else "",
                    is_chosen=chosen is not None and (chosen.dimension, chosen.value) == (dimension, part.value),
                    is_known=bool(part.value),
                )
                for part in audience[dimension]
            ],
        )
        for dimension in DIMENSIONS
        if any(part.value for part in audience[dimension])
    ]


def value_name(dimension: str, value: str) -> str:
    """Return the name of a property's value, such as a country, in the language of the page."""
    if not value:
        return _("unknown")
    if dimension == "device":
        devices = {"phone": _("Phone"), "tablet": _("Tablet"), "computer": _("Computer"), "other": _("Other")}
        return devices.get(value, value)
    locale = current_language().locale
    if dimension == "country":
        return str(locale.territories.get(value, value))
    if dimension == "language":
        try:
            return str(Locale.parse(value, sep="-").get_display_name(locale) or value)
        except (ValueError, UnknownLocaleError):
            return value
    return value


def _article_shares(report: IssueReport, issue_id: int, chosen: Filter) -> list[ArticleShare]:
    """Return the clicks on each article that match the filter, the most clicked first."""
    clicks = {
        build_short_url(row.domain, row.code, domains=config().domains): row.clicks
        for row in clicks_with_value(store(), issue_id, chosen.dimension, chosen.value)
    }
    total, human = sum(clicks.values()) or 1, report.totals.clicks.human or 1
    shares = []
    for article in report.articles:
        count = sum(clicks.pop(url, 0) for url in article.short_urls)
        title = article.title or article.url
        url = url_for("articles.show_article", url=article.url)
        shares.append(ArticleShare(article.position, title, url, count, count / total, article.clicks / human))
    shares.sort(key=lambda share: -share.clicks)
    rest = sum(clicks.values())
    if rest or report.links:
        usual = sum(link.clicks for link in report.links) / human
        shares.append(ArticleShare(None, _("Inline and other links"), "", rest, rest / total, usual))
    return shares
