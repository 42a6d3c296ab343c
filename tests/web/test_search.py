"""Tests of the search over issues, articles, links, pages and terms."""

import json
from typing import TYPE_CHECKING, Any

import pytest

from shortener.services import issue_status
from shortener.store import links

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
    assert "Counting whales" in page
    assert 'name="q" type="search" value="whales"' in page
    assert "Nothing found" in viewer.get("/-/search?q=zzzz").text
    assert "All words have to occur" in viewer.get("/-/search?q=+").text
    assert viewer.get("/-/search?q=" + "a+" * 3_000).status_code == 200
