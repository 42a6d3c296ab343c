"""The pages ask before they save unlikely details of an issue: the error is at the field, with a checkbox below it."""

import re
from typing import TYPE_CHECKING

import pytest

from shortener.store import issues
from tests.web.test_report_pages import NOW, write_human_clicks

if TYPE_CHECKING:
    from tests.web.conftest import EditorSite

DETAILS = {"title": "May", "sent_at": "2027-01-14T08:00", "recipients": "200"}
CHECKBOX = 'name="confirmed"'


@pytest.fixture
def clicked(site_with_issue: "EditorSite", monkeypatch: pytest.MonkeyPatch) -> "EditorSite":
    """Site with an issue that three people clicked two hours after it was sent, a day ago."""
    monkeypatch.setattr("shortener.web.context.time.time", lambda: float(NOW))
    write_human_clicks(site_with_issue, 2, 2.1, 2.2)
    return site_with_issue


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        pytest.param("recipients", "2", "2 recipients are fewer than the 3 visitors so far", id="recipients"),
        pytest.param("sent_at", "2027-01-15T07:00", "3 of 3 clicks were made before it", id="after the clicks"),
        pytest.param("sent_at", "2031-01-01T00:00", "The sending time is in the future", id="2031"),
    ],
)
def test_the_details_form_asks(clicked: "EditorSite", field: str, value: str, message: str) -> None:
    """The first answer keeps the input and saves nothing; with the box ticked it is saved."""
    browser, before = clicked.client("editor"), issues.get(clicked.store, "may")
    asked = browser.post("/-/issues/may/facts", DETAILS | {field: value})
    assert asked.status_code == 400
    assert issues.get(clicked.store, "may") == before
    error = re.search(rf'id="{field}-error" role="alert">([^<]*)</p>', asked.text)
    assert error is not None
    assert message in error[1]
    assert f'value="{value}"' in asked.text
    assert asked.text.count(CHECKBOX) == 1
    german = {"Sec-Fetch-Site": "same-origin", "Accept-Language": "de"}
    assert "Das ist richtig, speichern" in browser.post("/-/issues/may/facts", DETAILS | {field: value}, **german).text
    saved = browser.post("/-/issues/may/facts", DETAILS | {field: value, "confirmed": "yes"})
    assert saved.status_code == 303
    assert getattr(issues.get(clicked.store, "may"), field) != getattr(before, field)
    assert CHECKBOX not in browser.get("/-/issues/may/setup").text


def test_a_scheduled_issue_is_called_so(site_with_issue: "EditorSite", monkeypatch: pytest.MonkeyPatch) -> None:
    """A planned time needs no confirmation, and the message says that the issue was not sent."""
    monkeypatch.setattr("shortener.web.context.time.time", lambda: float(NOW))
    browser = site_with_issue.client("editor")
    assert browser.post("/-/issues/may/facts", DETAILS | {"sent_at": "2027-02-01T08:00"}).status_code == 303
    page = browser.get("/-/issues/may/setup").text
    assert "Saved. The issue is scheduled" in page


def test_the_last_step_asks(clicked: "EditorSite", monkeypatch: pytest.MonkeyPatch) -> None:
    """Marking an issue as sent asks at its field, too, and stores nothing before."""
    clicked.add_issue("### [One](https://a.example/one)", slug="late", sent_at=None)
    browser = clicked.client("editor")
    form = {"when": "date", "sent_at": "2031-01-01T08:00", "recipients": ""}
    asked = browser.post("/-/issues/late/sent", form)
    assert re.search(r'id="sent_at-error" role="alert">The sending time is [\d,]+ days ahead', asked.text)
    assert 'value="2031-01-01T08:00"' in asked.text
    assert issues.get(clicked.store, "late").sent_at is None
    assert browser.post("/-/issues/late/sent", form | {"confirmed": "yes"}).status_code == 303
    assert issues.get(clicked.store, "late").sent_at is not None
