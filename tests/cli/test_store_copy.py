"""``store copy``, and other commands on a store in PostgreSQL."""

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from shortener.cli import main
from shortener.collector.collector import Collector
from shortener.reporting.issue_report import build_issue_report
from shortener.reporting.summary import build_summary
from shortener.store import Store, copying, links, open_store
from tests.conftest import SENT, Newsletter, Shortener

NOW = SENT + 86_400


def reports(store: Store) -> list[bytes]:
    """Return the JSON of two reports."""
    return [
        msgspec.json.encode(build_issue_report(store, "may", as_of=NOW), enc_hook=str),
        msgspec.json.encode(build_summary(store, as_of=NOW), enc_hook=str),
    ]


def test_a_copied_store_has_everything(read: Newsletter, shortener: Shortener, postgres_url: str) -> None:
    """The copy has equal reports; new rows get new ids, and the click log continues where the file ended."""
    read.store.execute("insert into skips (segment_id, byte_position, reason, at) values ('s', 1, ?, 0)", ("a\0b",))
    output = shortener("store", "copy", "--to", postgres_url).output
    assert "counts and sums are equal" in output
    with closing(open_store(read.config.data_directory, url=postgres_url)) as copy:
        assert reports(copy) == reports(read.store)
        assert copy.value("select reason from skips") == "ab"
        with copy.transaction():
            links.add(copy, "go.example", "new", target="https://a.example/new", now=SENT)
        read.click("one", 1, visitor="eve")
        read.write()
        with closing(Collector(copy, config=read.config, clock=lambda: NOW)) as collector:
            assert collector.drain() == 1
        assert copy.value("select count(*) from clicks") == 12


def test_only_an_empty_database_is_filled(read: Newsletter, shortener: Shortener, postgres_url: str) -> None:
    """A second copy into a database is refused, and so is one while a collector runs."""
    with closing(Collector(read.store, config=read.config)):
        assert "stop it first" in shortener("store", "copy", "--to", postgres_url, status=1).stderr
    shortener("store", "copy", "--to", postgres_url)
    assert "in use" in shortener("store", "copy", "--to", postgres_url, status=1).stderr


def test_an_incomplete_copy_leaves_the_database_empty(
    read: Newsletter, shortener: Shortener, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a row of the last table does not arrive the copy fails with its name, and no table has a row."""
    check_copied = copying._check_copied

    def lose_a_row(target: Store, table: str, types: Mapping[str, str], measured: Sequence[int]) -> None:
        if table == "clicks_by_link":
            target.execute("delete from clicks_by_link where n = 2")
        check_copied(target, table, types, measured)

    monkeypatch.setattr(copying, "_check_copied", lose_a_row)
    assert (
        "clicks_by_link: the copy is not complete (rows"
        in shortener("store", "copy", "--to", postgres_url, status=1).stderr
    )
    with closing(open_store(read.directory / "other", url=postgres_url)) as copy:
        assert copy.value("select count(*) from links") == copy.value("select count(*) from clicks") == 0


@pytest.mark.parametrize("words", [(), ("--to", "mysql://x"), ("--to", "postgresql://x", "--to-file", "y")])
def test_one_url_is_needed(read: Newsletter, shortener: Shortener, words: tuple[str, ...]) -> None:
    """Without a URL of PostgreSQL, or with two, the command says what it needs."""
    shortener("store", "copy", *words, status=2)


@pytest.fixture
def on_postgres(tmp_path: Path, postgres_url: str) -> Any:
    """Run a command on a newsletter whose store is in PostgreSQL, with the URL in a file."""
    newsletter = Newsletter(tmp_path, url=postgres_url)
    newsletter.click("one", 1)
    newsletter.drain()
    newsletter.store.close()
    (tmp_path / "url").write_text(postgres_url + "\n")
    (tmp_path / "config.toml").write_text(
        f'[storage]\ndata = "{newsletter.config.storage.data}"\n[[domain]]\nhost = "go.example"\n'
    )

    def run(*words: str, status: int = 0) -> Result:
        variables = {"SHORTENER_STORAGE__URL_FILE": str(tmp_path / "url")}
        result = CliRunner().invoke(main, ["--config", str(tmp_path / "config.toml"), *words], env=variables)
        assert result.exit_code == status, result.output
        return result

    return run


def test_commands_work_on_postgresql(on_postgres: Any) -> None:
    """Lists, reports, edits, rebuild and export read and change the database."""
    assert json.loads(on_postgres("issue", "list", "--format", "json").stdout)[0]["clicks"] == 1
    assert json.loads(on_postgres("report", "issue", "may", "--format", "json").stdout)["totals"]["visitors"] == 1
    on_postgres("link", "set", "https://go.example/two", "--target", "https://a.example/new")
    assert "https://a.example/new" in on_postgres("link", "show", "https://go.example/two").stdout
    assert "1 clicks" in on_postgres("rebuild").stdout
    on_postgres("collect", "--once")
    assert len(on_postgres("clicks", "export").stdout.splitlines()) == 1
    assert "pg_dump" in on_postgres("backup", "b.db", status=1).stderr
    assert "in a database already" in on_postgres("store", "copy", "--to", "postgresql://x/y", status=1).stderr


def test_the_url_is_a_secret(on_postgres: Any, postgres_url: str) -> None:
    """The URL is not shown, and doctor names the server's version."""
    shown = on_postgres("config", "show", "--format", "json").stdout
    assert postgres_url not in shown
    assert {"key": "storage.url", "value": "(set)", "source": "SHORTENER_STORAGE__URL_FILE"} in json.loads(shown)
    findings = json.loads(on_postgres("doctor", "--format", "json", status=1).stdout)
    assert next(each for each in findings if each["check"] == "store")["finding"].startswith("PostgreSQL ")
