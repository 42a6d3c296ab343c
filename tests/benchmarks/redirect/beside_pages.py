"""Response times of redirects while an editor loads the slowest page in a loop, and without.

    python -m tests.benchmarks.redirect.beside_pages [--seconds 5] [--rounds 3]

The page computes for a second without a pause, slower than any page of ours; one client
loads it again and again. Redirects are measured with a connection for each, 50 a second at the most. Rounds alternate.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.client import HTTPConnection
from pathlib import Path

from shortener.store import links, open_store
from tests.ports import free_port

PAUSE_SECONDS = 0.02
SLOW_PAGE = """
import time
from shortener import app

build = app.build_pages_app

def slow(config):
    pages = build(config)

    def compute():
        until, total = time.monotonic() + 1.0, 0
        while time.monotonic() < until:
            total += sum(number * number for number in range(10_000))
        return str(total)

    pages.add_url_rule("/-/slow", view_func=compute)
    return pages

app.build_pages_app = slow
"""
"""A page that computes for a second without releasing the interpreter, slower than any of ours."""


def redirect_times(port: int, *, seconds: float) -> list[float]:
    """Return the response times of redirects in milliseconds."""
    times = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        begun = time.monotonic()
        connection = HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/abcde")
        assert connection.getresponse().status == 302
        connection.close()
        times.append((time.monotonic() - begun) * 1000)
        time.sleep(PAUSE_SECONDS)
    return times


def load_page(port: int, done: threading.Event, loaded: list[int]) -> None:
    """Load the slow page until ``done``."""
    while not done.is_set():
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", "/-/slow")
        response = connection.getresponse()
        response.read()
        connection.close()
        loaded.append(response.status)


def report(name: str, times: list[float]) -> None:
    """Print median, 99th percentile and maximum."""
    p50, p99 = statistics.median(times), statistics.quantiles(times, n=100)[98]
    print(f"{name:<28}{len(times):>6} redirects  p50 {p50:6.2f} ms  p99 {p99:7.2f}  max {max(times):7.2f}")


def main() -> None:
    """Alternate, and print both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="beside-") as temporary:
        directory, port = Path(temporary), free_port()
        (directory / "sitecustomize.py").write_text(SLOW_PAGE)
        store = open_store(directory / "data")
        with store.transaction():
            links.add(store, f"127.0.0.1:{port}", "abcde", target="https://example.com/a", now=0)
        store.close()
        process = subprocess.Popen(
            [sys.executable, "-m", "shortener", "serve", "--port", str(port)],
            env=os.environ
            | {
                "SHORTENER_STORAGE__DATA": str(directory / "data"),
                "PYTHONPATH": f"{directory}:{Path.cwd()}",
            },
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        process.stdout.readline()
        alone: list[float] = []
        beside: list[float] = []
        loaded: list[int] = []
        for _ in range(arguments.rounds):
            alone += redirect_times(port, seconds=arguments.seconds)
            done = threading.Event()
            editor = threading.Thread(target=load_page, args=(port, done, loaded))
            editor.start()
            beside += redirect_times(port, seconds=arguments.seconds)
            done.set()
            editor.join()
        report("alone", alone)
        report("beside a page in a loop", beside)
        print(f"pages loaded meanwhile: {len(loaded)}, all with status {set(loaded)}")
        process.terminate()
        process.wait(30)


if __name__ == "__main__":
    main()
