"""The redirect handler: every kind of request, what is answered, and what is written down."""

import re
import string
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shortener.clicklog.format import MAX_LINE_BYTES
from shortener.redirect.click_recorder import MAX_MISSES_PER_SECOND

if TYPE_CHECKING:
    from tests.redirect.conftest import Site

MISS, GONE, AWAY, PAGE = (
    "page because of 404",
    "page because of 410",
    "page because of 503",
    "page because of None",
)

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
    "a placement of nought": ("/abcde/0", MISS),
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
    "nine thousand glued": ("/abcde" + "." * 9000, MISS),
    "SQL": ("/abcde' or '1'='1", MISS),
    "a percent": ("/abc%", MISS),
}


@pytest.mark.parametrize(("path", "answer"), PATHS.values(), ids=PATHS)
def test_paths(site: "Site", path: str, answer: str) -> None:
    """Known codes are redirected, ours and what is for people is a page, everything else is a miss."""
    reply = site.get(path)
    assert reply.code == answer
    clicks = [line for line in site.lines() if line["status"] == 302]
    assert len(clicks) == (answer == "302")
    assert all(line["code"] == "abcde" for line in clicks)


def test_a_redirect_says_what_it_should(site: "Site") -> None:
    """The answer is 302, uncacheable, not for search engines, and has no body."""
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
    """Whoever prefers another redirect gets it, and the log says so."""
    site.configure({"redirect": {"status": status}})
    assert site.get("/abcde").code == str(status)
    assert [line["status"] for line in site.lines()] == [status]


def test_a_click_is_written_down_whole(site: "Site") -> None:
    """One line says when, what, how, and who without saying who."""
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
    assert all(re.fullmatch("[0-9a-f]{16}", each) for each in hashes)
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
    """Also of two workers, no two clicks have the same id."""
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


@pytest.mark.parametrize(("method", "answer"), METHODS.items(), ids=METHODS)
def test_methods(site: "Site", method: str, answer: str) -> None:
    """HEAD is answered and logged as what it is; other methods are refused and no click."""
    reply = site.get("/abcde", method=method)
    assert reply.code == answer
    assert reply.body == b""
    assert [line["method"] for line in site.lines()] == (["HEAD"] if answer == "302" else [])
    if answer == "405":
        assert reply.headers["Allow"] == "GET, HEAD"


def test_pages_may_be_posted_to(site: "Site") -> None:
    """What is under /-/ is for the pages, whatever the method."""
    assert site.get("/-/login", method="POST").code == PAGE


@pytest.mark.parametrize("purpose", ["prefetch", "prefetch;prerender", "prefetch;anonymous-client-ip"])
def test_a_prefetch_is_refused_and_logged(site: "Site", purpose: str) -> None:
    """A browser that looks ahead is told to come again, so that the reader's own click is seen."""
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
    "two": ("go.example, evil.example", MISS),
    "none": ("", MISS),
    "a kilobyte": ("a" * 1024, MISS),
}


@pytest.mark.parametrize(("host", "answer"), HOSTS.values(), ids=HOSTS)
def test_hosts(site: "Site", host: str, answer: str) -> None:
    """Our domains answer however they are written; nobody else's does, and no forwarded host counts."""
    reply = site.get("/abcde", host=host, X_FORWARDED_HOST="go.example")
    assert reply.code == answer
    assert [line["host"] for line in site.lines()] == (["go.example"] if answer == "302" else [])


CASES = {
    "as it is": ("case.example", "/AbCdE", "302"),
    "in lower case": ("case.example", "/abcde", MISS),
    "with a host in capitals": ("CASE.EXAMPLE", "/AbCdE", "302"),
    "with punctuation": ("case.example", "/AbCdE!", "302"),
    "on the other domain": ("go.example", "/AbCdE", "302"),
}


@pytest.mark.parametrize(("host", "path", "answer"), CASES.values(), ids=CASES)
def test_each_domain_has_its_case_rule_and_its_codes(site: "Site", host: str, path: str, answer: str) -> None:
    """One domain may tell capitals apart while another does not, and the same code leads to different places."""
    reply = site.get(path, host=host)
    assert reply.code == answer
    if answer == "302":
        assert reply.headers["Location"].endswith("case" if host.lower() == "case.example" else "/a")


LIVES: dict[str, tuple[dict[str, Any], str]] = {
    "retired": ({"status": "retired"}, GONE),
    "expired just now": ({"expires_at": 1_795_521_600}, GONE),
    "expiring in a second": ({"expires_at": 1_795_521_601}, "302"),
    "without a target yet": ({"target": None}, MISS),
}


@pytest.mark.parametrize(("facts", "answer"), LIVES.values(), ids=LIVES)
def test_links_that_lead_nowhere(site: "Site", facts: dict[str, Any], answer: str) -> None:
    """Retired and expired links are gone, links without target are not there; both are misses in the log."""
    site.add("other", **facts)
    assert site.get("/other").code == answer
    (line,) = site.lines()
    assert line["status"] == int(answer[-3:])


def test_a_link_expires_while_it_is_remembered(site: "Site") -> None:
    """The clock alone ends a link, no edit is needed."""
    site.add("other", expires_at=int(site.now) + 10)
    assert site.get("/other").code == "302"
    site.now += 10
    assert site.get("/other").code == GONE


def test_a_miss_says_little(site: "Site") -> None:
    """A request that led nowhere is written down without its reader."""
    site.get("/nosuch", USER_AGENT="Firefox", REFERER="https://mail.example/")
    (line,) = site.lines()
    assert set(line) == {"v", "id", "ts", "host", "code", "status"}


def test_a_flood_of_misses_cannot_fill_the_disk(site: "Site") -> None:
    """Of random codes only so many a second are written down; all are counted, and clicks are not held back."""
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
    "without the copy token": ("/q?_c=tok&b=2", "https://example.com/?a=1&b=2#top"),
    "nothing but the copy token": ("/q?_c=tok", "https://example.com/?a=1#top"),
    "a header in it": (
        "/q?b=%0d%0aSet-Cookie:%20a=1",
        "https://example.com/?a=1&b=%0d%0aSet-Cookie:%20a=1#top",
    ),
}


@pytest.mark.parametrize(("path", "location"), QUERIES.values(), ids=QUERIES)
def test_queries_go_along(site: "Site", path: str, location: str) -> None:
    """The reader's query is taken along as the link says, and never leads elsewhere."""
    site.add("q", "https://example.com/?a=1#top")
    site.add("o", "https://example.com/?a=1", forward="override")
    site.add("d", "https://example.com/?a=1", forward="drop")
    assert site.get(path).headers["Location"].lower() == location.lower()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=st.text(alphabet=string.printable + "\x00\x7f\xe9\xff", max_size=60))
def test_no_query_changes_where_a_link_leads(site: "Site", query: str) -> None:
    """Whatever the query, host and path of Location stay, and no header is added."""
    location = site.get("/abcde?" + query).headers["Location"]
    assert re.fullmatch(r"https://example\.com/a(\?[\x21-\x7e]*)?", location)


COPIES = {
    "a token": ("/abcde?_c=ada", True),
    "a token of a kilobyte": ("/abcde?_c=" + "x" * 1000, True),
    "an empty one": ("/abcde?_c=", False),
    "none": ("/abcde?x=1", False),
    "part of another key": ("/abcde?a_c=1", False),
}


@pytest.mark.parametrize(("path", "kept"), COPIES.values(), ids=COPIES)
def test_a_copy_token_is_kept_as_a_hash_only(site: "Site", path: str, kept: bool) -> None:
    """Whose copy was clicked is told apart for a day, and never written down."""
    site.get(path)
    (line,) = site.lines()
    assert bool(line.get("copy")) == kept
    assert "q" not in line
    assert "ada" not in line.get("copy", "")


@pytest.mark.parametrize("header", ["SEC_GPC", "DNT"])
def test_whoever_asks_not_to_be_followed_is_not(site: "Site", header: str) -> None:
    """With GPC or DNT a click counts, without visitor, user agent, referrer and copy."""
    wishes = {header: "1", "USER_AGENT": "Firefox", "REFERER": "https://mail.example/"}
    site.get("/abcde?_c=ada", **wishes)
    (line,) = site.lines()
    assert not {"visitor", "ua", "ref", "copy"} & set(line)
    site.configure({"privacy": {"respect_gpc": False}})
    site.get("/abcde", **wishes)
    assert {"visitor", "ua", "ref"} <= set(site.lines()[1])


def test_addresses_can_be_left_out_altogether(site: "Site") -> None:
    """``privacy.addresses = "none"`` keeps not even the network."""
    site.configure({"privacy": {"addresses": "none"}})
    site.get("/abcde?_c=ada")
    (line,) = site.lines()
    assert not {"net", "addr", "visitor", "copy"} & set(line)


def test_no_whole_address_is_anywhere_on_disk(site: "Site") -> None:
    """Neither the peer's nor a forwarded address stands in any file of the data directory."""
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


def test_trusted_proxies_name_the_reader(site: "Site") -> None:
    """Behind a trusted proxy the reader's network counts; a stranger's header does not."""
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


def test_an_absurd_request_stays_below_the_longest_line(site: "Site") -> None:
    """Everything that a client can send at its longest still makes one line that the collector takes."""
    ugly = '\\"' * 4096
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
        ugly,
    )
    headers |= dict.fromkeys(["SEC_FETCH_DEST", "SEC_FETCH_SITE"], ugly) | {
        "REFERER": "https://a.example/" + ugly
    }
    site.get("/abcde" + "." * 100 + "?" + "&".join(f"utm_source={'%22' * 200}" for _ in range(10)), **headers)
    (line,) = site.lines()
    assert line["code"] == "abcde"
    (segment,) = (site.data / "clicklog").iterdir()
    assert max(map(len, segment.read_bytes().splitlines(keepends=True))) <= MAX_LINE_BYTES


def test_control_characters_stay_inside_their_line(site: "Site") -> None:
    """Nothing in a header can end a line or begin another click."""
    evil = 'x\n{"v":1,"id":"forged","ts":1,"host":"go.example","code":"abcde"}\n\x1b[2J\u2028\0'
    site.get("/abcde", USER_AGENT=evil, ACCEPT_LANGUAGE=evil)
    (line,) = site.lines()
    assert line["ua"] == evil


def test_a_full_disk_does_not_stop_readers(site: "Site") -> None:
    """When the click cannot be written the reader goes on, and the loss is counted."""
    site.configure({})
    (site.data / "clicklog").rmdir() if (site.data / "clicklog").exists() else None
    (site.data / "clicklog").write_text("in the way")
    assert [site.get("/abcde").code for _ in range(5)] == ["302"] * 5
    assert unrecorded(site.data) == 5


def test_strict_mode_sends_nobody_on_unrecorded(site: "Site") -> None:
    """``clicklog.strict`` answers 503 instead, for whoever would rather lose a reader than a click."""
    (site.data / "clicklog").write_text("in the way")
    site.configure({"clicklog": {"strict": True}})
    reply = site.get("/abcde")
    assert (reply.code, reply.headers["Retry-After"]) == ("503", "5")
    (site.data / "clicklog").unlink()
    site.configure({"clicklog": {"strict": True}})
    assert site.get("/abcde").code == "302"


def test_without_a_key_a_click_is_kept_without_hashes(site: "Site") -> None:
    """Where the day's key can neither be read nor made, the click counts all the same."""
    (site.data / "keys").write_text("in the way")
    assert site.get("/abcde?_c=ada").code == "302"
    (line,) = site.lines()
    assert line["net"] == "203.0.113.0/24"
    assert not {"addr", "visitor", "copy"} & set(line)


def unrecorded(data: Path) -> int:
    """What the counters say."""
    from shortener.shared_memory import read_totals

    return read_totals(data)["unrecorded"]


def test_whatever_goes_wrong_while_recording_the_reader_goes_on(
    site: "Site", monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault that nobody foresaw costs the click and is counted; it does not cost the reader the article."""
    monkeypatch.setattr("shortener.redirect.click_recorder.pseudonymize", lambda *_: 1 / 0)
    assert site.get("/abcde").code == "302"
    assert unrecorded(site.data) == 1
    assert "could not be recorded" in caplog.text


def test_a_peer_without_address_is_no_error(site: "Site") -> None:
    """Behind a Unix socket there is no address to keep."""
    assert site.get("/abcde", peer="").code == "302"
    (line,) = site.lines()
    assert "net" not in line
