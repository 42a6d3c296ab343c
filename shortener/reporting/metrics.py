"""Metrics of the installation in the text format of Prometheus, for ``/-/metrics``."""

import time
from collections.abc import Iterator, Mapping, Sequence

from shortener.config import Config
from shortener.errors import StoreError
from shortener.reporting.health import check_health
from shortener.reporting.local_node import check_local_node
from shortener.reporting.node_health import NodeHealth
from shortener.shared_memory import read_restarts, read_totals
from shortener.store import open_reader
from shortener.store.clicks import read_verdict_counts
from shortener.store.log_segments import read_lines_drained

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Media type of Prometheus' text format."""


def render_metrics(config: Config, *, now: float | None = None) -> str:
    """Return all metrics as text. The metrics of the store are left out if the store cannot be read."""
    now = time.time() if now is None else now
    health = check_health(config, now=now)
    lines = [
        *_redirect_metrics(config),
        *_format_metric(
            "backlog_bytes",
            "gauge",
            "Click-log bytes that are not collected yet.",
            {"": health.backlog.bytes},
        ),
        *_format_metric(
            "backlog_seconds",
            "gauge",
            "Age in seconds of the oldest uncollected byte.",
            {"": health.backlog.seconds},
        ),
        *_process_metrics(config, disk_free=health.disk_free),
        *_format_metric("store_up", "gauge", "1 if the store can be read, else 0.", {"": int(health.store == "ok")}),
        *_node_metrics(health.nodes),
        *_store_metrics(config),
    ]
    return "\n".join(lines) + "\n"


def render_node_metrics(config: Config, *, now: float | None = None) -> str:
    """Return the metrics of a redirect node as text. They are read from its own files, not from the database."""
    health = check_local_node(config, now=now)
    behind = {"": health.links_behind_seconds} if health.links_behind_seconds is not None else {}
    sent_until = {"": int(health.sent_until.timestamp())} if health.sent_until else {}
    lines = [
        *_redirect_metrics(config),
        *_format_metric("backlog_bytes", "gauge", "Click-log bytes that are not sent yet.", {"": health.backlog_bytes}),
        *_format_metric(
            "sent_until_seconds", "gauge", "Time until which all clicks were sent, in UTC epoch.", sent_until
        ),
        *_format_metric(
            "links_behind_seconds", "gauge", "Time since the links were last known to be up to date.", behind
        ),
        *_process_metrics(config, disk_free=health.disk_free),
    ]
    return "\n".join(lines) + "\n"


def _redirect_metrics(config: Config) -> list[str]:
    counters = read_totals(config.data_directory)
    return [
        *_format_metric(
            "answers_total",
            "counter",
            "Requests for short links, by kind of response and status.",
            {
                f'{{answer="{answer}",status="{status}"}}': count
                for answer, status, count in (
                    ("redirect", config.redirect.status, counters["redirects"]),
                    ("prefetch_refused", 503, counters["prefetches"]),
                    ("miss", 404, counters["misses"] - counters["gone"]),
                    ("miss", 410, counters["gone"]),
                )
            },
        ),
        *_format_metric(
            "unrecorded_total", "counter", "Clicks answered but not recorded.", {"": counters["unrecorded"]}
        ),
        *_format_metric("errors_total", "counter", "Clicks recorded without their hashes.", {"": counters["errors"]}),
    ]


def _process_metrics(config: Config, *, disk_free: int) -> list[str]:
    return [
        *_format_metric(
            "restarts_total",
            "counter",
            "Server processes restarted after a crash.",
            {f'{{child="{child}"}}': count for child, count in read_restarts(config.data_directory).items()},
        ),
        *_format_metric(
            "disk_free_bytes",
            "gauge",
            "Free bytes on the disk of the data directory.",
            {"": disk_free},
        ),
    ]


_NODE_METRICS = {
    "heard_seconds": "Seconds since the last report of a redirect node.",
    "links_behind": "Changes of links that a node had not applied at its last report.",
    "backlog_bytes": "Click-log bytes that a node had not sent at its last report.",
    "unrecorded": "Clicks that a node has answered but not recorded.",
    "disk_free": "Free bytes on the disk of a node.",
}


def _node_metrics(nodes: Sequence[NodeHealth]) -> Iterator[str]:
    for name, help_text in _NODE_METRICS.items() if nodes else ():
        values = {f'{{node="{node.name}"}}': getattr(node, name) for node in nodes}
        known = {label: value for label, value in values.items() if value is not None}
        yield from _format_metric(f"node_{name}", "gauge", help_text, known)


def _store_metrics(config: Config) -> list[str]:
    try:
        reader = open_reader(config.data_directory, url=config.storage.url)
        try:
            drained, verdicts = read_lines_drained(reader), read_verdict_counts(reader)
        finally:
            reader.close()
    except StoreError:
        return []
    clicks = {f'{{verdict="{verdict}"}}': count for verdict, count in verdicts}
    return [
        *_format_metric("drained_lines_total", "counter", "Click-log lines that are in the store.", {"": drained}),
        *_format_metric("clicks_total", "counter", "Stored clicks, by verdict.", clicks),
    ]


def _format_metric(name: str, kind: str, help_text: str, values: Mapping[str, float]) -> Iterator[str]:
    yield f"# HELP shortener_{name} {help_text}"
    yield f"# TYPE shortener_{name} {kind}"
    for labels, value in values.items():
        yield f"shortener_{name}{labels} {value}"
