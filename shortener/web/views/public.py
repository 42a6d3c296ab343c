"""Views without sign-in: home, link preview, missing and retired links, robots.txt and the icon."""

from flask import Blueprint, Response, abort, current_app, redirect, render_template, request
from flask.typing import ResponseReturnValue

from shortener.config import Domain
from shortener.redirect.normalize import Normalizer
from shortener.redirect.redirector import MISS_STATUS_KEY
from shortener.services.domain_check import CHECK_PATH, NONCE_LENGTH, installation_secret, sign_nonce
from shortener.store import links
from shortener.web.context import config, file_config, now, store
from shortener.web.error_pages import render_error_page
from shortener.web.security import requested_host

blueprint = Blueprint("public", __name__)

ROBOTS_TXT = "User-agent: *\nDisallow: /\n"
"""Disallow crawlers, because each fetch of a short link would be recorded as a click."""
FAVICON_SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#1f5f8b"/>'
    '<path d="M9 16h13M17 10l6 6-6 6" fill="none" stroke="#fff" stroke-width="3.4" stroke-linecap="round" '
    'stroke-linejoin="round"/></svg>'
)


def _requested_domain() -> Domain:
    normalizer: Normalizer = current_app.extensions["normalizer"]
    matched, domains = normalizer.match_domain(requested_host()), config().domains
    # That of the normalizer has no stored settings.
    return next((domain for domain in domains if matched and domain.host == matched.host), domains[0])


@blueprint.get("/")
def home() -> ResponseReturnValue:
    """Redirect to the domain's configured home page, or show a default page."""
    domain = _requested_domain()
    if domain.home:
        return redirect(domain.home)
    return render_template("home.html", domain=domain)


@blueprint.get("/robots.txt")
def robots() -> Response:
    """Return a robots.txt that disallows all crawlers."""
    return Response(ROBOTS_TXT, mimetype="text/plain", headers={"Cache-Control": "public, max-age=86400"})


@blueprint.get("/favicon.ico")
def favicon() -> Response:
    """Return the icon of the pages as SVG."""
    return Response(FAVICON_SVG, mimetype="image/svg+xml", headers={"Cache-Control": "public, max-age=86400"})


@blueprint.get(f"{CHECK_PATH}<nonce>")
def answer_domain_check(nonce: str) -> Response:
    """Return the answer to a domain check: the signature of this installation for the random text ``nonce``."""
    if len(nonce) != NONCE_LENGTH or not set(nonce) <= set("0123456789abcdef"):
        abort(404)
    secret = installation_secret(file_config(), session_secret=current_app.config["SECRET_KEY"])
    return Response(sign_nonce(nonce, secret=secret), mimetype="text/plain")


@blueprint.get("/<code>+")
def preview(code: str) -> str:
    """Show the target of a short link without following it, and what is recorded about a click."""
    domain = _requested_domain()
    code = code if domain.case_sensitive else code.lower()
    link = links.find_preview(store(), domain.host, code, now=now())
    if link is None:
        abort(404)
    return render_template("preview.html", domain=domain, code=code, link=link)


@blueprint.get("/<path:anything>")
def not_found(anything: str) -> ResponseReturnValue:
    """Return the error page for an unknown path, or for a short link without a redirect, such as a retired one."""
    # The redirector has set the status for a short link, such as 410 for a retired one.
    return render_error_page(int(request.environ.get(MISS_STATUS_KEY, 404)))
