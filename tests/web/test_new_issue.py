"""Taking an issue in by the pages: looked at first, the same bytes back, corrected in place, checked."""

import base64
import io
import json
import re
import time
from typing import TYPE_CHECKING, Any

import pytest
from werkzeug.datastructures import FileStorage

from shortener.store import issues, links

if TYPE_CHECKING:
    from tests.web.conftest import Desk

WHALES = b"### [Counting whales](https://a.example/whales) by Ingrid"
SOURCE = b"\xef\xbb\xbf# May\r\n\r\n" + WHALES + b"\n\nsongs \xf0\x9f\x90\x8b\r\n"


def form(action: str, **fields: Any) -> dict[str, Any]:
    """The form of a new issue."""
    return {
        "action": action,
        "title": "",
        "slug": "may",
        "sent_at": "",
        "recipients": "",
        "targets": "",
    } | fields


def upload(content: bytes, name: str = "may.md") -> FileStorage:
    """A file as a browser sends it."""
    return FileStorage(io.BytesIO(content), filename=name)


def test_looking_stores_nothing_and_taking_keeps_every_byte(desk: "Desk") -> None:
    """What was looked at is taken in by the next step, byte for byte, though the file is not sent again."""
    browser = desk.client("editor")
    page = browser.post("/-/new-issue", form("look", file=upload(SOURCE)))
    assert page.status_code == 200
    assert "Counting whales" in page.text
    assert issues.find(desk.store, "may") is None
    kept = re.search(r'name="kept" value="([^"]+)"', page.text)
    assert kept is not None
    assert base64.b64decode(kept[1]) == SOURCE
    taken = browser.post("/-/new-issue", form("take", kept=kept[1], name="may.md"))
    assert taken.headers["Location"] == "/-/issues/may/contents"
    output = browser.get("/-/issues/may/download").data
    code = links.of_issue(desk.store, issues.get(desk.store, "may").id)[0].code
    assert output == SOURCE.replace(b"https://a.example/whales", f"https://go.example/{code}/1".encode())


def test_pasted_text_has_the_lines_it_was_written_with(desk: "Desk") -> None:
    """Browsers send pasted lines with CR LF; what comes back has LF again."""
    pasted = "# May\r\n\r\n[whales](https://a.example/whales)\r\n"
    desk.client("editor").post("/-/new-issue", form("take", source=pasted, slug="", title="May, the 5th!"))
    source = issues.documents(desk.store, issues.get(desk.store, "may-the-5th").id)[0]
    assert source == pasted.replace("\r\n", "\n").encode()


def deep(size: int) -> bytes:
    """Brackets within brackets."""
    return b"# x\n" + b"[" * size


REFUSED = {
    "nothing": (form("look"), "there is no issue yet"),
    "empty file": (form("look", file=upload(b"")), "empty"),
    "no UTF-8": (form("look", file=upload(b"# \xff\xfe caf\xe9")), "UTF-8"),
    "NUL": (form("look", file=upload(b"# a\0b")), "not text"),
    "a picture": (form("look", file=upload(b"\x89PNG\r\n\x1a\n" + bytes(100), "a.png")), "UTF-8"),
    "a zip": (form("look", file=upload(b"PK\x03\x04" + bytes(range(256)), "a.zip")), "UTF-8"),
    "too large": (form("look", file=upload(b"a " * 3_000_000)), "is the most"),
    "no slug": (form("look", source="# x", slug=""), "slug"),
    "slug with a slash": (form("look", source="# x", slug="../x"), "slug"),
    "lost file": (form("look", kept="###"), "lost"),
    "inner target": (form("look", source="[x](http://127.0.0.1/admin)"), "127.0.0.1"),
    "recipients": (form("look", source="# x", recipients="many"), "recipients"),
    "date": (form("look", source="# x", sent_at="yesterday"), "sent on"),
    "targets": (form("look", source="# x", targets="go.example/a"), "line 1"),
    "target of another domain": (form("look", source="# x", targets="bit.ly/a,https://a.example/"), "bit.ly"),
    "too many links": (form("look", source="[a](https://a.example/) " * 5_001), "5,000"),
}


@pytest.mark.parametrize(("fields", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_issue_is_refused_with_a_sentence(desk: "Desk", fields: dict[str, Any], said: str) -> None:
    """Whatever is handed in, the form comes back with what is wrong; nothing is stored and nothing fails."""
    answer = desk.client("editor").post("/-/new-issue", dict(fields))
    assert answer.status_code == 400
    assert said in answer.text
    assert desk.store.value("select count(*) from issues") == 0


HEAVY = {
    "brackets": deep(20_000),
    "images": b"![[" * 10_000,
    "half links": b"[a](b" * 8_000,
    "quotes": b">" * 5_000 + b" x",
    "angles": b"<" * 20_000,
    "list": b"".join(b" " * depth + b"- x\n" for depth in range(500)),
    "divs": b"<!doctype html><html><body>" + b"<div>" * 20_000,
    "attribute": b'<!doctype html><html><body><p title="' + b"x" * 1_000_000 + b'">x',
}


@pytest.mark.parametrize("source", HEAVY.values(), ids=HEAVY.keys())
def test_heavy_markup_costs_a_moment(desk: "Desk", source: bytes) -> None:
    """Markup that is written to be slow is read, or refused, in a few seconds at the most; so is its map."""
    browser, begun = desk.client("editor"), time.monotonic()
    answer = browser.post("/-/new-issue", form("take", file=upload(source)))
    assert answer.status_code in {303, 400}
    if answer.status_code == 303:
        assert browser.get("/-/issues/may/map/issue").status_code == 200
    assert time.monotonic() - begun < 4


NAMES = ["../../x.md", "a\0.html", "x" * 300 + ".md", "CON", ".hidden", "/etc/passwd"]


@pytest.mark.parametrize("name", NAMES)
def test_file_names_are_never_paths(desk: "Desk", name: str) -> None:
    """A file's name is shown and nothing else; the issue goes by its slug."""
    answer = desk.client("editor").post("/-/new-issue", form("take", file=upload(SOURCE, name)))
    assert answer.headers["Location"] == "/-/issues/may/contents"
    disposition = desk.client("viewer").get("/-/issues/may/download").headers["Content-Disposition"]
    assert re.fullmatch(r"attachment; filename=\"may\.out\.(md|html)\"; filename\*=.*", disposition)


def test_the_same_issue_again_changes_nothing(full_desk: "Desk") -> None:
    """A second look says that it is known; taking it in again leaves everything as it was."""
    source = issues.documents(full_desk.store, issues.get(full_desk.store, "may").id)[0].decode()
    before = "\n".join(full_desk.store.db.conn.iterdump())
    browser = full_desk.client("editor")
    page = browser.post("/-/new-issue", form("look", source=source))
    assert "is there already" in page.text
    browser.post("/-/new-issue", form("take", source=source))
    after = "\n".join(full_desk.store.db.conn.iterdump())
    assert [line for line in after.splitlines() if "sessions" not in line] == [
        line for line in before.splitlines() if "sessions" not in line
    ]


def test_articles_are_corrected_in_place(full_desk: "Desk") -> None:
    """Title, author and place can be corrected; what the form leaves as it was does not count as corrected."""
    browser = full_desk.client("editor")
    fields = {"url": "https://a.example/sieve", "title": "A sieve", "author": "Mateo", "position": "1"}
    assert browser.post("/-/issues/may/article", fields).status_code == 303
    shown = {
        each.url: each for each in issues.articles(full_desk.store, issues.get(full_desk.store, "may").id)
    }
    sieve = shown["https://a.example/sieve"]
    assert (sieve.title, sieve.position, sieve.corrected) == ("A sieve", 1, "position title")
    assert shown["https://a.example/whales"].position == 2
    browser.post("/-/issues/may/article", fields | {"position": ""})
    shown = {
        each.url: each for each in issues.articles(full_desk.store, issues.get(full_desk.store, "may").id)
    }
    assert shown["https://a.example/sieve"].position is None
    assert (
        browser.post("/-/issues/may/article", fields | {"url": "https://a.example/none"}).status_code == 404
    )


def test_links_without_a_target_are_work_to_do(desk: "Desk") -> None:
    """An adopted short link without a target is listed, checked, and filled in on the page."""
    desk.take_in("# May\n\n### [Whales](https://go.example/old1)\n\n[x](https://bit.ly/x)\n")
    browser = desk.client("editor")
    page = browser.get("/-/issues/may/contents").text
    assert "These short links lead nowhere yet" in page
    assert "These targets are short links of others" in page
    fields = {"short_url": "https://go.example/old1", "target": "https://a.example/whales"}
    assert browser.post("/-/issues/may/target", fields).status_code == 303
    assert links.get(desk.store, "go.example", "old1").target == "https://a.example/whales"
    assert "lead somewhere" in browser.get("/-/issues/may/contents").text
    for refused in ("javascript:alert(1)", "http://10.0.0.1/", "https://go.example/old1", ""):
        assert browser.post("/-/issues/may/target", fields | {"target": refused}).status_code == 400, refused


HOSTILE = """<!doctype html><html><head><base href="https://evil.example/"><style>
td { color: red; background: URL(https://evil.example/a.png) } @import "https://evil.example/b.css";
p { background: u\\72l(https://evil.example/c.png) }</style>
<link rel="stylesheet" href="https://evil.example/d.css">
<meta http-equiv="refresh" content="0;url=https://evil.example/">
<script>alert(1)</script></head><body onload="alert(1)">
<form action="https://evil.example/"><input autofocus onfocus="alert(1)">
<img src="https://evil.example/pixel.gif" width="1" height="1">
<img src=x onerror=alert(1) alt="A <b>whale</b>">
<p style="background-image:url(https://evil.example/e.png);color:blue">
<a href="https://a.example/whales" onclick="alert(1)"><span>Whales</span></a>
<a href="javascript:alert(1)">no</a></p><svg><script>alert(1)</script></svg>
<iframe src="https://evil.example/"></iframe><object data="https://evil.example/f"></object>
<video src="https://evil.example/g"></video></form></body></html>"""


def test_the_map_runs_nothing_and_calls_nobody(desk: "Desk") -> None:
    """An HTML issue with everything that could run or call is shown without it, under a policy of its own."""
    desk.take_in(HOSTILE)
    answer = desk.client("viewer").get("/-/issues/may/map/issue")
    policy = answer.headers["Content-Security-Policy"]
    assert "sandbox allow-same-origin" in policy
    assert "script-src" not in policy
    assert "default-src 'none'" in policy
    page = answer.text
    for part in (
        "url(",
        "URL(",
        "\\",
        "@import",
        "<script",
        "onload",
        "onclick",
        "onerror",
        "onfocus",
        "<form",
    ):
        assert part not in page, part
    for part in (
        "<iframe",
        "<object",
        "<video",
        "<base",
        "<meta http",
        "<input",
        "javascript:",
        "<a ",
        "<img",
    ):
        assert part not in page, part
    assert "A &lt;b&gt;whale&lt;/b&gt;" in page
    assert re.search(r'<span class="shortener-link h0"><span>Whales</span><b class="shortener-share"', page)
    assert page.count("<span") == page.count("</span>")


def test_the_map_adds_an_article_up(full_desk: "Desk") -> None:
    """Image, title and read-more carry a share each, and the page beside them adds them up."""
    code = next(
        link.code
        for link in links.of_issue(full_desk.store, issues.get(full_desk.store, "may").id)
        if link.target == "https://a.example/whales"
    )
    full_desk.log(
        [
            json.dumps(
                {
                    "v": 1,
                    "id": f"c{n}{reader}",
                    "ts": time.time() - 7_200 + 60 * reader + n,
                    "host": "go.example",
                    "code": code,
                    "n": n,
                    "method": "GET",
                    "visitor": f"v{reader}{n}",
                    "addr": f"a{reader}{n}",
                    "ua": "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
                    "h": {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "accept": "text/html"},
                }
            )
            for n, readers in ((2, 1), (3, 2), (5, 1))
            for reader in range(readers)
        ]
    )
    browser = full_desk.client("viewer")
    badges = re.findall(r">([\d.]+%)</b>", browser.get("/-/issues/may/map/issue").text)
    assert sorted(badges, reverse=True)[:3] == ["50.0%", "25.0%", "25.0%"]
    page = browser.get("/-/issues/may/map").text
    assert "image 25 % · title 50 % · more 25 %" in re.sub(r"\s+", " ", page)
    assert "100 %" in page
    live = json.loads(browser.get("/-/issues/may/live").text)
    assert (live["clicks"], live["clicks-1"]) == ("4", "4")


BROKEN = {
    "no boundary": ("multipart/form-data", b"--x\r\n\r\n--x--"),
    "no end": (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="source"\r\n\r\nabc',
    ),
    "many parts": (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n' * 10_000 + b"--x--",
    ),
    "endless header": (
        "multipart/form-data; boundary=x",
        b"--x\r\nA: " + b"b" * 1_000_000 + b"\r\n\r\n--x--",
    ),
    "returns": ("multipart/form-data; boundary=x", b"--x\r\n" + b"\r" * 1_000_000),
    "JSON": ("application/json", b"[" * 100_000),
    "too much": ("application/x-www-form-urlencoded", b"source=" + b"a" * 17_000_000),
}


@pytest.mark.parametrize(("kind", "body"), BROKEN.values(), ids=BROKEN.keys())
def test_broken_requests_are_refused_at_once(desk: "Desk", kind: str, body: bytes) -> None:
    """What no browser sends is answered with 400 or 413, quickly, and stores nothing."""
    browser, begun = desk.client("editor"), time.monotonic()
    answer = browser.client.post(
        "/-/new-issue",
        base_url="https://go.example",
        data=body,
        content_type=kind,
        headers={"Sec-Fetch-Site": "same-origin"},
    )
    assert answer.status_code in {400, 413}
    assert time.monotonic() - begun < 2
    assert desk.store.value("select count(*) from issues") == 0
