"""Tests of the review of a new issue: corrections, several rows at once, targets, and texts of known issues."""

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from shortener.services import issue_status
from shortener.services.add_issue import AddRequest, add_or_update_issue
from shortener.store import issues, links
from tests.store_content import dump
from tests.web.conftest import NOW
from tests.web.steps import add_text, form_fields, rows, send_review, upload

if TYPE_CHECKING:
    from tests.web.conftest import Browser, EditorSite

WHALES, SIEVE, ABOUT = "https://a.example/whales", "https://a.example/sieve", "https://a.example/about"
SOURCE = (
    f"# May\n\n### [Whales]({WHALES}) by Ingrid\n\nsongs\n\n"
    f"### [Sieve](https://go.example/old1) by Mateo\n\nsieves\n\n### [Kelp](https://a.example/kelp)\n\n"
    f"forests\n\n[About us]({ABOUT})\n"
)


def reviewed(browser: "Browser", path: str) -> dict[str, str]:
    """Return the fields of the review."""
    return form_fields(browser.get(path).text, path)


def shown(browser: "Browser", path: str) -> list[tuple[str, str, str]]:
    """Return title, position and role of each row of the review."""
    fields = reviewed(browser, path)
    return [
        (fields[f"title-{number}"], fields[f"position-{number}"], fields[f"role-{number}"])
        for number in rows(fields).values()
    ]


def stored_articles(site: "EditorSite", slug: str = "may") -> dict[str, issues.Article]:
    """Return the articles of the issue by URL."""
    return {article.url: article for article in issues.list_articles(site.store, issues.get(site.store, slug).id)}


def test_corrections_survive_going_back(site: "EditorSite") -> None:
    """Title, author, position, slug and target are saved, also when the text is replaced, and then stored."""
    browser = site.client("editor")
    path = add_text(browser, SOURCE)
    numbers = rows(reviewed(browser, path))
    sieve, whales = numbers["https://go.example/old1"], numbers[WHALES]
    changes = {
        f"title-{sieve}": "A cheaper sieve 🧪",
        f"position-{sieve}": "1",
        f"author-{whales}": "Ingrid Solheim",
        "title": "The May issue",
        "slug": "may",
        "target-0": SIEVE,
    }
    assert reviewed(browser, path)["todo-0"] == "https://go.example/old1"
    assert send_review(browser, path, "back", **changes).location == path.replace("review", "text")
    text = browser.get(path.replace("review", "text")).text
    assert "[About us]" in text
    edited = SOURCE.replace("songs", "songs, counted")
    assert browser.post(path.replace("review", "text"), {"source": edited}).location == path
    assert shown(browser, path) == [
        ("A cheaper sieve 🧪", "1", "article"),
        ("Whales", "2", "article"),
        ("Kelp", "3", "article"),
        ("About us", "", "other"),
    ]
    assert issues.find(site.store, "may") is None
    assert send_review(browser, path, "create").location == "/-/issues/may/ready"
    assert issues.get(site.store, "may").title == "The May issue"
    articles = stored_articles(site)
    sieve_article, whales_article = articles[SIEVE], articles[WHALES]
    assert (sieve_article.title, sieve_article.position, sieve_article.author) == ("A cheaper sieve 🧪", 1, "Mateo")
    assert (whales_article.title, whales_article.position, whales_article.author) == ("Whales", 2, "Ingrid Solheim")
    assert (sieve_article.corrected_fields, whales_article.corrected_fields) == ("position role title", "author")
    assert links.get(site.store, "go.example", "old1").target == SIEVE
    assert b"songs, counted" in issues.get_documents(site.store, issues.get(site.store, "may").id)[0]


def test_roles_of_several_rows(site: "EditorSite") -> None:
    """A button changes the role of the selected rows, and positions follow; a role can be changed back."""
    browser = site.client("editor")
    path = add_text(browser, SOURCE)
    assert send_review(browser, path, "inline", selected=[WHALES, "https://go.example/old1"]).status_code == 303
    assert [(position, role) for _, position, role in shown(browser, path)] == [
        ("", "inline"),
        ("", "inline"),
        ("1", "article"),
        ("", "other"),
    ]
    send_review(browser, path, "article", selected=[WHALES, ABOUT])
    assert shown(browser, path) == [
        ("Whales", "1", "article"),
        ("Sieve", "", "inline"),
        ("Kelp", "2", "article"),
        ("About us", "3", "article"),
    ]
    send_review(browser, path, "create", slug="may")
    articles = stored_articles(site)
    assert [articles[url].role for url in (WHALES, "https://go.example/old1", ABOUT)] == [
        "article",
        "inline",
        "article",
    ]


def test_everything_above_is_the_greeting(site: "EditorSite") -> None:
    """The button makes the articles above the first selected row inline links, and keeps a position below it."""
    browser = site.client("editor")
    path = add_text(browser, SOURCE)
    kelp = rows(reviewed(browser, path))["https://a.example/kelp"]
    send_review(browser, path, "look", **{f"position-{rows(reviewed(browser, path))[ABOUT]}": "3"})
    assert [row[0] for row in shown(browser, path)] == ["Whales", "Sieve", "About us", "Kelp"]
    send_review(browser, path, "greeting", selected=ABOUT)
    assert shown(browser, path) == [
        ("Whales", "", "inline"),
        ("Sieve", "", "inline"),
        ("About us", "1", "article"),
        ("Kelp", "2", "article"),
    ]
    assert kelp == 2


@pytest.mark.parametrize("action", ["article", "inline", "other", "greeting"])
def test_nothing_selected(site: "EditorSite", action: str) -> None:
    """A button for several rows without a selected row shows a message and changes nothing."""
    browser = site.client("editor")
    path = add_text(browser, SOURCE)
    response = send_review(browser, path, action)
    assert (response.status_code, "Select at least one row first" in response.text) == (400, True)


WRONG_FIELDS: dict[str, tuple[dict[str, Any], str]] = {
    "position": ({"position-0": "first"}, "position-0"),
    "title of an article": ({"title-0": "x" * 501}, "title-0"),
    "title": ({"title": "x" * 501}, "title"),
    "kind": ({"role-0": "sponsor"}, "role-0"),
    "slug with a slash": ({"slug": "../x"}, "slug"),
    "slug of a removed draft": ({"slug": "gone"}, "slug"),
    "target": ({"target-0": "javascript:alert(1)"}, "target-0"),
    "targets of another domain": ({"targets_file": b"bit.ly/x,https://a.example/"}, "targets_file"),
    "targets without a comma": ({"targets_file": b"https://go.example/old1"}, "targets_file"),
    "target that contradicts a stored one": (
        {"targets_file": b"https://go.example/taken,https://a.example/other"},
        "targets_file",
    ),
}


@pytest.mark.parametrize(("fields", "field"), WRONG_FIELDS.values(), ids=WRONG_FIELDS.keys())
def test_invalid_corrections(site: "EditorSite", fields: dict[str, Any], field: str) -> None:
    """An invalid value is refused at its field with the other values kept, and nothing is saved."""
    site.add_issue("# Gone", slug="gone", sent_at=None)
    issue_status.remove_issue(site.store, "gone", who="editor", now=NOW)
    with site.store.transaction():
        links.add(site.store, "go.example", "taken", target="https://a.example/taken", now=1)
    browser = site.client("editor")
    path = add_text(browser, f"{SOURCE}\n[Taken](https://go.example/taken)\n")
    before = dump(site.store)
    if "targets_file" in fields:
        fields = {"targets_file": upload(fields["targets_file"], "targets.csv")}
    response = send_review(browser, path, "create", **{"author-1": "Kept"} | fields)
    assert response.status_code in {400, 409}, response.location
    assert f'id="{field}-error"' in response.text
    assert 'value="Kept"' in response.text
    assert dump(site.store) == before


@pytest.mark.parametrize(
    ("slug", "error"),
    [
        ("may", "This is the slug of May: songs and sieves; choose another, or update that issue."),
        ("gone", "gone: this issue was removed; restore it from the list of issues, or choose another slug."),
        ("a/b", "'a/b' cannot be a slug: expected up to 100 letters, digits and hyphens."),
        ("x" * 101, "cannot be a slug"),
        ("", "cannot be a slug"),
        ("june", ""),
    ],
)
def test_slugs_are_checked_while_typing(site_with_issue: "EditorSite", slug: str, error: str) -> None:
    """The check says why a new issue cannot have a slug."""
    site_with_issue.add_issue("# Gone", slug="gone", sent_at=None)
    issue_status.remove_issue(site_with_issue.store, "gone", who="editor", now=NOW)
    answer = site_with_issue.client("editor").get("/-/new-issue/slug.json?" + urlencode({"slug": slug})).get_json()
    assert error in answer["error"] if error else answer == {"error": ""}


def test_targets_from_files(site: "EditorSite") -> None:
    """A CSV file beside the text, or one in the review, sets targets; an emptied field removes one."""
    browser = site.client("editor")
    table = b"short_url,target\nhttps://go.example/old1,https://a.example/sieve\nhttps://go.example/unused,https://a.example/"
    path = add_text(browser, SOURCE, file=upload(table, "targets.csv"))
    assert reviewed(browser, path)["target-0"] == SIEVE
    assert SIEVE in rows(reviewed(browser, path))
    send_review(browser, path, "look", **{"target-0": ""})
    assert "https://go.example/old1" in rows(reviewed(browser, path))
    assert "1 short link in the text has no destination yet" in browser.get(path).text
    send_review(browser, path, "import", targets_file=upload(table, "anything.txt"))
    assert SIEVE in rows(reviewed(browser, path))


def test_targets_are_bounded(site: "EditorSite", monkeypatch: pytest.MonkeyPatch) -> None:
    """The review refuses more targets than an upload may have, also when they come in several files."""
    monkeypatch.setattr("shortener.services.new_issue.MAX_TARGETS", 2)
    browser = site.client("editor")
    path = add_text(browser, SOURCE, file=upload(b"https://go.example/old1,https://a.example/sieve", "targets.csv"))
    before = dump(site.store)
    table = b"https://go.example/old2,https://a.example/\nhttps://go.example/old3,https://a.example/"
    response = send_review(browser, path, "import", targets_file=upload(table, "targets.csv"))
    assert response.status_code == 400
    assert re.search(r'id="targets_file-error" role="alert">This has more than 2 short links', response.text)
    assert dump(site.store) == before


def test_enter_saves_and_creates_nothing(site: "EditorSite") -> None:
    """The first button of the form, which Enter presses, saves corrections."""
    browser = site.client("editor")
    path = add_text(browser, SOURCE)
    form = browser.get(path).text.partition(f'<form method="post" action="{path}"')[2]
    first = re.search(r"<button[^>]*>", form)
    assert first is not None
    assert 'name="action" value="look"' in first[0]


def test_changes_in_two_windows(site: "EditorSite") -> None:
    """A form that was opened before another one was saved changes nothing, and the page shows what was saved."""
    browser = site.client("editor")
    path = add_text(browser, SOURCE)
    stale = reviewed(browser, path)
    send_review(browser, path, "look", title="Saved")
    response = browser.post(path, stale | {"action": "create", "title": "Stale"})
    assert response.location == path
    page = browser.get(path).text
    assert "changed in another window" in page
    assert reviewed(browser, path)["title"] == "Saved"
    assert site.store.value("select count(*) from issues") == 0


def test_many_rows_have_pages(site: "EditorSite") -> None:
    """Of 250 articles 100 are on a page, and a correction on the last page is saved."""
    source = "# May\n\n" + "".join(f"### [Article {n}](https://a.example/{n})\n\ntext\n\n" for n in range(250))
    browser = site.client("editor")
    path = add_text(browser, source)
    assert len(rows(reviewed(browser, path))) == 100
    last = f"{path}?page=3"
    fields = form_fields(browser.get(last).text, path)
    assert list(rows(fields)) == [f"https://a.example/{n}" for n in range(200, 250)]
    response = browser.post(path, fields | {"action": "look", "title-0": "Two hundred"})
    assert response.location == last
    assert form_fields(browser.get(last).text, path)["title-0"] == "Two hundred"


def known_issue(site: "EditorSite") -> tuple[bytes, bytes]:
    """Add the issue ``may`` of three articles, and return its source and its output."""
    source = SOURCE.replace("https://go.example/old1", SIEVE)
    site.add_issue(source)
    return issues.get_documents(site.store, issues.get(site.store, "may").id)


def issue_content(site: "EditorSite") -> list[str]:
    """Return the content of the store without sessions and uploads."""
    return [line for line in dump(site.store).splitlines() if "sessions" not in line and "uploads" not in line]


KNOWN = {
    "its output under another name": lambda source, output: (output, "june.md"),
    "its source under another name": lambda source, output: (source, "june.md"),
    "other text under its slug": lambda source, output: (b"### [Tides](https://a.example/tides)\n", "may.md"),
}


@pytest.mark.parametrize("choose", KNOWN.values(), ids=KNOWN.keys())
def test_known_text_is_asked_about(site: "EditorSite", choose: Any) -> None:
    """Text or slug of an issue is not stored before the editor says what happens; the review names the issue."""
    source, name = choose(*known_issue(site))
    browser = site.client("editor")
    path = add_text(browser, file=upload(source, name))
    page = browser.get(path).text
    assert "This is May, which exists already." in page
    assert "(sent " in page
    before = issue_content(site)
    response = send_review(browser, path, "create")
    assert (response.status_code, 'id="known-error"' in response.text) == (400, True)
    assert issue_content(site) == before


def test_update_of_a_known_issue(site: "EditorSite") -> None:
    """Its output with other text updates the issue, whose links keep their codes; the slug cannot be changed."""
    _, output = known_issue(site)
    codes = {link.code for link in links.list_by_issue(site.store, issues.get(site.store, "may").id)}
    browser = site.client("editor")
    path = add_text(browser, file=upload(output.replace(b"songs", b"songs, counted"), "june.md"))
    assert send_review(browser, path, "create", known="update").location == "/-/issues/may/ready"
    issue = issues.get(site.store, "may")
    assert b"songs, counted" in issues.get_documents(site.store, issue.id)[1]
    assert {link.code for link in links.list_by_issue(site.store, issue.id)} == codes
    assert site.store.value("select count(*) from issues") == 1


def test_copy_of_a_known_issue(site: "EditorSite") -> None:
    """Text of an issue becomes another one under a slug that is suggested, or under one that is entered."""
    source, output = known_issue(site)
    browser = site.client("editor")
    path = add_text(browser, file=upload(output, "may.out.md"))
    send_review(browser, path, "look", known="copy")
    assert reviewed(browser, path)["slug"] == "may-2"
    assert send_review(browser, path, "create").location == "/-/issues/may-2/ready"
    path = add_text(browser, file=upload(source, "x.md"))
    assert send_review(browser, path, "create", known="copy", slug="june").location == "/-/issues/june/ready"
    assert [row[0] for row in site.store.execute("select slug from issues order by slug")] == ["june", "may", "may-2"]


def test_choice_for_one_issue_is_none_for_another(site: "EditorSite") -> None:
    """After "update it", the slug of a third issue is asked about again."""
    known_issue(site)
    request = AddRequest(source=b"# April", filename="april.md", slug="april")
    add_or_update_issue(site.store, request, config=site.config, now=NOW)
    browser = site.client("editor")
    path = add_text(
        browser,
        "# Tides\n\n### [Tides](https://a.example/tides)",
    )
    send_review(browser, path, "look", slug="may")
    send_review(browser, path, "look", known="update")
    response = send_review(browser, path, "create", slug="april")
    assert response.status_code == 400
    assert "This is April" in response.text


def test_add_the_same_issue_again(site_with_issue: "EditorSite") -> None:
    """Adding the document of an issue again changes nothing in the store but the finished upload."""
    source = issues.get_documents(site_with_issue.store, issues.get(site_with_issue.store, "may").id)[0]
    browser = site_with_issue.client("editor")
    before = issue_content(site_with_issue)
    path = add_text(browser, file=upload(source))
    response = send_review(browser, path, "create", known="update")
    assert "The issue is unchanged." in browser.get(response.location).text
    assert issue_content(site_with_issue) == before


def test_rendered_text(site: "EditorSite") -> None:
    """The frame has the position of each article at its links; other links have none, and nothing runs or loads."""
    browser = site.client("editor")
    path = add_text(browser, SOURCE + "\n<script>alert(1)</script><img src=https://evil.example/x.png>\n")
    response = browser.get(path.replace("review", "preview"))
    assert re.findall(r"<shortener-badge[^>]*>([^<]*)</shortener-badge>", response.text) == ["1", "2", "3"]
    assert response.text.count('data-tone="none"') == 1
    assert "<script" not in response.text
    assert "evil.example" not in response.text
    assert "sandbox allow-same-origin" in response.headers["Content-Security-Policy"]
