"""The same bytes with other URLs."""

from collections.abc import Iterator, Mapping

from shortener.errors import InputError
from shortener.newsletter import escaping
from shortener.newsletter.document import Document, DocumentLink
from shortener.newsletter.parsing import parse
from shortener.newsletter.recipient_tokens import recipient_token_query


def rewrite(document: Document, urls: Mapping[int, str], *, recipient_tag: str = "") -> bytes:
    """Return the source with the URL of each given link (by index) replaced, written as its place demands.

    Every byte outside the replaced URLs is as it was, and so is a URL that is replaced by itself. ``tag`` is a copy
    tag that comes behind each of the URLs, as it is. Raises InputError for a URL that no place can take, for a tag
    that a place does not leave as it is, and IndexError for an index that the document does not have.
    """
    source, parts, at, size = document.source, [], 0, 0
    written: dict[int, DocumentLink] = {}
    for link in sorted((document.links[index] for index in urls), key=lambda link: link.start):
        url = urls[link.index]
        if url != link.url or recipient_tag:
            new = _format_url(link, url, recipient_tag, original=source[link.start : link.end])
            parts += [source[at : link.start], new]
            size += link.start - at
            written[size + new.startswith(b"<")] = link
            size += len(new)
            at = link.end
    output = b"".join((*parts, source[at:]))
    if recipient_tag:
        for link in _misread_links(output, document, urls, written, recipient_tag):
            raise InputError(
                f"line {link.line}: the copy tag {recipient_tag} would not be whole there; write the link as one "
                "of its own, outside of a table and with its URL between double quotes, "
                "or use a tag without that character"
            )
    return output


def _format_url(link: DocumentLink, url: str, recipient_tag: str, *, original: bytes) -> bytes:
    """The URL as its place demands, and the tag behind it."""
    if not recipient_tag:
        return escaping.escape_url(url, syntax=link.syntax)
    if link.syntax == "bare":
        return (
            b"<"
            + escaping.escape_url(url, syntax="autolink")
            + recipient_token_query(recipient_tag).encode()
            + b">"
        )
    new = original if url == link.url else escaping.escape_url(url, syntax=link.syntax)
    return new + recipient_token_query(recipient_tag).encode()


def _misread_links(
    output: bytes,
    document: Document,
    urls: Mapping[int, str],
    links_by_offset: Mapping[int, DocumentLink],
    recipient_tag: str,
) -> Iterator[DocumentLink]:
    """The links that do not read as they were written: a tag may hold what ends a table's cell or an attribute."""
    read = parse(output, format=document.format)
    found = {link.start: link.url for link in read.links} | {left.start: left.url for left in read.untouched}
    for start, link in links_by_offset.items():
        if found.get(start) != urls[link.index] + recipient_token_query(recipient_tag):
            yield link
