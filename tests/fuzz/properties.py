"""What must hold for any input of the readers of issues, of the click log and of the configuration, and such inputs."""

import base64
import json
import quopri
import re
import tempfile
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import strategies as st

from shortener import newsletter
from shortener.clicklog.format import MAX_LINE_BYTES, encode
from shortener.clicklog.reader import ClickLog
from shortener.config import ConfigFile, Domain, load
from shortener.errors import ConfigError, InputError
from shortener.newsletter import Format
from shortener.newsletter.html_tokenizer import tokenize
from shortener.web.issue_document import Badge, read_document

HTML_PIECES = (
    '<a href="https://a.example/9">x</a>',
    "<h2><a href='https://a.example/10?x=é'>Whales</a></h2>",
    '<a href=" https://a.example/11 " title=x>x',
    '<p style="display:none"><a href="https://a.example/12">x</a></p>',
    "<!--[if mso]><a href='https://a.example/13'>x</a><![endif]-->",
    "<a href='https://a.example/1'>",
    '<a href="https://a.example/2?x=1&amp;y=2">',
    "<a href=https://a.example/3>",
    "</a>",
    "<p>",
    "</p>",
    "<h2>",
    "</h2>",
    "<table><tr><td>",
    "</td></tr></table>",
    "<img src='https://i.example/x.png' alt='x'>",
    "<!--",
    "-->",
    "<!--[if mso]>",
    "<![endif]-->",
    "<![if !mso]>",
    "<![endif]>",
    "<style>",
    "</style>",
    "<script>",
    "</script>",
    "<svg>",
    "</svg>",
    "<title>",
    "<base href='https://b.example/'>",
    "<a ",
    "<",
    ">",
    "'",
    '"',
    "&#x41;",
    "&lt;",
    "<![CDATA[",
    "]]>",
    "<?x",
    "<mj-button href='https://a.example/4'>",
    "</mj-button>",
    "<mjml><mj-body>",
    "<a href='*|UNSUB|*'>",
    "<a href='mailto:a@b.example'>",
    "<div data-x='",
    "<area href='https://a.example/5'>",
    "<body style='margin:0;background:url(x)' bgcolor=red>",
    "<p style=\"color:red;background:url('x');position:fixed\">",
    "<a href='https://a.example/6' style='padding:9px'><img width=20 height=9 alt='",
    "p, a:link { color: red } @media screen { .x { width: 50% } }",
    "@import 'x'; td { background: url(x) }",
)
MARKDOWN_PIECES = (
    "[x](https://a.example/9)",
    "### [Whales](https://a.example/10?x=é)\n",
    "[![x](https://i.example/x.png)](https://a.example/11)",
    "[x]: <https://a.example/12>\n",
    "\n- https://a.example/13\n",
    "# ",
    "## ",
    "### [",
    "](https://a.example/1)",
    "](<https://a.example/2>)",
    "[x]: https://a.example/3 'title'\n",
    "[x][]",
    "[x]",
    "![",
    "<https://a.example/4>",
    "https://a.example/5",
    "www.a.example/6",
    "`",
    "```\n",
    "~~~\n",
    "    ",
    "\t",
    "> ",
    "- ",
    "1. ",
    "* * *\n",
    "---\n",
    "===\n",
    "\\",
    "*",
    "_",
    "**",
    "| a | b |\n|---|---|\n",
    "|",
    "[",
    "]",
    "(",
    ")",
    "<",
    ">",
    "{{ x }}",
    "[[x]]",
    "%%x%%",
    "*|X|*",
    "&amp;",
    "---\ntitle: x\n---\n",
    "[^1]",
    "[^1]: ",
    '](https://a.example/7 "t")',
    "](https://a.example/8(a)b)",
    "](/relative)",
    ".",
    ",",
    "!",
    "  \n",
)
MAIL_PIECES = (
    "From: a@b.example\n",
    "Subject: =?utf-8?q?x?=\n",
    "MIME-Version: 1.0\n",
    "Content-Type: text/html; charset=utf-8\n",
    "Content-Type: text/plain; charset=iso-8859-1\n",
    'Content-Type: multipart/alternative; boundary="b"\n',
    'Content-Type: multipart/mixed; boundary="c"\n',
    "Content-Transfer-Encoding: quoted-printable\n",
    "Content-Transfer-Encoding: base64\n",
    "Content-Transfer-Encoding: 8bit\n",
    "\n",
    "\n\n",
    "--b\n",
    "--b--\n",
    "--c\n",
    "--c--\n",
    "=3D",
    "=\n",
    "=E9",
    "=",
    "PGEgaHJlZj0iaHR0cHM6Ly9hLmV4YW1wbGUvMSI+eDwvYT4=\n",
    "PGE",
    "\r\n",
    '<a href=3D"https://a.example/1">x</a>\n',
    "https://a.example/2\n",
    "Content-Type: message/rfc822\n",
    " folded\n",
    "Content-Type: text/calendar\n",
    "DKIM-Signature: v=1\n",
    "format=flowed",
)
WORDS = (
    "x",
    "Whales",
    " ",
    "\n",
    "\n\n",
    "\r\n",
    "é",
    "鯨",
    "\u202e",
    "\ufeff",
    "\u2028",
    "\x0c",
    "By Ada",
    "a@b.example",
)
NEW_URL = "https://go.example/{}/1"


SEEDS = Path(__file__).parents[1] / "newsletter" / "evaluation"


def _documents(*pools: tuple[str, ...]) -> st.SearchStrategy[bytes]:
    """Return documents of pieces in any order; one in eight is damaged."""
    pieces = st.one_of(*(st.sampled_from(pool) for pool in pools), st.sampled_from(WORDS), st.text(max_size=3))
    texts = st.lists(pieces, min_size=3, max_size=40).map("".join).map(lambda text: text.encode("utf-8", "replace"))
    return st.one_of(*[texts] * 7, st.builds(_damage, texts, st.integers(0, 200), st.binary(max_size=3)))


def _changed_issues(suffix: str, *pools: tuple[str, ...]) -> st.SearchStrategy[bytes]:
    """Return the issues of the evaluation with pieces inserted and some bytes removed."""
    sources = [path.read_bytes() for path in sorted(SEEDS.glob(f"*{suffix}"))]
    changes = st.lists(
        st.tuples(
            st.integers(0, 6_000),
            st.integers(0, 40),
            st.one_of(*(st.sampled_from(pool) for pool in pools)).map(str.encode),
        ),
        min_size=1,
        max_size=4,
    )
    return st.builds(_change, st.sampled_from(sources), changes)


def _change(content: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    """Return content with bytes replaced: each change has a position, a number of bytes and the new ones."""
    for position, removed, inserted in changes:
        content = content[:position] + inserted + content[position + removed :]
    return content


def _damage(content: bytes, position: int, inserted: bytes) -> bytes:
    """Return content with bytes inserted at a position, in the middle of a character perhaps."""
    return content[:position] + inserted + content[position:]


def _mail(headers: list[str], transfer_encoding: str, charset: str, is_html: bool, content: bytes) -> bytes:
    """Return a mail with one part in a transfer encoding and a character set."""
    body = content.decode(errors="replace").encode(charset, "replace")
    if transfer_encoding == "base64":
        body = base64.encodebytes(body)
    elif transfer_encoding == "quoted-printable":
        body = quopri.encodestring(body)
    subtype = "html" if is_html else "plain"
    own = [f"Content-Type: text/{subtype}; charset={charset}\n", f"Content-Transfer-Encoding: {transfer_encoding}\n"]
    return "".join([*headers, "From: a@b.example\nMIME-Version: 1.0\n", *own, "\n"]).encode() + body


MAILS = st.builds(
    _mail,
    st.lists(st.sampled_from(("X: y\n", "Subject: x\n", "DKIM-Signature: v=1\n")), max_size=2),
    st.sampled_from(("base64", "quoted-printable", "8bit")),
    st.sampled_from(("utf-8", "iso-8859-1", "windows-1252", "shift_jis", "utf-16")),
    st.booleans(),
    st.one_of(_documents(HTML_PIECES), _documents(MARKDOWN_PIECES)),
)
ISSUES: st.SearchStrategy[tuple[Format, bytes]] = st.one_of(
    st.tuples(st.just("html"), _documents(HTML_PIECES)),
    st.tuples(st.just("html"), _changed_issues(".html", HTML_PIECES)),
    st.tuples(st.just("mjml"), _documents(HTML_PIECES)),
    st.tuples(st.just("mjml"), _changed_issues(".mjml", HTML_PIECES)),
    st.tuples(st.just("markdown"), _documents(MARKDOWN_PIECES)),
    st.tuples(st.just("markdown"), _documents(MARKDOWN_PIECES, HTML_PIECES)),
    st.tuples(st.just("markdown"), _changed_issues(".md", MARKDOWN_PIECES, HTML_PIECES)),
    st.tuples(st.just("eml"), _documents(MAIL_PIECES, HTML_PIECES)),
    st.tuples(st.just("eml"), _changed_issues(".eml", MAIL_PIECES, HTML_PIECES)),
    st.tuples(st.just("eml"), MAILS),
)
"""Issues in all formats: from pieces of their markup in any order, and real ones with changes."""


def check_issue(issue: tuple[Format, bytes]) -> None:
    """Check that an issue is refused in words, or that its links can be replaced and nothing else changes."""
    format, source = issue
    newsletter.detect_format("issue", source)
    try:
        document = newsletter.parse(source, format=format)
    except InputError:
        return
    newsletter.extract_articles(document, [link.url for link in document.links])
    check_shown(read_document(source, format=format).render(lambda url: Badge("1", url), stylesheet_url="", title=""))
    assert newsletter.rewrite(document, {}) == source
    urls = {link.index: NEW_URL.format(f"n{link.index}") for link in document.links}
    output = newsletter.rewrite(document, urls)
    if not document.parts:
        position = 0
        for link in sorted(document.links, key=lambda each: each.start):
            before = source[position : link.start]
            assert output.startswith(before), (output, before)
            output = output[len(before) :]
            new = urls[link.index].encode()
            assert output.startswith(new), (output, new)
            output, position = output[len(new) :], link.end
        assert output == source[position:]
        output = newsletter.rewrite(document, urls)
    reread = newsletter.parse(output, format=format)
    assert [link.url for link in reread.links] == list(urls.values())


_FORBIDDEN_CSS = re.compile(rb"url|@(?!media)|\\\\|position|expression", re.I)
_ATTRIBUTES = {
    *b"align bgcolor border cellpadding cellspacing class color cols colspan dir face height id lang nowrap".split(),
    *b"rowspan size span start style type valign width title data-tone data-level data-place".split(),
}


def check_shown(page: str) -> None:
    """Check that a shown issue has no element, attribute or CSS that runs, fetches or covers anything."""
    content = page.encode().partition(b"<body")[2].partition(b">")[2]
    for token in tokenize(content):
        assert token.kind != "comment"
        if token.kind == "raw":
            assert token.name == b"style"
            assert not _FORBIDDEN_CSS.search(content, token.start, token.end)
        if token.kind == "start":
            assert token.name not in {*b"a img script iframe object embed form base meta link svg math".split()}
            assert not {attribute.name for attribute in token.attributes} - _ATTRIBUTES
            assert not token.flags
            for attribute in token.attributes:
                if attribute.name == b"style":
                    assert not _FORBIDDEN_CSS.search(content, attribute.start, attribute.end)


_LINE_VALUES: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=8),
    st.booleans(),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
)
_VALID_LINE = {"v": 1, "id": "a", "ts": 1.0, "host": "go.example", "code": "abc", "status": 302}
_LINE_KEYS = ("v", "id", "ts", "host", "code", "path", "n", "method", "status", "net", "addr", "ua", "h", "ip", "z")
LINES: st.SearchStrategy[bytes] = st.one_of(
    st.builds(
        lambda changes: encode(_VALID_LINE | changes),
        st.dictionaries(st.sampled_from(_LINE_KEYS), _LINE_VALUES, max_size=3),
    ),
    st.just(encode(_VALID_LINE)),
    st.binary(max_size=40),
    st.integers(MAX_LINE_BYTES - 2, MAX_LINE_BYTES + 2).map(lambda size: b"x" * size),
    st.sampled_from((b"", b"\r", b"{}", b"null", b"[" * 3_000, b'{"v":1,"segment":"s","node":"n","started":1}')),
    st.builds(_damage, st.just(encode(_VALID_LINE)), st.integers(0, 60), st.binary(min_size=1, max_size=3)),
)
"""Lines of the click log: valid, with wrong values, damaged, too long, or no lines at all."""
LOGS = st.tuples(st.lists(LINES, max_size=12), st.booleans())
"""A click log: its lines, and whether the last one ends."""


def check_click_log(log: tuple[list[bytes], bool]) -> None:
    """Check that each line is a click or is skipped with its position, and that reading ends after the last one."""
    lines, is_complete = log
    content = b"\n".join(lines) + (b"\n" if is_complete and lines else b"")
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "clicklog").mkdir()
        (Path(directory) / "clicklog" / "x.jsonl").write_bytes(content)
        click_log = ClickLog(Path(directory))
        segments = click_log.segments()
        assert len(segments) == (b"\n" in content[:MAX_LINE_BYTES] or len(content) >= MAX_LINE_BYTES)
        for segment in segments:
            clicks, progress = click_log.read(segment, position=0, skipping=False)
            starts = {0, *(number + 1 for number, byte in enumerate(content) if byte == 10)}
            skipped = [skip.byte_position for skip in progress.skips]
            assert len(set(skipped)) == len(skipped)
            assert starts.issuperset(skipped)
            assert len(clicks) + len(skipped) in {progress.lines, progress.lines + 1}
            assert progress.position in {len(content), content.rfind(b"\n") + 1}
            assert all(encode(click) for click in clicks)


_TOML_VALUES = st.one_of(
    st.text(max_size=6).map(json.dumps),
    st.integers(-(2**65), 2**65).map(str),
    st.floats().map(str),
    st.sampled_from(
        (
            "true",
            "[]",
            "{}",
            "[[]]",
            "1979-05-27",
            '""',
            "''",
            "[1",
            '"10.0.0.0/8"',
            '"Europe/Berlin"',
            '"http://["',
            '"javascript:alert(1)"',
            '"https://a.example"',
            '["10.0.0.0/99"]',
            '"~nobody-here/x"',
            '"\\u0000"',
            '"[::1]:80"',
            '"a.example:99999"',
            "[0, 0, 0]",
            '"a.example"',
            "301",
        )
    ),
)
_TABLES = {field.name: field.type for field in msgspec.structs.fields(ConfigFile)} | {"domain": Domain}
_KEYS = sorted({key for table in _TABLES.values() for key in table.__struct_fields__} | {"unknown"})
_TOML_LINES = st.one_of(
    st.sampled_from([f"[{table}]" for table in _TABLES] + ["[[domain]]", "[[server]]", "[unknown]", "[server.port]"]),
    st.builds("{} = {}".format, st.sampled_from(_KEYS), _TOML_VALUES),
    st.builds("[{}]\n{} = {}".format, st.sampled_from(list(_TABLES)), st.sampled_from(_KEYS), _TOML_VALUES),
    st.text(max_size=6),
)
_VARIABLES = st.dictionaries(
    st.builds("SHORTENER_{}__{}".format, st.sampled_from(list(_TABLES)), st.sampled_from(_KEYS)).map(str.upper),
    st.one_of(_TOML_VALUES, st.text(max_size=6)),
    max_size=2,
)
CONFIGURATIONS: st.SearchStrategy[tuple[bytes, dict[str, str]]] = st.tuples(
    st.one_of(
        st.lists(_TOML_LINES, max_size=8).map(lambda lines: "\n".join(lines).encode("utf-8", "replace")),
        st.binary(max_size=20),
        st.sampled_from((b"\xef\xbb\xbf[server]\nport = 9\n", b"\xff\xfe[\0", b"x = " + b"[" * 5_000, b"\r\n")),
    ),
    st.one_of(st.just({}), _VARIABLES),
)
"""Configuration files and environment variables: known and unknown tables and keys with any value, and other bytes."""


def check_configuration(case: tuple[bytes, dict[str, str]]) -> None:
    """Check that a configuration is refused in one line, or that each of its derived values can be read."""
    content, environment = case
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "config.toml"
        path.write_bytes(content)
        config, message = None, ""
        try:
            config = load(path, environment=environment)
        except ConfigError as error:
            message = str(error)
        if config is None:
            assert message.strip()
            assert "\n" not in message
            return
        assert config.domains
        assert config.base_url
        assert config.zone
        assert config.https_hosts is not None
        config.data_directory.exists()
