"""Titles, authors, kinds and summaries read from small issues, and links that are no articles."""

import pytest

from shortener.newsletter import ExtractedIssue, Format, extract_articles, parse

U = "https://example.org/"
ArticleRow = tuple[str, str | None, str | None, str]
"""Path of the URL, title (None if it is no article), author and the first letters of the kinds."""


def extract(text: str, *, format: Format = "markdown") -> ExtractedIssue:
    """Return the articles of the text, with URLs as keys."""
    document = parse(text.encode(), format=format)
    return extract_articles(document, [link.url for link in document.links])


def article_rows(text: str, *, format: Format = "markdown") -> list[ArticleRow]:
    """Return a row for every target in the text."""
    return [
        (
            article.key.removeprefix(U),
            article.title if article.position else None,
            article.author,
            "".join(placement.kind[0] for placement in article.placements),
        )
        for article in extract(text, format=format).articles
    ]


PROFILE = "https://medium.com/u/1"
P = (PROFILE, None, None, "t")

MARKDOWN: dict[str, tuple[str, list[ArticleRow]]] = {
    "link and byline in a heading": (
        f"## [One Two]({U}a) by [Ada Love]({PROFILE})",
        [("a", "One Two", "Ada Love", "t"), P],
    ),
    "byline in words": (f"## [One]({U}a) by Ada Love", [("a", "One", "Ada Love", "t")]),
    "byline to any page": (
        f"## [One]({U}a) by [Ada Love]({U}ada)",
        [("a", "One", "Ada Love", "t"), ("ada", None, None, "t")],
    ),
    "Chinese byline": (f"## [一二三]({U}a)作者[王小明]({PROFILE})", [("a", "一二三", "王小明", "t"), P]),
    "swapped links": (
        f"## [Ada Love]({U}a)[Rust in a week]({PROFILE})",
        [("a", "Rust in a week", "Ada Love", "t"), P],
    ),
    "link on half of the heading": (
        f"## [Build a]({U}a) web application",
        [("a", "Build a web application", None, "t")],
    ),
    "link on the end of the heading": (
        f"## How we built [Foo]({U}a)",
        [("a", "How we built Foo", None, "t")],
    ),
    "set off at the end": (f"## [One]({U}a) — The Paper", [("a", "One", None, "t")]),
    "set off at the start": (f"## Video: [One]({U}a)", [("a", "One", None, "t")]),
    "numbered": (f"## 3. [One]({U}a)", [("a", "One", None, "t")]),
    "author amid the heading": (
        f"## [Bayes by]({U}a) [Ada Love]({PROFILE}) for everyone",
        [("a", "Bayes by Ada Love for everyone", "Ada Love", "t"), P],
    ),
    "two articles in a heading": (
        f"## [One]({U}a), [Two]({U}b)",
        [("a", "One", None, "t"), ("b", "Two", None, "t")],
    ),
    "heading between image and more": (
        f"[![]()]({U}a)\n\n## One\n\nText.\n\n[Read more]({U}a)",
        [("a", "One", None, "im")],
    ),
    "heading before the more": (
        f"## One\n\nText, and [more on it]({U}b) here.\n\n[Continue reading →]({U}a)",
        [("b", None, None, "t"), ("a", "One", None, "m")],
    ),
    "section with two mores": (
        f"## Section\n\nText. [Read more]({U}a)\n\nText. [Read more]({U}b)",
        [("a", "Text", None, "m"), ("b", "Text", None, "m")],
    ),
    "image of the next card": (
        f"## Section\n\n[![]()]({U}a)\n\n## One\n\nText\n\n[More]({U}a)",
        [("a", "One", None, "im")],
    ),
    "line and paragraph": (f"[One]({U}a)\n\nThis is what it is about, at length.", [("a", "One", None, "t")]),
    "line, break, text": (f"**[One]({U}a)**\\\nThis is what it is about.", [("a", "One", None, "t")]),
    "list with dashes": (
        f"- [One]({U}a) – what\n- **[Two]({U}b)**: that\n- [Three]({U}c). So.",
        [("a", "One", None, "t"), ("b", "Two", None, "t"), ("c", "Three", None, "t")],
    ),
    "byline on the next line": (
        f"### [One]({U}a)\n\nBy [Ada Love]({PROFILE}) · 5 min read\n\nText.",
        [("a", "One", "Ada Love", "t"), P],
    ),
    "handle behind slashes": (f"[One]({U}a) //ada", [("a", "One", "ada", "t")]),
    "generic text": (
        f"They say so. But [this post]({U}a) doubts it. Well.",
        [("a", "But this post doubts it.", None, "t")],
    ),
    "no text": (
        f"In a new film []({U}a) she explains it.",
        [("a", "In a new film she explains it.", None, "t")],
    ),
    "bare below a heading": (
        f"## One\n\n<{U}a>\n\n<{U}talk/a>\n\n## Two\n\n{U}b",
        [("a", "One", None, "t"), ("talk/a", "example.org/talk/a", None, "t"), ("b", "Two", None, "t")],
    ),
    "bare": (f"A ferry\n{U}a", [("a", "A ferry", None, "t")]),
    "more, structurally": (f"## [One]({U}a)\n\nText.\n\n[Bekijk het nu]({U}a)", [("a", "One", None, "tm")]),
    "button, by its verb": (
        f"## [One]({U}a)\n\nText.\n\n[Register for it]({U}a)",
        [("a", "One", None, "tb")],
    ),
    "several uses of one definition": (
        "![][a]\n\n## [One][a]\n\n[Read more][a]\n\n[a]: https://example.org/a",
        [("a", "One", None, "t")],
    ),
    "card of an export": (f"[]({U}a) [## One\n\n### Two\n\nexample.org]({U}a)", [("a", "One", None, "tt")]),
    "sponsored heading": (
        f"## Sponsored\n\n[Buy it]({U}a)\n\n## [One]({U}b)",
        [("a", None, None, "t"), ("b", "One", None, "t")],
    ),
    "sponsored label": (
        f"Sponsored by [Acme]({U}a)\n\n## [One]({U}b)",
        [("a", None, None, "t"), ("b", "One", None, "t")],
    ),
    "sponsored title": (
        f"## [Acme (Sponsor)]({U}a)\n\nBuy. [Try it]({U}c)\n\n## [One]({U}b)",
        [("a", None, None, "t"), ("c", None, None, "t"), ("b", "One", None, "t")],
    ),
    "content and boilerplate": (
        f"[View in browser]({U}v)\n\n# News\n\n## [One]({U}a)\n\n[Share]({U}s) [@ada]({U}ada)\n\n"
        f"[Unsubscribe]({U}u) [Acme]({U}home)",
        [
            ("v", None, None, "f"),
            ("a", "One", None, "t"),
            ("s", None, None, "f"),
            ("ada", None, None, "f"),
            ("u", None, None, "f"),
            ("home", None, None, "f"),
        ],
    ),
    "social profiles and posts": (
        "# x\n\n[a](https://twitter.com/ada) wrote [Bees](https://twitter.com/ada/status/1), see "
        "[Cows](https://www.youtube.com/watch?v=1) and [d](https://www.linkedin.com/company/x), "
        "all of it quite a thing to see, and more than that for some",
        [
            ("https://twitter.com/ada", None, None, "f"),
            ("https://twitter.com/ada/status/1", "Bees", None, "t"),
            ("https://www.youtube.com/watch?v=1", "Cows", None, "t"),
            ("https://www.linkedin.com/company/x", None, None, "f"),
        ],
    ),
    "titles with words of service links": (
        f"## [Running Doom in the browser]({U}a)\n\n## [How the unsubscribe button works]({U}b)\n\n"
        f"## [Privacy is dead, long live privacy]({U}c)",
        [
            ("a", "Running Doom in the browser", None, "t"),
            ("b", "How the unsubscribe button works", None, "t"),
            ("c", "Privacy is dead, long live privacy", None, "t"),
        ],
    ),
}


@pytest.mark.parametrize("name", MARKDOWN)
def test_articles_in_markdown(name: str) -> None:
    """The targets of a small issue have the expected titles, authors and kinds."""
    text, expected = MARKDOWN[name]
    assert article_rows(text) == expected


READ_MORE = (
    *("Read more", "Continue reading", "Read the full story", "Learn more →", "阅读更多", "查看全文"),
    *("继续阅读", "Weiterlesen", "Mehr erfahren", "Lire la suite", "En savoir plus", "Leer más"),
    *("Seguir leyendo", "Ler mais", "Leia mais", "Leggi di più", "Continua a leggere", "Lees verder"),
    *(
        "Läs mer",
        "Les mer",
        "Læs mere",
        "Читать далее",
        "Подробнее",
        "続きを読む",
        "더 보기",
        "Czytaj więcej",
    ),
    *("Číst dále", "Devamını oku", "Lue lisää", "اقرأ المزيد", "קרא עוד", "Đọc tiếp"),
)


@pytest.mark.parametrize("text", READ_MORE)
def test_read_more_in_many_languages(text: str) -> None:
    """A "read more" link in each language belongs to the article of the heading above it."""
    assert article_rows(f"## One\n\nA paragraph.\n\n[**{text}**]({U}a)\n\n## Two") == [("a", "One", None, "m")]


BOILERPLATE = (
    *("Unsubscribe", "unsubscribe from this list", "Manage your preferences"),
    *("View this email in your browser", "View online", "Web version", "Forward to a friend", "Subscribe"),
    *(
        "Sign up here",
        "Privacy Policy",
        "Terms of Service",
        "Advertise with us",
        "Become a member",
        "Join us",
    ),
    *(
        "Shop",
        "Sponsor us",
        "退订",
        "在浏览器中查看",
        "网络浏览器",
        "订阅",
        "隐私政策",
        "加入我们",
        "Abmelden",
    ),
    *("Im Browser ansehen", "Impressum", "Se désabonner", "Voir dans le navigateur", "Darse de baja"),
    *("Ver en el navegador", "Cancelar inscrição", "Отписаться", "Открыть в браузере", "配信停止"),
    *("ブラウザで表示", "수신거부", "Uitschrijven"),
)


@pytest.mark.parametrize("text", BOILERPLATE)
def test_boilerplate_in_many_languages(text: str) -> None:
    """A service or boilerplate link in each language is tracked but is no article."""
    (article,) = extract(f"Some prose, and then [{text}]({U}x1y2z) stands in it.").articles
    assert article.position is None


BUTTON = f"<h2>One</h2><p>Text of one.</p><p>{{}}</p><h2>Two</h2><p>Text</p><a href='{U}b'>x y z</a>"
BUTTONS = {
    "role": f"<a role=button href='{U}a'>Take me there</a>",
    "class": f"<a class='email-button' href='{U}a'>Take me there</a>",
    "camel class": f"<a class='mcnButton' href='{U}a'>Take me there</a>",
    "drawn": f"<a style='background:#111;padding:8px' href='{U}a'>Take me there</a>",
    "cell": f"<table><td style='background:#111;border-radius:4px'><a href='{U}a'>Take me there</a></td></table>",
    "VML": f"<!--[if mso]><v:rect href='{U}a'><center>Take me there</center></v:rect><![endif]-->"
    f"<a class=btn href='{U}a'>Take me there</a>",
}


@pytest.mark.parametrize("name", BUTTONS)
def test_buttons_by_markup(name: str) -> None:
    """A link that is styled as a button has the kind button and belongs to the heading above it."""
    first = article_rows(BUTTON.format(BUTTONS[name]), format="html")[0]
    assert first[:2] == ("a", "One")
    assert first[3].endswith("b")


def test_sections_and_positions() -> None:
    """The section is the nearest heading above that is no title, and positions count articles only."""
    text = f"# Issue\n\n[aaa]({U}a) – intro\n\n## Tools\n\n### [b]({U}b)\n\n### [c]({U}c)\n\n## Talk\n\n[ddd]({U}d): so"
    articles = extract(text).articles
    assert [article.section for article in articles] == [None, "Tools", "Tools", "Talk"]
    assert [article.position for article in articles] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("format", "text", "title"),
    [
        ("markdown", "## Two\n\n# One", "One"),
        ("markdown", "## Two", "Two"),
        ("markdown", "---\ntitle: T\n---\n# One", "T"),
        ("markdown", "text", None),
        ("html", "<title>T</title><h1>One</h1>", "One"),
        ("html", "<title>T</title><h1>One</h1><h1>Two</h1>", "T"),
        ("html", "<title>*|MC:SUBJECT|*</title><h2>Two</h2>", "Two"),
        ("html", "<title>T</title><p>x", "T"),
    ],
)
def test_title_of_an_issue(format: Format, text: str, title: str | None) -> None:
    """Front matter, a single heading of level 1, ``<title>`` and the first heading are preferred in this order."""
    assert extract(text, format=format).title == title


def test_summaries() -> None:
    """The summary is the paragraph behind the title, without the "read more" at the end."""
    text = (
        f"## [One]({U}a)\n\nBy Ada Love\n\nMarch 3\n\nThe paragraph, with [a link]({U}b) in it. [Read more]({U}a)\n\n"
        f"- [Two]({U}c): what it is about, said shortly.\n- [Three]({U}d)\n- [Four]({U}e)\n"
    )
    summaries = {article.title: article.summary for article in extract(text).articles}
    assert summaries["One"] == "The paragraph, with a link in it."
    assert summaries["Two"] == "what it is about, said shortly."
    assert summaries["Three"] is None


def test_links_without_key_are_ignored() -> None:
    """A link without a key belongs to no article, but can still name an author."""
    document = parse(f"## [One]({U}a) by [Ada Love]({PROFILE})\n\n[x]({U}x)".encode(), format="markdown")
    (article,) = extract_articles(document, ["k", None, None]).articles
    assert (article.key, article.title, article.author, len(article.placements)) == (
        "k",
        "One",
        "Ada Love",
        1,
    )


def test_links_with_one_key_are_one_article() -> None:
    """Links with different URLs and one key belong to one article."""
    document = parse(f"[![]()]({U}a?x=1)\n\n## [One]({U}a)".encode(), format="markdown")
    (article,) = extract_articles(document, ["k", "k"]).articles
    assert (article.title, [placement.kind for placement in article.placements]) == (
        "One",
        ["image", "title"],
    )
