"""The hidden link of an HTML issue: only machines that fetch every link of a mail ever follow it."""

from shortener.errors import InputError
from shortener.newsletter import escaping
from shortener.newsletter.html_tokenizer import tokenize
from shortener.newsletter.parsing import parse
from shortener.newsletter.recipient_tokens import recipient_token_query

# Invisible by several means, because mail clients drop different ones: no room, no letters, no colour, and Outlook's
# own word. Not by display:none alone, which machines that render a mail look for. Screen readers and the tab key pass
# over it.
_HONEYPOT_TEMPLATE = (
    '<div aria-hidden="true" style="max-height:0;max-width:0;overflow:hidden;opacity:0;font-size:0;line-height:0;'
    'mso-hide:all"><a href="{url}" tabindex="-1" rel="nofollow" style="color:transparent;text-decoration:none;'
    'font-size:0;line-height:0">&nbsp;</a></div>'
)


def honeypot_html(url: str, *, recipient_tag: str = "") -> str:
    """The HTML of a hidden link to a short URL, with a copy tag behind it."""
    return _HONEYPOT_TEMPLATE.format(
        url=escaping.escape_url(url, syntax="double").decode() + recipient_token_query(recipient_tag)
    )


def insert_honeypot(source: bytes, html: str) -> bytes:
    """The HTML with a hidden link, as ``hidden_link`` writes it, before the end of its body, or at its end.

    Every other byte is as it was.
    Raises InputError where the end of the document is no place for a link.
    """
    at = next(
        (
            token.start
            for token in reversed(list(tokenize(source)))
            if _is_body_end_tag(token.kind, token.name)
        ),
        None,
    )
    at = len(source) if at is None else at
    written = source[:at] + html.encode() + source[at:]
    place = at + html.index('href="') + len('href="')
    document = parse(written, format="html")
    if place not in {link.start for link in document.links} | {left.start for left in document.untouched}:
        raise InputError(
            "the issue ends in an open comment, script or tag, where no hidden link can stand: close it first"
        )
    return written


def _is_body_end_tag(kind: str, name: bytes) -> bool:
    return kind == "end" and name == b"body"
