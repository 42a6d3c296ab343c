"""How values are written on pages: numbers, shares, times at the site, short forms of long URLs."""

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec
from flask import Flask, get_flashed_messages
from markupsafe import Markup, escape

from shortener.config import Config
from shortener.errors import StoreError
from shortener.services import accounts
from shortener.store.accounts import Role
from shortener.web import context

NO_VALUE = "\u2013"
"""A dash, where there is nothing to show."""
SPARKLINE_WIDTH, SPARKLINE_HEIGHT, SPARKLINE_POINTS = 96, 24, 24
HOUR_SECONDS, DAY_SECONDS = 3600, 86_400


def init_app(app: Flask, *, config: Config) -> None:
    """Give the templates their words and who is signed in."""
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(
        number=format_number,
        percent=format_percent,
        times=format_multiple,
        moment=lambda value: format_datetime(value, config=config),
        day=lambda value: format_date(value, config=config),
        field=lambda value: format_datetime_local(value, config=config),
        span=format_duration,
        bare=display_url,
        island=script_json,
        spark=sparkline,
        bar=share_bar,
    )

    def template_names() -> dict[str, Any]:
        return {"config": config, "user": _template_user, "may": _has_role, "notices": get_flashed_messages}

    app.context_processor(template_names)


def _template_user() -> Any:
    """Who is signed in; nobody on a page that says that the store cannot be read."""
    try:
        return context.current_user_or_none()
    except (StoreError, sqlite3.Error):
        return None


def _has_role(role: Role) -> bool:
    found = _template_user()
    return found is not None and accounts.role_allows(found.role, role)


def format_number(value: float | None) -> str:
    """1,234, or 12.3 where a part of one matters."""
    if value is None:
        return NO_VALUE
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def format_percent(share: float | None) -> str:
    """A share from 0 to 1: whole percent from ten on, a small rest is not rounded to nothing."""
    if share is None:
        return NO_VALUE
    if 0 < share < 0.0005:
        return "< 0.1 %"
    return f"{share:.0%}".replace("%", " %") if share >= 0.0995 or not share else f"{share * 100:.1f} %"


def format_multiple(multiple: float | None) -> str:
    """A multiple with the digits it deserves: 12, 1.8, 0.05, each behind a multiplication sign."""
    if multiple is None:
        return NO_VALUE
    digits = 0 if multiple >= 9.95 else 1 if multiple >= 0.095 else 2
    return f"\u00d7{multiple:.{digits}f}"


def _to_local(value: datetime | int, config: Config) -> datetime:
    at = datetime.fromtimestamp(value, UTC) if isinstance(value, int) else value
    return at.astimezone(config.zone)


def format_datetime(value: datetime | int | None, *, config: Config) -> Markup:
    """A time at the site, to the minute."""
    return _time_element(value, "%-d %b %Y, %H:%M", config)


def format_date(value: datetime | int | None, *, config: Config) -> Markup:
    """The day of a time at the site."""
    return _time_element(value, "%-d %b %Y", config)


def _time_element(value: datetime | int | None, pattern: str, config: Config) -> Markup:
    if value is None:
        return escape(NO_VALUE)
    at = _to_local(value, config)
    return Markup('<time datetime="{}">{}</time>').format(
        at.isoformat(timespec="seconds"), at.strftime(pattern)
    )


def format_datetime_local(value: datetime | int | None, *, config: Config) -> str:
    """A time as the value of a field of a form."""
    return "" if value is None else _to_local(value, config).strftime("%Y-%m-%dT%H:%M")


def format_duration(seconds: float) -> str:
    """A length of time in one unit: 40 minutes, 5 hours, 3 days."""
    for unit, size in (("day", DAY_SECONDS), ("hour", HOUR_SECONDS), ("minute", 60)):
        if seconds >= 2 * size or unit == "minute":
            count = int(seconds // size)
            return f"{count} {unit}{'' if count == 1 else 's'}"
    raise AssertionError("unreachable: minutes fit everything")


def display_url(url: str | None, max_length: int = 70) -> str:
    """A URL as people read it: without scheme and www, shortened in the middle."""
    if not url:
        return NO_VALUE
    try:
        parts = urlsplit(url)
    except ValueError:
        return url[:max_length]
    text = (
        parts.netloc.removeprefix("www.")
        + parts.path.rstrip("/")
        + (f"?{parts.query}" if parts.query else "")
    )
    return text if len(text) <= max_length else f"{text[: max_length * 2 // 3]}…{text[-max_length // 4 :]}"


def script_json(value: Any) -> Markup:
    """A value as JSON that can stand in a script element: nothing in it can end the element."""
    text = msgspec.json.encode(value).decode()
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return Markup(text)  # noqa: S704 - nothing that HTML could read is left in it


def sparkline(values: Sequence[float]) -> Markup:
    """Up to 24 values as a line without axes, as wide as a word; it repeats what the row's numbers say."""
    if not any(values):
        return escape("")
    top, last = max(values), SPARKLINE_POINTS - 1
    step, scale = (SPARKLINE_WIDTH - 2) / last, (SPARKLINE_HEIGHT - 4) / top
    points = " ".join(
        f"{index * step + 1:.1f},{SPARKLINE_HEIGHT - 2 - value * scale:.1f}"
        for index, value in enumerate(values)
    )
    return Markup(
        '<svg class="spark" viewBox="0 0 {} {}" width="{}" height="{}" aria-hidden="true">'
        '<polyline points="{}"/></svg>'
    ).format(SPARKLINE_WIDTH, SPARKLINE_HEIGHT, SPARKLINE_WIDTH, SPARKLINE_HEIGHT, points)


def share_bar(share: float | None) -> Markup:
    """A share from 0 to 1 as a bar; it repeats what stands beside it."""
    width = round(100 * min(1.0, max(0.0, share or 0.0)), 1)
    return Markup(
        '<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="rail" width="100" height="8" rx="2"/><rect width="{}" height="8" rx="2"/></svg>'
    ).format(width)
