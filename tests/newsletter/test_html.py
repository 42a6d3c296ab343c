"""Links that the HTML reader finds, and those that it leaves untouched."""

import pytest

from shortener.newsletter import Document, parse

U = "https://example.org/"

FOUND = {
    "double": (f'<a href="{U}1">x</a>', [("double", f"{U}1")]),
    "single": (f"<a class='b' href = '{U}1'>x</a>", [("single", f"{U}1")]),
    "unquoted": (f"<a href={U}1/ >x</a><a href={U}2>y</a>", [("unquoted", f"{U}1/"), ("unquoted", f"{U}2")]),
    "upper case": (f'<A HREF="{U}1">x</A>', [("double", f"{U}1")]),
    "area": (f'<map><area href="{U}1" alt="x"></map>', [("double", f"{U}1")]),
    "first of two": (f'<a href="{U}1" href="{U}2">x</a>', [("double", f"{U}1")]),
    "slash for a space": (f'<a/href="{U}1"/class=x>x</a>', [("double", f"{U}1")]),
    "entities": (f'<a href="{U}?a=1&amp;b=2&#38;c=&#x33;">x</a>', [("double", f"{U}?a=1&b=2&c=3")]),
    "parameters that look like entities": (
        f'<a href="{U}?a=1&copy=2&reg=3&notit;&amp">x</a>',
        [("double", f"{U}?a=1&copy=2&reg=3&notit;&")],
    ),
    "entity in the scheme": ('<a href="&#104;ttps://example.org/1">x</a>', [("double", f"{U}1")]),
    "white space around": (f'<a href="\n  {U}1 ">x</a>', [("double", f"{U}1")]),
    "white space within": ('<a href="https://exam\nple.org/1">x</a>', [("double", f"{U}1")]),
    "quote in the value": (f'<a title=\'a > b "c"\' href="{U}it\'s">x</a>', [("double", f"{U}it's")]),
    "tag over lines, multi-byte": (
        f'<p>é中😀</p>\r\n<a\r\n title="中"\r\n href="{U}1"\r\n>x</a>',
        [("double", f"{U}1")],
    ),
    "unclosed": (
        f"<table><tr><td><a href='{U}1'>x<td><b><a href='{U}2'>y",
        [("single", f"{U}1"), ("single", f"{U}2")],
    ),
    "cut off in the tag": (f"<a href='{U}1'>x</a><a href='{U}2'", [("single", f"{U}1")]),
    "quote that never closes": (f"<a href='{U}1'>x</a><a href=\"{U}2>y</a>", [("single", f"{U}1")]),
    "comment": (
        f"<!-- <a href='{U}1'>x</a> --><!--><a href='{U}2'>y</a><!-- --!><a href='{U}3'>z</a>",
        [("single", f"{U}2"), ("single", f"{U}3")],
    ),
    "comment that never closes": (f"<a href='{U}1'>x</a><!-- <a href='{U}2'>y</a>", [("single", f"{U}1")]),
    "script and style": (
        f"<script>x='<a href=\"{U}1\">'</script ><style>a[href='{U}2']{{}}</style>"
        f"<SCRIPT><a href={U}3></SCRIPT><a href={U}4>",
        [("unquoted", f"{U}4")],
    ),
    "raw text": (
        "".join(
            f"<{tag}><a href={U}1></{tag}>" for tag in ("title", "textarea", "xmp", "iframe", "noembed", "noframes")
        ),
        [],
    ),
    "no raw text": (
        f"<noscript><a href={U}1>x</a></noscript><pre><code><a href={U}2>y</a></code></pre>",
        [("unquoted", f"{U}1"), ("unquoted", f"{U}2")],
    ),
    "CDATA": (f"<![CDATA[ <a href='{U}1'>x</a> ]]><a href='{U}2'>y</a>", [("single", f"{U}2")]),
    "CDATA that never closes": (f"<![CDATA[ x > <a href='{U}1'>x</a>", [("single", f"{U}1")]),
    "instruction and declaration": (
        f"<?php echo '{U}0' ?><!DOCTYPE html><a href='{U}1'>x</a>",
        [("single", f"{U}1")],
    ),
    "elements without links": (
        f"<link href='{U}1'><base href='{U}2'><form action='{U}3'><img src='{U}4' srcset='{U}5 2x'>"
        f"<meta http-equiv=refresh content='0;url={U}6'><body background='{U}7'><q cite='{U}8'><v:rect href='{U}9'>",
        [],
    ),
    "bare URL in text": (f"<p>{U}1</p>", []),
    "button for Outlook": (
        f"<!--[if mso]><v:roundrect href='{U}1' arcsize='10%'><center>Go</center></v:roundrect><![endif]-->"
        f"<!--[if !mso]><!-- --><a href='{U}1'>Go</a><!--<![endif]-->",
        [("single", f"{U}1"), ("single", f"{U}1")],
    ),
    "older Outlook, with an anchor": (
        f"<!--[if (gte mso 9)|(IE)]><a href={U}1>x</a><![endif]-->",
        [("unquoted", f"{U}1")],
    ),
    "conditional for others": (
        f"<!--[if !mso]><a href={U}1>x</a><![endif]--><!--[if IE]><a href={U}2>x</a><![endif]-->",
        [],
    ),
    "revealed conditional": (f"<![if !mso]><a href={U}1>x</a><![endif]>", [("unquoted", f"{U}1")]),
    "comment in a conditional": (f"<!--[if mso]><!--[if mso]><a href={U}1>x</a><![endif]-->", []),
}

UNTOUCHED = {
    "others": (
        '<a href="mailto:a@b.c">x</a><a href=tel:1>y</a><a href="#z">z</a><a href="">e</a><a href="/r">r</a>',
        ["mailto:a@b.c", "tel:1", "#z", "", "/r"],
    ),
    "script by entities": ('<a href="&#106;avascript:alert(1)">x</a>', ["javascript:alert(1)"]),
    "script by tabs": ('<a href="java&Tab;script:alert(1)">x</a>', ["javascript:alert(1)"]),
    "merge tags": (
        "".join(
            f'<a href="{tag}">x</a>' for tag in ("*|UNSUB|*", "{{u}}", "{% u %}", "%%u%%", "[[u]]", "<%= u %>", "${u}")
        ),
        ["*|UNSUB|*", "{{u}}", "{% u %}", "%%u%%", "[[u]]", "<%= u %>", "${u}"],
    ),
    "merge tags in URLs": (
        "".join(
            f'<a href="{U}?x={tag}&amp;y">x</a>'
            for tag in (
                "*|ID|*",
                "{{ id }}",
                "{% id %}",
                "%%id%%",
                "[[id]]",
                "<%= id %>",
                "${id}",
                "{id}",
                "%FIRSTNAME%",
            )
        ),
        [
            f"{U}?x={tag}&y"
            for tag in (
                "*|ID|*",
                "{{ id }}",
                "{% id %}",
                "%%id%%",
                "[[id]]",
                "<%= id %>",
                "${id}",
                "{id}",
                "%FIRSTNAME%",
            )
        ],
    ),
}


def html(text: str) -> Document:
    """Return the parsed HTML."""
    return parse(text.encode(), format="html")


@pytest.mark.parametrize("name", FOUND)
def test_links_found_in_html(name: str) -> None:
    """The expected links are found with unescaped URLs, and each byte range contains only the URL."""
    text, expected = FOUND[name]
    document = html(text)
    assert [(link.syntax, link.url) for link in document.links] == expected
    for link in document.links:
        url_bytes = document.source[link.start : link.end]
        assert url_bytes == url_bytes.strip()
        assert document.source[link.start - 1 : link.start] in (b'"', b"'", b"=", b" ", b"\n")


@pytest.mark.parametrize("name", UNTOUCHED)
def test_other_hrefs_are_untouched(name: str) -> None:
    """Merge tags and URLs that are not http(s) are listed as untouched."""
    text, expected = UNTOUCHED[name]
    document = html(text)
    assert document.links == ()
    assert [link.url for link in document.untouched] == expected


def test_title_element() -> None:
    """``<title>`` is the title of the document, but the title of an SVG image is not."""
    assert html("<svg><title>no</title></svg><title> A &amp;\n B </title>").title == "A & B"
