"""An issue after it was added: edited, read again, recurring links, mails, removed and archived."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shortener.config import Config, Domain, Storage
from shortener.errors import InputError
from shortener.reporting.issue_contents import IssueContents, load_issue_contents, load_other_links
from shortener.services import edit, issue_status
from shortener.services.add_issue import (
    AddRequest,
    AddResult,
    add_or_update_issue,
    preview_issue,
    reread_issue,
    untouched_links,
)
from shortener.services.plan_contents import plan_contents
from shortener.store import Store, issues, links, listings, open_store
from tests.postgres import both_engines
from tests.store_content import dump

pytestmark = both_engines

NOW = 1_795_500_000
DAY = 86_400
U = "https://x.example.org/"
FIRST = f"# K\n\n## N\n\n- [Nets]({U}1) by Ann Lee\n- [Ropes]({U}2) by Flo Hart\n- [Buoys]({U}3)\n"
EDITED = f"# K\n\n## N\n\n- [New]({U}0)\n- [Nets]({U}1) by Ann Lee\n- [Ropes]({U}2) by Flo Hart\n- [Buoys]({U}3b)\n"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Return a configuration with one domain."""
    return Config(domain=(Domain(host="go.example"),), storage=Storage(data=str(tmp_path / "data")))


@pytest.fixture
def store(config: Config, store_url: str) -> Iterator[Store]:
    """Yield an empty store."""
    store = open_store(config.data_directory, url=store_url)
    yield store
    store.close()


def add(store: Store, config: Config, text: str | bytes, *, slug: str = "may", **more: Any) -> AddResult:
    """Add an issue."""
    source = text.encode() if isinstance(text, str) else text
    request = AddRequest(source=source, filename=more.pop("filename", "may.md"), slug=slug, **more)
    return add_or_update_issue(store, request, config=config, now=NOW)


def contents(store: Store, config: Config, slug: str = "may") -> IssueContents:
    """Return the contents of an issue."""
    return load_issue_contents(store, slug, config=config, now=NOW)


def codes(store: Store, config: Config) -> dict[str | None, str]:
    """Return the short URL of every target."""
    return {link.target: link.short_url for link in contents(store, config).links}


def test_corrected_url_keeps_article_and_code(store: Store, config: Config) -> None:
    """The link leads to the new target, the edit is recorded, and positions are 1 to N."""
    add(store, config, FIRST)
    before = codes(store, config)
    edit.correct_article(store, "may", f"{U}3", config=config, author="Cy Reed")
    result = add(store, config, EDITED)
    shown = contents(store, config)
    assert [(a.position, a.url, a.author) for a in shown.articles] == [
        (1, f"{U}0", ""),
        (2, f"{U}1", "Ann Lee"),
        (3, f"{U}2", "Flo Hart"),
        (4, f"{U}3b", "Cy Reed"),
    ]
    assert all(article.links for article in shown.articles)
    assert codes(store, config)[f"{U}3b"] == before[f"{U}3"]
    assert any(f"{U}3: the link leads to {U}3b now" in warning for warning in result.warnings)
    link = next(link for link in links.list_by_issue(store, 1) if link.target == f"{U}3b")
    assert [(e["field"], e["old"], e["new"]) for e in links.list_edits(store, link.id)] == [
        ("target", f"{U}3", f"{U}3b")
    ]
    assert not add(store, config, EDITED).changed


def test_article_that_is_gone_leaves_no_position(store: Store, config: Config) -> None:
    """An article that the edited file has no more is an other link: it redirects, and has no position."""
    add(store, config, FIRST)
    add(store, config, FIRST.replace(f"- [Ropes]({U}2) by Flo Hart\n", ""))
    assert [(a.position, a.title) for a in contents(store, config).articles] == [(1, "Nets"), (2, "Buoys")]
    roles = {link.target: (link.role, link.placements) for link in contents(store, config).links}
    assert roles[f"{U}2"] == ("other", ())


def test_same_text_twice_is_not_guessed(store: Store, config: Config) -> None:
    """Two new targets with the text of one that is gone get links of their own."""
    add(store, config, f"- [Nets]({U}1)\n")
    add(store, config, f"- [Nets]({U}2)\n- [Nets]({U}3)\n")
    assert set(codes(store, config)) == {f"{U}1", f"{U}2", f"{U}3"}


def test_preview_is_the_plan(store: Store, config: Config) -> None:
    """A preview stores nothing and shows what is stored afterwards, corrections included."""
    request = AddRequest(
        source=FIRST.encode(),
        filename="may.md",
        corrections=(edit.ArticleEdit(f"{U}3", title="Buoys!", position=1),),
    )
    before = dump(store)
    preview = plan_contents(preview_issue(store, request, config=config, now=NOW), config=config)
    assert dump(store) == before
    add_or_update_issue(store, request, config=config, now=NOW)
    stored = contents(store, config)
    assert [(a.position, a.title, a.role) for a in preview.issue.articles] == [
        (a.position, a.title, a.role) for a in stored.articles
    ]
    assert stored.articles[0].title == "Buoys!"


def test_roles_changed_by_an_editor_survive(store: Store, config: Config) -> None:
    """Several roles are changed at once, and a new version keeps them."""
    add(store, config, FIRST)
    edit.set_roles(store, "may", [f"{U}1", f"{U}2"], role="inline", config=config)
    assert [(a.position, a.url) for a in contents(store, config).articles] == [(1, f"{U}3")]
    add(store, config, EDITED)
    assert [a.url for a in contents(store, config).articles] == [f"{U}0", f"{U}3b"]
    assert [a.role for a in load_other_links(store, "may", config=config)] == ["inline", "inline"]
    edit.set_roles(store, "may", [f"{U}1"], role="article", config=config)
    assert [a.url for a in contents(store, config).articles] == [f"{U}0", f"{U}1", f"{U}3b"]
    with pytest.raises(InputError, match="unknown role"):
        edit.set_roles(store, "may", [f"{U}1"], role="title", config=config)


def test_recurring_targets_are_other_links(store: Store, config: Config) -> None:
    """A target of most of the last sent issues is an other link, unless an editor made it an article."""
    for number in range(3):
        text = f"- [Our forum]({U}forum)\n- [Shop window]({U}window)\n- [Story {number}]({U}s{number})\n"
        add(store, config, text, slug=f"i{number}", sent_at=NOW - (9 - number) * DAY)
    edit.set_roles(store, "i1", [f"{U}window"], role="article", config=config)
    add(store, config, f"- [Our forum]({U}forum)\n- [Shop window]({U}window)\n- [Story 9]({U}s9)\n")
    assert [a.title for a in contents(store, config).articles] == ["Shop window", "Story 9"]
    assert [a.title for a in contents(store, config, "i2").articles] == [
        "Our forum",
        "Shop window",
        "Story 2",
    ]


def test_reread(store: Store, config: Config) -> None:
    """A stored issue is read again by the rules of today, with its codes, numbers and corrections."""
    result = add(store, config, FIRST)
    edit.correct_article(store, "may", f"{U}1", config=config, title="My nets")
    with store.transaction():
        store.execute("update articles set role = 'other', position = null where url = ?", (f"{U}2",))
    before = dump(store)
    plan = reread_issue(store, "may", config=config, now=NOW, dry_run=True)
    assert dump(store) == before
    assert sum(article.position is not None for article in plan.articles) == 3
    assert reread_issue(store, "may", config=config, now=NOW).output == result.output
    assert [a.title for a in contents(store, config).articles] == ["My nets", "Ropes", "Buoys"]


MAIL = (
    b"From: desk@kelp.example.org\r\nTo: reader@y.example.org\r\nReceived: by z.example.org\r\nSubject: Kelp 4\r\n"
    b"Date: Tue, 24 Nov 2026 08:00:00 +0100\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/alternative; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n'
    b"Nets: https://x.example.org/1\r\n--b\r\nContent-Type: text/html\r\n\r\n"
    b"<h2><a href='https://x.example.org/1'>Nets are mended</a></h2><p><a href='https://x.example.org/u?u=1'>Unsubscribe</a>"
    b"\r\n--b--\r\n"
)


def test_mail_has_one_code_in_both_parts_and_names_nobody(store: Store, config: Config) -> None:
    """The HTML part is numbered first; the output is complete, and what is stored names no person."""
    result = add(store, config, MAIL, filename="may.eml")
    short_url = codes(store, config)[f"{U}1"]
    assert result.output == MAIL.replace(b"Nets: https://x.example.org/1", f"Nets: {short_url}/2".encode()).replace(
        b"'https://x.example.org/1'", f"'{short_url}/1'".encode()
    )
    (link,) = contents(store, config).links
    assert [(p.n, p.kind, p.part) for p in link.placements] == [(1, "title", "html"), (2, "text", "text")]
    assert "y.example.org" not in dump(store)
    for document in issues.get_documents(store, 1):
        assert b"reader@" not in document
        assert b"desk@" not in document
    again = add(store, config, MAIL, filename="may.eml")
    assert (again.changed, again.output) == (False, result.output)
    rewritten = add(store, config, result.output, filename="may.eml")
    assert (rewritten.changed, rewritten.output) == (False, result.output)
    assert result.date_in_headers == 1_795_503_600
    assert issues.get(store, "may").sent_at is None
    assert any("unsubscribes" in line for line in untouched_links(store, "may", config=config, now=NOW))


def test_outlook_twin_has_the_number_of_its_link(store: Store, config: Config) -> None:
    """A button that is there twice, for Outlook and for all others, is one placement with one number."""
    html = (
        f"<h2>One story</h2><!--[if mso]><v:roundrect href='{U}b'>Go</v:roundrect><![endif]-->"
        f"<a class=btn href='{U}b'>Go to it</a>"
    )
    result = add(store, config, f"<html><body>{html}</body></html>", filename="may.html")
    short_url = codes(store, config)[f"{U}b"].encode()
    assert result.output.count(short_url + b"/1'") == 2
    (article,) = contents(store, config).articles
    assert [p.n for link in article.links for p in link.placements] == [1]


def test_removed_draft(store: Store, config: Config) -> None:
    """A removed draft is hidden, its links are retired, it can be restored, and its codes stay reserved."""
    add(store, config, FIRST)
    issue_status.remove_issue(store, "may", who="ann", now=NOW)
    assert listings.list_issues(store) == []
    assert [row.status(now=NOW) for row in listings.list_issues(store, with_hidden=True)] == ["removed"]
    assert {link.status for link in links.list_by_issue(store, 1)} == {"retired"}
    with pytest.raises(InputError, match="was removed"):
        add(store, config, FIRST)
    issue_status.restore_issue(store, "may", who="ann", now=NOW + 1)
    assert {link.status for link in links.list_by_issue(store, 1)} == {"active"}
    issue_status.remove_issue(store, "may", who="ann", now=NOW)
    with store.transaction():
        assert issues.purge_removed(store, now=NOW + 30 * DAY) == 0
        assert issues.purge_removed(store, now=NOW + 31 * DAY) == 1
    assert issues.find(store, "may") is None
    assert store.value("select count(*) from links where status = 'retired'") == 3
    add(store, config, FIRST)


def test_only_drafts_are_removed_and_only_sent_issues_archived(store: Store, config: Config) -> None:
    """A sent issue can be archived and shown again; a draft cannot."""
    add(store, config, FIRST)
    with pytest.raises(InputError, match="only an issue that was sent"):
        issue_status.archive_issue(store, "may", now=NOW)
    edit.correct_issue(store, "may", now=NOW, sent_at=NOW - 5)
    with pytest.raises(InputError, match="only a draft"):
        issue_status.remove_issue(store, "may", who="ann", now=NOW)
    issue_status.archive_issue(store, "may", now=NOW)
    assert contents(store, config).status == "archived"
    assert listings.list_issues(store) == []
    issue_status.archive_issue(store, "may", now=NOW, undo=True)
    assert contents(store, config).status == "sent"
