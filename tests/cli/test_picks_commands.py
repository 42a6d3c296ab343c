"""``shortener picks``: the section as it goes into the next issue, and the editors' word on it."""

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from shortener.store import decisions, links

ONE, TWO = "https://a.example/one", "https://a.example/two"
MONTH = ("--month", "2024-05")
LINK = re.compile(r"https://go\.example/([a-z0-9]+)/(\d)")


def codes(text: str) -> list[str]:
    """The codes of the short links in a text, with their placement numbers, in order."""
    return ["/".join(found) for found in LINK.findall(text)]


def count_links(newsletter: Any) -> int:
    return int(newsletter.store.value("select count(*) from links"))


def describe(newsletter: Any, code: str, **fields: str) -> None:
    """Set what the issue says of an article."""
    with newsletter.store.transaction():
        for field, value in fields.items():
            newsletter.store.execute(
                f"update articles set {field} = ? where url = ?", (value, f"https://a.example/{code}")
            )


def decide(shortener: Any, action: str, url: str, *more: str, status: int = 0) -> Any:
    """Decide as Ana, for a good reason."""
    words = ("--reason", "worth it", "--who", "Ana", *MONTH, *more)
    return shortener("picks", action, url, *words, status=status)


def test_the_draft_is_a_section_with_fresh_short_links(read: Any, shortener: Any) -> None:
    """Image, title, byline, blurb, read more; one new link an article, its placements numbered apart."""
    describe(read, "one", image="img/one.png", summary="What *one* is about.")
    section = shortener("picks", *MONTH).stdout
    (first, second) = dict.fromkeys(each.partition("/")[0] for each in codes(section))
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
    made = links.get(read.store, "go.example", first)
    assert (made.target, made.title, made.issue_id) == (ONE, "About one", None)


def test_a_draft_again_has_the_same_links(read: Any, shortener: Any) -> None:
    """In either format, with other options, on other days: no code is made twice; another month has its own."""
    first = shortener("picks", *MONTH).stdout
    before = count_links(read)
    assert shortener("picks", *MONTH).stdout == first
    assert set(codes(shortener("picks", *MONTH, "--format", "html").stdout)) == set(codes(first))
    assert set(codes(shortener("picks", *MONTH, "--top", "1").stdout)) < set(codes(first))
    assert count_links(read) == before


def test_a_retired_link_is_replaced(read: Any, shortener: Any) -> None:
    """A draft never leads readers to a page that says gone."""
    old = codes(shortener("picks", *MONTH).stdout)[0].partition("/")[0]
    shortener("link", "retire", old)
    new = codes(shortener("picks", *MONTH).stdout)[0].partition("/")[0]
    assert new != old
    assert links.get(read.store, "go.example", new).target == ONE


def test_the_issue_that_carries_the_draft_adopts_its_links(read: Any, shortener: Any, tmp_path: Path) -> None:
    """No new code is made for it; the placements of the issue are numbered through."""
    describe(read, "one", image="https://a.example/one.png")
    path = tmp_path / "june.md"
    shortener("picks", *MONTH, "--output", str(path))
    before = count_links(read)
    shortener("issue", "add", str(path), "--sent-at", "2024-06-01T08:00Z")
    assert count_links(read) == before
    shown = json.loads(shortener("issue", "show", "june", "--format", "json").stdout)
    assert [(each["position"], each["url"]) for each in shown["articles"]] == [(1, ONE), (2, TWO)]
    kinds = [[place["kind"] for place in link["placements"]] for link in shown["links"]]
    assert kinds == [["image", "title", "more"], ["title", "more"]]
    assert [place["n"] for link in shown["links"] for place in link["placements"]] == [1, 2, 3, 4, 5]
    own = links.get(read.store, "go.example", codes(path.read_text())[0].partition("/")[0])
    assert own.issue_id == read.store.value("select id from issues where slug = 'june'")


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_looking_makes_no_link(read: Any, shortener: Any, form: str) -> None:
    """A table or file of who is in it stores nothing, unless links are asked for."""
    before = list(read.store.db.conn.iterdump())
    shortener("picks", *MONTH, "--format", form)
    assert list(read.store.db.conn.iterdump()) == before
    shortener("picks", *MONTH, "--format", form, "--links")
    assert count_links(read) == 6


def test_decisions_override_the_order_and_never_the_numbers(read: Any, shortener: Any) -> None:
    """Pinned first, chosen among the lesser known, excluded nowhere; each with who, when and why."""
    before = json.loads(shortener("rank", *MONTH, "--format", "json").stdout)
    decide(shortener, "pin", TWO)
    pinned = json.loads(shortener("picks", *MONTH, "--format", "json").stdout)
    assert [(each["url"], each["origin"]) for each in pinned["featured"]] == [(TWO, "pinned"), (ONE, "list")]
    decision = pinned["featured"][0]["decision"]
    assert (decision["action"], decision["who"], decision["reason"]) == ("pin", "Ana", "worth it")
    assert decision["at"].endswith("Z")
    decide(shortener, "choose", TWO)
    chosen = json.loads(shortener("picks", *MONTH, "--format", "json").stdout)
    assert [each["url"] for each in chosen["featured"]] == [ONE]
    assert [(each["url"], each["origin"]) for each in chosen["lesser_known"]] == [(TWO, "chosen")]
    decide(shortener, "exclude", TWO)
    left = json.loads(shortener("picks", *MONTH, "--format", "json").stdout)
    assert [each["url"] for each in (*left["featured"], *left["lesser_known"])] == [ONE]
    assert [(each["url"], each["origin"]) for each in left["excluded"]] == [(TWO, "excluded")]
    for shown in (pinned, chosen, left):
        rows = [row["ranked"] for part in ("featured", "lesser_known", "excluded") for row in shown[part]]
        assert sorted(rows, key=lambda row: row["rank"]) == before["articles"]
    assert json.loads(shortener("rank", *MONTH, "--format", "json").stdout)["articles"] == before["articles"]


def test_people_see_who_decided(read: Any, shortener: Any) -> None:
    """Editors in the table with name, time and reason; readers in the section that editors chose."""
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


def test_decisions_are_listed_and_taken_back(read: Any, shortener: Any) -> None:
    """By a short link as well as by the article's address; without a month where there is one only."""
    assert "pinned by Ana" in decide(shortener, "pin", "https://go.example/one/2").stdout
    (listed,) = json.loads(shortener("picks", "decisions", "--format", "json").stdout)
    assert list(listed) == ["month", "url", "action", "reason", "who", "at"]
    assert (listed["month"], listed["url"], listed["action"]) == ("2024-05", ONE, "pin")
    assert "worth it" in shortener("picks", "decisions", *MONTH).stdout
    assert ONE in shortener("picks", "decisions", "--format", "csv").stdout
    assert "no longer pinned" in shortener("picks", "undo", ONE).stdout
    assert "Nothing was decided" in shortener("picks", "decisions").stdout


def test_who_decided_is_whoever_runs_the_command(read: Any, shortener: Any, monkeypatch: Any) -> None:
    """Unless --who says otherwise."""
    monkeypatch.setenv("LOGNAME", "bo")
    shortener("picks", "exclude", TWO, *MONTH, "--reason", "an advert")
    assert decisions.list_by_month(read.store, "2024-05")[0].who == "bo"


def test_the_editor_s_template_is_used(read: Any, shortener: Any, tmp_path: Path) -> None:
    """The one that is shipped is the start for it and gives the same section."""
    path = tmp_path / "own.j2"
    for form in ("markdown", "html"):
        path.write_text(shortener("picks", "template", "--format", form).stdout, encoding="utf-8")
        plain = shortener("picks", *MONTH, "--format", form).stdout
        assert shortener("picks", *MONTH, "--format", form, "--template", str(path)).stdout == plain
    path.write_text("{% for pick in featured %}* {{ pick.title }}\n{% endfor %}", encoding="utf-8")
    assert shortener("picks", *MONTH, "--template", str(path)).stdout == "* About one\n* About two\n"


def test_the_draft_goes_where_it_is_told(read: Any, shortener: Any, tmp_path: Path) -> None:
    """To a file in one piece; what editors should know is said beside it, never in it."""
    path = tmp_path / "draft.html"
    result = shortener("picks", *MONTH, "--format", "html", "--output", str(path))
    assert result.stdout == ""
    assert "2 articles, 0 lesser known, 0 excluded; 2 new short links" in result.stderr
    assert "Note: " in result.stderr
    assert path.read_text(encoding="utf-8").startswith("<section>")


WRONG: dict[str, tuple[tuple[str, ...], str]] = {
    "no month of the calendar": (("--month", "2024-13"), "'2024-13' is not a month"),
    "a month without issues": (("--month", "2023-01"), "issues were sent in 2024-05"),
    "before anything was sent": ((*MONTH, "--as-of", "2020-01-01T00:00Z"), "no issue was sent yet"),
    "no template": ((*MONTH, "--template", "none.j2"), "none.j2: no such file"),
    "no place to write": ((*MONTH, "--output", "/nonexistent/x"), "/nonexistent/x: cannot be written"),
    "pin of another month": (
        ("pin", ONE, "--month", "2024-06", "--reason", "x"),
        "no article of 2024-06; it was shown in 2024-05",
    ),
    "pin of what nobody knows": (
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


@pytest.mark.parametrize(("words", "said"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_done_is_one_line(
    read: Any, shortener: Any, words: tuple[str, ...], said: str
) -> None:
    """Status 1, one line that names the thing; nothing is stored."""
    before = list(read.store.db.conn.iterdump())
    result = shortener("picks", *words, status=1)
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert said in result.stderr
    assert list(read.store.db.conn.iterdump()) == before


TEMPLATES: dict[str, tuple[bytes, str]] = {
    "a loop without end": (b"\n{% for pick in featured %}", "line 2"),
    "an unknown name": (b"{{ nobody }}", "nobody"),
    "an unknown field": (b"{% for pick in featured %}{{ pick.clicks }}{% endfor %}", "clicks"),
    "a filter that is none": (b"{{ featured | shuffle }}", "shuffle"),
    "a division by zero": (b"{{ 1 / 0 }}", "division"),
    "a way out of the sandbox": (b"{{ ''.__class__.__mro__ }}", "unsafe"),
    "no text": (b"\xff\xfe", "not UTF-8"),
}


@pytest.mark.parametrize(("content", "said"), TEMPLATES.values(), ids=TEMPLATES)
def test_a_template_that_fails_is_one_clear_line(
    read: Any, shortener: Any, tmp_path: Path, content: bytes, said: str
) -> None:
    """With the file's name; no link is made, no file is left behind."""
    path, output = tmp_path / "own.j2", tmp_path / "draft.md"
    path.write_bytes(content)
    result = shortener("picks", *MONTH, "--template", str(path), "--output", str(output), status=1)
    assert result.stderr.startswith(f"Error: {path}: ")
    assert result.stderr.count("\n") == 1
    assert said in result.stderr
    assert not output.exists()
    assert count_links(read) == 4


USAGE: dict[str, tuple[tuple[str, ...], str]] = {
    "no month": ((), "--month"),
    "a pin without a reason": (("pin", ONE, *MONTH), "--reason"),
    "a pin without a month": (("pin", ONE, "--reason", "x"), "--month"),
    "the month before the verb": ((*MONTH, "pin", ONE, "--reason", "x"), "behind pin"),
    "a template of a table": ((*MONTH, "--format", "table", "--template", "x"), "--template"),
    "no articles": ((*MONTH, "--top", "0"), "--top"),
}


@pytest.mark.parametrize(("words", "said"), USAGE.values(), ids=USAGE)
def test_what_is_not_understood_is_status_2(shortener: Any, words: tuple[str, ...], said: str) -> None:
    """Usage is told apart from failure."""
    assert said in shortener("picks", *words, status=2).stderr


def test_an_article_shown_again_is_described_by_its_last_issue(read: Any, shortener: Any) -> None:
    """Its title and image are the latest; what the latest leaves out is taken from before."""
    describe(read, "one", summary="From May.", image="may.png")
    places = {"one": 1}
    read.add_issue(
        "june", {"one": [("title", 9)]}, recipients=None, sent_at=1_717_200_000, places=places, prefix="r"
    )
    with read.store.transaction():
        read.store.execute(
            "update articles set title = 'One, again', image = 'june.png' where url = ? and issue_id = 2",
            (ONE,),
        )
    (shown,) = json.loads(shortener("picks", "--month", "2024-06", "--format", "json").stdout)["featured"]
    assert (shown["title"], shown["image"], shown["summary"]) == ("One, again", "june.png", "From May.")


@pytest.mark.parametrize("image", ["java\nscript:x()", "http://[bad", "ftp://a.example/x.png"])
def test_a_picture_that_no_section_may_carry_is_left_out(read: Any, shortener: Any, image: str) -> None:
    """The draft is written without it."""
    describe(read, "one", image=image)
    assert "![" not in shortener("picks", *MONTH).stdout


def test_a_code_without_a_target_stands_for_its_article(
    newsletter: Any, shortener: Any, tmp_path: Path
) -> None:
    """No link is made that leads to a short link: the adopted one is used as it is."""
    path = tmp_path / "july.md"
    path.write_text(
        "# July\n\n## [Found](https://go.example/found)\n\nSomething to read.\n", encoding="utf-8"
    )
    shortener("issue", "add", str(path), "--sent-at", "2024-07-01T08:00Z")
    before = count_links(newsletter)
    assert "](https://go.example/found/1)" in shortener("picks", "--month", "2024-07").stdout
    assert count_links(newsletter) == before


def test_an_undo_in_two_months_needs_the_month(read: Any, shortener: Any) -> None:
    """So that nobody takes back the wrong one."""
    read.add_issue(
        "june", {"one": [("title", 9)]}, recipients=None, sent_at=1_717_200_000, places={"one": 1}, prefix="r"
    )
    for month in ("2024-05", "2024-06"):
        shortener("picks", "pin", ONE, "--month", month, "--reason", "x")
    message = "there are decisions about it in 2024-05, 2024-06; choose one with --month"
    assert message in shortener("picks", "undo", ONE, status=1).stderr
    shortener("picks", "undo", ONE, "--month", "2024-06")
    assert [each.month for each in decisions.list_all(read.store)] == ["2024-05"]


def test_a_section_is_read_again_as_it_was_written(read: Any, shortener: Any, tmp_path: Path) -> None:
    """Title, author, summary and picture survive the way from issue to draft to issue to draft."""
    path = tmp_path / "june.md"
    path.write_text(
        "# June\n\n[![](img/w.png)](https://a.example/w)\n\n## [Whales *sing*](https://a.example/w) by Ann Lee\n\n"
        "They sing all winter long, and now we can count them by it.\n\n[Read more](https://a.example/w)\n",
        encoding="utf-8",
    )
    shortener("issue", "add", str(path), "--sent-at", "2024-06-01T08:00Z")
    first = shortener("picks", "--month", "2024-06").stdout
    for part in ("![](img/w.png)", "[Whales sing]", "by Ann Lee", "They sing all winter long"):
        assert part in first
    path.write_text(first, encoding="utf-8")
    shortener("issue", "add", str(path), "--slug", "july", "--sent-at", "2024-07-01T08:00Z")
    second = shortener("picks", "--month", "2024-07").stdout
    assert LINK.sub("", second) == LINK.sub("", first)
    assert codes(second) != codes(first)
