"""The audience page: panels with names, and a filter that shows what some readers clicked."""

import json
import re
from typing import TYPE_CHECKING

import pytest

from shortener.reporting.forecast import Usual
from shortener.store import issues, links
from shortener.web.views.audience import compare_share

if TYPE_CHECKING:
    from tests.web.conftest import EditorSite

NOW = 1_800_000_000
LONG_HOST = "a-very-long-name-of-an-intranet-of-a-company-elsewhere.example"
AGENTS = {
    "computer": "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "phone": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.1 Mobile/15E148 Safari/604.1",
}


@pytest.fixture
def clicked(site_with_issue: "EditorSite") -> "EditorSite":
    """Site with five clicks on the first link of an issue, of which one is from a phone, and two on the second."""
    codes = [
        link.code for link in links.list_by_issue(site_with_issue.store, issues.get(site_with_issue.store, "may").id)
    ]
    wanted = [(codes[0], "phone"), *[(codes[0], "computer")] * 4, *[(codes[1], "phone")] * 2]
    site_with_issue.write_clicks(
        [
            json.dumps(
                {
                    "v": 1,
                    "id": f"c{number}",
                    "ts": NOW - 80_000 + 900 * number,
                    "host": "go.example",
                    "code": code,
                    "method": "GET",
                    "visitor": f"v{number}",
                    "addr": f"a{number}",
                    "ua": AGENTS[device],
                    "ref": f"https://{LONG_HOST}/" if number else "https://eur02.safelinks.protection.outlook.com/",
                    "lang": "de-AT",
                    "h": {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "accept": "text/html"},
                }
            )
            for number, (code, device) in enumerate(wanted)
        ]
    )
    return site_with_issue


def rows_of(page: str, heading: str) -> list[str]:
    """Return the text of the rows of the panel with a heading."""
    panel = page.partition(f"<h2>{heading}</h2>")[2].partition("</section>")[0]
    return [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in re.findall(r"<tr.*?</tr>", panel, flags=re.S)[1:]]


def test_panels_have_names(clicked: "EditorSite") -> None:
    """Devices, languages and mail filters have names; a long host is whole in its title; there is no empty panel."""
    page = clicked.client("viewer").get("/-/issues/may/audience").text
    assert "43 % of 7 clicks were made on phones." in page
    assert rows_of(page, "Device") == ["Computer 4 57 %", "Phone 3 43 %"]
    assert rows_of(page, "Language") == ["German 7 100 %"]
    assert rows_of(page, "Referrer")[1] == "Outlook (Safe Links) 1 14 %"
    assert f'title="{LONG_HOST}"' in page
    assert "<h2>Country</h2>" not in page
    assert "config.toml" not in page


def test_a_row_filters_the_page(clicked: "EditorSite") -> None:
    """With a filter the page has the clicks of these readers on each article, and the way back."""
    client = clicked.client("viewer")
    page = client.get("/-/issues/may/audience").text
    assert 'href="/-/issues/may/audience?device=phone#chosen"' in page
    shown = rows_of(client.get("/-/issues/may/audience?device=phone").text, "Device: Phone")
    assert [row for row in shown if row.endswith("2 67 %")]
    assert [row for row in shown if row.endswith("1 33 %")]
    assert sum(int(row.split()[-3]) for row in shown) == 3
    folded = client.get("/-/issues/may/audience?referrer=Outlook+(Safe+Links)").text
    assert rows_of(folded, "Referrer: Outlook (Safe Links)")[-1].endswith("1 100 %")
    for query in ("device=fridge", "colour=red", "device="):
        assert 'id="chosen"' not in client.get(f"/-/issues/may/audience?{query}").text


def test_what_these_readers_clicked(clicked: "EditorSite", monkeypatch: pytest.MonkeyPatch) -> None:
    """A filtered page says what these readers clicked more than others, or that it may be chance."""
    client = clicked.client("viewer")
    address = "/-/issues/may/audience?device=phone"
    chance = "These readers showed no clear preference for other articles, so one choice of articles fits all."
    assert chance in client.get(address).text
    assert f"on phones. {chance}" in client.get("/-/issues/may/audience").text, "without a filter, of readers on phones"
    assert "the others" not in client.get("/-/issues/may/audience?language=de-AT").text
    for scores, expected in (
        ([3.0, 0.0], r"These readers clicked <bdi>[^<]+</bdi> more often than the others did\."),
        ([0.0, -3.0], r"These readers clicked <bdi>[^<]+</bdi> less often than the others did\."),
        ([3.0, -3.0], r"clicked <bdi>[^<]+</bdi> more often than the others did, and <bdi>[^<]+</bdi> less often\."),
    ):
        monkeypatch.setattr(
            "shortener.web.views.audience.significant_differences",
            lambda pairs, totals, scores=scores: [*scores, *[0.0] * len(pairs)][: len(pairs)],
        )
        assert re.search(expected, client.get(address).text)


USUAL_PHONES = {
    "more": (0.3, 200, "That is more than your usual 20\u00a0%."),
    "about": (0.19, 200, "That is about your usual 20\u00a0%."),
    "more, by chance": (0.3, 20, "That is about your usual 20\u00a0%."),
    "less": (0.0, 200, "That is less than your usual 20\u00a0%."),
}


@pytest.mark.parametrize(("share", "clicks", "expected"), USUAL_PHONES.values(), ids=USUAL_PHONES)
def test_phones_beside_the_usual(clicked: "EditorSite", share: float, clicks: int, expected: str) -> None:
    """The share of clicks on phones is compared with the usual range of earlier issues, unless it differs by chance."""
    with clicked.app.test_request_context("/-/"):
        assert compare_share(share, Usual(0.2, 0.18, 0.22, 8), clicks=clicks) == expected
        assert compare_share(share, None, clicks=clicks) == ""


def test_an_issue_without_clicks_has_no_panels(site_with_issue: "EditorSite") -> None:
    """Before the first click the page says what will be there; an unknown issue has no page."""
    client = site_with_issue.client("viewer")
    assert "No clicks yet" in client.get("/-/issues/may/audience").text
    assert client.get("/-/issues/nothing/audience").status_code == 404
