"""``kill -9`` and SIGTERM again and again under load; every click accounted for through ``clicks export``.

    .venv/bin/python -m tests.benchmarks.faults.kills [--cycles 100] [--victim tree ...] [--workers 2] [--seed 1]

Victims: ``tree`` (every process at one instant), ``mix`` (the tree, or one process at random, supervisor and children
alike), ``collector``, ``term`` (SIGTERM to the supervisor, each request on a connection of its own). Prints one table;
exits with 1 when a click is lost, doubled, stored without an answer or led astray, when a stop cut an answer off, when
a child was not started again, or when readers waited for more than 2 s.
100 cycles of all four take about ten minutes.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.accounting import HEAD, VICTIMS, Outcome, kill_again_and_again
from tests.faults.serving import Server

RECOVERY_SECONDS = 2.0


def is_kept(found: Outcome) -> bool:
    """Whether the promise was kept."""
    unbroken = found.victim != "term" or found.account.ambiguous == 0
    quick = max(found.recoveries, default=0.0) <= RECOVERY_SECONDS
    return found.account.is_exact and found.healed and unbroken and quick


def main() -> int:
    """Kill each victim and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cycles", type=int, default=100)
    parser.add_argument("--victim", nargs="+", choices=VICTIMS, default=VICTIMS)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 10_000)
    options = parser.parse_args()
    print(f"{time.strftime('%Y-%m-%d')}, {options.workers} workers, seed {options.seed}", HEAD, sep="\n")
    kept = True
    for victim in options.victim:
        with tempfile.TemporaryDirectory() as directory:
            server = Server(Path(directory), workers=options.workers)
            try:
                found = kill_again_and_again(server, [victim] * options.cycles, seed=options.seed)
            finally:
                server.end()
        print(found.row(), flush=True)
        kept = kept and is_kept(found)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
