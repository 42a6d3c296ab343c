"""A centre with redirect nodes on one machine, in three measurements.

    .venv/bin/python -m tests.benchmarks.scale.cluster nodes [--seconds 120]
    .venv/bin/python -m tests.benchmarks.scale.cluster edits [--edits 200]
    .venv/bin/python -m tests.benchmarks.scale.cluster outage [--seconds 10] [--rounds 3]

``nodes`` kills a random worker, sender or collector each second and crashes PostgreSQL each 20 seconds, under the load
of readers on a centre and three nodes; it prints the account of all requests. ``edits`` prints the time from the commit
of an edit until a node redirects to the new target, with and without notifications of PostgreSQL. ``outage`` prints
rate and times of redirects on a node while PostgreSQL is up, stopped and hanging.
"""

import argparse
import contextlib
import random
import statistics
import tempfile
import time
from pathlib import Path

from tests.faults.accounting import Readers, read_answer
from tests.scale.machines import Cluster, running_cluster

CRASH_SECONDS = 20
VICTIMS = ("worker", "sender", "collector")


def measure_nodes(cluster: Cluster, *, seconds: int) -> None:
    """Kill processes under load, and print the account."""
    rng = random.Random(1)
    kills = crashes = 0
    with cluster.readers(pause=0.02):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(1.0)
            if (kills + crashes + 1) % CRASH_SECONDS:
                cluster.kill(rng.choice(VICTIMS), rng=rng)
                kills += 1
            else:
                cluster.postgres.crash()
                crashes += 1
    begun = time.monotonic()
    found = cluster.settle()
    print(f"{kills} kills, {crashes} crashes of PostgreSQL; complete after {time.monotonic() - begun:.1f} s")
    print(found)
    print("sums equal those of a rebuild:", cluster.rollups() == cluster.rebuilt_rollups())


def measure_edits(cluster: Cluster, *, edits: int) -> None:
    """Print the times until an edit is seen on a node."""
    for name, count in (("with notifications", edits), ("without", edits // 4)):
        with cluster.without_notifications() if name == "without" else contextlib.nullcontext():
            times = sorted(_time_edit(cluster, f"https://example.com/{name[:7]}/{number}") for number in range(count))
        p99 = times[int(0.99 * (count - 1))]
        print(f"{name:20} {count:4} edits   median {statistics.median(times):8.1f} ms   p99 {p99:8.1f} ms")


def _time_edit(cluster: Cluster, target: str) -> float:
    """Return the milliseconds from the commit of an edit until a node redirects to its target."""
    time.sleep(random.uniform(0, 0.3))
    node = cluster.nodes[0]
    cluster.edit(target)
    begun = time.perf_counter()
    with node.connect() as client:
        while True:
            client.sendall(node.request())
            if f"location: {target}\r\n".encode() in read_answer(client).lower():
                return (time.perf_counter() - begun) * 1000


def measure_outage(cluster: Cluster, *, seconds: int, rounds: int) -> None:
    """Print rate and times of redirects on a node, in each state of PostgreSQL in turn."""
    results: dict[str, list[tuple[float, float]]] = {"up": [], "stopped": [], "hanging": []}
    for number in range(rounds):
        for at, (state, found) in enumerate(results.items()):
            with contextlib.nullcontext() if state == "up" else cluster.postgres.outage(hanging=state == "hanging"):
                readers = Readers(cluster.nodes[0], keepalive=1.0, pause=0.0, first=(3 * number + at) * 10**6)
                readers.start()
                time.sleep(seconds)
                readers.stop()
            assert set(readers.outcomes.values()) == {"answered"}
            found.append((len(readers.latencies) / seconds, statistics.quantiles(readers.latencies, n=100)[98] * 1000))
    for state, found in results.items():
        rates, p99s = zip(*found, strict=True)
        print(f"{state:8} {statistics.median(rates):8,.0f} redirects a second   p99 {statistics.median(p99s):6.1f} ms")


def main() -> None:
    """Start a cluster, and make one of the measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measurement", choices=["nodes", "edits", "outage"])
    parser.add_argument("--seconds", type=int, default=0)
    parser.add_argument("--edits", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as directory,
        running_cluster(Path(directory), nodes=3 if options.measurement == "nodes" else 1) as cluster,
    ):
        if options.measurement == "nodes":
            measure_nodes(cluster, seconds=options.seconds or 120)
        elif options.measurement == "edits":
            measure_edits(cluster, edits=options.edits)
        else:
            measure_outage(cluster, seconds=options.seconds or 10, rounds=options.rounds)


if __name__ == "__main__":
    main()
