"""The sentences that say how an issue did: its figures beside the usual ones, and what to expect."""

from collections.abc import Iterator

from shortener.reporting.forecast import Usual
from shortener.reporting.issue_report import IssueReport
from shortener.reporting.outlook import Outlook
from shortener.web.filters import format_number, format_percent, join_percent_signs
from shortener.web.issue_chart import format_forecast
from shortener.web.languages import current_language, ngettext
from shortener.web.languages import gettext as _


def describe_issue(report: IssueReport, outlook: Outlook | None) -> str:
    """Return how the issue did, in one or two sentences; '' before its first click."""
    if not report.totals.clicks.human:
        return ""
    sentences = [_result(report, outlook), *_expectation(outlook)]
    return join_percent_signs(current_language().sentence_space.join(sentences))


def _result(report: IssueReport, outlook: Outlook | None) -> str:
    visitors = report.totals.visitors
    if visitors is None:
        return _clicks(report.totals.clicks.human, outlook)
    if report.rate is None:
        return _visitors(visitors, outlook)
    values = {
        "visitors": ngettext("{count} visitor", "{count} visitors", visitors),
        "rate": format_percent(report.rate),
    }
    if outlook is None or outlook.usual_rate is None:
        return _("{visitors}, {rate} of the recipients.", **values)
    values["usual"] = format_percent(outlook.usual_rate.median)
    if outlook.judgement == "above":
        return _("{visitors}, {rate}, above your usual {usual} at this age.", **values)
    if outlook.judgement == "below":
        return _("{visitors}, {rate}, below your usual {usual} at this age.", **values)
    return _("{visitors}, {rate}, about your usual {usual} at this age.", **values)


def _visitors(visitors: int, outlook: Outlook | None) -> str:
    text = ngettext("{count} visitor", "{count} visitors", visitors)
    return _compared(text, _usual_count(outlook, "visitors"), outlook)


def _clicks(clicks: int, outlook: Outlook | None) -> str:
    text = ngettext("{count} click", "{count} clicks", clicks)
    return _compared(text, _usual_count(outlook, "clicks"), outlook)


def _usual_count(outlook: Outlook | None, counted: str) -> Usual | None:
    return outlook.usual_count if outlook is not None and outlook.counted == counted else None


def _compared(count: str, usual: Usual | None, outlook: Outlook | None) -> str:
    if usual is None or outlook is None:
        return _("{count} so far.", count=count)
    median = format_number(round(usual.median))
    if outlook.judgement == "above":
        return _("{count}, above your usual {usual} at this age.", count=count, usual=median)
    if outlook.judgement == "below":
        return _("{count}, below your usual {usual} at this age.", count=count, usual=median)
    return _("{count}, about your usual {usual} at this age.", count=count, usual=median)


def _expectation(outlook: Outlook | None) -> Iterator[str]:
    if outlook is not None and outlook.forecast is not None:
        expected = format_forecast(outlook.forecast.expected)
        if outlook.counted == "visitors":
            yield _("Expect about {count} visitors in the end.", count=expected)
        else:
            yield _("Expect about {count} clicks in the end.", count=expected)
