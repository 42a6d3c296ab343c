"""Contents of an issue: articles by position, every short link once, and the other links separately."""

from typing import Any

import msgspec

from shortener.reporting.issue_contents import IssueContents, load_issue_contents, load_other_links
from shortener.store import issues

NOW = 1_800_000_000


def contents_of(newsletter: Any) -> IssueContents:
    """Return the contents of the issue of May."""
    return load_issue_contents(newsletter.store, "may", config=newsletter.config, now=NOW)


def test_articles_are_those_with_a_position(newsletter: Any) -> None:
    """The articles are listed by position; the footer link is among the other links."""
    contents = contents_of(newsletter)
    assert [(article.position, article.title) for article in contents.articles] == [
        (1, "About one"),
        (2, "About two"),
    ]
    others = load_other_links(newsletter.store, "may", config=newsletter.config)
    assert [(link.position, link.url, [placed.short_url for placed in link.links]) for link in others] == [
        (None, "https://a.example/foot", ["https://go.example/foot"])
    ]


def test_every_short_link_is_listed_once(newsletter: Any) -> None:
    """Each link has its target, its placements, and the URL of its article or null, with the keys of the contract."""
    rows = msgspec.to_builtins(contents_of(newsletter))["links"]
    assert list(rows[0])[:4] == ["short_url", "target", "article", "placements"]
    assert list(rows[0]["placements"][0]) == ["n", "kind", "text", "part"]
    assert [(row["short_url"], row["article"], [place["n"] for place in row["placements"]]) for row in rows] == [
        ("https://go.example/one", "https://a.example/one", [1, 2]),
        ("https://go.example/two", "https://a.example/two", [3]),
        ("https://go.example/foot", None, [4]),
    ]


def test_a_link_with_a_new_position_is_an_article(newsletter: Any) -> None:
    """When an editor gives a position to another link, it moves to the articles."""
    (foot,) = issues.list_articles(newsletter.store, 1)[2:]
    with newsletter.store.transaction():
        issues.set_positions(newsletter.store, {foot.id: 3})
    contents = contents_of(newsletter)
    assert [article.position for article in contents.articles] == [1, 2, 3]
    assert contents.links[2].article == "https://a.example/foot"
    assert load_other_links(newsletter.store, "may", config=newsletter.config) == ()
