"""What holds for every page: security headers, only our own hosts, no change on another site's behalf."""

from urllib.parse import urlsplit

from flask import Flask, Request, Response, abort, current_app, request
from flask.sessions import SecureCookieSessionInterface

from shortener.config import Config
from shortener.urls import strip_port

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
HSTS_POLICY = "max-age=31536000"
VENDOR_PATH = "/-/static/vendor/"
IMMUTABLE_CACHE_CONTROL = "public, max-age=31536000, immutable"
"""For files whose names have a version in them."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
LOOPBACK_HOSTS = {"127.0.0.1", "localhost", "[::1]"}


class FlashSession(SecureCookieSessionInterface):
    """Flask's signed cookie, which carries nothing but the sentence that the next page begins with."""

    def get_cookie_name(self, app: Flask) -> str:
        """Bound to this very host where the connection is encrypted."""
        return cookie_name("notices")

    def get_cookie_secure(self, app: Flask) -> bool:
        """Whether browsers may send it only over https."""
        return is_https()


def init_app(app: Flask, *, config: Config) -> None:
    """Headers on every answer; no answer to hosts that are not ours, no change that another site asks for."""
    known = {domain.host for domain in config.domains} | {urlsplit(config.base_url).netloc}
    names = {host.partition(":")[0] for host in known} | LOOPBACK_HOSTS

    def check_host() -> None:
        host = request.environ.get("HTTP_HOST", "").lower()
        name = strip_port(host).removesuffix(".")
        if host not in known and name not in names and request.path != "/-/health":
            abort(404)

    def check_origin() -> None:
        if request.method not in SAFE_METHODS and not _is_same_origin(request):
            abort(403, "The request came from another site, or did not say where it came from.")

    def add_headers(response: Response) -> Response:
        if request.path.startswith(VENDOR_PATH) and response.status_code == 200:
            response.headers["Cache-Control"] = IMMUTABLE_CACHE_CONTROL
        for name, value in SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
        response.vary.add("Cookie")
        if is_https():
            response.headers.setdefault("Strict-Transport-Security", HSTS_POLICY)
        return response

    app.session_interface = FlashSession()
    app.config["SESSION_COOKIE_SAMESITE"] = "Lax"
    app.before_request(check_host)
    app.before_request(check_origin)
    app.after_request(add_headers)
    app.extensions["schemes"] = {domain.host: domain.scheme for domain in config.domains} | {
        urlsplit(config.base_url).netloc: urlsplit(config.base_url).scheme
    }


def _is_same_origin(http_request: Request) -> bool:
    """Whether one of our own pages asks, by what a browser says and no page can forge.

    Source: the Fetch Metadata and Fetch standards; browsers that send no Sec-Fetch-Site (or send it over https
    only) send Origin, or Referer, with a POST.
    """
    site = http_request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    said = http_request.headers.get("Origin") or http_request.headers.get("Referer") or ""
    try:
        origin = urlsplit(said)
    except ValueError:
        return False
    here = http_request.environ.get("HTTP_HOST", "").lower()
    return origin.scheme in {"http", "https"} and bool(here) and origin.netloc.lower() == here


def is_https() -> bool:
    """Whether browsers reach this host over https, by the configuration: a proxy may have unwrapped it."""
    host = request.environ.get("HTTP_HOST", "").lower()
    schemes: dict[str, str] = current_app.extensions["schemes"]
    return schemes.get(host, request.scheme) == "https"


def cookie_name(name: str) -> str:
    """A cookie's name; ``__Host-`` keeps other hosts of the same domain from setting it."""
    return f"__Host-{name}" if is_https() else name
