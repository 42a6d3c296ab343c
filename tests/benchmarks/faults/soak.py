"""Minutes of load with everything new each time: how the memory of each process grows, as a slope.

    .venv/bin/python -m tests.benchmarks.faults.soak [--minutes 3] [--warm-up 0.5] [--flood 1000000]

First a backlog of --beforehand clicks is drained, so that the collector's caches (48 MB of the store's pages, and what
it knows of agents and visitors) are full before anything is measured. Then some 250 readers a second click, each from
an address of his own; codes, hosts, queries, user agents, referrers and header names are random, pages and the export
are asked for, and a link is edited. Memory is read each two seconds; after the warm-up a line is fitted.
Then --flood random requests go through one connection. Exits with 1 when a slope is above 2 MB a minute, a process
above 200 MB, or the flood added more than 20 MB to the worker.
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
MOST_MB = 200.0
FLOOD_MB = 20.0


def trouble(server: Server, *, stopping: threading.Event, seed: int) -> None:
    """What is not a plain click: random requests, pages, exports, edits."""
    rng = random.Random(seed)
    while not stopping.wait(0.5):
        flood(server, 300, rng=rng)
        for path in ("/-/health", "/abcde+", "/-/sign-in", "/nosuch"):
            server.get(path)
        if rng.random() < 0.05:
            server.run("link", "set", f"http://{server.host}/abcde", "--title", f"title {rng.random()}")
            server.run("clicks", "export")


def slope(samples: list[tuple[float, float]]) -> float:
    """Megabytes a minute, by least squares."""
    return statistics.linear_regression([at / 60 for at, _ in samples], [mb for _, mb in samples]).slope


def soak(server: Server, *, minutes: float, warm_up: float) -> bool:
    """Load, and a line for each process."""
    processes = {kind: server.children(kind)[0] for kind in KINDS} | {
        "supervisor": server.children("serve")[0]
    }
    samples: dict[str, list[tuple[float, float]]] = {kind: [] for kind in processes}
    stopping, readers = threading.Event(), Readers(server, pause=0.02, spread=True)
    worrying = threading.Thread(target=trouble, args=(server,), kwargs={"stopping": stopping, "seed": 1})
    readers.start()
    worrying.start()
    begun = time.monotonic()
    try:
        while (at := time.monotonic() - begun) < minutes * 60:
            for kind, pid in processes.items():
                if at > warm_up * 60:
                    samples[kind].append((at, memory(pid)))
            time.sleep(2)
    finally:
        stopping.set()
        worrying.join()
        readers.stop()
    good = True
    for kind, each in samples.items():
        most, grown = max(mb for _, mb in each), slope(each)
        print(
            f"{kind}: {each[0][1]:.1f} MB after the warm-up, {each[-1][1]:.1f} at the end, "
            f"slope {grown:+.2f} MB a minute"
        )
        good &= grown < SLOPE_MB and most < MOST_MB
    print(f"{len(readers.outcomes):,} clicks, {server.stored():,} stored up to now")
    return good


def main() -> int:
    """Soak, then flood."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
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
    """Drain what fills the collector's caches, soak, flood; whether it went well."""
    with serving(server, pages=True):
        wait(lambda: server.stored() == options.beforehand, seconds=300, what="the end of the backlog")
        good = soak(server, minutes=options.minutes, warm_up=options.warm_up)
        (worker,) = server.children("worker")
        before, begun = memory(worker), time.monotonic()
        flood(server, options.flood, rng=random.Random(2))
        grown = memory(worker) - before
        print(
            f"{options.flood:,} random requests in {time.monotonic() - begun:.0f} s: "
            f"worker {before:.1f} MB, {grown:+.1f} MB"
        )
    return good and grown < FLOOD_MB


if __name__ == "__main__":
    sys.exit(main())
