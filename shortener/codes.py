"""Codes, the part of a short link after the domain: how one is made, checked and mended."""

import re
import secrets
from collections.abc import Callable

from shortener.errors import CodeRefused

# Lower-case letters and digits that cannot be misread for one another on paper: without 0 o, 1 l i, j.
DEFAULT_ALPHABET = "abcdefghkmnpqrstuvwxyz23456789"
MAX_CODE_LENGTH = 64  # characters

RECIPIENT_PARAMETER = "_c"
"""The query key of a recipient token: never forwarded, stored only as a keyed hash."""

# With half of all codes of a length taken, this many misses in a row happen once in 256 times.
_TRIES_PER_LENGTH = 8

# No "." so that no code shadows robots.txt or favicon.ico; a letter or digit at both ends so that no code
# begins with the "-" of our own pages or ends in what mail clients leave out of a link.
_CODE_PATTERN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?", re.ASCII)

# Glue is what is no letter or digit, whether raw, percent-encoded or as an HTML entity. It begins after a
# letter or digit; saying so keeps the search linear.
_TRAILING_PUNCTUATION = re.compile(
    r"(?:^|(?<=[A-Za-z0-9]))(?:%[0-9A-Fa-f]{2}|&(?:gt|lt|amp|quot|apos|nbsp|#[0-9]+);?|[^A-Za-z0-9])+$",
    re.ASCII,
)
_MAX_RAW_LENGTH = 2 * MAX_CODE_LENGTH  # characters; also the bound on what _GLUE can cost


def generate_code(*, length: int, alphabet: str, is_taken: Callable[[str], bool]) -> str:
    """A random code of ``length`` characters of ``alphabet`` that is not ``taken``; longer if need be.

    Whoever stores the code must still insert it under a unique constraint: two processes may draw the same.
    Raises CodeRefused if nothing is free up to MAX_CODE characters.
    """
    for size in range(length, MAX_CODE_LENGTH + 1):
        for _ in range(_TRIES_PER_LENGTH):
            code = "".join(secrets.choice(alphabet) for _ in range(size))
            if _CODE_PATTERN.fullmatch(code) and not is_taken(code):
                return code
    raise CodeRefused(
        f"no free code of {length} to {MAX_CODE_LENGTH} characters was found; use a larger alphabet"
    )


def normalize_code(code: str, *, case_sensitive: bool) -> str:
    """The normal form of a code that a person chose: in lower case unless the domain is ``case_sensitive``.

    Raises CodeRefused with a one-line reason.
    """
    if not code:
        raise CodeRefused(
            "the code is empty; choose 1 to 64 letters or digits, or leave it out to be given one"
        )
    if len(code) > MAX_CODE_LENGTH:
        raise CodeRefused(
            f"code {_printable(code)} has {len(code)} characters; use {MAX_CODE_LENGTH} at most"
        )
    if not _CODE_PATTERN.fullmatch(code):
        raise CodeRefused(f"code {_printable(code)} {_describe_error(code)}")
    return code if case_sensitive else code.lower()


def strip_punctuation(raw: str) -> str:
    """``raw`` without the punctuation that a mail client glued to its end: ``7pj1e).`` gives ``7pj1e``.

    For a second look-up after ``raw`` itself was not found; "" if there is none to make. ``raw`` may be
    percent-decoded or not.
    """
    return _TRAILING_PUNCTUATION.sub("", raw) if len(raw) <= _MAX_RAW_LENGTH else ""


def _describe_error(code: str) -> str:
    """What is wrong with a code that ``_CODE`` does not match, and the mend."""
    foreign = next((c for c in code if not (c.isascii() and (c.isalnum() or c in "-_"))), None)
    if foreign is not None:
        return f"has {foreign!a} in it; use letters a-z, digits, - and _ only"
    if code[0] in "-_":
        return f"begins with {code[0]}; begin it with a letter or digit"
    return f"ends in {code[-1]}, which mail programs cut off a link; end it with a letter or digit"


def _printable(code: str) -> str:
    return ascii(code if len(code) <= MAX_CODE_LENGTH else f"{code[:MAX_CODE_LENGTH]}...")
