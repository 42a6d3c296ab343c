"""Issues of many makes, read: which articles they have, what they are called and what each link is for."""

import json
from pathlib import Path
from typing import Any

import pytest

from shortener.newsletter import (
    Document,
    ExtractedArticle,
    ExtractedIssue,
    detect_format,
    extract_articles,
    parse,
    rewrite,
)

FIXTURES = Path(__file__).parent / "fixtures"
ISSUES = {path.stem: path for path in sorted(FIXTURES.iterdir()) if path.suffix in (".md", ".html")}


def reading(name: str) -> tuple[Document, ExtractedIssue, dict[str, Any]]:
    """A fixture parsed, read with its URLs as keys, and what is expected of it."""
    source = ISSUES[name].read_bytes()
    document = parse(source, format=detect_format(ISSUES[name].name, source))
    expected = json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))
    return document, extract_articles(document, [link.url for link in document.links]), expected


def facts(article: ExtractedArticle) -> dict[str, Any]:
    """What a fixture may say of an article."""
    return {
        "url": article.key,
        "title": article.title,
        "author": article.author,
        "summary": article.summary,
        "section": article.section,
        "kinds": [placement.kind for placement in article.placements],
    }


@pytest.mark.parametrize("name", ISSUES)
def test_the_articles_of_an_issue_are_read(name: str) -> None:
    """Articles come in document order with title, author, section, summary and kinds; the rest are none."""
    _, found, expected = reading(name)
    articles = [article for article in found.articles if article.position is not None]
    assert found.title == expected["title"]
    assert [article.key for article in articles] == [wanted["url"] for wanted in expected["articles"]]
    assert [article.position for article in articles] == list(range(1, len(articles) + 1))
    for article, wanted in zip(articles, expected["articles"], strict=True):
        got = facts(article)
        assert {key: got[key] for key in wanted} == wanted
        assert got["title"]
        assert got["author"] == wanted.get("author")
    others = {article.key for article in found.articles if article.position is None}
    assert others == set(expected["others"])


@pytest.mark.parametrize("name", ISSUES)
def test_every_link_of_an_issue_is_placed_once(name: str) -> None:
    """Each link is in exactly one placement, and what is left alone is as expected."""
    document, found, expected = reading(name)
    placed = sorted(placement.link_index for article in found.articles for placement in article.placements)
    assert placed == [link.index for link in document.links]
    assert set(expected.get("untouched", [])) <= {each.url for each in document.untouched}


@pytest.mark.parametrize("name", ISSUES)
def test_an_issue_reads_the_same_by_short_links(name: str) -> None:
    """With short links in place, and keys that are no URLs, the same articles are found where words tell."""
    document, found, _ = reading(name)
    keys = {article.key: f"k{at}" for at, article in enumerate(found.articles)}
    output = rewrite(document, {link.index: f"https://s.example/{keys[link.url]}" for link in document.links})
    again = parse(output, format=document.format)
    by_code = extract_articles(again, [keys[link.url] for link in document.links])
    titles = {article.key: article.title for article in by_code.articles if article.position is not None}
    for article in found.articles:
        titled = any(placement.kind == "title" for placement in article.placements)
        if article.position is not None and titled:
            assert titles[keys[article.key]] == article.title


def test_keys_must_match_the_links() -> None:
    """Too few keys are a mistake of the caller."""
    document = parse(b"[a](https://example.org/)", format="markdown")
    with pytest.raises(ValueError, match="0 keys for 1 links"):
        extract_articles(document, [])
