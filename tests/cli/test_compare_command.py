"""The command `shortener report compare` in every format."""

import csv
import io
import json
from typing import Any

import pytest

from shortener.ranking.inputs import MAX_COUNT

HOUR = 3600
AS_OF = ("--as-of", "2024-05-04T08:00Z")


@pytest.fixture
def two_issues(read: Any) -> Any:
    """The issue may, and june, sent two days later; at `AS_OF` they are 72 and 24 hours old."""
    sent = int(read.store.value("select sent_at from issues")) + 48 * HOUR
    read.add_issue("june", {"six": [("title", 9)]}, recipients=100, sent_at=sent, places={"six": 1})
    for n in range(5):
        read.click("six", 9, visitor=f"june {n}", after=48 * HOUR + 60)
    read.drain()
    return read


def test_every_format_has_the_same_comparison(two_issues: Any, shortener: Any) -> None:
    """The default age is that of the younger issue, and the share of clicks still expected is stated."""
    arguments = ("report", "compare", "june", "may", *AS_OF)
    comparison = json.loads(shortener(*arguments, "--format", "json").stdout)
    assert (comparison["hours"], comparison["first"]["slug"], comparison["second"]["slug"]) == (
        24,
        "june",
        "may",
    )
    assert comparison["counted"] == comparison["first"]["counted"] == "visitors"
    assert (comparison["first"]["visitors"], comparison["second"]["visitors"]) == (5, 3)
    assert comparison["first"]["clicks"] is comparison["second"]["clicks"] is None
    assert 0 < comparison["second"]["to_come"] < comparison["first"]["to_come"] == comparison["to_come"] < 1
    rows = list(csv.DictReader(io.StringIO(shortener(*arguments, "--format", "csv").stdout)))
    assert [(row["slug"], row["visitors"], row["clicks"], row["hours"]) for row in rows] == [
        ("june", "5.0", "", "24.0"),
        ("may", "3.0", "", "24.0"),
    ]
    table = shortener(*arguments).stdout
    assert "24.0 hours after sending" in table
    assert "visitors by then" in table
    assert "clicks by then" not in table
    assert comparison["text"] in table.replace("\n", " ")


def test_the_age_can_be_chosen(two_issues: Any, shortener: Any) -> None:
    """An age that both issues have reached can be given in hours."""
    arguments = ("report", "compare", "june", "may", "--hours", "3", *AS_OF, "--format", "json")
    assert json.loads(shortener(*arguments).stdout)["hours"] == 3


INVALID: dict[str, tuple[tuple[str, ...], str]] = {
    "unknown issue": (
        ("june", "none", *AS_OF),
        "'none' was sent by then; `shortener issue list` shows them all",
    ),
    "not sent by then": (("june", "may", "--as-of", "2024-05-02T08:00Z"), "'june'"),
    "above the younger issue's age": (("june", "may", "--hours", "25", *AS_OF), "at most 24"),
    "age 0": (("june", "may", "--hours", "0", *AS_OF), "more than 0"),
    "not a number": (("june", "may", "--hours", "nan", *AS_OF), "nan hours"),
    "very large": (("june", "may", "--hours", str(MAX_COUNT), *AS_OF), "at most 24"),
}


def test_issues_without_visitors_are_compared_by_clicks(two_issues: Any, shortener: Any) -> None:
    """An issue most of whose clicks have no visitor counts clicks, in every format."""
    for n in range(20):
        two_issues.click("six", 9, visitor=None, after=48 * HOUR + 60 + n)
    two_issues.drain()
    arguments = ("report", "compare", "june", "may", *AS_OF)
    comparison = json.loads(shortener(*arguments, "--format", "json").stdout)
    assert comparison["counted"] == "clicks"
    assert (comparison["first"]["counted"], comparison["second"]["counted"]) == ("clicks", "visitors")
    assert (comparison["first"]["visitors"], comparison["second"]["clicks"]) == (None, None)
    assert (comparison["first"]["clicks"], comparison["second"]["visitors"]) == (25, 3)
    assert "issue june with 25 clicks" in comparison["text"]
    rows = list(csv.DictReader(io.StringIO(shortener(*arguments, "--format", "csv").stdout)))
    assert [(row["visitors"], row["clicks"]) for row in rows] == [("", "25.0"), ("3.0", "")]
    table = shortener(*arguments).stdout
    assert "visitors by then" in table
    assert "clicks by then" in table


@pytest.mark.parametrize(("arguments", "text"), INVALID.values(), ids=INVALID)
def test_an_invalid_comparison_prints_one_line(
    two_issues: Any, shortener: Any, arguments: tuple[str, ...], text: str
) -> None:
    """The command exits with status 1 and one line that names the issue or the age."""
    result = shortener("report", "compare", *arguments, status=1)
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert text in result.stderr
