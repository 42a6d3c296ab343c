"""A store locked by another program for minutes, and read by it for a minute, while readers click.

    .venv/bin/python -m tests.benchmarks.faults.locked [--locked 300] [--reading 60]

Prints the response times of readers, CPU time and memory of the waiting collector, the time to drain the backlog
afterwards, and the size of the write-ahead log during the long read. Exits with 1 if a reader got an error, p99 was
100 ms or more, the waiting collector used more than 2 % of a processor, or a click is missing.
"""

import argparse
import contextlib
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.crowds import Probe, cpu_seconds, memory, probe
from tests.faults.serving import Server, serving, wait

P99_SECONDS = 0.1
BUSY_SHARE = 0.02


def click_for(server: Server, seconds: float) -> Probe:
    """Send about fifty requests a second for ``seconds``, and return their results."""
    total, until = Probe([], 0), time.monotonic() + seconds
    while time.monotonic() < until:
        measured = probe(server, requests=50, pause=0.018)
        total = Probe(total.times + measured.times, total.errors + measured.errors)
    return total


def hold(server: Server, seconds: float, *, statement: str) -> bool:
    """Lock the store by a statement while readers click; return whether the measurements are within the limits."""
    server.click("warm")
    wait(server.stored)
    before = server.stored_after(f"before{time.monotonic_ns()}")
    (collector,) = server.children("collector")
    with contextlib.closing(sqlite3.connect(server.data / "store.db", isolation_level=None)) as db:
        db.execute(statement)
        if "exclusive" not in statement:
            db.execute("select count(*) from clicks").fetchone()
        cpu_before, memory_before = cpu_seconds(collector), memory(collector)
        measured = click_for(server, seconds)
        cpu, growth = cpu_seconds(collector) - cpu_before, memory(collector) - memory_before
        wal = (server.data / "store.db-wal").stat().st_size / 1e6
        db.execute("rollback")
    back = wait(lambda: server.stored() == before + len(measured.times), seconds=60, what="draining of the backlog")
    print(
        f"{statement} for {seconds:.0f} s: {len(measured.times):,} redirects, {measured.errors} errors, "
        f"p99 {measured.p99 * 1e3:.1f} ms; collector {cpu / seconds:.1%} of a processor, {growth:+.1f} MB; "
        f"write-ahead log {wal:.1f} MB; all stored {back:.1f} s after the release",
        flush=True,
    )
    is_idle = cpu / seconds < BUSY_SHARE or "exclusive" not in statement
    return not measured.errors and measured.p99 < P99_SECONDS and is_idle


def main() -> int:
    """Measure a locked store and a long reader."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--locked", type=float, default=300)
    parser.add_argument("--reading", type=float, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, serving(Server(Path(directory))) as server:
        good = [
            hold(server, options.locked, statement="begin exclusive"),
            hold(server, options.reading, statement="begin"),
        ]
        server.stop()
        server.check()
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
