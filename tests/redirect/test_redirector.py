"""The redirector: responses to all kinds of requests, and the lines in the click log."""

import re
import string
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shortener.clicklog.format import MAX_LINE_BYTES
from shortener.redirect.click_recorder import MAX_MISSES_PER_SECOND
from shortener.shared_memory import read_totals

if TYPE_CHECKING:
    from tests.redirect.conftest import Site

MISS, GONE, PAGE = "page because of 404", "page because of 410", "page because of None"

PATHS = {
    "a code": ("/abcde", "302"),
    "a placement": ("/abcde/2", "302"),
    "the largest placement": ("/abcde/99999", "302"),
    "a slash at the end": ("/abcde/", "302"),
    "upper case": ("/ABCDE", "302"),
    "a full stop": ("/abcde.", "302"),
    "a comma": ("/abcde,", "302"),
    "a bracket and a full stop": ("/abcde).", "302"),
    "an angle bracket": ("/abcde>", "302"),
    "an entity": ("/abcde&gt;", "302"),
    "a quotation mark": ("/abcde\u201d", "302"),
    "punctuation after a placement": ("/abcde/2).", "302"),
    "a slash after a placement": ("/abcde/2/", "302"),
    "a placement of zero": ("/abcde/0", MISS),
    "a placement of six digits": ("/abcde/100000", MISS),
    "a placement that is no number": ("/abcde/x", MISS),
    "a placement in other digits": ("/abcde/\u0663", MISS),
    "a negative placement": ("/abcde/-1", MISS),
    "an unknown code": ("/nosuch", MISS),
    "a prefix of a code": ("/abcd", MISS),
    "the home page": ("/", PAGE),
    "robots.txt": ("/robots.txt", PAGE),
    "favicon.ico": ("/favicon.ico", PAGE),
    "our own pages": ("/-/health", PAGE),
    "a preview": ("/abcde+", PAGE),
    "a preview of nothing": ("/+", PAGE),
    "no path": ("", PAGE),
    "a line end": ("/abcde\r\nX-Evil: 1", MISS),
    "a line feed": ("/\n", MISS),
    "up and out": ("/../../etc/passwd", MISS),
    "two slashes": ("//etc/passwd", PAGE),
    "a hidden file": ("/.env", MISS),
    "a repository": ("/.git/config", MISS),
    "the store": ("/store.db-wal", MISS),
    "backslashes": ("/..\\..\\data", MISS),
    "a NUL": ("/abcde\0x", MISS),
    "a NUL at the end": ("/abcde\0", "302"),
    "bytes that are no UTF-8": ("/\xff\xfe", MISS),
    "a lone surrogate": ("/\udcff", MISS),
    "an emoji": ("/\U0001f600", MISS),
    "five thousand characters": ("/" + "a" * 5000, MISS),
    "nine thousand characters of punctuation": ("/abcde" + "." * 9000, MISS),
    "SQL": ("/abcde' or '1'='1", MISS),
    "a percent": ("/abc%", MISS),
}


@pytest.mark.parametrize(("path", "code"), PATHS.values(), ids=PATHS)
def test_paths(site: "Site", path: str, code: str) -> None:
    """Known codes are redirected, our own paths are pages, and all other paths are misses."""
    reply = site.get(path)
    assert reply.code == code
    clicks = [line for line in site.lines() if line["status"] == 302]
    assert len(clicks) == (code == "302")
    assert all(line["code"] == "abcde" for line in clicks)


def test_headers_of_a_redirect(site: "Site") -> None:
    """A redirect is 302 without a body, not cacheable, and not for search engines."""
    reply = site.get("/abcde")
    assert reply.status == "302 Found"
    assert reply.body == b""
    assert reply.headers == {
        "Location": "https://example.com/a",
        "Cache-Control": "private, no-store",
        "Referrer-Policy": "origin",
        "X-Robots-Tag": "noindex",
        "Content-Length": "0",
    }


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_the_status_is_configurable(site: "Site", status: int) -> None:
    """The configured status is sent and logged."""
    site.configure({"redirect": {"status": status}})
    assert site.get("/abcde").code == str(status)
    assert [line["status"] for line in site.lines()] == [status]


def test_a_click_is_logged_with_all_keys(site: "Site") -> None:
    """The line of a click has time, request, response, headers, and hashes of the client."""
    site.get(
        "/AbCde/7?utm_source=mail&secret=1",
        USER_AGENT="Firefox",
        REFERER="https://Mail.example/inbox?id=7",
        ACCEPT_LANGUAGE="en-US",
        ACCEPT="text/html",
        SEC_FETCH_MODE="navigate",
        COOKIE="session=1",
    )
    (line,) = site.lines()
    hashes = [line.pop(name) for name in ("addr", "visitor")]
    assert all(re.fullmatch("[0-9a-f]{16}", value) for value in hashes)
    assert re.fullmatch("[0-9a-f]{12}-[0-9a-f]{8}", line.pop("id"))
    assert line == {
        "v": 1,
        "ts": site.now,
        "host": "go.example",
        "code": "abcde",
        "path": "/AbCde/7",
        "n": 7,
        "method": "GET",
        "status": 302,
        "net": "203.0.113.0/24",
        "ua": "Firefox",
        "ref": "https://mail.example/inbox",
        "lang": "en-US",
        "q": "utm_source=mail",
        "h": {"sec-fetch-mode": "navigate", "accept": "text/html"},
    }


def test_ids_are_unique(site: "Site") -> None:
    """No two clicks have one id, also with two workers."""
    for _ in range(50):
        site.get("/abcde")
    site.configure({})
    for _ in range(50):
        site.get("/abcde")
    assert len({line["id"] for line in site.lines()}) == 100


METHODS = {
    "HEAD": "302",
    "POST": "405",
    "PUT": "405",
    "DELETE": "405",
    "OPTIONS": "405",
    "TRACE": "405",
    "CONNECT": "405",
    "PROPFIND": "405",
    "get": "405",
    "": "405",
}


@pytest.mark.parametrize(("method", "code"), METHODS.items(), ids=METHODS)
def test_methods(site: "Site", method: str, code: str) -> None:
    """HEAD is redirected and logged as HEAD; other methods get 405 and are not logged."""
    reply = site.get("/abcde", method=method)
    assert reply.code == code
    assert reply.body == b""
    assert [line["method"] for line in site.lines()] == (["HEAD"] if code == "302" else [])
    if code == "405":
        assert reply.headers["Allow"] == "GET, HEAD"


def test_pages_accept_all_methods(site: "Site") -> None:
    """Paths below ``/-/`` are passed to the pages with any method."""
    assert site.get("/-/login", method="POST").code == PAGE


@pytest.mark.parametrize("purpose", ["prefetch", "prefetch;prerender", "prefetch;anonymous-client-ip"])
def test_a_prefetch_is_refused_and_logged(site: "Site", purpose: str) -> None:
    """A prefetch gets 503, so that the reader's own click is a request of its own."""
    reply = site.get("/abcde", SEC_PURPOSE=purpose)
    assert reply.code == "503"
    assert reply.headers == {"Cache-Control": "no-store", "Content-Length": "0"}
    (line,) = site.lines()
    assert (line["status"], line["h"]) == (503, {"sec-purpose": purpose})


HOSTS = {
    "the domain": ("go.example", "302"),
    "upper case": ("GO.Example", "302"),
    "a port": ("go.example:8080", "302"),
    "a full stop at the end": ("go.example.", "302"),
    "a full stop and a port": ("go.example.:443", "302"),
    "loopback": ("127.0.0.1", "302"),
    "loopback with a port": ("127.0.0.1:8000", "302"),
    "localhost": ("LocalHost:8000", "302"),
    "loopback in IPv6": ("[::1]:8000", "302"),
    "another": ("evil.example", MISS),
    "a subdomain": ("a.go.example", MISS),
    "ours as a prefix": ("go.example.evil.example", MISS),
    "a user name": ("go.example@evil.example", MISS),
    "a path": ("evil.example/go.example", MISS),
    "a port that is none": ("go.example:x", MISS),
    "two": ("go.example, evil.example", "400"),
    "none": ("", "400"),
    "a kilobyte": ("a" * 1024, MISS),
}


@pytest.mark.parametrize(("host", "code"), HOSTS.values(), ids=HOSTS)
def test_hosts(site: "Site", host: str, code: str) -> None:
    """Our domains match in any spelling, other hosts do not, and ``X-Forwarded-Host`` is ignored."""
    reply = site.get("/abcde", host=host, X_FORWARDED_HOST="go.example")
    assert reply.code == code
    assert [line["host"] for line in site.lines()] == (["go.example"] if code == "302" else [])


CASES = {
    "as it is": ("case.example", "/AbCdE", "302"),
    "in lower case": ("case.example", "/abcde", MISS),
    "with a host in capitals": ("CASE.EXAMPLE", "/AbCdE", "302"),
    "with punctuation": ("case.example", "/AbCdE!", "302"),
    "on the other domain": ("go.example", "/AbCdE", "302"),
}


@pytest.mark.parametrize(("host", "path", "code"), CASES.values(), ids=CASES)
def test_case_and_codes_of_each_domain(site: "Site", host: str, path: str, code: str) -> None:
    """A domain may be case-sensitive or not, and one code may have different targets on two domains."""
    reply = site.get(path, host=host)
    assert reply.code == code
    if code == "302":
        assert reply.headers["Location"].endswith("case" if host.lower() == "case.example" else "/a")


LINK_STATES: dict[str, tuple[dict[str, Any], str]] = {
    "retired": ({"status": "retired"}, GONE),
    "expired just now": ({"expires_at": 1_795_521_600}, GONE),
    "expiring in a second": ({"expires_at": 1_795_521_601}, "302"),
    "without a target yet": ({"target": None}, MISS),
}


@pytest.mark.parametrize(("columns", "code"), LINK_STATES.values(), ids=LINK_STATES)
def test_links_without_redirect(site: "Site", columns: dict[str, Any], code: str) -> None:
    """Retired and expired links are 410, links without target 404; both are logged as misses."""
    site.add("other", **columns)
    assert site.get("/other").code == code
    (line,) = site.lines()
    assert line["status"] == int(code[-3:])


def test_a_cached_link_expires(site: "Site") -> None:
    """A cached link expires by time, without an edit."""
    site.add("other", expires_at=int(site.now) + 10)
    assert site.get("/other").code == "302"
    site.now += 10
    assert site.get("/other").code == GONE


def test_keys_of_a_miss(site: "Site") -> None:
    """The line of a miss has no data of the client."""
    site.get("/nosuch", USER_AGENT="Firefox", REFERER="https://mail.example/")
    (line,) = site.lines()
    assert set(line) == {"v", "id", "ts", "host", "code", "status"}


def test_a_flood_of_misses_cannot_fill_the_disk(site: "Site") -> None:
    """At most MAX_MISSES_PER_SECOND misses are logged, and clicks are logged meanwhile."""
    for number in range(MAX_MISSES_PER_SECOND + 50):
        site.get(f"/no{number}")
    site.get("/abcde")
    assert len(site.lines()) == MAX_MISSES_PER_SECOND + 1
    site.now += 1
    site.get("/nosuch")
    assert len(site.lines()) == MAX_MISSES_PER_SECOND + 2


QUERIES = {
    "merged": ("/q?b=2", "https://example.com/?a=1&b=2#top"),
    "a key that the target has": ("/q?a=9&b=2", "https://example.com/?a=1&b=2#top"),
    "overridden": ("/o?a=9", "https://example.com/?a=9"),
    "dropped": ("/d?b=2", "https://example.com/?a=1"),
    "without the recipient token": ("/q?_c=tok&b=2", "https://example.com/?a=1&b=2#top"),
    "only the recipient token": ("/q?_c=tok", "https://example.com/?a=1#top"),
    "a header in it": (
        "/q?b=%0d%0aSet-Cookie:%20a=1",
        "https://example.com/?a=1&b=%0d%0aSet-Cookie:%20a=1#top",
    ),
}


@pytest.mark.parametrize(("path", "location"), QUERIES.values(), ids=QUERIES)
def test_forwarded_queries(site: "Site", path: str, location: str) -> None:
    """The query of a click is forwarded as the link's mode says, and never changes the host."""
    site.add("q", "https://example.com/?a=1#top")
    site.add("o", "https://example.com/?a=1", forward="override")
    site.add("d", "https://example.com/?a=1", forward="drop")
    assert site.get(path).headers["Location"].lower() == location.lower()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=st.text(alphabet=string.printable + "\x00\x7f\xe9\xff", max_size=60))
def test_no_query_changes_host_or_path(site: "Site", query: str) -> None:
    """For any query, host and path of Location are unchanged, and no header is injected."""
    location = site.get("/abcde?" + query).headers["Location"]
    assert re.fullmatch(r"https://example\.com/a(\?[\x21-\x7e]*)?", location)


TOKENS = {
    "a token": ("_c", "reader-4711"),
    "a token of a kilobyte": ("_c", "x" * 1000),
    "an empty token": ("_c", ""),
    "no token": ("x", "reader-4711"),
    "part of another key": ("a_c", "reader-4711"),
}


@pytest.mark.parametrize(("key", "token"), TOKENS.values(), ids=TOKENS)
def test_a_recipient_token_is_logged_as_a_hash_only(site: "Site", key: str, token: str) -> None:
    """The line of a click has the hash of its recipient token, and no key contains the token itself."""
    site.get(f"/abcde?{key}={token}")
    (line,) = site.lines()
    assert bool(re.fullmatch("[0-9a-f]{16}", line.get("copy", ""))) == (key == "_c" and token != "")
    assert "q" not in line
    assert not token or token[:200] not in str(line)


@pytest.mark.parametrize("header", ["SEC_GPC", "DNT"])
def test_readers_who_opt_out(site: "Site", header: str) -> None:
    """With Global Privacy Control or Do Not Track a click has no visitor, user agent, referrer and token."""
    headers = {header: "1", "USER_AGENT": "Firefox", "REFERER": "https://mail.example/"}
    site.get("/abcde?_c=ada", **headers)
    (line,) = site.lines()
    assert not {"visitor", "ua", "ref", "copy"} & set(line)
    site.configure({"privacy": {"respect_gpc": False}})
    site.get("/abcde", **headers)
    assert {"visitor", "ua", "ref"} <= set(site.lines()[1])


def test_configuration_without_addresses(site: "Site") -> None:
    """With ``privacy.addresses = "none"`` neither network nor hashes are logged."""
    site.configure({"privacy": {"addresses": "none"}})
    site.get("/abcde?_c=ada")
    (line,) = site.lines()
    assert not {"net", "addr", "visitor", "copy"} & set(line)


def test_no_whole_address_is_written_to_disk(site: "Site") -> None:
    """No file of the data directory contains the peer's or a forwarded address."""
    site.configure({"server": {"trusted_proxies": ["203.0.113.0/24"]}})
    site.get("/abcde", peer="203.0.113.77", X_FORWARDED_FOR="198.51.100.42")
    site.get("/abcde", peer="2001:db8:1:2:3:4:5:6")
    site.get("/nosuch", peer="203.0.113.77", X_FORWARDED_FOR="198.51.100.42")
    files = [path for path in site.data.rglob("*") if path.is_file()]
    assert len(files) >= 4
    content = b"".join(path.read_bytes() for path in files)
    for address in (b"203.0.113.77", b"198.51.100.42", b"2001:db8:1:2", b"3:4:5:6"):
        assert address not in content
    assert b"198.51.100.0/24" in content


def test_forwarded_addresses_of_trusted_proxies(site: "Site") -> None:
    """Behind a trusted proxy the forwarded network is logged; headers of other peers are ignored."""
    site.configure({"server": {"trusted_proxies": ["10.0.0.0/8"]}})
    site.get("/abcde", peer="10.0.0.1", X_FORWARDED_FOR="198.51.100.42")
    site.get(
        "/abcde",
        peer="192.0.2.1",
        X_FORWARDED_FOR="198.51.100.42",
        X_REAL_IP="1.2.3.4",
        FORWARDED="for=1.2.3.4",
    )
    assert [line["net"] for line in site.lines()] == ["198.51.100.0/24", "192.0.2.0/24"]


def test_the_longest_request_fits_into_a_line(site: "Site") -> None:
    """A request with all headers at their longest is logged in one line of at most MAX_LINE_BYTES."""
    long_value = '\\"' * 4096
    headers = dict.fromkeys(
        [
            "USER_AGENT",
            "ACCEPT_LANGUAGE",
            "ACCEPT",
            "RANGE",
            "PURPOSE",
            "X_PURPOSE",
            "X_MOZ",
            "SEC_FETCH_MODE",
        ],
        long_value,
    )
    headers |= dict.fromkeys(["SEC_FETCH_DEST", "SEC_FETCH_SITE"], long_value) | {
        "REFERER": "https://a.example/" + long_value
    }
    site.get("/abcde" + "." * 100 + "?" + "&".join(f"utm_source={'%22' * 200}" for _ in range(10)), **headers)
    (line,) = site.lines()
    assert line["code"] == "abcde"
    (segment,) = (site.data / "clicklog").iterdir()
    assert max(map(len, segment.read_bytes().splitlines(keepends=True))) <= MAX_LINE_BYTES


def test_control_characters_are_escaped(site: "Site") -> None:
    """A header with line ends cannot end its line or forge another click; NUL, which no store holds, is left out."""
    value = 'x\n{"v":1,"id":"forged","ts":1,"host":"go.example","code":"abcde"}\n\x1b[2J\u2028\0'
    site.get("/abcde", USER_AGENT=value, ACCEPT_LANGUAGE=value)
    (line,) = site.lines()
    assert line["ua"] == value.replace("\0", "")


def test_a_full_disk_does_not_stop_readers(site: "Site") -> None:
    """If a click cannot be logged, the reader is redirected and the click counts as unrecorded."""
    site.configure({})
    (site.data / "clicklog").rmdir() if (site.data / "clicklog").exists() else None
    (site.data / "clicklog").write_text("in the way")
    assert [site.get("/abcde").code for _ in range(5)] == ["302"] * 5
    assert unrecorded(site.data) == 5


def test_strict_mode_refuses_unrecorded_clicks(site: "Site") -> None:
    """With ``clicklog.strict`` a click that cannot be logged gets 503."""
    (site.data / "clicklog").write_text("in the way")
    site.configure({"clicklog": {"strict": True}})
    reply = site.get("/abcde")
    assert (reply.code, reply.headers["Retry-After"]) == ("503", "5")
    (site.data / "clicklog").unlink()
    site.configure({"clicklog": {"strict": True}})
    assert site.get("/abcde").code == "302"


def test_without_a_daily_key_a_click_has_no_hashes(site: "Site") -> None:
    """If the daily key can be neither read nor created, the click is logged with its network only."""
    (site.data / "keys").write_text("in the way")
    assert site.get("/abcde?_c=ada").code == "302"
    (line,) = site.lines()
    assert line["net"] == "203.0.113.0/24"
    assert not {"addr", "visitor", "copy"} & set(line)


def unrecorded(data: Path) -> int:
    """Return the number of unrecorded clicks."""
    return read_totals(data)["unrecorded"]


def test_an_unexpected_error_while_recording(
    site: "Site", monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """After an unexpected error the reader is redirected and the click counts as unrecorded."""
    monkeypatch.setattr("shortener.redirect.click_recorder.pseudonymize", lambda *_: 1 / 0)
    assert site.get("/abcde").code == "302"
    assert unrecorded(site.data) == 1
    assert "could not be recorded" in caplog.text


def test_a_peer_without_address(site: "Site") -> None:
    """A request over a Unix socket is logged without network."""
    assert site.get("/abcde", peer="").code == "302"
    (line,) = site.lines()
    assert "net" not in line
