"""The honeypot link of an HTML issue. Readers do not see it, so a request for it comes from a program."""

from shortener.errors import InputError
from shortener.messages import Message
from shortener.newsletter import escaping
from shortener.newsletter.html_tokenizer import tokenize
from shortener.newsletter.parsing import parse
from shortener.newsletter.recipient_tokens import recipient_token_query

# Hidden by size, font size, colour and Outlook's mso-hide together, because each mail client drops some of them.
# Machines that render a mail recognize display:none, so it is not used. Screen readers and the tab key skip the link.
_HONEYPOT_TEMPLATE = (
    '<div aria-hidden="true" style="max-height:0;max-width:0;overflow:hidden;opacity:0;font-size:0;line-height:0;'
    'mso-hide:all"><a href="{url}" tabindex="-1" rel="nofollow" style="color:transparent;text-decoration:none;'
    'font-size:0;line-height:0">&nbsp;</a></div>'
)


def honeypot_html(
    url: str,
    *,
    recipient_tag: str = "",  # a merge tag that is added to the query of the URL
) -> str:
    """Return the HTML of a link to ``url`` that readers do not see."""
    return _HONEYPOT_TEMPLATE.format(
        url=escaping.escape_url(url, syntax="double").decode() + recipient_token_query(recipient_tag)
    )


def insert_honeypot(
    source: bytes,
    html: str,  # of the link, from ``honeypot_html``
) -> bytes:
    """Return an HTML document with a hidden link added at the end of its body. Raises InputError."""
    body_ends = [token.start for token in tokenize(source) if token.kind == "end" and token.name == b"body"]
    offset = body_ends[-1] if body_ends else len(source)
    output = source[:offset] + html.encode() + source[offset:]
    url_start = offset + html.index('href="') + len('href="')
    document = parse(output, format="html")
    if url_start not in {link.start for link in document.links} | {link.start for link in document.untouched}:
        raise InputError(
            Message(
                "the issue ends in an open comment, script or tag, so a hidden link cannot be added; close it first"
            )
        )
    return output
