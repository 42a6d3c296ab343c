"""Memory of the redirect workers under a million random requests.

    .venv/bin/python -m tests.benchmarks.faults.random_requests [--requests 1000000] [--workers 1]

Each request has a new code or query, user agent, referrer, language and header name, and every fourth a new host.
Prints each worker's memory after every tenth of the requests. Exits with 1 if a worker was replaced, or has grown by
more than 8 MB after the first tenth.
"""

import argparse
import random
import sys
import tempfile
from pathlib import Path

from tests.faults.crowds import flood, memory
from tests.faults.serving import Server, serving

GROWTH_MB = 8.0


def main(arguments: list[str]) -> int:
    """Send the requests and print the memory. Return 1 if it grew."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args(arguments)
    rng = random.Random(1)
    with (
        tempfile.TemporaryDirectory() as directory,
        serving(Server(Path(directory), workers=options.workers)) as server,
    ):
        workers = sorted(server.children("worker"))
        after: list[list[float]] = []
        for tenth in range(1, 11):
            flood(server, options.requests // 10, rng=rng)
            after.append([memory(worker) for worker in workers])
            sizes = ", ".join(f"{size:.1f}" for size in after[-1])
            print(f"{tenth * (options.requests // 10):>9,} requests: {sizes} MB", flush=True)
        replaced = sorted(server.children("worker")) != workers
    growth = max(last - first for first, last in zip(after[0], after[-1], strict=True))
    print(f"growth after the first tenth: {growth:+.1f} MB; workers replaced: {'yes' if replaced else 'no'}")
    return int(replaced or growth > GROWTH_MB)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
