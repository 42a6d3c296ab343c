"""The command `shortener rank` names in every format whether visitors or clicks were counted."""

import csv
import io
import json
from typing import Any

import pytest

ONE = "https://a.example/one"


@pytest.fixture
def without_visitors(newsletter: Any) -> Any:
    """An issue that was clicked only by readers without a visitor hash."""
    for code, n in (("one", 1), ("one", 2), ("one", 2), ("two", 3)):
        newsletter.click(code, n, visitor=None)
    newsletter.drain()
    return newsletter


@pytest.fixture
def mixed(without_visitors: Any) -> Any:
    """The issue may without visitors, and june with visitors, which shows article one again."""
    without_visitors.add_issue(
        "june",
        {"one": [("title", 1)]},
        recipients=100,
        sent_at=int(without_visitors.store.value("select sent_at from issues")) + 3600,
        places={"one": 1},
        prefix="j",
    )
    for visitor in ("ann", "bob"):
        without_visitors.click("jone", 1, visitor=visitor, after=7200)
    without_visitors.drain()
    return without_visitors


CASES = [
    pytest.param("read", "visitors", "clicks", "2", id="visitors"),
    pytest.param("without_visitors", "clicks", "visitors", "3", id="clicks"),
]


def csv_rows(text: str) -> list[dict[str, str]]:
    """Parse CSV output into one dictionary per row."""
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize(("fixture", "counted", "other", "count"), CASES)
def test_the_ranking_names_its_unit(
    request: pytest.FixtureRequest, shortener: Any, fixture: str, counted: str, other: str, count: str
) -> None:
    """The counted key has a number and the other is null; tables have the unit as column header."""
    request.getfixturevalue(fixture)
    ranking = json.loads(shortener("rank", "--format", "json").stdout)
    assert ranking["counted"] == counted
    (issue,) = ranking["issues"]
    assert (issue["counted"], issue[other]) == (counted, None)
    assert issue[counted] == sum(article[counted] for article in ranking["articles"])
    assert [article[other] for article in ranking["articles"]] == [None, None]
    rows = {row["url"]: row for row in csv_rows(shortener("rank", "--format", "csv").stdout)}
    assert (rows[ONE][counted], rows[ONE][other]) == (count, "")
    markdown = shortener("rank", "--format", "markdown").stdout
    assert f"| # | article | {counted} | vs typical |" in markdown
    assert f"]({ONE}) | {count} |" in markdown
    header = next(line for line in shortener("rank").stdout.splitlines() if "vs typical" in line and "┃" in line)
    assert f" {counted} " in header
    assert f" {other} " not in header


@pytest.mark.parametrize(("fixture", "counted", "other", "count"), CASES)
def test_the_explanation_names_its_unit(
    request: pytest.FixtureRequest, shortener: Any, fixture: str, counted: str, other: str, count: str
) -> None:
    """The explanation and each of its appearances have their count in the key of what was counted."""
    request.getfixturevalue(fixture)
    arguments = ("rank", "--explain", "one")
    explanation = json.loads(shortener(*arguments, "--format", "json").stdout)
    assert (explanation["counted"], explanation[counted], explanation[other]) == (counted, int(count), None)
    assert [(cell[counted], cell[other]) for cell in explanation["cells"]] == [(int(count), None)]
    (row,) = csv_rows(shortener(*arguments, "--format", "csv").stdout)
    assert (row[counted], row[other]) == (count, "")
    markdown = shortener(*arguments, "--format", "markdown").stdout
    assert f"| issue | position | {counted} | typical | factors |" in markdown
    assert f"| may | 1 | {count} | " in markdown
    assert f"{count} {counted}; typical for the same issues and positions" in shortener(*arguments).stdout


def test_a_mixed_ranking_counts_clicks(mixed: Any, shortener: Any) -> None:
    """If only some issues count visitors, the list counts clicks, each issue names its unit, and a note warns."""
    ranking = json.loads(shortener("rank", "--format", "json").stdout)
    assert ranking["counted"] == "clicks"
    assert {article["url"]: article["clicks"] for article in ranking["articles"]}[ONE] == 5
    assert {article["visitors"] for article in ranking["articles"]} == {None}
    issues = {issue["slug"]: issue for issue in ranking["issues"]}
    assert (issues["may"]["counted"], issues["may"]["clicks"], issues["may"]["visitors"]) == (
        "clicks",
        4,
        None,
    )
    assert (issues["june"]["counted"], issues["june"]["clicks"], issues["june"]["visitors"]) == (
        "visitors",
        None,
        2,
    )
    assert "too few visitors are known in issue may" in shortener("rank").stdout
    markdown = shortener("rank", "--explain", ONE, "--format", "markdown").stdout
    assert "| issue | position | visitors | clicks | typical | factors |" in markdown
    assert "| june | 1 | 2 |  | " in markdown


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--issue", "june"), "no issue 'june' was sent by then; `shortener issue list` shows them all"),
        (
            ("--explain", "https://a.example/none"),
            "none' is on the list; `shortener rank` lists the ranked articles",
        ),
    ],
)
def test_an_unknown_name_is_refused_with_a_remedy(
    read: Any, shortener: Any, arguments: tuple[str, ...], text: str
) -> None:
    """The error names the issue or article, and the command that lists them."""
    assert text in shortener("rank", *arguments, status=1).stderr
