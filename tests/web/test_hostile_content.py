"""Tests with hostile content (markup, formulas, SQL): it stays text on every page and in every file."""

import csv
import io
import json
import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from shortener.services import new_issue
from shortener.store import issues, links, uploads

if TYPE_CHECKING:
    from tests.web.conftest import Browser, EditorSite

NASTY = {
    "script": "<script>alert(1)</script>",
    "island": "</script><script>alert(1)</script><!--",
    "attribute": '"><img src=x onerror=alert(1)>',
    "single": "'><svg/onload=alert(1)>",
    "template": "{{ 7*7 }}{% raw %}${7*7}",
    "right to left": "\u202egnp.exe\u2066",
    "lines": "a\u2028b\u2029c",
    "terminal": "\x1b[2J",
    "entity": "&lt;script&gt;&#106;",
    "formula": "=cmd|'/c calc'!A1",
}
PAGES = (
    "/-/issues",
    "/-/issues/may",
    "/-/issues/may/map",
    "/-/issues/may/map/issue",
    "/-/issues/may/setup",
    "/-/issues/may/ready",
    "/-/new-issue",
    "/-/new-issue/1/text",
    "/-/new-issue/1/review",
    "/-/new-issue/1/preview",
    "/-/articles",
    "/-/picks",
    "/-/links",
    "/-/links/go.example/nasty",
    "/-/settings/users",
    "/nasty+",
)


def click_line(host: str, code: str, number: int, **more: Any) -> str:
    """Return a click-log line of a human click about an hour ago."""
    return json.dumps(
        {
            "v": 1,
            "id": f"click {number}",
            "ts": time.time() - 3_600 - number,
            "host": host,
            "code": code,
            "method": "GET",
            "status": 302,
            "visitor": f"v{number}",
            "ua": "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
            "h": {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"},
        }
        | more
    )


@pytest.fixture
def nasty(site: "EditorSite", request: pytest.FixtureRequest) -> "EditorSite":
    """Site in which every field that a person or client outside can fill has the hostile text."""
    text = request.param
    source = f"# {text}\n\n### [{text}](https://a.example/one) by [{text}](https://a.example/by)\n\n{text}\n"
    source += "<p><a href='https://a.example/two' onclick='alert(1)'>two</a></p>\n"
    site.add_issue(source, sent_at=int(time.time()) - 7_200)
    with site.store.transaction():
        issue = issues.get(site.store, "may")
        issues.update(site.store, issue.id, now=1, title=text)
        for article in issues.list_articles(site.store, issue.id):
            for field in ("title", "author", "summary"):
                site.store.execute(f"update articles set {field} = ? where id = ?", (text, article.id))
        links.add(site.store, "go.example", "nasty", target="https://a.example/%22%3E", title=text, now=1)
        link = links.get(site.store, "go.example", "nasty")
        links.update_field(site.store, link, "title", text + "!", who=text, now=2)
        site.store.execute("update placements set text = ?", (text,))
        site.store.execute("update users set name = ? where name = 'editor'", (text.replace("/", ""),))
        choices = new_issue.encode_choices(new_issue.Choices(title=text, suggested_slug="nasty"))
        uploads.add(site.store, who=text, name=text, source=source.encode(), choices=choices, now=int(time.time()))
    codes = [link.code for link in links.list_by_issue(site.store, issue.id)]
    site.write_clicks(
        [
            click_line(
                "go.example",
                code,
                number,
                ref=f"https://{text}/",
                ua=text * 3,
                lang=text,
                q=f"utm_source={text}",
            )
            for number, code in enumerate([*codes * 3, "nasty"])
        ]
        + [
            click_line(
                "go.example",
                code,
                100 + number,
                ref=f"https://{text}/",
                lang=text,
                addr=f"a{number}",
                h={"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "accept": "text/html"},
            )
            for number, code in enumerate([codes[0], "nasty"])
        ]
    )
    return site


@pytest.mark.parametrize("nasty", NASTY.values(), ids=NASTY.keys(), indirect=True)
def test_content_is_never_markup(nasty: "EditorSite") -> None:
    """No page has a script, an event handler or an evaluated template from stored text or click headers."""
    browser = nasty.client("admin")
    for path in PAGES:
        response = browser.get(path)
        assert response.status_code == 200, path
        page = response.text
        assert not re.search(r"<script(?![^>]*\b(?:src=\"/-/static/|type=\"application/json\"))", page), path
        assert not re.search(r"<(?:img|svg)\b[^>]*\son\w+=", page, flags=re.I), path
        assert not re.search(r"<[a-z]+\b[^<>]*\sonclick=", page), path
        assert "4949" not in page
        assert not re.search(r">\s*49\b", page), path
        for island in re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page, flags=re.S):
            json.loads(island)


@pytest.mark.parametrize("nasty", NASTY.values(), ids=NASTY.keys(), indirect=True)
def test_files_contain_no_formulas(nasty: "EditorSite") -> None:
    """No cell of a CSV file starts a formula, and every JSON file is valid."""
    browser = nasty.client("admin")
    for path in (
        "/-/issues.csv",
        "/-/issues/may/report.csv",
        "/-/issues/may/placements.csv",
        "/-/issues/may/setup.csv",
        "/-/links.csv",
        "/-/articles.csv",
        "/-/issues/may/breakdown.csv",
        "/-/issues/may/timeline.csv",
        "/-/links/go.example/nasty/breakdown.csv",
        "/-/links/go.example/nasty/timeline.csv",
        "/-/settings/users.csv",
    ):
        response = browser.get(path)
        assert response.headers["Content-Disposition"].startswith("attachment")
        rows = list(csv.reader(io.StringIO(response.text)))
        assert len(rows) > 1, path
        assert not [cell for row in rows[1:] for cell in row if re.match(r"[=+@\t\r]|-\D", cell)], path
        for part in ("placements", "breakdown", "timeline"):
            path = path.replace(part, "report")
        json.loads(browser.get(path.replace(".csv", ".json")).text)


SEARCHES = {
    "quote": "'",
    "double": '"',
    "comment": "x';-- ",
    "percent": "%",
    "underscore": "_",
    "backslash": "\\",
    "match": 'NEAR( "a AND *',
    "many words": "a " * 1_000,
    "ten thousand": "%" * 10_000,
    "NUL": "a\0b",
    "short link": "https://go.example/nasty/2",
    "no UTF-8": b"\xff\xfe",
}


@pytest.mark.parametrize("text", SEARCHES.values(), ids=SEARCHES.keys())
def test_search_text_is_literal(site_with_issue: "EditorSite", text: str | bytes) -> None:
    """A search text is matched literally: ``%`` and ``_`` are no SQL wildcards, and no text causes an error."""
    response = site_with_issue.client("viewer").get(f"/-/links?q={quote(text)}")
    assert response.status_code == 200
    if text in {"%", "_"}:
        assert "Nothing matches" in response.text


QUERIES = {
    "order by anything": ("sort=clicks desc, (select 1)", 400),
    "no such order": ("sort=password", 400),
    "no such state": ("status=active' or 1=1", 400),
    "negative page": ("page=-1", 200),
    "endless page": ("page=" + "9" * 50, 200),
    "unicode digits": ("page=٣", 200),
    "far page": ("page=999999", 200),
    "no such issue": ("issue=' or 1=1", 200),
}


@pytest.mark.parametrize(("query", "status"), QUERIES.values(), ids=QUERIES.keys())
def test_query_parameters_of_the_list(site_with_issue: "EditorSite", query: str, status: int) -> None:
    """An unknown sort order or status gets 400; page numbers are clamped."""
    assert site_with_issue.client("viewer").get(f"/-/links?{query}").status_code == status


@pytest.mark.parametrize("month", ["2026-13", "0000-00", "../../etc", "2026-1", "9999-99", "2026-02-30"])
def test_invalid_months(site_with_issue: "EditorSite", month: str) -> None:
    """An invalid month gets 400."""
    for path in ("/-/articles", "/-/articles.csv", "/-/picks"):
        assert site_with_issue.client("viewer").get(f"{path}?month={month}").status_code == 400


INVALID_DETAILS = {
    "year 0": {"sent_at": "0000-01-01T00:00"},
    "year 9999": {"sent_at": "9999-12-31T23:59"},
    "no such day": {"sent_at": "2026-02-30T08:00"},
    "words": {"sent_at": "tomorrow"},
    "no recipients": {"recipients": "0"},
    "negative": {"recipients": "-5"},
    "too many": {"recipients": "9" * 30},
    "fraction": {"recipients": "1e9"},
    "endless title": {"title": "x" * 3_000},
}


@pytest.mark.parametrize("form", INVALID_DETAILS.values(), ids=INVALID_DETAILS.keys())
def test_invalid_details_of_an_issue(site_with_issue: "EditorSite", form: dict[str, str]) -> None:
    """An invalid date, number or title gets 400, and nothing is stored."""
    browser: Browser = site_with_issue.client("editor")
    before = issues.get(site_with_issue.store, "may")
    response = browser.post("/-/issues/may/facts", form)
    assert response.status_code == 400
    assert issues.get(site_with_issue.store, "may") == before


@pytest.mark.parametrize("path", ["/<svg onload=1>", "/%3Cscript%3Ealert(1)%3C/script%3E", "/-/<script>x", "/{{7*7}}"])
def test_error_pages_do_not_show_the_path(site_with_issue: "EditorSite", path: str) -> None:
    """The page for a missing path does not contain the path, and is HTML in UTF-8."""
    response = site_with_issue.browser().get(path)
    assert response.status_code == 404
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    for part in ("onload", "alert(1)", "<script>", "49"):
        assert part not in response.text
