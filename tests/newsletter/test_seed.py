"""The project's real issue, read: its fifteen picks, each with title and placements, and what is no article."""

import csv
from pathlib import Path

import pytest

from shortener.newsletter import Document, ExtractedArticle, ExtractedIssue, extract_articles, parse, rewrite

SEED = Path(__file__).parents[3] / "shared" / "seed"
PICKS = (
    *("7pj1e", "kcib0", "tqbze", "2hewp", "eaaew", "7skna", "6tysv", "qcqaw"),
    *("8w75o", "uxdfy", "gu5r4", "9i0cn", "gpwc6", "fq3w8", "ds17r"),
)
ANONYMOUS = {"7pj1e", "8w75o"}
"""The pick whose heading has no link, and the one whose heading names nobody."""

pytestmark = pytest.mark.skipif(not SEED.is_dir(), reason="the seed issue is not beside this checkout")


@pytest.fixture(scope="module")
def document() -> Document:
    """The issue, parsed."""
    return parse((SEED / "issue-2021-04.md").read_bytes(), format="markdown")


@pytest.fixture(scope="module", params=["short links alone", "every link"])
def reading(request: pytest.FixtureRequest, document: Document) -> ExtractedIssue:
    """The issue read with its short links as keys, and with the others tracked as well."""
    with (SEED / "targets.csv").open(encoding="utf-8", newline="") as file:
        ours = {row["short_url"] for row in csv.DictReader(file)}
    everything = request.param == "every link"
    return extract_articles(
        document, [link.url if everything or link.url in ours else None for link in document.links]
    )


def pick(reading: ExtractedIssue, code: str) -> ExtractedArticle:
    """The article behind a code of mktg.best."""
    return next(article for article in reading.articles if article.key == f"https://mktg.best/{code}")


def test_all_links_are_found(document: Document) -> None:
    """Every http(s) destination of the file is a link, image sources are none."""
    assert len(document.links) == 94
    assert document.untouched == ()
    assert len({link.url for link in document.links if "mktg.best" in link.url}) == 19


def test_the_picks_are_articles_in_document_order(reading: ExtractedIssue) -> None:
    """The fifteen picks follow one another, after the articles of the introduction."""
    positions = [pick(reading, code).position or 0 for code in PICKS]
    assert min(positions) > 0
    assert positions == sorted(set(positions))


def test_the_picks_have_their_placements(reading: ExtractedIssue) -> None:
    """Fourteen have image, title and "read more"; one has no link in its heading."""
    for code in PICKS:
        kinds = [placement.kind for placement in pick(reading, code).placements]
        assert kinds == (["image", "more"] if code == "7pj1e" else ["image", "title", "more"])


def test_the_picks_have_titles_and_authors(reading: ExtractedIssue) -> None:
    """Titles are those of the headings, thirteen have an author, all have a summary and one section."""
    picks = {code: pick(reading, code) for code in PICKS}
    assert all(article.title and article.summary for article in picks.values())
    assert {code for code in PICKS if picks[code].author is None} == ANONYMOUS
    assert {article.section for article in picks.values()} == {"📚编辑选择每月精选文章↓📚"}
    assert picks["7pj1e"].title == "我们再也不需要担心过度拟合了"
    assert picks["8w75o"].title == "用 Shapash 建立一个网络应用程序来解释你的 ML 预测"
    assert (picks["tqbze"].title, picks["tqbze"].author) == ("用通俗英语解释的合奏方法:Bagging", "Claudia Ng")
    assert (picks["7skna"].title, picks["7skna"].author) == ("用 Python 分析诗歌", "柯蒂斯·汤普森")


def test_swapped_links_are_seen_through(reading: ExtractedIssue) -> None:
    """Where the translation has put the link of the article on the author's name, title and author are right."""
    keras, lakes = pick(reading, "eaaew"), pick(reading, "ds17r")
    assert (keras.title, keras.author) == ("用 Python 编写的 Keras 逐步基本理解神经网络", "Amit Chauhan")
    assert (lakes.title, lakes.author) == ("用 AWS 构建数据湖", "Magdalena Konkiewicz")


def test_what_surrounds_the_articles_is_none(reading: ExtractedIssue) -> None:
    """Subscribing, the shop, the view in a browser, profiles and pages of authors are tracked, but no articles."""
    others = {article.key for article in reading.articles if article.position is None}
    ours = {f"https://ws.towardsai.net/{code}" for code in ("subscribe", "a21", "shop")}
    assert ours <= others
    for article in reading.articles:
        words = ("facebook.com", "twitter.com", "instagram.com", "medium.com/u/", "sponsors.", "members.")
        assert article.position is None or not any(word in article.key for word in words)


def test_only_urls_change(document: Document) -> None:
    """The issue with every link replaced differs from the file inside of URLs only."""
    new = {link.index: f"https://s.example/{link.index}" for link in document.links}
    output = rewrite(document, new)
    for link in sorted(document.links, key=lambda link: link.start, reverse=True):
        output = output.replace(new[link.index].encode(), link.url.encode(), 1) if link.index > 9 else output
    for link in document.links[:10]:
        output = output.replace(new[link.index].encode(), link.url.encode(), 1)
    assert output == document.source
