"""The report of an issue: what it says at every age, and how it marks what editors did."""

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from shortener.store import issues, links

if TYPE_CHECKING:
    from tests.web.conftest import Desk

NOW = 1_800_000_000


def island(page: str, name: str) -> Any:
    """The data of a page's chart."""
    found = re.search(rf'<script type="application/json" id="{name}-data">(.*?)</script>', page, flags=re.S)
    assert found is not None
    return json.loads(found[1])


def clicks(desk: "Desk", *hours: float, slug: str = "may") -> None:
    """Clicks of people on the first link of an issue, so many hours after May was sent."""
    code = links.list_by_issue(desk.store, issues.get(desk.store, slug).id)[0].code
    desk.log(
        [
            json.dumps(
                {
                    "v": 1,
                    "id": f"c{hour}",
                    "ts": NOW - 86_400 + hour * 3_600,
                    "host": "go.example",
                    "code": code,
                    "method": "GET",
                    "visitor": f"v{hour}",
                    "addr": f"a{hour}",
                    "ua": "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
                    "h": {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "accept": "text/html"},
                }
            )
            for hour in hours
        ]
    )


@pytest.fixture
def at_noon(full_desk: "Desk", monkeypatch: pytest.MonkeyPatch) -> "Desk":
    """The pages a day after the issue was sent."""
    monkeypatch.setattr("shortener.web.context.time.time", lambda: float(NOW))
    return full_desk


def test_an_edit_after_sending_is_marked(at_noon: "Desk") -> None:
    """The curve has a mark at the hour of the edit, and a sentence with who and where to; earlier edits have none."""
    clicks(at_noon, 1.5, 2.5)
    link = links.list_by_issue(at_noon.store, issues.get(at_noon.store, "may").id)[0]
    for target, hour in (("https://a.example/early", -1), ("https://a.example/late", 6)):
        link = links.get(at_noon.store, link.domain, link.code)
        links.update_field(at_noon.store, link, "target", target, who="Zoë", now=NOW - 86_400 + hour * 3_600)
    page = at_noon.client("viewer").get("/-/issues/may").text
    chart = island(page, "course")
    assert chart["marks"] == [6]
    assert chart["courses"][0]["points"] == [[0, 0], [2, 1], [3, 2], [24, 2]]
    assert "1 target was edited after sending" in page
    assert "Zoë" in page
    assert "a.example/late" in page
    assert "a.example/early" not in page.partition("was edited after sending")[2].partition("</details>")[0]


def test_an_issue_that_nobody_clicked_says_what_to_do(full_desk: "Desk") -> None:
    """Without clicks there is no chart, but words that help; the articles stand there with nothing."""
    page = full_desk.client("viewer").get("/-/issues/may").text
    assert "No clicks yet" in page
    assert "course-data" not in page
    assert "Counting whales" in page


def test_other_issues_stand_behind_at_the_same_age(at_noon: "Desk") -> None:
    """An earlier issue that was clicked is drawn with the asked one, each from its own sending."""
    at_noon.take_in(
        "# April\n\n### [Kelp](https://a.example/kelp)\n", slug="april", sent_at=NOW - 10 * 86_400
    )
    clicks(at_noon, 1.5, 2.5)
    clicks(at_noon, -9 * 24 + 4.5, slug="april")
    own, other = island(at_noon.client("viewer").get("/-/issues/may").text, "course")["courses"]
    assert (own["own"], other["own"]) == (True, False)
    assert other["title"] == "April"
    assert other["points"] == [[0, 0], [5, 1], [240, 1]]
