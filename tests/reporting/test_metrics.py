"""The numbers for Prometheus."""

import re
from typing import TYPE_CHECKING

from shortener.reporting.metrics import render_metrics
from shortener.shared_memory import CHILD_KINDS, claim_worker_counters, restart_counters

if TYPE_CHECKING:
    from tests.conftest import Newsletter


def values(text: str) -> dict[str, float]:
    """Each sample by its name; every line has to be one, or a comment."""
    samples = [line for line in text.splitlines() if not line.startswith("#")]
    assert all(
        re.fullmatch(r'[a-z_]+(\{[a-z]+="[a-z_]+"(,status="\d+")?\})? [0-9.e+-]+', line) for line in samples
    )
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in samples}


def test_what_happened_is_counted(read: "Newsletter") -> None:
    """Answers of the workers and clicks of the store are there under their names."""
    worker = claim_worker_counters(read.config.data_directory)
    worker.values[0], worker.values[2], worker.values[3], worker.values[5] = 12, 3, 1, 2
    restart_counters(read.config.data_directory).values[CHILD_KINDS.index("collector")] = 4
    found = values(render_metrics(read.config))
    assert found['shortener_answers_total{answer="redirect",status="302"}'] == 12
    assert found['shortener_answers_total{answer="miss",status="404"}'] == 1
    assert found['shortener_answers_total{answer="miss",status="410"}'] == 2
    assert found['shortener_restarts_total{child="collector"}'] == 4
    assert found['shortener_restarts_total{child="worker"}'] == 0
    assert found["shortener_drained_lines_total"] == read.written
    assert found["shortener_unrecorded_total"] == 1
    assert found["shortener_backlog_bytes"] == 0
    assert found["shortener_store_up"] == 1
    assert found['shortener_clicks_total{verdict="human"}'] == 7


def test_a_store_that_is_away_leaves_the_rest(newsletter: "Newsletter") -> None:
    """Without the store the workers' numbers are shown all the same."""
    (newsletter.config.data_directory / "store.db").rename(newsletter.directory / "elsewhere")
    found = values(render_metrics(newsletter.config))
    assert found["shortener_store_up"] == 0
    assert found["shortener_unrecorded_total"] == 0
