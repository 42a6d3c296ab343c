"""What the pages of an issue offer as the next step."""

from typing import TYPE_CHECKING

import pytest

from shortener.store import draft_links, issues, links
from tests.web.test_one_number import settled
from tests.web.test_report_pages import NOW, write_human_clicks

if TYPE_CHECKING:
    from tests.web.conftest import EditorSite

CHOOSE = '<a class="button main" href="/-/picks?month=2027-01">Choose the picks for January 2027</a>'


@pytest.fixture
def clicked(site_with_issue: "EditorSite", monkeypatch: pytest.MonkeyPatch) -> "EditorSite":
    """Site with an issue that was sent a day ago and clicked."""
    monkeypatch.setattr("shortener.web.context.time.time", lambda: float(NOW))
    write_human_clicks(site_with_issue, 2, 2.1, link=1)
    return site_with_issue


@pytest.mark.parametrize("page", ["/-/issues/may", "/-/issues/may/map"])
def test_picks_follow_a_sent_issue(clicked: "EditorSite", page: str) -> None:
    """Results and Click map lead editors to the picks of the month, and no viewer."""
    assert CHOOSE in clicked.client("editor").get(page).text
    assert "Choose the picks" not in clicked.client("viewer").get(page).text


def test_the_picks_are_made(clicked: "EditorSite") -> None:
    """With the short links of the picks the button is no longer the main one."""
    editor = clicked.client("editor")
    settled(editor, "/-/picks?month=2027-01")
    assert editor.post("/-/picks", {"month": "2027-01"}).headers["Location"].endswith("#section")
    page = editor.get("/-/issues/may").text
    assert '<a class="button" href="/-/picks?month=2027-01">See the picks of January 2027</a>' in page
    assert "then add that issue here:" in editor.get("/-/picks?month=2027-01").text


def test_recipients_come_first(clicked: "EditorSite") -> None:
    """Without the number of recipients, the next step is to enter it."""
    with clicked.store.transaction():
        issues.update(clicked.store, issues.get(clicked.store, "may").id, now=NOW, recipients=None)
    page = clicked.client("editor").get("/-/issues/may").text
    assert 'href="/-/issues/may/setup">Enter the number of recipients</a>' in page


def test_an_older_issue_is_compared_with_others(clicked: "EditorSite") -> None:
    """Picks are chosen for the latest month; an older issue leads to those of its month, or to a comparison."""
    clicked.add_issue("# June\n\n### [Ants](https://a.example/a)\n", slug="old", sent_at=NOW - 60 * 86_400)
    write_human_clicks(clicked, 3, 3.1, slug="old")
    page = clicked.client("editor").get("/-/issues/old").text
    assert '<a class="button" href="/-/articles?period=all">Compare its articles with all others</a>' in page
    with clicked.store.transaction():
        link = links.list_by_issue(clicked.store, issues.get(clicked.store, "old").id)[0]
        draft_links.save_link(clicked.store, "2026-11", "https://a.example/a", link.id)
    page = clicked.client("editor").get("/-/issues/old").text
    assert '<a class="button" href="/-/picks?month=2026-11">See the picks of November 2026</a>' in page


def test_picks_are_a_task_while_their_button_is_shown(clicked: "EditorSite", monkeypatch: pytest.MonkeyPatch) -> None:
    """Overview and Results offer the picks of the latest month alike, until the next month ends."""
    for days, is_offered in ((0, True), (40, True), (80, False)):
        monkeypatch.setattr("shortener.web.context.time.time", lambda later=days: float(NOW + later * 86_400))
        editor = clicked.client("editor")
        assert (CHOOSE in editor.get("/-/issues/may").text) is is_offered, days
        assert ("The picks of January 2027 are not made yet." in editor.get("/-/").text) is is_offered, days


def test_a_draft_is_prepared(clicked: "EditorSite") -> None:
    """A draft has one button, in the empty page."""
    clicked.add_issue(slug="june", sent_at=None)
    editor = clicked.client("editor")
    for page in ("/-/issues/june", "/-/issues/june/map"):
        assert editor.get(page).text.count('href="/-/issues/june/setup">Prepare the issue for sending</a>') == 1
