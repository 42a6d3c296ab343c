"""Texts of the pages in the language of their reader.

A text is written in English where it is shown and is looked up by that; values fill its ``{name}`` placeholders.
"""

from flask import Flask
from markupsafe import Markup


def init_app(app: Flask) -> None:
    """Register ``_`` and ``ngettext`` as template globals, which templates that are imported have too."""
    app.jinja_env.globals.update(_=gettext, ngettext=ngettext)


def gettext(text: str, **values: object) -> Markup:
    """Return a text in the language of the request, its placeholders filled with the escaped values."""
    return Markup(text).format(**values)  # noqa: S704


def ngettext(one: str, many: str, count: int, /, **values: object) -> Markup:
    """Return the form of a text for a count, as in ``ngettext("{count} link", "{count} links", 2)``."""
    return gettext(one if count == 1 else many, **({"count": count} | values))


def plain_text(text: str) -> str:
    """Return a text of ``gettext`` without escaped characters, for what is stored or shown later; others unchanged."""
    return str(text.unescape()) if isinstance(text, Markup) else text
