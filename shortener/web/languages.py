"""Translations of the pages: texts, numbers and dates in the language of the user."""

import functools
import gettext as gettext_files
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from io import BytesIO
from pathlib import Path
from string import Formatter
from typing import Any

from babel import Locale
from babel.dates import format_skeleton
from babel.lists import format_list
from babel.messages.catalog import Message as CatalogueMessage
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import Flask, current_app, g, has_request_context, request
from markupsafe import Markup
from msgspec import Struct
from werkzeug.wrappers import Response

from shortener.messages import Message, MessageValue, Number, message_text
from shortener.redirect.accept_language import DEFAULT_LANGUAGE, choose_language

# In the folder of a locale, ``readers.po`` has the texts for readers of a newsletter, and ``editors.po`` has all
# others. A language without ``editors.po`` is offered to readers only.
CATALOGUES = Path(__file__).parent / "catalogues"
READERS, EDITORS = "readers", "editors"
EDITOR_PATH = "/-/"
WITHOUT_SPACES = frozenset({"ja", "zh"})
"""Languages that write no space after a full stop."""


class Language(Struct, frozen=True):
    """A language of the pages: translations, and the formats of numbers and dates."""

    tag: str
    """The language tag for HTML and HTTP, such as ``zh-Hans``."""
    locale: Locale
    translations: gettext_files.NullTranslations
    has_editor_pages: bool
    separators: Mapping[int, str]
    """Table for ``str.translate``, from the English separators in a number to those of the language."""
    percent: str
    """The pattern of a percentage, with ``{}`` for the number."""

    @property
    def name(self) -> str:
        """The name of the language in the language itself, such as Deutsch."""
        name = self.locale.get_display_name() or self.tag
        return name[:1].upper() + name[1:]

    @property
    def direction(self) -> str:
        """The direction in which the language is written, ``ltr`` or ``rtl``."""
        return self.locale.text_direction

    @property
    def full_stop(self) -> str:
        """The punctuation that ends a sentence, such as "." or "。"."""
        return "。" if self.locale.language in WITHOUT_SPACES else "."

    @property
    def sentence_space(self) -> str:
        """The text between two sentences of a paragraph: a space, or '' in languages such as Chinese."""
        return "" if self.locale.language in WITHOUT_SPACES else " "

    def format_number(self, value: float, *, decimals: int = 0) -> str:
        """Return a number with separators and a fixed number of decimals."""
        return f"{value:,.{decimals}f}".translate(self.separators)

    def format_percent(self, share: float, *, decimals: int = 0) -> str:
        """Return a share from 0 to 1 as a percentage."""
        return self.percent.format(self.format_number(share * 100, decimals=decimals))

    def format_date(self, date: datetime) -> str:
        """Format day, month and year as is usual in the language."""
        return f"{date:%-d %b %Y}" if self.tag == DEFAULT_LANGUAGE else self._format(date, "yMMMd")

    def format_day(self, date: datetime) -> str:
        """Format day and month without the year, for the axis of a chart."""
        return f"{date:%-d %b}" if self.tag == DEFAULT_LANGUAGE else self._format(date, "MMMd")

    def format_time(self, time: datetime) -> str:
        """Format the time of day on a 24-hour clock."""
        return f"{time:%H:%M}" if self.tag == DEFAULT_LANGUAGE else self._format(time, "Hm")

    def format_datetime(self, time: datetime) -> str:
        """Format date and time of day, to the minute."""
        return str(self.locale.datetime_formats["medium"]).format(self.format_time(time), self.format_date(time))

    def format_list(self, items: Sequence[str]) -> str:
        """Return the items as a list in a sentence, such as "one, two and three"; '' without items."""
        if self.tag != DEFAULT_LANGUAGE or len(items) < 2:
            return format_list(items, locale=self.locale)
        return f"{', '.join(items[:-1])} and {items[-1]}"

    def format_month(self, date: datetime) -> str:
        """Format the month by its name, with the year."""
        return self._format(date, "yMMMM")

    def _format(self, date: datetime, skeleton: str) -> str:
        return format_skeleton(skeleton, date, locale=self.locale)


def build_language(
    locale: Locale, translations: gettext_files.NullTranslations, *, has_editor_pages: bool, tag: str | None = None
) -> Language:
    """Return a language with the number and date formats of ``locale``.

    ``tag`` is by default the language tag of the locale.
    """
    symbols = locale.number_symbols["latn"]
    tag = tag or str(locale).replace("_", "-")
    pattern = locale.percent_formats[None].pattern.partition(";")[0]
    return Language(
        tag,
        locale,
        translations,
        has_editor_pages,
        str.maketrans({",": symbols["group"], ".": symbols["decimal"]}),
        "{} %" if tag == DEFAULT_LANGUAGE else pattern.replace("#,##0", "{}"),
    )


ENGLISH = build_language(Locale("en"), gettext_files.NullTranslations(), has_editor_pages=True)


def read_catalogue(path: Path) -> gettext_files.GNUTranslations:
    """Return the translations in a ``.po`` file, without those that are fuzzy or incomplete."""
    with path.open("rb") as file:
        catalogue = read_po(file)
    for message in list(catalogue):
        if message.id and not _is_usable(message):
            catalogue.delete(message.id)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext_files.GNUTranslations(compiled)


class Translations(gettext_files.NullTranslations):
    """Translations of one language. The files are read when the first text is translated, in about 0.1 s."""

    def __init__(self, folder: Path, names: tuple[str, ...]) -> None:
        super().__init__()
        self._paths = tuple(folder / f"{name}.po" for name in names)

    @functools.cached_property
    def _catalogue(self) -> gettext_files.NullTranslations:
        first, *others = (read_catalogue(path) for path in self._paths)
        for other in others:
            first.add_fallback(other)
        return first

    def gettext(self, message: str) -> str:
        """Return the translation of a text, or the text itself if there is none."""
        return self._catalogue.gettext(message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        """Return the translation of a text that depends on the number ``n``; if there is none, the English form."""
        return self._catalogue.ngettext(msgid1, msgid2, n)


def _is_usable(message: CatalogueMessage) -> bool:
    # A placeholder that the English text lacks would have no value.
    english = message.id if isinstance(message.id, str) else message.id[-1]
    forms = [message.string] if isinstance(message.string, str) else list(message.string or ())
    try:
        return all(form and _placeholder_names(form) <= _placeholder_names(english) for form in forms)
    except ValueError:
        # A brace belongs to no placeholder.
        return False


def _placeholder_names(text: str) -> set[str]:
    return {
        f"{name}{rest}{conversion or ''}" for _, name, rest, conversion in Formatter().parse(text) if name is not None
    }


@functools.cache
def load_languages() -> Mapping[str, Language]:
    """Return English and every language with translations, by language tag."""
    languages = {ENGLISH.tag: ENGLISH}
    for folder in sorted(path.parent for path in CATALOGUES.glob(f"*/{READERS}.po")):
        has_editor_pages = (folder / f"{EDITORS}.po").exists()
        translations = Translations(folder, (READERS, EDITORS) if has_editor_pages else (READERS,))
        language = build_language(Locale.parse(folder.name), translations, has_editor_pages=has_editor_pages)
        languages[language.tag] = language
    return languages


def init_app(app: Flask, *, account_language: Callable[[], str]) -> None:
    """Set the languages of an app, and register the translation functions for templates.

    ``account_language`` returns the language tag that the current user has chosen, or ''.
    """
    app.extensions["languages"] = dict(load_languages())
    app.extensions["account_language"] = account_language
    app.jinja_env.finalize = translate
    # Templates that are imported can use only globals.
    app.jinja_env.globals.update(_=gettext, ngettext=ngettext, language=current_language)
    app.after_request(_add_language_headers)


def _add_language_headers(response: Response) -> Response:
    if response.mimetype == "text/html":
        response.vary.add("Accept-Language")
        response.headers.setdefault("Content-Language", current_language().tag)
    return response


def all_languages() -> dict[str, Language]:
    """Return the languages of the current app by tag."""
    languages: dict[str, Language] = current_app.extensions["languages"]
    return languages


def editor_languages() -> dict[str, Language]:
    """Return the languages of the current app that are available on the pages for editors, by tag."""
    return {tag: language for tag, language in all_languages().items() if language.has_editor_pages}


def current_language() -> Language:
    """Return the language of the page that is being rendered; English outside of a request."""
    if not has_request_context():
        return ENGLISH
    language: Language | None = g.get("language")  # called a thousand times for a page, so that g is read only once
    if language is None:
        language = g.language = _choose_language()
    return language


def _choose_language() -> Language:
    available = all_languages()
    if request.path.startswith(EDITOR_PATH):
        available = editor_languages()
        chosen = available.get(current_app.extensions["account_language"]())
        if chosen is not None:
            return chosen
    return available[choose_language(request.headers.get("Accept-Language"), available)]


@contextmanager
def use_language(tag: str) -> Iterator[None]:
    """Use another language during the ``with`` block, for example for a text that an editor copies for readers."""
    previous = current_language()
    g.language = all_languages()[tag]
    try:
        yield
    finally:
        g.language = previous


def translate(value: Any) -> Any:
    """Translate a message to the language of the page. Any other value is returned unchanged."""
    if not isinstance(value, Message):
        return value
    language = current_language()
    find = language.translations
    text = find.ngettext(value.text, value.many, value.number) if value.many else find.gettext(value.text)
    return text.format(**{name: _shown_value(each, language) for name, each in value.values.items()})


def translated_text(value: Any) -> str:
    """Return a message as text in the language of the page, or markup without HTML escapes.

    Raises NotImplementedError for other values.
    """
    # A hook of a JSON encoder must raise this error for a value that it cannot encode.
    return value.unescape() if isinstance(value, Markup) else message_text(translate(value))


def _shown_value(value: MessageValue, language: Language) -> str:
    if isinstance(value, Number):
        return language.format_number(value.value, decimals=value.decimals)
    return language.format_number(value) if isinstance(value, int) else str(translate(value))


def gettext(text: str, **values: object) -> Markup:
    """Return a text in the language of the page, with its placeholders filled by the escaped ``values``."""
    return _fill(current_language().translations.gettext(text) if text else text, values)


def ngettext(one: str, many: str, count: int, /, **values: object) -> Markup:
    """Return the singular or plural text for a count, in the language of the page.

    An example is ``ngettext("{count} link", "{count} links", 2)``.
    """
    language = current_language()
    text = language.translations.ngettext(one, many, count)
    return _fill(text, {"count": language.format_number(count)} | values)


def _fill(text: str, values: Mapping[str, object]) -> Markup:
    if "{" not in text:
        return Markup(text)  # noqa: S704
    return Markup(text).format(**{name: translate(value) for name, value in values.items()})  # noqa: S704
