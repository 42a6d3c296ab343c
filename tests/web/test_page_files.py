"""Tests of the files beside pages: the JSON of each page, the CSV of each table, and breakdowns."""

import csv
import io
import json
import re
import time
from typing import TYPE_CHECKING

import pytest

from shortener.collector.rebuild import rebuild
from shortener.services import tokens
from shortener.store import links
from tests.web.test_one_number import settled

if TYPE_CHECKING:
    from tests.web.conftest import EditorSite

PAGES_WITHOUT_DATA = {
    "accounts.sign_in",
    "accounts.welcome",
    "new_issue.new_issue",
    "links.new_link",
    "links.find_link",
    "links.confirm_retirement",
    "link_list.confirm_retirement",
    "settings.show_help",
    "setup.download",
    "issue_ready.show_ready",
    "issue_review.show_preview",
    "issue_review.show_review",
    "new_issue.show_text",
    "click_map.map_issue",
    "moved.redirect_moved",
    "picks.preview_picks",
    "reports.live",
    "webhooks.list_webhooks",
    "webhooks.show_webhook",
}
"""Endpoints that are forms, text, redirects or files, or whose data is in the JSON API."""
FILES = {
    "/-/": ("/-/overview.json", "/-/issues.csv"),
    "/-/search": ("/-/search.json?q=may", ""),
    "/-/issues": ("/-/issues.json", "/-/issues.csv"),
    "/-/issues/<slug>": ("/-/issues/<slug>/report.json", "/-/issues/<slug>/report.csv"),
    "/-/issues/<slug>/audience": ("/-/issues/<slug>/report.json", "/-/issues/<slug>/breakdown.csv"),
    "/-/issues/<slug>/map": ("/-/issues/<slug>/map.json", "/-/issues/<slug>/placements.csv"),
    "/-/issues/<slug>/setup": ("/-/issues/<slug>/setup.json", "/-/issues/<slug>/setup.csv"),
    "/-/articles": ("/-/articles.json", "/-/articles.csv"),
    "/-/articles/article?url=https://a.example/whales": (
        "/-/articles/article.json?url=https://a.example/whales",
        "/-/articles/article.csv?url=https://a.example/whales",
    ),
    "/-/picks": ("/-/picks.json", ""),
    "/-/links": ("/-/links.json", "/-/links.csv"),
    "/-/links/<host>/<code>": ("/-/links/<host>/<code>/report.json", "/-/links/<host>/<code>/timeline.csv"),
    "/-/settings": ("/-/settings.json", ""),
    "/-/settings/system": ("/-/settings.json", ""),
    "/-/settings/users": ("/-/settings/users.json", "/-/settings/users.csv"),
    "/-/settings/tokens": ("/-/settings/tokens.json", "/-/settings/tokens.csv"),
    "/-/account": ("/-/account.json", ""),
}
"""JSON file and CSV file ('' if there is no table) of each page."""


def test_every_page_has_its_json_and_every_table_its_csv(site: "EditorSite") -> None:
    """Every page that shows data has a JSON file, every page with a table has a CSV file that it links to."""
    site.add_issue(sent_at=int(time.time()) - 7_200)
    rules = {rule.rule: rule.endpoint for rule in site.app.url_map.iter_rules() if "GET" in (rule.methods or ())}
    pages = {
        rule
        for rule, endpoint in rules.items()
        if rule.startswith("/-/") and hasattr(site.app.view_functions[endpoint], "role")
        and endpoint not in PAGES_WITHOUT_DATA and "." not in rule.rpartition("/")[2]
    }  # fmt: skip
    assert pages == {page.partition("?")[0] for page in FILES}
    code = links.list_by_issue(site.store, 1)[0].code
    site.write_clicks([click_line(code, number) for number in range(3)])
    tokens.add_token(site.store, "viewer", "mine", scopes=["read"], expires_at=None, now=int(time.time()))
    browser = site.client("admin")

    def fill_in(rule: str) -> str:
        return rule.replace("<slug>", "may").replace("<host>", "go.example").replace("<code>", code)

    for page, (json_path, csv_path) in FILES.items():
        text = browser.get(fill_in(page)).text
        response = browser.get(fill_in(json_path))
        assert (response.status_code, response.mimetype) == (200, "application/json"), json_path
        json.loads(response.text)
        if csv_path:
            response = browser.get(fill_in(csv_path))
            assert (response.status_code, response.mimetype) == (200, "text/csv"), csv_path
            assert len(list(csv.reader(io.StringIO(response.text)))) > 1, csv_path
            assert fill_in(csv_path) in text, f"{page} does not link to {csv_path}"


@pytest.mark.parametrize(("visitor", "counted"), [("v", "visitors"), (None, "clicks")])
def test_the_ranking_names_what_it_counted(site: "EditorSite", visitor: str | None, counted: str) -> None:
    """The table header, JSON and CSV of the ranking have visitors or, without known visitors, clicks."""
    site.add_issue(sent_at=int(time.time()) - 7_200)
    code = links.list_by_issue(site.store, 1)[0].code
    lines = [json.loads(click_line(code, number)) for number in range(3)]
    site.write_clicks([json.dumps(click | ({} if visitor else {"visitor": None})) for click in lines])
    browser = site.client("admin")
    assert f">{counted.title()}</a></th>" in settled(browser, "/-/articles")
    ranking = json.loads(browser.get("/-/articles.json").text)
    assert ranking["counted"] == counted
    rows = list(csv.DictReader(io.StringIO(browser.get("/-/articles.csv").text)))
    for article, row in zip(ranking["articles"], rows, strict=True):
        for unit in ("visitors", "clicks"):
            assert (article[unit] is None) == (unit != counted)
            assert row[unit] == ("" if article[unit] is None else str(article[unit]))


def click_line(code: str, number: int) -> str:
    """Return a click-log line of a human click about an hour ago."""
    return json.dumps(
        {
            "v": 1,
            "id": f"c{number}",
            "ts": time.time() - 3_600 - 60 * number,
            "host": "go.example",
            "code": code,
            "method": "GET",
            "visitor": f"v{number}",
            "addr": f"a{number}",
            "ua": "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
            "ref": "https://mail.example/",
            "lang": "nb-NO",
            "h": {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "accept": "text/html"},
        }
    )


@pytest.fixture
def clicked(site_with_issue: "EditorSite") -> "EditorSite":
    """Site with an issue whose first link was clicked four times."""
    code = links.list_by_issue(site_with_issue.store, 1)[0].code
    site_with_issue.write_clicks([click_line(code, number) for number in range(4)])
    return site_with_issue


def link_page(site: "EditorSite") -> str:
    """Return the page of the issue's first link."""
    code = links.list_by_issue(site.store, 1)[0].code
    return site.client("viewer").get(f"/-/links/go.example/{code}").text


def test_countries_of_clicks(clicked: "EditorSite") -> None:
    """Pages and CSV show each country with clicks and share; clicks without a country count as unknown."""
    clicked.store.execute("update clicks set country = case seq % 4 when 0 then '' when 1 then 'BR' else 'NO' end")
    rebuild(clicked.store, on_progress=lambda _: None)
    browser = clicked.client("viewer")
    audience = browser.get("/-/issues/may/audience").text
    for page in (link_page(clicked), audience):
        panel = page.partition("<h2>Country</h2>")[2].partition("</section>")[0]
        text = " ".join(re.sub(r"<[^>]+>", " ", panel.partition("<tbody>")[2]).split())
        assert text == "Norway 2 50 % unknown 1 25 % Brazil 1 25 %"
    code = links.list_by_issue(clicked.store, 1)[0].code
    for path in ("/-/issues/may/breakdown.csv", f"/-/links/go.example/{code}/breakdown.csv"):
        csv_rows = list(csv.reader(io.StringIO(browser.get(path).text)))
        assert csv_rows[0] == ["dimension", "value", "clicks", "share"]
        assert ["country", "NO", "2", "0.5"] in csv_rows
        assert ["referrer", "mail.example", "4", "1.0"] in csv_rows


def test_no_countries(clicked: "EditorSite") -> None:
    """Without countries a page has no table of countries."""
    for page in (link_page(clicked), clicked.client("viewer").get("/-/issues/may/audience").text):
        assert "<h2>Country</h2>" not in page
        assert "mail.example" in page


def test_user_files_contain_no_secret(site_with_issue: "EditorSite") -> None:
    """Files of users contain names and roles, but no password hash and no token."""
    browser = site_with_issue.client("admin")
    for path in ("/-/settings/users.json", "/-/settings/users.csv"):
        text = browser.get(path).text
        assert "viewer" in text
        assert "scrypt" not in text
    assert json.loads(browser.get("/-/account.json").text) == {"name": "admin", "role": "admin"}
    assert json.loads(browser.get("/-/issues/may/checks.json").text)[0]["level"] in {"good", "warn", "bad"}


@pytest.mark.parametrize(("length", "status"), [(64, 200), (2_312, 200), (2_313, 422), (100_000, 422)])
def test_qr_code_capacity(site: "EditorSite", length: int, status: int) -> None:
    """A short URL that is too long for a QR code gets 422 with the limit; the page of the link still works."""
    code = "a" * length
    site.store.execute(
        "insert into links (domain, code, target, created_at, updated_at) values (?, ?, ?, 1, 1)",
        ("go.example", code, "https://a.example/"),
    )
    browser = site.client("viewer")
    for kind in ("svg", "png"):
        response = browser.get(f"/-/links/go.example/{code}/qr.{kind}?scale=1")
        assert response.status_code == status, kind
    assert status == 200 or "2,331" in response.text
    assert browser.get(f"/-/links/go.example/{code}").status_code == 200
