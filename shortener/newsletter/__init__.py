"""Parsing of newsletter issues, extraction of their articles, and replacement of their URLs. No database is used."""

from shortener.newsletter.article_roles import Role
from shortener.newsletter.articles import ExtractedArticle, ExtractedIssue, extract_articles
from shortener.newsletter.document import Document, DocumentLink, Format, UntouchedLink, find_outlook_twins
from shortener.newsletter.file_kinds import unreadable_kind
from shortener.newsletter.honeypot import honeypot_html, insert_honeypot
from shortener.newsletter.mime import stored_form
from shortener.newsletter.opt_out import find_opt_out_links
from shortener.newsletter.parsing import MAX_ISSUE_BYTES, PASTED_NAME, detect_format, parse
from shortener.newsletter.phrases import normalize as normalize_phrase
from shortener.newsletter.recipient_tokens import check_recipient_tag, strip_recipient_tags
from shortener.newsletter.rewrite import rewrite

__all__ = [
    "MAX_ISSUE_BYTES",
    "PASTED_NAME",
    "Document",
    "DocumentLink",
    "ExtractedArticle",
    "ExtractedIssue",
    "Format",
    "Role",
    "UntouchedLink",
    "check_recipient_tag",
    "detect_format",
    "extract_articles",
    "find_opt_out_links",
    "find_outlook_twins",
    "honeypot_html",
    "insert_honeypot",
    "normalize_phrase",
    "parse",
    "rewrite",
    "stored_form",
    "strip_recipient_tags",
    "unreadable_kind",
]
