"""Articles, titles and authors of a real issue with fifteen picks, if it is beside this checkout."""

import csv
from pathlib import Path

import pytest

from shortener.newsletter import Document, ExtractedIssue, extract_articles, parse, rewrite
from shortener.newsletter.articles import ExtractedArticle

SEED = Path(__file__).parents[3] / "shared" / "seed"
PICKS = (
    *("7pj1e", "kcib0", "tqbze", "2hewp", "eaaew", "7skna", "6tysv", "qcqaw"),
    *("8w75o", "uxdfy", "gu5r4", "9i0cn", "gpwc6", "fq3w8", "ds17r"),
)
WITHOUT_AUTHOR = {"7pj1e", "8w75o"}
"""Codes of the pick whose heading has no link, and of the one whose heading names no author."""

pytestmark = pytest.mark.skipif(not SEED.is_dir(), reason="the seed issue is not beside this checkout")


@pytest.fixture(scope="module")
def document() -> Document:
    """Return the parsed issue."""
    return parse((SEED / "issue-2021-04.md").read_bytes(), format="markdown")


@pytest.fixture(scope="module", params=["short links only", "every link"])
def issue(request: pytest.FixtureRequest, document: Document) -> ExtractedIssue:
    """Return the articles of the issue, once with its short links tracked and once with every link tracked."""
    with (SEED / "targets.csv").open(encoding="utf-8", newline="") as file:
        short_urls = {row["short_url"] for row in csv.DictReader(file)}
    track_all = request.param == "every link"
    return extract_articles(
        document, [link.url if track_all or link.url in short_urls else None for link in document.links]
    )


def pick(issue: ExtractedIssue, code: str) -> ExtractedArticle:
    """Return the article with a code of mktg.best."""
    return next(article for article in issue.articles if article.key == f"https://mktg.best/{code}")


def test_all_links_are_found(document: Document) -> None:
    """Every http(s) destination of the file is a link, and image sources are not."""
    assert len(document.links) == 94
    assert document.untouched == ()
    assert len({link.url for link in document.links if "mktg.best" in link.url}) == 19


def test_the_picks_are_articles_in_document_order(issue: ExtractedIssue) -> None:
    """The fifteen picks have increasing positions."""
    positions = [pick(issue, code).position or 0 for code in PICKS]
    assert min(positions) > 0
    assert positions == sorted(set(positions))


def test_the_picks_have_their_placements(issue: ExtractedIssue) -> None:
    """Fourteen picks have image, title and "read more" links; one has no link in its heading."""
    for code in PICKS:
        kinds = [placement.kind for placement in pick(issue, code).placements]
        assert kinds == (["image", "more"] if code == "7pj1e" else ["image", "title", "more"])


def test_the_picks_have_titles_and_authors(issue: ExtractedIssue) -> None:
    """All picks have title, summary and the expected section, and thirteen have an author."""
    picks = {code: pick(issue, code) for code in PICKS}
    assert all(article.title and article.summary for article in picks.values())
    assert {code for code in PICKS if picks[code].author is None} == WITHOUT_AUTHOR
    assert {article.section for article in picks.values()} == {"📚编辑选择每月精选文章↓📚"}
    assert picks["7pj1e"].title == "我们再也不需要担心过度拟合了"
    assert picks["8w75o"].title == "用 Shapash 建立一个网络应用程序来解释你的 ML 预测"
    assert (picks["tqbze"].title, picks["tqbze"].author) == ("用通俗英语解释的合奏方法:Bagging", "Claudia Ng")
    assert (picks["7skna"].title, picks["7skna"].author) == ("用 Python 分析诗歌", "柯蒂斯·汤普森")


def test_swapped_links_of_title_and_author(issue: ExtractedIssue) -> None:
    """Title and author are right where the translation has the article's link on the author's name."""
    keras, lakes = pick(issue, "eaaew"), pick(issue, "ds17r")
    assert (keras.title, keras.author) == ("用 Python 编写的 Keras 逐步基本理解神经网络", "Amit Chauhan")
    assert (lakes.title, lakes.author) == ("用 AWS 构建数据湖", "Magdalena Konkiewicz")


def test_boilerplate_is_no_article(issue: ExtractedIssue) -> None:
    """Links to subscribe, shop, view in a browser, profiles and pages of authors are no articles."""
    others = {article.key for article in issue.articles if article.position is None}
    boilerplate = {f"https://ws.towardsai.net/{code}" for code in ("subscribe", "a21", "shop")}
    assert boilerplate <= others
    for article in issue.articles:
        words = ("facebook.com", "twitter.com", "instagram.com", "medium.com/u/", "sponsors.", "members.")
        assert article.position is None or not any(word in article.key for word in words)


def test_only_urls_change(document: Document) -> None:
    """Rewriting every link changes nothing but the URLs."""
    new = {link.index: f"https://s.example/{link.index}" for link in document.links}
    output = rewrite(document, new)
    for link in sorted(document.links, key=lambda link: link.start, reverse=True):
        output = output.replace(new[link.index].encode(), link.url.encode(), 1) if link.index > 9 else output
    for link in document.links[:10]:
        output = output.replace(new[link.index].encode(), link.url.encode(), 1)
    assert output == document.source


def test_greeting_links_are_inline(issue: ExtractedIssue) -> None:
    """Besides the picks, at most the two blocks of the greeting that have an image are articles."""
    articles = {article.key for article in issue.articles if article.position is not None}
    picks = {f"https://mktg.best/{code}" for code in PICKS}
    assert picks <= articles
    assert articles - picks <= {"https://ws.towardsai.net/mag", "https://mktg.best/a9l9r"}
