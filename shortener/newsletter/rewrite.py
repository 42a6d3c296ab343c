"""The same bytes with other URLs."""

from collections.abc import Mapping

from shortener.newsletter import encoding
from shortener.newsletter.document import Document


def rewrite(document: Document, urls: Mapping[int, str]) -> bytes:
    """Return the source with the URL of each given link (by index) replaced, written as its place demands.

    Every byte outside the replaced URLs is as it was, and so is a URL that is replaced by itself. Raises
    InputError for a URL that no place can take, and IndexError for an index that the document does not have.
    """
    source, parts, at = document.source, [], 0
    for link in sorted((document.links[index] for index in urls), key=lambda link: link.start):
        url = urls[link.index]
        if url != link.url:
            parts += [source[at : link.start], encoding.write(url, encoding=link.encoding)]
            at = link.end
    return b"".join((*parts, source[at:]))
