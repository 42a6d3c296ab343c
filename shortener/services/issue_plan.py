"""Data structures for adding an issue: the request, the stored data, and the plan (what will be stored)."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from shortener.newsletter import Document, DocumentLink, Role
from shortener.services.edit import ArticleEdit
from shortener.store.issues import Article, Issue, Placement
from shortener.store.links import Link

ShortLinkKey = tuple[str, str]
"""(host, code in the domain's stored case)."""
Targets = Mapping[ShortLinkKey, str]
"""Canonical targets of short links."""


class LeftAloneLink(Struct, frozen=True):
    """A link in a document whose URL is not replaced by a short URL."""

    line: int
    """Number of the line, from 1."""
    text: str
    """The URL of the link."""
    reason: str
    """A clause, such as "it is a relative URL"."""


class AddRequest(Struct, frozen=True):
    """A document to add as an issue, with the values that an editor entered. None means that nothing was entered."""

    source: bytes
    filename: str
    """The name of the file, from which the format and the default slug are derived; '' for pasted text."""
    slug: str | None = None
    title: str | None = None
    sent_at: int | None = None
    recipients: int | None = None
    domain: str | None = None
    targets: Targets = {}
    """Targets of short links that the document contains, as returned by ``parse_targets``."""
    number_placements: bool = True
    """Whether short URLs contain the placement number (``/code/3``)."""
    add_honeypot: bool = False
    """Whether to add a honeypot link; an issue that has one keeps it."""
    recipient_tag: str | None = None
    """The per-recipient merge tag for every short URL; '' for none, None to keep the issue's tag."""
    format: str | None = None
    """The format of the document; None to detect it."""
    take_over_tracking: bool = False
    """Whether links in the tag ``{{ TrackLink }}`` of the newsletter software listmonk are replaced."""
    break_signature: bool = False
    """Whether links in signed parts of a mail are replaced."""
    allow_copy: bool = False
    """Whether the output of another issue may be added as a new issue."""
    confirmed: bool = False
    """Whether unlikely values are stored too."""
    corrections: tuple[ArticleEdit, ...] = ()
    """Edits of link targets. An edit of a target that the document does not contain is ignored."""


class ExistingIssue(Struct, frozen=True):
    """The stored data with which a document is compared: the stored issue, if any, and the document's short links."""

    issue: Issue | None = None
    source: bytes = b""
    output: bytes = b""
    articles: tuple[Article, ...] = ()
    links: tuple[Link, ...] = ()
    placements: tuple[Placement, ...] = ()
    short_links: Mapping[ShortLinkKey, Link] = {}
    """Stored links whose short URLs the document contains."""
    numbers_elsewhere: Mapping[int, frozenset[int]] = {}
    """Placement numbers that links have in other issues, by link id."""
    recurring: frozenset[str] = frozenset()
    """Targets of most of the last sent issues."""
    output_of: str | None = None
    """The slug of another issue, if the document is the output of that issue."""


class PlannedLink(Struct):
    """A short link that the issue will have."""

    key: ShortLinkKey
    target: str | None
    title: str = ""
    link_id: int | None = None
    """None for a new link."""
    adopted: bool = False
    """Whether the document already contained the short URL."""
    article: int | None = None
    """Index in the plan's list of articles."""
    retargeted: bool = False
    """Whether a stored link gets a new target."""


class PlannedArticle(Struct):
    """A link target that the issue will have, with the fields to store. ``article_id`` is None for a new one."""

    url: str
    position: int | None
    role: Role
    title: str
    author: str
    summary: str
    section: str
    image: str
    corrected_fields: str = ""
    article_id: int | None = None


class PlannedPlacement(Struct, frozen=True):
    """A use of a short link in the document of the planned issue."""

    link: int
    """Index in the plan's list of links."""
    article: int
    """Index in the plan's list of articles."""
    n: int
    """Number at the end of the short URL, such as 4 in ``/7pk3e/4``."""
    kind: str
    text: str
    part: str = ""


class Occurrence(Struct):
    """A link in the document, with the short link that replaces it."""

    link: DocumentLink
    target_key: str | None = None
    """The canonical target, or the short URL if the target is unknown. None if the link is not replaced."""
    short_link_key: ShortLinkKey | None = None
    """The key of the short link, if the document already contained the short URL."""
    placement_number: int = 0
    """Number at the end of the short URL, such as 4 in ``/7pk3e/4``; 0 for none."""
    planned_link: int | None = None
    """Index in the plan's list of links; None if the link is not replaced."""
    honeypot: bool = False


class IssuePlan(Struct, frozen=True):
    """What adding an issue will store. ``output`` is the document with short URLs."""

    slug: str
    issue_id: int | None
    fields: Mapping[str, Any]
    """Fields of the issue that are new or change."""
    links: tuple[PlannedLink, ...]
    articles: tuple[PlannedArticle, ...]
    placements: tuple[PlannedPlacement, ...]
    output: bytes
    changed: bool
    skipped: tuple[LeftAloneLink, ...]
    untouched: tuple[LeftAloneLink, ...]
    warnings: tuple[str, ...]
    honeypot: PlannedLink | None = None
    honeypot_html: str = ""
    recipient_tag: str = ""
    format: str = ""
    changes_sending_time: bool = False
    """Whether a stored time of sending changes, so that clicks have to be classified again."""


class ParsedRequest(Struct, frozen=True):
    """A request to add an issue, with its parsed document and slug."""

    request: AddRequest
    document: Document
    slug: str
    found_tag: str
    """Merge tag in the short URLs, which the mailing service replaces by a token of the recipient; '' for none."""
