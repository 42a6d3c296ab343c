"""``shortener picks``: the section for the next issue, and the decisions of editors."""

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from shortener.services import custom_template
from shortener.store import decisions, links
from tests.store_content import dump

ONE, TWO = "https://a.example/one", "https://a.example/two"
JULY_SECONDS = 61 * 86_400 + 3_600
"""Seconds from the sending of the issue may to an hour after 1 July, 08:00 UTC."""
MONTH = ("--month", "2024-05")
LINK = re.compile(r"https://go\.example/([a-z0-9]+)/(\d)")


def codes(text: str) -> list[str]:
    """Return code/number of the short links in a text, in order."""
    return ["/".join(match) for match in LINK.findall(text)]


def count_links(newsletter: Any) -> int:
    """Return the number of stored links."""
    return int(newsletter.store.value("select count(*) from links"))


def describe(newsletter: Any, code: str, **fields: str) -> None:
    """Set fields of an article, named by its code."""
    with newsletter.store.transaction():
        for field, value in fields.items():
            newsletter.store.execute(
                f"update articles set {field} = ? where url = ?", (value, f"https://a.example/{code}")
            )


def decide(shortener: Any, action: str, url: str) -> Any:
    """Run a decision of the editor Ana."""
    return shortener("picks", action, url, "--reason", "worth it", "--who", "Ana", *MONTH)


def test_the_draft_is_a_section_with_fresh_short_links(read: Any, shortener: Any) -> None:
    """The section has image, title, byline, summary and "Read more"; each article gets one short link."""
    describe(read, "one", image="img/one.png", summary="What *one* is about.")
    section = shortener("picks", *MONTH).stdout
    (first, second) = dict.fromkeys(code.partition("/")[0] for code in codes(section))
    assert codes(section) == [f"{first}/1", f"{first}/2", f"{first}/3", f"{second}/1", f"{second}/2"]
    assert section == (
        "# Our picks of the month\n\n"
        f"[![](img/one.png)](https://go.example/{first}/1)\n\n"
        f"## [About one](https://go.example/{first}/2) by Ada\n\n"
        "What \\*one\\* is about.\n\n"
        f"[**Read more**](https://go.example/{first}/3)\n\n"
        f"## [About two](https://go.example/{second}/1) by Ada\n\n"
        f"[**Read more**](https://go.example/{second}/2)\n"
    )
    link = links.get(read.store, "go.example", first)
    assert (link.target, link.title, link.issue_id) == (ONE, "About one", None)


def test_a_repeated_draft_has_equal_links(read: Any, shortener: Any) -> None:
    """A draft in another format or with other options uses the short links of the first one."""
    first = shortener("picks", *MONTH).stdout
    before = count_links(read)
    assert shortener("picks", *MONTH).stdout == first
    assert set(codes(shortener("picks", *MONTH, "--format", "html").stdout)) == set(codes(first))
    assert set(codes(shortener("picks", *MONTH, "--top", "1").stdout)) < set(codes(first))
    assert count_links(read) == before


def test_a_retired_link_is_replaced(read: Any, shortener: Any) -> None:
    """If a link of the draft was retired, the next draft has a new one."""
    old = codes(shortener("picks", *MONTH).stdout)[0].partition("/")[0]
    shortener("link", "retire", old)
    new = codes(shortener("picks", *MONTH).stdout)[0].partition("/")[0]
    assert new != old
    assert links.get(read.store, "go.example", new).target == ONE


def test_the_next_issue_adopts_the_links_of_the_draft(read: Any, shortener: Any, tmp_path: Path) -> None:
    """Adding an issue that contains the section creates no link; its placements are numbered in document order."""
    describe(read, "one", image="https://a.example/one.png")
    path = tmp_path / "june.md"
    shortener("picks", *MONTH, "--output", str(path))
    before = count_links(read)
    shortener("issue", "add", str(path), "--sent-at", "2024-06-01T08:00Z")
    assert count_links(read) == before
    issue = json.loads(shortener("issue", "show", "june", "--format", "json").stdout)
    assert [(article["position"], article["url"]) for article in issue["articles"]] == [(1, ONE), (2, TWO)]
    kinds = [[place["kind"] for place in link["placements"]] for link in issue["links"]]
    assert kinds == [["image", "title", "more"], ["title", "more"]]
    assert [place["n"] for link in issue["links"] for place in link["placements"]] == [1, 2, 3, 4, 5]
    link = links.get(read.store, "go.example", codes(path.read_text())[0].partition("/")[0])
    assert link.issue_id == read.store.value("select id from issues where slug = 'june'")


@pytest.mark.parametrize("output_format", ["table", "json", "csv"])
def test_listing_the_draft_creates_no_link(read: Any, shortener: Any, output_format: str) -> None:
    """The formats table, json and csv store nothing, except with ``--links``."""
    before = dump(read.store)
    shortener("picks", *MONTH, "--format", output_format)
    assert dump(read.store) == before
    shortener("picks", *MONTH, "--format", output_format, "--links")
    assert count_links(read) == 6


def test_decisions_change_the_order_only(read: Any, shortener: Any) -> None:
    """A pinned article comes first, a chosen one is among the hidden gems, an excluded one is in neither."""
    before = json.loads(shortener("rank", *MONTH, "--format", "json").stdout)
    decide(shortener, "pin", TWO)
    pinned = json.loads(shortener("picks", *MONTH, "--format", "json").stdout)
    assert [(entry["url"], entry["origin"]) for entry in pinned["featured"]] == [
        (TWO, "pinned"),
        (ONE, "list"),
    ]
    decision = pinned["featured"][0]["decision"]
    assert (decision["action"], decision["who"], decision["reason"]) == ("pin", "Ana", "worth it")
    assert decision["at"].endswith("Z")
    decide(shortener, "choose", TWO)
    chosen = json.loads(shortener("picks", *MONTH, "--format", "json").stdout)
    assert [entry["url"] for entry in chosen["featured"]] == [ONE]
    assert [(entry["url"], entry["origin"]) for entry in chosen["lesser_known"]] == [(TWO, "chosen")]
    decide(shortener, "exclude", TWO)
    excluded = json.loads(shortener("picks", *MONTH, "--format", "json").stdout)
    assert [entry["url"] for entry in (*excluded["featured"], *excluded["lesser_known"])] == [ONE]
    assert [(entry["url"], entry["origin"]) for entry in excluded["excluded"]] == [(TWO, "excluded")]
    for draft in (pinned, chosen, excluded):
        groups = ("featured", "lesser_known", "excluded")
        rows = [row["ranked"] for group in groups for row in draft[group]]
        assert sorted(rows, key=lambda row: row["rank"]) == before["articles"]
    assert json.loads(shortener("rank", *MONTH, "--format", "json").stdout)["articles"] == before["articles"]


def test_decisions_are_shown_to_editors(read: Any, shortener: Any) -> None:
    """The table has editor, time and reason; the section says only that editors chose the article."""
    decide(shortener, "choose", TWO)
    table = shortener("picks", *MONTH, "--format", "table").stdout
    assert "chosen by Ana, 20" in table
    assert "worth it" in table
    section = shortener("picks", *MONTH).stdout
    assert "Worth a second look" in section
    assert "Chosen by our editors" in section
    assert "worth it" not in section
    rows = list(csv.DictReader(io.StringIO(shortener("picks", *MONTH, "--format", "csv").stdout)))
    assert [(row["origin"], row["who"]) for row in rows] == [("list", ""), ("chosen", "Ana")]


def test_decisions_are_listed_and_removed(read: Any, shortener: Any) -> None:
    """A decision can name the article by a short link; ``undo`` needs no month if there is only one."""
    assert "pinned by Ana" in decide(shortener, "pin", "https://go.example/one/2").stdout
    (listed,) = json.loads(shortener("picks", "decisions", "--format", "json").stdout)
    assert list(listed) == ["month", "url", "action", "reason", "who", "at"]
    assert (listed["month"], listed["url"], listed["action"]) == ("2024-05", ONE, "pin")
    assert "worth it" in shortener("picks", "decisions", *MONTH).stdout
    assert ONE in shortener("picks", "decisions", "--format", "csv").stdout
    assert "no longer pinned" in shortener("picks", "undo", ONE).stdout
    assert "No decisions" in shortener("picks", "decisions").stdout


def test_the_default_editor_is_the_system_user(read: Any, shortener: Any, monkeypatch: Any) -> None:
    """Without ``--who`` the decision has the name of the user who runs the command."""
    monkeypatch.setenv("LOGNAME", "bo")
    shortener("picks", "exclude", TWO, *MONTH, "--reason", "an advert")
    assert decisions.list_by_month(read.store, "2024-05")[0].who == "bo"


def test_a_custom_template_is_used(read: Any, shortener: Any, tmp_path: Path) -> None:
    """The bundled template gives the default section; another one gives its own."""
    path = tmp_path / "own.j2"
    for output_format in ("markdown", "html"):
        path.write_text(shortener("picks", "template", "--format", output_format).stdout, encoding="utf-8")
        options = (*MONTH, "--format", output_format)
        default = shortener("picks", *options).stdout
        assert shortener("picks", *options, "--template", str(path)).stdout == default
    path.write_text("{% for pick in featured %}* {{ pick.title }}\n{% endfor %}", encoding="utf-8")
    assert shortener("picks", *MONTH, "--template", str(path)).stdout == "* About one\n* About two\n"


def test_the_section_is_written_to_a_file(read: Any, shortener: Any, tmp_path: Path) -> None:
    """``--output`` writes the section to a file; notes for editors go to standard error."""
    path = tmp_path / "draft.html"
    result = shortener("picks", *MONTH, "--format", "html", "--output", str(path))
    assert result.stdout == ""
    assert "2 articles, 0 hidden gems, 0 excluded; 2 new short links" in result.stderr
    assert "Note: " in result.stderr
    assert path.read_text(encoding="utf-8").startswith("<section>")


FAILURES: dict[str, tuple[tuple[str, ...], str]] = {
    "an invalid month": (("--month", "2024-13"), "'2024-13' is not a month"),
    "a month without issues": (("--month", "2023-01"), "issues were sent in 2024-05"),
    "before anything was sent": ((*MONTH, "--as-of", "2020-01-01T00:00Z"), "no issue was sent yet"),
    "no template": ((*MONTH, "--template", "none.j2"), "none.j2: no such file"),
    "no place to write": ((*MONTH, "--output", "/nonexistent/x"), "/nonexistent/x: cannot be written"),
    "pin of another month": (
        ("pin", ONE, "--month", "2024-06", "--reason", "x"),
        "no article of 2024-06; it was shown in 2024-05",
    ),
    "pin of an unknown article": (
        ("pin", "https://a.example/none", *MONTH, "--reason", "x"),
        "no issue that was sent",
    ),
    "pin of a footer": (("pin", "https://a.example/foot", *MONTH, "--reason", "x"), "no article of 2024-05"),
    "pin in no month": (("pin", ONE, "--month", "May", "--reason", "x"), "'May' is not a month"),
    "an empty reason": (("pin", ONE, *MONTH, "--reason", " "), "needs a reason"),
    "an empty name": (("pin", ONE, *MONTH, "--reason", "x", "--who", " "), "name of its editor"),
    "undo of nothing": (("undo", ONE), "there is no decision about it"),
    "undo in another month": (
        ("undo", ONE, "--month", "2024-06"),
        "there is no decision about it in 2024-06",
    ),
    "decisions of no month": (("decisions", "--month", "5"), "'5' is not a month"),
}


@pytest.mark.parametrize(("arguments", "text"), FAILURES.values(), ids=FAILURES)
def test_a_failure_is_one_line(read: Any, shortener: Any, arguments: tuple[str, ...], text: str) -> None:
    """A failed command has status 1, prints one line that names the thing, and stores nothing."""
    before = dump(read.store)
    result = shortener("picks", *arguments, status=1)
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert text in result.stderr
    assert dump(read.store) == before


LOOPS_IN_LOOPS = b"{% for a in range(99999) %}" * 4 + b"{% endfor %}" * 4
TEMPLATES: dict[str, tuple[bytes, str]] = {
    "a loop without end": (b"\n{% for pick in featured %}", "line 2"),
    "an unknown name": (b"{{ nobody }}", "nobody"),
    "an unknown field": (b"{% for pick in featured %}{{ pick.clicks }}{% endfor %}", "clicks"),
    "a filter that is none": (b"{{ featured | shuffle }}", "shuffle"),
    "a division by zero": (b"{{ 1 / 0 }}", "division"),
    "a way out of the sandbox": (b"{{ ''.__class__.__mro__ }}", "unsafe"),
    "loops in loops": (LOOPS_IN_LOOPS, "longer than 2 seconds"),
    "much text": (b"{{ 'x' * 9999999999 }}", "picks template"),
    "no text": (b"\xff\xfe", "not UTF-8"),
}


@pytest.mark.parametrize(("content", "text"), TEMPLATES.values(), ids=TEMPLATES)
def test_a_failing_template_is_one_line(
    read: Any, shortener: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, text: str
) -> None:
    """The error names the template; no link is created and no file is written."""
    if content == LOOPS_IN_LOOPS:
        monkeypatch.setattr(custom_template, "CPU_SECONDS", 2)
    path, output = tmp_path / "own.j2", tmp_path / "draft.md"
    path.write_bytes(content)
    result = shortener("picks", *MONTH, "--template", str(path), "--output", str(output), status=1)
    assert result.stderr.startswith(f"Error: {path}: ")
    assert result.stderr.count("\n") == 1
    assert text in result.stderr
    assert not output.exists()
    assert count_links(read) == 4


USAGE_ERRORS: dict[str, tuple[tuple[str, ...], str]] = {
    "no month": ((), "--month"),
    "a pin without a reason": (("pin", ONE, *MONTH), "--reason"),
    "a pin without a month": (("pin", ONE, "--reason", "x"), "--month"),
    "the month before the subcommand": ((*MONTH, "pin", ONE, "--reason", "x"), "after pin"),
    "a template of a table": ((*MONTH, "--format", "table", "--template", "x"), "--template"),
    "no articles": ((*MONTH, "--top", "0"), "--top"),
}


@pytest.mark.parametrize(("arguments", "text"), USAGE_ERRORS.values(), ids=USAGE_ERRORS)
def test_a_usage_error_has_status_2(shortener: Any, arguments: tuple[str, ...], text: str) -> None:
    """Wrong usage has another status than a failure."""
    assert text in shortener("picks", *arguments, status=2).stderr


def test_an_article_is_described_by_its_last_issue(read: Any, shortener: Any) -> None:
    """Title and image are those of the last issue; a missing summary comes from an earlier one."""
    describe(read, "one", summary="From May.", image="may.png")
    places = {"one": 1}
    read.add_issue("june", {"one": [("title", 9)]}, recipients=None, sent_at=1_717_200_000, places=places, prefix="r")
    with read.store.transaction():
        read.store.execute(
            "update articles set title = 'One, again', image = 'june.png' where url = ? and issue_id = 2",
            (ONE,),
        )
    (entry,) = json.loads(shortener("picks", "--month", "2024-06", "--format", "json").stdout)["featured"]
    assert (entry["title"], entry["image"], entry["summary"]) == ("One, again", "june.png", "From May.")


@pytest.mark.parametrize("image", ["java\nscript:x()", "http://[bad", "ftp://a.example/x.png"])
def test_an_invalid_image_is_left_out(read: Any, shortener: Any, image: str) -> None:
    """The section is written without an image whose URL is invalid."""
    describe(read, "one", image=image)
    assert "![" not in shortener("picks", *MONTH).stdout


def test_an_article_without_target_keeps_its_link(newsletter: Any, shortener: Any, tmp_path: Path) -> None:
    """For an adopted link without target no other link is created; the section contains the link itself."""
    path = tmp_path / "july.md"
    path.write_text("# July\n\n## [Found](https://go.example/found)\n\nSomething to read.\n", encoding="utf-8")
    shortener("issue", "add", str(path), "--sent-at", "2024-07-01T08:00Z")
    newsletter.click("found", 1, after=JULY_SECONDS)
    newsletter.drain()
    before = count_links(newsletter)
    assert "](https://go.example/found/1)" in shortener("picks", "--month", "2024-07").stdout
    assert count_links(newsletter) == before


def test_an_undo_in_two_months_needs_the_month(read: Any, shortener: Any) -> None:
    """``undo`` without a month is refused if the article has decisions in several months."""
    read.add_issue(
        "june", {"one": [("title", 9)]}, recipients=None, sent_at=1_717_200_000, places={"one": 1}, prefix="r"
    )
    for month in ("2024-05", "2024-06"):
        shortener("picks", "pin", ONE, "--month", month, "--reason", "x")
    message = "there are decisions about it in 2024-05, 2024-06; choose one with --month"
    assert message in shortener("picks", "undo", ONE, status=1).stderr
    shortener("picks", "undo", ONE, "--month", "2024-06")
    assert [decision.month for decision in decisions.list_all(read.store)] == ["2024-05"]


def click_first_link(newsletter: Any, shortener: Any, slug: str) -> None:
    """Click the first link of an issue after it was sent, because an issue without clicks is not ranked."""
    contents = json.loads(shortener("issue", "show", slug, "--format", "json").stdout)
    code = contents["links"][0]["short_url"].rpartition("/")[2]
    newsletter.click(code, 1, after=JULY_SECONDS)
    newsletter.drain()


def test_a_section_survives_another_issue(read: Any, shortener: Any, tmp_path: Path) -> None:
    """Title, author, summary and image of a section are read from the next issue as they were written."""
    path = tmp_path / "june.md"
    path.write_text(
        "# June\n\n[![](img/w.png)](https://a.example/w)\n\n## [Whales *sing*](https://a.example/w) by Ann Lee\n\n"
        "They sing all winter long, and now we can count them by it.\n\n[Read more](https://a.example/w)\n",
        encoding="utf-8",
    )
    shortener("issue", "add", str(path), "--sent-at", "2024-06-01T08:00Z")
    click_first_link(read, shortener, "june")
    first = shortener("picks", "--month", "2024-06").stdout
    for part in ("![](img/w.png)", "[Whales sing]", "by Ann Lee", "They sing all winter long"):
        assert part in first
    path.write_text(first, encoding="utf-8")
    shortener("issue", "add", str(path), "--slug", "july", "--sent-at", "2024-07-01T08:00Z")
    click_first_link(read, shortener, "july")
    second = shortener("picks", "--month", "2024-07").stdout
    assert LINK.sub("", second) == LINK.sub("", first)
    assert codes(second) != codes(first)
