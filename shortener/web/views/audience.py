"""View of an issue's audience: the number of clicks by device, country, language and other properties."""

from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlencode

from babel import Locale, UnknownLocaleError
from flask import Blueprint, render_template, request, url_for
from markupsafe import Markup
from msgspec import Struct

from shortener.reporting.audience import (
    AudiencePart,
    build_audience,
    clicks_with_value,
    judge_share,
    significant_differences,
    usual_share,
)
from shortener.reporting.forecast import Usual
from shortener.reporting.issue_report import IssueReport
from shortener.reporting.outlook import Judgement, find_compared_issues
from shortener.short_urls import build_short_url
from shortener.store import issues
from shortener.web.context import config, role_required, store
from shortener.web.filters import format_percent, join_percent_signs
from shortener.web.issue_sentence import MAX_NAMED_ARTICLES, name_articles
from shortener.web.languages import current_language
from shortener.web.languages import gettext as _
from shortener.web.next_step import find_next_step
from shortener.web.views.reports import load_report

blueprint = Blueprint("audience", __name__, url_prefix="/-/issues")

DIMENSIONS = ("device", "browser", "os", "language", "referrer", "country")
"""Properties in the order of their panels; they are the names of the filters, too."""


class Bar(Struct, frozen=True):
    """A bar for the clicks with one value of a property, such as one country."""

    name: str
    clicks: int
    share: float
    """Part of all clicks, from 0 to 1."""
    url: str
    """URL of the page with the value as the filter, or ''."""
    is_chosen: bool = False
    is_known: bool = True


class Panel(Struct, frozen=True):
    """A bar chart of the clicks by the values of one property, such as the country."""

    dimension: str
    title: str
    bars: Sequence[Bar]


class Filter(Struct, frozen=True):
    """The property and value by which the page is filtered, with their names in the language of the page.

    ``clicks`` is the number of matching clicks.
    """

    dimension: str
    value: str
    title: str
    name: str
    clicks: int


class ArticleShare(Struct, frozen=True):
    """The clicks on one article that match the filter of the page, such as clicks from one country."""

    position: int | None
    """Position in the issue; None for the sum of the links that are not articles."""
    title: str
    url: str
    clicks: int
    share: float
    """The article's part of all matching clicks, from 0 to 1."""
    usual: float
    """The article's part of all clicks in the issue, from 0 to 1."""
    difference: float = 0.0
    """Standard errors by which ``share`` is above the article's part of all other clicks; 0 if it can be chance."""

    @property
    def tone(self) -> Judgement:
        """Comparison of the article's share of clicks between readers who match the filter and other readers.

        "usual" means that the difference can be chance.
        """
        return "above" if self.difference > 0 else "below" if self.difference < 0 else "usual"


@blueprint.get("/<slug>/audience")
@role_required("viewer")
def show_audience(slug: str) -> str:
    """Show the clicks of an issue by device, country and other properties.

    A filter such as ?device=phone adds the matching clicks on each article.
    """
    report = load_report(slug)
    issue_id = issues.get(store(), slug).id
    audience = build_audience(store(), issue_id, human=report.totals.clicks.human)
    chosen = _read_filter(audience)
    phone = next((part.share for part in audience["device"] if part.value == "phone"), None)
    usual = usual_share(store(), find_compared_issues(store(), slug).earlier, "device", "phone")
    # Without a filter, the first sentence is about the readers on phones.
    described = chosen or _find_filter(audience, "device", "phone")
    shares = _article_shares(report, issue_id, described) if described else []
    return render_template(
        "audience.html",
        slug=slug,
        report=report,
        panels=_linked_panels(slug, audience, chosen),
        phone=phone,
        phone_comparison=compare_share(phone or 0.0, usual, clicks=report.totals.clicks.human),
        chosen=chosen,
        articles=shares,
        difference=_describe_differences(shares) if described and described.clicks < report.totals.clicks.human else "",
        next_step=find_next_step(report),
    )


def compare_share(share: float, usual: Usual | None, *, clicks: int) -> str:
    """Return a sentence that compares a share (0 to 1) of ``clicks`` with the usual one; '' if that is unknown."""
    if usual is None:
        return ""
    median = join_percent_signs(format_percent(usual.median))
    return {
        "above": _("That is more than your usual {usual}.", usual=median),
        "usual": _("That is about your usual {usual}.", usual=median),
        "below": _("That is less than your usual {usual}.", usual=median),
    }[judge_share(share, usual, clicks=clicks)]


def _describe_differences(shares: Sequence[ArticleShare]) -> Markup:
    order = sorted(shares, key=lambda share: -abs(share.difference))
    more, less = (
        name_articles([share.title for share in order if share.tone == tone][:MAX_NAMED_ARTICLES])
        for tone in ("above", "below")
    )
    if more and less:
        return _(
            "These readers clicked {more} more often than the others did, and {less} less often.", more=more, less=less
        )
    if more:
        return _("These readers clicked {more} more often than the others did.", more=more)
    if less:
        return _("These readers clicked {less} less often than the others did.", less=less)
    return _("These readers showed no clear preference for other articles, so one choice of articles fits all.")


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
        if value and (found := _find_filter(audience, dimension, value)):
            return found
    return None


def _find_filter(audience: Mapping[str, Sequence[AudiencePart]], dimension: str, value: str) -> Filter | None:
    for part in audience[dimension]:
        if part.value == value:
            return Filter(dimension, value, _titles()[dimension], value_name(dimension, value), part.clicks)
    return None


def _linked_panels(slug: str, audience: Mapping[str, Sequence[AudiencePart]], chosen: Filter | None) -> list[Panel]:
    def address(dimension: str, value: str) -> str:
        # Choosing the chosen value again removes the filter.
        page = url_for("audience.show_audience", slug=slug)
        is_chosen = chosen is not None and (chosen.dimension, chosen.value) == (dimension, value)
        return page if is_chosen else f"{page}?{urlencode({dimension: value})}#chosen"

    return build_panels(audience, address=address, chosen=chosen)


def build_panels(
    audience: Mapping[str, Sequence[AudiencePart]],
    *,
    address: Callable[[str, str], str] | None = None,  # URL for a property and its value; None for bars without links
    chosen: Filter | None = None,
) -> list[Panel]:
    """Return a bar chart of the clicks for each property that has known values."""
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
    clicks = {
        build_short_url(row.domain, row.code, domains=config().domains): row.clicks
        for row in clicks_with_value(store(), issue_id, chosen.dimension, chosen.value)
    }
    total, human = sum(clicks.values()) or 1, report.totals.clicks.human or 1
    counts = [sum(clicks.pop(url, 0) for url in article.short_urls) for article in report.articles]
    pairs = [(count, max(0, article.clicks - count)) for article, count in zip(report.articles, counts, strict=True)]
    differences = significant_differences(pairs, (total, max(0, human - total)))
    shares = []
    for article, count, difference in zip(report.articles, counts, differences, strict=True):
        title, usual = article.title or article.url, article.clicks / human
        url = url_for("articles.show_article", url=article.url)
        shares.append(ArticleShare(article.position, title, url, count, count / total, usual, difference))
    shares.sort(key=lambda share: -share.clicks)
    rest = sum(clicks.values())
    if rest or report.links:
        usual = sum(link.clicks for link in report.links) / human
        shares.append(ArticleShare(None, _("Inline and other links"), "", rest, rest / total, usual))
    return shares
