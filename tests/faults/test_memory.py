"""Bounded memory of a worker in a flood of new values; the benchmark ``soak`` measures it for minutes."""

import os
import random
import signal
from pathlib import Path

from tests.faults.crowds import flood, memory
from tests.faults.serving import Server, needs_proc, serving

FLAT_MB = 4.0


@needs_proc
def test_a_flood_does_not_fill_a_worker(tmp_path: Path) -> None:
    """Random codes, hosts, queries, user agents, referrers and header names do not increase a worker's memory."""
    with serving(Server(tmp_path, pages=False)) as server:
        worker = server.child("worker")
        collector = server.child("collector")
        os.kill(collector, signal.SIGSTOP)  # what the worker keeps does not depend on it
        server.send(server.request("/-/health"), silence=0.2)  # the first page loads what relays pages
        server.click("next")
        rng = random.Random(1)
        flood(server, 1_500, rng=rng)
        before = memory(worker)
        flood(server, 3_500, rng=rng)
        assert memory(worker) - before < FLAT_MB
        assert server.children("worker") == [worker]
        server.kill_tree()
