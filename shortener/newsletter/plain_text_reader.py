"""Reader of issues in plain text. Each line is a block of text, and bare URLs are the links."""

import re

from shortener.messages import Message
from shortener.newsletter import autolinks
from shortener.newsletter.builder import DocumentBuilder
from shortener.newsletter.document import Document

_LINE = re.compile(rb"([^\r\n]*)(\r\n|\r|\n|\Z)")
_RULE = re.compile(rb"[ \t]*(?:[-=_*~+#]|\xe2\x94\x80|\xe2\x80\x94){4,}[ \t]*\Z")


def parse_plain_text(
    source: bytes,
    *,
    take_over_tracking: bool = False,  # whether links tracked by the software listmonk can be replaced
) -> Document:
    """Parse an issue in plain text, whose links are bare URLs. Raises UnreadableDocument for too many links."""
    builder = DocumentBuilder(source, take_over_tracking=take_over_tracking)
    for match in _LINE.finditer(source):
        start, end = match.span(1)
        if _RULE.match(match[1]):
            builder.add_rule()
        elif match[1].strip(b" \t>"):
            _add_line(builder, source, start, end)
            builder.add_line_break()
        else:
            builder.begin_block()
    return builder.build(format="markdown")


def _add_line(builder: DocumentBuilder, source: bytes, start: int, end: int) -> None:
    offset = start
    for url, url_start, url_end in autolinks.find_clickable_text(source, start=start, stop=end):
        builder.add_text(source[offset:url_start].decode(errors="replace"))
        is_http = url.lower().startswith("http")
        if is_http:
            reach = url_end + 1
            builder.current_link = builder.add_link(
                url, start=url_start, end=url_end, syntax="plain", merge_tag_reach=reach
            )
        else:
            builder.add_untouched(url, start=url_start, end=url_end, reason=Message("it has no https://"))
        builder.add_text(source[url_start:url_end].decode(errors="replace"))
        builder.current_link = None
        offset = url_end
    builder.add_text(source[offset:end].decode(errors="replace"))
