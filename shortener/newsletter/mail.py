"""Reader of mails. It finds the links of every text part; title and sending time are read from the headers."""

import contextlib
from email.message import EmailMessage

from msgspec.structs import replace

from shortener.errors import UnreadableDocument
from shortener.messages import Message
from shortener.newsletter import encoded_document, html_reader, markdown_reader, mime, plain_text_reader
from shortener.newsletter.builder import MAX_LINKS
from shortener.newsletter.document import Document, Part, UntouchedLink
from shortener.newsletter.mime import MailPart

_HTML_TYPES = ("text/html", "text/x-amp-html")  # the first that a mail has is its main text
_TEXT_TYPES = ("text/plain", "text/markdown", "text/x-markdown")
_SIGNATURE_HEADERS = ("DKIM-Signature", "ARC-Seal", "ARC-Message-Signature")
_SIGNATURE_WARNING = Message("the mail is signed, and its signature will no longer fit: rewrite it before it is signed")


def parse_mail(
    source: bytes,
    *,
    take_over_tracking: bool = False,  # whether links tracked by the software listmonk can be replaced
    break_signature: bool = False,  # whether links in signed parts can be replaced
) -> Document:
    """Parse a mail. Links in HTML come before links in plain text. Raises UnreadableDocument."""
    structure = mime.parse_structure(source)
    headers = mime.read_headers(source, structure)
    leaves = [leaf for leaf in structure.leaves() if not leaf.is_attachment]
    html = [leaf for leaf in leaves if leaf.content_type in _HTML_TYPES]
    main_type = next((kind for kind in _HTML_TYPES if any(leaf.content_type == kind for leaf in html)), "")
    html.sort(key=lambda leaf: leaf.content_type != main_type)
    text = [leaf for leaf in leaves if leaf.content_type in _TEXT_TYPES]
    warnings = list(_warnings(headers, structure))
    parts: list[tuple[Part, Document, bool]] = []
    for leaf in [*html, *text]:
        read = _read_leaf(source, leaf, take_over_tracking=take_over_tracking)
        if read is None:
            what = f"{leaf.content_type}, {leaf.charset or 'no charset'}, {leaf.transfer_encoding or 'no encoding'}"
            warnings.append(
                Message("a part of the mail ({what}) cannot be decoded exactly; its links are left alone", what=what)
            )
            continue
        part, document = read
        if leaf.signed and not break_signature:
            document = _without_replaceable_links(document)
        parts.append((part, document, bool(html) and leaf.content_type != main_type))
    if not parts:
        raise UnreadableDocument(Message("the mail has no text that can be read; save it with its text or HTML"))
    subject = " ".join(mime.header_value(headers, "Subject").split())
    title = subject or next((document.title for _, document, _ in parts if document.title), None)
    base = Document(source, "eml", (), (), (), title, sent_at=_date(headers), warnings=tuple(warnings))
    document = encoded_document.join_parts(source, parts, base=base)
    if len(document.links) > MAX_LINKS:
        raise UnreadableDocument(Message("the issue has more than {limit} links; split the issue", limit=MAX_LINKS))
    return document


def _read_leaf(source: bytes, leaf: MailPart, *, take_over_tracking: bool) -> tuple[Part, Document] | None:
    part = encoded_document.decode_part(
        source,
        start=leaf.start,
        end=leaf.end,
        charset=leaf.charset,
        encoding=leaf.transfer_encoding,
        is_html=leaf.content_type in _HTML_TYPES,
    )
    if part is None or b"\0" in part.text:
        return None
    if part.is_html:
        document = html_reader.parse_html(part.text, start=0, take_over_tracking=take_over_tracking)
    elif leaf.content_type == "text/plain":
        document = plain_text_reader.parse_plain_text(part.text, take_over_tracking=take_over_tracking)
    else:
        document = markdown_reader.parse_markdown(part.text, start=0, take_over_tracking=take_over_tracking)
    return part, document


def _without_replaceable_links(document: Document) -> Document:
    signed = [
        UntouchedLink(link.start, link.end, link.line, link.url, Message("it is in a signed part"))
        for link in document.links
    ]
    return replace(document, links=(), untouched=(*document.untouched, *signed), blocks=())


def _warnings(headers: EmailMessage, structure: MailPart) -> list[str]:
    warnings: list[str] = []
    if structure.content_type == "multipart/signed" or any(name in headers for name in _SIGNATURE_HEADERS):
        warnings.append(_SIGNATURE_WARNING)
    if not _is_complete(structure):
        warnings.append(Message("the mail ends without its closing boundary; it may have been cut off"))
    return warnings


def _is_complete(part: MailPart) -> bool:
    return part.is_closed and all(map(_is_complete, part.children))


def _date(headers: EmailMessage) -> int | None:
    with contextlib.suppress(*mime.HEADER_ERRORS, OverflowError):
        date = headers.get("Date")
        return int(date.datetime.timestamp()) if date is not None and date.datetime else None
    return None
