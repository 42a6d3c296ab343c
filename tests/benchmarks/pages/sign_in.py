"""Signing in under attack, on a real server: ``python -m tests.benchmarks.pages.sign_in``.

Measures whether the response time distinguishes an unknown name from a wrong password (200 samples each, Mann-Whitney
U, two-sided, normal approximation with continuity correction), the time of a throttled attempt and of a hashed one, and
the time of redirects while passwords are guessed as fast as possible. Prints milliseconds; exit status 1 if p <= 0.01.
"""

import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

from shortener.config import Config, Domain, Storage
from shortener.services import accounts
from shortener.store import links, open_store
from tests.browser import running

SAMPLES = 200
USERS = 20
GUESSERS = 8
REDIRECTS = 3_000


def main() -> int:
    """Start a server, run all measurements and print them; return the exit status."""
    with tempfile.TemporaryDirectory() as temporary:
        port = running.free_port()
        path = running.configuration(Path(temporary), port=port)
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("[server]\n", '[server]\ntrusted_proxies = ["127.0.0.1"]\n'), encoding="utf-8")
        fill(Path(temporary) / "data", port)
        with running.server(path):
            status = compare_names(port)
            measure_throttling(port)
            measure_redirects(port)
        return status


def fill(data: Path, port: int) -> None:
    """Add users and a link."""
    store = open_store(
        Config(domain=(Domain(host=f"127.0.0.1:{port}"),), storage=Storage(data=str(data))).data_directory
    )
    now = int(time.time())
    for number in range(USERS):
        accounts.add_user(store, f"user {number}", role="editor", password="a long sentence", now=now)
    with store.transaction():
        links.add(store, f"127.0.0.1:{port}", "abcde", target="https://example.org/", now=now)
    store.close()


def compare_names(port: int) -> int:
    """Compare attempts with unknown names and with wrong passwords, in random order, each from its own network.

    Return 1 if the times or the responses differ.
    """
    rng = random.Random(1)
    attempts = [(f"user {n % USERS}", "wrong") for n in range(SAMPLES)] + [
        (f"nobody {n}", "unknown") for n in range(SAMPLES)
    ]
    rng.shuffle(attempts)
    times: dict[str, list[float]] = {"wrong": [], "unknown": []}
    responses = set()
    for number, (name, kind) in enumerate([("user 0", ""), *attempts]):
        elapsed, status, body = guess(port, name, address=f"198.51.{number // 250}.{number % 250}")
        if kind:
            times[kind].append(elapsed)
            responses.add((status, body.replace(name.encode(), b"")))
    p = mann_whitney(times["wrong"], times["unknown"])
    for kind, samples in times.items():
        median, mean = statistics.median(samples), statistics.mean(samples)
        print(f"{kind:<10} median {median:6.1f}  mean {mean:6.1f}  n {len(samples)}")
    print(f"p = {p:.3f}; different responses: {len(responses) - 1}")
    return int(p <= 0.01 or len(responses) > 1)


def measure_throttling(port: int) -> None:
    """Print the times of attempts at one account from one address: the first are hashed, the others refused."""
    times: dict[int, list[float]] = {}
    for _ in range(60):
        elapsed, status, _ = guess(port, "user 1", address="203.0.113.9")
        times.setdefault(status, []).append(elapsed)
    for status, samples in sorted(times.items()):
        print(f"status {status}: {len(samples)} times, median {statistics.median(samples):.1f}")


def measure_redirects(port: int) -> None:
    """Print the times of redirects before, and while GUESSERS threads guess passwords, each time from a new network."""
    before = redirect_times(port)
    stop, attempts = threading.Event(), [0] * GUESSERS

    def attack(index: int) -> None:
        while not stop.is_set():
            guess(
                port,
                f"user {attempts[index] % USERS}",
                address=f"10.{index}.{attempts[index] // 250}.{attempts[index] % 250}",
            )
            attempts[index] += 1

    threads = [threading.Thread(target=attack, args=(index,)) for index in range(GUESSERS)]
    for thread in threads:
        thread.start()
    started = time.monotonic()
    during = redirect_times(port)
    rate = sum(attempts) / (time.monotonic() - started)
    stop.set()
    for thread in threads:
        thread.join()
    for name, times in (("before", before), ("during", during)):
        print(
            f"redirects {name}: median {statistics.median(times):.2f}  p99 {quantile(times, 0.99):.2f}  n {len(times)}"
        )
    print(f"{rate:.0f} attempts a second meanwhile")


def redirect_times(port: int) -> list[float]:
    """Return the milliseconds of each of REDIRECTS redirects in sequence over one connection."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    times = []
    for _ in range(REDIRECTS):
        started = time.perf_counter()
        connection.request("GET", "/abcde")
        response = connection.getresponse()
        response.read()
        times.append(1_000 * (time.perf_counter() - started))
        assert response.status == 302, response.status
    connection.close()
    return times


def guess(port: int, name: str, *, address: str) -> tuple[float, int, bytes]:
    """Send a wrong password and return milliseconds, status and body of the response."""
    form = urlencode({"name": name, "password": "not this one"})
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Sec-Fetch-Site": "same-origin",
        "X-Forwarded-For": address,
    }
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    started = time.perf_counter()
    connection.request("POST", "/-/sign-in", body=form, headers=headers)
    response = connection.getresponse()
    body = response.read()
    elapsed = 1_000 * (time.perf_counter() - started)
    connection.close()
    return elapsed, response.status, body


def quantile(values: Sequence[float], share: float) -> float:
    """Return the quantile of ``values`` at ``share`` (0 to 1)."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def mann_whitney(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the two-sided p-value of the Mann-Whitney U test (1947), without correction for ties."""
    ranked = sorted((value, group) for group, values in enumerate((first, second)) for value in values)
    ranks = sum(rank for rank, (_, group) in enumerate(ranked, start=1) if group == 0)
    n, m = len(first), len(second)
    u = ranks - n * (n + 1) / 2
    spread = (n * m * (n + m + 1) / 12) ** 0.5
    z = max(0.0, abs(u - n * m / 2) - 0.5) / spread
    return 2 * (1 - statistics.NormalDist().cdf(z))


if __name__ == "__main__":
    sys.exit(main())
