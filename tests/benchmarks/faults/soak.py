"""Growth of the memory of each process during minutes of load with new values in each request.

    .venv/bin/python -m tests.benchmarks.faults.soak [--minutes 3] [--warm-up 0.5] [--flood 1000000]

First a backlog of --beforehand clicks is drained, so that the caches of the collector (48 MB of the store's pages, and
user agents) are full before the measurement. Then about 250 readers a second click, each from a new address; codes,
hosts, queries, user agents, referrers and header names are random, pages and the export are requested, and a link is
edited. Memory is read every two seconds, and a line is fitted after the warm-up. Then --flood random requests are sent
on one connection. Exits with 1 if a slope is above 2 MB a minute, a process above 200 MB, or the flood added more than
20 MB to the worker.
"""

import argparse
import random
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

from tests.benchmarks.faults.backlog import write
from tests.faults.accounting import Readers
from tests.faults.crowds import flood, memory
from tests.faults.serving import KINDS, Server, serving, wait

TRUSTING = '[server]\ntrusted_proxies = ["127.0.0.1"]\n'
SLOPE_MB = 2.0
MAX_MB = 200.0
FLOOD_MB = 20.0


def send_other_requests(server: Server, *, stopping: threading.Event, seed: int) -> None:
    """Send random requests, request pages and exports, and edit a link, until ``stopping`` is set."""
    rng = random.Random(seed)
    while not stopping.wait(0.5):
        flood(server, 300, rng=rng)
        for path in ("/-/health", "/abcde+", "/-/sign-in", "/nosuch"):
            server.get(path)
        if rng.random() < 0.05:
            server.run("link", "set", f"http://{server.host}/abcde", "--title", f"title {rng.random()}")
            server.run("clicks", "export")


def slope(samples: list[tuple[float, float]]) -> float:
    """Return the growth in megabytes a minute, by least squares."""
    return statistics.linear_regression([at / 60 for at, _ in samples], [mb for _, mb in samples]).slope


def soak(server: Server, *, minutes: float, warm_up: float) -> bool:
    """Measure the memory of each process under load; return whether all slopes are within the limits."""
    processes = {kind: server.children(kind)[0] for kind in KINDS} | {"supervisor": server.children("serve")[0]}
    samples: dict[str, list[tuple[float, float]]] = {kind: [] for kind in processes}
    stopping, readers = threading.Event(), Readers(server, pause=0.02, spread=True)
    other_requests = threading.Thread(
        target=send_other_requests, args=(server,), kwargs={"stopping": stopping, "seed": 1}
    )
    readers.start()
    other_requests.start()
    begun = time.monotonic()
    try:
        while (at := time.monotonic() - begun) < minutes * 60:
            for kind, pid in processes.items():
                if at > warm_up * 60:
                    samples[kind].append((at, memory(pid)))
            time.sleep(2)
    finally:
        stopping.set()
        other_requests.join()
        readers.stop()
    good = True
    for kind, sampled in samples.items():
        peak, growth = max(mb for _, mb in sampled), slope(sampled)
        print(
            f"{kind}: {sampled[0][1]:.1f} MB after the warm-up, {sampled[-1][1]:.1f} at the end, "
            f"slope {growth:+.2f} MB a minute"
        )
        good &= growth < SLOPE_MB and peak < MAX_MB
    print(f"{len(readers.outcomes):,} clicks, {server.stored():,} of them stored")
    return good


def main() -> int:
    """Run the measurement with the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--warm-up", type=float, default=0.5)
    parser.add_argument("--beforehand", type=int, default=300_000)
    parser.add_argument("--flood", type=int, default=1_000_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        server = Server(Path(directory), tables=TRUSTING)
        segment = server.data / "clicklog" / "00000000000001-beforehand00.jsonl"
        write(segment, host=server.host, lines=options.beforehand, started=time.time() - 100_000)
        return 0 if measure(server, options) else 1


def measure(server: Server, options: argparse.Namespace) -> bool:
    """Fill the caches, measure under load, then flood the worker; return whether all is within the limits."""
    with serving(server, pages=True):
        wait(lambda: server.stored() == options.beforehand, seconds=300, what="draining of the backlog")
        good = soak(server, minutes=options.minutes, warm_up=options.warm_up)
        (worker,) = server.children("worker")
        before, begun = memory(worker), time.monotonic()
        flood(server, options.flood, rng=random.Random(2))
        growth = memory(worker) - before
        print(
            f"{options.flood:,} random requests in {time.monotonic() - begun:.0f} s: "
            f"worker {before:.1f} MB, {growth:+.1f} MB"
        )
    return good and growth < FLOOD_MB


if __name__ == "__main__":
    sys.exit(main())
