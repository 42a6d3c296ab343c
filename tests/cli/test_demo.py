"""``shortener demo``: the whole demonstration, what its reports show, and what it refuses."""

import csv
import io
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from shortener.cli import main
from shortener.demo.clicks import ReaderLink, simulate_clicks
from shortener.demo.issues import sample_issues
from tests.ports import free_port

README = Path(__file__).parent.parent.parent / "README.md"
SENT_AT = 1_714_550_400
LAST_DELAY = 30 * 3_600


def run_demo(directory: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the demonstration to its end, in the subdirectory ``demo``."""
    return subprocess.run(
        [sys.executable, "-m", "shortener", "demo", "--directory", str(directory / "demo"), "--leave", *options],
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def read(config: Path, *words: str) -> str:
    """Return what a command prints about a demonstration."""
    result = CliRunner().invoke(main, ["--config", str(config), *words])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The configuration file of a demonstration that ran to its end, and what it printed."""
    directory = tmp_path_factory.mktemp("demonstration")
    result = run_demo(directory, "--port", str(free_port()))
    assert result.returncode == 0, result.stderr
    return directory / "demo" / "config.toml", result.stdout


def test_the_demonstration_prints_reports_and_serves(demonstration: tuple[Path, str]) -> None:
    """It adds six issues, collects their clicks, prints three reports, and starts a server."""
    config, output = demonstration
    for text in ("Added 6 issues", "report summary", "report issue low-tide-46", "rank --issue low-tide-46", "Ready:"):
        assert text in output
    assert (config.parent / "issue.out.md").exists()


def test_the_first_report_shows_people(demonstration: tuple[Path, str]) -> None:
    """Most requests are of readers, whose clicks no rule filters, and the click rate grows from issue to issue."""
    config, _ = demonstration
    summary = json.loads(read(config, "report", "summary", "--format", "json"))
    clicks = summary["totals"]["clicks"]
    assert sum(clicks.values()) > 3_000
    assert 0.05 < 1 - clicks["human"] / sum(clicks.values()) < 0.2
    rates = [issue["rate"] for issue in sorted(summary["issues"], key=lambda issue: issue["sent_at"])]
    assert len(rates) == 6
    assert rates == sorted(rates)
    exported = csv.DictReader(io.StringIO(read(config, "clicks", "export", "--format", "csv")))
    readers = [row for row in exported if row["browser"].startswith(("Chrome", "Firefox", "Mobile Safari", "Safari"))]
    filtered = [row["reason"] for row in readers if row["verdict"] != "human"]
    assert len(filtered) < 0.08 * len(readers), "besides mail scanners, browsers are people"


def test_the_ranking_has_evidence_and_gems(demonstration: tuple[Path, str]) -> None:
    """The order is not that of positions or clicks, an article is clearly above average, and one is a hidden gem."""
    config, _ = demonstration
    ranking = json.loads(read(config, "rank", "--issue", "low-tide-46", "--format", "json"))
    articles = ranking["articles"]
    assert any(article["low"] > 1 for article in articles)
    assert any(article["high"] < 1 for article in articles)
    assert [article["visitors"] for article in articles] != sorted((a["visitors"] for a in articles), reverse=True)
    assert ranking["gems"]


def test_the_readme_has_the_printed_figures(demonstration: tuple[Path, str]) -> None:
    """The README has the sentence about clicks and visitors that the demonstration prints."""
    sentences = [line for line in README.read_text("utf-8").splitlines() if " visitors; " in line]
    assert len(sentences) == 1
    assert sentences[0] in demonstration[1].splitlines()


def test_a_foreign_directory_is_not_deleted(tmp_path: Path) -> None:
    """A directory that is no earlier demonstration is refused and keeps its files."""
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "mine.txt").write_text("mine", encoding="utf-8")
    result = run_demo(tmp_path, "--port", str(free_port()))
    assert result.returncode == 1
    assert "is not a demonstration" in result.stderr
    assert (tmp_path / "demo" / "mine.txt").exists()


def test_a_taken_port_is_an_error(tmp_path: Path) -> None:
    """If another process listens on the port, the demonstration ends with an error before it writes anything."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = run_demo(tmp_path, "--port", str(taken.getsockname()[1]))
    assert result.returncode == 1
    assert "cannot be listened on: Address already in use; choose another with --port or --host" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "demo").exists()


def test_simulated_clicks_are_reproducible() -> None:
    """Equal seeds give equal lines, in order of time, with ids of their own; the last reader comes before the limit."""
    links = [ReaderLink(f"c{number}", number, "title", number, 1.0) for number in range(1, 31)]
    first = simulate_clicks(links, host="go.example", readers=400, sent_at=SENT_AT, last_delay=LAST_DELAY, seed=3)
    assert first == simulate_clicks(
        links, host="go.example", readers=400, sent_at=SENT_AT, last_delay=LAST_DELAY, seed=3
    )
    assert [line.ts for line in first] == sorted(line.ts for line in first)
    assert len({line.id for line in first}) == len(first) > 400
    assert first[0].ts > SENT_AT
    assert first[-1].ts < SENT_AT + LAST_DELAY + 3_600


def test_the_sample_issues_are_consistent() -> None:
    """Every article of an issue has an appeal, and two articles are shown in two issues."""
    issues = sample_issues()
    for issue in issues:
        assert all(f"]({url})".encode() in issue.source for url in issue.appeals), issue.slug
    urls = [url for issue in issues for url in issue.appeals]
    assert len(urls) - len(set(urls)) == 2
