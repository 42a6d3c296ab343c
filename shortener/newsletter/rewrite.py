"""Replacement of URLs in an issue; every other byte is unchanged."""

from collections.abc import Iterator, Mapping

from shortener.errors import InputError
from shortener.messages import Message
from shortener.newsletter import escaping
from shortener.newsletter.document import Document, DocumentLink
from shortener.newsletter.encoded_document import rewrite_parts
from shortener.newsletter.parsing import parse
from shortener.newsletter.recipient_tokens import recipient_token_query


def rewrite(
    document: Document,
    urls: Mapping[int, str],  # new URLs by link index
    *,
    recipient_tag: str = "",  # a merge tag that is added to the query of each of these URLs
) -> bytes:
    """Return the source of an issue with new URLs. Raises InputError, or IndexError for an unknown link."""
    if document.parts:
        return _rewrite_parts(document, urls, recipient_tag)
    source, parts, offset, length = document.source, [], 0, 0
    links_by_offset: dict[int, DocumentLink] = {}
    for link in sorted((document.links[index] for index in urls), key=lambda link: link.start):
        url = urls[link.index]
        if url != link.url or recipient_tag or link.written_longer:
            new = _format_url(link, url, recipient_tag, original=source[link.start : link.end])
            parts += [source[offset : link.start], new]
            length += link.start - offset
            links_by_offset[length + new.startswith(b"<")] = link
            length += len(new)
            offset = link.end
    output = b"".join((*parts, source[offset:]))
    if recipient_tag:
        for link in _misread_links(output, document, urls, links_by_offset, recipient_tag):
            raise InputError(
                Message(
                    "line {line}: the recipient tag {recipient_tag} cannot be part of this link; move the "
                    "link out of the table and put its URL between double quotes, or use another tag",
                    line=link.line,
                    recipient_tag=recipient_tag,
                )
            )
    return output


def _rewrite_parts(document: Document, urls: Mapping[int, str], recipient_tag: str) -> bytes:
    new: dict[int, bytes] = {}
    for index, url in urls.items():
        link = document.links[index]
        if url != link.url or recipient_tag or link.written_longer:
            text = document.parts[link.part or 0].text
            new[index] = _format_url(link, url, recipient_tag, original=text[link.start : link.end])
    output = rewrite_parts(document, new)
    if recipient_tag:
        reread = parse(output, format=document.format)
        written = {link.url for link in reread.links} | {left.url for left in reread.untouched}
        for index in new:
            if urls[index] + recipient_token_query(recipient_tag) not in written:
                raise InputError(
                    Message(
                        "line {line}: the recipient tag {recipient_tag} cannot be part of this link; use another tag",
                        line=document.links[index].line,
                        recipient_tag=recipient_tag,
                    )
                )
    return output


def _format_url(link: DocumentLink, url: str, recipient_tag: str, *, original: bytes) -> bytes:
    if not recipient_tag:
        return escaping.escape_url(url, syntax=link.syntax)
    query = recipient_token_query(recipient_tag).encode()
    if link.syntax == "plain":
        return escaping.escape_url(url, syntax="plain") + query
    if link.syntax == "bare":  # angle brackets, because a bare URL would end inside the tag
        return b"<" + escaping.escape_url(url, syntax="autolink") + query + b">"
    # Without a new URL the old bytes stay, and only the recipient tag is added.
    return (original if url == link.url else escaping.escape_url(url, syntax=link.syntax)) + query


def _misread_links(
    output: bytes,
    document: Document,
    urls: Mapping[int, str],
    links_by_offset: Mapping[int, DocumentLink],
    recipient_tag: str,
) -> Iterator[DocumentLink]:
    # The recipient tag can have a character that ends a table cell or an attribute.
    reread = parse(output, format=document.format)
    urls_by_offset = {link.start: link.url for link in reread.links}
    urls_by_offset |= {link.start: link.url for link in reread.untouched}
    for start, link in links_by_offset.items():
        if urls_by_offset.get(start) != urls[link.index] + recipient_token_query(recipient_tag):
            yield link
