"""Sentences that say how an issue did: its figures compared with earlier issues, and what to expect."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from markupsafe import Markup

from shortener.ranking import CountedArticle
from shortener.ranking.inputs import Counted
from shortener.ranking.result import MIN_COUNT
from shortener.reporting.forecast import MIN_USUAL_ISSUES
from shortener.reporting.outlook import Judgement, Outlook, describe_age
from shortener.reporting.overview import SETTLED_DAYS
from shortener.web.filters import format_number, format_percent, isolate, join_percent_signs
from shortener.web.issue_chart import format_forecast
from shortener.web.languages import current_language, ngettext
from shortener.web.languages import gettext as _

MAX_NAMED_ARTICLES = 2
"""How many of the most clicked articles a sentence names."""
MAX_TITLE_LENGTH = 60
"""Characters of a title in such a sentence."""


def describe_issue(outlook: Outlook) -> Markup:
    """Return sentences with the result of an issue so far, the comparison with earlier issues, and the forecast."""
    return _join((_result(outlook), _forecast(outlook)))


class CountedTitle(Protocol):
    """An article with its title and its counts; a count is None if it is unknown."""

    @property
    def title(self) -> str: ...
    @property
    def visitors(self) -> int | None: ...
    @property
    def clicks(self) -> int | None: ...


def describe_most(articles: Sequence[CountedTitle], *, counted: Counted) -> Markup | str:
    """Return a sentence that names the articles with the highest counts; '' if no count is clearly the highest."""
    counts = {each.title: getattr(each, counted) or 0 for each in articles if each.title}
    order = sorted(counts, key=lambda title: -counts[title])
    # At most half of the articles are named.
    number = min(MAX_NAMED_ARTICLES, len(order) // 2)
    # An article is not named if another one that has as many is not.
    next_count = max(MIN_COUNT - 1, counts[order[number]]) if order else 0
    names = name_articles([title for title in order[:number] if counts[title] > next_count])
    if not names:
        return ""
    return (
        _("Most visitors: {titles}.", titles=names)
        if counted == "visitors"
        else _("Most clicks: {titles}.", titles=names)
    )


def name_articles(titles: Sequence[str]) -> Markup:
    """Return the titles, shortened, as a list inside a sentence, such as "A, B and C"; '' for no titles."""
    return Markup(current_language().format_list([isolate(_cut(title)) for title in titles]))  # noqa: S704 - escaped


def _cut(title: str) -> str:
    return title if len(title) <= MAX_TITLE_LENGTH else f"{title[: MAX_TITLE_LENGTH - 1]}…"


def describe_counted(articles: Sequence[CountedArticle]) -> Markup | str:
    """Return a sentence about the articles with the most visitors or clicks; '' if no count is clearly the highest."""
    # If the visitors of any article are unknown, clicks are compared.
    is_by_visitors = all(each.visitors is not None for each in articles)
    return describe_most(articles, counted="visitors" if is_by_visitors else "clicks")


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
    missing = _("Too few earlier issues to compare this one with: that takes {count}.", count=MIN_USUAL_ISSUES)
    return _join((_count_without_comparison(count, outlook), missing))


def is_settled(outlook: Outlook) -> bool:
    """Return whether almost all clicks of an issue have arrived."""
    return outlook.hours >= SETTLED_DAYS * 24


def describe_comparison(outlook: Outlook) -> str:
    """Return a few words that compare an issue with earlier issues; '' if no comparison is possible."""
    if outlook.judgement is None:
        return ""
    if outlook.rate is not None and outlook.usual_rate is not None:
        usual = _percent(outlook.usual_rate.median)
    else:
        usual = format_number(round(outlook.usual_count.median)) if outlook.usual_count else ""
    if is_settled(outlook):
        return compare_with_usual(outlook.judgement, usual)
    values = {"usual": usual, "age": describe_age(outlook.hours)}
    return {
        "above": _("above usual {age} ({usual})", **values),
        "usual": _("as usual {age} ({usual})", **values),
        "below": _("below usual {age} ({usual})", **values),
    }[outlook.judgement]


def compare_with_usual(judgement: Judgement, usual: str) -> str:
    """Return words that compare a value with the usual value. ``usual`` is the usual value as formatted text."""
    return {
        "above": _("above the usual {usual}", usual=usual),
        "usual": _("about the usual {usual}", usual=usual),
        "below": _("below the usual {usual}", usual=usual),
    }[judgement]


def _count_without_comparison(count: int, outlook: Outlook) -> Markup:
    if outlook.counted == "clicks":
        if is_settled(outlook):
            return ngettext("{count} click.", "{count} clicks.", count)
        return ngettext("{count} click so far.", "{count} clicks so far.", count)
    if outlook.rate is None:
        if is_settled(outlook):
            return ngettext("{count} visitor.", "{count} visitors.", count)
        return ngettext("{count} visitor so far.", "{count} visitors so far.", count)
    rate = _percent(outlook.rate)
    if is_settled(outlook):
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
