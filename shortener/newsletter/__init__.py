"""An issue in, its articles and placements out; the same bytes with other URLs. Pure: no files, no store.

``parse`` finds the links and the outline of an issue, ``read`` its articles, ``rewrite`` puts URLs in place.
"""

from shortener.newsletter.articles import ExtractedArticle, ExtractedIssue, Placement, extract_articles
from shortener.newsletter.builder import MAX_LINKS
from shortener.newsletter.document import Block, Document, DocumentLink, Format, Run, UntouchedLink, UrlSyntax
from shortener.newsletter.honeypot import honeypot_html, insert_honeypot
from shortener.newsletter.lines import PlacementKind
from shortener.newsletter.parsing import MAX_ISSUE_BYTES, detect_format, parse
from shortener.newsletter.recipient_tokens import check_recipient_tag, strip_recipient_tags
from shortener.newsletter.rewrite import rewrite

__all__ = [
    "MAX_ISSUE_BYTES",
    "MAX_LINKS",
    "Block",
    "Document",
    "DocumentLink",
    "ExtractedArticle",
    "ExtractedIssue",
    "Format",
    "Placement",
    "PlacementKind",
    "Run",
    "UntouchedLink",
    "UrlSyntax",
    "check_recipient_tag",
    "detect_format",
    "extract_articles",
    "honeypot_html",
    "insert_honeypot",
    "parse",
    "rewrite",
    "strip_recipient_tags",
]
