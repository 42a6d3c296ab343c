"""The same bytes with other URLs."""

from collections.abc import Iterator, Mapping

from shortener.errors import InputError
from shortener.newsletter import escaping
from shortener.newsletter.document import Document, FoundLink
from shortener.newsletter.parsing import parse
from shortener.newsletter.recipient_tokens import tail


def rewrite(document: Document, urls: Mapping[int, str], *, tag: str = "") -> bytes:
    """Return the source with the URL of each given link (by index) replaced, written as its place demands.

    Every byte outside the replaced URLs is as it was, and so is a URL that is replaced by itself. ``tag`` is a copy
    tag that comes behind each of the URLs, as it is. Raises InputError for a URL that no place can take, for a tag
    that a place does not leave as it is, and IndexError for an index that the document does not have.
    """
    source, parts, at, size = document.source, [], 0, 0
    written: dict[int, FoundLink] = {}
    for link in sorted((document.links[index] for index in urls), key=lambda link: link.start):
        url = urls[link.index]
        if url != link.url or tag:
            new = _write(link, url, tag, as_it_was=source[link.start : link.end])
            parts += [source[at : link.start], new]
            size += link.start - at
            written[size + new.startswith(b"<")] = link
            size += len(new)
            at = link.end
    output = b"".join((*parts, source[at:]))
    if tag:
        for link in _broken(output, document, urls, written, tag):
            raise InputError(
                f"line {link.line}: the copy tag {tag} would not be whole there; write the link as one of its own, "
                "outside of a table and with its URL between double quotes, or use a tag without that character"
            )
    return output


def _write(link: FoundLink, url: str, tag: str, *, as_it_was: bytes) -> bytes:
    """The URL as its place demands, and the tag behind it."""
    if not tag:
        return escaping.write(url, encoding=link.encoding)
    if link.encoding == "bare":
        return b"<" + escaping.write(url, encoding="autolink") + tail(tag).encode() + b">"
    new = as_it_was if url == link.url else escaping.write(url, encoding=link.encoding)
    return new + tail(tag).encode()


def _broken(
    output: bytes, document: Document, urls: Mapping[int, str], written: Mapping[int, FoundLink], tag: str
) -> Iterator[FoundLink]:
    """The links that do not read as they were written: a tag may hold what ends a table's cell or an attribute."""
    read = parse(output, format=document.format)
    found = {link.start: link.url for link in read.links} | {left.start: left.url for left in read.untouched}
    for start, link in written.items():
        if found.get(start) != urls[link.index] + tail(tag):
            yield link
