"""Many slow clients, ten thousand silent ones, and 100,000 requests on one connection.

    .venv/bin/python -m tests.benchmarks.faults.connections [--slow 1200] [--silent 10000] [--requests 100000]

Prints the response times of other readers meanwhile, and when the clients were disconnected. Exits with 1 if a reader
got an error, p99 was 100 ms or more, a slow client was still connected after 30 s of sending one byte every two
seconds, or a file is still open or a click missing afterwards.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.crowds import (
    Probe,
    allow_files,
    ask_on_one_connection,
    count_open,
    crowd,
    drip,
    open_files,
    probe,
)
from tests.faults.serving import CODE, Server, serving, wait

P99_SECONDS = 0.1
DROP_SECONDS = 30.0


def report(title: str, measured: Probe, details: str) -> bool:
    """Print the results of a measurement; return whether they are within the limits."""
    print(
        f"{title}: {len(measured.times)} redirects meanwhile, {measured.errors} errors, "
        f"median {measured.median * 1e3:.1f} ms, p99 {measured.p99 * 1e3:.1f} ms; {details}",
        flush=True,
    )
    return not measured.errors and measured.p99 < P99_SECONDS


def slow(server: Server, number: int) -> bool:
    """Measure clients that send one byte of a header every two seconds, until the server has closed all of them."""
    begin = f"GET /{CODE} HTTP/1.1\r\nHost: {server.host}\r\nX-Slow: ".encode()
    begun = time.monotonic()
    total = Probe([], 0)
    with crowd(server, number, begin=begin) as clients:
        opened = time.monotonic()
        while (left := count_open(clients)) and time.monotonic() < opened + DROP_SECONDS + 10:
            measured = probe(server, requests=40, pause=0.04)
            total = Probe(total.times + measured.times, total.errors + measured.errors)
            drip(clients)
        gone = time.monotonic() - opened
    good = report(
        f"{number:,} slow clients (opened in {opened - begun:.1f} s)",
        total,
        f"{left} still connected after {gone:.0f} s",
    )
    return good and not left and gone <= DROP_SECONDS


def silent(server: Server, number: int) -> bool:
    """Measure clients that send nothing; afterwards the server has as many open files as before."""
    files = allow_files(number + 1000)
    number = min(number, files - 500)
    (worker,) = server.children("worker")
    before = open_files(worker)
    with crowd(server, number) as clients:
        measured = probe(server, requests=500, pause=0.002)
        most, left = open_files(worker), count_open(clients)
    back = wait(lambda: open_files(worker) <= before + 5, seconds=30, what="closing of the connections")
    return report(
        f"{number:,} silent clients",
        measured,
        f"{left:,} connected, {most:,} files open, {before} before and again {back:.1f} s after",
    )


def long(server: Server, number: int) -> bool:
    """Measure many requests on one connection, and check that every click is stored."""
    before = server.stored_after("long")
    rate = ask_on_one_connection(server, number)
    wait(lambda: server.stored() == before + number, seconds=300, what="storing of the clicks")
    print(f"{number:,} requests on one connection: {rate:,.0f} a second, in order, all stored", flush=True)
    return True


def main() -> int:
    """Run all three measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slow", type=int, default=1200)
    parser.add_argument("--silent", type=int, default=10_000)
    parser.add_argument("--requests", type=int, default=100_000)
    options = parser.parse_args()
    allow_files(options.slow + 500)
    with tempfile.TemporaryDirectory() as directory, serving(Server(Path(directory))) as server:
        good = [long(server, options.requests), slow(server, options.slow), silent(server, options.silent)]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
