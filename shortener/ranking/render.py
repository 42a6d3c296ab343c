"""Output of the picks (recommended articles) as a section of the next issue, in Markdown or HTML.

Editors can replace the templates.
"""

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

# Characters that Markdown or a mailing service (merge tags) could read as markup, anywhere in a line
MARKDOWN_INLINE = re.compile(r"(?<!\S)#|[\\`*_{}\[\]<>|~$]|&(?=#?\w+;)")
# Characters that begin a list, a heading or a rule, at the start of a line only
MARKDOWN_BLOCK_START = re.compile(r"^(\d{0,9})([-+#=.)])")
# Characters that end a Markdown destination or an HTML attribute
UNSAFE_URL_CHARACTERS = re.compile(r"""[\x00-\x20\x7f"'()<>\\^`{|}]""")

BUNDLED_TEMPLATES = {
    (False, "markdown"): "picks.md.j2",
    (False, "html"): "picks.html.j2",
    (True, "markdown"): "picks_list.md.j2",
    (True, "html"): "picks_list.html.j2",
}
"""Files of the bundled templates, by whether they are a plain list and by format."""


class TemplateEntry(Struct, frozen=True):
    """The variables of one article in a template."""

    title: str
    image: str | None
    image_link: str | None
    """Short link behind the image; None without an image."""
    title_link: str
    """Short link of the title; its last number differs from the others, so clicks are counted separately."""
    more_link: str
    byline: str | None
    byline_url: str | None
    blurb: str | None
    origin: str
    """From the ranking: "list" or "gem". By an editor: "pinned" or "chosen"."""


def render_markdown(
    picks: Picks,
    *,
    details: Iterable[ArticleDetails],
    template: str | None = None,  # None: the bundled template
) -> str:
    """Return recommended articles as a section in Markdown. Raises InputError.

    The variables `featured` and `lesser_known` of the Jinja template are lists of `TemplateEntry`.
    """
    return _render_template(
        _jinja_environment(as_html=False), template or bundled_template("picks.md.j2"), picks, details
    )


def render_html(picks: Picks, *, details: Iterable[ArticleDetails], template: str | None = None) -> str:
    """Return the picks (recommended articles) as a section in HTML, with all values escaped.

    Arguments, template variables and errors are those of `render_markdown`.
    """
    return _render_template(
        _jinja_environment(as_html=True), template or bundled_template("picks.html.j2"), picks, details
    )


def bundled_template(name: str) -> str:
    """Return the text of a template that comes with this package, such as `picks.md.j2`."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _jinja_environment(*, as_html: bool) -> SandboxedEnvironment:
    # Jinja cannot escape Markdown automatically, so templates use the filter `text`. The filter `url` makes a link
    # destination safe.
    environment = SandboxedEnvironment(
        autoescape=as_html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update({"text": _collapse_whitespace if as_html else escape_markdown, "url": sanitize_url})
    return environment


def _render_template(
    environment: SandboxedEnvironment, template: str, picks: Picks, details: Iterable[ArticleDetails]
) -> str:
    details_by_url = {article.url: article for article in details}
    try:
        return environment.from_string(template).render(
            featured=[_template_entry(pick, details_by_url) for pick in picks.featured],
            lesser_known=[_template_entry(pick, details_by_url) for pick in picks.lesser_known],
        )
    except InputError:
        raise
    except Exception as error:  # a template is code: it can raise anything
        line = getattr(error, "lineno", None)
        location = f", line {line}" if line else ""
        raise InputError(f"the picks template{location} cannot be used: {error}") from error


def _template_entry(pick: Pick, details_by_url: Mapping[str, ArticleDetails]) -> TemplateEntry:
    details = details_by_url.get(pick.url)
    if details is None:
        raise InputError(f"no short link for the pick {pick.url}")
    image_count, link = 1 if details.image else 0, details.short_url.rstrip("/")
    return TemplateEntry(
        title=details.title,
        image=details.image,
        image_link=f"{link}/1" if details.image else None,
        title_link=f"{link}/{image_count + 1}",
        more_link=f"{link}/{image_count + 2}",
        byline=details.byline,
        byline_url=details.byline_url,
        blurb=details.blurb,
        origin=pick.origin,
    )


def escape_markdown(text: str) -> str:
    """Return plain text as one line of Markdown that is shown literally."""
    line = MARKDOWN_INLINE.sub(r"\\\g<0>", " ".join(str(text).split()))
    return MARKDOWN_BLOCK_START.sub(r"\1\\\2", line)


def _collapse_whitespace(text: str) -> str:
    # text that the template has marked as safe HTML stays unchanged
    return text if isinstance(text, Markup) else " ".join(str(text).split())


def sanitize_url(url: str) -> str:
    """Return a link destination with unsafe characters percent-encoded.

    Raises InputError unless it is an http or https URL or a relative path.
    """
    destination = str(url).strip()
    try:
        parts = urlsplit(destination)
    except ValueError as error:
        raise InputError(f"{destination!r} is not a valid URL") from error
    if parts.scheme not in ("", "http", "https") or (parts.scheme and not parts.netloc):
        raise InputError(f"{destination!r} is not a safe link for readers; use http or https")
    return UNSAFE_URL_CHARACTERS.sub(lambda match: f"%{ord(match[0]):02X}", destination)
