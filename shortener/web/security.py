"""Security of the pages: response headers, check of the Host header, protection against cross-site requests."""

from urllib.parse import urlsplit

from flask import Flask, Request, Response, abort, current_app, request
from flask.sessions import SecureCookieSessionInterface
from werkzeug.exceptions import BadHost
from werkzeug.routing import MapAdapter

from shortener.codes import COMPATIBLE_PATHS
from shortener.config import Config
from shortener.messages import Message
from shortener.redirect.normalize import LOOPBACK_HOSTS
from shortener.urls import normalize_host_header, strip_port

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; "
        "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}
MAX_REQUEST_BYTES = 16 * 1024 * 1024
"""Largest request body in bytes. An issue of 5 MB that is pasted can be three times as large in a form."""
HSTS_POLICY = "max-age=31536000"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OTHER_HOST = "host.invalid"
"""Name of no host (RFC 6761)."""
COOKIELESS_PREFIXES = ("/-/api/", *COMPATIBLE_PATHS.values())
"""Beginnings of paths whose clients send a token with each request. Cookies have no effect there."""


class PagesApp(Flask):
    """Flask application that can handle requests with an invalid Host header."""

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Return Flask's URL adapter for a request. The name ``host.invalid`` replaces an invalid Host header."""
        try:
            return super().create_url_adapter(request)
        except BadHost:
            if request is None:
                raise
            return self.url_map.bind(_OTHER_HOST, path_info=request.path, default_method=request.method)


class FlashSession(SecureCookieSessionInterface):
    """Flask's signed session cookie, used only for messages that the next page shows. Sign-in has its own cookie."""

    def get_cookie_name(self, app: Flask) -> str:
        """Return the name of the cookie. Over https it has the prefix ``__Host-``."""
        return cookie_name("notices")

    def get_cookie_secure(self, app: Flask) -> bool:
        """Return whether the cookie has the attribute ``Secure``, so that browsers send it over https only."""
        return is_https()


def init_app(app: Flask, *, config: Config) -> None:
    """Add security headers to an app's responses.

    Also refuse requests to unknown hosts, and unsafe requests (such as POST) from other websites.
    """
    schemes = {domain.host: domain.scheme for domain in config.domains} | {
        urlsplit(config.base_url).netloc: urlsplit(config.base_url).scheme
    }
    app.extensions["schemes"] = {normalize_host_header(host): scheme for host, scheme in schemes.items()}
    own_names = {strip_port(host) for host in app.extensions["schemes"]} | LOOPBACK_HOSTS

    def check_host() -> None:
        if strip_port(requested_host()) not in own_names and request.path != "/-/health":
            abort(404)

    def check_origin() -> None:
        # APIs accept requests from other websites.
        if request.method not in SAFE_METHODS and uses_cookies(request.path) and not _is_same_origin(request):
            abort(403, Message("The form was sent from another website. Open the page here and fill it in again."))

    def add_headers(response: Response) -> Response:
        for name, value in SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
        if uses_cookies(request.path):
            response.vary.add("Cookie")
        if is_https():
            response.headers.setdefault("Strict-Transport-Security", HSTS_POLICY)
        return response

    app.session_interface = FlashSession()
    app.config["SESSION_COOKIE_SAMESITE"] = "Lax"
    app.before_request(check_host)
    app.before_request(check_origin)
    app.after_request(add_headers)


def requested_host() -> str:
    """Return the normalized Host header of the current request."""
    return normalize_host_header(request.environ.get("HTTP_HOST", ""))


def uses_cookies(path: str) -> bool:
    """Return whether cookies have an effect at a path. In the APIs they have none, because clients send a token."""
    return not path.startswith(COOKIELESS_PREFIXES)


def _is_same_origin(http_request: Request) -> bool:
    # Other websites cannot forge these headers (Fetch Metadata and Fetch standards).
    site = http_request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    # Some browsers send Sec-Fetch-Site over https only. With a POST they send one of these two headers.
    try:
        origin = urlsplit(http_request.headers.get("Origin") or http_request.headers.get("Referer") or "")
    except ValueError:
        return False
    host = requested_host()
    return origin.scheme in {"http", "https"} and bool(host) and normalize_host_header(origin.netloc) == host


def is_https() -> bool:
    """Return whether the requested host has an https URL in the configuration."""
    # The connection is no evidence, because a proxy may handle TLS.
    schemes: dict[str, str] = current_app.extensions["schemes"]
    return schemes.get(requested_host(), request.scheme) == "https"


def cookie_name(name: str) -> str:
    """Return a cookie's full name, which begins with ``__Host-`` over https."""
    # No other subdomain can set a cookie with this prefix.
    return f"__Host-{name}" if is_https() else name
