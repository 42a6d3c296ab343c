"""Tests of adding an issue: preview, corrections, refusals, limits, and its click map."""

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
from tests.store_content import dump

if TYPE_CHECKING:
    from tests.web.conftest import EditorSite

WHALES = b"### [Counting whales](https://a.example/whales) by Ingrid"
SOURCE = b"\xef\xbb\xbf# May\r\n\r\n" + WHALES + b"\n\nsongs \xf0\x9f\x90\x8b\r\n"


def form(action: str, **fields: Any) -> dict[str, Any]:
    """Return the fields of the form for a new issue."""
    return {
        "action": action,
        "title": "",
        "slug": "may",
        "sent_at": "",
        "recipients": "",
        "targets": "",
    } | fields


def upload(content: bytes, name: str = "may.md") -> FileStorage:
    """Return a file as a browser uploads it."""
    return FileStorage(io.BytesIO(content), filename=name)


def test_preview_then_create(site: "EditorSite") -> None:
    """A preview stores nothing; the next step stores the previewed file byte for byte, without a new upload."""
    browser = site.client("editor")
    page = browser.post("/-/new-issue", form("look", file=upload(SOURCE)))
    assert page.status_code == 200
    assert "Counting whales" in page.text
    assert issues.find(site.store, "may") is None
    hidden_field = re.search(r'name="kept" value="([^"]+)"', page.text)
    assert hidden_field is not None
    assert base64.b64decode(hidden_field[1]) == SOURCE
    response = browser.post("/-/new-issue", form("take", kept=hidden_field[1], name="may.md"))
    assert response.headers["Location"] == "/-/issues/may/contents"
    output = browser.get("/-/issues/may/download").data
    code = links.list_by_issue(site.store, issues.get(site.store, "may").id)[0].code
    assert output == SOURCE.replace(b"https://a.example/whales", f"https://go.example/{code}/1".encode())


def test_line_ends_of_pasted_text(site: "EditorSite") -> None:
    """CR LF, which browsers send for pasted text, is stored as LF."""
    pasted = "# May\r\n\r\n[whales](https://a.example/whales)\r\n"
    site.client("editor").post("/-/new-issue", form("take", source=pasted, slug="", title="May, the 5th!"))
    source = issues.get_documents(site.store, issues.get(site.store, "may-the-5th").id)[0]
    assert source == pasted.replace("\r\n", "\n").encode()


def stored_articles(site: "EditorSite") -> dict[str, issues.Article]:
    """Return the articles of the issue by URL."""
    return {article.url: article for article in issues.list_articles(site.store, issues.get(site.store, "may").id)}


def form_fields(page: str) -> dict[str, str]:
    """Return the values of a page's form fields, as a browser would send them."""
    fields = re.findall(r'<input(?=[^>]*\bname="([^"]+)")(?=[^>]*\bvalue="([^"]*)")', page)
    fields += re.findall(r'<textarea[^>]*\bname="(summary[^"]*)"[^>]*>(.*?)</textarea>', page, flags=re.S)
    return {name: html.unescape(value) for name, value in fields}


def test_corrections_in_the_preview(site: "EditorSite") -> None:
    """Title, author, summary, position and target set in the preview are in the next one and stored."""
    browser = site.client("editor")
    source = (
        "### [Whales](https://a.example/whales) by Ingrid\n\nsongs\n\n"
        "### [Sieve](https://go.example/old1) by Mateo\n\nsieves\n\n[About us](https://a.example/about)\n"
    )
    page = browser.post("/-/new-issue", form("look", source=source)).text
    fields = form_fields(page)
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
    second_preview = browser.post("/-/new-issue", fields | form("look", source=source)).text
    assert issues.find(site.store, "may") is None
    for part in ("A cheaper sieve 🧪", "Ingrid Solheim", "https://a.example/sieve"):
        assert part in second_preview
    response = browser.post("/-/new-issue", form_fields(second_preview) | form("take", source=source))
    assert response.status_code == 303, response.text
    articles = stored_articles(site)
    sieve_article, whales_article = articles["https://a.example/sieve"], articles["https://a.example/whales"]
    assert (sieve_article.title, sieve_article.position, sieve_article.author) == (
        "A cheaper sieve 🧪",
        1,
        "Mateo",
    )
    assert (whales_article.title, whales_article.position, whales_article.author) == (
        "Whales",
        2,
        "Ingrid Solheim",
    )
    assert (whales_article.summary, sieve_article.summary) == ("Songs,\ncounted.", "")
    assert (sieve_article.corrected_fields, whales_article.corrected_fields) == (
        "position role title",
        "author summary",
    )
    assert links.get(site.store, "go.example", "old1").target == "https://a.example/sieve"


WRONG_FIELDS = {
    "position": ({"url-0": "https://a.example/whales", "position-0": "first"}, 'id="p0-error"'),
    "title": ({"url-0": "https://a.example/whales", "title-0": "x" * 501}, 'id="t0-error"'),
    "target": ({"todo-0": "https://go.example/old1", "target-0": "javascript:alert(1)"}, 'id="target-0-error"'),
    "foreign": ({"todo-0": "https://bit.ly/x", "target-0": "https://a.example/"}, "bit.ly"),
}


@pytest.mark.parametrize(("fields", "message"), WRONG_FIELDS.values(), ids=WRONG_FIELDS.keys())
def test_invalid_corrections(site: "EditorSite", fields: dict[str, str], message: str) -> None:
    """An invalid correction gets 400, and neither the issue nor any correction is stored."""
    response = site.client("editor").post("/-/new-issue", fields | form("take", source=SOURCE.decode()))
    assert (response.status_code, message in response.text) == (400, True)
    assert site.store.value("select count(*) from issues") == 0


def test_corrections_of_missing_articles(site: "EditorSite") -> None:
    """Corrections of an article that a replaced file does not have are ignored."""
    fields = {"url-0": "https://a.example/other", "title-0": "Other", "position-0": "1"}
    response = site.client("editor").post("/-/new-issue", fields | form("take", source=SOURCE.decode()))
    assert response.status_code == 303
    assert list(stored_articles(site)) == ["https://a.example/whales"]


CHANGED_DETAILS = {
    "nothing emptied": ({"sent_at": "2027-01-14T08:00", "recipients": "200"}, (1_799_913_600, 200)),
    "recipients emptied": ({"sent_at": "2027-01-14T08:00", "recipients": ""}, (1_799_913_600, None)),
    "both emptied": ({"sent_at": "", "recipients": " "}, (None, None)),
    "no such fields": ({}, (1_799_913_600, 200)),
}


@pytest.mark.parametrize(("fields", "stored"), CHANGED_DETAILS.values(), ids=CHANGED_DETAILS.keys())
def test_empty_details_mean_unknown(
    site_with_issue: "EditorSite", fields: dict[str, str], stored: tuple[int | None, int | None]
) -> None:
    """An emptied sending time or number of recipients is stored as unknown, and all pages work without it."""
    browser = site_with_issue.client("editor")
    assert browser.post("/-/issues/may/facts", {"title": "May"} | fields).status_code == 303
    issue = issues.get(site_with_issue.store, "may")
    assert (issue.sent_at, issue.recipients) == stored
    for path in ("/-/issues", "/-/issues/may", "/-/issues/may/contents", "/-/issues.csv", "/-/articles"):
        assert browser.get(path).status_code == 200, path


def test_seconds_of_the_sending_time_are_kept(site_with_issue: "EditorSite") -> None:
    """Changing only the title does not change the sending time, whose seconds the form does not show."""
    issue = issues.get(site_with_issue.store, "may")
    issues.update(site_with_issue.store, issue.id, now=1, sent_at=1_799_913_637)
    browser = site_with_issue.client("editor")
    fields = form_fields(browser.get("/-/issues/may/contents").text)
    browser.post("/-/issues/may/facts", {**fields, "title": "June"})
    changed = issues.get(site_with_issue.store, "may")
    assert (changed.title, changed.sent_at) == ("June", 1_799_913_637)


def nested_brackets(size: int) -> bytes:
    """Return Markdown with ``size`` opening brackets."""
    return b"# x\n" + b"[" * size


REFUSED = {
    "nothing": (form("look"), 400, "Choose a file or paste the text"),
    "empty file": (form("look", file=upload(b"")), 422, "empty"),
    "no UTF-8": (form("look", file=upload(b"# \xff\xfe caf\xe9")), 422, "UTF-8"),
    "NUL": (form("look", file=upload(b"# a\0b")), 422, "not text"),
    "a picture": (form("look", file=upload(b"\x89PNG\r\n\x1a\n" + bytes(100), "a.png")), 422, "an image"),
    "a zip": (form("look", file=upload(b"PK\x03\x04" + bytes(range(256)), "a.zip")), 422, "an archive"),
    "too large": (form("look", file=upload(b"a " * 3_000_000)), 413, "larger than 5 MB"),
    "too large, pasted": (form("look", source="a " * 3_000_000), 413, "larger than 5 MB"),
    "far too large": (form("look", file=upload(b"a " * 9_000_000)), 413, "too large"),
    "no slug": (form("look", source="x", slug=""), 400, 'id="slug-error"'),
    "slug with a slash": (form("look", source="# x", slug="../x"), 400, 'id="slug-error"'),
    "lost file": (form("look", kept="###"), 400, "lost"),
    "recipients": (form("look", source="# x", recipients="many"), 400, 'id="recipients-error"'),
    "date": (form("look", source="# x", sent_at="yesterday"), 400, 'id="sent_at-error"'),
    "targets": (form("look", source="# x", targets="go.example/a"), 400, "Line 1"),
    "endless cell": (form("look", source="# x", targets='"' + "a" * 200_000), 400, "Expected one short_url"),
    "target of another domain": (
        form("look", source="# x", targets="bit.ly/a,https://a.example/"),
        400,
        "bit.ly",
    ),
    "too many links": (form("look", source="[a](https://a.example/) " * 5_001), 422, "5,000"),
    "100,000 links": (form("look", file=upload(b"[a](https://a.example/)\n" * 100_000)), 422, "5,000"),
}


@pytest.mark.parametrize(("fields", "status", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_refused_issues(site: "EditorSite", fields: dict[str, Any], status: int, message: str) -> None:
    """A refused issue gets a status and a message that says what is wrong, and nothing is stored."""
    response = site.client("editor").post("/-/new-issue", dict(fields))
    assert response.status_code == status
    assert message in response.text
    assert site.store.value("select count(*) from issues") == 0


@pytest.mark.parametrize("action", ["look", "take"])
def test_parse_timeout(site: "EditorSite", monkeypatch: pytest.MonkeyPatch, action: str) -> None:
    """A parse that exceeds its time limit gets 422, and the form still contains the text."""
    monkeypatch.setattr("shortener.web.sandbox.TIMEOUT_SECONDS", 0.01)
    response = site.client("editor").post("/-/new-issue", form(action, source="# May\n\nour text"))
    assert response.status_code == 422
    assert "took longer than 0.01 seconds" in response.text
    assert "our text" in response.text
    assert site.store.value("select count(*) from issues") == 0


def test_orphaned_parser_process() -> None:
    """The kernel ends a parser process that never finishes, also without its parent."""
    endless = (
        "from shortener.web import sandbox; sandbox.TIMEOUT_SECONDS = 0; "
        "sandbox._parse = lambda *_: [0 for _ in iter(int, 1)]; sandbox.main()"
    )
    # A process without the limit would raise TimeoutExpired here.
    process = subprocess.run([sys.executable, "-c", endless], input=b"a.md\n# x", timeout=60, check=False)
    assert process.returncode < 0


def test_crashed_parser_process(site: "EditorSite", monkeypatch: pytest.MonkeyPatch) -> None:
    """When the parser process crashes the issue gets 422, and the pages still answer."""
    monkeypatch.setattr("shortener.web.sandbox.sys.executable", "/bin/false")
    browser = site.client("editor")
    response = browser.post("/-/new-issue", form("take", source="# May"))
    assert (response.status_code, "could not be read" in response.text) == (422, True)
    assert browser.get("/-/issues").status_code == 200


def test_limit_of_parser_processes(site: "EditorSite", monkeypatch: pytest.MonkeyPatch) -> None:
    """An upload while all parser processes are busy is refused with a message; a later one is accepted."""
    browser = site.client("editor")
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
    "brackets": nested_brackets(20_000),
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
def test_markup_that_is_slow_to_parse(site: "EditorSite", source: bytes) -> None:
    """Crafted markup is parsed or refused in bounded time, and so is its click map."""
    browser, started_at = site.client("editor"), time.monotonic()
    response = browser.post("/-/new-issue", form("take", file=upload(source)))
    assert response.status_code in {303, 422}
    if response.status_code == 303:
        assert browser.get("/-/issues/may/map/issue").status_code == 200
    assert time.monotonic() - started_at < 30


NAMES = ["../../x.md", "a\0.html", "x" * 300 + ".md", "CON", ".hidden", "/etc/passwd"]


@pytest.mark.parametrize("name", NAMES)
def test_hostile_file_names(site: "EditorSite", name: str) -> None:
    """A file name is never used as a path; the download is named by the slug."""
    response = site.client("editor").post("/-/new-issue", form("take", file=upload(SOURCE, name)))
    assert response.headers["Location"] == "/-/issues/may/contents"
    disposition = site.client("viewer").get("/-/issues/may/download").headers["Content-Disposition"]
    assert re.fullmatch(r"attachment; filename=\"may\.out\.(md|html)\"; filename\*=.*", disposition)


def test_add_the_same_issue_again(site_with_issue: "EditorSite") -> None:
    """The preview of a known issue says so, and adding the same document again changes nothing in the store."""
    source = issues.get_documents(site_with_issue.store, issues.get(site_with_issue.store, "may").id)[0].decode()
    before = dump(site_with_issue.store)
    browser = site_with_issue.client("editor")
    page = browser.post("/-/new-issue", form("look", source=source))
    assert "exists already" in page.text
    browser.post("/-/new-issue", form("take", source=source))
    after = dump(site_with_issue.store)
    assert [line for line in after.splitlines() if "sessions" not in line] == [
        line for line in before.splitlines() if "sessions" not in line
    ]


def test_preview_names_the_issue_that_it_replaces(site_with_issue: "EditorSite") -> None:
    """The preview of other text with the slug of an issue names that issue and its sending time."""
    browser = site_with_issue.client("editor")
    browser.post("/-/issues/may/facts", {"title": "The May issue", "sent_at": "2025-05-02T08:00", "recipients": ""})
    for action in ("look", "take"):
        page = browser.post("/-/new-issue", form(action, source="# June\n\n[tides](https://a.example/tides)"))
        warning = re.search(r'<p class="note warn">An issue with this slug exists already: .*?</p>', page.text)
        assert warning is not None
        assert "The May issue" in warning[0]
        assert "sent <time" in warning[0]
        assert "2 May 2025" in warning[0]
        assert "enter another slug" in warning[0]
    assert stored_articles(site_with_issue).keys() & {"https://a.example/tides"} == set()


def test_refused_form_opens_only_the_article_with_the_error(site: "EditorSite") -> None:
    """A refused form keeps the position of each article, and opens the fields of the article with the error only."""
    rows = {"url-0": "https://a.example/whales", "title-0": "Whales", "position-0": "4", "url-1": "https://a.example/b"}
    browser = site.client("editor")
    page = browser.post("/-/new-issue", form("look", source=SOURCE.decode(), targets="no csv", **rows))
    assert page.status_code == 400
    assert '<td class="n lead">4</td>' in page.text
    assert '<details class="small" open>' not in page.text
    assert '<span class="tag"></span>' not in page.text
    rows["position-0"] = "first"
    page = browser.post("/-/new-issue", form("look", source=SOURCE.decode(), **rows))
    assert page.text.count('<details class="small" open>') == 1
    assert 'id="p0" name="position-0" inputmode="numeric" value="first"' in page.text


def test_correct_articles(site_with_issue: "EditorSite") -> None:
    """Title and position of an article are corrected; unchanged fields do not count as corrected."""
    browser = site_with_issue.client("editor")
    fields = {"url": "https://a.example/sieve", "title": "A sieve", "author": "Mateo", "position": "1"}
    assert browser.post("/-/issues/may/article", fields).status_code == 303
    articles = stored_articles(site_with_issue)
    sieve = articles["https://a.example/sieve"]
    assert (sieve.title, sieve.position, sieve.corrected_fields) == ("A sieve", 1, "position role title")
    assert articles["https://a.example/whales"].position == 2
    browser.post("/-/issues/may/article", fields | {"position": ""})
    articles = stored_articles(site_with_issue)
    assert articles["https://a.example/sieve"].position is None
    assert browser.post("/-/issues/may/article", fields | {"url": "https://a.example/none"}).status_code == 404


def test_links_without_a_target(site: "EditorSite") -> None:
    """An adopted short link without a target is in the checks; a valid target can be set."""
    site.add_issue("# May\n\n### [Whales](https://go.example/old1)\n\n[x](https://bit.ly/x)\n")
    browser = site.client("editor")
    page = browser.get("/-/issues/may/contents").text
    assert "These short links have no destination yet" in page
    assert "These destinations are short links of other services" in page
    fields = {"short_url": "https://go.example/old1", "target": "https://a.example/whales"}
    assert browser.post("/-/issues/may/target", fields).status_code == 303
    assert links.get(site.store, "go.example", "old1").target == "https://a.example/whales"
    assert "have a destination" in browser.get("/-/issues/may/contents").text
    for target in ("javascript:alert(1)", "http://10.0.0.1/", "https://go.example/old1", ""):
        assert browser.post("/-/issues/may/target", fields | {"target": target}).status_code == 400, target


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


def test_click_map_of_hostile_html(site: "EditorSite") -> None:
    """The click map of hostile HTML has no element, attribute or CSS that runs or fetches anything."""
    site.add_issue(HOSTILE)
    response = site.client("viewer").get("/-/issues/may/map/issue")
    policy = response.headers["Content-Security-Policy"]
    assert "sandbox allow-same-origin" in policy
    assert "script-src" not in policy
    assert "default-src 'none'" in policy
    page = response.text
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
    assert re.search(r'<shortener-link data-tone="share" data-level="0"><span>Whales</span><shortener-badge ', page)
    assert page.count("<shortener-") == page.count("</shortener-")


def test_click_map_of_an_article(site_with_issue: "EditorSite") -> None:
    """The map shows the share of each placement, and beside it the sum of the article."""
    code = next(
        link.code
        for link in links.list_by_issue(site_with_issue.store, issues.get(site_with_issue.store, "may").id)
        if link.target == "https://a.example/whales"
    )
    site_with_issue.write_clicks(
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
    browser = site_with_issue.client("viewer")
    badges = re.findall(r">([\d.]+\u00a0%)</shortener-badge>", browser.get("/-/issues/may/map/issue").text)
    assert sorted(badges, reverse=True)[:3] == ["50\u00a0%", "25\u00a0%", "25\u00a0%"]
    page = browser.get("/-/issues/may/map").text
    text = re.sub(r"<[^>]+>|\s+", " ", page).replace("&nbsp;", " ")
    assert re.search("image 25 % · title 50 % · read more 25 %", re.sub(" +", " ", text))
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


@pytest.mark.parametrize(("content_type", "body"), BROKEN.values(), ids=BROKEN.keys())
def test_malformed_requests(site: "EditorSite", content_type: str, body: bytes) -> None:
    """A malformed request body gets 400 or 413 in bounded time, and nothing is stored."""
    browser, started_at = site.client("editor"), time.monotonic()
    response = browser.client.post(
        "/-/new-issue",
        base_url="https://go.example",
        data=body,
        content_type=content_type,
        headers={"Sec-Fetch-Site": "same-origin"},
    )
    assert response.status_code in {400, 413}
    assert time.monotonic() - started_at < 30
    assert site.store.value("select count(*) from issues") == 0
