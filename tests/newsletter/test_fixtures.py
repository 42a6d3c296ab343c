"""Articles, titles and link kinds of issues from many senders and tools, compared with the expected values."""

import json
from pathlib import Path
from typing import Any

import pytest

from shortener.newsletter import Document, ExtractedIssue, detect_format, extract_articles, parse, rewrite
from shortener.newsletter.articles import ExtractedArticle
from shortener.newsletter.document import find_outlook_twins

FIXTURES = Path(__file__).parent / "fixtures"
ISSUES = {path.stem: path for path in sorted(FIXTURES.iterdir()) if path.suffix in (".md", ".html")}


def read_fixture(name: str) -> tuple[Document, ExtractedIssue, dict[str, Any]]:
    """Return the document of a fixture, its articles with URLs as keys, and the expected values."""
    source = ISSUES[name].read_bytes()
    document = parse(source, format=detect_format(ISSUES[name].name, source))
    expected = json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))
    return document, extract_articles(document, [link.url for link in document.links]), expected


def article_fields(article: ExtractedArticle) -> dict[str, Any]:
    """Return the fields of an article that a fixture can list."""
    return {
        "url": article.key,
        "title": article.title,
        "author": article.author,
        "summary": article.summary,
        "section": article.section,
        "kinds": [placement.kind for placement in article.placements],
    }


@pytest.mark.parametrize("name", ISSUES)
def test_articles_of_an_issue(name: str) -> None:
    """Articles are in document order with the expected fields, and all other targets have no position."""
    _, issue, expected = read_fixture(name)
    articles = [article for article in issue.articles if article.position is not None]
    assert issue.title == expected["title"]
    assert [article.key for article in articles] == [wanted["url"] for wanted in expected["articles"]]
    assert [article.position for article in articles] == list(range(1, len(articles) + 1))
    for article, wanted in zip(articles, expected["articles"], strict=True):
        fields = article_fields(article)
        assert {key: fields[key] for key in wanted} == wanted
        assert fields["title"]
        assert fields["author"] == wanted.get("author")
    others = {article.key for article in issue.articles if article.position is None}
    assert others == set(expected["others"])


@pytest.mark.parametrize("name", ISSUES)
def test_every_link_has_one_placement(name: str) -> None:
    """Each link that all clients show is in exactly one placement, and the expected links are untouched."""
    document, issue, expected = read_fixture(name)
    placed = sorted(placement.link_index for article in issue.articles for placement in article.placements)
    twins = find_outlook_twins(document)
    assert placed == [link.index for link in document.links if link.index not in twins]
    assert set(expected.get("untouched", [])) <= {link.url for link in document.untouched}


@pytest.mark.parametrize("name", ISSUES)
def test_short_links_give_the_same_articles(name: str) -> None:
    """With short URLs in the issue and keys that are no URLs, articles keep the titles that their links have."""
    document, issue, _ = read_fixture(name)
    keys = {article.key: f"k{index}" for index, article in enumerate(issue.articles)}
    output = rewrite(document, {link.index: f"https://s.example/{keys[link.url]}" for link in document.links})
    reparsed = parse(output, format=document.format)
    by_key = extract_articles(reparsed, [keys[link.url] for link in document.links])
    titles = {article.key: article.title for article in by_key.articles if article.position is not None}
    for article in issue.articles:
        has_title_link = any(placement.kind == "title" for placement in article.placements)
        if article.position is not None and has_title_link:
            assert titles[keys[article.key]] == article.title


def test_number_of_keys_must_match() -> None:
    """Fewer keys than links raise ValueError."""
    document = parse(b"[a](https://example.org/)", format="markdown")
    with pytest.raises(ValueError, match="0 article keys for 1 links"):
        extract_articles(document, [])
