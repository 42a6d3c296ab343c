"""Mails: parts in every transfer encoding and character set are rewritten, and every other byte stays."""

import base64
import email
import quopri
import textwrap
from email import policy
from typing import cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shortener.errors import UnreadableDocument
from shortener.newsletter import detect_format, extract_articles, parse, rewrite, stored_form
from shortener.newsletter.transfer_encoding import Replacement, decode, replace

URL = "https://example.com/one?x=1&y=2"
SHORT = "https://s.example/7pj1e/1"
HTML = '<html><body><h2><a href="https://example.com/one?x=1&amp;y=2">Nets are mended</a></h2></body></html>'
ENCODINGS = ("7bit", "quoted-printable", "base64")


def encode(text: bytes, encoding: str, *, line_end: bytes = b"\r\n", width: int = 76) -> bytes:
    """Return text in a transfer encoding."""
    if encoding == "base64":
        data = base64.b64encode(text).decode()
        return line_end.join(line.encode() for line in textwrap.wrap(data, width))
    if encoding == "quoted-printable":
        return quopri.encodestring(text.replace(line_end, b"\n")).replace(b"\n", line_end)
    return text


def leaf(text: bytes, kind: str, encoding: str, *, charset: str = "utf-8", line_end: bytes = b"\r\n") -> bytes:
    """Return a part with its header."""
    header = f"Content-Type: {kind}; charset={charset}\nContent-Transfer-Encoding: {encoding}\n\n"
    return header.encode().replace(b"\n", line_end) + encode(text, encoding, line_end=line_end)


def mail(*leaves: bytes, kind: str = "alternative", headers: str = "", line_end: bytes = b"\r\n") -> bytes:
    """Return a multipart mail."""
    head = f"From: desk@kelp.example.org\nSubject: =?utf-8?q?Kelp_=E2=80=93_5?=\nMIME-Version: 1.0\n{headers}"
    head += f'Content-Type: multipart/{kind}; boundary="b 1"\n\npreamble\n'
    body = b"".join(b"--b 1\n".replace(b"\n", line_end) + part + line_end for part in leaves)
    return head.encode().replace(b"\n", line_end) + body + b"--b 1--" + line_end


def decoded_parts(source: bytes) -> list[bytes]:
    """Return the content of all leaves, as the email package decodes them."""
    message = email.message_from_bytes(source, policy=policy.default)
    return [cast(bytes, part.get_payload(decode=True)) for part in message.walk() if not part.is_multipart()]


def rewritten(source: bytes) -> bytes:
    """Return a mail in which every link is replaced."""
    document = parse(source, format="eml")
    return rewrite(document, {link.index: f"https://s.example/{link.index}" for link in document.links})


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("line_end", [b"\r\n", b"\n"])
def test_both_parts_are_rewritten(encoding: str, line_end: bytes) -> None:
    """HTML links come first, the subject is the title, and only the URLs differ after decoding."""
    text = leaf(f"Nets: {URL}".encode(), "text/plain", "7bit", line_end=line_end)
    source = mail(text, leaf(HTML.encode(), "text/html", encoding, line_end=line_end), line_end=line_end)
    assert detect_format("stdin", source) == "eml"
    document = parse(source, format="eml")
    assert [link.url for link in document.links] == [URL, URL]
    issue = extract_articles(document, [URL, URL])
    assert issue.title == "Kelp – 5"
    assert [(a.title, a.position, len(a.placements)) for a in issue.articles] == [("Nets are mended", 1, 2)]
    output = rewrite(document, dict.fromkeys((0, 1), SHORT))
    expected = HTML.replace(URL.replace("&", "&amp;"), SHORT)
    assert decoded_parts(output) == [f"Nets: {SHORT}".encode(), expected.encode()]
    assert output.split(b"--b 1")[0] == source.split(b"--b 1")[0]
    assert output.count(b"--b 1") == source.count(b"--b 1")
    assert rewrite(document, {}) == source


def test_soft_line_break_inside_an_attribute() -> None:
    """A URL over a soft line break is found and replaced as a whole."""
    body = b'<a href=\r\n=3D"https://example.com/one?x=3D1&amp;y=\r\n=3D2">Nets</a>'
    body = body.replace(b"href=\r\n", b"href=\r\n")
    source = mail(b"Content-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + body)
    assert parse(source, format="eml").links[0].url == URL
    assert b'<a href=\r\n=3D"https://s.example/0">Nets</a>' in rewritten(source)


def test_base64_keeps_its_width_and_all_else() -> None:
    """Only the part in base64 differs, in lines of its own width."""
    long = HTML.replace("</body>", "<p>" + "Words about nets. " * 40 + "</p></body>").encode()
    part = b"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    source = mail(part + encode(long, "base64", width=60))
    output = rewritten(source)
    assert output.startswith(source[: source.index(part) + len(part)])
    lines = output.split(part)[1].split(b"\r\n--b 1")[0].split(b"\r\n")
    assert {len(line) for line in lines[:-1]} == {60}
    assert decoded_parts(output) == [long.replace(b"https://example.com/one?x=1&amp;y=2", b"https://s.example/0")]


CHARSETS = {
    "windows-1252": b"\x92 ".decode("cp1252"),
    "iso-8859-1": "é",
    "iso-8859-2": "ř",
    "koi8-r": "жук",
    "gb18030": "海藻与光",
    "big5": "漁網",
    "shift_jis": "漁網ソ",
    "iso-2022-jp": "漁網",
    "euc-kr": "그물",
    "utf-8": "漁網 é",
}


# Names as mails declare them, the encoding of Python, and a text that needs characters of Windows.
BROWSER_NAMES = {
    "Shift_JIS": ("cp932", "①㈱漁網"),
    "x-sjis": ("cp932", "漁網"),
    "ks_c_5601-1987": ("cp949", "똠방각하"),
    "iso-8859-8-i": ("iso8859-8", "שלום"),
    "windows-874": ("cp874", "หนังสือ"),
    "x-gbk": ("gb18030", "海藻"),
    "iso-8859-9": ("cp1254", "“İzmir”"),
}


@pytest.mark.parametrize("charset", BROWSER_NAMES)
def test_character_sets_as_browsers_read_them(charset: str) -> None:
    """Names that only browsers know, and characters of Windows in a smaller declared set, are read."""
    codec, words = BROWSER_NAMES[charset]
    text = f"<p>{words}<a href='{URL}'>{words}</a></p>".encode(codec)
    source = mail(leaf(text, "text/html", "8bit", charset=charset))
    document = parse(source, format="eml")
    keys = [link.url for link in document.links]
    assert extract_articles(document, keys).articles[0].title == words
    assert decoded_parts(rewritten(source)) == [text.replace(URL.encode(), b"https://s.example/0")]


def test_parts_of_a_digest_are_attached_mails() -> None:
    """A part without a type is a mail in multipart/digest: its links are left alone."""
    attached = b"\r\nFrom: ann@x.example\r\n\r\nhttps://example.com/attached\r\n"
    digest = mail(attached, kind="digest").replace(b"b 1", b"b 2")
    digest = digest[digest.index(b"Content-Type") :]
    source = mail(leaf(HTML.encode(), "text/html", "7bit"), digest, kind="mixed")
    assert [link.url for link in parse(source, format="eml").links] == [URL]
    assert attached in rewritten(source)
    assert b"ann@x.example" not in stored_form(source)


def test_comment_behind_a_transfer_encoding() -> None:
    """A comment in the header of the transfer encoding does not hide the encoding."""
    part = leaf(HTML.encode(), "text/html", "quoted-printable")
    source = mail(part.replace(b"quoted-printable", b"Quoted-Printable (by the gateway)"))
    assert [link.url for link in parse(source, format="eml").links] == [URL]


@pytest.mark.parametrize("charset", CHARSETS)
@pytest.mark.parametrize("encoding", ["8bit", "quoted-printable", "base64"])
def test_character_sets(charset: str, encoding: str) -> None:
    """The bytes around a URL are kept in every character set."""
    text = f"<p>{CHARSETS[charset]}<a href='{URL}'>{CHARSETS[charset]}</a>{CHARSETS[charset]}</p>".encode(charset)
    source = mail(leaf(text, "text/html", encoding, charset=charset))
    assert decoded_parts(rewritten(source)) == [text.replace(URL.encode(), b"https://s.example/0")]


def test_undecodable_bytes_are_kept() -> None:
    """Bytes that the character set does not have stay as they are."""
    text = b"\x81\x92 <a href='https://example.com/'>x</a> \xff"
    source = mail(leaf(text, "text/html", "8bit", charset="windows-1252"))
    assert text.replace(b"https://example.com/", b"https://s.example/0") in rewritten(source)


def test_unknown_character_set_is_left_alone_and_named() -> None:
    """A part that cannot be decoded is unchanged, and there is a warning."""
    other = leaf(b"See https://example.com/a", "text/plain", "7bit", charset="x-unknown")
    document = parse(mail(other, leaf(HTML.encode(), "text/html", "7bit")), format="eml")
    assert len(document.links) == 1
    assert "x-unknown" in document.warnings[0]


def test_nested_parts_and_attachments() -> None:
    """Parts inside parts are rewritten; attachments and attached mails are not."""
    pdf = b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBERi0xLjQ=\r\n"
    attached = b"Content-Type: message/rfc822\r\n\r\nFrom: a@b.example\r\n\r\nhttps://example.com/attached\r\n"
    text = b"Content-Type: text/plain\r\nContent-Disposition: attachment\r\n\r\nhttps://example.com/notes\r\n"
    inner = mail(leaf(HTML.encode(), "text/html", "quoted-printable"), kind="related").replace(b"b 1", b"b 2")
    inner = inner[inner.index(b"Content-Type") :]
    source = mail(inner, pdf, attached, text, kind="mixed")
    document = parse(source, format="eml")
    assert [link.url for link in document.links] == [URL]
    output = rewritten(source)
    for part in (pdf, attached, text):
        assert part in output


def test_boundary_text_inside_a_line_is_no_boundary() -> None:
    """A boundary counts only at the start of a line."""
    source = mail(leaf(b"--b 2 and x --b 1\r\nhttps://example.com/a\r\n--b 1x", "text/plain", "7bit"))
    assert len(parse(source, format="eml").links) == 1
    assert rewritten(source) == source.replace(b"https://example.com/a", b"https://s.example/0")


def test_mail_that_is_cut_off() -> None:
    """A mail without its closing boundary is rewritten as far as it goes, with a warning."""
    source = mail(leaf(f"{URL}\r\nend".encode(), "text/plain", "7bit")).removesuffix(b"\r\n--b 1--\r\n")
    document = parse(source, format="eml")
    assert any("closing boundary" in warning for warning in document.warnings)
    assert rewritten(source) == source.replace(URL.encode(), b"https://s.example/0")


def test_signed_mail() -> None:
    """Links in signed parts are untouched, with a warning, unless the signature may be broken."""
    source = mail(leaf(HTML.encode(), "text/html", "7bit"), kind="signed")
    document = parse(source, format="eml")
    assert document.links == ()
    assert document.untouched[0].reason == "it is in a signed part"
    assert "signature" in document.warnings[0]
    assert len(parse(source, format="eml", break_signature=True).links) == 1
    dkim = mail(leaf(HTML.encode(), "text/html", "7bit"), headers="DKIM-Signature: v=1\n")
    assert "signature" in parse(dkim, format="eml").warnings[0]


def test_headers() -> None:
    """Links in headers are not read, and the date is proposed."""
    headers = "List-Unsubscribe: <https://kelp.example.org/leave>\nDate: Tue, 24 Nov 2026 08:00:00 +0100\n"
    source = mail(leaf(HTML.encode(), "text/html", "7bit"), headers=headers)
    document = parse(source, format="eml")
    assert (len(document.links), document.sent_at) == (1, 1_795_503_600)
    assert b"List-Unsubscribe: <https://kelp.example.org/leave>" in rewritten(source)


def test_stored_form_names_no_person() -> None:
    """Only Subject, Date, MIME-Version and Content-* are stored, also of an attached mail."""
    headers = (
        "To: Reader <reader@y.example.org>,\n\tother@y.example.org\nReceived: by y.example.org\n for <r@y.example>\n"
        "Delivered-To: r@y.example.org\nDate: Tue, 24 Nov 2026 08:00:00 +0100\nnot a header r@y.example.org\n"
    )
    attached = b"Content-Type: message/rfc822\r\n\r\nTo: a@y.example.org\r\nSubject: x\r\n\r\nText\r\n"
    source = mail(leaf(HTML.encode(), "text/html", "base64"), attached, headers=headers)
    stored = stored_form(source)
    assert b"y.example.org" not in stored
    assert b"desk@" not in stored
    assert b"Subject: =?utf-8" in stored
    assert b"Date: " in stored
    assert [link.url for link in parse(stored, format="eml").links] == [URL]
    assert stored_form(stored) == stored


def test_mail_without_text_is_refused() -> None:
    """A mail whose only part is a picture is refused in one line."""
    source = mail(b"Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA")
    with pytest.raises(UnreadableDocument, match="no text that can be read"):
        parse(source, format="eml")


@pytest.mark.parametrize(
    "source",
    [b"# Kelp\n\nTo: all of you\n", b"Title: Kelp\nDate: 2026-11-24\n\nText\n", b"Subject: x\nText\n\n", b""],
)
def test_other_files_are_no_mails(source: bytes) -> None:
    """Markdown with metadata lines is no mail."""
    assert detect_format("issue", source) == "markdown"


pieces = st.lists(
    st.sampled_from(["=", "é", " ", "\r\n", "x" * 70, "y", " \r\n", "\t", "漁"]) | st.text("abc =é", max_size=90),
    max_size=8,
)


@settings(deadline=None)
@example([(["="], 1), (["=", "=", "é", "é", "é", "======"], 1)], [], 8)
@given(st.lists(st.tuples(pieces, st.integers(1, 120)), min_size=1, max_size=6), pieces, st.integers(8, 90))
def test_quoted_printable_is_exact(texts: list[tuple[list[str], int]], tail: list[str], size: int) -> None:
    """After decoding, only the replaced ranges differ, and no line becomes longer than 76 characters."""
    text, ranges = "", []
    for words, length in texts:
        text += "".join(words)
        start = len(text.encode())
        text += "u" * length
        ranges.append((start, start + length))
    text += "".join(tail)
    encoded = quopri.encodestring(text.encode().replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
    decoded = decode(encoded, transfer_encoding="quoted-printable")
    assert decoded is not None
    assert decoded.data == quopri.decodestring(encoded)
    new = b"https://s.example/?q=" + b"z" * size
    output = replace(
        encoded, [Replacement(start, end, new) for start, end in ranges], transfer_encoding="quoted-printable"
    )
    expected, offset = b"", 0
    for start, end in ranges:
        expected += decoded.data[offset:start] + new
        offset = end
    assert quopri.decodestring(output) == expected + decoded.data[offset:]
    longest = max(76, *map(len, encoded.split(b"\r\n")))
    assert all(len(line) <= longest for line in output.split(b"\r\n"))
