"""Metrics in the text format of Prometheus."""

import re
from typing import TYPE_CHECKING

import pytest

from shortener.reporting.metrics import render_metrics
from shortener.shared_memory import CHILD_KINDS, claim_worker_counters, restart_counters

if TYPE_CHECKING:
    from tests.conftest import Newsletter


def parse_samples(text: str) -> dict[str, float]:
    """Return each sample by its name and labels; fail on a line that is neither a sample nor a comment."""
    samples = [line for line in text.splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r'[a-z_]+(\{[a-z]+="[a-z_]+"(,status="\d+")?\})? [0-9.e+-]+', line) for line in samples)
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in samples}


def test_requests_and_clicks_are_counted(read: "Newsletter") -> None:
    """Counters of the workers and clicks of the store have their metrics."""
    worker = claim_worker_counters(read.config.data_directory)
    worker.values[0], worker.values[2], worker.values[3], worker.values[5] = 12, 3, 1, 2
    restart_counters(read.config.data_directory).values[CHILD_KINDS.index("collector")] = 4
    metrics = parse_samples(render_metrics(read.config))
    assert metrics['shortener_answers_total{answer="redirect",status="302"}'] == 12
    assert metrics['shortener_answers_total{answer="miss",status="404"}'] == 1
    assert metrics['shortener_answers_total{answer="miss",status="410"}'] == 2
    assert metrics['shortener_restarts_total{child="collector"}'] == 4
    assert metrics['shortener_restarts_total{child="worker"}'] == 0
    assert metrics["shortener_drained_lines_total"] == read.written
    assert metrics["shortener_unrecorded_total"] == 1
    assert metrics["shortener_backlog_bytes"] == 0
    assert metrics["shortener_store_up"] == 1
    assert metrics['shortener_clicks_total{verdict="human"}'] == 7


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_metrics_without_a_store(newsletter: "Newsletter") -> None:
    """If the store cannot be read, the counters of the workers are still shown."""
    (newsletter.config.data_directory / "store.db").rename(newsletter.directory / "elsewhere")
    metrics = parse_samples(render_metrics(newsletter.config))
    assert metrics["shortener_store_up"] == 0
    assert metrics["shortener_unrecorded_total"] == 0
