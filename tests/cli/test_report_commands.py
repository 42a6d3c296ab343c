"""``shortener report``, ``clicks export``, ``rank``: the same values in every format, and errors of one line."""

import csv
import io
import json
from typing import Any

import pytest

CONTRACTS: dict[str, tuple[tuple[str, ...], list[str]]] = {
    "issue": (
        ("report", "issue", "may"),
        ["slug", "as_of", "totals", "recipients", "quality", "articles", "timeline"],
    ),
    "summary": (("report", "summary"), ["as_of", "totals", "issues", "links"]),
    "link": (("report", "link", "one"), ["short_url", "target", "as_of", "totals"]),
    "rank": (("rank",), ["as_of", "month", "method", "counted", "articles", "gems", "footer"]),
}


@pytest.mark.parametrize(("words", "keys"), CONTRACTS.values(), ids=CONTRACTS)
def test_json_has_the_keys_of_the_contract(
    read: Any, shortener: Any, words: tuple[str, ...], keys: list[str]
) -> None:
    """The promised keys come first, whatever else there is."""
    made = json.loads(shortener(*words, "--format", "json").stdout)
    assert list(made)[: len(keys)] == keys


def test_ranked_articles_have_the_keys_of_the_contract(read: Any, shortener: Any) -> None:
    """Every article that the issue carried is ranked, once."""
    made = json.loads(shortener("rank", "--format", "json").stdout)
    assert list(made["articles"][0])[:14] == [
        *("rank", "url", "title", "issue", "position", "visitors", "clicks", "expected"),
        *("appeal", "low", "high", "p_top", "gem", "note"),
    ]
    assert {row["url"] for row in made["articles"]} == {"https://a.example/one", "https://a.example/two"}


PRINTED: dict[str, tuple[tuple[str, ...], list[str]]] = {
    "issue": (
        ("report", "issue", "may"),
        ["6 clicks by 3 visitors", "40 % of the requests", "About one", "image 1, title 3", "busiest"],
    ),
    "link": (("report", "link", "one"), ["4 clicks by 2 visitors", "title", "Firefox"]),
    "summary": (("report", "summary"), ["7 clicks by 4 visitors", "may", "http://b.example/Lone"]),
    "rank": (("rank",), ["About one", "About two", "position effect"]),
    "rank as Markdown": (("rank", "--format", "markdown"), ["| 1 | [About one](https://a.example/one) |"]),
    "rank, explained": (
        ("rank", "--explain", "https://a.example/one"),
        ["About one", "clicks per recipient"],
    ),
    "rank, explained by short URL": (("rank", "--explain", "go.example/one/2"), ["https://a.example/one"]),
    "rank, explained as Markdown": (("rank", "--explain", "one", "--format", "markdown"), ["**About one**"]),
}


@pytest.mark.parametrize(("words", "texts"), PRINTED.values(), ids=PRINTED)
def test_people_read_what_was_counted(
    read: Any, shortener: Any, words: tuple[str, ...], texts: list[str]
) -> None:
    """Tables and lines hold the figures that the report has."""
    printed = shortener(*words).stdout
    for text in texts:
        assert text in printed


EMPTY: dict[str, tuple[tuple[str, ...], str]] = {
    "issue": (("report", "issue", "may"), "no clicks yet"),
    "link": (("report", "link", "Lone"), "Error"),
    "summary": (("report", "summary"), "no clicks yet"),
    "rank": (("rank",), "About one"),
}


@pytest.mark.parametrize("name", ["issue", "summary", "rank"])
@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_without_clicks_every_report_still_speaks(shortener: Any, name: str, form: str) -> None:
    """Nobody clicked yet: no report fails, in no format."""
    words, text = EMPTY[name]
    printed = shortener(*words, "--format", form).stdout
    assert printed
    assert form != "table" or text in printed


def test_csv_has_a_column_for_each_kind_of_placement(read: Any, shortener: Any) -> None:
    """Articles first, by position; other links after them, without one."""
    printed = shortener("report", "issue", "may", "--format", "csv").stdout
    rows = list(csv.DictReader(io.StringIO(printed)))
    assert [(row["position"], row["clicks"], row["clicks_image"], row["clicks_title"]) for row in rows] == [
        ("1", "4", "1", "3"),
        ("2", "1", "0", "0"),
        ("", "1", "0", "0"),
    ]
    assert rows[1]["clicks_unplaced"] == rows[2]["clicks_footer"] == "1"


def test_every_click_is_exported(read: Any, shortener: Any) -> None:
    """One JSON object a line with the promised keys, machines included."""
    lines = [json.loads(line) for line in shortener("clicks", "export").stdout.splitlines()]
    assert len(lines) == 11
    assert list(lines[0]) == [
        *("id", "ts", "short_url", "n", "verdict", "reason", "rules", "country", "browser", "os"),
        *("device", "referrer"),
    ]
    assert (lines[0]["short_url"], lines[0]["n"], lines[0]["verdict"]) == (
        "https://go.example/one",
        1,
        "human",
    )
    assert lines[0]["ts"].endswith(".123Z")
    assert lines[4]["n"] is None
    verdicts = [line["verdict"] for line in lines]
    assert sorted(set(verdicts)) == ["bot", "human", "prefetch", "preview", "scanner"]
    assert verdicts.count("human") == 7


def test_the_export_is_bounded(read: Any, shortener: Any) -> None:
    """Nothing came before the issue was sent, everything since."""
    sent = json.loads(shortener("report", "issue", "may", "--format", "json").stdout)["sent_at"]
    assert shortener("clicks", "export", "--until", sent).stdout == ""
    assert len(shortener("clicks", "export", "--since", sent, "--format", "csv").stdout.splitlines()) == 12


def test_ranking_the_past_needs_its_date_only(read: Any, shortener: Any) -> None:
    """Before the issue was sent there is nothing to rank, and the ranking says so."""
    made = json.loads(shortener("rank", "--as-of", "2020-01-01T00:00Z", "--format", "json").stdout)
    assert made["articles"] == []
    assert "nothing to rank" in made["footer"]


WRONG: dict[str, tuple[tuple[str, ...], str]] = {
    "unknown slug": (("report", "issue", "june"), "june"),
    "unknown link": (("report", "link", "none"), "go.example/none"),
    "foreign link": (("report", "link", "https://x.example/a"), "x.example"),
    "until before since": (
        ("report", "summary", "--since", "2026-02-01T00:00Z", "--until", "2026-01-01T00:00Z"),
        "2026-02-01",
    ),
    "export until before since": (
        ("clicks", "export", "--since", "2026-02-01T00:00Z", "--until", "2026-01-01T00:00Z"),
        "2026-02-01",
    ),
    "no month": (("rank", "--month", "2026-13"), "2026-13"),
    "month and issue": (("rank", "--month", "2026-11", "--issue", "may"), "month"),
    "unknown issue to rank": (("rank", "--issue", "june"), "june"),
    "unknown article to explain": (("rank", "--explain", "https://a.example/none"), "none"),
}


@pytest.mark.parametrize(("words", "named"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_done_is_one_line(
    read: Any, shortener: Any, words: tuple[str, ...], named: str
) -> None:
    """Status 1, and a line on standard error that names the thing."""
    result = shortener(*words, status=1)
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert named in result.stderr


USAGE: dict[str, tuple[tuple[str, ...], str]] = {
    "date without zone": (("report", "summary", "--since", "2026-02-01"), "add Z"),
    "no date": (("clicks", "export", "--until", "now"), "ISO 8601"),
    "no such format": (("report", "summary", "--format", "xml"), "json"),
    "as of no zone": (("rank", "--as-of", "2026-02-01T10:00"), "add Z"),
    "no slug": (("report", "issue"), "SLUG"),
}


@pytest.mark.parametrize(("words", "named"), USAGE.values(), ids=USAGE)
def test_what_is_not_understood_is_status_2(shortener: Any, words: tuple[str, ...], named: str) -> None:
    """Usage is told apart from failure."""
    assert named in shortener(*words, status=2).stderr
