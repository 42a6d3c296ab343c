"""An issue in, its articles and placements out; the same bytes with other URLs. Pure: no files, no store.

``parse`` finds the links and the outline of an issue, ``read`` its articles, ``rewrite`` puts URLs in place.
"""

from shortener.newsletter.articles import ArticleFound, Placement, Reading, read
from shortener.newsletter.builder import MAX_LINKS
from shortener.newsletter.document import Block, Document, Encoding, Format, FoundLink, Run, Untouched
from shortener.newsletter.honeypot import hidden_link, hide_link
from shortener.newsletter.lines import Kind
from shortener.newsletter.parsing import MAX_BYTES, guess_format, parse
from shortener.newsletter.recipient_tokens import check_tag, untag
from shortener.newsletter.rewrite import rewrite

__all__ = [
    "MAX_BYTES",
    "MAX_LINKS",
    "ArticleFound",
    "Block",
    "Document",
    "Encoding",
    "Format",
    "FoundLink",
    "Kind",
    "Placement",
    "Reading",
    "Run",
    "Untouched",
    "check_tag",
    "guess_format",
    "hidden_link",
    "hide_link",
    "parse",
    "read",
    "rewrite",
    "untag",
]
