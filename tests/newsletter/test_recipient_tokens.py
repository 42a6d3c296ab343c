"""Copy tags and hidden links: bytes of the sender's and of ours, and nothing else changed."""

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
def test_a_tag_stands_as_the_sender_needs_it(place: bytes, tag: str) -> None:
    """At every place the short URL is followed by the tag byte for byte, and taking it away gives the bytes without."""
    document = newsletter.parse(place, format="html" if place.startswith(b"<p") else "markdown")
    plain = rewrite(document, {0: "https://go.example/c/1"})
    written = rewrite(document, {0: "https://go.example/c/1"}, recipient_tag=check_recipient_tag(tag))
    tail = f"?_c={tag}".encode()
    assert written == plain.replace(b"/c/1", b"/c/1" + tail)
    assert strip_recipient_tags(written, hosts=["go.example"]) == (plain, tag)


def test_a_bare_url_gets_brackets() -> None:
    """Where a reader's program would guess the end of a URL, brackets say it."""
    document = newsletter.parse(b"**https://a.example/x**, there", format="markdown")
    assert rewrite(document, {0: "https://go.example/c"}, recipient_tag="*|UNIQID|*") == (
        b"**<https://go.example/c?_c=*|UNIQID|*>**, there"
    )


BAD_TAGS = {
    "spaces": ("{{ contact.id }}", "{{contact.id}}"),
    "a line break": ("{{contact\n.id}}", "no spaces"),
    "a hash": ("{{#id}}", "'#' would end"),
    "an ampersand": ("{{a&b}}", "'&' would end"),
    "a word": ("newsletter", "not a merge tag"),
    "a word behind a tag": ("*|UNIQID|*x", "not a merge tag"),
    "nothing": ("", "not a merge tag"),
    "no end": ("{{id", "not a merge tag"),
    "too long": ("{{" + "x" * 300 + "}}", "at most 200"),
}


@pytest.mark.parametrize(("tag", "mend"), BAD_TAGS.values(), ids=BAD_TAGS)
def test_a_bad_tag_is_refused_with_the_mend(tag: str, mend: str) -> None:
    """A tag that cannot stand in a URL, or that is the same for all readers, is refused in one line."""
    with pytest.raises(InputError) as refused:
        check_recipient_tag(tag)
    assert mend in str(refused.value)
    assert "\n" not in str(refused.value)


BROKEN = {
    "a bar in a table": (b"| a |\n|---|\n| [x](https://a.example/) |", "markdown", "*|UNIQID|*", "line 3"),
    "brackets of HTML without quotes": (b"<p><a href=https://a.example/>x</a>", "html", "<%=id%>", "line 1"),
    "a quote in quotes": (b'<p>\n<a href="https://a.example/">x</a>', "html", '{{ids["a"]}}', "line 2"),
}


@pytest.mark.parametrize(("source", "format", "tag", "line"), BROKEN.values(), ids=BROKEN)
def test_a_tag_that_breaks_its_place_is_refused(source: bytes, format: str, tag: str, line: str) -> None:
    """What a place does not leave whole is refused with its line."""
    document = newsletter.parse(source, format=format)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=line):
        rewrite(document, {0: "https://go.example/c"}, recipient_tag=check_recipient_tag(tag))


UNTOUCHED = {
    "another host's": b"https://other.example/c?_c={{id}}",
    "no tag": b"https://go.example/c?_c=abc",
    "another key": b"https://go.example/c?c={{id}}",
    "cut off": b"https://go.example/c?_c=",
}


@pytest.mark.parametrize("source", UNTOUCHED.values(), ids=UNTOUCHED)
def test_only_copy_tags_of_ours_are_taken_away(source: bytes) -> None:
    """What is no copy tag behind a short URL of ours stays as it is."""
    assert strip_recipient_tags(source, hosts=["go.example"]) == (source, "")


ENDS = {
    "before the end of the body": (b"<html><body><p>x</p></body></html>", b"</body></html>"),
    "before the last end": (b"<body><!-- </body> --><p></body>\n</BODY >\n", b"</BODY >\n"),
    "at the end": (b"<p>x</p>\n", b""),
    "behind a comment": (b"<p>x</p><!-- </body> -->", b""),
}


@pytest.mark.parametrize(("source", "rest"), ENDS.values(), ids=ENDS)
def test_a_hidden_link_stands_at_the_end_of_the_body(source: bytes, rest: bytes) -> None:
    """It comes last in what a reader is shown, and every other byte is as it was."""
    hidden = honeypot_html("https://go.example/c", recipient_tag="*|UNIQID|*")
    written = insert_honeypot(source, hidden)
    assert written == source.removesuffix(rest) + hidden.encode() + rest
    assert strip_recipient_tags(written, hosts=["go.example"])[1] == "*|UNIQID|*"


def test_how_a_hidden_link_looks() -> None:
    """It takes no room and no colour, screen readers and the tab key pass over it, and a scanner finds its href."""
    hidden = honeypot_html("https://go.example/c")
    for part in (
        'href="https://go.example/c"',
        'aria-hidden="true"',
        'tabindex="-1"',
        "font-size:0",
        "mso-hide:all",
    ):
        assert part in hidden
    assert "display:none" not in hidden
    (link,) = newsletter.parse(hidden.encode(), format="html").links
    assert link.url == "https://go.example/c"


@pytest.mark.parametrize("end", [b"<!-- open", b"<script>x", b"<a href='x", b"<textarea>"])
def test_no_link_is_hidden_where_none_can_stand(end: bytes) -> None:
    """A document whose end is open is refused, not broken further."""
    with pytest.raises(InputError, match="close it first"):
        insert_honeypot(b"<p>x</p>" + end, honeypot_html("https://go.example/c"))
