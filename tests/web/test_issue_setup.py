"""Tests of the tab Setup of an issue and of the last step of a new one."""

import re
from typing import TYPE_CHECKING

import pytest

from shortener.store import issues, links
from tests.web.conftest import NOW
from tests.web.steps import form_fields, rows, upload

if TYPE_CHECKING:
    from tests.web.conftest import Browser, EditorSite

WHALES, SIEVE = "https://a.example/whales", "https://a.example/sieve"
ARTICLES = "/-/issues/may/articles"


def stored(site: "EditorSite") -> dict[str, issues.Article]:
    """Return the articles and links of the issue by URL."""
    return {article.url: article for article in issues.list_articles(site.store, issues.get(site.store, "may").id)}


def fields_of(browser: "Browser") -> dict[str, str]:
    """Return the fields of the form of articles and links."""
    return form_fields(browser.get("/-/issues/may/setup").text, ARTICLES)


def test_one_save_for_all_rows(site_with_issue: "EditorSite") -> None:
    """Title, author, summary, position and kind of several rows are saved at once and undone at once."""
    site, browser = site_with_issue, site_with_issue.client("editor")
    before, fields = stored(site), fields_of(browser)
    numbers = rows(fields)
    sieve, whales, ingrid = (numbers[url] for url in (SIEVE, WHALES, "https://a.example/people/ingrid"))
    changes = {
        f"position-{sieve}": "1",
        f"title-{sieve}": "A sieve",
        f"summary-{whales}": "Songs,\r\ncounted.",
        f"author-{whales}": "Ingrid S.",
        f"role-{ingrid}": "inline",
    }
    page = browser.get(browser.post(ARTICLES, fields | changes).location).text
    after = stored(site)
    assert "3 links corrected." in page
    assert (after[SIEVE].title, after[SIEVE].position, after[WHALES].position) == ("A sieve", 1, 2)
    assert (after[WHALES].summary, after[WHALES].author) == ("Songs,\ncounted.", "Ingrid S.")
    assert after["https://a.example/people/ingrid"].role == "inline"
    assert after[SIEVE].corrected_fields == "position role title"
    change = re.search(r'name="change" value="(\d+)"', page)
    assert change is not None
    browser.post("/-/undo", {"change": change[1]})
    assert stored(site) == before


def test_unchanged_rows_are_no_corrections(site_with_issue: "EditorSite") -> None:
    """Saving without a change stores nothing, so that a new version of the issue still sets all fields."""
    site, browser = site_with_issue, site_with_issue.client("editor")
    before = stored(site)
    page = browser.get(browser.post(ARTICLES, fields_of(browser)).location).text
    assert "Nothing was changed." in page
    assert stored(site) == before


def test_roles_of_several_rows(site_with_issue: "EditorSite") -> None:
    """A button changes the selected rows; "everything above" leaves the selected one and those below it."""
    site, browser = site_with_issue, site_with_issue.client("editor")
    browser.post(ARTICLES, {**fields_of(browser), "action": "inline", "selected": [WHALES, SIEVE]})
    assert {stored(site)[url].role for url in (WHALES, SIEVE)} == {"inline"}
    browser.post(ARTICLES, {**fields_of(browser), "action": "article", "selected": [WHALES, SIEVE]})
    assert [stored(site)[url].position for url in (WHALES, SIEVE)] == [1, 2]
    browser.post(ARTICLES, {**fields_of(browser), "action": "greeting", "selected": SIEVE})
    assert [(stored(site)[url].role, stored(site)[url].position) for url in (WHALES, SIEVE)] == [
        ("inline", None),
        ("article", 1),
    ]


REFUSED = {
    "nothing selected": ({"action": "inline"}, "selected"),
    "position": ({"position-0": "first"}, "position-0"),
    "title": ({"title-0": "x" * 501}, "title-0"),
    "kind": ({"role-0": "sponsor"}, "role-0"),
}


@pytest.mark.parametrize(("changes", "field"), REFUSED.values(), ids=REFUSED.keys())
def test_refused_rows(site_with_issue: "EditorSite", changes: dict[str, str], field: str) -> None:
    """An invalid row gets 400 with the error at its field, keeps the other values, and nothing is stored."""
    site, browser = site_with_issue, site_with_issue.client("editor")
    before = stored(site)
    response = browser.post(ARTICLES, fields_of(browser) | {"author-1": "Kept"} | changes)
    assert response.status_code == 400
    assert f'id="{field}-error"' in response.text
    assert 'value="Kept"' in response.text
    assert stored(site) == before


def test_a_title_is_one_line(site_with_issue: "EditorSite") -> None:
    """A title that was typed in several lines is saved in one."""
    browser = site_with_issue.client("editor")
    browser.post(ARTICLES, fields_of(browser) | {"title-0": "Whales\r\nby ear"})
    assert fields_of(browser)["title-0"] == "Whales by ear"


def test_changes_in_two_windows(site_with_issue: "EditorSite") -> None:
    """A form that was opened before another one was saved changes nothing."""
    site, browser = site_with_issue, site_with_issue.client("editor")
    stale = fields_of(browser)
    browser.post(ARTICLES, fields_of(browser) | {"title-0": "Saved"})
    saved = stored(site)
    page = browser.get(browser.post(ARTICLES, stale | {"title-1": "Stale"}).location).text
    assert "changed in another window" in page
    assert stored(site) == saved


def test_links_without_a_target(site: "EditorSite") -> None:
    """Targets of adopted short links are entered together or come from a CSV file; a wrong one saves none."""
    site.add_issue(
        "# May\n\n### [Whales](https://go.example/old1)\n\n[b](https://go.example/old2)\n\n[x](https://bit.ly/x)\n",
        sent_at=None,
    )
    browser, path = site.client("editor"), "/-/issues/may/targets"
    page = browser.get("/-/issues/may/setup").text
    assert "2 short links have no destination yet" in page
    assert "These destinations are short links of other services" in page
    fields = form_fields(page, path)
    assert [fields["todo-0"], fields["todo-1"]] == ["https://go.example/old1", "https://go.example/old2"]
    for target in ("javascript:alert(1)", "http://10.0.0.1/", "https://go.example/old1", ""):
        response = browser.post(path, fields | {"target-0": target, "target-1": "" if not target else WHALES})
        assert response.status_code == 400, target
    foreign = browser.post(path, {"todo-0": "https://go.example/other", "target-0": WHALES})
    assert (foreign.status_code, "is no short link of this issue" in foreign.text) == (400, True)
    assert links.get(site.store, "go.example", "old2").target is None
    table = upload(b"go.example/old2,https://a.example/b\n", "targets.csv")
    assert browser.post(path, {**fields, "target-0": WHALES, "targets_file": table}).status_code == 303
    targets = [links.get(site.store, "go.example", code).target for code in ("old1", "old2")]
    assert targets == [WHALES, "https://a.example/b"]
    page = browser.get("/-/issues/may/setup").text
    assert "Copy for sending" in page
    assert "Undo" not in page, "a destination does not become unknown again"
    table = upload(b"go.example/old1,https://a.example/new\n", "targets.csv")
    browser.post(path, {"targets_file": table})
    page = browser.get("/-/issues/may/setup").text
    assert links.get(site.store, "go.example", "old1").target == "https://a.example/new"
    (change,) = {*re.findall(r'name="change" value="(\d+)"', page)}
    browser.post("/-/undo", {"change": change})
    targets = [links.get(site.store, "go.example", code).target for code in ("old1", "old2")]
    assert targets == [WHALES, "https://a.example/b"]
    assert next(article.url for article in issues.list_articles(site.store, 1)) == WHALES


NEXT_STEPS = {
    "draft": (None, 200, "Copy for sending"),
    "sent": (NOW - 86_400, 200, "Show results"),
    "sent, recipients unknown": (NOW - 86_400, None, "Enter recipients"),
    "scheduled": (NOW + 86_400, 200, "Copy for sending"),
}


@pytest.mark.parametrize(("sent_at", "recipients", "step"), NEXT_STEPS.values(), ids=NEXT_STEPS.keys())
def test_next_step(
    site: "EditorSite", monkeypatch: pytest.MonkeyPatch, sent_at: int | None, recipients: int | None, step: str
) -> None:
    """The page names one next step for the state of the issue; a viewer sees no form."""
    monkeypatch.setattr("shortener.web.context.time.time", lambda: float(NOW))
    site.add_issue(sent_at=sent_at)
    issues.update(site.store, issues.get(site.store, "may").id, now=NOW, recipients=recipients)
    page = site.client("editor").get("/-/issues/may/setup").text
    box = page.partition('<div class="next-step">')[2].partition("</div>")[0]
    assert step in box
    main = site.client("viewer").get("/-/issues/may/setup").text.partition("<main")[2]
    assert "<form" not in main
    assert "<input" not in main
    assert "Counting whales" in main


def test_former_address(site_with_issue: "EditorSite") -> None:
    """The former addresses of the page and its files lead on to it."""
    viewer = site_with_issue.client("viewer")
    for suffix in ("", ".json", ".csv"):
        assert viewer.get(f"/-/issues/may/contents{suffix}?page=2").location == f"/-/issues/may/setup{suffix}?page=2"


def test_mark_as_sent(site: "EditorSite", monkeypatch: pytest.MonkeyPatch) -> None:
    """An issue is marked as sent now or at a time of the site's zone, and the notice undoes it."""
    monkeypatch.setattr("shortener.web.context.time.time", lambda: float(NOW))
    site.add_issue(sent_at=None)
    browser = site.client("editor")
    entered = "2027-01-14T08:00"  # in the field that is hidden again while "now" is chosen
    response = browser.post("/-/issues/may/sent", {"when": "now", "sent_at": entered, "recipients": "12,400"})
    assert response.location == "/-/issues/may/ready"
    issue = issues.get(site.store, "may")
    assert (issue.sent_at, issue.recipients) == (NOW, 12_400)
    page = browser.get(response.location).text
    change = re.search(r'name="change" value="(\d+)"', page)
    assert change is not None
    browser.post("/-/undo", {"change": change[1]})
    assert issues.get(site.store, "may").sent_at is None
    missing = browser.post("/-/issues/may/sent", {"when": "date", "sent_at": ""})
    assert (missing.status_code, "Enter when you sent it" in missing.text) == (400, True)
    browser.post("/-/issues/may/sent", {"when": "date", "sent_at": "2027-01-14T08:00"})
    assert issues.get(site.store, "may").sent_at == 1_799_913_600


def test_document_to_copy(site: "EditorSite", monkeypatch: pytest.MonkeyPatch) -> None:
    """The last step contains the document with short links; a large one and a mail are for download only."""
    site.add_issue(sent_at=None)
    browser = site.client("viewer")
    page = browser.get("/-/issues/may/ready").text
    assert "https://go.example/" in page
    assert "Copy Markdown" in page
    monkeypatch.setattr("shortener.web.views.issue_ready.MAX_COPIED_BYTES", 10)
    page = browser.get("/-/issues/may/ready").text
    assert "Copy Markdown" not in page
    assert "/-/issues/may/download" in page
