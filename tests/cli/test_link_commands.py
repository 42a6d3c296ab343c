"""``shortener link``: commands for short links, their errors, and imports that store all rows or none."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from shortener.store import links


def count_links(newsletter: Any) -> int:
    """Return the number of stored links."""
    return int(newsletter.store.value("select count(*) from links"))


def test_a_link_is_added_and_printed(newsletter: Any, shortener: Any) -> None:
    """Standard output has the short URL only, so that a script can use it."""
    printed = shortener("link", "add", "https://a.example/new").stdout.strip()
    domain, code = printed.removeprefix("https://").split("/")
    assert links.get(newsletter.store, domain, code).target == "https://a.example/new"


def test_a_code_can_be_chosen(newsletter: Any, shortener: Any) -> None:
    """A given code keeps its case only on a case-sensitive domain; the scheme is that of the domain."""
    assert shortener("link", "add", "https://a.example/", "--code", "Sale").stdout == "https://go.example/sale\n"
    options = ("--code", "Sale", "--domain", "B.example", "--title", " T ")
    assert shortener("link", "add", "https://a.example/", *options).stdout == "http://b.example/Sale\n"
    assert links.get(newsletter.store, "b.example", "Sale").title == "T"


def test_a_deceptive_host_gets_a_warning(shortener: Any) -> None:
    """The link is created, and a warning names the host."""
    result = shortener("link", "add", "https://xn--pple-43d.com/")
    assert "Warning: " in result.stderr
    assert result.stdout.startswith("https://go.example/")


FAILURES = {
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


@pytest.mark.parametrize(("arguments", "text"), FAILURES.values(), ids=FAILURES)
def test_a_failure_is_one_line(shortener: Any, arguments: tuple[str, ...], text: str) -> None:
    """A failed command has status 1 and prints one line that names the thing."""
    result = shortener(*arguments, status=1)
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert text in result.stderr


USAGE_ERRORS = {
    "nothing to set": (("link", "set", "one"), "--target"),
    "no date": (("link", "set", "one", "--expires", "soon"), "is not a date and time"),
    "unknown status": (("link", "list", "--status", "dead"), "retired"),
    "unknown forward": (("link", "set", "one", "--forward", "all"), "merge"),
}


@pytest.mark.parametrize(("arguments", "text"), USAGE_ERRORS.values(), ids=USAGE_ERRORS)
def test_a_usage_error_has_status_2(shortener: Any, arguments: tuple[str, ...], text: str) -> None:
    """Wrong usage has another status than a failure."""
    assert text in shortener(*arguments, status=2).stderr


def test_the_listing_has_the_keys_of_the_contract(read: Any, shortener: Any) -> None:
    """JSON rows have the keys of the contract, and human clicks."""
    listed = json.loads(shortener("link", "list", "--format", "json").stdout)
    assert [list(row) for row in listed] == [
        [
            *("short_url", "domain", "code", "target", "title", "issue", "article", "position", "status"),
            *("clicks", "visitors", "forward", "expires_at", "created_at", "updated_at"),
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


def test_csv_and_json_list_equal_rows(read: Any, shortener: Any) -> None:
    """The CSV has the columns and values of the JSON."""
    listed = json.loads(shortener("link", "list", "--format", "json").stdout)
    table = list(csv.DictReader(io.StringIO(shortener("link", "list", "--format", "csv").stdout)))
    assert [{key: "" if value is None else str(value) for key, value in row.items()} for row in listed] == table


FILTERS: dict[str, tuple[tuple[str, ...], list[str]]] = {
    "issue": (("--issue", "may"), ["one", "two", "foot"]),
    "retired": (("--status", "retired"), ["two"]),
    "expired": (("--status", "expired"), ["foot"]),
    "active in the issue": (("--issue", "may", "--status", "active"), ["one"]),
    "todo": (("--status", "todo"), []),
}


@pytest.mark.parametrize(("options", "codes"), FILTERS.values(), ids=FILTERS)
def test_the_listing_is_filtered(shortener: Any, options: tuple[str, ...], codes: list[str]) -> None:
    """Links are listed by issue, by status, or by both."""
    shortener("link", "retire", "go.example/two")
    shortener("link", "set", "go.example/foot", "--expires", "2020-01-01T00:00Z")
    listed = json.loads(shortener("link", "list", *options, "--format", "json").stdout)
    assert [row["code"] for row in listed] == codes


def test_a_change_is_listed_in_the_edits(newsletter: Any, shortener: Any) -> None:
    """Every changed field is listed with its old value."""
    options = ("--target", "https://a.example/2", "--forward", "drop", "--expires", "2030-01-01T00:00Z")
    shortener("link", "set", "https://go.example/one/2", *options)
    link = json.loads(shortener("link", "show", "one+", "--format", "json").stdout)
    assert (link["target"], link["forward"], link["expires_at"]) == (
        "https://a.example/2",
        "drop",
        "2030-01-01T00:00:00Z",
    )
    assert {(edit["field"], edit["old"], edit["new"]) for edit in link["edits"]} == {
        ("target", "https://a.example/one", "https://a.example/2"),
        ("forward", None, "drop"),
        ("expires_at", None, "2030-01-01T00:00:00Z"),
    }
    shortener("link", "set", "one", "--forward", "default", "--expires", "never")
    link = json.loads(shortener("link", "show", "one", "--format", "json").stdout)
    assert (link["forward"], link["expires_at"]) == (None, None)


def test_a_new_target_moves_the_article(newsletter: Any, shortener: Any) -> None:
    """The article of the issue gets the new target of its link as URL."""
    shortener("link", "set", "one", "--target", "https://a.example/moved")
    link = json.loads(shortener("link", "show", "one", "--format", "json").stdout)
    assert link["article"] == "https://a.example/moved"


def test_a_refused_change_changes_nothing(newsletter: Any, shortener: Any) -> None:
    """If the target is refused, the title given with it is not stored either."""
    shortener("link", "set", "one", "--title", "New", "--target", "https://go.example/two", status=1)
    assert links.get(newsletter.store, "go.example", "one").title == ""


def test_a_retired_link_can_be_restored(newsletter: Any, shortener: Any) -> None:
    """A retired link is active again after ``link set --status active``."""
    shortener("link", "retire", "one")
    assert links.get(newsletter.store, "go.example", "one").status == "retired"
    shortener("link", "set", "one", "--status", "active")
    assert links.get(newsletter.store, "go.example", "one").status == "active"


def write_file(tmp_path: Path, content: str | bytes) -> str:
    """Write a file to import, and return its path."""
    path = tmp_path / "links.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


VALID_FILES = {
    "plain": "short_url,target\ngo.example/n1,https://a.example/1\n",
    "with a title": "short_url,target,title\nhttps://go.example/n1,https://a.example/1,First\n",
    "other columns and order": "target,clicks,short_url\nhttps://a.example/1,7,N1\n",
    "byte order mark and CRLF": "\ufeffshort_url,target\r\ngo.example/n1,https://a.example/1\r\n",
    "empty lines": "short_url,target\n\ngo.example/n1,https://a.example/1\n\n",
    "a repeated row": "short_url,target\nn1,https://a.example/1\nn1,https://a.example/1\n",
}


@pytest.mark.parametrize("content", VALID_FILES.values(), ids=VALID_FILES)
def test_an_import_adds_links(newsletter: Any, shortener: Any, tmp_path: Path, content: str) -> None:
    """Every spelling of the file adds the link once."""
    before = count_links(newsletter)
    result = shortener("link", "import", write_file(tmp_path, content))
    assert "1 new" in result.stdout
    assert links.get(newsletter.store, "go.example", "n1").target == "https://a.example/1"
    assert count_links(newsletter) == before + 1


def test_an_import_can_be_repeated(newsletter: Any, shortener: Any, tmp_path: Path) -> None:
    """Importing a file again changes nothing."""
    path = write_file(tmp_path, "short_url,target,title\ngo.example/n1,https://a.example/1,T\n")
    shortener("link", "import", path)
    assert "0 new, 1 existing" in shortener("link", "import", path).stdout


def test_an_import_sets_missing_targets(newsletter: Any, shortener: Any, tmp_path: Path) -> None:
    """A link without a target gets target and title from the import."""
    with newsletter.store.transaction():
        links.add(newsletter.store, "go.example", "wait", target=None, now=1)
    shortener("link", "import", write_file(tmp_path, "short_url,target,title\nwait,https://a.example/w,W\n"))
    link = links.get(newsletter.store, "go.example", "wait")
    assert (link.target, link.title) == ("https://a.example/w", "W")


INVALID_FILES: dict[str, tuple[str | bytes, list[str]]] = {
    "another target": (
        "short_url,target\none,https://a.example/2\n",
        ["line 2", "/one already has the target", "/2"],
    ),
    "refused target": ("short_url,target\nn1,javascript:1\n", ["line 2", "javascript:1"]),
    "foreign host": ("short_url,target\nx.example/a,https://a.example/\n", ["line 2", "x.example/a"]),
    "empty target": ("short_url,target\nn1,\n", ["line 2", "web address is empty"]),
    "two invalid rows": (
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


@pytest.mark.parametrize(("content", "texts"), INVALID_FILES.values(), ids=INVALID_FILES)
def test_an_invalid_import_changes_nothing(
    newsletter: Any, shortener: Any, tmp_path: Path, content: str | bytes, texts: list[str]
) -> None:
    """Invalid rows are listed by line; the valid ones are not stored either."""
    before = count_links(newsletter)
    result = shortener("link", "import", write_file(tmp_path, content), status=1)
    for text in texts:
        assert text in result.stderr
    assert count_links(newsletter) == before
    assert links.get(newsletter.store, "go.example", "one").target == "https://a.example/one"


def test_only_the_first_invalid_rows_are_listed(shortener: Any, tmp_path: Path) -> None:
    """Of a hundred invalid rows twenty are listed."""
    content = "short_url,target\n" + "".join(f"n{number},x\n" for number in range(100))
    result = shortener("link", "import", write_file(tmp_path, content), status=1)
    assert len(result.stderr.splitlines()) == 21
    assert "100 of 100 rows" in result.stderr
