"""Documents with encoded parts, such as mails: parts are decoded, and encoded again after their URLs were replaced."""

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from shortener.newsletter import encoded_text, transfer_encoding
from shortener.newsletter.document import Block, Document, DocumentLink, Part, Run, UntouchedLink
from shortener.newsletter.transfer_encoding import Replacement

_NEWLINE = re.compile(rb"\r\n?|\n")


def decode_part(
    source: bytes,
    *,
    start: int,  # byte range of the part
    end: int,
    charset: str,
    encoding: str,  # of the transfer, such as "base64"
    is_html: bool,
) -> Part | None:
    """Decode a part of a mail. Return None if it cannot be decoded, or if encoding it again would change its bytes."""
    decoded = transfer_encoding.decode(source[start:end], transfer_encoding=encoding)
    read = encoded_text.decode_declared(decoded.data, charset=charset) if decoded else None
    if read is None:
        return None
    text, codec = read
    return Part(start, end, encoding, codec, encoded_text.to_utf8(text), is_html)


def _source_line_by_offset(
    source: bytes, part: Part, offsets: Sequence[int], *, line_starts: Sequence[int]
) -> dict[int, int]:
    # The offsets are in the decoded text of the part; the lines are those of the encoded source.
    decoded = _decode(source, part)
    points = [Replacement(offset, offset, b"") for offset in sorted(set(offsets))]
    encoded = encoded_text.encode_replacements(_text(decoded, part), points, charset=part.charset)
    lines: dict[int, int] = {}
    for point, at in zip(points, encoded, strict=True):
        offset = transfer_encoding.source_offset(decoded, at.start, transfer_encoding=part.transfer_encoding)
        lines[point.start] = bisect_right(line_starts, part.start + offset) + 1
    return lines


def _decode(source: bytes, part: Part) -> transfer_encoding.DecodedBytes:
    decoded = transfer_encoding.decode(source[part.start : part.end], transfer_encoding=part.transfer_encoding)
    assert decoded is not None  # noqa: S101 - the part was decoded before
    return decoded


def _text(decoded: transfer_encoding.DecodedBytes, part: Part) -> str:
    text = encoded_text.decode_text(decoded.data, charset=part.charset)
    assert text is not None  # noqa: S101 - the part was decoded before
    return text


def join_parts(
    source: bytes,
    parts: Sequence[tuple[Part, Document, bool]],  # part, its content, whether it repeats an HTML part as plain text
    *,
    base: Document,
) -> Document:
    """Return the document ``base`` with the links and text of all parts added."""
    links: list[DocumentLink] = []
    untouched: list[UntouchedLink] = []
    blocks: list[Block] = []
    warnings = list(base.warnings)
    line_starts = [match.end() for match in _NEWLINE.finditer(source)]
    for index, (part, document, is_repeated) in enumerate(parts):
        offsets = [link.start for link in document.links] + [left.start for left in document.untouched]
        lines = _source_line_by_offset(source, part, offsets, line_starts=line_starts)
        shift = len(links)
        links += [
            replace(link, index=shift + link.index, line=lines[link.start], part=index) for link in document.links
        ]
        untouched += [replace(left, line=lines[left.start]) for left in document.untouched]
        blocks += [_shift_block(block, shift, plain_part=is_repeated) for block in document.blocks]
        warnings += document.warnings
    return replace(
        base,
        links=tuple(links),
        untouched=tuple(untouched),
        blocks=tuple(blocks),
        parts=tuple(part for part, _, _ in parts),
        warnings=tuple(warnings),
    )


def _shift_block(block: Block, shift: int, *, plain_part: bool) -> Block:
    if not shift and not plain_part:
        return block
    runs = tuple(_shift_run(run, shift) for run in block.runs)
    return replace(block, runs=runs, plain_part=plain_part)


def _shift_run(run: Run, shift: int) -> Run:
    return run if run.link_index is None else replace(run, link_index=run.link_index + shift)


def rewrite_parts(document: Document, urls: Mapping[int, bytes]) -> bytes:
    """Return the source with new URLs in its encoded parts.

    ``urls`` are the new URLs by link index, already escaped.
    """
    source, output, offset = document.source, [], 0
    links_by_part: dict[int, list[DocumentLink]] = {}
    for link in sorted((document.links[index] for index in urls), key=_link_start):
        links_by_part.setdefault(link.part or 0, []).append(link)
    for index, links in sorted(links_by_part.items(), key=lambda item: document.parts[item[0]].start):
        part = document.parts[index]
        text = _text(_decode(source, part), part)
        replacements = [Replacement(link.start, link.end, urls[link.index]) for link in links]
        encoded = encoded_text.encode_replacements(text, replacements, charset=part.charset)
        body = source[part.start : part.end]
        output += [
            source[offset : part.start],
            transfer_encoding.replace(body, encoded, transfer_encoding=part.transfer_encoding),
        ]
        offset = part.end
    return b"".join((*output, source[offset:]))


def _link_start(link: DocumentLink) -> int:
    return link.start
