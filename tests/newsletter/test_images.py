"""The image URL of an article, taken from the images that link to it."""

import pytest

from shortener.newsletter import Format, extract_articles, parse

U = "https://example.org/a"
IMAGES: dict[str, tuple[Format, str, str | None]] = {
    "image link": ("markdown", f"[![x](https://cdn.example/a.png)]({U})\n\n## [A thing]({U})", "https://cdn.example/a.png"),
    "relative": ("markdown", f"[![](img/a.png)]({U})\n\n## [A thing]({U})", "img/a.png"),
    "by reference": ("markdown", f"[![x][p]]({U})\n\n## [A thing]({U})\n\n[p]: /a.png 'Title'", "/a.png"),
    "escapes": ("markdown", f"[![x](<a b&amp;c.png>)]({U})\n\n## [A thing]({U})", "a b&c.png"),
    "an image in an image": ("markdown", f"[![x ![y](in.png)](out.png)]({U})\n\n## [A thing]({U})", "out.png"),
    "the first of two": ("markdown", f"[![](1.png)]({U})\n\n[![](2.png)]({U})\n\n## [A thing]({U})", "1.png"),
    "HTML card": ("html", f'<a href="{U}"><img src="c.png?x=1&amp;y=2" alt=""><h2>A thing</h2></a>', "c.png?x=1&y=2"),
    "HTML in Markdown": ("markdown", f'<a href="{U}"><img src=a.png></a>\n\n## [A thing]({U})', "a.png"),
    "scheme left out": ("html", f'<h2><a href="{U}"><img src="//cdn.example/a">A thing</a></h2>', "//cdn.example/a"),
    "no image": ("markdown", f"## [A thing]({U})", None),
    "image without a link": ("markdown", f"![](a.png)\n\n## [A thing]({U})", None),
    "image of another link": ("markdown", f"[![](b.png)]({U}b)\n\n## [A thing]({U})", None),
    "attachment": ("html", f'<h2><a href="{U}"><img src="cid:1">A thing</a></h2>', None),
    "inlined": ("markdown", f"[![](data:image/png;base64,AAAA)]({U})\n\n## [A thing]({U})", None),
    "script": ("html", f'<h2><a href="{U}"><img src="javascript:x()">A thing</a></h2>', None),
    "merge tag": ("markdown", f"[![](https://cdn.example/*|ID|*.png)]({U})\n\n## [A thing]({U})", None),
    "no source": ("html", f'<h2><a href="{U}"><img alt="x">A thing</a></h2>', None),
    "endless": ("markdown", f"[![](https://cdn.example/{'a' * 2_000})]({U})\n\n## [A thing]({U})", None),
}  # fmt: skip


@pytest.mark.parametrize(("format", "text", "image"), IMAGES.values(), ids=IMAGES)
def test_image_of_an_article(format: Format, text: str, image: str | None) -> None:
    """The image is the unescaped URL of the first linked image, unless it works in this issue only."""
    document = parse(text.encode(), format=format)
    issue = extract_articles(document, [link.url for link in document.links])
    assert next(article.image for article in issue.articles if article.key == U) == image


def test_other_links_have_no_image() -> None:
    """The icon of a link to a social network is not stored."""
    text = "## [A thing](https://example.org/a)\n\n[![Twitter](t.png)](https://twitter.com/us)"
    document = parse(text.encode(), format="markdown")
    issue = extract_articles(document, [link.url for link in document.links])
    assert [article.image for article in issue.articles] == [None, None]
