"""Codes of short links, such as ``7pk3e``: functions that generate, validate and normalize them."""

import re
import secrets
from collections.abc import Callable

from shortener.errors import CodeRefused
from shortener.messages import Message

# Lower-case letters and digits, without those that look alike on paper: 0 and o; 1, l, i and j.
DEFAULT_ALPHABET = "abcdefghkmnpqrstuvwxyz23456789"
MAX_CODE_LENGTH = 64  # characters

COMPATIBLE_PATHS = {"yourls": "/yourls-api.php", "shlink": "/rest/"}
"""Beginning of the paths of each API of another shortener, by its name in ``[api] compatible``."""
RECIPIENT_PARAMETER = "_c"
"""Query key of a recipient token. The token is never forwarded to the target, and is stored only as a keyed hash."""
PREVIEW_SUFFIX = "+"
"""Suffix of a code in a short URL that requests a preview page, which shows the target, instead of a redirect."""

# If half of all codes of a length are taken, all of these attempts fail with a probability of 1 in 256.
_TRIES_PER_LENGTH = 8

# There is no ".", so that no code hides robots.txt or favicon.ico. Both ends are letters or digits, because our own
# pages begin with "-" and mail clients exclude punctuation at the end of a link.
CODE_PATTERN = rf"[A-Za-z0-9](?:[A-Za-z0-9_-]{{0,{MAX_CODE_LENGTH - 2}}}[A-Za-z0-9])?"
"""Regular expression of a code, also for nginx."""
is_code = re.compile(CODE_PATTERN, re.ASCII).fullmatch
"""Match a text that is a code, of letters and digits in any case."""

# Trailing characters other than letters and digits: raw, percent-encoded, as HTML entities or in quoted-printable. The
# look-behind for a letter or digit and the possessive "++" keep the time of a search linear.
_TRAILING_PUNCTUATION = re.compile(
    r"(?:^|(?<=[A-Za-z0-9]))"
    r"(?:%[0-9A-Fa-f]{2}|=[0-9A-F]{2}|&(?:[A-Za-z]{2,8};|(?:gt|lt|amp|quot|apos|nbsp|#[0-9]+|#[xX][0-9A-Fa-f]+);?)"
    r"|[^A-Za-z0-9])++$",
    re.ASCII,
)
_MAX_RAW_LENGTH = 2 * MAX_CODE_LENGTH  # characters; bounds the cost of _TRAILING_PUNCTUATION


def generate_code(
    *,
    length: int,  # shortest length; a code is longer if too many of this length are taken
    alphabet: str,
    is_taken: Callable[[str], bool],
) -> str:
    """Return a random code that is not taken. Raises CodeRefused.

    Another process can take the code before it is stored.
    """
    for size in range(length, MAX_CODE_LENGTH + 1):
        for _ in range(_TRIES_PER_LENGTH):
            code = "".join(secrets.choice(alphabet) for _ in range(size))
            if is_code(code) and not is_taken(code):
                return code
    raise CodeRefused(
        Message(
            "no free code of {length} to {limit} characters was found; use a larger alphabet",
            length=length,
            limit=MAX_CODE_LENGTH,
        )
    )


def normalize_code(code: str, *, case_sensitive: bool) -> str:
    """Return the stored form of a code that a user chose. Raises CodeRefused if the code is not valid."""
    if not code:
        raise CodeRefused(
            Message("the code is empty; enter 1 to 64 letters or digits, or leave it out for a generated one")
        )
    if len(code) > MAX_CODE_LENGTH:
        raise CodeRefused(
            Message(
                "code {code} has {value} characters; use {limit} at most",
                code=_printable(code),
                value=len(code),
                limit=MAX_CODE_LENGTH,
            )
        )
    if not is_code(code):
        raise CodeRefused(Message("code {code} {error}", code=_printable(code), error=_describe_error(code)))
    return code if case_sensitive else code.lower()


def strip_punctuation(raw: str) -> str:
    """Return a code without punctuation that a mail client has appended: ``7pk3e).`` gives ``7pk3e``.

    The result is empty if no code remains.
    """
    return _TRAILING_PUNCTUATION.sub("", raw) if len(raw) <= _MAX_RAW_LENGTH else ""


def _describe_error(code: str) -> str:
    invalid = next((c for c in code if not (c.isascii() and (c.isalnum() or c in "-_"))), None)
    if invalid is not None:
        return Message("contains {invalid}; use letters a-z, digits, - and _ only", invalid=ascii(invalid))
    if code[0] in "-_":
        return Message("begins with {value}; begin it with a letter or digit", value=code[0])
    return Message(
        "ends in {value}, which mail programs remove from links; end it with a letter or digit", value=code[-1]
    )


def _printable(code: str) -> str:
    return ascii(code if len(code) <= MAX_CODE_LENGTH else f"{code[:MAX_CODE_LENGTH]}...")
