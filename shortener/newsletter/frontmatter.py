"""Front matter of Markdown files: YAML or TOML between lines such as ``---``, or plain lines of metadata."""

import re

_FENCED = re.compile(
    rb"(?:---[ \t]*\r?\n(?![ \t]*\r?\n)(.*?)^(?:---|\.\.\.)|\+\+\+[ \t]*\r?\n(.*?)^\+\+\+)[ \t]*(?:\r?\n|\Z)",
    re.S | re.M,
)
_METADATA_KEY = re.compile(rb"^[\w\"'-][^:=\r\n]*[:=]", re.M)
# The form of Pelican and MultiMarkdown: lines such as "Title: …" up to the first empty line.
_UNFENCED = re.compile(
    rb"(?=(?:[^\r\n]+\n){0,20}?title:)(?:[A-Za-z][\w -]{0,30}:[ \t]*[^\r\n]*\r?\n){2,}(?=\r?\n)", re.I
)
_TITLE = re.compile(r"^title[ \t]*[:=][ \t]*(.+?)[ \t]*\r?$", re.M | re.I)


def skip_front_matter(source: bytes, *, start: int) -> tuple[int, str | None]:
    """Return (offset after the front matter, its title or None). Without front matter, the offset is ``start``."""
    match = _FENCED.match(source, start) or _UNFENCED.match(source, start)
    if match is None or not _METADATA_KEY.search(match[0].strip(b"-+. \r\n")):
        return start, None
    title = _TITLE.search(match[0].decode())
    return match.end(), (title[1].strip("\"'").strip() or None) if title else None
