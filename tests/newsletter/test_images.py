"""The picture of an article: where the image comes from that leads to it."""

import pytest

from shortener.newsletter import Format, extract_articles, parse

U = "https://example.org/a"
SHOWN: dict[str, tuple[Format, str, str | None]] = {
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


@pytest.mark.parametrize(("format", "text", "image"), SHOWN.values(), ids=SHOWN)
def test_the_picture_that_leads_to_an_article_is_its_image(
    format: Format, text: str, image: str | None
) -> None:
    """As written, with entities resolved; only what can be shown in another issue as well."""
    document = parse(text.encode(), format=format)
    found = extract_articles(document, [link.url for link in document.links])
    assert next(each.image for each in found.articles if each.key == U) == image


def test_what_is_no_article_has_no_image() -> None:
    """Icons of social networks and logos are not kept."""
    text = "## [A thing](https://example.org/a)\n\n[![Twitter](t.png)](https://twitter.com/us)"
    document = parse(text.encode(), format="markdown")
    found = extract_articles(document, [link.url for link in document.links])
    assert [each.image for each in found.articles] == [None, None]
