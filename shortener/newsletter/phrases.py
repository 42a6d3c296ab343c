"""Patterns of phrases such as "read more" in many languages. Most patterns match text from ``normalize``."""

# ruff: noqa: RUF001 - other languages have other punctuation

import re
import unicodedata
from collections.abc import Callable
from functools import cached_property
from itertools import takewhile

from shortener.newsletter.data_files import language_pattern

_LEADING_PUNCTUATION = re.compile(r"^[\W_]+")
_TRAILING_PUNCTUATION = re.compile(r"[\W_]+$")
_WHITESPACE = re.compile(r"\s+")


def normalize(text: str) -> str:
    """Return the text case-folded, with single spaces and without punctuation and emoji at both ends."""
    text = _LEADING_PUNCTUATION.sub("", _WHITESPACE.sub(" ", text))
    return fold_case(_TRAILING_PUNCTUATION.sub(_leading_combining_marks, text))


def fold_case(text: str) -> str:
    """Return the text case-folded and with ' for every kind of apostrophe, as the patterns expect it."""
    # A Turkish capital dotted I becomes a plain "i", not "i" with a combining dot.
    return text.replace("’", "'").casefold().replace("i\u0307", "i")


def _leading_combining_marks(match: re.Match[str]) -> str:
    # Combining marks, such as vowel signs of Hindi and Thai, belong to the letter before the match, so they must stay.
    return "".join(takewhile(lambda character: unicodedata.category(character) in ("Mn", "Mc"), match[0])).rstrip(
        "\ufe0e\ufe0f"
    )


class Pattern:
    """A regular expression that is compiled when it is first used."""

    # Compiling all patterns at import would be the slowest part of the start of the web server.
    def __init__(self, build: Callable[[], str], flags: re.RegexFlag = re.NOFLAG) -> None:
        self._build = build
        self._flags = flags

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(self._build(), self._flags)

    def match(self, text: str) -> re.Match[str] | None:
        """Return the match at the start of the text."""
        return self._compiled.match(text)

    def search(self, text: str) -> re.Match[str] | None:
        """Return the first match in the text."""
        return self._compiled.search(text)


def _whole_text_pattern(key: str) -> Pattern:
    return Pattern(lambda: rf"\A{language_pattern(key)}\Z")


READ_MORE = _whole_text_pattern("read_more")
"""Texts of links to the whole article, such as "read more"."""

GENERIC_TEXT = _whole_text_pattern("generic_text")
"""Link texts that do not say where the link leads, such as "here"."""

SERVICE_TEXT = Pattern(lambda: language_pattern("service_text"))
"""Texts of links about the mail itself: unsubscribe, view in a browser, forward. Use ``search``, not ``match``."""

BOILERPLATE_TEXT = _whole_text_pattern("boilerplate_text")
"""Texts of links around the content of an issue: subscribe, follow, buy, contact."""

SPONSOR_LABEL = Pattern(lambda: language_pattern("sponsor_label"))
"""Start of a heading or line that declares the following content as paid."""

SPONSOR_TAG = Pattern(lambda: rf"[(\[（【]\s*{language_pattern('sponsor_tag')}\s*[)\]）】]", re.I)
"""Mark of a paid title, as in "Title (Sponsor)". Search the original text with it, not the normalized one."""

BYLINE_WORDS = language_pattern("byline")
"""Regular expression of the words in front of an author's name."""

TITLE_AUTHOR_SEPARATOR = Pattern(
    lambda: rf"[\s,，(（·•|/—–-]*(?:{BYLINE_WORDS}|{language_pattern('title_author_joiner')}|@)?[\s:：/／|·•—–-]*\Z",
    re.I,
)
"""Text that may separate a title from the link to its author. Match it against the original text."""

FOOTER_TEXT = Pattern(lambda: language_pattern("footer_text"))
"""Words that occur only in the footer of a mail. Search the case-folded text with it."""

CANONICAL_URL_LABEL = _whole_text_pattern("canonical_url_label")
"""Label in front of the URL of the issue itself, such as "original" or "permalink"."""

BUTTON_VERB = Pattern(lambda: rf"\A{language_pattern('button_verb')}")
"""Start of the text of a button."""

NAME_JOINER = language_pattern("name_joiner")
"""Regular expression of the words between the names of two authors."""

OPT_OUT_TEXT = Pattern(lambda: language_pattern("opt_out_text"))
"""Texts of links that unsubscribe or lead to the settings of a subscription. Search with it."""

OPT_OUT_CONTEXT = Pattern(lambda: language_pattern("opt_out_context"))
"""Words around a link such as "here" that unsubscribes. Search case-folded text with it."""

NAVIGATION_HEADING = _whole_text_pattern("navigation_heading")
"""Headings above links that surround the content, such as "quick links"."""


def is_generic(text: str) -> bool:
    """Return whether the text of a link is generic, such as "here": it does not name the target."""
    words = normalize(text)
    return bool(GENERIC_TEXT.match(words) or READ_MORE.match(words))
