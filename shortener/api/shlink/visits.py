"""Operations of the imitated API of Shlink on visits (clicks), tags (issues) and domains."""

import msgspec
from flask import Response, request

from shortener.api.shlink.access import blueprint, find_link
from shortener.api.shlink.objects import (
    DEFAULT_VISITS,
    MAX_VISITS,
    ShlinkError,
    json_response,
    paginate,
    paginate_all,
    requested_page,
    time_parameter,
    visit,
    visits_summary,
)
from shortener.store import issues, visits
from shortener.store.visits import VisitFilter
from shortener.web.context import config, store

VERSION = "4.0.0"
"""The version of Shlink that clients are told. They hide what came later, which is missing here."""


@blueprint.get("/health")
@blueprint.get("/v3/health")
def health() -> Response:
    """Return the status ``pass``, and the version of Shlink that this API imitates."""
    return json_response({"status": "pass", "version": VERSION, "links": {}})


@blueprint.get("/v3/short-urls/<code>/visits")
def short_url_visits(code: str) -> Response:
    """List the clicks on a short link, one by one."""
    return _list_visits(VisitFilter(link_id=find_link(code).id))


@blueprint.get("/v3/tags/<tag>/visits")
def tag_visits(tag: str) -> Response:
    """List the clicks on the links of an issue, one by one. ``tag`` is the slug of the issue."""
    if issues.find(store(), tag) is None:
        detail = f'Tag with name "{tag}" could not be found'
        raise ShlinkError(404, "tag-not-found", "Tag not found", detail, tag=tag)
    return _list_visits(VisitFilter(issue=tag))


@blueprint.get("/v3/domains/<domain>/visits")
def domain_visits(domain: str) -> Response:
    """List the clicks on the links of a domain, one by one."""
    host = config().domains[0].host if domain == "DEFAULT" else domain.lower()
    if host not in {each.host for each in config().domains}:
        detail = f'Domain with authority "{domain}" could not be found'
        raise ShlinkError(404, "domain-not-found", "Domain not found", detail, authority=domain)
    return _list_visits(VisitFilter(domain=host))


@blueprint.get("/v3/visits/non-orphan")
def non_orphan_visits() -> Response:
    """List the clicks on all links, one by one."""
    return _list_visits(VisitFilter())


@blueprint.get("/v3/visits/orphan")
def orphan_visits() -> Response:
    """Return an empty list, because single requests for unknown codes (orphan visits) are not stored."""
    page = requested_page(default=DEFAULT_VISITS, maximum=MAX_VISITS)
    return json_response({"visits": paginate([], total=0, page=page)})


def _list_visits(visit_filter: VisitFilter) -> Response:
    visit_filter = msgspec.structs.replace(
        visit_filter,
        since=time_parameter("startDate"),
        until=time_parameter("endDate"),
        human_only=request.args.get("excludeBots", "false") not in {"false", "0", ""},
    )
    page = requested_page(default=DEFAULT_VISITS, maximum=MAX_VISITS)
    total = visits.count_visits(store(), visit_filter)
    rows = visits.list_visits(store(), visit_filter, limit=page.size, offset=page.offset)
    return json_response({"visits": paginate([visit(row) for row in rows], total=total, page=page)})


@blueprint.get("/v3/visits")
def visits_overview() -> Response:
    """Return the number of clicks on all links."""
    counts = visits.count_all(store())
    summary = visits_summary(counts.human, counts.automated)
    return json_response({"visits": {"nonOrphanVisits": summary, "orphanVisits": visits_summary(0, 0)}})


@blueprint.get("/v3/tags")
def list_tags() -> Response:
    """List the slugs of the issues."""
    return json_response({"tags": paginate_all([row.slug for row in visits.count_by_issue(store())])})


@blueprint.get("/v3/tags/stats")
def tags_stats() -> Response:
    """Return for each issue its slug as the tag, and the numbers of its links and clicks."""
    stats = [
        {
            "tag": row.slug,
            "shortUrlsCount": row.links,
            "visitsSummary": visits_summary(row.human, row.automated),
        }
        for row in visits.count_by_issue(store())
    ]
    return json_response({"tags": paginate_all(stats)})


@blueprint.get("/v3/domains")
def list_domains() -> Response:
    """List the domains, the default one first."""
    redirects = {"baseUrlRedirect": None, "regular404Redirect": None, "invalidShortUrlRedirect": None}
    data = [
        {"domain": domain.host, "isDefault": number == 0, "redirects": redirects}
        for number, domain in enumerate(config().domains)
    ]
    return json_response({"domains": {"data": data, "defaultRedirects": redirects}})


@blueprint.get("/v3/mercure-info")
def mercure_info() -> Response:
    """Respond with an error, because real-time updates are not supported."""
    title = "Mercure integration not configured"
    raise ShlinkError(501, "mercure-not-configured", title, "This server has no updates in real time.")


@blueprint.route("/<path:_rest>", methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def not_implemented(_rest: str) -> Response:
    """Respond with an error to requests for all operations that are not supported."""
    detail = f"{request.method} {request.path} is not part of what this server supports of the API of Shlink."
    raise ShlinkError(501, "not-implemented", "Not implemented", detail)
