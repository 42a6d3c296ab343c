"""Tests of the search over issues, articles, links, pages and terms."""

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from shortener.services import issue_status
from shortener.store import issues, links
from shortener.web.filters import mark_words
from tests.web.test_overview_page import click_line

if TYPE_CHECKING:
    from tests.web.conftest import EditorSite

SOURCE = """\
# 潮汐通讯 九月刊

### [用声音数鲸鱼](https://a.example/cjk) by [王小明](https://a.example/people/w)

[**阅读更多**](https://a.example/cjk)

### [قياس البحر بالصوت](https://a.example/ar)

### [100% of tides_and moons](https://a.example/percent)
"""


def find(site: "EditorSite", query: str, role: str = "viewer") -> dict[str, Any]:
    """Return the results of a search as JSON."""
    response = site.client(role).client.get(
        "/-/search.json", query_string={"q": query}, base_url="https://go.example", headers={"Accept-Language": "en"}
    )
    result: dict[str, Any] = json.loads(response.text)
    return result


@pytest.fixture
def filled(site: "EditorSite") -> "EditorSite":
    """Site with an English issue and one in other scripts, both with articles."""
    site.add_issue()
    site.add_issue(SOURCE, slug="2026-09")
    return site


@pytest.mark.parametrize(
    ("query", "articles"),
    [
        ("鲸鱼", ["https://a.example/cjk"]),
        ("王小明", ["https://a.example/cjk"]),
        ("البحر", ["https://a.example/ar"]),
        ("WHALES counting", ["https://a.example/whales"]),
        ("whales sieve", []),
        ("100%", ["https://a.example/percent"]),
        ("tides_and", ["https://a.example/percent"]),
        ("tides-and", []),
        ("' or 1=1 --", []),
    ],
)
def test_articles(filled: "EditorSite", query: str, articles: list[str]) -> None:
    """Articles are found by all words of title, author and address, in every script; wildcards are plain characters."""
    found = find(filled, query)
    assert [article["url"] for article in found["articles"]] == articles
    assert found["totals"].get("articles", 0) == len(articles)


def test_issues_links_and_pages(filled: "EditorSite") -> None:
    """Issues are found by title and slug, links by code, title and destination, pages by name, terms by theirs."""
    assert [issue["slug"] for issue in find(filled, "潮汐")["issues"]] == ["2026-09"]
    assert [issue["slug"] for issue in find(filled, "MAY songs")["issues"]] == ["may"]
    code = links.list_by_issue(filled.store, 1)[0].code
    assert [link["code"] for link in find(filled, f"https://go.example/{code}/2")["links"]] == [code]
    assert find(filled, "click rate")["pages"][0]["address"].startswith("/-/help#")
    assert find(filled, "users")["pages"] == []
    assert find(filled, "users", role="admin")["pages"][0]["address"] == "/-/settings/users"
    assert find(filled, "new issue", role="editor")["pages"][0]["address"] == "/-/new-issue"


def test_removed_issues(filled: "EditorSite") -> None:
    """An archived issue is found; the articles of a removed draft are not."""
    filled.add_issue("# Draft\n\n### [Moonshine](https://a.example/moon)\n", slug="draft", sent_at=None)
    assert len(find(filled, "moonshine")["articles"]) == 1
    issue_status.remove_issue(filled.store, "draft", who="editor", now=1_800_000_000)
    assert find(filled, "moonshine")["articles"] == []


def test_more_results_than_are_shown(filled: "EditorSite") -> None:
    """A search lists a few results of each kind and leads to the lists with all."""
    with filled.store.transaction():
        for number in range(12):
            links.add(filled.store, "go.example", f"many{number}", target="https://x.example/many", now=1_800_000_000)
    found = find(filled, "many")
    assert len(found["links"]) == 8
    assert found["has_more"] == ["links"]
    assert found["totals"]["links"] > len(found["links"]) == 8
    assert 'href="/-/links?q=many"' in filled.client("viewer").get("/-/search?q=many").text


def test_page_of_the_search(filled: "EditorSite") -> None:
    """The page shows the results, says when there are none, and explains itself without a query."""
    viewer = filled.client("viewer")
    page = viewer.get("/-/search?q=whales").text
    assert "Counting <mark>whales</mark>" in page
    assert 'name="q" type="search" value="whales"' in page
    assert "Nothing found" in viewer.get("/-/search?q=zzzz").text
    assert "All words have to occur" in viewer.get("/-/search?q=+").text
    assert viewer.get("/-/search?q=" + "a+" * 3_000).status_code == 200


def test_results_have_their_figures(filled: "EditorSite") -> None:
    """Articles and links have their visitors, issues their click rate, once an issue was clicked."""
    now = int(time.time())
    filled.add_issue("# June\n\n### [Ants](https://a.example/ants)\n", slug="june", sent_at=now - 86_400)
    june = issues.get(filled.store, "june")
    with filled.store.transaction():
        issues.update(filled.store, june.id, now=now, recipients=20)
    code = links.list_by_issue(filled.store, june.id)[0].code
    filled.write_clicks([click_line(code, reader=str(number), at=now - 80_000) for number in range(3)])
    found = find(filled, "ants")
    assert [(each["visitors"], each["clicks"]) for each in found["articles"]] == [(3, None)]
    assert [each["visitors"] for each in found["links"]] == [3]
    assert find(filled, "june")["issues"][0]["rate"] == 0.15
    page = filled.client("viewer").get("/-/search?q=ants").text
    assert page.count("3 visitors") == 2
    assert "click rate 15" in filled.client("viewer").get("/-/search?q=june").text


MARKS = {
    "words in any case": ("WHALES", "Counting <mark>whales</mark>"),
    "special characters": ("tides_and", "100% of <mark>tides_and</mark> moons"),
    "address only": ("a.example/percent", "<mark>a.example/percent</mark>"),
    "author": ("王小明", "<mark>王小明</mark>"),
}


@pytest.mark.parametrize(("query", "expected"), MARKS.values(), ids=MARKS)
def test_matched_words_are_marked(filled: "EditorSite", query: str, expected: str) -> None:
    """The words of the search are marked where they occur, also in an address."""
    page = filled.client("viewer").client.get(
        "/-/search", query_string={"q": query}, base_url="https://go.example", headers={"Accept-Language": "en"}
    )
    assert expected in page.text


def test_marks_are_safe() -> None:
    """Marks escape the text around them, and the longer of two words is marked whole."""
    assert mark_words("<b>Tide & tides", ["tide", "tides"]) == ("&lt;b&gt;<mark>Tide</mark> &amp; <mark>tides</mark>")
    assert mark_words("<b>", []) == "&lt;b&gt;"
