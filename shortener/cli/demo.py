"""``shortener demo``: a sample issue, a real server, simulated readers, then the report and the ranking."""

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

from shortener.cli import CliContext, main
from shortener.cli.groups import Command
from shortener.collector.collector import drain_once
from shortener.config import Config, load
from shortener.demo.readers import ReaderLink, SimulatedRequest, simulate_requests
from shortener.durations import HOUR_SECONDS
from shortener.errors import AlreadyRunning, InputError
from shortener.reporting.issue_contents import IssueContents, load_issue_contents
from shortener.services.add_issue import AddRequest, add_or_update_issue
from shortener.store import open_store

SAMPLE_SLUG = "low-tide-2026-11"
DEFAULT_READERS = 400
DEFAULT_SECONDS = 20.0
"""Time in seconds in which all readers click. With much less, the clicks would be so dense that they look automated."""
SAMPLE_RECIPIENTS = 1_500
HOURS_SINCE_SENDING = 3
RANDOM_SEED = 11
ARTICLE_APPEALS = (1.0, 0.7, 1.3, 0.8, 1.0, 1.9, 0.6, 2.2)
"""Appeal of each article of the sample issue, by position. Some appealing articles are far down, so that the ranking
differs from the order of clicks."""
CONFIG_TEMPLATE = """\
# Configuration of the demonstration. The local proxy is trusted so that each simulated reader can have an address.
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


@click.command(cls=Command, examples=("shortener demo", "shortener demo --leave"))
@click.option(
    "--directory",
    type=click.Path(path_type=Path),
    default="demo-data",
    show_default=True,
    help="Directory for all files of the demonstration.",
)
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="Port to serve on.")
@click.option(
    "--readers",
    type=click.IntRange(1, 100_000),
    default=DEFAULT_READERS,
    show_default=True,
    help="Number of simulated readers.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0, HOUR_SECONDS),
    default=DEFAULT_SECONDS,
    show_default=True,
    help="Seconds within which they click.",
)
@click.option("--leave", is_flag=True, help="Stop the server after the reports instead of leaving it running.")
def demo(directory: Path, port: int, readers: int, seconds: float, leave: bool) -> None:
    """Run a demonstration with a sample issue and its readers.

    It starts a server, and prints the report and the ranking.
    """
    config_path = _prepare_directory(directory, port=port)
    config = load(config_path, environment={})
    issue = _add_sample_issue(config, directory)
    server = subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-m", "shortener", "--config", str(config_path), "serve"],
        stdout=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("SHORTENER_")},
    )
    try:
        admin_hint = _wait_until_ready(server)
        _simulate_readers(config, issue, readers=readers, seconds=seconds)
        _print_reports(config, config_path)
        _print_addresses(config, config_path, issue, directory, admin_hint=admin_hint)
        if not leave:
            _keep_running(server)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


def _prepare_directory(directory: Path, *, port: int) -> Path:
    """Prepare an empty ``directory`` with a configuration file, and return that file's path.

    An earlier demonstration is deleted. Raises InputError if the directory exists and is not one.
    """
    config_path = directory / "config.toml"
    if directory.exists() and not (config_path.exists() and "demonstration" in config_path.read_text("utf-8")):
        raise InputError(f"{directory}: exists and is not a demonstration; choose another --directory")
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
            sent_at=now - HOURS_SINCE_SENDING * HOUR_SECONDS,
            recipients=SAMPLE_RECIPIENTS,
        )
        result = add_or_update_issue(store, request, config=config, now=now)
        (directory / "issue.out.md").write_bytes(result.output)
        click.echo(
            f"Added the sample issue: {result.articles} articles, {result.new_links} short links "
            f"({directory / 'issue.md'} → {directory / 'issue.out.md'})."
        )
        return load_issue_contents(store, SAMPLE_SLUG, config=config, now=now)
    finally:
        store.close()


def _wait_until_ready(server: subprocess.Popen[str]) -> str:
    """Wait until the server prints that it is ready. Return its next line, which says how the first admin signs in."""
    assert server.stdout is not None  # noqa: S101 - for the type checker: the caller passed stdout=PIPE
    line = server.stdout.readline()
    if not line:
        server.wait()
        raise AlreadyRunning("the server did not start; see its message above")
    click.echo(line.strip())
    return server.stdout.readline().strip()


def _simulate_readers(config: Config, issue: IssueContents, *, readers: int, seconds: float) -> None:
    """Send the requests of the readers, and wait until all clicks are counted and classified."""
    requests = simulate_requests(_reader_links(issue), readers=readers, seconds=seconds, seed=RANDOM_SEED)
    _send_requests(config, track(requests, description=f"{readers} readers and some bots"))
    store = open_store(config.data_directory)
    try:
        drain_once(store, config=config)
    finally:
        store.close()


def _reader_links(issue: IssueContents) -> list[ReaderLink]:
    """Return the placements of the issue in document order, with the appeal of the article that each leads to."""
    positions = {article.url: article.position for article in issue.articles}
    appeals = dict(zip(positions, ARTICLE_APPEALS, strict=True))
    last_position = len({link.target for link in issue.links})
    links_by_number = {
        placement.n: ReaderLink(
            path=f"{urlsplit(link.short_url).path}/{placement.n}",
            kind=placement.kind,
            position=positions.get(link.article or "") or last_position,
            appeal=appeals.get(link.article or "", 0.8),
        )
        for link in issue.links
        for placement in link.placements
    }
    return [links_by_number[n] for n in sorted(links_by_number)]


def _send_requests(config: Config, requests: Iterable[SimulatedRequest], *, threads: int = 8) -> None:
    """Send each request at its offset from now. Each of ``threads`` threads uses one connection."""
    queue = iter(requests)
    started = time.monotonic()
    lock = threading.Lock()

    def send() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", config.server.port, timeout=10)
        while True:
            with lock:
                request = next(queue, None)
            if request is None:
                connection.close()
                return
            time.sleep(max(0.0, started + request.offset_seconds - time.monotonic()))
            connection.request(request.method, request.path, headers=request.headers)
            connection.getresponse().read()

    workers = [threading.Thread(target=send) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def _print_reports(config: Config, config_path: Path) -> None:
    for command in (["report", "issue", SAMPLE_SLUG], ["rank", "--issue", SAMPLE_SLUG]):
        click.echo(f"\n$ shortener --config {config_path} {' '.join(command)}")
        main(["--config", str(config_path), *command], standalone_mode=False, obj=CliContext(str(config_path)))


def _print_addresses(
    config: Config, config_path: Path, issue: IssueContents, directory: Path, *, admin_hint: str
) -> None:
    article = issue.articles[0]
    short_url = article.links[0].short_url
    click.echo(f"""
Open or try:
  {short_url}      a short link: {article.title}
  {short_url}+     its target, and what is recorded of a click
  {config.base_url}/-/health
  {directory / "issue.out.md"}    the issue as it would be sent
  shortener --config {config_path} report summary
{admin_hint}""")


def _keep_running(server: subprocess.Popen[str]) -> None:
    click.echo("\nThe server keeps running. Ctrl-C stops it.")
    stop: Callable[[int, object], None] = lambda _signum, _frame: server.send_signal(signal.SIGTERM)  # noqa: E731
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    server.wait()


COMMANDS = [demo]
