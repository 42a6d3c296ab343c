"""Masking of ``{% … %}`` lines of site generators, and of the newsletter software listmonk's tags for tracked links."""

# Before Markdown is parsed, lines of such tags are replaced by spaces. Before Markdown or HTML is parsed, the listmonk
# tag {{ TrackLink "URL" }} is replaced by its URL. The length of the source stays, so that offsets remain valid.
import re

from msgspec import Struct

_TEMPLATE_LINE = re.compile(rb"^[ \t]*(?:\{%(?:(?!%\})[^\r\n]){0,1000}%\}[ \t]*)+(?=\r?$)", re.M)
_TRACK_ACTION = re.compile(
    rb"\{\{-?[ \t]*TrackLink[ \t]+([\"'`])(https?://[^\s\"'`{}<>]{1,4000})\1[ \t.]{0,20}-?\}\}", re.I
)
_TRACK_SUFFIX = "@TrackLink"


class TrackedUrl(Struct, frozen=True):
    """The URL of a link that the newsletter software listmonk tracks."""

    url: str
    is_action: bool
    """True for ``{{ TrackLink "URL" }}``, False for a URL with the suffix ``@TrackLink``."""


def mask_track_actions(source: bytes) -> bytes:
    """Return the source with every ``{{ TrackLink "URL" }}`` replaced by its URL, padded to the length of the tag."""
    if b"TrackLink" not in source:
        return source

    def mask(match: re.Match[bytes]) -> bytes:
        # The padding is a fragment ("#---"), so that the offsets of all other bytes stay valid.
        filler = len(match[0]) - len(match[2])
        return match[2] + b"#" + b"-" * (filler - 1)

    return _TRACK_ACTION.sub(mask, source)


def mask_template_lines(source: bytes) -> tuple[bytes, list[tuple[int, int]]]:
    """Return the source with spaces in place of lines of ``{% … %}`` tags, and the byte ranges of these lines."""
    if b"{%" not in source:
        return source, []
    ranges = [match.span() for match in _TEMPLATE_LINE.finditer(source)]
    return _TEMPLATE_LINE.sub(lambda match: b" " * len(match[0]), source), ranges


def find_tracked_url(
    url: str,
    *,
    written: bytes,  # bytes of the URL in the source
) -> TrackedUrl | None:
    """Return a URL without the mark by which the newsletter software listmonk tracks it. Return None without a mark."""
    # Source: the template functions of listmonk.
    if action := _TRACK_ACTION.fullmatch(written):
        return TrackedUrl(action[2].decode(), is_action=True)
    if url.endswith(_TRACK_SUFFIX):
        return TrackedUrl(url.removesuffix(_TRACK_SUFFIX), is_action=False)
    return None
