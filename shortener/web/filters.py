"""Template filters, tests and globals: numbers, shares, local times, URLs and small charts as text or markup."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec
from flask import Flask, get_flashed_messages
from markupsafe import Markup, escape

from shortener.config import Config
from shortener.durations import DAY_SECONDS, HOUR_SECONDS
from shortener.errors import StoreError
from shortener.reporting.formatting import zone_abbreviation
from shortener.reporting.outlook import describe_outlook
from shortener.services import accounts
from shortener.store.accounts import Role
from shortener.web import context
from shortener.web.field_errors import find_form, unshown_error

NO_VALUE = "\u2013"
"""Shown in place of a missing value (an en dash)."""
SPARKLINE_WIDTH, SPARKLINE_HEIGHT, SPARKLINE_POINTS = 96, 24, 24


def init_app(app: Flask, *, config: Config) -> None:
    """Register the template filters, tests and globals of an app."""
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(
        number=format_number,
        percent=format_percent,
        multiple=format_multiple,
        datetime=lambda value: format_datetime(value, config=config),
        date=lambda value: format_date(value, config=config),
        month_name=format_month,
        datetime_local=lambda value: format_datetime_local(value, config=config),
        duration=format_duration,
        outlook=lambda outlook: join_percent_signs(describe_outlook(outlook)),
        display_url=display_url,
        script_json=script_json,
        sparkline=sparkline,
        share_bar=share_bar,
    )
    app.jinja_env.tests["future"] = is_future
    app.jinja_env.tests["recent"] = is_recent
    app.jinja_env.tests["below"] = is_below

    def template_globals() -> dict[str, Any]:
        return {
            "config": config,
            "user": _template_user,
            "may": _has_role,
            "notices": get_flashed_messages,
            "form": find_form,
            "unshown_error": unshown_error,
        }

    app.context_processor(template_globals)


def _template_user() -> Any:
    """Return the signed-in user; None if there is none, or on the error page of a store that cannot be read."""
    try:
        return context.current_user_or_none()
    except StoreError:
        return None


def _has_role(role: Role) -> bool:
    user = _template_user()
    return user is not None and accounts.role_allows(user.role, role)


def format_number(value: float | None, missing: str = NO_VALUE) -> str:
    """Format a number: an integer as 1,234, a fraction with one decimal below 10; None gives ``missing``."""
    if value is None:
        return missing
    if isinstance(value, int) or value >= 9.95:
        return f"{value:,.0f}"
    return "< 0.1" if 0 < value < 0.05 else f"{value:,.1f}"


def format_percent(share: float | None, missing: str = NO_VALUE) -> str:
    """Format a share from 0 to 1 as a percentage; None gives ``missing``.

    It has one decimal below 10 %; a tiny share becomes "< 0.1 %".
    """
    if share is None:
        return missing
    if 0 < share < 0.0005:
        return "< 0.1 %"
    return f"{share:.0%}".replace("%", " %") if share >= 0.0995 or not share else f"{share * 100:.1f} %"


def join_percent_signs(text: str) -> str:
    """Return a text whose percent signs stay on the line of their number."""
    return text.replace(" %", "\u00a0%")


def format_multiple(multiple: float | None) -> str:
    """Format a factor with about two significant digits (12, 1.8, 0.05) and a multiplication sign."""
    if multiple is None:
        return NO_VALUE
    digits = 0 if multiple >= 9.95 else 1 if multiple >= 0.095 else 2
    return f"{multiple:.{digits}f}\u00d7"


def _to_local(value: datetime | int, config: Config) -> datetime:
    instant = datetime.fromtimestamp(value, UTC) if isinstance(value, int) else value
    return instant.astimezone(config.zone)


def format_datetime(value: datetime | int | None, *, config: Config) -> Markup:
    """Return a ``<time>`` element with the date and time in the site's time zone, to the minute, and the zone."""
    zone = "" if value is None else zone_abbreviation(_to_local(value, config))
    return _time_element(value, f"%-d %b %Y, %H:%M {zone}", config)


def format_date(value: datetime | int | None, *, config: Config) -> Markup:
    """Return a ``<time>`` element with the date in the site's time zone."""
    return _time_element(value, "%-d %b %Y", config)


def format_month(month: str) -> str:
    """Format a month such as 2026-11 as November 2026."""
    return datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC).strftime("%B %Y")


def _time_element(value: datetime | int | None, pattern: str, config: Config) -> Markup:
    if value is None:
        return escape(NO_VALUE)
    local_time = _to_local(value, config)
    return Markup('<time datetime="{}">{}</time>').format(
        local_time.isoformat(timespec="seconds"), local_time.strftime(pattern)
    )


def is_future(instant: datetime) -> bool:
    """Return whether a time is after the time of the request, as the sending time of a scheduled issue is."""
    return instant.timestamp() > context.now()


def is_below(path: str, paths: Sequence[str]) -> bool:
    """Return whether a path is one of ``paths`` or below one of them."""
    return any(path == parent or path.startswith((f"{parent}/", f"{parent}.")) for parent in paths)


def is_recent(instant: int | None) -> bool:
    """Return whether a user was seen so recently that the stored time may be outdated."""
    return instant is not None and context.now() - instant < accounts.SESSION_TOUCH_SECONDS


def format_datetime_local(value: datetime | int | None, *, config: Config) -> str:
    """Return a time as the value of an ``<input type="datetime-local">``, in the site's time zone."""
    return "" if value is None else _to_local(value, config).strftime("%Y-%m-%dT%H:%M")


def format_duration(seconds: float) -> str:
    """Format a number of seconds in its largest fitting unit, rounded down: 40 minutes, 5 hours, 3 days."""
    for unit, size in (("day", DAY_SECONDS), ("hour", HOUR_SECONDS), ("minute", 60)):
        if seconds >= 2 * size or unit == "minute":
            count = int(seconds // size)
            return f"{count} {unit}{'' if count == 1 else 's'}"
    raise AssertionError("unreachable: minutes fit everything")


def display_url(url: str | None, max_length: int = 70) -> str:
    """Return a URL for display, without scheme and ``www.``. Its middle is cut out beyond ``max_length`` characters."""
    if not url:
        return NO_VALUE
    try:
        parts = urlsplit(url)
    except ValueError:
        return url[:max_length]
    text = parts.netloc.removeprefix("www.") + parts.path.rstrip("/") + (f"?{parts.query}" if parts.query else "")
    return text if len(text) <= max_length else f"{text[: max_length * 2 // 3]}…{text[-max_length // 4 :]}"


def script_json(value: Any) -> Markup:
    """Return a value as JSON for a ``<script>`` element. Characters that could end the element are escaped."""
    text = msgspec.json.encode(value).decode()
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return Markup(text)  # noqa: S704 - the loop escaped all that is special in HTML


def sparkline(values: Sequence[float]) -> Markup:
    """Return a small SVG line chart of the values, with at most SPARKLINE_POINTS points; empty text if all are 0."""
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


def share_bar(share: float | None) -> Markup:
    """Return a share from 0 to 1 as an SVG bar, hidden from screen readers because a number is beside it."""
    width = round(100 * min(1.0, max(0.0, share or 0.0)), 1)
    return Markup(
        '<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="rail" width="100" height="8" rx="2"/><rect width="{}" height="8" rx="2"/></svg>'
    ).format(width)
