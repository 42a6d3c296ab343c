"""A small newsletter whose clicks are written to a click log and drained by the real collector."""

import gc
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, MethodType
from typing import Any

# As in shortener.ranking, but also if a test imports numpy first.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest
from click.testing import CliRunner, Result
from flask import Flask
from hypothesis import settings
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from sqlite_utils import Database
from werkzeug.routing import Rule

from shortener.cli import main
from shortener.collector.collector import Collector
from shortener.config import Config, Domain, Storage
from shortener.store import database, issues, links, open_store
from shortener.store.sqlite import SqliteConnection
from shortener.store.write_ahead_log import set_aside_foreign
from shortener.web import sandbox
from tests.postgres import PostgresServer, has_unnamed_subquery, start_postgres

# Each run tries the same examples, so that a failure belongs to a change. Others: pytest --hypothesis-profile=default
settings.register_profile("suite", derandomize=True)
settings.load_profile("suite")

SENT = 1_714_550_400
"""2024-05-01T08:00Z: on the hour, and past for whoever runs the tests."""
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
MACHINES: dict[str, dict[str, Any]] = {
    "bot": {"method": "HEAD"},
    "scanner": {"ua": FIREFOX + " Barracuda"},
    "preview": {"ua": "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"},
    "prefetch": {"h": {"sec-purpose": "prefetch"}},
}
"""What makes a request one of a machine, by the verdict that it gets."""


class Newsletter:
    """Two domains, a store, and a click log that is written and drained on demand.

    The issue ``may`` has two articles, `one` (image at 1, title at 2) and `two` (title at 3), and the link `foot`
    (at 4), which is no article. `lone` on the second domain belongs to no issue.
    """

    def __init__(self, directory: Path, *, url: str = "") -> None:
        self.directory = directory
        self.config = Config(
            domain=(Domain(host="go.example"), Domain(host="b.example", scheme="http", case_sensitive=True)),
            storage=Storage(data=str(directory / "data"), url=url),
        )
        self.store = open_store(self.config.data_directory, url=url)
        self.waiting: list[dict[str, Any]] = []
        self.written = 0
        articles = {
            "one": [("image", 1), ("title", 2)],
            "two": [("title", 3)],
            "foot": [("footer", 4)],
        }
        self.add_issue("may", articles, recipients=200, sent_at=SENT, places={"one": 1, "two": 2})
        with self.store.transaction():
            links.add(self.store, "b.example", "Lone", target="https://a.example/lone", now=SENT)

    def add_issue(
        self,
        slug: str,
        articles: dict[str, list[tuple[str, int]]],
        *,
        places: dict[str, int],
        prefix: str = "",
        **facts: Any,
    ) -> None:
        """Store an issue: code to (kind, n) of its placements; an article is named after its code."""
        store, placed = self.store, []
        with store.transaction():
            issue = issues.add(
                store,
                slug,
                title=slug.title(),
                format="markdown",
                domain="go.example",
                source=b"",
                now=SENT,
                **facts,
            )
            for code, placements in articles.items():
                url = f"https://a.example/{code}"
                about = {"title": f"About {code}", "author": "Ada", "summary": "", "section": "", "image": ""}
                article = issues.add_article(store, issue, url=url, **about)
                issues.set_positions(store, {article: places.get(code)})
                link = links.add(store, "go.example", prefix + code, target=url, now=SENT)
                links.assign_owner(store, link, issue_id=issue, article_id=article, now=SENT)
                placed += [issues.Placement(link, n, article, kind, code) for kind, n in placements]
            issues.replace_placements(store, issue, placed)

    def click(self, code: str, n: int = 0, *, visitor: str = "ann", after: float = 300, **more: Any) -> None:
        """Put a click into the log, ``after`` seconds from the sending; clicks are a minute apart."""
        self.written += 1
        self.waiting.append(
            {
                "v": 1,
                "id": f"click-{self.written:06d}",
                "ts": SENT + after + 60 * len(self.waiting) + 0.123,
                "host": "b.example" if code == "Lone" else "go.example",
                "code": code,
                "n": n or None,
                "method": "GET",
                "status": 302,
                "ua": FIREFOX,
                "visitor": visitor,
                "addr": visitor,
                "lang": "en-US",
                "h": {"accept": "*/*", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"},
            }
            | more
        )

    def machine(self, verdict: str, code: str, n: int = 0, **more: Any) -> None:
        """The same for a machine that gets this verdict."""
        self.click(code, n, visitor=f"machine {verdict}", **MACHINES[verdict], **more)

    def drain(self) -> None:
        """Write what waits, and collect."""
        self.write()
        collector = Collector(self.store, config=self.config, clock=lambda: SENT + 86_400)
        try:
            collector.drain()
        finally:
            collector.close()

    def write(self) -> None:
        """Write what waits as a segment of its own."""
        directory = self.config.data_directory / "clicklog"
        directory.mkdir(exist_ok=True)
        name = f"segment-{self.written:06d}"
        head = {"v": 1, "segment": name, "node": "test", "started": SENT}
        lines = "".join(json.dumps(line) + "\n" for line in [head, *self.waiting])
        (directory / f"{name}.jsonl").write_text(lines, encoding="utf-8")
        self.waiting = []


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option ``--engine``: the engine of tests that use ``store_url`` and are not run on both."""
    parser.addoption("--engine", choices=["sqlite", "postgres"], default="sqlite", help="engine of the store")


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over the modules and the collected tests, which stay until the end."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def postgres() -> PostgresServer:
    """The PostgreSQL server of this run, which all test processes share."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    return start_postgres(Path(tempfile.gettempdir()) / f"shortener-postgres-{run}")


@pytest.fixture(scope="session", autouse=True)
def fast_new_stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let a new store of this process begin as a copy of a migrated one, and no store wait for the disk."""
    directory = tmp_path_factory.mktemp("migrated")
    open_store(directory).close()
    migrate = database._migrate

    def copy_if_new(path: Path) -> bool:
        was_set_aside = set_aside_foreign(path)
        if not (path.exists() and path.stat().st_size) and not path.with_name(f"{path.name}-wal").exists():
            shutil.copyfile(directory / path.name, path)
        return was_set_aside

    def migrate_without_waiting(db: Database) -> None:
        migrate(db)
        db.conn.execute("pragma synchronous = off")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "set_aside_foreign", copy_if_new)
        patch.setattr(database, "_migrate", migrate_without_waiting)
        yield


class TemplatesInMemory(BytecodeCache):
    """Compiled templates of this process."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], CodeType | None] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Use the code that was compiled from the same text."""
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep the code."""
        self._codes[bucket.key, bucket.checksum] = bucket.code


@pytest.fixture(scope="session", autouse=True)
def compiled_templates() -> None:
    """Let all applications of this process share the compiled templates."""
    Flask.jinja_options = {**Flask.jinja_options, "bytecode_cache": TemplatesInMemory()}


@pytest.fixture(scope="session", autouse=True)
def compiled_routes() -> Iterator[None]:
    """Let all applications of this process share what werkzeug compiles for each route."""
    compile_rule = Rule.compile
    compiled: dict[tuple[object, ...], tuple[dict[str, Any], Any, Any]] = {}

    def copy_or_compile(rule: Rule) -> None:
        place = (rule.map.host_matching, rule.subdomain, rule.host, rule.rule, rule.merge_slashes)
        key = (*place, repr(rule.defaults), *rule.map.converters.values())
        if key not in compiled:
            compile_rule(rule)
            values = {name: getattr(rule, name) for name in ("_parts", "_trace", "_converters", "arguments")}
            builders: tuple[Any, Any] = (rule._build, rule._build_unknown)
            compiled[key] = (values, *(builder.__func__ for builder in builders))
        values, build, build_unknown = compiled[key]
        vars(rule).update(values, _build=MethodType(build, rule), _build_unknown=MethodType(build_unknown, rule))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rule, "compile", copy_or_compile)
        yield


_parse_in_process = sandbox._parse_in_process


@pytest.fixture(scope="session", autouse=True)
def fast_trial_parse() -> Iterator[None]:
    """Parse the documents of requests without starting a process for each; ``parser_process`` undoes it."""

    def parse_here(source: bytes, name: str) -> bool:
        sandbox._parse(source, name)
        return True

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sandbox, "_parse_in_process", parse_here)
        yield


@pytest.fixture
def parser_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parse the documents of requests in a process with limits, as outside of tests."""
    monkeypatch.setattr(sandbox, "_parse_in_process", _parse_in_process)


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """URL of an empty database for one test."""
    with postgres.schema() as url:
        yield url


@pytest.fixture
def store_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """URL of the store, '' for SQLite. Tests that run on both engines are marked with ``both_engines``."""
    yield from _empty_store(request, getattr(request, "param", request.config.getoption("--engine")))


@pytest.fixture(scope="module")
def module_store_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """URL of the store for all tests of a module."""
    yield from _empty_store(request, request.config.getoption("--engine"))


def _empty_store(request: pytest.FixtureRequest, engine: str) -> Iterator[str]:
    if engine == "sqlite":
        yield ""
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    with server.empty_store() as url:
        yield url


@pytest.fixture
def newsletter(tmp_path: Path, store_url: str) -> Iterator[Newsletter]:
    """A newsletter that nobody clicked yet."""
    made = Newsletter(tmp_path, url=store_url)
    refused: set[str] = set()

    def trace(statement: str) -> None:
        if has_unnamed_subquery(statement):
            refused.add(statement)

    if isinstance(made.store.connection, SqliteConnection):
        made.store.connection.sqlite.set_trace_callback(trace)
    yield made
    made.store.close()
    assert not refused, "PostgreSQL 15 does not accept a subquery without a name"


@pytest.fixture
def read(newsletter: Newsletter) -> Newsletter:
    """A newsletter with readers and machines.

    People: ann and bob on one/1 and one/2 (ann twice on 2), cat on two without a placement, ann on the footer, and
    dan on lone. Machines: one of each verdict on one/2.
    """
    for code, n, visitor in (
        ("one", 1, "ann"),
        ("one", 2, "ann"),
        ("one", 2, "ann"),
        ("one", 2, "bob"),
        ("two", 0, "cat"),
        ("foot", 4, "ann"),
        ("Lone", 0, "dan"),
    ):
        newsletter.click(code, n, visitor=visitor)
    for verdict in MACHINES:
        newsletter.machine(verdict, "one", 2)
    newsletter.drain()
    return newsletter


Shortener = Callable[..., Result]


@pytest.fixture
def shortener(newsletter: Newsletter) -> Shortener:
    """Run a command on the newsletter's store; ``status`` is the exit status that it must have."""
    path = newsletter.directory / "config.toml"
    path.write_text(
        f'[storage]\ndata = "{newsletter.config.storage.data}"\nurl = "{newsletter.config.storage.url}"\n'
        '[[domain]]\nhost = "go.example"\n'
        '[[domain]]\nhost = "b.example"\nscheme = "http"\ncase_sensitive = true\n',
        encoding="utf-8",
    )

    def run(*words: str, status: int = 0) -> Result:
        result = CliRunner().invoke(main, ["--config", str(path), *words])
        assert result.exit_code == status, result.output
        assert "Traceback" not in result.output
        return result

    return run
