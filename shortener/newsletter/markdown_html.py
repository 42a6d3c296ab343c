"""Pieces of HTML inside Markdown. Each piece maps its offsets to offsets in the Markdown source."""

from collections.abc import Sequence

from shortener.newsletter.html_reader import HtmlFragment


def source_fragment(
    text: str,
    source: bytes,
    *,
    start: int,  # byte range of the HTML in the source
    end: int,
) -> HtmlFragment:
    """Return a piece of HTML with a map from its offsets to offsets in the Markdown source."""
    html = text.encode()
    if source[start:end] == html:
        return HtmlFragment(html, ((0, start),))
    # Prefixes of lines, such as ">", were removed, so each line is searched for separately.
    offset_map, offset, search_start = [], 0, start
    for line in html.splitlines(keepends=True):
        source_offset = source.find(line.rstrip(b"\r\n"), search_start, end)
        offset_map.append((offset, source_offset))
        offset, search_start = offset + len(line), max(search_start, source_offset)
    return HtmlFragment(html, tuple(offset_map) or ((0, -1),))


def join_fragments(fragments: Sequence[HtmlFragment]) -> HtmlFragment:
    """Return consecutive pieces of HTML as one piece."""
    offset_map, length = [], 0
    for fragment in fragments:
        offset_map += [(length + offset, source) for offset, source in fragment.offset_map]
        length += len(fragment.text)
    return HtmlFragment(b"".join(fragment.text for fragment in fragments), tuple(offset_map))
