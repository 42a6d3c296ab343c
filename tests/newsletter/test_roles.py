"""Roles of links: articles, inline links and other links, in lists, prose, tables and issues with tracked links."""

import pytest

from shortener.newsletter import Format, extract_articles, parse

U = "https://example.org/"
STORY = f"<p><b><a href='{U}{{0}}'>A long story about {{0}} in the harbour</a></b><br>It was told by many people.</p>"
STORIES = STORY.format("one") + STORY.format("two")

ROLES: dict[str, tuple[Format, str, str]] = {
    "greeting, list and closing line": (
        "markdown",
        f"Hello, this is [Kelp]({U}home), a plant.\n\n## Links\n\n- [Nets]({U}1)\n- [Ropes]({U}2)\n\n"
        f"This letter is made [with a tool]({U}tool).",
        "home:inline 1:article 2:article tool:inline",
    ),
    "first link of an item, and those of its comment": (
        "markdown",
        f"## Changes\n\n- ann [moved]({U}1) the nets after [a long debate]({U}2)\n- bo removed [a copy]({U}3) of it",
        "1:article 2:inline 3:article",
    ),
    "comment with a list below the heading of an article": (
        "markdown",
        f"### [Nets]({U}1)\n\nWhat it says:\n\n- that nets, as in [this book]({U}2), are old\n- and more",
        "1:article 2:inline",
    ),
    "prose alone": (
        "markdown",
        f"Somebody [said]({U}1) so, and [others]({U}2) did not.",
        "1:article 2:article",
    ),
    "nothing but a row of links": ("markdown", f"[Nets]({U}1) [Ropes]({U}2)", "1:article 2:article"),
    "link without text in prose": (
        "markdown",
        f"# T\n\n[A long story]({U}1)\n\nIn a new film []({U}2) she explains it.",
        "1:article 2:inline",
    ),
    "bar of links": (
        "html",
        f"{STORIES}<p><a href='{U}a'>Prices</a> | <a href='{U}b'>Reviews</a> | <a href='{U}c'>All services</a></p>",
        "one:article two:article a:other b:other c:other",
    ),
    "column of links": (
        "html",
        f"<table><td><a href='{U}a'>Look-up</a><br>&bull; <a href='{U}b'>My boats</a></td><td>3.5 %</td>"
        f"<td><a href='{U}c'>TLT</a></td></table>{STORIES}",
        "a:other b:other c:other one:article two:article",
    ),
    "column of headlines": (
        "html",
        "".join(f"<div><a href='{U}{n}'>Harbour number {n} has opened again today</a></div>" for n in "abc"),
        "a:article b:article c:article",
    ),
    "navigation element": (
        "html",
        f"<nav><a href='{U}a'>A rather long text of a link to the harbour</a></nav>{STORIES}",
        "a:other one:article two:article",
    ),
    "heading of navigation": (
        "html",
        f"{STORIES}<h4>Quick links</h4><div><a href='{U}a'>Harbour map</a></div>",
        "one:article two:article a:other",
    ),
    "products with images": (
        "html",
        "".join(
            f"<td><a href='{U}{n}'><img src='{n}.png' alt=''></a></td><td><a href='{U}{n}'>Red rope</a></td>"
            for n in "abc"
        ),
        "a:article b:article c:article",
    ),
    "logo": (
        "html",
        f"<a href='https://kelp.example/'><img src=l.png alt='The kelp company'></a>{STORIES}"
        "<h3><a href='https://kelp.example/'>The kelp company</a></h3>",
        "https://kelp.example/:other one:article two:article",
    ),
    "recommended channel": (
        "markdown",
        f"## Reading\n\n**Nets**  \n<{U}1>  \nA text.\n\n**A channel about knots**  \n<https://youtube.com/@knots>  \n"
        f"Worth a look.\n\n**A film**  \n<{U}2>  \nOld.",
        "1:article https://youtube.com/@knots:article 2:article",
    ),
    "release pages": (
        "markdown",
        "## Releases\n\n- [Seine 0.12](https://github.com/kelp/seine/releases/tag/v0.12)\n- [Tags](https://a.example/tag/x)",
        "https://github.com/kelp/seine/releases/tag/v0.12:article https://a.example/tag/x:other",
    ),
}


@pytest.mark.parametrize("name", ROLES)
def test_roles(name: str) -> None:
    """Every target has the expected role, in order of first mention."""
    format, text, expected = ROLES[name]
    document = parse(text.encode(), format=format)
    targets = extract_articles(document, [link.url for link in document.links]).articles
    assert " ".join(f"{target.key.removeprefix(U)}:{target.role}" for target in targets) == expected
    positions = [target.position for target in targets if target.role == "article"]
    assert positions == list(range(1, len(positions) + 1))
    assert all(target.position is None for target in targets if target.role != "article")


def test_links_that_are_tracked_already_are_grouped_by_place() -> None:
    """Where each place has a URL of its own, the image, the title and the buttons of a card are one article."""
    card = (
        "<table><tr><td><a href='https://t.example.net/c?q={0}a'><img src={0}.png alt=''></a></td><td>"
        "<b><a href='https://t.example.net/c?q={0}b'>A net that mends itself: number {0}</a></b><br>It held well.<br>"
        "<a href='https://t.example.net/c?q={0}c'>Read the review</a> | "
        "<a href='https://t.example.net/c?q={0}d'>Check prices</a></td></tr></table>"
    )
    document = parse((card.format(1) + card.format(2)).encode(), format="html")
    articles = extract_articles(document, [link.url for link in document.links]).articles
    assert [article.title for article in articles] == [f"A net that mends itself: number {n}" for n in "12"]
    assert [[p.link_index for p in article.placements] for article in articles] == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
    ]


TEXTS: dict[str, tuple[str, list[tuple[str, str | None]]]] = {
    "verb in a sentence": (
        f"The harbour drew crowds by [unveiling]({U}1) a net. It was blue.",
        [("The harbour drew crowds by unveiling a net.", None)],
    ),
    "title, dash and URL": (
        f"1. A cheaper sieve - {U}1\n2. 海藻与光：{U}2\n3. Where? Here – {U}3",
        [("A cheaper sieve", None), ("海藻与光", None), ("Where? Here", None)],
    ),
    "several authors": (
        f"- [Nets]({U}1) by Ann Lee, Bo Marsh, and Cy Reed\n- [Buoys]({U}2) by Dee Fox and Ed Gale\n"
        f"- [Ropes]({U}3) by Flo Hart, 3 min",
        [("Nets", "Ann Lee, Bo Marsh, and Cy Reed"), ("Buoys", "Dee Fox and Ed Gale"), ("Ropes", "Flo Hart")],
    ),
    "prose about the author": (
        f"1、[网是怎么补的]({U}1)（英文）\n\n作者主张，大多数情况下，渔网应该用手补。",
        [("网是怎么补的", None)],
    ),
    "recommender": (
        f"### [Nets]({U}1)\n\n[@bo](https://github.com/bo): a remark.\n\n### [Ropes]({U}2)\n[@cy](https://github.com/cy):",
        [("Nets", None), ("Ropes", None)],
    ),
    "template line above the definitions": (
        f"- **Nets:** Ann [posted][n] a plan.\n\n{{% include references.md %}}\n[n]: {U}1",
        [("Nets: Ann posted a plan.", None)],
    ),
    "URL in a line of its own": (
        f"A ferry\n{U}1\nIt is slow.\n\nGulls\n{U}2",
        [("A ferry", None), ("Gulls", None)],
    ),
}


@pytest.mark.parametrize("name", TEXTS)
def test_titles_and_authors(name: str) -> None:
    """Articles have the expected titles and authors."""
    text, expected = TEXTS[name]
    document = parse(text.encode(), format="markdown")
    articles = extract_articles(document, [link.url for link in document.links]).articles
    assert [(article.title, article.author) for article in articles if article.position] == expected


def test_single_heading_below_a_first_line_is_a_section() -> None:
    """The first line is the title of an issue whose only heading is a section of level 2."""
    document = parse(f"Nets are back\n\n## Fishing\n\n- [How to mend]({U}1)".encode(), format="markdown")
    issue = extract_articles(document, [link.url for link in document.links])
    assert (issue.title, issue.articles[0].section) == ("Nets are back", "Fishing")
