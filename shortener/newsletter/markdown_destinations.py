"""Finding of the URL inside a Markdown link. The parser pyromark reports the byte range of the whole link only."""

import re
from typing import NamedTuple

from shortener.newsletter import escaping
from shortener.newsletter.document import UrlSyntax

_LINE_PREFIX = re.compile(rb"[ \t\x0b\x0c]*(?:(?:\r\n?|\n)[ \t>\x0b\x0c]*)?")
_ANGLE_DESTINATION = re.compile(rb"<((?:[^<>\\\r\n]|\\.|\\)*)>", re.S)
_PLAIN_DESTINATION = re.compile(rb"[^\x00-\x20]+")


class Destination(NamedTuple):
    """The byte range of the URL of a Markdown link, and its syntax, such as angle brackets."""

    start: int
    end: int
    syntax: UrlSyntax


def find_destination(
    source: bytes,
    expected_url: str,
    *,
    start: int,  # of the URL or of white space before it
    end: int,
) -> Destination | None:
    """Return the byte range of the URL of a Markdown link. Return None if the URL is not ``expected_url``."""
    prefix = _LINE_PREFIX.match(source, start, end)
    start = prefix.end() if prefix else start
    angle = _ANGLE_DESTINATION.match(source, start, end)
    plain = _PLAIN_DESTINATION.match(source, start, end)
    match, group = (angle, 1) if angle else (plain, 0)
    if match is None or escaping.unescape_markdown(match[group].decode()) != expected_url:
        return None
    return Destination(match.start(group), match.end(group), "angle" if angle else "destination")


def normalize_label(text: str) -> str:
    """Return the label of a reference link case-folded and with single spaces. Equal results mean equal labels.

    Source: CommonMark, section 4.7.
    """
    return " ".join(text.split()).casefold()
