"""What 100 nodes and 1,000 newsletters need, calculated from costs that are measured first.

    .venv/bin/python -m tests.benchmarks.scale.capacity [--nodes 100] [--newsletters 1000] [--recipients 50000] …

Measures the CPU time that PostgreSQL needs for each operation of a node, and the disk space of a click and of a link.
Then prints what the whole installation needs of each resource. The rate of the collector is a result of ``engines.py``;
the time of a report and the size of an issue's sums are results of ``reports.py``. They are options.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from msgspec import Struct

from shortener.collector.collector import Collector
from shortener.config import Config, Domain, Storage
from shortener.store import Store, inbox, links, nodes
from shortener.store.links_copy import update_copy
from tests.benchmarks.collector.drain import prepare, write_log
from tests.benchmarks.scale.engines import server_seconds
from tests.postgres import PostgresServer, start_postgres

LINE_BYTES = 470
SEND_SECONDS = 0.2
"""Shortest time between two parts that a node sends while it has less than a full part."""
REPORT_SECONDS = 2.0
KEYS_SECONDS = 60.0
NODE_CONNECTIONS = 2
"""Connections of a node: that of the sender and that of the feed."""
CENTRE_CONNECTIONS = 17
"""Connections of a centre: 12 of the pages, three of the collector, and those of a node."""
DAYS_OF_CLICKS = 90
SMALL_PART, LARGE_PART = 10, 100
"""Numbers of lines in the parts of which the cost is measured."""
ASSUMPTIONS: dict[str, float] = {
    "nodes": 100,
    "centres": 2,
    "newsletters": 1_000,
    "recipients": 50_000,
    "issues-a-week": 5,
    "requests-per-recipient": 0.5,
    "busiest-hour": 0.2,  # share of a day's clicks
    "peak": 3.0,  # times the mean of that hour
    "links-per-issue": 60,
    "reports-a-minute": 600,
    "collector-rate": 20_000,
    "report-ms": 10.0,
    "sums-mb-per-issue": 18.0,
}
"""The options and their defaults."""


class Costs(Struct):
    """CPU seconds of PostgreSQL for one operation, those of a node for a new link, and bytes on disk."""

    poll_seconds: float
    report_seconds: float
    part_seconds: float
    line_seconds: float
    copied_link_seconds: float
    click_bytes: float
    link_bytes: float


def server_cost(server: PostgresServer, operation: Callable[[int], object], *, count: int) -> float:
    """Return the CPU seconds that PostgreSQL needs for one of ``count`` operations."""
    before = server_seconds(server.pid)
    for number in range(count):
        operation(number)
    return (server_seconds(server.pid) - before) / count


def part_cost(server: PostgresServer, store: Store, *, lines: int) -> float:
    """Return the CPU seconds that PostgreSQL needs for a part of ``lines`` lines in the inbox."""
    body = b"x" * (lines * LINE_BYTES)

    def send(number: int) -> None:
        inbox.send(
            store, f"segment-{lines}", body, node="paris", file_name="a.jsonl", start=number * len(body),
            finished=False, recorded_after=number, now=number,
        )  # fmt: skip

    return server_cost(server, send, count=2_000)


def measure(server: PostgresServer, store: Store, config: Config, *, lines: int) -> Costs:
    """Measure all costs on a store with the clicks of one issue."""
    write_log(config.data_directory, lines)
    with closing(Collector(store, config=config)) as collector:
        collector.drain()
    click_bytes = store.value("select pg_total_relation_size('clicks')") / lines
    nodes.add(store, "paris", role="paris", now=0)
    node = nodes.list_nodes(store)[0]
    small, large = (part_cost(server, store, lines=size) for size in (SMALL_PART, LARGE_PART))
    line = max(0.0, large - small) / (LARGE_PART - SMALL_PART)
    added = 20_000
    with store.transaction():
        for number in range(added):
            links.add(store, "go.example", f"l{number}", target=f"https://a.example/article/{number}", now=0)
    copy = config.data_directory / "copy"
    copy.mkdir()
    begun = time.process_time()
    update_copy(store, copy)
    copied = time.process_time() - begun
    return Costs(
        poll_seconds=server_cost(server, lambda _: update_copy(store, copy), count=1_000),
        report_seconds=server_cost(server, lambda _: nodes.report(store, node), count=2_000),
        part_seconds=small - SMALL_PART * line,
        line_seconds=line,
        copied_link_seconds=copied / added,
        click_bytes=click_bytes,
        link_bytes=sum(path.stat().st_size for path in copy.iterdir()) / added,
    )


def calculate(options: argparse.Namespace, costs: Costs) -> Iterator[tuple[str, str]]:
    """Yield (resource, need) of the whole installation."""
    issues = options.newsletters * options.issues_a_week / 7
    clicks = issues * options.recipients * options.requests_per_recipient
    mean = clicks * options.busiest_hour / 3600
    peak = mean * options.peak
    parts = min(peak, options.nodes / SEND_SECONDS)
    new_links = issues * options.links_per_issue
    yield "clicks a day", f"{clicks:,.0f}"
    yield "clicks a second: busiest hour, its peak", f"{mean:,.0f}, {peak:,.0f}"
    yield "redirects a second on each node at the peak", f"{peak / options.nodes:,.0f}"
    yield "collector, busy: hour, peak", f"{mean / options.collector_rate:.0%}, {peak / options.collector_rate:.0%}"
    yield "inbox at the peak: transactions and MB a second", f"{parts:,.0f}, {peak * LINE_BYTES / 1e6:,.1f}"
    yield "inbox at the peak: processors", f"{parts * costs.part_seconds + peak * costs.line_seconds:.2f}"
    yield "polls of the feed: processors", f"{options.nodes * costs.poll_seconds:.2f}"
    yield "reports of the nodes: processors", f"{options.nodes / REPORT_SECONDS * costs.report_seconds:.2f}"
    yield "daily keys: queries a second", f"{options.nodes / KEYS_SECONDS:.1f}"
    yield "links: new a day, rows to nodes a day", f"{new_links:,.0f}, {new_links * options.nodes:,.0f}"
    yield "copy of the links after a year", f"{new_links * 365 * costs.link_bytes / 1e9:,.1f} GB"
    yield "first copy of these, on the node", f"{new_links * 365 * costs.copied_link_seconds / 60:,.0f} minutes"
    yield (
        "connections",
        f"{options.nodes * NODE_CONNECTIONS + options.centres * CENTRE_CONNECTIONS:,.0f}",
    )
    yield "reports for editors: processors", f"{options.reports_a_minute / 60 * options.report_ms / 1000:.2f}"
    yield f"single clicks of {DAYS_OF_CLICKS} days", f"{clicks * DAYS_OF_CLICKS * costs.click_bytes / 1e12:,.2f} TB"
    yield "sums, each year", f"{issues * 365 * options.sums_mb_per_issue / 1e6:,.2f} TB"


def main() -> None:
    """Measure, calculate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in ASSUMPTIONS.items():
        parser.add_argument(f"--{name}", type=float, default=value)
    parser.add_argument("--lines", type=int, default=200_000)
    parser.add_argument("--directory", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        server = start_postgres(Path(directory) / "postgres", durable=True)
        data = Path(directory) / "data"
        with server.schema() as url, closing(prepare(data, url=url)) as store:
            config = Config(domain=(Domain(host="go.example"),), storage=Storage(data=str(data), url=url))
            costs = measure(server, store, config, lines=options.lines)
        server.close()
    for name in costs.__struct_fields__:
        print(f"{name:20} {getattr(costs, name):12.6f}")
    for resource, need in calculate(options, costs):
        print(f"{resource:50} {need}")


if __name__ == "__main__":
    main()
