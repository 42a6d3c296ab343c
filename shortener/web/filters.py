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

NONE = "\u2013"
"""A dash, where there is nothing to show."""
SPARK_WIDTH, SPARK_HEIGHT, SPARK_STEPS = 96, 24, 24
HOUR_SECONDS, DAY_SECONDS = 3600, 86_400


def prepare(app: Flask, *, config: Config) -> None:
    """Give the templates their words and who is signed in."""
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(
        number=number,
        percent=percent,
        times=times,
        moment=lambda value: moment(value, config=config),
        day=lambda value: day(value, config=config),
        field=lambda value: field(value, config=config),
        span=span,
        bare=bare,
        island=island,
        spark=spark,
        bar=bar,
    )

    def template_names() -> dict[str, Any]:
        return {"config": config, "user": _user, "may": _may, "notices": get_flashed_messages}

    app.context_processor(template_names)


def _user() -> Any:
    """Who is signed in; nobody on a page that says that the store cannot be read."""
    try:
        return context.user()
    except (StoreError, sqlite3.Error):
        return None


def _may(role: Role) -> bool:
    found = _user()
    return found is not None and accounts.allows(found.role, role)


def number(value: float | None) -> str:
    """1,234, or 12.3 where a part of one matters."""
    if value is None:
        return NONE
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def percent(share: float | None) -> str:
    """A share from 0 to 1: whole percent from ten on, a small rest is not rounded to nothing."""
    if share is None:
        return NONE
    if 0 < share < 0.0005:
        return "< 0.1 %"
    return f"{share:.0%}".replace("%", " %") if share >= 0.0995 or not share else f"{share * 100:.1f} %"


def times(multiple: float | None) -> str:
    """A multiple with the digits it deserves: 12, 1.8, 0.05, each behind a multiplication sign."""
    if multiple is None:
        return NONE
    digits = 0 if multiple >= 9.95 else 1 if multiple >= 0.095 else 2
    return f"\u00d7{multiple:.{digits}f}"


def _local(value: datetime | int, config: Config) -> datetime:
    at = datetime.fromtimestamp(value, UTC) if isinstance(value, int) else value
    return at.astimezone(config.zone)


def moment(value: datetime | int | None, *, config: Config) -> Markup:
    """A time at the site, to the minute."""
    return _time(value, "%-d %b %Y, %H:%M", config)


def day(value: datetime | int | None, *, config: Config) -> Markup:
    """The day of a time at the site."""
    return _time(value, "%-d %b %Y", config)


def _time(value: datetime | int | None, form: str, config: Config) -> Markup:
    if value is None:
        return escape(NONE)
    at = _local(value, config)
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(timespec="seconds"), at.strftime(form))


def field(value: datetime | int | None, *, config: Config) -> str:
    """A time as the value of a field of a form."""
    return "" if value is None else _local(value, config).strftime("%Y-%m-%dT%H:%M")


def span(seconds: float) -> str:
    """A length of time in one unit: 40 minutes, 5 hours, 3 days."""
    for unit, size in (("day", DAY_SECONDS), ("hour", HOUR_SECONDS), ("minute", 60)):
        if seconds >= 2 * size or unit == "minute":
            count = int(seconds // size)
            return f"{count} {unit}{'' if count == 1 else 's'}"
    raise AssertionError("unreachable: minutes fit everything")


def bare(url: str | None, most: int = 70) -> str:
    """A URL as people read it: without scheme and www, shortened in the middle."""
    if not url:
        return NONE
    try:
        parts = urlsplit(url)
    except ValueError:
        return url[:most]
    text = (
        parts.netloc.removeprefix("www.")
        + parts.path.rstrip("/")
        + (f"?{parts.query}" if parts.query else "")
    )
    return text if len(text) <= most else f"{text[: most * 2 // 3]}…{text[-most // 4 :]}"


def island(value: Any) -> Markup:
    """A value as JSON that can stand in a script element: nothing in it can end the element."""
    text = msgspec.json.encode(value).decode()
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return Markup(text)  # noqa: S704 - nothing that HTML could read is left in it


def spark(values: Sequence[float]) -> Markup:
    """Up to 24 values as a line without axes, as wide as a word; it repeats what the row's numbers say."""
    if not any(values):
        return escape("")
    top, last = max(values), SPARK_STEPS - 1
    points = " ".join(
        f"{index * (SPARK_WIDTH - 2) / last + 1:.1f},{SPARK_HEIGHT - 2 - value / top * (SPARK_HEIGHT - 4):.1f}"
        for index, value in enumerate(values)
    )
    return Markup(
        '<svg class="spark" viewBox="0 0 {} {}" width="{}" height="{}" aria-hidden="true">'
        '<polyline points="{}"/></svg>'
    ).format(SPARK_WIDTH, SPARK_HEIGHT, SPARK_WIDTH, SPARK_HEIGHT, points)


def bar(share: float | None) -> Markup:
    """A share from 0 to 1 as a bar; it repeats what stands beside it."""
    width = round(100 * min(1.0, max(0.0, share or 0.0)), 1)
    return Markup(
        '<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="rail" width="100" height="8" rx="2"/><rect width="{}" height="8" rx="2"/></svg>'
    ).format(width)
