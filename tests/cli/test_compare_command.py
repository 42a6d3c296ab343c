"""``shortener report compare``: two issues at the same age, in every format."""

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
    """May, and June two days younger; by ``AS_OF`` they are 72 and 24 hours old."""
    sent = int(read.store.value("select sent_at from issues")) + 48 * HOUR
    read.add_issue("june", {"six": [("title", 9)]}, recipients=100, sent_at=sent, places={"six": 1})
    for n in range(5):
        read.click("six", 9, visitor=f"june {n}", after=48 * HOUR + 60)
    read.drain()
    return read


def test_the_comparison_is_one_value_in_every_format(two_issues: Any, shortener: Any) -> None:
    """The younger's age is the default; the share still to come stands beside the counts."""
    words = ("report", "compare", "june", "may", *AS_OF)
    made = json.loads(shortener(*words, "--format", "json").stdout)
    assert (made["hours"], made["first"]["slug"], made["second"]["slug"]) == (24, "june", "may")
    assert (made["first"]["clicks"], made["second"]["clicks"]) == (5, 4)
    assert 0 < made["second"]["to_come"] < made["first"]["to_come"] == made["to_come"] < 1
    rows = list(csv.DictReader(io.StringIO(shortener(*words, "--format", "csv").stdout)))
    assert [(row["slug"], row["clicks"], row["hours"]) for row in rows] == [
        ("june", "5.0", "24.0"),
        ("may", "4.0", "24.0"),
    ]
    table = shortener(*words).stdout
    assert "24.0 hours after sending" in table
    assert made["text"] in table.replace("\n", " ")


def test_the_age_can_be_chosen(two_issues: Any, shortener: Any) -> None:
    """Any age that both have reached."""
    words = ("report", "compare", "june", "may", "--hours", "3", *AS_OF, "--format", "json")
    assert json.loads(shortener(*words).stdout)["hours"] == 3


WRONG: dict[str, tuple[tuple[str, ...], str]] = {
    "unknown issue": (("june", "none", *AS_OF), "'none'"),
    "not sent by then": (("june", "may", "--as-of", "2024-05-02T08:00Z"), "'june'"),
    "older than the younger": (("june", "may", "--hours", "25", *AS_OF), "at most 24"),
    "no age": (("june", "may", "--hours", "0", *AS_OF), "more than 0"),
    "not a number": (("june", "may", "--hours", "nan", *AS_OF), "nan hours"),
    "for ever": (("june", "may", "--hours", str(MAX_COUNT), *AS_OF), "at most 24"),
}


@pytest.mark.parametrize(("words", "said"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_compared_is_one_line(
    two_issues: Any, shortener: Any, words: tuple[str, ...], said: str
) -> None:
    """Status 1 and a line that names the thing."""
    result = shortener("report", "compare", *words, status=1)
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert said in result.stderr
