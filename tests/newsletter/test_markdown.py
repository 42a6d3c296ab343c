"""Links that the Markdown reader finds, with their syntax, and those that it leaves untouched."""

import pytest

from shortener.newsletter import Document, parse

U = "https://example.org/"

FOUND = {
    "inline": (f"[a]({U}1)", [("destination", f"{U}1")]),
    "inline with title": (
        f'[a]({U}1 "t") and [b]({U}2 (t))',
        [("destination", f"{U}1"), ("destination", f"{U}2")],
    ),
    "no text": (f"[]({U}1)", [("destination", f"{U}1")]),
    "parentheses": (f"[a]({U}w_(x)_(y))", [("destination", f"{U}w_(x)_(y)")]),
    "escapes and entities": (f"[a]({U}\\(x\\)?a=1&amp;b=2)", [("destination", f"{U}(x)?a=1&b=2")]),
    "angle brackets": (f"[a](<{U}a b> 't')", [("angle", f"{U}a b")]),
    "destination on the next line": (f"[a\nb](\n{U}1\n't')", [("destination", f"{U}1")]),
    "in a quote, over lines": (f"> [a\n> b](\n> {U}1)", [("destination", f"{U}1")]),
    "link around an image": (f"[![x](https://img.example/x.png)]({U}1)", [("destination", f"{U}1")]),
    "image alone": ("![x](https://img.example/x.png)", []),
    "image with a link in its text": (f"![x [y]({U}1)](https://img.example/x.png)", []),
    "nested emphasis": (f"******[**阅读更多**]({U}1)******", [("destination", f"{U}1")]),
    "brackets in code in the text": (f"[`](`]({U}1)", [("destination", f"{U}1")]),
    "URL as text": (f"[{U}1]({U}2)", [("destination", f"{U}2")]),
    "autolink": (f"<{U}1?a=b>", [("autolink", f"{U}1?a=b")]),
    "full reference": (f"[a][r] x\n\n[r]: {U}1 'title'", [("destination", f"{U}1")]),
    "collapsed reference, other case": (f"[R  s][]\n\n[r S]: <{U}1>", [("angle", f"{U}1")]),
    "shortcut used three times": (f"[r] ![][r] [r] [b][r]\n\n[r]:\n  {U}1", [("destination", f"{U}1")]),
    "order is that of first use": (
        f"[r]: {U}1\n[s]: {U}2\n\n[a]({U}3) [s] [r]",
        [("destination", f"{U}3"), ("destination", f"{U}2"), ("destination", f"{U}1")],
    ),
    "definition in a quote": (f"> [r]\n>\n> [r]: {U}1", [("destination", f"{U}1")]),
    "first of two definitions": (f"[r]\n\n[r]: {U}1\n\n[R]: {U}2", [("destination", f"{U}1")]),
    "definition used by an image only": (f"![r]\n\n[r]: {U}1", []),
    "bare": (f"see {U}1 now", [("bare", f"{U}1")]),
    "bare before punctuation": (
        f"({U}a_(b)), {U}2. {U}3?!",
        [("bare", f"{U}a_(b)"), ("bare", f"{U}2"), ("bare", f"{U}3")],
    ),
    "bare in emphasis": (
        f"**{U}1** _{U}2_ ~~{U}3~~",
        [("bare", f"{U}1"), ("bare", f"{U}2"), ("bare", f"{U}3")],
    ),
    "bare with emphasis marks inside": (f"{U}a_b_c*d*e", [("bare", f"{U}a_b_c*d*e")]),
    "bare between Chinese": (f"网址{U}1，欢迎。（{U}2）", [("bare", f"{U}1"), ("bare", f"{U}2")]),
    "bare with entity": (f"{U}?a=1&amp;b=2&copy;", [("bare", f"{U}?a=1&b=2")]),
    "bare with escape": (f"{U}a\\_b", [("bare", f"{U}a_b")]),
    "incomplete bare URLs": ("https:// http://localhost https://...", []),
    "bare URL after href in a broken tag": (f"<a href={U}?a=1>x</a>", []),
    "www alone": ("www.example.org", []),
    "cells": (f"|a|b|\n|-|-|\n|[x]({U}1)|{U}2|", [("destination", f"{U}1"), ("bare", f"{U}2")]),
    "footnote": (f"a[^1]\n\n[^1]: see {U}1", [("bare", f"{U}1")]),
    "dollars": (f"$5 [a]({U}1) and $10 [b]({U}2)", [("destination", f"{U}1"), ("destination", f"{U}2")]),
    "code": (f"`{U}1` ``[a]({U}2)``\n\n    {U}3\n\n```\n[a]({U}4)\n```\n\n~~~\n{U}5\n~~~", []),
    "comment": (f"<!-- [a]({U}1) <a href='{U}2'> -->\n\nx <!-- {U}3 --> y", []),
    "escaped bracket": (f"\\[a]({U}1)", [("bare", f"{U}1")]),
    "HTML block": (f"<div>\n<a href='{U}1?a&amp;b'>x</a> {U}2\n</div>", [("single", f"{U}1?a&b")]),
    "HTML inline": (f'x <a class=y href="{U}1">{U}2</a> {U}3', [("double", f"{U}1"), ("bare", f"{U}3")]),
    "HTML in a quote": (f"> x <a\n> href={U}1>y</a>", [("unquoted", f"{U}1")]),
    "HTML block in a quote": (f"> <div>\n> <a\n>  href='{U}1'>y</a>\n> </div>", [("single", f"{U}1")]),
    "Markdown between HTML blocks": (f"<div>\n\n[a]({U}1)\n\n</div>", [("destination", f"{U}1")]),
    "script in a paragraph": (f"x <script>a <a href='{U}1'>b</a> {U}2</script>\n\n{U}3", [("bare", f"{U}3")]),
    "a tag's name in prose": (f"the <title> tag\n\n[a]({U}1)", [("destination", f"{U}1")]),
    "Outlook comment": (f"<!--[if mso]><a href='{U}1'>x</a><![endif]-->", [("single", f"{U}1")]),
    "YAML front matter": (f"---\ntitle: x\nurl: {U}0\n---\n{U}1", [("bare", f"{U}1")]),
    "TOML front matter": (f"+++\ntitle = 'x'\nurl = '{U}0'\n+++\n{U}1", [("bare", f"{U}1")]),
    "plain metadata": (f"Title: x\nSource: {U}0\n\n{U}1", [("bare", f"{U}1")]),
    "rules without front matter": (f"---\n\n{U}1\n\n---\n{U}2", [("bare", f"{U}1"), ("bare", f"{U}2")]),
    "prose that looks like metadata": (f"Note: this\n\n{U}1", [("bare", f"{U}1")]),
    "byte order mark": (f"\ufeff[a]({U}1)", [("destination", f"{U}1")]),
    "carriage returns": (
        f"# x\r\n\r\n[a]({U}1)\r\n\r\n[r]\r\n\r\n[r]: {U}2\r\n",
        [("destination", f"{U}1"), ("destination", f"{U}2")],
    ),
    "emoji and right to left": (f"👩‍🚀 [שלום]({U}1) 🎉{U}2", [("destination", f"{U}1"), ("bare", f"{U}2")]),
    "upper case scheme": ("[a](HTTPS://EXAMPLE.ORG/X)", [("destination", "HTTPS://EXAMPLE.ORG/X")]),
}

UNTOUCHED = {
    "mail": ("[a](mailto:a@b.c) <b@c.d>", ["mailto:a@b.c", "mailto:b@c.d"]),
    "anchor and relative": ("[a](#x) [b](/y) [c](z.md)", ["#x", "/y", "z.md"]),
    "protocol-relative": ("[a](//example.org/x)", ["//example.org/x"]),
    "script": ("[a](javascript:alert&#40;1&#41;)", ["javascript:alert(1)"]),
    "Mailchimp tag": ("[a](*|UNSUB|*)", ["*|UNSUB|*"]),
    "tag in a URL": (f"[a]({U}?e=*|EMAIL|*) [b]({U}%%id%%)", [f"{U}?e=*|EMAIL|*", f"{U}%%id%%"]),
    "braces": ("[a](<{{ unsubscribe }}>) [b]({{url}})", ["{{ unsubscribe }}", "{{url}}"]),
    "tag that ends a bare URL": (f"{U}?id={{{{ id }}}}", [f"{U}?id="]),
    "tags behind bare URLs": (f"{U}*|ID|* {U}?x=<%= id %> {U}.{{{{ id }}}}", [U, f"{U}?x=", U]),
    "URL in a shortcode": ("{{< figure https://example.org/x.png >}}", ["https://example.org/x.png"]),
    "single braces": (f"[a]({U}?m={{email}})", [f"{U}?m={{email}}"]),
    "unused definition": (f"[r]: {U}1", [f"{U}1"]),
    "empty": ("[a]()", [""]),
    "no host": ("[a](https://)", ["https://"]),
}


def markdown(text: str) -> Document:
    """Return the parsed Markdown."""
    return parse(text.encode(), format="markdown")


@pytest.mark.parametrize("name", FOUND)
def test_links_found_in_markdown(name: str) -> None:
    """Each http(s) link is found once, with its unescaped URL, its syntax, its line and its byte range."""
    text, expected = FOUND[name]
    document = markdown(text)
    assert [(link.syntax, link.url) for link in document.links] == expected
    for link in document.links:
        url_text = document.source[link.start : link.end].decode()
        assert url_text[:4].lower() == "http"
        assert document.source[: link.start].count(b"\n") == link.line - 1


@pytest.mark.parametrize("name", UNTOUCHED)
def test_other_links_are_untouched_with_a_reason(name: str) -> None:
    """Merge tags and URLs that are not http(s) are listed as untouched, with a reason in one line."""
    text, expected = UNTOUCHED[name]
    document = markdown(text)
    assert document.links == ()
    assert [link.url for link in document.untouched] == expected
    assert all(link.reason and "\n" not in link.reason for link in document.untouched)


def test_emphasis_is_no_merge_tag() -> None:
    """A link between stars and bars, which look like a merge tag, is found."""
    document = markdown(f"***|***[***推特***]({U}1)***|*** *|FNAME|*")
    assert [link.url for link in document.links] == [f"{U}1"]


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("---\ntitle: \"A 'b' c\"\n---\nx", "A 'b' c"),
        ("+++\ntitle = 'One'\n+++\nx", "One"),
        ("---\ndate: 1\n---\n# x", None),
        ("# x", None),
        ("Title: Week 3\nDate: 2020-01-01\n\nx", "Week 3"),
    ],
)
def test_title_in_front_matter(text: str, title: str | None) -> None:
    """The title in front matter is the title of the document."""
    assert markdown(text).title == title
