"""Sentences that say how an issue did: its figures compared with earlier issues, and what to expect."""

from collections.abc import Iterable

from markupsafe import Markup

from shortener.reporting.forecast import MIN_USUAL_ISSUES
from shortener.reporting.outlook import Outlook, describe_age
from shortener.reporting.overview import SETTLED_DAYS
from shortener.web.filters import format_number, format_percent, join_percent_signs
from shortener.web.issue_chart import format_forecast
from shortener.web.languages import current_language, ngettext
from shortener.web.languages import gettext as _


def describe_issue(outlook: Outlook) -> Markup:
    """Return sentences with the result of an issue so far, the comparison with earlier issues, and the forecast."""
    return _join((_result(outlook), _forecast(outlook)))


def _join(sentences: Iterable[Markup | str]) -> Markup:
    space = Markup(current_language().sentence_space)  # noqa: S704
    return space.join(sentence for sentence in sentences if sentence)


def _result(outlook: Outlook) -> Markup:
    rate, usual, count = outlook.rate, outlook.usual_rate, outlook.count
    if rate is not None and usual is not None:
        values = {"rate": _percent(rate), "usual": _percent(usual.median), "age": describe_age(outlook.hours)}
        sentences = {
            "above": ngettext(
                "{count} visitor, {rate} of the recipients: above your usual {usual} {age}.",
                "{count} visitors, {rate} of the recipients: above your usual {usual} {age}.",
                count,
                **values,
            ),
            "usual": ngettext(
                "{count} visitor, {rate} of the recipients: about your usual {usual} {age}.",
                "{count} visitors, {rate} of the recipients: about your usual {usual} {age}.",
                count,
                **values,
            ),
            "below": ngettext(
                "{count} visitor, {rate} of the recipients: below your usual {usual} {age}.",
                "{count} visitors, {rate} of the recipients: below your usual {usual} {age}.",
                count,
                **values,
            ),
        }
        return sentences[outlook.judgement or "usual"]
    if outlook.usual_count is not None:
        return _count_sentence(outlook, usual=format_number(round(outlook.usual_count.median)))
    missing = ngettext(
        "Nothing to compare with yet: that takes {count} earlier issue.",
        "Nothing to compare with yet: that takes {count} earlier issues.",
        MIN_USUAL_ISSUES,
    )
    return _join((_count_alone(count, outlook), missing))


def _count_alone(count: int, outlook: Outlook) -> Markup:
    """Return a sentence with the count of an issue that cannot be compared with earlier ones."""
    is_settled = outlook.hours >= SETTLED_DAYS * 24
    if outlook.counted == "clicks":
        if is_settled:
            return ngettext("{count} click.", "{count} clicks.", count)
        return ngettext("{count} click so far.", "{count} clicks so far.", count)
    if outlook.rate is None:
        if is_settled:
            return ngettext("{count} visitor.", "{count} visitors.", count)
        return ngettext("{count} visitor so far.", "{count} visitors so far.", count)
    rate = _percent(outlook.rate)
    if is_settled:
        return ngettext(
            "{count} visitor, {rate} of the recipients.",
            "{count} visitors, {rate} of the recipients.",
            count,
            rate=rate,
        )
    return ngettext(
        "{count} visitor so far, {rate} of the recipients.",
        "{count} visitors so far, {rate} of the recipients.",
        count,
        rate=rate,
    )


def _count_sentence(outlook: Outlook, *, usual: str) -> Markup:
    count, judgement = outlook.count, outlook.judgement or "usual"
    values = {"usual": usual, "age": describe_age(outlook.hours)}
    if outlook.counted == "visitors":
        sentences = {
            "above": ngettext(
                "{count} visitor: above your usual {usual} {age}.",
                "{count} visitors: above your usual {usual} {age}.",
                count,
                **values,
            ),
            "usual": ngettext(
                "{count} visitor: about your usual {usual} {age}.",
                "{count} visitors: about your usual {usual} {age}.",
                count,
                **values,
            ),
            "below": ngettext(
                "{count} visitor: below your usual {usual} {age}.",
                "{count} visitors: below your usual {usual} {age}.",
                count,
                **values,
            ),
        }
        return sentences[judgement]
    return {
        "above": ngettext(
            "{count} click: above your usual {usual} {age}.",
            "{count} clicks: above your usual {usual} {age}.",
            count,
            **values,
        ),
        "usual": ngettext(
            "{count} click: about your usual {usual} {age}.",
            "{count} clicks: about your usual {usual} {age}.",
            count,
            **values,
        ),
        "below": ngettext(
            "{count} click: below your usual {usual} {age}.",
            "{count} clicks: below your usual {usual} {age}.",
            count,
            **values,
        ),
    }[judgement]


def _forecast(outlook: Outlook) -> Markup | str:
    forecast = outlook.forecast
    if forecast is None:
        return ""
    values = {
        "count": format_forecast(forecast.expected),
        "low": format_forecast(forecast.low),
        "high": format_forecast(forecast.high),
    }
    if outlook.counted == "visitors":
        return _("Expect about {count} visitors in the end ({low} to {high}).", **values)
    return _("Expect about {count} clicks in the end ({low} to {high}).", **values)


def _percent(share: float) -> str:
    return join_percent_signs(format_percent(share))
