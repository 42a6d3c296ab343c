"""Pseudo-languages made from English, which show text outside the catalogues and layouts that a language breaks."""

import gettext
import re
from collections.abc import Callable

from babel import Locale

from shortener.web.languages import Language, build_language

LONG, RIGHT_TO_LEFT = "en-XA", "ar-XB"
FIXED = re.compile(r"(\{\w+\}|<[^>]*>|&\w+;)")
"""What stays as it is in a text: placeholders, HTML tags and entities."""
ACCENTS = str.maketrans(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "àƀçđéƒĝħîĵķļɱñöþɋŕšţûṽŵẋýžÀƁÇĐÉƑĜĦÎĴĶĻṀÑÖÞɊŔŠŢÛṼŴẊÝŽ"
)


def lengthen(text: str) -> str:
    """Return a text with accents on its letters, each word of it about half as long again."""

    def lengthen_word(word: re.Match[str]) -> str:
        return word[0].translate(ACCENTS) + "ö" * (len(word[0]) // 2)

    return _outside_fixed(text, lambda part: re.sub(r"[A-Za-z]+", lengthen_word, part))


def mirror(text: str) -> str:
    """Return a text with accents between a right-to-left mark and Hebrew letters, so that its direction is clear."""
    return "\u05d0" + _outside_fixed(text, lambda part: part.translate(ACCENTS)) + "\u05ea"


def _outside_fixed(text: str, change: Callable[[str], str]) -> str:
    parts = FIXED.split(text)
    return "".join(part if index % 2 else change(part) for index, part in enumerate(parts))


class PseudoTranslations(gettext.NullTranslations):
    """Translations that are made from the English text."""

    def __init__(self, change: Callable[[str], str]) -> None:
        super().__init__()
        self._change = change

    def gettext(self, message: str) -> str:
        """Return the changed text."""
        return self._change(message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        """Return the changed text of the form for a count."""
        return self._change(msgid1 if n == 1 else msgid2)


def pseudo_languages() -> dict[str, Language]:
    """Return the two pseudo-languages by tag: long words, and right to left."""
    return {
        LONG: build_language(Locale("en"), PseudoTranslations(lengthen), has_editor_pages=True, tag=LONG),
        RIGHT_TO_LEFT: build_language(
            Locale("ar"), PseudoTranslations(mirror), has_editor_pages=True, tag=RIGHT_TO_LEFT
        ),
    }
