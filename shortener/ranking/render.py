"""The picks as the next issue's section, Markdown and HTML, from templates that an editor can replace."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import StrictUndefined
from jinja2.sandbox import SandboxedEnvironment
from markupsafe import Markup
from msgspec import Struct

from shortener.errors import InputError
from shortener.ranking.picks import ArticleDetails, Pick, Picks

MARKDOWN_INLINE = re.compile(r"(?<!\S)#|[\\`*_{}\[\]<>|~$]|&(?=#?\w+;)")
MARKDOWN_BLOCK_START = re.compile(
    r"^(\d{0,9})([-+#=.)])"
)  # what opens a list, a heading or a rule, only at the start
UNSAFE_URL_CHARACTERS = re.compile(
    r"""[\x00-\x20\x7f"'()<>\\^`{|}]"""
)  # would end a destination or an attribute


class TemplateEntry(Struct, frozen=True):
    """One article as a template sees it. The links carry placement numbers in document order, from 1.

    ``image_link`` is None without an image; ``origin`` is list, gem, pinned or chosen.
    """

    title: str
    image: str | None
    image_link: str | None
    title_link: str
    more_link: str
    byline: str | None
    byline_url: str | None
    blurb: str | None
    origin: str


def render_markdown(picks: Picks, *, details: Iterable[ArticleDetails], template: str | None = None) -> str:
    """The section as Markdown; ``template`` is the text of a Jinja template, by default the one shipped.

    In it, ``featured`` and ``lesser_known`` are lists of entries; the filter ``text`` escapes Markdown
    and ``url`` makes a safe destination. Raises InputError for missing facts, an unsafe URL or a template
    that fails.
    """
    return _render_template(
        _jinja_environment(as_html=False), template or bundled_template("picks.md.j2"), picks, details
    )


def render_html(picks: Picks, *, details: Iterable[ArticleDetails], template: str | None = None) -> str:
    """The section as HTML; as ``markdown``, with everything escaped that is not the template's own."""
    return _render_template(
        _jinja_environment(as_html=True), template or bundled_template("picks.html.j2"), picks, details
    )


def bundled_template(name: str) -> str:
    """The text of a template that comes with the package: ``picks.md.j2`` or ``picks.html.j2``."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _jinja_environment(*, as_html: bool) -> SandboxedEnvironment:
    # Markdown has no autoescape; its template escapes with the filters below
    environment = SandboxedEnvironment(
        autoescape=as_html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        {"text": _collapse_whitespace if as_html else escape_markdown, "url": sanitize_url}
    )
    return environment


def _render_template(
    environment: SandboxedEnvironment, template: str, picks: Picks, details: Iterable[ArticleDetails]
) -> str:
    known = {fact.url: fact for fact in details}
    try:
        return environment.from_string(template).render(
            featured=[_template_entry(pick, known) for pick in picks.featured],
            lesser_known=[_template_entry(pick, known) for pick in picks.lesser_known],
        )
    except InputError:
        raise
    except Exception as fault:  # an editor's template may fail in any way that Python can
        line = getattr(fault, "lineno", None)
        where = f", line {line}" if line else ""
        raise InputError(f"the picks template{where} cannot be used: {fault}") from fault


def _template_entry(pick: Pick, details_by_url: Mapping[str, ArticleDetails]) -> TemplateEntry:
    fact = details_by_url.get(pick.url)
    if fact is None:
        raise InputError(f"no short link for the pick {pick.url}; add it with `shortener link add`")
    shift, link = 1 if fact.image else 0, fact.short_url.rstrip("/")
    return TemplateEntry(
        title=fact.title,
        image=fact.image,
        image_link=f"{link}/1" if fact.image else None,
        title_link=f"{link}/{shift + 1}",
        more_link=f"{link}/{shift + 2}",
        byline=fact.byline,
        byline_url=fact.byline_url,
        blurb=fact.blurb,
        origin=pick.origin,
    )


def escape_markdown(text: str) -> str:
    """Plain text as one line of Markdown: no character of it can be read as markup or start a block."""
    line = MARKDOWN_INLINE.sub(r"\\\g<0>", " ".join(str(text).split()))
    return MARKDOWN_BLOCK_START.sub(r"\1\\\2", line)


def _collapse_whitespace(text: str) -> str:
    """In HTML the text is left to autoescape; what a template marked as safe stays the template's choice."""
    return text if isinstance(text, Markup) else " ".join(str(text).split())


def sanitize_url(url: str) -> str:
    """A link destination that neither breaks out of its place nor runs: http, https or a relative path."""
    given = str(url).strip()
    try:
        parts = urlsplit(given)
    except ValueError as fault:
        raise InputError(f"{given!r} is no URL; correct it") from fault
    if parts.scheme not in ("", "http", "https") or (parts.scheme and not parts.netloc):
        raise InputError(f"{given!r} is not a link that readers may be given; use http or https")
    return UNSAFE_URL_CHARACTERS.sub(lambda found: f"%{ord(found[0]):02X}", given)
