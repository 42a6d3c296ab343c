"""Repeated ``kill -9`` and SIGTERM under load, with every click compared through ``clicks export``.

    .venv/bin/python -m tests.benchmarks.faults.kills [--cycles 100] [--victim tree ...] [--workers 2] [--seed 1]

Victims: ``tree`` (every process at one instant), ``mix`` (the tree, or one process at random, supervisor and children
alike), ``worker`` (one of the processes that answer redirects), ``collector``, ``term`` (SIGTERM to the supervisor,
each request on a connection of its own). Prints one table;
exits with 1 if a click is lost, doubled, stored without a redirect or redirected to another target, a stop cut off a
response, a child was not restarted, or readers waited for more than 2 s.
100 cycles of all five take about ten minutes.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.accounting import HEAD, VICTIMS, Outcome, kill_again_and_again
from tests.faults.serving import Server

RECOVERY_SECONDS = 2.0


def is_kept(result: Outcome) -> bool:
    """Return whether no click was lost or doubled, and the server recovered in time."""
    unbroken = result.victim != "term" or result.account.ambiguous == 0
    quick = max(result.recoveries, default=0.0) <= RECOVERY_SECONDS
    return result.account.is_exact and result.healed and unbroken and quick


def main() -> int:
    """Kill the processes of each kind and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
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
                result = kill_again_and_again(server, [victim] * options.cycles, seed=options.seed)
            except AssertionError:
                print(server.said()[-4000:], file=sys.stderr)
                raise
            finally:
                server.end()
        print(result.row(), flush=True)
        kept = kept and is_kept(result)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
