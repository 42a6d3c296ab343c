"""Recipient tags behind short URLs and honeypot links: what is inserted, and what stays unchanged."""

import pytest

from shortener import newsletter
from shortener.errors import InputError
from shortener.newsletter import (
    check_recipient_tag,
    honeypot_html,
    insert_honeypot,
    rewrite,
    strip_recipient_tags,
)

PLACES = {
    "an inline link": b"[a](https://a.example/x)",
    "with a title": b'[a](https://a.example/x "title")',
    "in angle brackets": b"[a](<https://a.example/x>)",
    "an autolink": b"see <https://a.example/x> there",
    "a definition": b"[a][r]\n\n[r]: https://a.example/x",
    "double quotes": b'<p><a href="https://a.example/x">a</a></p>',
    "single quotes": b"<p><a href='https://a.example/x'>a</a></p>",
    "no quotes": b"<p><a href=https://a.example/x>a</a></p>",
}
TAGS = {
    "Mailchimp": "*|UNIQID|*",
    "Handlebars": "{{contact.id}}",
    "Salesforce": "%%subscriberid%%",
    "Salesforce's functions": "%%=v(@id)=%%",
    "double brackets": "[[uniqid]]",
    "a dollar": "${id}",
    "Mailgun": "%recipient.id%",
    "one brace": "{id}",
    "capitals": "%RECIPIENTID%",
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("tag", TAGS.values(), ids=TAGS)
def test_tag_is_written_and_stripped(place: bytes, tag: str) -> None:
    """The unescaped tag follows the short URL in every syntax, and stripping it gives the source without a tag."""
    document = newsletter.parse(place, format="html" if place.startswith(b"<p") else "markdown")
    plain = rewrite(document, {0: "https://go.example/c/1"})
    tagged = rewrite(document, {0: "https://go.example/c/1"}, recipient_tag=check_recipient_tag(tag))
    query = f"?_c={tag}".encode()
    assert tagged == plain.replace(b"/c/1", b"/c/1" + query)
    assert strip_recipient_tags(tagged, hosts=["go.example"]) == (plain, tag)


def test_tagged_bare_url_gets_angle_brackets() -> None:
    """A bare URL with a tag becomes an autolink, because programs would disagree about its end."""
    document = newsletter.parse(b"**https://a.example/x**, there", format="markdown")
    assert rewrite(document, {0: "https://go.example/c"}, recipient_tag="*|UNIQID|*") == (
        b"**<https://go.example/c?_c=*|UNIQID|*>**, there"
    )


BAD_TAGS = {
    "spaces": ("{{ contact.id }}", "{{contact.id}}"),
    "a line break": ("{{contact\n.id}}", "cannot contain spaces"),
    "a hash": ("{{#id}}", "cannot contain '#'"),
    "an ampersand": ("{{a&b}}", "cannot contain '&'"),
    "a word": ("newsletter", "not a known merge tag"),
    "a word behind a tag": ("*|UNIQID|*x", "not a known merge tag"),
    "nothing": ("", "not a known merge tag"),
    "no end": ("{{id", "not a known merge tag"),
    "too long": ("{{" + "x" * 300 + "}}", "at most 200"),
}


@pytest.mark.parametrize(("tag", "message"), BAD_TAGS.values(), ids=BAD_TAGS)
def test_invalid_tags_are_refused(tag: str, message: str) -> None:
    """A tag that cannot be part of a URL, or that is no merge tag, is refused with a message of one line."""
    with pytest.raises(InputError) as error:
        check_recipient_tag(tag)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


BROKEN = {
    "a bar in a table": (b"| a |\n|---|\n| [x](https://a.example/) |", "markdown", "*|UNIQID|*", "line 3"),
    "brackets of HTML without quotes": (b"<p><a href=https://a.example/>x</a>", "html", "<%=id%>", "line 1"),
    "a quote in quotes": (b'<p>\n<a href="https://a.example/">x</a>', "html", '{{ids["a"]}}', "line 2"),
}


@pytest.mark.parametrize(("source", "format", "tag", "line"), BROKEN.values(), ids=BROKEN)
def test_tag_that_breaks_the_syntax_is_refused(source: bytes, format: str, tag: str, line: str) -> None:
    """A tag that ends the table cell or attribute of a link is refused with the number of the line."""
    document = newsletter.parse(source, format=format)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=line):
        rewrite(document, {0: "https://go.example/c"}, recipient_tag=check_recipient_tag(tag))


UNCHANGED = {
    "another host's": b"https://other.example/c?_c={{id}}",
    "no tag": b"https://go.example/c?_c=abc",
    "another key": b"https://go.example/c?c={{id}}",
    "cut off": b"https://go.example/c?_c=",
}


@pytest.mark.parametrize("source", UNCHANGED.values(), ids=UNCHANGED)
def test_other_urls_are_not_stripped(source: bytes) -> None:
    """URLs without a recipient tag, and URLs of other hosts, are unchanged."""
    assert strip_recipient_tags(source, hosts=["go.example"]) == (source, "")


ENDS = {
    "before the end of the body": (b"<html><body><p>x</p></body></html>", b"</body></html>"),
    "before the last end": (b"<body><!-- </body> --><p></body>\n</BODY >\n", b"</BODY >\n"),
    "at the end": (b"<p>x</p>\n", b""),
    "behind a comment": (b"<p>x</p><!-- </body> -->", b""),
}


@pytest.mark.parametrize(("source", "rest"), ENDS.values(), ids=ENDS)
def test_honeypot_is_inserted_at_the_end_of_the_body(source: bytes, rest: bytes) -> None:
    """The honeypot link is inserted before the end of the body, and every other byte is unchanged."""
    honeypot = honeypot_html("https://go.example/c", recipient_tag="*|UNIQID|*")
    output = insert_honeypot(source, honeypot)
    assert output == source.removesuffix(rest) + honeypot.encode() + rest
    assert strip_recipient_tags(output, hosts=["go.example"])[1] == "*|UNIQID|*"


def test_honeypot_html() -> None:
    """The link is invisible, is skipped by screen readers and the tab key, and its href is found in the HTML."""
    honeypot = honeypot_html("https://go.example/c")
    for part in (
        'href="https://go.example/c"',
        'aria-hidden="true"',
        'tabindex="-1"',
        "font-size:0",
        "mso-hide:all",
    ):
        assert part in honeypot
    assert "display:none" not in honeypot
    (link,) = newsletter.parse(honeypot.encode(), format="html").links
    assert link.url == "https://go.example/c"


@pytest.mark.parametrize("end", [b"<!-- open", b"<script>x", b"<a href='x", b"<textarea>"])
def test_honeypot_behind_open_markup_is_refused(end: bytes) -> None:
    """A document that ends in an open comment, script or tag is refused."""
    with pytest.raises(InputError, match="close it first"):
        insert_honeypot(b"<p>x</p>" + end, honeypot_html("https://go.example/c"))
