"""Tests of the first step of a new issue: its text, refusals, limits; and of the click map of an issue."""

import html
import itertools
import json
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from werkzeug.datastructures import MultiDict
from werkzeug.test import encode_multipart

from shortener.limited_process import LimitExceeded, run_limited
from shortener.services import issue_status
from shortener.store import issues, links, uploads
from shortener.web import sandbox
from tests.growth import SIZE_RATIO, grows_with_length
from tests.web.conftest import NOW, PASSWORD
from tests.web.steps import add_text, create, form_fields, send_review, upload

if TYPE_CHECKING:
    from tests.web.conftest import EditorSite

WHALES = b"### [Counting whales](https://a.example/whales) by Ingrid"
SOURCE = b"\xef\xbb\xbf# May\r\n\r\n" + WHALES + b"\n\nsongs \xf0\x9f\x90\x8b\r\n"


def stored_articles(site: "EditorSite") -> dict[str, issues.Article]:
    """Return the articles of the issue by URL."""
    return {article.url: article for article in issues.list_articles(site.store, issues.get(site.store, "may").id)}


def count_uploads(site: "EditorSite") -> int:
    """Return the number of stored uploads."""
    return int(site.store.value("select count(*) from uploads"))


@pytest.mark.usefixtures("parser_process")
def test_upload_review_create(site: "EditorSite") -> None:
    """The review stores no issue; the next step stores the uploaded file byte for byte, without a new upload."""
    browser = site.client("editor")
    path = add_text(browser, file=upload(SOURCE))
    page = browser.get(path)
    assert "Counting whales" in page.text
    assert issues.find(site.store, "may") is None
    response = send_review(browser, path, "create")
    assert response.headers["Location"] == "/-/issues/may/ready"
    output = browser.get("/-/issues/may/download").data
    code = links.list_by_issue(site.store, issues.get(site.store, "may").id)[0].code
    assert output == SOURCE.replace(b"https://a.example/whales", f"https://go.example/{code}/1".encode())
    assert html.escape(output.decode()).replace("\r\n", "\n") in browser.get("/-/issues/may/ready").text.replace(
        "&#39;", "&#x27;"
    ).replace("\r\n", "\n")


def test_a_created_issue_is_not_reviewed_again(site: "EditorSite") -> None:
    """The addresses of a finished review lead to the issue, a second creation changes nothing, and the text is gone."""
    browser = site.client("editor")
    path = add_text(browser, file=upload(SOURCE))
    fields = form_fields(browser.get(path).text, path)
    assert send_review(browser, path, "create").status_code == 303
    for step in ("review", "text"):
        assert browser.get(path.replace("review", step)).location == "/-/issues/may/ready"
    assert browser.post(path, fields | {"action": "create"}).location == "/-/issues/may/ready"
    assert site.store.execute("select source, choices, issue_slug from uploads").fetchall() == [(b"", b"{}", "may")]
    assert "may.md" not in browser.get("/-/new-issue").text


def test_line_ends_of_pasted_text(site: "EditorSite") -> None:
    """CR LF, which browsers send for pasted text, is stored as LF."""
    pasted = "# May, the 5th!\r\n\r\n[whales](https://a.example/whales)\r\n"
    browser = site.client("editor")
    send_review(browser, add_text(browser, pasted), "create")
    source = issues.get_documents(site.store, issues.get(site.store, "may-the-5th").id)[0]
    assert source == pasted.replace("\r\n", "\n").encode()


SUGGESTED = {
    "file name": ({"file": ("2026-10.out.md", b"# Tides")}, "2026-10"),
    "file name with spaces": ({"file": ("Low Tide, May.md", b"# Tides")}, "low-tide-may"),
    "title, not a general name": ({"file": ("newsletter.md", b"# Tides of May")}, "tides-of-may"),
    "title of pasted text": ({"source": "# Tides of May"}, "tides-of-may"),
    "date": ({"source": "no heading"}, "2027-01-15"),
    "taken by a removed draft": ({"file": ("gone.md", b"# Tides")}, "gone-2"),
}


@pytest.mark.parametrize(("fields", "slug"), SUGGESTED.values(), ids=SUGGESTED.keys())
def test_suggested_slug(site: "EditorSite", monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], slug: str) -> None:
    """The slug is suggested from the name of the file, the title or the date, and a number makes it unique."""
    monkeypatch.setattr("shortener.web.context.time.time", lambda: float(NOW))
    site.add_issue("# Gone", slug="gone", sent_at=None)
    issue_status.remove_issue(site.store, "gone", who="editor", now=NOW)
    browser = site.client("editor")
    if "file" in fields:
        name, content = fields["file"]
        fields = {"file": upload(content, name)}
    path = add_text(browser, **fields)
    assert form_fields(browser.get(path).text, path)["slug"] == slug


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
    for path in ("/-/issues", "/-/issues/may", "/-/issues/may/setup", "/-/issues.csv", "/-/articles"):
        assert browser.get(path).status_code == 200, path


def test_seconds_of_the_sending_time_are_kept(site_with_issue: "EditorSite") -> None:
    """Changing only the title does not change the sending time, whose seconds the form does not show."""
    issue = issues.get(site_with_issue.store, "may")
    issues.update(site_with_issue.store, issue.id, now=1, sent_at=1_799_913_637)
    browser = site_with_issue.client("editor")
    fields = form_fields(browser.get("/-/issues/may/setup").text, "/-/issues/may/facts")
    browser.post("/-/issues/may/facts", {**fields, "title": "June"})
    changed = issues.get(site_with_issue.store, "may")
    assert (changed.title, changed.sent_at) == ("June", 1_799_913_637)


def nested_brackets(size: int) -> bytes:
    """Return Markdown with ``size`` opening brackets."""
    return b"# x\n" + b"[" * size


WORD = b"PK\x03\x04" + b"word/document.xml" + bytes(range(256))
SHORT_LINK = "# x\n\n[a](https://go.example/old1)"
REFUSED = {
    "nothing": ({}, 400, "Choose a file or paste the text"),
    "empty file": ({"file": upload(b"")}, 422, "empty"),
    "no UTF-8": ({"file": upload(b"# \xff\xfe caf\xe9")}, 422, "UTF-8"),
    "NUL": ({"file": upload(b"# a\0b")}, 422, "not text"),
    "an image": (
        {"file": upload(b"\x89PNG\r\n\x1a\n" + bytes(100), "a.png")},
        422,
        "a.png is an image. Upload the Markdown or HTML your email service exports.",
    ),
    "a Word document": ({"file": upload(WORD, "a.docx")}, 422, "a.docx is a Word document. Upload the Markdown"),
    "a PDF": ({"file": upload(b"%PDF-1.7 ...", "a.pdf")}, 422, "a.pdf is a PDF. Upload the Markdown"),
    "a zip": (
        {"file": upload(b"PK\x03\x04" + bytes(range(256)), "a.zip")},
        422,
        "a.zip is an archive. Unpack it, and upload the issue that is in it.",
    ),
    "too large": ({"file": upload(b"a " * 3_000_000)}, 413, "larger than 5 MB"),
    "too large, pasted": ({"source": "a " * 3_000_000}, 413, "larger than 5 MB"),
    "far too large": ({"file": upload(b"a " * 9_000_000)}, 413, "too large"),
    "targets alone": ({"file": upload(b"short_url,target\n", "targets.csv")}, 400, "Choose a file or paste the text"),
    "targets without a comma": (
        {"source": SHORT_LINK, "file": upload(b"go.example/a\n", "targets.csv")},
        400,
        "Line 1: expected a short link and its destination",
    ),
    "endless cell": (
        {"source": SHORT_LINK, "file": upload(b'"' + b"a" * 200_000, "targets.csv")},
        400,
        "This is no CSV file",
    ),
    "too many targets": (
        {"source": SHORT_LINK, "file": upload(b"go.example/abcd,https://a.example/\n" * 30_000, "targets.csv")},
        400,
        "larger than 1 MB",
    ),
    "target of another domain": (
        {"source": SHORT_LINK, "file": upload(b"bit.ly/a,https://a.example/", "targets.csv")},
        400,
        "bit.ly",
    ),
    "too many links": ({"source": "[a](https://a.example/) " * 5_001}, 422, "5,000"),
    "100,000 links": ({"file": upload(b"[a](https://a.example/)\n" * 100_000)}, 422, "5,000"),
}


@pytest.mark.parametrize(("fields", "status", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_refused_issues(site: "EditorSite", fields: dict[str, Any], status: int, message: str) -> None:
    """A refused text gets a status and a message that says what is wrong; nothing is stored, and the text box stays."""
    response = site.client("editor").post("/-/new-issue", dict(fields))
    assert response.status_code == status
    assert message in response.text
    assert status == 413 or '<textarea id="source"' in response.text
    assert count_uploads(site) == 0


def test_several_issues_at_once(site: "EditorSite") -> None:
    """Two documents in one form are refused; a document and a table of targets in any order are not."""
    browser = site.client("editor")
    files = MultiDict([("file", upload(b"# a", "a.md")), ("file", upload(b"# b", "b.md"))])
    boundary, body = encode_multipart(files)
    response = browser.client.post(
        "/-/new-issue",
        base_url="https://go.example",
        data=body,
        content_type=f"multipart/form-data; boundary={boundary}",
        headers={"Sec-Fetch-Site": "same-origin"},
    )
    assert (response.status_code, "These are several issues" in response.text) == (400, True)


@pytest.mark.usefixtures("parser_process")
def test_parse_timeout(site: "EditorSite", monkeypatch: pytest.MonkeyPatch) -> None:
    """A parse that exceeds its time limit gets 422, and the form still contains the text."""
    monkeypatch.setattr("shortener.limited_process.WAIT_SECONDS", 0.01)
    response = site.client("editor").post("/-/new-issue", {"source": "# May\n\nour text"})
    assert response.status_code == 422
    assert "took longer than 8 seconds" in response.text
    assert "our text" in response.text
    assert count_uploads(site) == 0


def test_endless_parser_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel ends a process whose processor time is used up, whether or not anybody waits for it."""
    (tmp_path / "endless.py").write_text(
        "from shortener.limited_process import limit_this_process\nlimit_this_process()\nwhile True:\n    pass\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]))
    with pytest.raises(LimitExceeded):
        run_limited("endless", b"", cpu_seconds=1)


@pytest.mark.usefixtures("parser_process")
def test_crashed_parser_process(site: "EditorSite", monkeypatch: pytest.MonkeyPatch) -> None:
    """When the parser process crashes the issue gets 422, and the pages still answer."""
    monkeypatch.setattr("shortener.limited_process.sys.executable", "/bin/false")
    browser = site.client("editor")
    response = browser.post("/-/new-issue", {"source": "# May"})
    assert (response.status_code, "could not be read" in response.text) == (422, True)
    assert browser.get("/-/issues").status_code == 200


def test_limit_of_parser_processes(site: "EditorSite", monkeypatch: pytest.MonkeyPatch) -> None:
    """An upload while all parser processes are busy is refused with a message; a later one is accepted."""
    browser = site.client("editor")
    monkeypatch.setattr("shortener.web.sandbox.QUEUE_TIMEOUT_SECONDS", 0.01)
    for _ in range(sandbox.MAX_PROCESSES):
        sandbox._process_slots.acquire()
    try:
        assert "try again" in browser.post("/-/new-issue", {"source": "# May"}).text
    finally:
        for _ in range(sandbox.MAX_PROCESSES):
            sandbox._process_slots.release()
    assert browser.post("/-/new-issue", {"source": "# May"}).status_code == 303


HEAVY = {
    "brackets": nested_brackets(4_000),
    "images": b"![[" * 5_000,
    "half links": b"[a](b" * 4_000,
    "quotes": b">" * 2_500 + b" x",
    "angles": b"<" * 10_000,
    "list": b"".join(b" " * depth + b"- x\n" for depth in range(350)),
    "divs": b"<!doctype html><html><body>" + b"<div>" * 10_000,
    "comments": b"<!---->" * 4_500,
    "attribute": b'<!doctype html><html><body><p title="' + b"x" * 500_000 + b'">x',
}


@pytest.mark.parametrize("source", HEAVY.values(), ids=HEAVY.keys())
def test_markup_that_is_slow_to_parse(site: "EditorSite", source: bytes) -> None:
    """The time to parse or refuse crafted markup, to review it and to show its map does not grow with the square."""
    browser, numbers = site.client("editor"), itertools.count()

    def add_and_show(source: bytes) -> None:
        slug = f"may-{next(numbers)}"
        response = browser.post("/-/new-issue", {"file": upload(source + slug.encode())})  # the same text is refused
        assert response.status_code in {303, 422}
        if response.status_code == 303:
            path = response.location
            assert browser.get(path.replace("review", "preview")).status_code == 200
            assert send_review(browser, path, "create", slug=slug).status_code == 303
            assert browser.get(f"/-/issues/{slug}/map/issue").status_code == 200

    assert grows_with_length(add_and_show, source, small=source[: len(source) // SIZE_RATIO])


@pytest.mark.usefixtures("parser_process")
def test_slow_markup_in_the_parser_process(site: "EditorSite") -> None:
    """Within the limits of the parser process, crafted markup is parsed or refused too."""
    response = site.client("editor").post("/-/new-issue", {"file": upload(HEAVY["brackets"])})
    assert response.status_code in {303, 422}


NAMES = ["../../x.md", "a\0.html", "x" * 300 + ".md", "CON", ".hidden", "/etc/passwd"]


@pytest.mark.parametrize("name", NAMES)
def test_hostile_file_names(site: "EditorSite", name: str) -> None:
    """A file name is never used as a path; the download is named by the slug."""
    browser = site.client("editor")
    response = create(browser, file=upload(SOURCE, name))
    assert response.headers["Location"] == "/-/issues/may/ready"
    disposition = site.client("viewer").get("/-/issues/may/download").headers["Content-Disposition"]
    assert re.fullmatch(r"attachment; filename=\"may\.out\.(md|html)\"; filename\*=.*", disposition)


def test_uploads_are_bounded(site: "EditorSite", monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many uploads the last ones are kept, and one without a change for a week is deleted."""
    monkeypatch.setattr("shortener.store.uploads.MAX_UPLOADS", 3)
    browser = site.client("editor")
    paths = [add_text(browser, f"# Text {number}") for number in range(5)]
    assert [browser.get(path).status_code for path in paths] == [404, 404, 200, 200, 200]
    assert "uploaded more than 7 days ago, or was discarded" in browser.get(paths[0]).text
    week = 7 * 86_400
    assert uploads.purge(site.store, now=int(time.time()) + week - 60) == 0
    assert uploads.purge(site.store, now=int(time.time()) + week + 60) == 3


def test_unfinished_texts_are_listed(site: "EditorSite") -> None:
    """The first step lists the texts whose review is not finished; one of them is discarded."""
    browser = site.client("editor")
    path = add_text(browser, file=upload(SOURCE, "tides.md"))
    add_text(browser, file=upload(SOURCE + b"\n[More](https://a.example/more)\n", "tides.md"))
    page = browser.get("/-/new-issue").text
    assert f'<a href="{path}"><bdi>tides.md</bdi></a>' in page
    # Two texts of one name differ by their size, and by when they were begun.
    sizes = re.findall(r"small\">(\d+ articles?, \d+ links?) · begun <time", page)
    assert len(set(sizes)) == 2
    assert browser.post(path.replace("review", "discard")).status_code == 303
    assert count_uploads(site) == 1
    assert browser.get(path).status_code == 404


def test_address_of_the_review_survives_sign_in(site: "EditorSite") -> None:
    """Without a session the address of the review leads to the sign-in form and then back to it."""
    path = add_text(site.client("editor"), "# Tides")
    browser = site.browser()
    assert browser.get(path).location == f"/-/sign-in?next={path}"
    response = browser.post("/-/sign-in", {"name": "editor", "password": PASSWORD, "next": path})
    assert response.location == path
    assert browser.get(path).status_code == 200
    assert site.client("viewer").get(path).status_code == 403


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
    assert re.search("image 25 % title 50 % read more 25 %", re.sub(" +", " ", text))
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
    browser, started_at = site.client("editor"), time.process_time()
    response = browser.client.post(
        "/-/new-issue",
        base_url="https://go.example",
        data=body,
        content_type=content_type,
        headers={"Sec-Fetch-Site": "same-origin"},
    )
    assert response.status_code in {400, 413}
    assert time.process_time() - started_at < 30
    assert site.store.value("select count(*) from issues") == 0
