"""What stands beside the pages: each page's JSON, each table's CSV, and where clicks came from."""

import csv
import io
import json
import re
import time
from typing import TYPE_CHECKING

import pytest

from shortener.collector.rebuild import rebuild
from shortener.store import links

if TYPE_CHECKING:
    from tests.web.conftest import Desk

WORDS = {
    "accounts.index",
    "accounts.sign_in",
    "accounts.welcome",
    "intake.new_issue",
    "links.new_link",
    "links.find_link",
    "settings.show_help",
    "issues.download",
    "reports.map_issue",
    "reports.live",
}
"""Pages that are forms or prose, steps on the way to a page, and files themselves."""
BESIDE = {
    "/-/issues": ("/-/issues.json", "/-/issues.csv"),
    "/-/issues/<slug>": ("/-/issues/<slug>/report.json", "/-/issues/<slug>/report.csv"),
    "/-/issues/<slug>/map": ("/-/issues/<slug>/map.json", "/-/issues/<slug>/placements.csv"),
    "/-/issues/<slug>/contents": ("/-/issues/<slug>/contents.json", "/-/issues/<slug>/contents.csv"),
    "/-/ranking": ("/-/ranking.json", "/-/ranking.csv"),
    "/-/ranking/picks": ("/-/ranking/picks.json", ""),
    "/-/links": ("/-/links.json", "/-/links.csv"),
    "/-/links/<host>/<code>": ("/-/links/<host>/<code>/report.json", "/-/links/<host>/<code>/timeline.csv"),
    "/-/settings": ("/-/settings.json", ""),
    "/-/settings/users": ("/-/settings/users.json", "/-/settings/users.csv"),
    "/-/account": ("/-/account.json", ""),
}
"""Each page with its JSON and, where it is a table, its CSV."""


def test_every_page_has_its_json_and_every_table_its_csv(desk: "Desk") -> None:
    """No page without them, none of them unanswered; the page links to what it has."""
    desk.take_in(sent_at=int(time.time()) - 7_200)
    rules = {
        rule.rule: rule.endpoint for rule in desk.app.url_map.iter_rules() if "GET" in (rule.methods or ())
    }
    pages = {
        rule
        for rule, endpoint in rules.items()
        if rule.startswith("/-/") and hasattr(desk.app.view_functions[endpoint], "role")
        and endpoint not in WORDS and "." not in rule.rpartition("/")[2]
    }  # fmt: skip
    assert pages == set(BESIDE)
    code = links.list_by_issue(desk.store, 1)[0].code
    desk.log([line(code, number) for number in range(3)])
    browser = desk.client("admin")

    def real(rule: str) -> str:
        return rule.replace("<slug>", "may").replace("<host>", "go.example").replace("<code>", code)

    for page, (as_json, as_csv) in BESIDE.items():
        text = browser.get(real(page)).text
        answer = browser.get(real(as_json))
        assert (answer.status_code, answer.mimetype) == (200, "application/json"), as_json
        json.loads(answer.text)
        if as_csv:
            answer = browser.get(real(as_csv))
            assert (answer.status_code, answer.mimetype) == (200, "text/csv"), as_csv
            assert len(list(csv.reader(io.StringIO(answer.text)))) > 1, as_csv
            assert real(as_csv) in text, f"{page} does not say that there is {as_csv}"


@pytest.mark.parametrize(("visitor", "counted"), [("v", "visitors"), (None, "clicks")])
def test_the_ranking_names_what_it_counted(desk: "Desk", visitor: str | None, counted: str) -> None:
    """The table header, JSON and CSV of the ranking have visitors or, without known visitors, clicks."""
    desk.take_in(sent_at=int(time.time()) - 7_200)
    code = links.list_by_issue(desk.store, 1)[0].code
    lines = [json.loads(line(code, number)) for number in range(3)]
    desk.log([json.dumps(each | ({} if visitor else {"visitor": None})) for each in lines])
    browser = desk.client("admin")
    assert f'<th scope="col" class="n">{counted.title()}</th>' in browser.get("/-/ranking").text
    ranking = json.loads(browser.get("/-/ranking.json").text)
    assert ranking["counted"] == counted
    rows = list(csv.DictReader(io.StringIO(browser.get("/-/ranking.csv").text)))
    for article, row in zip(ranking["articles"], rows, strict=True):
        for unit in ("visitors", "clicks"):
            assert (article[unit] is None) == (unit != counted)
            assert row[unit] == ("" if article[unit] is None else str(article[unit]))


def line(code: str, number: int) -> str:
    """A click of a person an hour ago."""
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
def clicked(full_desk: "Desk") -> "Desk":
    """An issue whose first link was clicked four times."""
    code = links.list_by_issue(full_desk.store, 1)[0].code
    full_desk.log([line(code, number) for number in range(4)])
    return full_desk


def pages_of(desk: "Desk") -> list[str]:
    """The report of the issue, and that of its link."""
    browser = desk.client("viewer")
    code = links.list_by_issue(desk.store, 1)[0].code
    return [browser.get(path).text for path in ("/-/issues/may", f"/-/links/go.example/{code}")]


def test_countries_are_shown_when_clicks_have_them(clicked: "Desk") -> None:
    """Each country with its clicks and its share, those without one as not known."""
    clicked.store.execute(
        "update clicks set country = case seq % 4 when 0 then '' when 1 then 'BR' else 'NO' end"
    )
    rebuild(clicked.store, on_progress=lambda _: None)
    for page in pages_of(clicked):
        panel = page.partition("<h2>Country</h2>")[2].partition("</section>")[0]
        rows = re.sub(r"<[^>]+>", " ", panel).split()
        assert " ".join(rows[:3]) == "Country Clicks Share"
        assert rows[3:6] == ["NO", "2", "50"]
        assert rows[7:11] == ["not", "known", "1", "25"]
        assert rows[12:15] == ["BR", "1", "25"]
        assert 'data-code="country">NO' in panel
    browser = clicked.client("viewer")
    code = links.list_by_issue(clicked.store, 1)[0].code
    for path in ("/-/issues/may/breakdown.csv", f"/-/links/go.example/{code}/breakdown.csv"):
        rows_of = list(csv.reader(io.StringIO(browser.get(path).text)))
        assert rows_of[0] == ["dimension", "value", "clicks", "share"]
        assert ["country", "NO", "2", "0.5"] in rows_of
        assert ["referrer", "mail.example", "4", "1.0"] in rows_of


def test_without_countries_the_page_says_what_to_configure(clicked: "Desk") -> None:
    """No empty table, but the key and the kind of file."""
    for page in pages_of(clicked):
        panel = page.partition("<h2>Country</h2>")[2].partition("</section>")[0]
        assert "[networks] countries" in panel
        assert ".mmdb" in panel
        assert "<table" not in panel
        assert "mail.example" in page


def test_files_of_users_tell_no_secret(full_desk: "Desk") -> None:
    """Names, roles, and whether there is a password: never a hash or a token."""
    browser = full_desk.client("admin")
    for path in ("/-/settings/users.json", "/-/settings/users.csv"):
        text = browser.get(path).text
        assert "viewer" in text
        assert "scrypt" not in text
    assert json.loads(browser.get("/-/account.json").text) == {"name": "admin", "role": "admin"}
    assert json.loads(browser.get("/-/issues/may/checks.json").text)[0]["level"] in {"good", "warn", "bad"}


@pytest.mark.parametrize(("length", "status"), [(64, 200), (2_312, 200), (2_313, 422), (100_000, 422)])
def test_a_code_to_print_holds_so_much_and_no_more(desk: "Desk", length: int, status: int) -> None:
    """A short URL that no QR code can hold, from an older store, is refused with the number; never an error."""
    code = "a" * length
    desk.store.execute(
        "insert into links (domain, code, target, created_at, updated_at) values (?, ?, ?, 1, 1)",
        ("go.example", code, "https://a.example/"),
    )
    browser = desk.client("viewer")
    for kind in ("svg", "png"):
        answer = browser.get(f"/-/links/go.example/{code}/qr.{kind}?scale=1")
        assert answer.status_code == status, kind
    assert status == 200 or "2,331" in answer.text
    assert browser.get(f"/-/links/go.example/{code}").status_code == 200
