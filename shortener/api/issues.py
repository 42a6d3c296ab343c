"""Operations on issues: add, list, read and correct them, and fetch the document with short links."""

import base64
import binascii
from typing import Annotated, Literal

from flask import Response
from msgspec import UNSET, Meta, Struct, UnsetType, structs

from shortener import newsletter
from shortener.api.fields import MAX_TITLE_LENGTH, Host, Target, Time, Title, to_seconds
from shortener.api.operations import PREFIX, operation
from shortener.api.problems import ApiError
from shortener.api.responses import check_if_match, json_answer, tagged_answer
from shortener.errors import InputError
from shortener.newsletter import Format
from shortener.reporting.issue_contents import IssueContents, load_issue_contents
from shortener.reporting.issue_list import IssueRow, list_issue_rows
from shortener.services import edit, issue_status
from shortener.services.add_issue import AddRequest, add_or_update_issue, parse_targets, preview_issue
from shortener.services.issue_plan import IssuePlan, LeftAloneLink
from shortener.services.new_slug import slug_from_title
from shortener.services.plan_contents import plan_contents
from shortener.store import issues
from shortener.web.context import config, now, store
from shortener.web.sandbox import check_in_sandbox
from shortener.web.views.setup import DOWNLOAD_TYPES

MAX_ISSUE_BODY_BYTES = 2 * newsletter.MAX_ISSUE_BYTES + 1024 * 1024
"""Largest body with an issue: escaping in JSON, or base64, can make a document of 5 MB twice as long."""
_FILE_NAMES = {"markdown": "issue.md", "html": "issue.html", "mjml": "issue.mjml", "eml": "issue.eml"}


class NewIssue(Struct, frozen=True, forbid_unknown_fields=True):
    """An issue to add. If the issue exists, it is updated from the document."""

    document: Annotated[str, Meta(min_length=1)]
    format: Format | None = None
    """Format of the document; null to detect it."""
    encoding: Literal["text", "base64"] = "text"
    """Send a document that is not UTF-8 in base64. Then ``output`` in the response is base64 too."""
    slug: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    """Name of the issue in URLs; null to make it from the title."""
    title: Title | None = None
    sent_at: Time | None = None
    recipients: Annotated[int, Meta(ge=1, le=1_000_000_000)] | None = None
    domain: Host | None = None
    """Host of new short URLs; null for the first domain."""
    targets: dict[str, Target] = {}
    """Targets of short URLs that the document already contains, by short URL."""
    placements: bool = True
    """Give each use of a link a short URL with a number of its own, such as ``/code/3``."""
    honeypot: bool = False
    """Add a link that readers do not see, and that only programs follow."""
    recipient_tag: Annotated[str, Meta(max_length=200)] | None = None
    """Merge tag that is added to every short URL. The mailing service replaces it by a token of the recipient."""
    take_over_tracking: bool = False
    """Replace links that listmonk tracks."""
    break_signature: bool = False
    """Replace links in signed parts of a mail."""
    copy: bool = False
    """Accept a document that is the output of another issue."""
    confirmed: bool = False
    """Accept unlikely values, such as a sending time long ago."""


class NewIssueQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Query parameters of the operation that adds an issue."""

    dry_run: Annotated[bool, Meta(description="Answer with what would be stored, and store nothing.")] = False


class AddedIssue(Struct, frozen=True):
    """The issue that was added, its document with short links, the links that were not replaced, and warnings."""

    issue: IssueContents
    output: str
    left_alone: tuple[LeftAloneLink, ...]
    warnings: tuple[str, ...]


class IssueList(Struct, frozen=True):
    """The issues, the latest first."""

    data: tuple[IssueRow, ...]


class IssueListQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Query parameters of the list of issues."""

    all: Annotated[bool, Meta(description="List archived and removed issues too.")] = False


class IssueChanges(Struct, frozen=True, forbid_unknown_fields=True):
    """Fields of an issue to change. Null for ``sent_at`` or ``recipients`` removes the value."""

    title: Annotated[str, Meta(min_length=1, max_length=MAX_TITLE_LENGTH)] | UnsetType = UNSET
    sent_at: Time | UnsetType | None = UNSET
    recipients: Annotated[int, Meta(ge=1, le=1_000_000_000)] | UnsetType | None = UNSET
    archived: bool | UnsetType = UNSET
    confirmed: bool = False
    """Accept unlikely values, such as fewer recipients than visitors."""


def check_document(body: NewIssue) -> None:
    """Raise InputError if the document takes too much time or memory to parse."""
    # A child process parses it first.
    check_in_sandbox(_document_bytes(body), name=_file_name(body))


def _document_bytes(body: NewIssue) -> bytes:
    if body.encoding == "text":
        return body.document.encode()
    try:
        return base64.b64decode(body.document, validate=True)
    except (binascii.Error, ValueError):
        raise ApiError("invalid", "document: this is not base64", pointer="/document") from None


def _file_name(body: NewIssue) -> str:
    return _FILE_NAMES[body.format] if body.format else "issue"


@operation(
    "POST",
    "/issues",
    answers={201: AddedIssue, 200: AddedIssue},
    scope="issues",
    body=NewIssue,
    query=NewIssueQuery,
    problems=("conflict",),
    max_body_bytes=MAX_ISSUE_BODY_BYTES,
    prepare=check_document,
)
def add_issue(body: NewIssue, query: NewIssueQuery) -> Response:
    """Add an issue, and return its document, in which only the links are changed.

    The status is 201 for a new issue, and 200 for an existing issue or with `dry_run`. Adding the same document again
    changes nothing.
    """
    request = _to_add_request(body)
    if query.dry_run:
        plan = preview_issue(store(), request, config=config(), now=now())
        left_alone, warnings = plan.skipped + plan.untouched, plan.warnings
        return json_answer(AddedIssue(_planned_contents(plan), _encode(plan.output, body), left_alone, warnings))
    result = add_or_update_issue(store(), request, config=config(), now=now())
    contents = load_issue_contents(store(), result.slug, config=config(), now=now())
    answer = AddedIssue(contents, _encode(result.output, body), result.left_alone, result.warnings)
    headers = {"Location": f"{PREFIX}/issues/{result.slug}"}
    return json_answer(answer, status=201 if result.created else 200, headers=headers)


def _to_add_request(body: NewIssue) -> AddRequest:
    if body.slug is None and not body.title:
        raise ApiError("invalid", "slug: the issue needs a slug, or a title from which one is made", pointer="/slug")
    try:
        targets = parse_targets([(1, url, target) for url, target in body.targets.items()], config=config())
    except InputError as error:
        raise ApiError("invalid", str(error).removeprefix("line 1: "), pointer="/targets") from None
    return AddRequest(
        source=_document_bytes(body),
        filename=_file_name(body),
        slug=body.slug if body.slug is not None else slug_from_title(body.title or ""),
        title=body.title,
        sent_at=to_seconds(body.sent_at, pointer="/sent_at"),
        recipients=body.recipients,
        domain=body.domain,
        targets=targets,
        number_placements=body.placements,
        add_honeypot=body.honeypot,
        recipient_tag=body.recipient_tag,
        format=body.format,
        take_over_tracking=body.take_over_tracking,
        break_signature=body.break_signature,
        allow_copy=body.copy,
        confirmed=body.confirmed,
    )


def _encode(output: bytes, body: NewIssue) -> str:
    return output.decode() if body.encoding == "text" else base64.b64encode(output).decode()


def _planned_contents(plan: IssuePlan) -> IssueContents:
    contents = plan_contents(plan, config=config()).issue
    if plan.issue_id is None:
        if contents.sent_at is None:
            return contents
        return structs.replace(contents, status="sent" if contents.sent_at.timestamp() <= now() else "scheduled")
    stored = load_issue_contents(store(), plan.slug, config=config(), now=now())
    if not plan.changed:
        return stored
    unchanged = {name: getattr(stored, name) for name in ("title", "sent_at", "recipients", "domain")}
    kept = {name: value for name, value in unchanged.items() if name not in plan.fields}
    return structs.replace(contents, status=stored.status, **kept)


@operation("GET", "/issues", answers={200: IssueList}, scope="read", query=IssueListQuery)
def list_issues(query: IssueListQuery) -> Response:
    """List the issues with their counts, the latest first."""
    return json_answer(IssueList(tuple(list_issue_rows(store(), now=now(), with_hidden=query.all))))


@operation("GET", "/issues/{slug}", answers={200: IssueContents}, scope="read", etag=True)
def get_issue(slug: str) -> Response:
    """Return the articles and links of an issue, with each use of a link."""
    return tagged_answer(load_issue_contents(store(), slug, config=config(), now=now()))


@operation("PATCH", "/issues/{slug}", answers={200: IssueContents}, scope="issues", body=IssueChanges, etag=True)
def change_issue(slug: str, body: IssueChanges) -> Response:
    """Change the title, sending time or number of recipients of an issue, or archive an issue that was sent."""
    sent_at = UNSET if body.sent_at is UNSET else to_seconds(body.sent_at, pointer="/sent_at")
    with store().transaction():
        check_if_match(load_issue_contents(store(), slug, config=config(), now=now()))
        if any(value is not UNSET for value in (body.title, sent_at, body.recipients)):
            edit.correct_issue(
                store(),
                slug,
                now=now(),
                title=None if body.title is UNSET else body.title,
                sent_at=sent_at,
                recipients=body.recipients,
                confirmed=body.confirmed,
            )
        if body.archived is not UNSET:
            issue_status.archive_issue(store(), slug, now=now(), undo=not body.archived)
        contents = load_issue_contents(store(), slug, config=config(), now=now())
    return tagged_answer(contents)


@operation(
    "GET",
    "/issues/{slug}/output",
    answers={200: tuple(media_type.partition(";")[0] for _, media_type in DOWNLOAD_TYPES.values())},
    scope="read",
)
def get_output(slug: str) -> Response:
    """Return the document of an issue with its links replaced by short links.

    If the document is a mail, only the headers Subject, Date, MIME-Version and Content-* are stored and returned.
    """
    issue = issues.get(store(), slug)
    return Response(issues.get_documents(store(), issue.id)[1], content_type=DOWNLOAD_TYPES[issue.format][1])
