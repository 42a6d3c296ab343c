"""Filters, tests and globals of templates: numbers, shares, local times, URLs and small charts as text or markup."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec
from flask import Flask, get_flashed_messages
from markupsafe import Markup, escape

from shortener.durations import DAY_SECONDS, HOUR_SECONDS
from shortener.errors import StoreError
from shortener.ranking import RankedArticle
from shortener.ranking.certainty import ComparedGroup, article_group
from shortener.reporting.forecast import Usual
from shortener.reporting.formatting import zone_abbreviation
from shortener.reporting.issue_names import name_issues
from shortener.reporting.outlook import Judgement
from shortener.services import accounts
from shortener.store.accounts import Role
from shortener.web import context
from shortener.web.field_errors import find_form, unshown_error
from shortener.web.languages import current_language, gettext, ngettext, translate, translated_text

NO_VALUE = "\u2013"
"""Shown in place of a missing value (an en dash)."""
SPARKLINE_WIDTH, SPARKLINE_HEIGHT, SPARKLINE_POINTS = 96, 24, 24


def init_app(app: Flask) -> None:
    """Register the template filters, tests and globals of an app."""
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(
        number=format_number,
        percent=format_percent,
        multiple=format_multiple,
        usual=format_usual,
        tone=result_tone,
        datetime=format_datetime,
        date=format_date,
        month_name=format_month,
        datetime_local=format_datetime_local,
        duration=format_duration,
        display_url=display_url,
        breakable=breakable,
        capitalized=capitalized,
        isolated=isolate,
        marked=mark_words,
        sparkline=sparkline,
        issue_names=name_issues,
    )
    app.jinja_env.tests["future"] = is_future
    app.jinja_env.tests["recent"] = is_recent
    app.jinja_env.tests["below"] = is_below

    def template_globals() -> dict[str, Any]:
        return {
            "config": context.config(),
            "user": _template_user,
            "may": _has_role,
            "notices": get_flashed_messages,
            "form": find_form,
            "unshown_error": unshown_error,
        }

    app.context_processor(template_globals)


def _template_user() -> Any:
    try:
        return context.current_user_or_none()
    except StoreError:
        # Error pages must be shown even if the store cannot be read.
        return None


def _has_role(role: Role) -> bool:
    user = _template_user()
    return user is not None and accounts.role_allows(user.role, role)


def format_number(value: float | None, missing: str = NO_VALUE) -> str:
    """Format a number, such as 1,234; return ``missing`` for None.

    Floats below 10 get one decimal, and larger ones are rounded to whole numbers.
    """
    if value is None:
        return missing
    language = current_language()
    if isinstance(value, int) or value >= 9.95:
        return language.format_number(value)
    if 0 < value < 0.05:
        return f"< {language.format_number(0.1, decimals=1)}"
    return language.format_number(value, decimals=1)


def format_percent(share: float | None, missing: str = NO_VALUE) -> str:
    """Format a share (0 to 1) as a percentage, such as 37 % or 4.2 %. None gives ``missing``."""
    if share is None:
        return missing
    language = current_language()
    if 0 < share < 0.0005:
        return f"< {language.format_percent(0.001, decimals=1)}"
    return language.format_percent(share, decimals=0 if share >= 0.0995 or not share else 1)


def result_tone(result: RankedArticle | None) -> Judgement:
    """Compare an article with a typical one: return "above", "usual" or "below".

    Return "usual" if the difference can be chance or is unknown.
    """
    if result is None:
        return "usual"
    # A difference can be chance if the typical result is inside the 90 % interval of the article's result.
    return _TONES[article_group(result)]


_TONES: Mapping[ComparedGroup, Judgement] = {
    "winner": "above",
    "typical": "usual",
    "below": "below",
    "unknown": "usual",
}


def format_usual(usual: Usual | None) -> str:
    """Format the usual value of earlier issues and its range, as in "280 (240 to 330)"; '' for None."""
    return "" if usual is None else format_range(usual.median, usual.low, usual.high)


def format_range(middle: float, low: float, high: float) -> str:
    """Format a value with its range in whole numbers, as in "280 (240 to 330)"."""
    middle_text, low_text, high_text = (format_number(round(value)) for value in (middle, low, high))
    return gettext("{middle} ({low} to {high})", middle=middle_text, low=low_text, high=high_text)


def join_percent_signs(text: str) -> str:
    """Replace the space before each percent sign by a no-break space."""
    return text.replace(" %", "\u00a0%")


def format_multiple(multiple: float | None) -> str:
    """Format a factor with about two significant digits (12, 1.8, 0.05) and a multiplication sign."""
    if multiple is None:
        return NO_VALUE
    digits = 0 if multiple >= 9.95 else 1 if multiple >= 0.095 else 2
    return f"{current_language().format_number(multiple, decimals=digits)}\u00d7"


def _to_local(value: datetime | int) -> datetime:
    instant = datetime.fromtimestamp(value, UTC) if isinstance(value, int) else value
    return instant.astimezone(context.config().zone)


def format_datetime(value: datetime | int | None) -> Markup:
    """Return a ``<time>`` element with date and time in the site's time zone, and the zone's abbreviation."""
    return _time_element(value, _local_datetime)


def format_plain_datetime(value: int) -> str:
    """Format a time (seconds of the UTC epoch) as ``format_datetime`` does, but without markup."""
    return _local_datetime(_to_local(value))


def _local_datetime(time: datetime) -> str:
    return f"{current_language().format_datetime(time)} {zone_abbreviation(time)}"


def format_date(value: datetime | int | None) -> Markup:
    """Return a ``<time>`` element with the date in the site's time zone."""
    return _time_element(value, current_language().format_date)


def format_day(value: datetime | int) -> str:
    """Format day and month of a time in the site's time zone, for a chart. An integer is seconds of the UTC epoch."""
    return current_language().format_day(_to_local(value))


def format_hour(value: int) -> str:
    """Format a time (seconds of the UTC epoch) as hours and minutes in the site's time zone, for a chart."""
    return current_language().format_time(_to_local(value))


def format_month(month: str) -> str:
    """Format a month such as 2026-11 as November 2026."""
    return current_language().format_month(datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC))


def _time_element(value: datetime | int | None, format_time: Callable[[datetime], str]) -> Markup:
    if value is None:
        return escape(NO_VALUE)
    local_time = _to_local(value)
    return Markup('<time datetime="{}">{}</time>').format(
        local_time.isoformat(timespec="seconds"), format_time(local_time)
    )


def is_future(instant: datetime) -> bool:
    """Return whether a time is after the time of the request."""
    return instant.timestamp() > context.now()


def is_below(path: str, paths: Sequence[str]) -> bool:
    """Return whether a path is one of ``paths`` or below one of them."""
    return any(path == parent or path.startswith((f"{parent}/", f"{parent}.")) for parent in paths)


def is_recent(instant: int | None) -> bool:
    """Return whether ``instant``, the time of a user's last request, is recent enough to be shown as "now"."""
    # The last use is stored only every SESSION_TOUCH_SECONDS, so that ``instant`` can be too early.
    return instant is not None and context.now() - instant < accounts.SESSION_TOUCH_SECONDS


def format_datetime_local(value: datetime | int | None) -> str:
    """Format a time in the site's time zone as the value of an ``<input type="datetime-local">``."""
    return "" if value is None else _to_local(value).strftime("%Y-%m-%dT%H:%M")


def format_duration(seconds: float) -> str:
    """Format a duration in seconds in one unit, rounded down: 40 minutes, 5 hours, 3 days."""
    if seconds >= 2 * DAY_SECONDS:
        return ngettext("{count} day", "{count} days", int(seconds // DAY_SECONDS))
    if seconds >= 2 * HOUR_SECONDS:
        return ngettext("{count} hour", "{count} hours", int(seconds // HOUR_SECONDS))
    return ngettext("{count} minute", "{count} minutes", int(seconds // 60))


def capitalized(text: str) -> str:
    """Return a message in the language of the page, beginning with a capital letter."""
    translated: str = translate(text)
    return translated[:1].upper() + translated[1:]


def plain_text(text: str) -> str:
    """Return a translated text without HTML escapes, for a script that shows it as plain text."""
    return text.unescape() if isinstance(text, Markup) else text


def display_url(url: str | None, max_length: int = 70) -> str:
    """Return a URL for display, without scheme and ``www.``. A URL longer than ``max_length`` characters loses its
    middle.
    """
    if not url:
        return NO_VALUE
    try:
        parts = urlsplit(url)
    except ValueError:
        return url[:max_length]
    text = parts.netloc.removeprefix("www.") + parts.path.rstrip("/") + (f"?{parts.query}" if parts.query else "")
    return text if len(text) <= max_length else f"{text[: max_length * 2 // 3]}…{text[-max_length // 4 :]}"


def breakable(url: str) -> Markup:
    """Return a URL as HTML in which a browser can start a new line after each slash."""
    return escape(url).replace("/", Markup("/<wbr>"))


def isolate(name: str) -> Markup:
    """Return a name in a ``<bdi>`` element, so that its text direction does not affect the sentence around it."""
    return Markup("<bdi>{}</bdi>").format(name)


def mark_words(text: str, words: Sequence[str]) -> Markup:
    """Return a text as HTML, with every occurrence of the words in a ``<mark>`` element. Case is ignored."""
    if not words:
        return escape(text)
    # The longest first, so that a word is marked whole where another one is its beginning.
    pattern = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    parts = re.split(f"({pattern})", text, flags=re.IGNORECASE)
    return Markup().join(
        Markup("<mark>{}</mark>").format(part) if index % 2 else part for index, part in enumerate(parts)
    )


def script_json(value: Any) -> Markup:
    """Return a value as JSON that is safe inside a ``<script>`` element."""
    text = msgspec.json.encode(value, enc_hook=translated_text).decode()
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return Markup(text)  # noqa: S704 - the loop escaped all that is special in HTML


def sparkline(values: Sequence[float]) -> Markup:
    """Return a small line chart of the values as SVG, with at most SPARKLINE_POINTS points; '' if all are 0."""
    if not any(values):
        return escape("")
    step = (SPARKLINE_WIDTH - 2) / (SPARKLINE_POINTS - 1)
    scale = (SPARKLINE_HEIGHT - 4) / max(values)
    points = " ".join(
        f"{index * step + 1:.1f},{SPARKLINE_HEIGHT - 2 - value * scale:.1f}" for index, value in enumerate(values)
    )
    return Markup(
        '<svg class="spark" viewBox="0 0 {} {}" width="{}" height="{}" aria-hidden="true"><polyline points="{}"/></svg>'
    ).format(SPARKLINE_WIDTH, SPARKLINE_HEIGHT, SPARKLINE_WIDTH, SPARKLINE_HEIGHT, points)
