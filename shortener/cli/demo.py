"""``shortener demo``: six sample issues with the clicks of their readers, the reports, and a real server."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import click

from shortener.cli import CliContext, main
from shortener.cli.groups import Command
from shortener.cli.options import parse_link_key
from shortener.cli.output import command_name
from shortener.cli.whole_number import WholeNumber
from shortener.clicklog.format import encode
from shortener.clicklog.writer import LOG_DIRECTORY
from shortener.collector.other_collector import drain_once
from shortener.config import Config, load
from shortener.demo.clicks import ReaderLink, simulate_clicks
from shortener.demo.issues import SampleIssue, sample_issues
from shortener.durations import DAY_SECONDS, HOUR_SECONDS
from shortener.errors import AlreadyRunning, InputError
from shortener.reporting.issue_contents import IssueContents, load_issue_contents
from shortener.server.sockets import reserve_port
from shortener.services.add_issue import AddRequest, add_or_update_issue
from shortener.store import Store, open_store

SENDING_SECONDS = 8 * HOUR_SECONDS
"""Time of day, in seconds of UTC, at which every issue was sent."""
WEEK_SECONDS = 7 * DAY_SECONDS
LATEST_DELAY_SECONDS = 30 * HOUR_SECONDS
"""Time within which all readers of the latest issue come. With later ones, figures would depend on the time of day."""
EARLIER_DELAY_SECONDS = 4 * DAY_SECONDS
"""Time within which the readers of the earlier issues come."""
TYPICAL_APPEAL = 0.8
"""Appeal of links that lead to no article."""
CONFIG_TEMPLATE = """\
# Configuration of the demonstration.
[site]
name = "Low Tide"

[[domain]]
host = "127.0.0.1:{port}"
scheme = "http"

[server]
port = {port}

[storage]
data = "data"
"""


@click.command(cls=Command, examples=("shortener demo", "shortener demo --leave --port 8080"))
@click.option(
    "--directory",
    type=click.Path(path_type=Path),
    default="demo-data",
    show_default=True,
    help="Directory for all files of the demonstration.",
)
@click.option("--port", type=WholeNumber(1, 65535), default=8000, show_default=True, help="Port to serve on.")
@click.option("--leave", is_flag=True, help="Stop the server after the reports instead of leaving it running.")
def demo(directory: Path, port: int, leave: bool) -> None:
    """Run a demonstration with six issues and their clicks.

    It adds six sample issues, collects the clicks of simulated readers, prints the reports and starts a server. An
    earlier demonstration in the directory is replaced.
    """
    with reserve_port("127.0.0.1", port):
        config_path = _replace_earlier_demonstration(directory, port=port)
    config = load(config_path, environment={})
    with closing(open_store(config.data_directory)) as store:
        issues = _add_issues_with_clicks(store, config, directory, now=int(time.time()))
        lines = drain_once(store, config=config)
        click.echo(f"Collected {lines:,} requests from the click log ({config.data_directory / LOG_DIRECTORY}).")
    _print_reports(config_path, issues[-1].slug)
    _serve(config, config_path, issues, directory, leave=leave)


def _replace_earlier_demonstration(directory: Path, *, port: int) -> Path:
    config_path = directory / "config.toml"
    if directory.exists() and not (config_path.exists() and "demonstration" in config_path.read_text("utf-8")):
        raise InputError(f"{directory}: exists and is not a demonstration; choose another --directory")
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    config_path.write_text(CONFIG_TEMPLATE.format(port=port), encoding="utf-8")
    return config_path


def _add_issues_with_clicks(store: Store, config: Config, directory: Path, *, now: int) -> list[IssueContents]:
    issues = sample_issues()
    added = []
    log = config.data_directory / LOG_DIRECTORY
    log.mkdir(mode=0o700, exist_ok=True)
    sent_at = _last_sent_at(now) - (len(issues) - 1) * WEEK_SECONDS
    for number, issue in enumerate(issues):
        contents = _add_issue(store, config, directory, issue, sent_at=sent_at)
        lines = simulate_clicks(
            _reader_links(contents, issue, config),
            host=config.domains[0].host,
            readers=round(issue.recipients * issue.click_rate),
            sent_at=sent_at,
            last_delay=LATEST_DELAY_SECONDS if issue is issues[-1] else EARLIER_DELAY_SECONDS,
            seed=number + 1,
        )
        path = log / f"{issue.slug}.jsonl"
        path.write_bytes(b"".join(encode(line) + b"\n" for line in lines))
        path.chmod(0o600)
        sent_at += WEEK_SECONDS
        added.append(contents)
    click.echo(f"Added {len(issues)} issues; the latest is {directory / 'issue.md'} → {directory / 'issue.out.md'}.")
    return added


def _last_sent_at(now: int) -> int:
    # The latest eight o'clock (UTC) that lets all simulated readers click before ``now``.
    return (now - LATEST_DELAY_SECONDS - HOUR_SECONDS - SENDING_SECONDS) // DAY_SECONDS * DAY_SECONDS + SENDING_SECONDS


def _add_issue(store: Store, config: Config, directory: Path, issue: SampleIssue, *, sent_at: int) -> IssueContents:
    request = AddRequest(
        source=issue.source, filename="issue.md", slug=issue.slug, sent_at=sent_at, recipients=issue.recipients
    )
    # The issue is added an hour before it is sent.
    result = add_or_update_issue(store, request, config=config, now=sent_at - HOUR_SECONDS)
    (directory / "issue.md").write_bytes(issue.source)
    (directory / "issue.out.md").write_bytes(result.output)
    return load_issue_contents(store, issue.slug, config=config, now=sent_at)


def _reader_links(contents: IssueContents, issue: SampleIssue, config: Config) -> list[ReaderLink]:
    positions = {article.url: article.position for article in contents.articles}
    last_position = len(positions) + 1
    links = []
    for link in contents.links:
        _, code = parse_link_key(link.short_url, config=config)
        position = positions.get(link.article or "") or last_position
        appeal = issue.appeals.get(link.article or "", TYPICAL_APPEAL)
        for placement in link.placements:
            links.append(ReaderLink(code, placement.n, placement.kind, position, appeal))
    return sorted(links, key=lambda link: link.n)


def _print_reports(config_path: Path, slug: str) -> None:
    for command in (["report", "summary"], ["report", "issue", slug], ["rank", "--issue", slug]):
        click.echo(f"\n$ {command_name()} --config {config_path} {' '.join(command)}")
        main(["--config", str(config_path), *command], standalone_mode=False, obj=CliContext(str(config_path)))


def _serve(config: Config, config_path: Path, issues: list[IssueContents], directory: Path, *, leave: bool) -> None:
    server = subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-m", "shortener", "--config", str(config_path), "serve"],
        stdout=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("SHORTENER_")},
    )
    try:
        admin_hint = _wait_until_ready(server)
        _print_addresses(config, config_path, issues, directory, admin_hint=admin_hint)
        if not leave:
            _keep_running(server)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


def _wait_until_ready(server: subprocess.Popen[str]) -> str:
    assert server.stdout is not None  # noqa: S101 - for the type checker: the caller passed stdout=PIPE
    # The server prints a line when it is ready, and then a line about how the first admin signs in.
    line = server.stdout.readline()
    if not line:
        server.wait()
        raise AlreadyRunning("the server did not start; see its message above")
    click.echo(f"\n{line.strip()}")
    return server.stdout.readline().strip()


def _print_addresses(
    config: Config, config_path: Path, issues: list[IssueContents], directory: Path, *, admin_hint: str
) -> None:
    previous, latest = issues[-2:]
    article = latest.articles[0]
    short_url = article.links[0].short_url
    click.echo(f"""
Open or try:
  {short_url}      a short link: {article.title}
  {short_url}+     its target, and what is recorded of a click
  {config.base_url}/-/health
  {directory / "issue.out.md"}    the latest issue as it was sent
  {command_name()} --config {config_path} report compare {latest.slug} {previous.slug}
{admin_hint}""")


def _keep_running(server: subprocess.Popen[str]) -> None:
    click.echo("\nThe server keeps running. Ctrl-C stops it.")
    stop: Callable[[int, object], None] = lambda _signum, _frame: server.send_signal(signal.SIGTERM)  # noqa: E731
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    server.wait()


COMMANDS = [demo]
