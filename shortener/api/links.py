"""Operations on short links."""

from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode

from flask import Response, request
from msgspec import UNSET, Meta, Struct, UnsetType

from shortener.api.authentication import current_token
from shortener.api.fields import (
    Code,
    Cursor,
    Forward,
    Host,
    Limit,
    Target,
    Time,
    Title,
    decode_cursor,
    encode_cursor,
    to_seconds,
)
from shortener.api.operations import PREFIX, operation
from shortener.api.responses import check_if_match, json_answer, no_content, tagged_answer
from shortener.reporting.link_records import LinkRecord, build_link_record, search_text, search_words
from shortener.reporting.link_report import LinkEdit, list_link_edits
from shortener.services import edit_links
from shortener.store import links, listings
from shortener.store.links import Link, LinkField
from shortener.store.listings import LinkDetails, LinkFilter, StatusFilter
from shortener.web.context import config, now, store


class LinkQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Query parameters of the list of links: filters, order, and which page of the list."""

    query: Annotated[str, Meta(description="Words that the code, title or target contains.")] = ""
    status: StatusFilter | UnsetType = UNSET
    issue: Annotated[str, Meta(description="Slug of an issue.")] = ""
    sort: Literal["new", "clicks", "title", "code", "changed"] = "new"
    limit: Limit = 100
    after: Cursor = ""


class CountsQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Query parameters of a request for one link: whether its numbers of clicks and visitors are returned too."""

    counts: Annotated[bool, Meta(description="Add clicks and visitors. The answer then has no ETag.")] = False


class LinkPage(Struct, frozen=True):
    """One page of the list of links. ``next`` is the cursor for the next page, null on the last page."""

    data: tuple[LinkRecord, ...]
    next: str | None


class NewLink(Struct, frozen=True, forbid_unknown_fields=True):
    """A link to create."""

    target: Target
    code: Code | None = None
    """The code in the short URL; null to generate one."""
    domain: Host | None = None
    """Host of the short URL; null for the first domain."""
    title: Title = ""
    forward: Forward | None = None
    """Whether query strings are forwarded to the target; null for what the configuration says."""
    expires_at: Time | None = None
    """Time at which the link expires; null for never."""
    reuse: bool = False
    """Return an active link to this target that belongs to no issue, if there is one, instead of creating a link."""


class LinkChanges(Struct, frozen=True, forbid_unknown_fields=True):
    """Fields of a link to change."""

    target: Target | UnsetType = UNSET
    title: Title | UnsetType = UNSET
    forward: Forward | UnsetType | None = UNSET
    """Whether query strings are forwarded to the target; null for what the configuration says."""
    expires_at: Time | UnsetType | None = UNSET
    """Time at which the link expires; null for never."""
    status: Literal["active", "retired"] | UnsetType = UNSET


class LinkReplacement(Struct, frozen=True, forbid_unknown_fields=True):
    """The new values of all fields of a link. Fields that are missing in the request get their default values."""

    target: Target
    title: Title = ""
    forward: Forward | None = None
    expires_at: Time | None = None


class EditList(Struct, frozen=True):
    """The edits of a link's fields, the oldest first."""

    data: tuple[LinkEdit, ...]


@operation("GET", "/links", answers={200: LinkPage}, scope="read", query=LinkQuery, problems=("cursor",))
def list_links(query: LinkQuery) -> Response:
    """List links with their counts, in pages. A link created between two requests does not shift the next page."""
    link_filter = LinkFilter(
        words=search_words(search_text(query.query, config=config())),
        status=None if query.status is UNSET else query.status,
        issue=query.issue or None,
        sort=query.sort,
    )
    length = listings.sort_key_length(query.sort)
    after = decode_cursor(query.after, order=query.sort, length=length) if query.after else None
    rows, next_key = listings.search_links_after(store(), link_filter, now=now(), limit=query.limit, after=after)
    cursor = None if next_key is None else encode_cursor(query.sort, next_key)
    page = LinkPage(tuple(build_link_record(row, config=config(), now=now()) for row in rows), cursor)
    return json_answer(page, headers=next_page_header(cursor))


def next_page_header(cursor: str | None) -> dict[str, str]:
    """Return the header Link with the URL of the next page; an empty dict if ``cursor`` is None."""
    if cursor is None:
        return {}
    query = urlencode(request.args.to_dict() | {"after": cursor})
    return {"Link": f'<{config().base_url}{request.path}?{query}>; rel="next"'}


@operation(
    "POST",
    "/links",
    answers={201: LinkRecord, 200: LinkRecord},
    scope="links",
    body=NewLink,
    problems=("code-taken",),
    etag=True,
)
def create_link(body: NewLink) -> Response:
    """Create a short link. The status is 201, or 200 if an existing link is returned."""
    link, created = make_link(body)
    record = load_record(link.domain, link.code)
    return tagged_answer(record, status=201 if created else 200, location=link_path(record))


def make_link(body: NewLink) -> tuple[Link, bool]:
    """Create a link, or find one to reuse. Return the link, and whether it was created.

    Raises InputError, Conflict, ApiError.
    """
    expires_at = to_seconds(body.expires_at, pointer="/expires_at")
    with store().transaction():
        if body.reuse:
            link = edit_links.find_reusable(store(), body.target, config=config(), now=now(), host=body.domain)
            if link is not None:
                return link, False
        link = edit_links.add_link(
            store(),
            body.target,
            config=config(),
            now=now(),
            host=body.domain,
            code=body.code,
            title=body.title,
            forward=body.forward,
            expires_at=expires_at,
        )
        return link, True


def load_record(domain: str, code: str, *, with_counts: bool = False) -> LinkRecord:
    """Return a stored link in the form that the API returns. Raises NotFound."""
    return build_link_record(_find(domain, code), config=config(), now=now(), with_counts=with_counts)


def _find(domain: str, code: str) -> LinkDetails:
    return listings.link_details_by_code(store(), *edit_links.link_key(domain, code, config=config()))


def link_path(record: LinkRecord) -> str:
    """Return the URL path of a link in the API."""
    return f"{PREFIX}/links/{quote(record.domain)}/{quote(record.code)}"


@operation("GET", "/links/{domain}/{code}", answers={200: LinkRecord}, scope="read", query=CountsQuery, etag=True)
def get_link(domain: str, code: str, query: CountsQuery) -> Response:
    """Return a link. Clicks do not change its ETag."""
    record = load_record(domain, code, with_counts=query.counts)
    return json_answer(record) if query.counts else tagged_answer(record)


@operation("PATCH", "/links/{domain}/{code}", answers={200: LinkRecord}, scope="links", body=LinkChanges, etag=True)
def change_link(domain: str, code: str, body: LinkChanges) -> Response:
    """Change fields of a link. From the next redirect on, the new values apply."""
    fields: dict[LinkField, Any] = {
        "target": body.target,
        "title": body.title,
        "forward": body.forward,
        "status": body.status,
    }
    changes = {name: value for name, value in fields.items() if value is not UNSET}
    if body.expires_at is not UNSET:
        changes["expires_at"] = to_seconds(body.expires_at, pointer="/expires_at")
    with store().transaction():
        _change_if_match(domain, code, changes)
        record = load_record(domain, code)
    return tagged_answer(record)


def _change_if_match(domain: str, code: str, changes: dict[LinkField, Any]) -> None:
    # The caller has begun a transaction.
    record = load_record(domain, code)
    check_if_match(record)
    link = links.get(store(), record.domain, record.code)
    edit_links.change_link(store(), link, changes, config=config(), who=current_token().owner, now=now())


@operation(
    "PUT",
    "/links/{domain}/{code}",
    answers={200: LinkRecord, 201: LinkRecord},
    scope="links",
    body=LinkReplacement,
    etag=True,
)
def put_link(domain: str, code: str, body: LinkReplacement) -> Response:
    """Create the link with this code, or replace all fields of the existing one. A retired link becomes
    active again.
    """
    expires_at = to_seconds(body.expires_at, pointer="/expires_at")
    with store().transaction():
        exists = links.find(store(), *edit_links.link_key(domain, code, config=config())) is not None
        if exists:
            changes: dict[LinkField, Any] = {
                "target": body.target,
                "title": body.title,
                "forward": body.forward,
                "expires_at": expires_at,
                "status": "active",
            }
            _change_if_match(domain, code, changes)
        else:
            check_if_match(None)
            edit_links.add_link(
                store(),
                body.target,
                config=config(),
                now=now(),
                host=domain,
                code=code,
                title=body.title,
                forward=body.forward,
                expires_at=expires_at,
            )
        record = load_record(domain, code)
    return tagged_answer(record, status=200 if exists else 201, location=None if exists else link_path(record))


@operation("DELETE", "/links/{domain}/{code}", answers={204: None}, scope="links", etag=True)
def retire_link(domain: str, code: str) -> Response:
    """Retire a link: readers get an error page from now on. Its counts stay, and its code is never used for another
    link.
    """
    with store().transaction():
        _change_if_match(domain, code, {"status": "retired"})
    return no_content()


@operation("GET", "/links/{domain}/{code}/edits", answers={200: EditList}, scope="read")
def list_edits(domain: str, code: str) -> Response:
    """List who changed which field of a link, and when, the oldest change first."""
    return json_answer(EditList(list_link_edits(store(), _find(domain, code).id)))
