"""Crowds at length: slow clients until they are sent away, ten thousand silent ones, 100,000 requests on a connection.

    .venv/bin/python -m tests.benchmarks.faults.connections [--slow 1200] [--silent 10000] [--requests 100000]

Prints how other readers fare meanwhile (p99 of redirects on connections of their own) and when the crowd was let go.
Exits with 1 when one of them got an error, p99 was 100 ms or more, a slow client was still connected after 30 s of
sending one byte each two seconds, or a descriptor or a click is missing afterwards.
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


def tell(title: str, found: Probe, more: str) -> bool:
    """Print a line; whether it was good enough."""
    print(
        f"{title}: {len(found.times)} redirects meanwhile, {found.errors} errors, median {found.median * 1e3:.1f} ms, "
        f"p99 {found.p99 * 1e3:.1f} ms; {more}",
        flush=True,
    )
    return not found.errors and found.p99 < P99_SECONDS


def slow(server: Server, number: int) -> bool:
    """Clients that send a header one byte each two seconds, until the server has let all of them go."""
    begin = f"GET /{CODE} HTTP/1.1\r\nHost: {server.host}\r\nX-Slow: ".encode()
    begun = time.monotonic()
    together = Probe([], 0)
    with crowd(server, number, begin=begin) as clients:
        opened = time.monotonic()
        while (left := count_open(clients)) and time.monotonic() < opened + DROP_SECONDS + 10:
            found = probe(server, requests=40, pause=0.04)
            together = Probe(together.times + found.times, together.errors + found.errors)
            drip(clients)
        gone = time.monotonic() - opened
    good = tell(
        f"{number:,} slow clients (opened in {opened - begun:.1f} s)",
        together,
        f"{left} still connected after {gone:.0f} s",
    )
    return good and not left and gone <= DROP_SECONDS


def silent(server: Server, number: int) -> bool:
    """Clients that connect and say nothing; afterwards the server has as many files open as before."""
    files = allow_files(number + 1000)
    number = min(number, files - 500)
    (worker,) = server.children("worker")
    before = open_files(worker)
    with crowd(server, number) as clients:
        found = probe(server, requests=500, pause=0.002)
        most, left = open_files(worker), count_open(clients)
    back = wait(lambda: open_files(worker) <= before + 5, seconds=30, what="the closing of what was closed")
    return tell(
        f"{number:,} silent clients",
        found,
        f"{left:,} connected, {most:,} files open, {before} before and again {back:.1f} s after",
    )


def long(server: Server, number: int) -> bool:
    """One connection that asks and asks; every click is in the store afterwards."""
    before = server.stored_after("long")
    rate = ask_on_one_connection(server, number)
    wait(lambda: server.stored() == before + number, seconds=300, what="the clicks' way into the store")
    print(f"{number:,} requests on one connection: {rate:,.0f} a second, in order, all stored", flush=True)
    return True


def main() -> int:
    """Measure all three."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
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
