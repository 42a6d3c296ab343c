"""``shortener link``: what is typed is checked, what is wrong is named, and nothing is half done."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from shortener.store import links


def rows(newsletter: Any) -> int:
    return int(newsletter.store.value("select count(*) from links"))


def test_a_link_is_added_and_printed(newsletter: Any, shortener: Any) -> None:
    """The short URL is all that stands on standard output, so that a script can use it."""
    printed = shortener("link", "add", "https://a.example/new").stdout.strip()
    domain, code = printed.removeprefix("https://").split("/")
    assert links.get(newsletter.store, domain, code).target == "https://a.example/new"


def test_a_code_can_be_chosen(newsletter: Any, shortener: Any) -> None:
    """With its case on a domain that tells cases apart, in lower case elsewhere; the scheme is the domain's."""
    assert (
        shortener("link", "add", "https://a.example/", "--code", "Sale").stdout == "https://go.example/sale\n"
    )
    words = ("link", "add", "https://a.example/", "--code", "Sale", "--domain", "B.example", "--title", " T ")
    assert shortener(*words).stdout == "http://b.example/Sale\n"
    assert links.get(newsletter.store, "b.example", "Sale").title == "T"


def test_a_host_that_deceives_is_warned_of(shortener: Any) -> None:
    """The link is made, the editor is told to look at its host."""
    result = shortener("link", "add", "https://xn--pple-43d.com/")
    assert "Warning: " in result.stderr
    assert result.stdout.startswith("https://go.example/")


WRONG = {
    "no web address": (("link", "add", "javascript:alert(1)"), "javascript:alert(1)"),
    "our own domain": (("link", "add", "https://go.example/x"), "our own"),
    "taken code": (("link", "add", "https://a.example/", "--code", "one"), "go.example/one"),
    "bad code": (("link", "add", "https://a.example/", "--code", "-x"), "begins with -"),
    "unknown domain": (
        ("link", "add", "https://a.example/", "--domain", "x.example"),
        "go.example, b.example",
    ),
    "unknown code": (("link", "show", "none"), "go.example/none"),
    "unknown host": (("link", "show", "https://x.example/one"), "go.example, b.example"),
    "unknown link to set": (("link", "set", "none", "--title", "x"), "go.example/none"),
    "bad target to set": (("link", "set", "one", "--target", "nonsense"), "nonsense"),
    "unknown link to retire": (("link", "retire", "none"), "go.example/none"),
    "unknown issue": (("link", "list", "--issue", "june"), "june"),
    "no such file": (("link", "import", "none.csv"), "none.csv"),
}


@pytest.mark.parametrize(("words", "named"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_done_is_one_line(shortener: Any, words: tuple[str, ...], named: str) -> None:
    """Status 1, and a line on standard error that names the thing."""
    result = shortener(*words, status=1)
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert named in result.stderr


USAGE = {
    "nothing to set": (("link", "set", "one"), "--target"),
    "date without zone": (("link", "set", "one", "--expires", "2030-01-01"), "add Z"),
    "no date": (("link", "set", "one", "--expires", "soon"), "ISO 8601"),
    "unknown status": (("link", "list", "--status", "dead"), "retired"),
    "unknown forward": (("link", "set", "one", "--forward", "all"), "merge"),
}


@pytest.mark.parametrize(("words", "named"), USAGE.values(), ids=USAGE)
def test_what_is_not_understood_is_status_2(shortener: Any, words: tuple[str, ...], named: str) -> None:
    """Usage is told apart from failure."""
    assert named in shortener(*words, status=2).stderr


def test_the_listing_has_the_keys_of_the_contract(read: Any, shortener: Any) -> None:
    """JSON rows have the promised keys, and people's clicks."""
    listed = json.loads(shortener("link", "list", "--format", "json").stdout)
    assert [list(row) for row in listed] == [
        [
            *("short_url", "domain", "code", "target", "title", "issue", "article", "position", "status"),
            *("clicks", "visitors"),
        ]
    ] * 4
    one = listed[0]
    assert (one["short_url"], one["issue"], one["position"], one["clicks"], one["visitors"]) == (
        "https://go.example/one",
        "may",
        1,
        4,
        2,
    )


def test_csv_and_json_list_the_same(read: Any, shortener: Any) -> None:
    """One report, two formats."""
    listed = json.loads(shortener("link", "list", "--format", "json").stdout)
    table = list(csv.DictReader(io.StringIO(shortener("link", "list", "--format", "csv").stdout)))
    assert [
        {key: "" if value is None else str(value) for key, value in row.items()} for row in listed
    ] == table


FILTERS: dict[str, tuple[tuple[str, ...], list[str]]] = {
    "issue": (("--issue", "may"), ["one", "two", "foot"]),
    "retired": (("--status", "retired"), ["two"]),
    "expired": (("--status", "expired"), ["foot"]),
    "active in the issue": (("--issue", "may", "--status", "active"), ["one"]),
    "todo": (("--status", "todo"), []),
}


@pytest.mark.parametrize(("words", "codes"), FILTERS.values(), ids=FILTERS)
def test_the_listing_is_filtered(shortener: Any, words: tuple[str, ...], codes: list[str]) -> None:
    """By issue, by status, by both."""
    shortener("link", "retire", "go.example/two")
    shortener("link", "set", "go.example/foot", "--expires", "2020-01-01T00:00Z")
    listed = json.loads(shortener("link", "list", *words, "--format", "json").stdout)
    assert [row["code"] for row in listed] == codes


def test_a_change_is_kept_in_the_edits(newsletter: Any, shortener: Any) -> None:
    """Every field that was set is shown with what it was before."""
    words = ("--target", "https://a.example/2", "--forward", "drop", "--expires", "2030-01-01T00:00Z")
    shortener("link", "set", "https://go.example/one/2", *words)
    shown = json.loads(shortener("link", "show", "one+", "--format", "json").stdout)
    assert (shown["target"], shown["forward"], shown["expires_at"]) == (
        "https://a.example/2",
        "drop",
        "2030-01-01T00:00:00Z",
    )
    assert {(edit["field"], edit["old"], edit["new"]) for edit in shown["edits"]} == {
        ("target", "https://a.example/one", "https://a.example/2"),
        ("forward", None, "drop"),
        ("expires_at", None, "2030-01-01T00:00:00Z"),
    }
    shortener("link", "set", "one", "--forward", "default", "--expires", "never")
    shown = json.loads(shortener("link", "show", "one", "--format", "json").stdout)
    assert (shown["forward"], shown["expires_at"]) == (None, None)


def test_a_new_target_takes_the_article_along(newsletter: Any, shortener: Any) -> None:
    """The issue's article is the page that the link leads to now."""
    shortener("link", "set", "one", "--target", "https://a.example/moved")
    shown = json.loads(shortener("link", "show", "one", "--format", "json").stdout)
    assert shown["article"] == "https://a.example/moved"


def test_nothing_is_half_changed(newsletter: Any, shortener: Any) -> None:
    """A refused target leaves the title alone that was given with it."""
    shortener("link", "set", "one", "--title", "New", "--target", "https://go.example/two", status=1)
    assert links.get(newsletter.store, "go.example", "one").title == ""


def test_a_retirement_can_be_taken_back(newsletter: Any, shortener: Any) -> None:
    """Retired links are gone for readers until they are active again."""
    shortener("link", "retire", "one")
    assert links.get(newsletter.store, "go.example", "one").status == "retired"
    shortener("link", "set", "one", "--status", "active")
    assert links.get(newsletter.store, "go.example", "one").status == "active"


def imported(tmp_path: Path, content: str | bytes) -> str:
    path = tmp_path / "links.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


GOOD = {
    "plain": "short_url,target\ngo.example/n1,https://a.example/1\n",
    "with a title": "short_url,target,title\nhttps://go.example/n1,https://a.example/1,First\n",
    "other columns and order": "target,clicks,short_url\nhttps://a.example/1,7,N1\n",
    "byte order mark and CRLF": "\ufeffshort_url,target\r\ngo.example/n1,https://a.example/1\r\n",
    "empty lines": "short_url,target\n\ngo.example/n1,https://a.example/1\n\n",
    "twice the same": "short_url,target\nn1,https://a.example/1\nn1,https://a.example/1\n",
}


@pytest.mark.parametrize("content", GOOD.values(), ids=GOOD)
def test_an_import_adds_links(newsletter: Any, shortener: Any, tmp_path: Path, content: str) -> None:
    """However the file was written: the link is there afterwards, once."""
    before = rows(newsletter)
    result = shortener("link", "import", imported(tmp_path, content))
    assert "1 new" in result.stdout
    assert links.get(newsletter.store, "go.example", "n1").target == "https://a.example/1"
    assert rows(newsletter) == before + 1


def test_an_import_can_be_repeated(newsletter: Any, shortener: Any, tmp_path: Path) -> None:
    """The same file again changes nothing."""
    path = imported(tmp_path, "short_url,target,title\ngo.example/n1,https://a.example/1,T\n")
    shortener("link", "import", path)
    assert "0 new, 1 known already" in shortener("link", "import", path).stdout


def test_an_import_gives_targets_to_codes_that_wait_for_one(
    newsletter: Any, shortener: Any, tmp_path: Path
) -> None:
    """A code that stands in an issue gets its target, and the issue its article."""
    with newsletter.store.transaction():
        links.add(newsletter.store, "go.example", "wait", target=None, now=1)
    shortener("link", "import", imported(tmp_path, "short_url,target,title\nwait,https://a.example/w,W\n"))
    link = links.get(newsletter.store, "go.example", "wait")
    assert (link.target, link.title) == ("https://a.example/w", "W")


BAD: dict[str, tuple[str | bytes, list[str]]] = {
    "another target": ("short_url,target\none,https://a.example/2\n", ["line 2", "/one already", "/2"]),
    "refused target": ("short_url,target\nn1,javascript:1\n", ["line 2", "javascript:1"]),
    "foreign host": ("short_url,target\nx.example/a,https://a.example/\n", ["line 2", "x.example/a"]),
    "empty target": ("short_url,target\nn1,\n", ["line 2", "target is empty"]),
    "two faults": (
        "short_url,target\nn1,https://a.example/\nn2,x\none,https://a.example/2\n",
        ["line 3", "line 4", "2 of 3 rows"],
    ),
    "one code, two targets": (
        "short_url,target\nn1,https://a.example/1\nn1,https://a.example/2\n",
        ["line 3", "https://a.example/1", "https://a.example/2"],
    ),
    "no header": ("go.example/n1,https://a.example/1\n", ["short_url, target"]),
    "empty": ("", ["short_url, target"]),
    "not UTF-8": (b"short_url,target\nn1,https://a.example/\xff\n", ["UTF-8"]),
    "too many cells": ("short_url,target\nn1,https://a.example/,x\n", ["line 2"]),
    "too few cells": ("short_url,target\nn1\n", ["line 2"]),
    "open quote": ('short_url,target\nn1,"https://a.example/\n', ["CSV"]),
}


@pytest.mark.parametrize(("content", "named"), BAD.values(), ids=BAD)
def test_a_bad_import_changes_nothing(
    newsletter: Any, shortener: Any, tmp_path: Path, content: str | bytes, named: list[str]
) -> None:
    """Bad rows are named by line; not even the good ones are stored."""
    before = rows(newsletter)
    result = shortener("link", "import", imported(tmp_path, content), status=1)
    for text in named:
        assert text in result.stderr
    assert rows(newsletter) == before
    assert links.get(newsletter.store, "go.example", "one").target == "https://a.example/one"


def test_only_some_of_many_bad_rows_are_printed(shortener: Any, tmp_path: Path) -> None:
    """A file that is wrong throughout does not fill the screen."""
    content = "short_url,target\n" + "".join(f"n{number},x\n" for number in range(100))
    result = shortener("link", "import", imported(tmp_path, content), status=1)
    assert len(result.stderr.splitlines()) == 21
    assert "100 of 100 rows" in result.stderr
