"""The four figures at the top of an issue's results page, each compared with earlier issues at the same age."""

from collections.abc import Sequence

from flask import url_for
from markupsafe import Markup
from msgspec import Struct

from shortener.reporting.forecast import Forecast, Usual
from shortener.reporting.issue_report import IssueReport
from shortener.reporting.outlook import Judgement, Outlook, UsualFigures, judge
from shortener.web.filters import format_number, format_percent, join_percent_signs
from shortener.web.issue_chart import format_forecast
from shortener.web.issue_sentence import compare_with_usual
from shortener.web.languages import gettext as _


class Figure(Struct, frozen=True):
    """A number with its label, a note, and a comparison with earlier issues."""

    label: str
    value: str
    live: str
    """Key of the number in the JSON at ``/-/issues/<slug>/live``, with which an open page updates its numbers."""
    tone: Judgement = "usual"
    comparison: str = ""
    note: str = ""


def build_figures(report: IssueReport, outlook: Outlook | None, usual: UsualFigures) -> Sequence[Figure]:
    """Return the four figures: visitors, click rate, clicks, and the share of requests filtered as automated."""
    counts_visitors = outlook is not None and outlook.counted == "visitors"
    usual_visitors = outlook.usual_count if outlook is not None and counts_visitors else None
    usual_rate = outlook.usual_rate if outlook is not None else None
    forecast = outlook.forecast if outlook is not None else None
    return (
        Figure(
            label=_("Visitors"),
            value=format_number(report.totals.visitors, _("unknown")),
            live="visitors",
            tone=_tone(report.totals.visitors, usual_visitors),
            comparison=_compare_count(report.totals.visitors, usual_visitors),
            note=_expected(forecast) if counts_visitors else "",
        ),
        Figure(
            label=_("Click rate"),
            value=format_percent(report.rate, _("unknown")),
            live="rate",
            tone=_tone(report.rate, usual_rate),
            comparison=_compare_share(report.rate, usual_rate),
            note=_rate_note(report),
        ),
        Figure(
            label=_("Clicks"),
            value=format_number(report.totals.clicks.human),
            live="clicks",
            tone=_tone(report.totals.clicks.human, usual.clicks),
            comparison=_compare_count(report.totals.clicks.human, usual.clicks),
            note=_expected(forecast) if outlook and not counts_visitors else _clicks_note(report),
        ),
        Figure(
            label=_("Filtered as automated"),
            value=format_percent(report.quality.set_aside if report.quality.requests else None),
            live="filtered",
            comparison=join_percent_signs(_("usual {usual}", usual=format_percent(usual.filtered.median)))
            if usual.filtered
            else "",
            note=Markup('<a href="#quality">{}</a>').format(_("why?")) if report.quality.requests else "",
        ),
    )


def _tone(value: float | None, usual: Usual | None) -> Judgement:
    return "usual" if value is None or usual is None else judge(value, usual)


def _compare_count(count: int | None, usual: Usual | None) -> str:
    if count is None or usual is None:
        return ""
    return compare_with_usual(judge(count, usual), format_number(round(usual.median)))


def _compare_share(share: float | None, usual: Usual | None) -> str:
    if share is None or usual is None:
        return ""
    points, tone = round(100 * (share - usual.median), 1), judge(share, usual)
    values = {"points": format_number(abs(points)), "usual": join_percent_signs(format_percent(usual.median))}
    if tone == "usual" or not points:
        return compare_with_usual(tone, values["usual"])
    if points < 0:
        return _("{points} points below the usual {usual}", **values)
    return _("{points} points above the usual {usual}", **values)


def _expected(forecast: Forecast | None) -> str:
    if forecast is None:
        return ""
    expected, low, high = (format_forecast(value) for value in (forecast.expected, forecast.low, forecast.high))
    return _("expect about {expected} ({low} to {high})", expected=expected, low=low, high=high)


def _rate_note(report: IssueReport) -> str:
    if report.recipients:
        return _("of {recipients} recipients", recipients=format_number(report.recipients))
    address = url_for("setup.show_setup", slug=report.slug)
    return Markup('<a href="{}">{}</a>').format(address, _("add the number of recipients"))


def _clicks_note(report: IssueReport) -> str:
    if not report.totals.visitors:
        return ""
    return _("{number} per visitor", number=format_number(report.totals.clicks.human / report.totals.visitors))
