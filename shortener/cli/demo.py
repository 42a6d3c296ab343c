"""``shortener demo``: the whole loop in a minute, on a sample issue."""

import http.client
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit

import click
from rich.progress import track

from shortener import config as configuration
from shortener.cli import CliContext, main
from shortener.collector.collector import drain_once
from shortener.config import Config
from shortener.demo.readers import ReaderLink, SimulatedRequest, simulate_requests
from shortener.errors import AlreadyRunning, InputError
from shortener.reporting.issue_contents import IssueContents, load_issue_contents
from shortener.services.add_issue import AddRequest, add_or_update_issue
from shortener.store import open_store

SAMPLE_SLUG = "low-tide-2026-11"
DEFAULT_READERS = 400
DEFAULT_SECONDS = 20.0
"""Fast for people, and slow enough to tell them from machines."""
SAMPLE_RECIPIENTS = 1_500
HOURS_SINCE_SENDING = 3
RANDOM_SEED = 11
ARTICLE_APPEALS = (1.0, 0.7, 1.3, 0.8, 1.0, 1.9, 0.6, 2.2)
"""How much the readers like the articles, in turn: some good ones stand low, as in life."""
CONFIG_TEMPLATE = """\
# The demonstration's configuration. The proxy is trusted so that the simulated readers can have addresses of their own.
[site]
name = "Low Tide"

[[domain]]
host = "127.0.0.1:{port}"
scheme = "http"

[server]
port = {port}
trusted_proxies = ["127.0.0.1"]

[storage]
data = "data"
"""


@click.command()
@click.option(
    "--directory",
    type=click.Path(path_type=Path),
    default="demo-data",
    show_default=True,
    help="Where everything is kept.",
)
@click.option(
    "--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="Port to serve on."
)
@click.option(
    "--readers", type=click.IntRange(1, 100_000), default=DEFAULT_READERS, show_default=True, help="How many."
)
@click.option(
    "--seconds",
    type=click.FloatRange(0, 3600),
    default=DEFAULT_SECONDS,
    show_default=True,
    help="How long they read.",
)
@click.option("--leave", is_flag=True, help="End when everything has been shown, instead of staying up.")
def demo(directory: Path, port: int, readers: int, seconds: float, leave: bool) -> None:
    """Take a sample issue in, serve it, let simulated readers click, and show the report and the ranking."""
    config_path = _prepare_directory(directory, port=port)
    config = configuration.load(config_path, environment={})
    shown = _add_sample_issue(config, directory)
    server = subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-m", "shortener", "--config", str(config_path), "serve"],
        stdout=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("SHORTENER_")},
    )
    try:
        way_in = _wait_until_ready(server)
        _simulate_readers(config, shown, readers=readers, seconds=seconds)
        _print_reports(config, config_path)
        _print_addresses(config, config_path, shown, directory, admin_hint=way_in)
        if not leave:
            _keep_running(server)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


def _prepare_directory(directory: Path, *, port: int) -> Path:
    """An empty demonstration directory; one that was not made here is left alone."""
    config_path = directory / "config.toml"
    if directory.exists() and not (
        config_path.exists() and "demonstration" in config_path.read_text("utf-8")
    ):
        raise InputError(f"{directory}: exists and is no demonstration; choose another --directory")
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    config_path.write_text(CONFIG_TEMPLATE.format(port=port), encoding="utf-8")
    return config_path


def _add_sample_issue(config: Config, directory: Path) -> IssueContents:
    source = files("shortener.demo").joinpath("issue.md").read_bytes()
    (directory / "issue.md").write_bytes(source)
    store = open_store(config.data_directory)
    now = int(time.time())
    try:
        request = AddRequest(
            source=source,
            filename="issue.md",
            slug=SAMPLE_SLUG,
            sent_at=now - HOURS_SINCE_SENDING * 3600,
            recipients=SAMPLE_RECIPIENTS,
        )
        taken = add_or_update_issue(store, request, config=config, now=now)
        (directory / "issue.out.md").write_bytes(taken.output)
        click.echo(
            f"Took in the sample issue: {taken.articles} articles, {taken.new_links} short links "
            f"({directory / 'issue.md'} → {directory / 'issue.out.md'})."
        )
        return load_issue_contents(store, SAMPLE_SLUG, config=config)
    finally:
        store.close()


def _wait_until_ready(server: subprocess.Popen[str]) -> str:
    """Wait for the server's ready line; what it says after that of the way in for the first admin."""
    assert server.stdout is not None  # noqa: S101 - it was asked for two lines above
    line = server.stdout.readline()
    if not line:
        server.wait()
        raise AlreadyRunning("the server did not start: see the line above")
    click.echo(line.strip())
    return server.stdout.readline().strip()


def _simulate_readers(config: Config, issue: IssueContents, *, readers: int, seconds: float) -> None:
    """Let the readers click, several at a time, and wait until all of it is counted and judged."""
    requests = simulate_requests(_reader_links(issue), readers=readers, seconds=seconds, seed=RANDOM_SEED)
    _send_requests(config, track(requests, description=f"{readers} readers and their machines"))
    store = open_store(config.data_directory)
    try:
        drain_once(store, config=config)
    finally:
        store.close()


def _reader_links(issue: IssueContents) -> list[ReaderLink]:
    articles = {article.url: article for article in issue.articles}
    picks = [article.url for article in issue.articles if len(article.links) and article.author]
    found = []
    for link in issue.links:
        article = articles.get(link.article or "")
        position = article.position if article and article.position else len(articles)
        appeal = (
            ARTICLE_APPEALS[picks.index(link.article) % len(ARTICLE_APPEALS)]
            if link.article in picks
            else 0.8
        )
        for placement in link.placements:
            path = f"{urlsplit(link.short_url).path}/{placement.n}"
            found.append((placement.n, ReaderLink(path, placement.kind, position, appeal)))
    return [link for _, link in sorted(found, key=lambda each: each[0])]


def _send_requests(config: Config, requests: Iterable[SimulatedRequest], *, threads: int = 8) -> None:
    todo = iter(requests)
    begun = time.monotonic()
    lock = threading.Lock()

    def work() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", config.server.port, timeout=10)
        while True:
            with lock:
                visit = next(todo, None)
            if visit is None:
                connection.close()
                return
            time.sleep(max(0.0, begun + visit.offset_seconds - time.monotonic()))
            connection.request(visit.method, visit.path, headers=visit.headers)
            connection.getresponse().read()

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def _print_reports(config: Config, config_path: Path) -> None:
    for command in (["report", "issue", SAMPLE_SLUG], ["rank", "--issue", SAMPLE_SLUG]):
        click.echo(f"\n$ shortener --config {config_path} {' '.join(command)}")
        main(
            ["--config", str(config_path), *command], standalone_mode=False, obj=CliContext(str(config_path))
        )


def _print_addresses(
    config: Config, config_path: Path, issue: IssueContents, directory: Path, *, admin_hint: str
) -> None:
    first = next(article for article in issue.articles if article.author)
    link = first.links[0].short_url
    click.echo(f"""
Open or try:
  {link}      a short link: {first.title}
  {link}+     where it leads, and what is recorded
  {config.base_url}/-/health
  {directory / "issue.out.md"}    the issue as it would be sent
  shortener --config {config_path} report summary
{admin_hint}""")


def _keep_running(server: subprocess.Popen[str]) -> None:
    click.echo("\nThe server stays up. Ctrl-C ends it.")
    stop: Callable[[int, object], None] = lambda _signum, _frame: server.send_signal(signal.SIGTERM)  # noqa: E731
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    server.wait()


COMMANDS = [demo]
