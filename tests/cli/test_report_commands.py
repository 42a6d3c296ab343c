"""``shortener report``, ``clicks export`` and ``rank``: their formats, contracts and errors."""

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


@pytest.mark.parametrize(("arguments", "keys"), CONTRACTS.values(), ids=CONTRACTS)
def test_json_has_the_keys_of_the_contract(
    read: Any, shortener: Any, arguments: tuple[str, ...], keys: list[str]
) -> None:
    """The keys of the contract come first."""
    report = json.loads(shortener(*arguments, "--format", "json").stdout)
    assert list(report)[: len(keys)] == keys


def test_ranked_articles_have_the_keys_of_the_contract(read: Any, shortener: Any) -> None:
    """Every article of the issue is ranked once, with the keys of the contract first."""
    ranking = json.loads(shortener("rank", "--format", "json").stdout)
    assert list(ranking["articles"][0])[:14] == [
        *("rank", "url", "title", "issue", "position", "visitors", "clicks", "expected"),
        *("appeal", "low", "high", "p_top", "gem", "note"),
    ]
    assert {row["url"] for row in ranking["articles"]} == {"https://a.example/one", "https://a.example/two"}


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


@pytest.mark.parametrize(("arguments", "texts"), PRINTED.values(), ids=PRINTED)
def test_tables_have_the_figures(read: Any, shortener: Any, arguments: tuple[str, ...], texts: list[str]) -> None:
    """Printed tables and lines have the figures of the report."""
    printed = shortener(*arguments).stdout
    for text in texts:
        assert text in printed


EMPTY: dict[str, tuple[tuple[str, ...], str]] = {
    "issue": (("report", "issue", "may"), "no clicks yet"),
    "link": (("report", "link", "Lone"), "Error"),
    "summary": (("report", "summary"), "no clicks yet"),
    "rank": (("rank",), "issue may has no clicks yet: nothing to rank."),
}


@pytest.mark.parametrize("name", ["issue", "summary", "rank"])
@pytest.mark.parametrize("output_format", ["table", "json", "csv"])
def test_reports_without_clicks(shortener: Any, name: str, output_format: str) -> None:
    """Without clicks no report fails in any format."""
    arguments, text = EMPTY[name]
    printed = shortener(*arguments, "--format", output_format).stdout
    assert printed
    assert output_format != "table" or text in printed


def test_csv_has_a_column_for_each_kind_of_placement(read: Any, shortener: Any) -> None:
    """Articles come first, by position; other links follow without a position."""
    printed = shortener("report", "issue", "may", "--format", "csv").stdout
    rows = list(csv.DictReader(io.StringIO(printed)))
    assert [(row["position"], row["clicks"], row["clicks_image"], row["clicks_title"]) for row in rows] == [
        ("1", "4", "1", "3"),
        ("2", "1", "0", "0"),
        ("", "1", "0", "0"),
    ]
    assert rows[1]["clicks_unplaced"] == rows[2]["clicks_footer"] == "1"


def test_every_click_is_exported(read: Any, shortener: Any) -> None:
    """Every click is a JSON object with the keys of the contract, automated requests included."""
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
    """The export before the sending is empty; the export since then has all clicks."""
    sent = json.loads(shortener("report", "issue", "may", "--format", "json").stdout)["sent_at"]
    assert shortener("clicks", "export", "--until", sent).stdout == ""
    assert len(shortener("clicks", "export", "--since", sent, "--format", "csv").stdout.splitlines()) == 12


def test_a_ranking_of_the_past(read: Any, shortener: Any) -> None:
    """Before the issue was sent the ranking is empty, and its footer says so."""
    ranking = json.loads(shortener("rank", "--as-of", "2020-01-01T00:00Z", "--format", "json").stdout)
    assert ranking["articles"] == []
    assert "nothing to rank" in ranking["footer"]


FAILURES: dict[str, tuple[tuple[str, ...], str]] = {
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


@pytest.mark.parametrize(("arguments", "text"), FAILURES.values(), ids=FAILURES)
def test_a_failure_is_one_line(read: Any, shortener: Any, arguments: tuple[str, ...], text: str) -> None:
    """A failed command has status 1 and prints one line that names the thing."""
    result = shortener(*arguments, status=1)
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert text in result.stderr


USAGE_ERRORS: dict[str, tuple[tuple[str, ...], str]] = {
    "no date": (("clicks", "export", "--until", "now"), "is not a date and time"),
    "no such format": (("report", "summary", "--format", "xml"), "json"),
    "no slug": (("report", "issue"), "SLUG"),
}


@pytest.mark.parametrize(("arguments", "text"), USAGE_ERRORS.values(), ids=USAGE_ERRORS)
def test_a_usage_error_has_status_2(shortener: Any, arguments: tuple[str, ...], text: str) -> None:
    """Wrong usage has another status than a failure."""
    assert text in shortener(*arguments, status=2).stderr


def test_the_report_of_an_issue_suggests_reruns(read: Any, shortener: Any) -> None:
    """Table and JSON have the articles worth showing again; CSV and the table of reasons have none."""
    codes = [f"j{n}" for n in range(1, 9)]
    read.add_issue(
        "june",
        {code: [("title", n)] for n, code in enumerate(codes, 1)},
        recipients=200,
        sent_at=int(read.store.value("select sent_at from issues")) + 30 * 86_400,
        places={code: n for n, code in enumerate(codes, 1)},
    )
    for n, code in enumerate(codes, 1):
        for reader in range(24 // n):
            read.click(code, n, visitor=f"reader {reader}", after=30 * 86_400 + 3600)
    read.drain()
    suggestions = json.loads(shortener("report", "issue", "june", "--format", "json").stdout)["reruns"]
    assert 1 <= len(suggestions) <= 2
    table = " ".join(shortener("report", "issue", "june").stdout.split())
    for each in suggestions:
        assert f"{each['title']} at position {each['new_position']} instead of {each['position']} (" in table
    assert table.count("Worth showing again:") == len(suggestions)
    for options in (("--reasons",), ("--format", "csv")):
        assert "Worth showing again" not in shortener("report", "issue", "june", *options).stdout
