"""Signing in under attack, on a real server: ``python -m tests.benchmarks.pages.sign_in``.

Whether the time of an answer tells an unknown name from a wrong password (200 samples each, Mann-Whitney U, two-sided,
normal approximation with continuity correction), what a refused try costs against a hashed one, and what readers'
redirects take while somebody guesses passwords as fast as he can. Prints milliseconds; 1 when p is 0.01 or less.
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
    """Measure and print."""
    with tempfile.TemporaryDirectory() as place:
        port = running.free_port()
        path = running.configuration(Path(place), port=port)
        text = path.read_text(encoding="utf-8")
        path.write_text(
            text.replace("[server]\n", '[server]\ntrusted_proxies = ["127.0.0.1"]\n'), encoding="utf-8"
        )
        fill(Path(place) / "data", port)
        with running.server(path):
            status = names(port)
            refusals(port)
            readers(port)
        return status


def fill(data: Path, port: int) -> None:
    """Users, and a link for readers."""
    store = open_store(
        Config(domain=(Domain(host=f"127.0.0.1:{port}"),), storage=Storage(data=str(data))).data_directory
    )
    now = int(time.time())
    for number in range(USERS):
        accounts.add_user(store, f"user {number}", role="editor", password="a long sentence", now=now)
    with store.transaction():
        links.add(store, f"127.0.0.1:{port}", "abcde", target="https://example.org/", now=now)
    store.close()


def names(port: int) -> int:
    """Unknown names against wrong passwords, in random order, each from a network of its own."""
    chance = random.Random(1)
    tries = [(f"user {n % USERS}", "wrong") for n in range(SAMPLES)] + [
        (f"nobody {n}", "unknown") for n in range(SAMPLES)
    ]
    chance.shuffle(tries)
    times: dict[str, list[float]] = {"wrong": [], "unknown": []}
    said = set()
    for number, (name, kind) in enumerate([("user 0", ""), *tries]):
        took, status, body = guess(port, name, address=f"198.51.{number // 250}.{number % 250}")
        if kind:
            times[kind].append(took)
            said.add((status, body.replace(name.encode(), b"")))
    p = mann_whitney(times["wrong"], times["unknown"])
    for kind, each in times.items():
        median, mean = statistics.median(each), statistics.mean(each)
        print(f"{kind:<10} median {median:6.1f}  mean {mean:6.1f}  n {len(each)}")
    print(f"p = {p:.3f}; different answers: {len(said) - 1}")
    return int(p <= 0.01 or len(said) > 1)


def refusals(port: int) -> None:
    """Guesses at one account from one place: the first few are hashed, the others refused."""
    times: dict[int, list[float]] = {}
    for _ in range(60):
        took, status, _ = guess(port, "user 1", address="203.0.113.9")
        times.setdefault(status, []).append(took)
    for status, each in sorted(times.items()):
        print(f"answer {status}: {len(each)} times, median {statistics.median(each):.1f}")


def readers(port: int) -> None:
    """Redirects before, and while eight guess from ever new networks."""
    before = redirects(port)
    stop, guessed = threading.Event(), [0] * GUESSERS

    def attack(own: int) -> None:
        while not stop.is_set():
            guess(
                port,
                f"user {guessed[own] % USERS}",
                address=f"10.{own}.{guessed[own] // 250}.{guessed[own] % 250}",
            )
            guessed[own] += 1

    threads = [threading.Thread(target=attack, args=(own,)) for own in range(GUESSERS)]
    for thread in threads:
        thread.start()
    begun = time.monotonic()
    during = redirects(port)
    rate = sum(guessed) / (time.monotonic() - begun)
    stop.set()
    for thread in threads:
        thread.join()
    for name, took in (("before", before), ("during", during)):
        print(
            f"redirects {name}: median {statistics.median(took):.2f}  p99 {quantile(took, 0.99):.2f}  n {len(took)}"
        )
    print(f"{rate:.0f} guesses a second meanwhile")


def redirects(port: int) -> list[float]:
    """So many redirects over one connection, one after the other; milliseconds each."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    times = []
    for _ in range(REDIRECTS):
        begun = time.perf_counter()
        connection.request("GET", "/abcde")
        answer = connection.getresponse()
        answer.read()
        times.append(1_000 * (time.perf_counter() - begun))
        assert answer.status == 302, answer.status
    connection.close()
    return times


def guess(port: int, name: str, *, address: str) -> tuple[float, int, bytes]:
    """One try with a wrong password: milliseconds, status, body."""
    body = urlencode({"name": name, "password": "not this one"})
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Sec-Fetch-Site": "same-origin",
        "X-Forwarded-For": address,
    }
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    begun = time.perf_counter()
    connection.request("POST", "/-/sign-in", body=body, headers=headers)
    answer = connection.getresponse()
    said = answer.read()
    took = 1_000 * (time.perf_counter() - begun)
    connection.close()
    return took, answer.status, said


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which that share of all lies."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def mann_whitney(first: Sequence[float], second: Sequence[float]) -> float:
    """The two-sided p of both having one distribution (Mann and Whitney 1947; times are not tied)."""
    ranked = sorted((value, group) for group, values in enumerate((first, second)) for value in values)
    ranks = sum(rank for rank, (_, group) in enumerate(ranked, start=1) if group == 0)
    n, m = len(first), len(second)
    u = ranks - n * (n + 1) / 2
    spread = (n * m * (n + m + 1) / 12) ** 0.5
    z = max(0.0, abs(u - n * m / 2) - 0.5) / spread
    return 2 * (1 - statistics.NormalDist().cdf(z))


if __name__ == "__main__":
    sys.exit(main())
