"""Normalize the host, path, query string and client address of a request, so that each has one spelling."""

import re
from urllib.parse import unquote_plus

from msgspec import Struct

from shortener.codes import CODE_PATTERN, PREVIEW_SUFFIX, RECIPIENT_PARAMETER, is_code, strip_punctuation
from shortener.config import Config, Domain
from shortener.redirect.client_ip import ClientIPResolver, normalize_address
from shortener.redirect.request import Request, encode_query
from shortener.urls import normalize_host_header, strip_port

ROOT_PATHS = frozenset({"", "robots.txt", "favicon.ico"})
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
MAX_PATH_LENGTH = 256
"""Longest path of a short link in characters, with room for what a mail client appended."""
MAX_TOKEN_LENGTH = 200  # characters

PLACEMENT_PATTERN = "[1-9][0-9]{0,4}"
"""Regular expression of a placement, also for nginx."""

_plain_path = re.compile(rf"/({CODE_PATTERN})(?:/({PLACEMENT_PATTERN}))?/?", re.ASCII).fullmatch
_is_placement = re.compile(PLACEMENT_PATTERN, re.ASCII).fullmatch

# A query string whose "?" was percent-encoded, or that was appended with "&" although there was no "?".
_GLUED_QUERY = re.compile(r"\?|&(?:amp;)?(?=[A-Za-z_][\w.%-]*=)", re.ASCII)
# Delimiters of URLs in text (RFC 3986, appendix C), in Markdown and in chats, and a fragment. What follows is no part
# of the path.
_DELIMITER = re.compile(r'[<>"#|]|\]\(')
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"))
# The key of a recipient token in any spelling; a quick search before the query string is split.
_may_have_token = re.compile(r"(?:_|%(?:25)?5f)(?:c|%(?:25)?[46]3)(?![0-9a-z_-])", re.ASCII | re.IGNORECASE).search
# What separates a token from a query that was there before, when a program appended it without a look or encoded the
# whole URL; and what separates its key from it.
_SEPARATOR = re.compile(r"(;|\?|%(?:25)?(?:3[bf]|26))", re.ASCII | re.IGNORECASE)
_ENCODED_AMPERSAND = re.compile(r"(?:(?:^|;|%(?:25)?(?:3b|26))amp)+$", re.ASCII | re.IGNORECASE)
_PLAIN_KEY = f"{RECIPIENT_PARAMETER}="
_EQUALS = re.compile(r"=|%(?:25)?3d", re.ASCII | re.IGNORECASE)
# Punctuation after a token. Characters that a token may end with, such as the "=" of base64, are missing.
_GLUED_MARKS = " \t\r\n.,;:!?)]}>'\"\u2018\u2019\u201c\u201d\u00bb\u2026"


class ShortPath(Struct, frozen=True):
    """The parts of a URL path, read as the path of a short link."""

    code: str
    """Code of the link; '' for the path of a page."""
    placement: int | None = 0
    """Number after the code; 0 if it is missing, None if the path is invalid."""
    preview: bool = False
    query: str = ""
    """Query string that was in the path, because its ``?`` was percent-encoded or missing."""


_PAGE = ShortPath("")


class Normalizer:
    """Normalizes requests, so that all parts of the program read them alike. Its methods raise no errors."""

    def __init__(self, config: Config) -> None:
        self._domains = {normalize_host_header(domain.host): domain for domain in config.domains}
        self._default_domain = config.domains[0]
        self._page_prefixes = config.api.compatible_paths
        self._trusts_proxies = bool(config.server.trusted_proxies)
        self._client_ips = ClientIPResolver(config.server.trusted_proxies)

    def normalize(self, request: Request) -> None:
        """Normalize a request in place. A request without a host stays as it is."""
        host = request.host
        if host is None:
            return
        domain = self._domains.get(host)
        if domain is None:
            request.host = host = normalize_host_header(host)
            domain = self.match_domain(host)
        request.domain = domain
        request.client = self._find_client(request)
        plain = _plain_path(request.path)
        if plain is None:
            self._read_path(request)
        else:
            code, placement = plain.groups()
            request.code = code if domain is None or domain.case_sensitive else code.lower()
            if placement:
                request.placement = int(placement)
        query = request.query
        if query and request.code and _may_have_token(query):
            request.query, request.token = take_recipient_token(query)

    def _find_client(self, request: Request) -> str:
        if not self._trusts_proxies:
            return self.client_address(request.peer, None)
        forwarded = request.headers.get_all("x-forwarded-for")
        if not forwarded and "x-forwarded-for" in request.headers and self._client_ips.is_proxy(request.peer):
            # Granian returns no value with other bytes than ASCII. The proxy has added the client to such a value,
            # so the client is not the proxy.
            return ""
        return self.client_address(request.peer, ",".join(forwarded))

    def _read_path(self, request: Request) -> None:
        path = _PAGE if request.path.startswith(self._page_prefixes) else parse_path(request.path)
        domain = request.domain
        code, request.placement, request.preview = path.code, path.placement, path.preview
        if code.isascii() and domain is not None and not domain.case_sensitive:
            code = code.lower()
        request.code = code
        if path.query:
            request.query = f"{path.query}&{request.query}" if request.query else path.query
        if request.preview:
            request.path = f"/{code}{PREVIEW_SUFFIX}"

    def client_address(self, peer: str, forwarded_for: str | None) -> str:
        """Return the client's address in its shortest form. The arguments are those of ``ClientIPResolver.resolve``."""
        address = self._client_ips.resolve(peer, forwarded_for)
        return normalize_address(address) if ":" in address else address

    def match_domain(self, host: str) -> Domain | None:
        """Return the configured domain for a normalized host; None if no domain has it.

        A loopback host such as ``localhost`` means the first domain.
        """
        name = strip_port(host)
        domain = self._domains.get(host) or self._domains.get(name)
        return self._default_domain if domain is None and name in LOOPBACK_HOSTS else domain


def parse_path(path: str) -> ShortPath:
    """Parse the percent-decoded path of a short link: ``/<code>`` or ``/<code>/<n>``, perhaps with a final ``+``.

    Punctuation that mail clients append is ignored.
    """
    text = path[1:]
    if text[:1] == "-" or (text.partition("/")[0] in ROOT_PATHS and not _plain_path("/" + text.lstrip("/"))):
        return _PAGE
    if len(path) > MAX_PATH_LENGTH:
        return ShortPath(text.partition("/")[0], None)
    text, query = _split_glued_query(text.translate(_INVISIBLE).strip().lstrip("/"))
    text = _DELIMITER.split(text, maxsplit=1)[0]
    head, _, tail = text.partition("/")
    code, placement = strip_punctuation(head), strip_punctuation(tail.strip("/"))
    glued = head[len(code) :] + tail[len(placement) :]
    preview = PREVIEW_SUFFIX in glued or "%2b" in glued.lower()
    if not is_code(code):
        return _PAGE if preview else ShortPath(head or text or path[1:], None if tail else 0)
    if not placement:  # digits of other scripts are no punctuation
        return ShortPath(code, None if tail.isdigit() else 0, preview, query)
    return ShortPath(code, int(placement) if _is_placement(placement) else None, preview, query)


def take_recipient_token(query: str) -> tuple[str, str | None]:
    """Remove the recipient's token (parameter ``_c``) from a query string; return (remaining query, token or None)."""
    kept, token = [], None
    for part in query.split("&"):
        if not _may_have_token(part):
            kept.append(part)
            continue
        fields = _SEPARATOR.split(part)  # separators are at odd indexes
        place = next((index for index in range(0, len(fields), 2) if _is_token_key(fields[index])), None)
        if place is None:
            kept.append(part)
            continue
        before = _ENCODED_AMPERSAND.sub("", "".join(fields[: max(0, place - 1)]))
        if before:
            kept.append(before)
        # What follows the key up to the next "&" belongs to the token, and is never forwarded.
        value = "".join(_EQUALS.split("".join(fields[place:]), maxsplit=1)[1:])
        token = token or unquote_plus(value, errors="replace").strip(_GLUED_MARKS)[:MAX_TOKEN_LENGTH] or None
    return "&".join(kept), token


def _is_token_key(field: str) -> bool:
    if field.startswith(_PLAIN_KEY):
        return True
    name = unquote_plus(unquote_plus(_EQUALS.split(field, maxsplit=1)[0])).strip().lower()
    return name.removeprefix("?").removeprefix("amp;") == RECIPIENT_PARAMETER


def _split_glued_query(text: str) -> tuple[str, str]:
    start = _GLUED_QUERY.search(text)
    if start is None:
        return text, ""
    return text[: start.start()], encode_query(text[start.end() :])
