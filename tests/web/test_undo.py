"""Tests of undoing what was changed on pages: from the notice, from the history, and what cannot be undone."""

import html
import re
import time
from typing import TYPE_CHECKING

import pytest

from shortener.collector.rebuild import rebuild
from shortener.services import accounts
from shortener.store import issues, links, page_changes

if TYPE_CHECKING:
    from tests.web.conftest import Browser, EditorSite

NOW = 1_800_000_000
WHALES = "https://a.example/whales"
UNCHANGED_TABLES = ("issues", "articles", "users", "decisions")


def forms(page: str) -> list[tuple[str, dict[str, str]]]:
    """Return action and hidden fields of each form of a page."""
    return [
        (html.unescape(action), {name: html.unescape(value) for name, value in re.findall(HIDDEN_FIELD, body)})
        for action, body in re.findall(r'<form method="post" action="([^"]+)"[^>]*>(.*?)</form>', page, flags=re.S)
    ]


HIDDEN_FIELD = r'<input type="hidden" name="([^"]+)" value="([^"]*)"'
ACTS: dict[str, tuple[str, dict[str, str]]] = {
    "details": ("/-/issues/may/facts", {"title": "June", "sent_at": "", "recipients": ""}),
    "article": ("/-/issues/may/articles", {"url-0": WHALES, "title-0": "Sieves", "position-0": ""}),
    "roles": ("/-/issues/may/articles", {"url-0": WHALES, "action": "inline", "selected": WHALES}),
    "sending": ("/-/issues/may/sent", {"when": "date", "sent_at": "2026-01-15T07:00", "recipients": "7"}),
    "role of a user": ("/-/settings/users/role", {"name": "editor", "role": "viewer"}),
    "removal of a user": ("/-/settings/users/remove", {"name": "editor"}),
}


def state(site: "EditorSite") -> dict[str, object]:
    """Return the rows that an undone change leaves as they were, without ids and times of change."""
    skipped = {"id", "updated_at", "created_at", "seen_at"}
    return {
        table: [
            {name: row[name] for name in row if name not in skipped}
            for row in site.store.rows(f"select * from {table} order by 2, 3")
        ]
        for table in UNCHANGED_TABLES
    }


@pytest.mark.parametrize("source", ["notice", "history"])
@pytest.mark.parametrize(("path", "fields"), ACTS.values(), ids=ACTS.keys())
def test_change_is_undone(site_with_issue: "EditorSite", path: str, fields: dict[str, str], source: str) -> None:
    """A change is undone by the request in its notice, and later from the history of the page."""
    site, admin = site_with_issue, site_with_issue.client("admin")
    before = state(site)
    if path.endswith("/articles"):
        setup = admin.get("/-/issues/may/setup").text
        fields = fields | {"seen": next(hidden["seen"] for action, hidden in forms(setup) if action == path)}
    page = admin.get(admin.post(path, fields).location)
    assert state(site) != before
    if source == "history":
        page = admin.get("/-/issues/may/setup" if page.request.path.endswith("/ready") else page.request.path)
    undo = [(action, hidden) for action, hidden in forms(page.text) if action == "/-/undo"]
    has_history = not page.request.path.endswith("/ready")
    assert len(undo) == (2 if source == "notice" and has_history else 1)
    assert "Undone" in admin.get(admin.post(*undo[0]).location).text
    assert state(site) == before
    assert "this was changed again" not in page.text
    assert "cannot be undone" in admin.get(admin.post(*undo[0]).location).text


def test_history_keeps_the_case_of_a_user_name(site_with_issue: "EditorSite") -> None:
    """The history names a user as the user is called."""
    admin = site_with_issue.client("admin")
    page = admin.get(admin.post("/-/settings/users/remove", {"name": "editor"}).location)
    assert "editor was removed" in page.text
    assert "Editor was removed" not in page.text


def test_later_change_is_kept(site_with_issue: "EditorSite") -> None:
    """A change is not undone if its values have changed again, and the later values stay."""
    browser = site_with_issue.client("editor")
    page = browser.get(browser.post("/-/issues/may/facts", {"title": "June", "recipients": "300"}).location)
    undo = next((action, hidden) for action, hidden in forms(page.text) if action == "/-/undo")
    browser.post("/-/issues/may/facts", {"title": "July", "recipients": "300"})
    assert "cannot be undone" in browser.get(browser.post(*undo).location).text
    assert issues.get(site_with_issue.store, "may").title == "July"
    german = {"Accept-Language": "de"}
    path, hidden = undo
    refused = browser.post(path, hidden, **{"Sec-Fetch-Site": "same-origin", "Accept-Language": "de"})
    assert "Das wurde inzwischen wieder geändert" in browser.get(refused.location, **german).text


def test_only_admins_undo_changes_of_users(site: "EditorSite") -> None:
    """An editor cannot undo the removal of a user."""
    admin = site.client("admin")
    admin.post("/-/settings/users/remove", {"name": "viewer"})
    assert site.client("editor").post("/-/undo", {"change": "1"}).status_code == 403
    assert admin.post("/-/undo", {"change": "1"}).status_code == 303
    assert site.client("viewer").get("/-/issues").status_code == 200


@pytest.mark.parametrize("change", ["", "x", "99", "9" * 30, "-1", "²"])
def test_unknown_changes(site: "EditorSite", change: str) -> None:
    """A change that does not exist gets an error page."""
    assert site.client("editor").post("/-/undo", {"change": change}).status_code == 404


def test_changes_are_deleted_after_30_days(site_with_issue: "EditorSite") -> None:
    """A change is deleted when it cannot be undone any more."""
    store = site_with_issue.store
    site_with_issue.client("editor").post("/-/issues/may/facts", {"title": "June"})
    change = page_changes.get(store, 1)
    assert page_changes.purge(store, now=change.at + 30 * 86_400) == 0
    assert page_changes.purge(store, now=change.at + 30 * 86_400 + 1) == 1


def test_draft_is_removed_and_restored(site: "EditorSite") -> None:
    """A removed draft leaves the list, its links are retired, and both come back; a sent issue is archived."""
    site.add_issue(slug="june", sent_at=None)
    browser = site.client("editor")
    page = browser.get(browser.post("/-/issues/june/status", {"action": "remove"}).location).text
    link = links.list_by_issue(site.store, issues.get(site.store, "june").id)[0]
    assert link.status == "retired"
    undo = next((action, hidden) for action, hidden in forms(page) if hidden == {"action": "restore"})
    assert "1 archived or removed issue" in page
    browser.post(*undo)
    assert links.get(site.store, link.domain, link.code).status == "active"
    assert "archived or removed" not in browser.get("/-/issues").text


@pytest.fixture
def sent_site(site: "EditorSite") -> "EditorSite":
    """Installation with the issue ``may``, sent an hour ago."""
    site.add_issue(sent_at=int(time.time()) - 3_600)
    return site


def test_sent_issue_is_archived(sent_site: "EditorSite") -> None:
    """A sent issue cannot be removed; archived, it is in the list of archived issues and can be shown again."""
    browser = sent_site.client("editor")
    refused = browser.post("/-/issues/may/status", {"action": "remove"})
    assert refused.status_code == 400
    assert "only a draft can be removed" in refused.text
    page = browser.get(browser.post("/-/issues/may/status", {"action": "archive"}).location).text
    assert ">Archived<" in page
    browser.post(*next((action, hidden) for action, hidden in forms(page) if hidden == {"action": "unarchive"}))
    assert issues.get(sent_site.store, "may").archived_at is None
    assert browser.post("/-/issues/may/status", {"action": "delete"}).status_code == 400


def retire(browser: "Browser", path: str) -> str:
    """Try to retire a link, and return the page that follows."""
    return browser.get(browser.post(f"{path}/status", {"status": "retired"}).location).text


def test_link_of_a_sent_issue_is_retired_after_a_question(sent_site: "EditorSite") -> None:
    """The question says how many people clicked the link lately; only its confirmation retires the link."""
    site, browser = sent_site, sent_site.client("editor")
    link = links.list_by_issue(site.store, issues.get(site.store, "may").id)[0]
    path = f"/-/links/{link.domain}/{link.code}"
    assert "Nobody clicked it in the last 7 days" in retire(browser, path)
    site.store.execute(
        "insert into clicks (id, ts, link_id, n, issue_id, verdict, reason, rules_version, first_visits, visitor) "
        "values ('a', unixepoch() * 1000, ?, 1, 1, 'human', 'reader', 1, 15, 'v')",
        (link.id,),
    )
    rebuild(site.store, on_progress=lambda _: None)
    page = retire(browser, path)
    assert "1 person clicked it in the last 7 days" in page
    assert "200 recipients" in page
    assert links.get(site.store, link.domain, link.code).status == "active"
    browser.post(*next((action, hidden) for action, hidden in forms(page) if "confirmed" in hidden))
    assert links.get(site.store, link.domain, link.code).status == "retired"


def test_link_of_a_draft_is_retired_at_once(site: "EditorSite") -> None:
    """A link that no sent issue contains is retired without a question, with an undo."""
    site.add_issue(slug="june", sent_at=None)
    browser = site.client("editor")
    link = links.list_by_issue(site.store, issues.get(site.store, "june").id)[0]
    path = f"/-/links/{link.domain}/{link.code}"
    page = retire(browser, path)
    assert links.get(site.store, link.domain, link.code).status == "retired"
    browser.post(*next((action, hidden) for action, hidden in forms(page) if hidden == {"status": "active"}))
    assert links.get(site.store, link.domain, link.code).status == "active"


def test_edits_of_a_link_are_reverted(site: "EditorSite") -> None:
    """The last change of target and title is reverted; an earlier one is refused."""
    links.add(site.store, "go.example", "one", target="https://a.example/one", title="One", now=NOW)
    browser, path = site.client("editor"), "/-/links/go.example/one"
    browser.post(f"{path}/title", {"title": "Two"})
    page = browser.get(
        browser.post(f"{path}/target", {"target": "https://a.example/two", "was": "https://a.example/one"}).location
    ).text
    reverts = [hidden for action, hidden in forms(page) if action.endswith("/revert")]
    assert {hidden["field"] for hidden in reverts} == {"target", "title"}
    for hidden in {hidden["field"]: hidden for hidden in reverts}.values():
        assert browser.post(f"{path}/revert", hidden).status_code == 303
    link = links.get(site.store, "go.example", "one")
    assert (link.target, link.title) == ("https://a.example/one", "One")
    assert browser.post(f"{path}/revert", {"field": "target", "at": "5"}).status_code == 409
    assert browser.post(f"{path}/revert", {"field": "honeypot", "at": "5"}).status_code == 409


def test_removed_user_can_sign_in_again_after_undo(site: "EditorSite") -> None:
    """A restored user has the old password and role, and a new one of that name is not replaced."""
    admin = site.client("admin")
    admin.post("/-/settings/users/remove", {"name": "editor"})
    admin.post("/-/settings/users", {"name": "editor", "role": "viewer"})
    assert "cannot be undone" in admin.get(admin.post("/-/undo", {"change": "1"}).location).text
    accounts.remove_user(site.store, "editor")
    admin.post("/-/undo", {"change": "1"})
    assert site.client("editor").get("/-/new-issue").status_code == 200
