"""Operations of the imitated API of Shlink on short links: list, create, change and retire them."""

from typing import Any

from flask import Response, request
from msgspec import UNSET

from shortener.api.authentication import current_token
from shortener.api.fields import MAX_TITLE_LENGTH
from shortener.api.shlink.access import blueprint, decode_body, find_link
from shortener.api.shlink.objects import (
    DEFAULT_LINKS,
    MAX_LINKS,
    SORT_FIELDS,
    NewShortUrl,
    PageRequest,
    ShlinkError,
    ShortUrlChanges,
    invalid_data,
    json_response,
    paginate,
    parse_time,
    requested_page,
    short_urls,
    time_parameter,
)
from shortener.errors import CodeRefused, Conflict, InputError
from shortener.reporting.link_records import search_words
from shortener.services import edit_links
from shortener.store import links, listings
from shortener.store.links import Link, LinkField
from shortener.store.listings import LinkDetails, LinkFilter
from shortener.web.context import config, now, store


@blueprint.get("/v3/short-urls")
def list_short_urls() -> Response:
    """List active short links."""
    field, _, direction = request.args.get("orderBy", "dateCreated-DESC").partition("-")
    sort, natural = SORT_FIELDS.get(field, ("new", "DESC"))
    tags = tuple(request.args.getlist("tags[]") or request.args.getlist("tags"))
    link_filter = LinkFilter(
        words=search_words(request.args.get("searchTerm", "")),
        sort=sort,
        issues=tags,
        created_since=time_parameter("startDate"),
        created_until=time_parameter("endDate"),
        with_retired=False,
    )
    page = requested_page(default=DEFAULT_LINKS, maximum=MAX_LINKS)
    # A link has one tag at most, so none has all of several tags.
    is_empty = request.args.get("tagsMode") == "all" and len(set(tags)) > 1
    total = 0 if is_empty else listings.count_links(store(), link_filter, now=now())
    rows = _page_of_links(link_filter, page, total, is_reversed=(direction.upper() or natural) != natural)
    return json_response({"shortUrls": paginate(short_urls(rows), total=total, page=page)})


def _page_of_links(link_filter: LinkFilter, page: PageRequest, total: int, *, is_reversed: bool) -> list[LinkDetails]:
    # With ``is_reversed``, the first page has the last links of the list.
    limit = max(0, min(page.size, total - page.offset))
    if not limit:
        return []
    offset = total - page.offset - limit if is_reversed else page.offset
    rows = listings.search_links(store(), link_filter, now=now(), limit=limit, offset=offset)
    return rows[::-1] if is_reversed else rows


@blueprint.post("/v3/short-urls")
def create_short_url() -> Response:
    """Create a short link. If the request allows it, return an existing one with this target instead."""
    return json_response(_load_short_url(_create_or_find(decode_body(NewShortUrl))))


@blueprint.get("/v3/short-urls/shorten")
def shorten() -> Response:
    """Create a short link from a URL alone, or return an existing one with this target."""
    link = _create_or_find(NewShortUrl(long_url=request.args.get("longUrl", ""), find_if_exists=True))
    short_url = _load_short_url(link)
    if request.args.get("format") == "txt":
        return Response(short_url["shortUrl"], content_type="text/plain; charset=utf-8")
    return json_response(short_url)


def _create_or_find(body: NewShortUrl) -> Link:
    unsupported = [name for name in ("valid_since", "max_visits") if getattr(body, name) is not None]
    if unsupported:
        raise invalid_data(*(_camel(name) for name in unsupported))
    _check_domain(body.domain)
    expires_at = parse_time(body.valid_until, "validUntil") if body.valid_until else None
    try:
        if body.find_if_exists and not body.custom_slug:
            found = edit_links.find_reusable(store(), body.long_url, config=config(), now=now(), host=body.domain)
            if found is not None:
                return found
        return edit_links.add_link(
            store(),
            body.long_url,
            config=config(),
            now=now(),
            host=body.domain,
            code=body.custom_slug or None,
            title=(body.title or "")[:MAX_TITLE_LENGTH],
            forward="drop" if body.forward_query is False else None,
            expires_at=expires_at,
        )
    except Conflict:
        return _existing_link_or_raise(body)
    except CodeRefused:
        raise invalid_data("customSlug") from None
    except InputError:
        raise invalid_data("longUrl") from None


def _existing_link_or_raise(body: NewShortUrl) -> Link:
    slug = body.custom_slug or ""
    link = links.find(store(), *edit_links.link_key(body.domain or config().domains[0].host, slug, config=config()))
    if body.find_if_exists and link is not None and link.status == "active" and link.target == body.long_url:
        return link
    detail = f'Provided slug "{slug}" is already in use.'
    raise ShlinkError(400, "non-unique-slug", "Invalid custom slug", detail, customSlug=slug)


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(map(str.title, rest))


@blueprint.get("/v3/short-urls/<code>")
def get_short_url(code: str) -> Response:
    """Return a short link."""
    return json_response(_load_short_url(find_link(code)))


@blueprint.patch("/v3/short-urls/<code>")
def update_short_url(code: str) -> Response:
    """Change the target, title or expiry of a short link, or whether query strings are forwarded to its target."""
    body = decode_body(ShortUrlChanges)
    changes: dict[LinkField, str | int | None] = {}
    if body.max_visits not in (UNSET, None) or body.valid_since not in (UNSET, None):
        raise invalid_data("validSince" if body.max_visits in (UNSET, None) else "maxVisits")
    if body.long_url is not UNSET:
        changes["target"] = body.long_url
    if body.title is not UNSET:
        changes["title"] = (body.title or "")[:MAX_TITLE_LENGTH]
    if body.valid_until is not UNSET:
        changes["expires_at"] = parse_time(body.valid_until, "validUntil") if body.valid_until else None
    if body.forward_query is not UNSET:
        changes["forward"] = None if body.forward_query else "drop"
    with store().transaction():
        link = find_link(code)
        try:
            who = current_token().owner
            edit_links.change_link(store(), link, changes, config=config(), who=who, now=now())
        except InputError:
            raise invalid_data("longUrl") from None
        return json_response(_load_short_url(link))


@blueprint.delete("/v3/short-urls/<code>")
def delete_short_url(code: str) -> Response:
    """Retire a short link; its clicks stay."""
    with store().transaction():
        changes: dict[LinkField, str | int | None] = {"status": "retired"}
        edit_links.change_link(store(), find_link(code), changes, config=config(), who=current_token().owner, now=now())
    return Response(status=204)


@blueprint.get("/v3/short-urls/<code>/redirect-rules")
def get_redirect_rules(code: str) -> Response:
    """Return the redirect rules of a short link. There are none: the list is empty."""
    return json_response({"defaultLongUrl": find_link(code).target or "", "redirectRules": []})


def _check_domain(host: str | None) -> None:
    if host and host.lower() not in {domain.host for domain in config().domains}:
        raise invalid_data("domain")


def _load_short_url(link: Link) -> dict[str, Any]:
    (short_url,) = short_urls([listings.link_details_by_code(store(), link.domain, link.code)])
    return short_url
