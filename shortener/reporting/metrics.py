"""The installation's numbers in Prometheus' text format, for ``/-/metrics``."""

import sqlite3
import time
from collections.abc import Iterator, Mapping

from shortener.config import Config
from shortener.errors import StoreError
from shortener.reporting.health import check_health
from shortener.shared_memory import read_restarts, read_totals
from shortener.store import open_reader
from shortener.store.clicks import read_lines_drained, read_verdict_counts

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def render_metrics(config: Config, *, now: float | None = None) -> str:
    """All metrics as text; what cannot be read because the store is away is left out."""
    now = time.time() if now is None else now
    counted = read_totals(config.data_directory)
    found = check_health(config, now=now)
    lines = [
        *_format_metric(
            "answers_total",
            "counter",
            "Requests for short links, by answer and status.",
            {
                f'{{answer="{answer}",status="{status}"}}': count
                for answer, status, count in (
                    ("redirect", config.redirect.status, counted["redirects"]),
                    ("prefetch_refused", 503, counted["prefetches"]),
                    ("miss", 404, counted["misses"] - counted["gone"]),
                    ("miss", 410, counted["gone"]),
                )
            },
        ),
        *_format_metric(
            "unrecorded_total", "counter", "Clicks answered but not recorded.", {"": counted["unrecorded"]}
        ),
        *_format_metric(
            "errors_total", "counter", "Clicks recorded without their hashes.", {"": counted["errors"]}
        ),
        *_format_metric(
            "backlog_bytes", "gauge", "Click-log bytes that wait to be drained.", {"": found.backlog.bytes}
        ),
        *_format_metric(
            "backlog_seconds", "gauge", "Age of the oldest of them.", {"": found.backlog.seconds}
        ),
        *_format_metric(
            "restarts_total",
            "counter",
            "Children of the server that died and were started again.",
            {f'{{child="{child}"}}': count for child, count in read_restarts(config.data_directory).items()},
        ),
        *_format_metric("disk_free_bytes", "gauge", "Free bytes where the data is.", {"": found.disk_free}),
        *_format_metric(
            "store_up", "gauge", "Whether the store can be read.", {"": int(found.store == "ok")}
        ),
        *_store_metrics(config),
    ]
    return "\n".join(lines) + "\n"


def _store_metrics(config: Config) -> list[str]:
    try:
        reader = open_reader(config.data_directory)
        try:
            drained, verdicts = read_lines_drained(reader), read_verdict_counts(reader)
        finally:
            reader.close()
    except (StoreError, sqlite3.Error):
        return []
    clicks = {f'{{verdict="{verdict}"}}': count for verdict, count in verdicts}
    return [
        *_format_metric(
            "drained_lines_total", "counter", "Lines of the click log that were drained.", {"": drained}
        ),
        *_format_metric("clicks_total", "counter", "Stored clicks, by verdict.", clicks),
    ]


def _format_metric(name: str, kind: str, help_text: str, values: Mapping[str, float]) -> Iterator[str]:
    yield f"# HELP shortener_{name} {help_text}"
    yield f"# TYPE shortener_{name} {kind}"
    for labels, value in values.items():
        yield f"shortener_{name}{labels} {value}"
