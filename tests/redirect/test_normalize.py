"""Normalization of requests: each spelling of a host, short link, token, client address or opt-out gives one value."""

import string
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shortener.clicklog.format import opts_out
from shortener.config import Config
from shortener.redirect.normalize import Normalizer, parse_path, take_recipient_token
from shortener.redirect.request import Request, encode_query, parse_environ
from shortener.server.worker import parse_scope
from shortener.urls import normalize_host_header

CONFIG = msgspec.convert(
    {
        "domain": [
            {"host": "Go.Example"},
            {"host": "case.example", "case_sensitive": True},
            {"host": "go.example:8080"},
            {"host": "[2001:db8::5]"},
        ],
        "server": {"trusted_proxies": ["10.0.0.0/8", "::1"]},
    },
    Config,
)
_normalizer = Normalizer(CONFIG)


def normalize(request: Request) -> Request:
    """Normalize a request and return it."""
    _normalizer.normalize(request)
    return request


class ScopeHeaders:
    """The headers of an RSGI scope, as granian passes them."""

    def __init__(self, headers: list[tuple[str, str]]) -> None:
        self._headers = headers

    def __contains__(self, name: str) -> bool:
        return any(each == name for each, _ in self._headers)

    def get(self, name: str) -> str | None:
        """Return the first value."""
        return next((value for each, value in self._headers if each == name), None)

    def get_all(self, name: str) -> list[str]:
        """Return all values."""
        return [value for each, value in self._headers if each == name]


class Scope:
    """An RSGI scope for HTTP/1.1."""

    method = "GET"
    http_version = "1.1"
    scheme = "http"

    def __init__(self, path: str, query: str, headers: dict[str, str], peer: str) -> None:
        self.path, self.query_string = path, query
        self.headers = ScopeHeaders(list(headers.items()))
        self.authority = None
        self.client = f"[{peer}]:5" if ":" in peer else f"{peer}:5"


def read(path: str = "/abcde", query: str = "", *, peer: str = "192.0.2.1", **headers: str) -> Request:
    """Return the normalized request, after a check that it is equal from an RSGI and from a WSGI server."""
    sent = {name.replace("_", "-"): value for name, value in ({"host": "go.example"} | headers).items()}
    raw = path.encode("utf-8", "surrogatepass").decode("latin-1")
    environ: dict[str, Any] = {"REQUEST_METHOD": "GET", "PATH_INFO": raw, "REMOTE_ADDR": peer}
    environ["QUERY_STRING"] = query.encode("utf-8", "surrogatepass").decode("latin-1")
    environ |= {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in sent.items()}
    path, query = (text.encode("utf-8", "surrogatepass").decode("utf-8", "replace") for text in (path, query))
    found = [normalize(parse_scope(Scope(path, query, sent, peer))), normalize(parse_environ(environ))]
    values = [{name: getattr(each, name) for name in each.__struct_fields__ if name != "headers"} for each in found]
    assert values[0] == values[1]
    return found[0]


HOSTS = {
    "go.example": [
        "go.example", "GO.EXAMPLE", "Go.Example", "go.example.", "go.example:80", "go.example:443", "go.example:",
        "go.example.:443", "GO.example.:80", "go.example:0080", " go.example", "go.example ", "go.example\t",
        "go.example:9999", "go.example:00443", "localhost", "LOCALHOST", "localhost.", "localhost:8000", "127.0.0.1",
        "127.0.0.1:8000", "[::1]", "[::1]:8000", "[0:0:0:0:0:0:0:1]", "[0::1]:443", "[::ffff:127.0.0.1]",
        "[::FFFF:7F00:1]:8000",
    ],
    "case.example": ["case.example", "CASE.example", "case.example.:8443", "case.example:"],
    "go.example:8080": ["go.example:8080", "GO.EXAMPLE:8080", "go.example.:8080", "go.example:08080"],
    "[2001:db8::5]": [
        "[2001:db8::5]", "[2001:DB8::5]", "[2001:db8:0:0:0:0:0:5]:443", "[2001:0db8::0005]", "[2001:db8::0:5]:8000",
    ],
    None: [
        "", "evil.example", "go.example.evil.example", "a.go.example", "go.example..", "go.example:x",
        "go.example@evil",
        "user@go.example", "go.example/x", "go.example:80:80", "[::1", "::1", "[2001:db8::6]", "[go.example]",
        "go.exampl",
        "go\u3002example", "xn--go.example", "go.example:\u0663", "0", ".", ":", "[]", "a" * 1000,
        "127.0.0.1.evil.example",
    ],
}  # fmt: skip
HOST_ROWS = [(form, domain) for domain, forms in HOSTS.items() for form in forms]


@pytest.mark.parametrize(
    ("form", "domain"), HOST_ROWS, ids=[f"{n} {ascii(row[0])[:40]}" for n, row in enumerate(HOST_ROWS)]
)
def test_hosts(form: str, domain: str | None) -> None:
    """A host in any spelling names its domain, and normalizing it again changes nothing."""
    request = normalize(Request("GET", form, "/abcde", "", ScopeHeaders([]), "192.0.2.1"))
    assert (request.domain.host if request.domain else None) == domain
    assert request.host is not None
    assert normalize_host_header(request.host) == request.host


LINK, SECOND, PREVIEW, PAGE = ("abcde", 0, False), ("abcde", 2, False), ("abcde", 0, True), ("", 0, False)
MISS = None
GLUED = [
    ".", ",", ";", ":", "!", "?", ")", "]", "}", ">", "'", '"', "*", "_", "~", "-", "|", "\\", "^", "`", "=", "&", "%",
    "$", "@", " ", "\t", "\r\n", "\0", "...", ").", "),", '".', "'>", ">>", "**", "\u201d", "\u2019", "\u00bb",
    "\u203a", "\u2026", "\u3002", "\uff09", "\u300d", "\u00a0", "\u200b", "\u200d", "\ufeff", "\u00ad", "\u2060",
    "\u200e", "\u2028", "\ufffd", "&gt;", "&gt", "&lt;", "&quot;", "&#39;", "&#x27;", "&#62", "&rdquo;", "&nbsp;",
    "&amp;", "&hellip;", "%3E", "%22", "%29", "%E2%80%9D", "%20", "%0D%0A", "%C2%A0", "=20", "=3D", "=E2=80=9D", "=",
    "<br>", "<br/>", "</a>", ">text", '">Read', "#top", "#", "](https://go.example/abcde)", "|label>", "\u540e\u9762",
]  # fmt: skip
PATHS: dict[str, tuple[str, int | None, bool] | None] = {
    **{f"/abcde{glue}": LINK for glue in GLUED},
    **{f"/abcde/2{glue}": SECOND for glue in GLUED},
    **{f"/abcde/{glue}": LINK for glue in GLUED if glue not in {"\\"}},
    **{f"/abcde+{glue}": PREVIEW for glue in GLUED},
    **{f"/abcde/2+{glue}": ("abcde", 2, True) for glue in GLUED[:12]},
    "/ABCDE": LINK, "/AbCdE/2": SECOND, "/abcde/": LINK, "/abcde//": LINK, "/abcde/2/": SECOND,
    "/abcde/99999": ("abcde", 99_999, False),
    "//abcde": LINK, "///abcde/2": SECOND, "/abcde//2": SECOND, "/abcde./2": SECOND, "/abcde./2.": SECOND,
    "/ abcde": LINK, "/\u200babcde": LINK, "/ab\u00adcde": LINK, "/abc\u200bde/2": SECOND, "/abcde/ 2": MISS,
    "/abcde+": PREVIEW, "/abcde++": PREVIEW, "/abcde%2B": PREVIEW, "/abcde%2b.": PREVIEW, "/abcde+/": PREVIEW,
    "/abcde+/2": ("abcde", 2, True), "/abcde.+": PREVIEW, "/abcde/+": PREVIEW, "/ABCDE+": PREVIEW, "//abcde+": PAGE,
    "/abcde/0": MISS, "/abcde/00": MISS, "/abcde/02": MISS, "/abcde/100000": MISS, "/abcde/-1": ("abcde", None, False),
    "/abcde/x": MISS, "/abcde/2/3": MISS, "/abcde/2x": MISS, "/abcde/\u0663": MISS, "/abcde/1.5": MISS,
    "/abcde/1e3": MISS,
    "/": PAGE, "/robots.txt": PAGE, "/favicon.ico": PAGE, "/-/health": PAGE, "/-": PAGE, "/-/": PAGE, "/-abcde": PAGE,
    "/+": PAGE, "/.+": PAGE, "//": PAGE, "//robots.txt": PAGE, "//-/health": PAGE, "//evil.example/x": PAGE,
    "/-/abcde+": PAGE,
    "/a": ("a", 0, False), "/" + "a" * 64: ("a" * 64, 0, False), "/a-b_c": ("a-b_c", 0, False), "/a_.": ("a", 0, False),
}  # fmt: skip
PATH_ROWS = list(PATHS.items())


@pytest.mark.parametrize(
    ("path", "expected"), PATH_ROWS, ids=[f"{n} {ascii(row[0])[:40]}" for n, row in enumerate(PATH_ROWS)]
)
def test_paths(path: str, expected: tuple[str, int | None, bool] | None) -> None:
    """Whatever is appended to a short link, with and without a placement or the sign of a preview, is ignored."""
    request = read(path)
    if expected is None:
        assert request.placement is None
    else:
        assert (request.code, request.placement, request.preview) == expected
    assert request.path == (f"/{request.code}+" if request.preview else path.encode("utf-8", "replace").decode())
    if expected is LINK and "=" not in path:
        assert request.query == ""


NO_CODES = [
    "/../../etc/passwd", "/..", "/.", "/.env", "/.git/config", "/store.db-wal", "/abcde\r\nX-Evil: 1", "/abcde\0x",
    "/abcde' or '1'='1", "/a b", "/\n", "/\0", "/\U0001f600", "/\ufffd\ufffd", "/" + "a" * 65, "/" + "a" * 5000,
    "/abcde" + "." * 9000, "/abcde" + "/" * 9000, "/wp-login.php", "/index.html", "/abc%", "/_", "/__", "/~user",
    "/https://evil.example/", "/a.b", "/\u0430bcde", "/\u212aelvin", "/\uff41bcde",
]  # fmt: skip


@pytest.mark.parametrize("path", NO_CODES, ids=[f"{n} {ascii(path)[:40]}" for n, path in enumerate(NO_CODES)])
def test_other_paths(path: str) -> None:
    """Other paths are short links that no store contains: their code is none, or their placement is invalid."""
    request = read(path)
    valid = set(request.code) <= set(string.ascii_letters + string.digits + "-_") and len(request.code) <= 64
    assert request.code
    assert not request.preview
    assert request.placement is None or not valid or request.code in {"abc", "_", "__"}


def test_case_is_the_domains_business() -> None:
    """A code becomes lower case unless its domain is case-sensitive."""
    assert read("/AbCdE.").code == "abcde"
    assert read("/AbCdE.", host="CASE.example.:443").code == "AbCdE"


# path, query, and the query and the token that remain
QUERIES: dict[tuple[str, str], tuple[str, str | None]] = {
    ("/abcde", ""): ("", None),
    ("/abcde", "x=1"): ("x=1", None),
    ("/abcde", "utm_campaign=gr\u00fcn"): ("utm_campaign=gr%C3%BCn", None),
    ("/abcde", "x=\u4e2d#top"): ("x=%E4%B8%AD", None),
    ("/abcde", "x=1#top"): ("x=1", None),
    ("/abcde", "#top"): ("", None),
    ("/abcde", "x=%zz"): ("x=%zz", None),
    ("/abcde", "_c=ada"): ("", "ada"),
    ("/abcde/2", "_c=ada"): ("", "ada"),
    ("/abcde.", "_c=ada"): ("", "ada"),
    ("/abcde", "_c=ada."): ("", "ada"),
    ("/abcde", "_c=ada)."): ("", "ada"),
    ("/abcde", "_c=ada%3E"): ("", "ada"),
    ("/abcde", "_c=ada%22"): ("", "ada"),
    ("/abcde", "_c=ada\u201d"): ("", "ada"),
    ("/abcde", "_c=ada#x"): ("", "ada"),
    ("/abcde", "_c=YWRh=="): ("", "YWRh=="),
    ("/abcde", "_c=a-_"): ("", "a-_"),
    ("/abcde", "_c=%61da"): ("", "ada"),
    ("/abcde", "_C=ada"): ("", "ada"),
    ("/abcde", "%5Fc=ada"): ("", "ada"),
    ("/abcde", "%5fc=ada"): ("", "ada"),
    ("/abcde", "_%63=ada"): ("", "ada"),
    ("/abcde", "%5F%63=ada"): ("", "ada"),
    ("/abcde", "%5F%43=ada"): ("", "ada"),
    ("/abcde", "%255Fc=ada"): ("", "ada"),
    ("/abcde", "amp;_c=ada"): ("", "ada"),
    ("/abcde", "x=1&amp;_c=ada"): ("x=1", "ada"),
    ("/abcde", "+_c=ada"): ("", "ada"),
    ("/abcde", "_c+=ada"): ("", "ada"),
    ("/abcde", "%20_c=ada"): ("", "ada"),
    ("/abcde", "?_c=ada"): ("", "ada"),
    ("/abcde", "_c"): ("", None),
    ("/abcde", "_c="): ("", None),
    ("/abcde", "_c=&_c=ada"): ("", "ada"),
    ("/abcde", "_c=ada&_c=eve"): ("", "ada"),
    ("/abcde", "x=1&_c=ada&y=2"): ("x=1&y=2", "ada"),
    ("/abcde", "x=1;_c=ada"): ("x=1", "ada"),
    ("/abcde", "_c=ada;b&y=2"): ("y=2", "ada;b"),
    ("/abcde", "_c=ada?b=1&y=2"): ("y=2", "ada?b=1"),
    ("/abcde", "y=2;x=1;_c=ada;z=3"): ("y=2;x=1", "ada;z=3"),
    ("/abcde", "x=1?_c=ada"): ("x=1", "ada"),
    ("/abcde", "x=1%3F_c=ada&y=2"): ("x=1&y=2", "ada"),
    ("/abcde", "x=1%26_c=ada"): ("x=1", "ada"),
    ("/abcde", "x=1%26amp%3B_c=ada"): ("x=1", "ada"),
    ("/abcde", "x=1&amp;amp;_c=ada"): ("x=1", "ada"),
    ("/abcde", "amp;amp;_c=ada"): ("", "ada"),
    ("/abcde", "_c%3Dada"): ("", "ada"),
    ("/abcde", "_c%253dada&y=2"): ("y=2", "ada"),
    ("/abcde", "u=https://go.example/abcde?_c=ada&y=1"): ("u=https://go.example/abcde&y=1", "ada"),
    ("/abcde", "u=https%3A%2F%2Fgo.example%2Fabcde%3F_c%3Dada"): ("u=https%3A%2F%2Fgo.example%2Fabcde", "ada"),
    ("/abcde", "u=/a?b=c;d&_c=ada"): ("u=/a?b=c;d", "ada"),
    ("/abcde", "_ca=1&a_c=2&c=3&x=_c"): ("_ca=1&a_c=2&c=3&x=_c", None),
    ("/abcde?_c=ada", ""): ("", "ada"),
    ("/abcde/2?_c=ada", "x=1"): ("x=1", "ada"),
    ("/abcde?x=1", "y=2"): ("x=1&y=2", None),
    ("/abcde&_c=ada", ""): ("", "ada"),
    ("/abcde&amp;utm_source=a&_c=ada", ""): ("utm_source=a", "ada"),
    ("/abcde?utm_source=\u00fc", ""): ("utm_source=%C3%BC", None),
    ("/abcde+", "_c=ada"): ("", "ada"),
    ("/abcde+?_c=ada", ""): ("", "ada"),
    ("/-/links", "_c=ada&q=x"): ("_c=ada&q=x", None),
}


@pytest.mark.parametrize(("sent", "expected"), QUERIES.items(), ids=[ascii("?".join(key)) for key in QUERIES])
def test_queries(sent: tuple[str, str], expected: tuple[str, str | None]) -> None:
    """A query string is ASCII, and no spelling of the recipient token stays in it. Pages get theirs as it was sent."""
    request = read(*sent)
    assert (request.query, request.token) == expected


CLIENTS = {
    ("192.0.2.1", ""): "192.0.2.1",
    ("192.0.2.1", "198.51.100.7"): "192.0.2.1",
    ("10.0.0.1", "198.51.100.7"): "198.51.100.7",
    ("10.0.0.1", "203.0.113.9, 198.51.100.7"): "198.51.100.7",
    ("10.0.0.1", "198.51.100.7, 10.1.1.1"): "198.51.100.7",
    ("10.0.0.1", "198.51.100.7:4711"): "198.51.100.7",
    ("10.0.0.1", "[2001:DB8::0001]:443"): "2001:db8::1",
    ("10.0.0.1", "2001:0db8:0:0:0:0:0:1"): "2001:db8::1",
    ("10.0.0.1", "::ffff:198.51.100.7"): "198.51.100.7",
    ("10.0.0.1", "198.51.100.7, unknown"): "10.0.0.1",
    ("::ffff:10.0.0.1", "198.51.100.7"): "198.51.100.7",
    ("::ffff:192.0.2.1", "198.51.100.7"): "192.0.2.1",
    ("::FFFF:192.0.2.1", ""): "192.0.2.1",
    ("2001:0DB8::0:1", ""): "2001:db8::1",
    ("fe80::1%eth0", ""): "fe80::1",
    ("::1", "198.51.100.7"): "198.51.100.7",
    ("", "198.51.100.7"): "",
}


@pytest.mark.parametrize(("sent", "client"), CLIENTS.items(), ids=[" ".join(key) for key in CLIENTS])
def test_client_addresses(sent: tuple[str, str], client: str) -> None:
    """An address has one spelling, and a client of IPv4 has its own address on a socket for both protocols."""
    peer, forwarded = sent
    headers = {"x_forwarded_for": forwarded} if forwarded else {}
    request = normalize(parse_scope(Scope("/abcde", "", {"host": "go.example", **_dashed(headers)}, peer)))
    assert request.client == client


class UnreadableHeaders(ScopeHeaders):
    """Headers whose values are not ASCII, which granian does not return."""

    def get(self, name: str) -> str | None:
        """Return no value."""
        return None

    def get_all(self, name: str) -> list[str]:
        """Return no values."""
        return []


@pytest.mark.parametrize(("peer", "client"), [("10.0.0.1", ""), ("192.0.2.1", "192.0.2.1"), ("::ffff:10.0.0.1", "")])
def test_only_a_proxy_makes_a_client_unreadable(peer: str, client: str) -> None:
    """Behind a trusted proxy an unreadable address is none; a client that connects itself cannot hide its own."""
    headers = UnreadableHeaders([("x-forwarded-for", "\u00fc")])
    assert normalize(Request("GET", "go.example", "/abcde", "", headers, peer)).client == client


def _dashed(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


OPT_OUTS = [
    ({"sec-gpc": "1"}, True), ({"dnt": "1"}, True), ({"sec-gpc": "1, 1"}, True), ({"dnt": "1,1"}, True),
    ({"sec-gpc": "0, 1"}, True), ({"dnt": " 1 "}, True), ({"dnt": "1xyz"}, True), ({"sec-gpc": "?1"}, True),
    ({"sec-gpc": '"1"'}, True), ({"sec-gpc": "0", "dnt": "1"}, True), ({"sec-gpc": "1", "dnt": "0"}, True),
    ({"sec-gpc": "1;a"}, True), ({"sec-gpc": "\t1"}, True),
    ({}, False), ({"sec-gpc": "0"}, False), ({"dnt": "0"}, False), ({"dnt": ""}, False), ({"dnt": "01"}, False),
    ({"dnt": "null"}, False), ({"sec-gpc": "0, 0"}, False), ({"dnt": "unspecified"}, False), ({"accept": "1"}, False),
]  # fmt: skip


@pytest.mark.parametrize(("headers", "expected"), OPT_OUTS, ids=[str(headers) for headers, _ in OPT_OUTS])
def test_opt_outs(headers: dict[str, str], expected: bool) -> None:
    """Global Privacy Control and Do Not Track are honoured in every form in which a proxy passes them on."""
    assert opts_out(headers) is expected


def test_there_are_enough_forms() -> None:
    """The tables above have at least 200 forms."""
    assert len([*HOST_ROWS, *PATH_ROWS, *NO_CODES, *QUERIES, *CLIENTS, *OPT_OUTS]) >= 200


GRAMMAR = st.lists(
    st.sampled_from(
        [*GLUED, "abcde", "/", "2", "+", "?", "&", "_c=", "%5Fc=", ";", "amp;", "x=1", "\udcff", "%", "\u00fc"]
    )
    | st.text(max_size=8),
    max_size=12,
).map("".join)


@given(host=GRAMMAR, path=GRAMMAR, query=GRAMMAR, forwarded=GRAMMAR, peer=st.sampled_from(["10.0.0.1", "::1", ""]))
@example(host="[", path="//", query="&_c", forwarded=",", peer="::1")
@example(host=".\xa0.", path="", query="", forwarded="", peer="10.0.0.1")
@example(host="a .:80", path="", query="", forwarded="", peer="10.0.0.1")
@settings(max_examples=100, deadline=None)
def test_no_request_is_too_odd(host: str, path: str, query: str, forwarded: str, peer: str) -> None:
    """Any request is normalized without an error, and twice as once; no token is left in the query of a short link."""
    headers = ScopeHeaders([("x-forwarded-for", forwarded)])
    request = normalize(Request("GET", host, "/" + path, encode_query(query), headers, peer))
    assert request.query.isascii()
    assert request.code == "" or len(request.code) <= len(path)
    if request.code:
        assert take_recipient_token(request.query) == (request.query, None)
    again = normalize(Request("GET", request.host, request.path, request.query, headers, request.peer))
    assert (again.host, again.domain, again.client) == (request.host, request.domain, request.client)
    if request.preview:
        assert (again.code, again.preview) == (request.code, True)


@given(text=GRAMMAR)
@settings(max_examples=100, deadline=None)
def test_a_path_may_be_encoded_once_more(text: str) -> None:
    """Punctuation that was percent-encoded twice leads to the same link."""
    once = (
        parse_path(f"/abcde.{text}")
        if text.isascii() and not any(c.isalnum() or c in '/?&<>"#|%=]' for c in text)
        else None
    )
    if once is not None:
        twice = parse_path(f"/abcde{quote('.' + text, safe='')}")
        assert (once.code, once.placement) == (twice.code, twice.placement)
