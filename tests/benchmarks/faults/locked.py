"""The whole store locked by a foreign program for minutes, and read by one for a minute, while readers click.

    .venv/bin/python -m tests.benchmarks.faults.locked [--locked 300] [--reading 60]

Prints how readers fared, what the collector used of a processor and of memory while it waited, how long the backlog
took after the release, and how large the write-ahead log became under a reader's snapshot. Exits with 1 when a reader
got an error, p99 was 100 ms or more, the collector used more than 2 % of a processor while it waited, or a click is
missing.
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
    """Some fifty redirects a second, for so long."""
    together, until = Probe([], 0), time.monotonic() + seconds
    while time.monotonic() < until:
        found = probe(server, requests=50, pause=0.018)
        together = Probe(together.times + found.times, together.errors + found.errors)
    return together


def hold(server: Server, seconds: float, *, statement: str) -> bool:
    """Hold the store by a statement while readers click; print how that went."""
    server.click("warm")
    wait(server.stored)
    before = server.stored_after(f"before{time.monotonic_ns()}")
    (collector,) = server.children("collector")
    with contextlib.closing(sqlite3.connect(server.data / "store.db", isolation_level=None)) as db:
        db.execute(statement)
        if "exclusive" not in statement:
            db.execute("select count(*) from clicks").fetchone()
        worked, had = cpu_seconds(collector), memory(collector)
        found = click_for(server, seconds)
        worked, grown = cpu_seconds(collector) - worked, memory(collector) - had
        wal = (server.data / "store.db-wal").stat().st_size / 1e6
        db.execute("rollback")
    back = wait(lambda: server.stored() == before + len(found.times), seconds=60, what="the backlog's way in")
    print(
        f"{statement} for {seconds:.0f} s: {len(found.times):,} redirects, {found.errors} errors, "
        f"p99 {found.p99 * 1e3:.1f} ms; collector {worked / seconds:.1%} of a processor, {grown:+.1f} MB; "
        f"write-ahead log {wal:.1f} MB; all stored {back:.1f} s after the release",
        flush=True,
    )
    waited = worked / seconds < BUSY_SHARE or "exclusive" not in statement
    return not found.errors and found.p99 < P99_SECONDS and waited


def main() -> int:
    """Lock, then read."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
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
