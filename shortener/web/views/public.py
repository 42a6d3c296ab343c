"""The public pages: home, preview, the pages for links that lead nowhere, health and the small files."""

import time
from ipaddress import ip_address, ip_network

import msgspec
from flask import Blueprint, Response, abort, current_app, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from shortener.config import Config, Domain
from shortener.redirect.client_ip import ClientIPResolver
from shortener.redirect.redirector import MISS_STATUS_KEY
from shortener.reporting.health import check_health
from shortener.reporting.metrics import CONTENT_TYPE, render_metrics
from shortener.store import links, open_reader
from shortener.web.error_pages import ErrorResponse, render_error_page

blueprint = Blueprint("pages", __name__)

ROBOTS_TXT = "User-agent: *\nDisallow: /\n"
"""Nothing behind a short link is ours to index, and each fetch by a crawler would be a click."""
FAVICON_SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#1f5f8b"/>'
    '<path d="M9 16h13M17 10l6 6-6 6" fill="none" stroke="#fff" stroke-width="3.4" stroke-linecap="round" '
    'stroke-linejoin="round"/></svg>'
)


def _config() -> Config:
    config: Config = current_app.extensions["config"]
    return config


def _requested_domain() -> Domain:
    """The domain that was asked; the first one for a host that only has pages."""
    host = request.environ.get("HTTP_HOST", "").lower()
    return next((domain for domain in _config().domains if domain.host == host), _config().domains[0])


@blueprint.get("/")
def home() -> str | BaseResponse:
    """The domain's home page where one is configured, else a word about what this host is."""
    domain = _requested_domain()
    if domain.home:
        return redirect(domain.home)
    return render_template("home.html", config=_config(), domain=domain)


@blueprint.get("/robots.txt")
def robots() -> Response:
    """Nothing here wants to be crawled."""
    return Response(ROBOTS_TXT, mimetype="text/plain", headers={"Cache-Control": "public, max-age=86400"})


@blueprint.get("/favicon.ico")
def favicon() -> Response:
    """The mark of the pages."""
    return Response(FAVICON_SVG, mimetype="image/svg+xml", headers={"Cache-Control": "public, max-age=86400"})


@blueprint.get("/-/health")
def show_health() -> Response:
    """Whether redirects, the store and the collector are well (application/health+json)."""
    found = check_health(_config())
    status = 503 if found.status == "fail" else 200
    return Response(msgspec.json.encode(found), status=status, mimetype="application/health+json")


@blueprint.get("/-/metrics")
def show_metrics() -> Response:
    """The installation's numbers for Prometheus, for those who may see them; nobody else learns that they are there."""
    if not _is_metrics_client():
        abort(404)
    return Response(render_metrics(_config()), content_type=CONTENT_TYPE)


def _is_metrics_client() -> bool:
    """Whether the client is in ``server.metrics``.

    Behind a proxy that nobody declared trusted, the client is not known, and the proxy is not believed to be one.
    """
    config = _config()
    forwarded = request.environ.get("HTTP_X_FORWARDED_FOR")
    if forwarded and not config.server.trusted_proxies:
        return False
    peer = request.environ.get("REMOTE_ADDR", "")
    address = ClientIPResolver(config.server.trusted_proxies).resolve(peer, forwarded)
    try:
        client = ip_address(address)
    except ValueError:
        return False
    return any(client in ip_network(network, strict=False) for network in config.server.metrics)


@blueprint.get("/<code>+")
def preview(code: str) -> str:
    """Where a short link leads, before going there, and what is recorded of those who do."""
    domain = _requested_domain()
    reader = open_reader(_config().data_directory)
    try:
        code = code if domain.case_sensitive else code.lower()
        link = links.find_preview(reader, domain.host, code, now=int(time.time()))
    finally:
        reader.close()
    if link is None:
        abort(404)
    return render_template("preview.html", config=_config(), domain=domain, code=code, link=link)


@blueprint.get("/<path:anything>")
def not_found(anything: str) -> ErrorResponse:
    """What the redirect handler did not answer: no such link, one that was retired, or no way to look it up."""
    status = int(request.environ.get(MISS_STATUS_KEY, 404))
    return render_error_page(status)
