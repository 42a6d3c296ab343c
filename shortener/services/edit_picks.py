"""Editing of a month's recommended articles: their number, texts, order and template.

The structs hold values that are needed to undo an edit.
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
    """A copy of the settings of a month's recommended articles.

    It was made before or after an edit, so that the edit can be undone.
    """

    month: str
    settings: PicksSettings

    def reload(self, store: Store) -> "MonthSettings":
        """Return the settings of the month's recommended articles as they are stored now."""
        return month_settings(store, self.month)

    def restore(self, store: Store, now: int) -> None:
        """Replace the settings in the store by those that this object holds."""
        picks_edits.save_settings(store, self.month, self.settings)


class MonthText(Struct, frozen=True, tag="pick text"):
    """A copy of the texts of a recommended article.

    It was made before or after an edit, so that the edit can be undone.
    """

    month: str
    url: str
    text: PickText

    def reload(self, store: Store) -> "MonthText":
        """Return the texts of this article as they are stored now."""
        return month_text(store, self.month, self.url)

    def restore(self, store: Store, now: int) -> None:
        """Replace the texts in the store by those that this object holds."""
        picks_edits.save_text(store, self.month, self.url, self.text)


class MonthOrder(Struct, frozen=True, tag="picks order"):
    """A copy of the order of a month's recommended articles.

    It was made before or after an edit, so that the edit can be undone.
    """

    month: str
    urls: tuple[str, ...]

    def reload(self, store: Store) -> "MonthOrder":
        """Return the order of the month's recommended articles as it is stored now."""
        return month_order(store, self.month)

    def restore(self, store: Store, now: int) -> None:
        """Replace the order in the store by the one that this object holds."""
        picks_edits.save_order(store, self.month, self.urls)


class FormatTemplate(Struct, frozen=True, tag="picks template"):
    """A copy of the editors' own template for an output format.

    It was made before or after an edit, so that the edit can be undone.
    """

    section_format: SectionFormat
    template: OwnTemplate | None
    """None if the editors had no template of their own."""

    def reload(self, store: Store) -> "FormatTemplate":
        """Return the template for this output format as it is stored now."""
        return format_template(store, self.section_format)

    def restore(self, store: Store, now: int) -> None:
        """Store the template that this object holds; if it holds none, delete the stored template."""
        picks_edits.save_template(store, self.section_format, self.template)


def month_settings(store: Store, month: str) -> MonthSettings:
    """Return the stored settings of a month's recommended articles."""
    return MonthSettings(month, picks_edits.settings(store, month))


def month_text(store: Store, month: str, url: str) -> MonthText:
    """Return the editors' texts for an article in the picks of a month; None for each text that is unchanged."""
    return MonthText(month, url, picks_edits.texts_by_article(store, month).get(url, PickText()))


def month_order(store: Store, month: str) -> MonthOrder:
    """Return the stored order of a month's recommended articles; empty if no editor has changed it."""
    return MonthOrder(month, picks_edits.order(store, month))


def format_template(store: Store, section_format: SectionFormat) -> FormatTemplate:
    """Return the template that editors have written for an output format, Markdown or HTML."""
    return FormatTemplate(section_format, picks_edits.own_templates(store).get(section_format))


def set_texts(store: Store, month: str, url: str, *, title: str, byline: str, blurb: str) -> None:
    """Store changed texts of a recommended article for a month. Raises FieldError."""
    picks_edits.save_text(store, month, url, changed_text(store, url, title=title, byline=byline, blurb=blurb))


def changed_text(store: Store, url: str, *, title: str, byline: str, blurb: str) -> PickText:
    """Return the texts that an editor has entered, with None for each text that equals the article's own.

    Raises FieldError.
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


def move(
    store: Store,
    month: str,
    selection: Picks,
    url: str,
    *,
    position: int,  # from 1
) -> None:
    """Move a recommended article to another position of its list, and store the new order.

    Raises FieldError for an article that is not recommended.
    """
    picks_edits.save_order(store, month, moved_order(selection, url, position=position))


def moved_order(
    selection: Picks,
    url: str,
    *,
    position: int,  # from 1
) -> tuple[str, ...]:
    """Return the URLs of all recommended articles after moving one article within its list.

    Raises FieldError for an article that is not recommended.
    """
    # Featured articles come first.
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
    """Change the given settings of a month's recommended articles; the others stay."""
    picks_edits.save_settings(store, month, msgspec.structs.replace(picks_edits.settings(store, month), **changes))


def check_template(sample: TemplateRequest) -> None:
    """Check an editor's template by rendering a sample with it. Raises InputError, FieldError.

    Call this outside a transaction, because rendering can take seconds.
    """
    check_template_size(sample.template)
    if sample.template.strip():
        render_custom_template(sample)


def check_template_size(text: str) -> None:
    """Raise FieldError for a template that is too long."""
    if len(text.encode()) > MAX_TEMPLATE_BYTES:
        raise FieldError(Message("a template may have {limit} bytes", limit=MAX_TEMPLATE_BYTES), field="template")


def set_template(store: Store, section_format: SectionFormat, text: str, *, who: str, now: int) -> None:
    """Store the template that editors have written for an output format. An empty text deletes it."""
    template = OwnTemplate(text, who, now) if text.strip() else None
    picks_edits.save_template(store, section_format, template)
