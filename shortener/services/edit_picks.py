"""Edits of a month's draft of picks: its length, the texts and the order of its articles, and its template.

Each kind of edit has a struct that the history stores, and from which the edit can be undone.
"""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from shortener.errors import FieldError
from shortener.messages import Message
from shortener.ranking.picks import Pick, Picks
from shortener.services.custom_template import TemplateRequest, render_custom_template
from shortener.store import Store, articles, picks_edits
from shortener.store.picks_edits import OwnTemplate, PicksSettings, PickText, SectionFormat

MAX_TEXT_LENGTHS = {"title": 500, "byline": 500, "blurb": 2_000}
"""Characters of each text of a pick."""
MAX_TEMPLATE_BYTES = 1024 * 1024
MAX_TOP = 100
"""Largest number of top picks."""


class MonthSettings(Struct, frozen=True, tag="picks settings"):
    """The settings of a month's picks."""

    month: str
    settings: PicksSettings

    def reload(self, store: Store) -> "MonthSettings":
        """Return the settings as they are now."""
        return month_settings(store, self.month)

    def restore(self, store: Store, now: int) -> None:
        """Store these settings again."""
        picks_edits.save_settings(store, self.month, self.settings)


class MonthText(Struct, frozen=True, tag="pick text"):
    """The changed texts of an article in a month's picks."""

    month: str
    url: str
    text: PickText

    def reload(self, store: Store) -> "MonthText":
        """Return the texts as they are now."""
        return month_text(store, self.month, self.url)

    def restore(self, store: Store, now: int) -> None:
        """Store these texts again."""
        picks_edits.save_text(store, self.month, self.url, self.text)


class MonthOrder(Struct, frozen=True, tag="picks order"):
    """The order of a month's picks."""

    month: str
    urls: tuple[str, ...]

    def reload(self, store: Store) -> "MonthOrder":
        """Return the order as it is now."""
        return month_order(store, self.month)

    def restore(self, store: Store, now: int) -> None:
        """Store this order again."""
        picks_edits.save_order(store, self.month, self.urls)


class FormatTemplate(Struct, frozen=True, tag="picks template"):
    """The editors' own template of a format, None without one."""

    section_format: SectionFormat
    template: OwnTemplate | None

    def reload(self, store: Store) -> "FormatTemplate":
        """Return the template as it is now."""
        return format_template(store, self.section_format)

    def restore(self, store: Store, now: int) -> None:
        """Store this template again."""
        picks_edits.save_template(store, self.section_format, self.template)


def month_settings(store: Store, month: str) -> MonthSettings:
    """Return the settings of a month's picks."""
    return MonthSettings(month, picks_edits.settings(store, month))


def month_text(store: Store, month: str, url: str) -> MonthText:
    """Return the changed texts of an article in a month's picks."""
    return MonthText(month, url, picks_edits.texts_by_article(store, month).get(url, PickText()))


def month_order(store: Store, month: str) -> MonthOrder:
    """Return the order of a month's picks; empty if no editor has changed it."""
    return MonthOrder(month, picks_edits.order(store, month))


def format_template(store: Store, section_format: SectionFormat) -> FormatTemplate:
    """Return the editors' own template of a format."""
    return FormatTemplate(section_format, picks_edits.own_templates(store).get(section_format))


def set_texts(store: Store, month: str, url: str, *, title: str, byline: str, blurb: str) -> None:
    """Store the texts of an article for a month's picks, as ``changed_text`` returns them. Raises FieldError."""
    picks_edits.save_text(store, month, url, changed_text(store, url, title=title, byline=byline, blurb=blurb))


def changed_text(store: Store, url: str, *, title: str, byline: str, blurb: str) -> PickText:
    """Return the texts of an article for the picks, without those that are the article's own.

    A text may be empty, but for the title. Raises FieldError for an empty title or a text that is too long.
    """
    texts = {name: " ".join(text.split()) for name, text in (("title", title), ("byline", byline), ("blurb", blurb))}
    for name, text in texts.items():
        if len(text) > MAX_TEXT_LENGTHS[name]:
            raise FieldError(Message("at most {limit} characters", limit=MAX_TEXT_LENGTHS[name]), field=name)
    if not texts["title"]:
        raise FieldError(Message("enter a title"), field="title")
    article = articles.details_by_url(store, [url]).get(url, articles.ArticleDetails())
    original = {"title": article.title or url, "byline": article.author, "blurb": article.summary}
    changed = {name: text for name, text in texts.items() if text != " ".join(original[name].split())}
    return PickText(**changed)


def move(store: Store, month: str, selection: Picks, url: str, *, position: int) -> None:
    """Store the order of a month's picks after a move, as ``moved_order`` returns it. Raises FieldError."""
    picks_edits.save_order(store, month, moved_order(selection, url, position=position))


def moved_order(selection: Picks, url: str, *, position: int) -> tuple[str, ...]:
    """Return the URLs of the picks after the article was moved to a position of its list, counted from 1.

    A position beyond the end of the list is its last. Raises FieldError if the picks do not contain the article.
    """
    lists = (_urls(selection.featured), _urls(selection.lesser_known))
    moved = next((urls for urls in lists if url in urls), None)
    if moved is None:
        raise FieldError(Message("this article is no longer among the picks"), field="position")
    moved.remove(url)
    moved.insert(position - 1, url)
    return tuple(url for urls in lists for url in urls)


def _urls(entries: Sequence[Pick]) -> list[str]:
    return [pick.url for pick in entries]


def change_settings(store: Store, month: str, **changes: object) -> None:
    """Store settings of a month's picks; those that are not given stay."""
    picks_edits.save_settings(store, month, msgspec.structs.replace(picks_edits.settings(store, month), **changes))


def check_template(sample: TemplateRequest) -> None:
    """Render a section with a template once, in a process with limits on time and memory, unless it is empty.

    That can take seconds: call it outside a transaction. Raises InputError if it fails, FieldError for a template that
    is too long.
    """
    check_template_size(sample.template)
    if sample.template.strip():
        render_custom_template(sample)


def check_template_size(text: str) -> None:
    """Raise FieldError for a template that is too long."""
    if len(text.encode()) > MAX_TEMPLATE_BYTES:
        raise FieldError(Message("a template may have {limit} bytes", limit=MAX_TEMPLATE_BYTES), field="template")


def set_template(store: Store, section_format: SectionFormat, text: str, *, who: str, now: int) -> None:
    """Store the editors' own template of a format, or delete it if the text is empty."""
    template = OwnTemplate(text, who, now) if text.strip() else None
    picks_edits.save_template(store, section_format, template)
