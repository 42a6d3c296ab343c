"""Taking an issue in by the pages: looked at first, the same bytes back, corrected in place, checked."""

import base64
import html
import io
import json
import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from werkzeug.datastructures import FileStorage

from shortener.store import issues, links
from shortener.web import sandbox

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
    code = links.list_by_issue(desk.store, issues.get(desk.store, "may").id)[0].code
    assert output == SOURCE.replace(b"https://a.example/whales", f"https://go.example/{code}/1".encode())


def test_pasted_text_has_the_lines_it_was_written_with(desk: "Desk") -> None:
    """Browsers send pasted lines with CR LF; what comes back has LF again."""
    pasted = "# May\r\n\r\n[whales](https://a.example/whales)\r\n"
    desk.client("editor").post("/-/new-issue", form("take", source=pasted, slug="", title="May, the 5th!"))
    source = issues.get_documents(desk.store, issues.get(desk.store, "may-the-5th").id)[0]
    assert source == pasted.replace("\r\n", "\n").encode()


def stored(desk: "Desk") -> dict[str, issues.Article]:
    """The articles of the issue by URL."""
    return {each.url: each for each in issues.list_articles(desk.store, issues.get(desk.store, "may").id)}


def fields_of(page: str) -> dict[str, str]:
    """What the fields of a page's form hold, as a browser would send them."""
    found = re.findall(r'<input(?=[^>]*\bname="([^"]+)")(?=[^>]*\bvalue="([^"]*)")', page)
    found += re.findall(r'<textarea[^>]*\bname="(summary[^"]*)"[^>]*>(.*?)</textarea>', page, flags=re.S)
    return {name: html.unescape(value) for name, value in found}


def test_what_was_found_is_corrected_before_it_is_stored(desk: "Desk") -> None:
    """Title, author, place and target are put right where they were found, seen so in the next look, and stored so."""
    browser = desk.client("editor")
    source = (
        "### [Whales](https://a.example/whales) by Ingrid\n\nsongs\n\n"
        "### [Sieve](https://go.example/old1) by Mateo\n\nsieves\n\n[About us](https://a.example/about)\n"
    )
    page = browser.post("/-/new-issue", form("look", source=source)).text
    fields = fields_of(page)
    urls = {value: name.removeprefix("url") for name, value in fields.items() if name.startswith("url-")}
    whales, sieve = urls["https://a.example/whales"], urls["https://go.example/old1"]
    fields |= {
        f"title{sieve}": "A cheaper sieve 🧪",
        f"position{sieve}": "1",
        f"author{whales}": "Ingrid Solheim",
        f"summary{whales}": "Songs,\r\ncounted.",
        "target-0": "https://a.example/sieve",
    }
    assert fields["todo-0"] == "https://go.example/old1"
    again = browser.post("/-/new-issue", fields | form("look", source=source)).text
    assert issues.find(desk.store, "may") is None
    for part in ("A cheaper sieve 🧪", "Ingrid Solheim", "https://a.example/sieve"):
        assert part in again
    answer = browser.post("/-/new-issue", fields_of(again) | form("take", source=source))
    assert answer.status_code == 303, answer.text
    found = stored(desk)
    one, two = found["https://a.example/sieve"], found["https://a.example/whales"]
    assert (one.title, one.position, one.author) == ("A cheaper sieve 🧪", 1, "Mateo")
    assert (two.title, two.position, two.author) == ("Whales", 2, "Ingrid Solheim")
    assert (two.summary, one.summary) == ("Songs,\ncounted.", "")
    assert (one.corrected_fields, two.corrected_fields) == ("position title", "author position summary")
    assert links.get(desk.store, "go.example", "old1").target == "https://a.example/sieve"


WRONG_FIELDS = {
    "place": ({"url-0": "https://a.example/whales", "position-0": "first"}, "the place"),
    "title": ({"url-0": "https://a.example/whales", "title-0": "x" * 501}, "the title"),
    "target": ({"todo-0": "https://go.example/old1", "target-0": "javascript:alert(1)"}, "go.example/old1"),
    "foreign": ({"todo-0": "https://bit.ly/x", "target-0": "https://a.example/"}, "bit.ly"),
}


@pytest.mark.parametrize(("fields", "said"), WRONG_FIELDS.values(), ids=WRONG_FIELDS.keys())
def test_a_wrong_correction_stores_nothing(desk: "Desk", fields: dict[str, str], said: str) -> None:
    """One field that cannot be meant, and neither the issue nor any correction is stored."""
    answer = desk.client("editor").post("/-/new-issue", fields | form("take", source=SOURCE.decode()))
    assert (answer.status_code, said in answer.text) == (400, True)
    assert desk.store.value("select count(*) from issues") == 0


def test_corrections_of_articles_that_are_not_there_are_passed_over(desk: "Desk") -> None:
    """The file was replaced between the two steps: what the form says of the other one's articles is of no use."""
    fields = {"url-0": "https://a.example/other", "title-0": "Other", "position-0": "1"}
    answer = desk.client("editor").post("/-/new-issue", fields | form("take", source=SOURCE.decode()))
    assert answer.status_code == 303
    assert list(stored(desk)) == ["https://a.example/whales"]


FACTS_KEPT = {
    "nothing emptied": ({"sent_at": "2027-01-14T08:00", "recipients": "200"}, (1_799_913_600, 200)),
    "recipients emptied": ({"sent_at": "2027-01-14T08:00", "recipients": ""}, (1_799_913_600, None)),
    "both emptied": ({"sent_at": "", "recipients": " "}, (None, None)),
    "no such fields": ({}, (1_799_913_600, 200)),
}


@pytest.mark.parametrize(("fields", "kept"), FACTS_KEPT.values(), ids=FACTS_KEPT.keys())
def test_facts_can_be_taken_back(
    full_desk: "Desk", fields: dict[str, str], kept: tuple[int | None, int | None]
) -> None:
    """An emptied field takes back when the issue was sent, or to how many; pages and files then say so."""
    browser = full_desk.client("editor")
    assert browser.post("/-/issues/may/facts", {"title": "May"} | fields).status_code == 303
    issue = issues.get(full_desk.store, "may")
    assert (issue.sent_at, issue.recipients) == kept
    for path in ("/-/issues", "/-/issues/may", "/-/issues/may/contents", "/-/issues.csv", "/-/ranking"):
        assert browser.get(path).status_code == 200, path


def test_seconds_that_the_form_does_not_show_are_kept(full_desk: "Desk") -> None:
    """Correcting the title alone moves the time of sending by no second, and asks for nothing to be judged again."""
    issue = issues.get(full_desk.store, "may")
    issues.update(full_desk.store, issue.id, now=1, sent_at=1_799_913_637)
    browser = full_desk.client("editor")
    shown = fields_of(browser.get("/-/issues/may/contents").text)
    browser.post("/-/issues/may/facts", {**shown, "title": "June"})
    after = issues.get(full_desk.store, "may")
    assert (after.title, after.sent_at) == ("June", 1_799_913_637)


def deep(size: int) -> bytes:
    """Brackets within brackets."""
    return b"# x\n" + b"[" * size


REFUSED = {
    "nothing": (form("look"), 400, "there is no issue yet"),
    "empty file": (form("look", file=upload(b"")), 422, "empty"),
    "no UTF-8": (form("look", file=upload(b"# \xff\xfe caf\xe9")), 422, "UTF-8"),
    "NUL": (form("look", file=upload(b"# a\0b")), 422, "not text"),
    "a picture": (form("look", file=upload(b"\x89PNG\r\n\x1a\n" + bytes(100), "a.png")), 422, "UTF-8"),
    "a zip": (form("look", file=upload(b"PK\x03\x04" + bytes(range(256)), "a.zip")), 422, "UTF-8"),
    "too large": (form("look", file=upload(b"a " * 3_000_000)), 413, "is the most"),
    "too large, pasted": (form("look", source="a " * 3_000_000), 413, "is the most"),
    "far too large": (form("look", file=upload(b"a " * 9_000_000)), 413, "5 MB at the most"),
    "no slug": (form("look", source="# x", slug=""), 400, "slug"),
    "slug with a slash": (form("look", source="# x", slug="../x"), 400, "slug"),
    "lost file": (form("look", kept="###"), 400, "lost"),
    "inner target": (form("look", source="[x](http://127.0.0.1/admin)"), 400, "127.0.0.1"),
    "recipients": (form("look", source="# x", recipients="many"), 400, "recipients"),
    "date": (form("look", source="# x", sent_at="yesterday"), 400, "sent on"),
    "targets": (form("look", source="# x", targets="go.example/a"), 400, "line 1"),
    "endless cell": (form("look", source="# x", targets='"' + "a" * 200_000), 400, "the targets"),
    "target of another domain": (
        form("look", source="# x", targets="bit.ly/a,https://a.example/"),
        400,
        "bit.ly",
    ),
    "too many links": (form("look", source="[a](https://a.example/) " * 5_001), 422, "5,000"),
    "100,000 links": (form("look", file=upload(b"[a](https://a.example/)\n" * 100_000)), 422, "5,000"),
}


@pytest.mark.parametrize(("fields", "status", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_issue_is_refused_with_a_sentence(
    desk: "Desk", fields: dict[str, Any], status: int, said: str
) -> None:
    """Whatever is handed in, the answer says what is wrong; nothing is stored and nothing fails."""
    answer = desk.client("editor").post("/-/new-issue", dict(fields))
    assert answer.status_code == status
    assert said in answer.text
    assert desk.store.value("select count(*) from issues") == 0


@pytest.mark.parametrize("action", ["look", "take"])
def test_reading_an_issue_ends_in_time(desk: "Desk", monkeypatch: pytest.MonkeyPatch, action: str) -> None:
    """A document that takes too long is stopped, with words that help; its text is still in the form."""
    monkeypatch.setattr("shortener.web.sandbox.TIMEOUT_SECONDS", 0.01)
    begun = time.monotonic()
    answer = desk.client("editor").post("/-/new-issue", form(action, source="# May\n\nour text"))
    assert time.monotonic() - begun < 5
    assert answer.status_code == 422
    assert "took longer than 0.01 seconds" in answer.text
    assert "our text" in answer.text
    assert desk.store.value("select count(*) from issues") == 0


def test_a_reader_that_is_left_alone_ends() -> None:
    """A process that reads for ever is ended by the kernel, though whoever started it is gone."""
    endless = (
        "import shortener.web.sandbox as trial; trial.TIMEOUT_SECONDS = 0; "
        "trial._parse = lambda *_: [0 for _ in iter(int, 1)]; trial.main()"
    )
    begun = time.monotonic()
    ended = subprocess.run([sys.executable, "-c", endless], input=b"a.md\n# x", timeout=30, check=False)
    assert ended.returncode < 0
    assert time.monotonic() - begun < 20


def test_a_reader_that_breaks_breaks_nothing(desk: "Desk", monkeypatch: pytest.MonkeyPatch) -> None:
    """When the process that reads dies, the issue is refused with a sentence, and the pages go on."""
    monkeypatch.setattr("shortener.web.sandbox.sys.executable", "/bin/false")
    browser = desk.client("editor")
    answer = browser.post("/-/new-issue", form("take", source="# May"))
    assert (answer.status_code, "could not be read" in answer.text) == (422, True)
    assert browser.get("/-/issues").status_code == 200


def test_only_so_many_issues_are_read_at_once(desk: "Desk", monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes when the readers are busy is asked to try again; afterwards it works."""
    browser = desk.client("editor")
    monkeypatch.setattr("shortener.web.sandbox.QUEUE_TIMEOUT_SECONDS", 0.01)
    for _ in range(sandbox.MAX_PROCESSES):
        sandbox._process_slots.acquire()
    try:
        assert "try again" in browser.post("/-/new-issue", form("take", source="# May")).text
    finally:
        for _ in range(sandbox.MAX_PROCESSES):
            sandbox._process_slots.release()
    assert browser.post("/-/new-issue", form("take", source="# May")).status_code == 303


HEAVY = {
    "brackets": deep(20_000),
    "images": b"![[" * 10_000,
    "half links": b"[a](b" * 8_000,
    "quotes": b">" * 5_000 + b" x",
    "angles": b"<" * 20_000,
    "list": b"".join(b" " * depth + b"- x\n" for depth in range(500)),
    "divs": b"<!doctype html><html><body>" + b"<div>" * 20_000,
    "comments": b"<!---->" * 9_000,
    "attribute": b'<!doctype html><html><body><p title="' + b"x" * 1_000_000 + b'">x',
}


@pytest.mark.parametrize("source", HEAVY.values(), ids=HEAVY.keys())
def test_heavy_markup_costs_a_moment(desk: "Desk", source: bytes) -> None:
    """Markup that is written to be slow is read, or refused, in a few seconds at the most; so is its map."""
    browser, begun = desk.client("editor"), time.monotonic()
    answer = browser.post("/-/new-issue", form("take", file=upload(source)))
    assert answer.status_code in {303, 422}
    if answer.status_code == 303:
        assert browser.get("/-/issues/may/map/issue").status_code == 200
    assert time.monotonic() - begun < 8


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
    source = issues.get_documents(full_desk.store, issues.get(full_desk.store, "may").id)[0].decode()
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
        each.url: each
        for each in issues.list_articles(full_desk.store, issues.get(full_desk.store, "may").id)
    }
    sieve = shown["https://a.example/sieve"]
    assert (sieve.title, sieve.position, sieve.corrected_fields) == ("A sieve", 1, "position title")
    assert shown["https://a.example/whales"].position == 2
    browser.post("/-/issues/may/article", fields | {"position": ""})
    shown = {
        each.url: each
        for each in issues.list_articles(full_desk.store, issues.get(full_desk.store, "may").id)
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
    assert "These short links have no target yet" in page
    assert "These targets are short links of other services" in page
    fields = {"short_url": "https://go.example/old1", "target": "https://a.example/whales"}
    assert browser.post("/-/issues/may/target", fields).status_code == 303
    assert links.get(desk.store, "go.example", "old1").target == "https://a.example/whales"
    assert "have a target" in browser.get("/-/issues/may/contents").text
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
        for link in links.list_by_issue(full_desk.store, issues.get(full_desk.store, "may").id)
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
