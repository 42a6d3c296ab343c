"""Reading and rewriting of newsletter issues; the package uses no store and no clock.

``parse`` finds the links and the text of an issue, ``extract_articles`` finds its articles and their placements, and
``rewrite`` replaces URLs and leaves every other byte unchanged.
"""

from shortener.newsletter.articles import ExtractedIssue, extract_articles
from shortener.newsletter.document import Document, DocumentLink, Format
from shortener.newsletter.honeypot import honeypot_html, insert_honeypot
from shortener.newsletter.parsing import MAX_ISSUE_BYTES, detect_format, parse
from shortener.newsletter.recipient_tokens import check_recipient_tag, strip_recipient_tags
from shortener.newsletter.rewrite import rewrite

__all__ = [
    "MAX_ISSUE_BYTES",
    "Document",
    "DocumentLink",
    "ExtractedIssue",
    "Format",
    "check_recipient_tag",
    "detect_format",
    "extract_articles",
    "honeypot_html",
    "insert_honeypot",
    "parse",
    "rewrite",
    "strip_recipient_tags",
]
