"""An hour of mixed traffic with floods and kills: exact accounting, memory, open files and latency.

    .venv/bin/python -m tests.benchmarks.faults.soak [--minutes 60] [--rate 20] [--workers 2] [--flood 3000]

Readers click at the given rate per second, each from a new address, on connections that are kept for some requests.
Beside them unknown codes are requested and an editor loads pages, half a page a second. Every half minute a link's
target is edited and clicked at once. In the first two thirds a process is killed or flooded with random requests every
--interval seconds; the last third is not disturbed, and the growth of each process is fitted to it.

Prints one table of processes and one line for each other figure. Exits with 1 if a click is lost, doubled or stored
without a redirect, an edit is not seen, a page fails while nothing is killed, a process grows by more than 2 MB a
minute, takes more than 250 MB, or has at the end more open files than before. Latency is printed and not judged.
"""

import argparse
import contextlib
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlencode

from msgspec import Struct

from shortener.services import accounts
from shortener.store import links, open_store
from tests.faults.accounting import READERS, Readers, account, kill
from tests.faults.crowds import flood, memory, open_files
from tests.faults.serving import Server, serving, wait

TABLES = '[server]\ntrusted_proxies = ["127.0.0.1"]\n'
SLOPE_MB, MAX_MB, MAX_MORE_FILES = 2.0, 250.0, 12
SAMPLE_SECONDS, EDIT_SECONDS = 5.0, 30.0
VICTIMS = ("worker", "collector", "pages", "serve", "granian", "tree")
EDITED = "edited"
PASSWORD = "a long sentence for the soak"
PAGES = ("/-/links", "/-/articles", "/-/health", "/-/settings", "/-/links.json?limit=100", "/abcde+", "/-/metrics")


class Sample(Struct, frozen=True):
    """Memory in MB and number of open files of one process, at a time in seconds since the start."""

    at: float
    memory_mb: float
    files: int


class Visits:
    """An editor who loads pages and requests unknown codes in a thread, and signs in again when necessary."""

    def __init__(self, server: Server) -> None:
        self.times: list[float] = []
        self.failures: list[str] = []
        self.misses = 0
        self.is_disturbed = threading.Event()
        self._server = server
        self._cookie = ""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._visit)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the pending request."""
        self._stopping.set()
        self._thread.join()

    def _visit(self) -> None:
        rng = random.Random(3)
        while not self._stopping.wait(1.0):
            self._expect(f"/{rng.getrandbits(40):x}", 404)
            self.misses += 1
            if not self._cookie:
                self._sign_in()
            elif self.misses % 2:
                begun, disturbed = time.monotonic(), self.is_disturbed.is_set()
                good = self._expect(rng.choice(PAGES), 200)
                if good and not disturbed and not self.is_disturbed.is_set():
                    self.times.append(time.monotonic() - begun)

    def _expect(self, path: str, status: int) -> bool:
        disturbed = self.is_disturbed.is_set()
        found = self._request("GET", path)[0]
        if found != status and not disturbed and not self.is_disturbed.is_set():
            self.failures.append(f"{path}: {found}")
        return found == status

    def _sign_in(self) -> None:
        form = urlencode({"name": "ann", "password": PASSWORD})
        status, cookies = self._request("POST", "/-/sign-in", body=form)
        if status == 303:
            self._cookie = "; ".join(cookie.partition(";")[0] for cookie in cookies)

    def _request(self, method: str, path: str, *, body: str | None = None) -> tuple[int, list[str]]:
        """Return the status of the response, 0 without one, and the cookies that it sets."""
        headers = {"Cookie": self._cookie, "Sec-Fetch-Site": "same-origin", "Host": self._server.host}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection = HTTPConnection("127.0.0.1", self._server.port, timeout=30)
        with contextlib.closing(connection):
            try:
                connection.request(method, path, body=body, headers=headers)
                answer = connection.getresponse()
                answer.read()
            except (OSError, HTTPException):
                return 0, []
            return answer.status, answer.headers.get_all("Set-Cookie") or []


class Soak:
    """A run: traffic, disturbances at fixed times, and the samples of all processes."""

    def __init__(self, server: Server, options: argparse.Namespace) -> None:
        self.samples: dict[tuple[str, int], list[Sample]] = {}
        self.problems: list[str] = []
        self.edits = self.kills = self.flooded = 0
        self.first_quiet: int | None = None
        """Number of answered redirects when the last third began."""
        self._server = server
        self._seconds: float = options.minutes * 60
        self._flood_size = options.flood
        self._interval: float = options.interval
        self._rng = random.Random(options.seed)
        self.readers = Readers(server, pause=READERS / options.rate, spread=True, seed=options.seed)
        self.visits = Visits(server)
        self._begun = 0.0

    @property
    def quiet_after(self) -> float:
        """Time in seconds after which nothing is killed or flooded."""
        return self._seconds * 2 / 3

    def run(self) -> None:
        """Run all traffic until the end, and stop it."""
        self._begun = time.monotonic()
        self.readers.start()
        self.visits.start()
        try:
            intervals = {self._sample: SAMPLE_SECONDS, self._edit: EDIT_SECONDS, self._disturb: self._interval}
            due = dict(intervals)
            while self._elapsed() < self._seconds:
                for action in [action for action, at in due.items() if self._elapsed() >= at]:
                    action()
                    due[action] = self._elapsed() + intervals[action]
                time.sleep(0.5)
        finally:
            self.visits.stop()
            self.readers.stop()

    def _elapsed(self) -> float:
        return time.monotonic() - self._begun

    def _sample(self) -> None:
        if self.first_quiet is None and self._elapsed() > self.quiet_after:
            self.first_quiet = len(self.readers.latencies)
        for pid, kind in self._server.members().items():
            with contextlib.suppress(OSError):
                sample = Sample(self._elapsed(), memory(pid), open_files(pid))
                self.samples.setdefault((kind, pid), []).append(sample)

    def _edit(self) -> None:
        """Change the target of a link and click it at once."""
        self.edits += 1
        target = f"https://example.com/edit-{self.edits}"
        self._server.run("link", "set", f"http://{self._server.host}/{EDITED}", "--target", target)
        answer = self._server.get(f"/{EDITED}", more=f"Referer: https://mail.example/e{self.edits}\r\n")
        if f"\r\nlocation: {target}\r\n".encode() not in answer.lower():
            self.problems.append(f"edit {self.edits} was not seen by the next click")

    def _disturb(self) -> None:
        """Flood and kill in turn, in the first two thirds."""
        if self._elapsed() > self.quiet_after:
            return
        if self.flooded <= self.kills * self._flood_size:
            flood(self._server, self._flood_size, rng=self._rng)
            self.flooded += self._flood_size
            return
        victim = VICTIMS[self.kills % len(VICTIMS)]
        self.kills += 1
        self.visits.is_disturbed.set()
        print(f"{self._elapsed():.0f} s: {victim} is killed", file=sys.stderr)
        if not kill(self._server, self.readers, victim, rng=self._rng):
            self.problems.append(f"after the kill of {victim} not all processes ran again")
        wait(self._server.is_healthy, seconds=60, what="the recovery")
        self.visits.is_disturbed.clear()

    def process_rows(self) -> list[str]:
        """Return a table of the processes that ran in the last third, and note those that exceed a limit."""
        rows = [
            "| process | MB, least to most | growth, MB a minute | open files, before and after |",
            "|---|---|---|---|",
        ]
        for (kind, pid), sampled in self.samples.items():
            quiet = [each for each in sampled if each.at > self.quiet_after]
            if len(quiet) < 3 or sampled[-1].at < self._seconds * 0.95:
                continue
            sizes = [each.memory_mb for each in quiet]
            growth = statistics.linear_regression([each.at / 60 for each in quiet], sizes).slope
            before, after = (median_of(quiet[:10]), median_of(quiet[-10:]))
            rows.append(
                f"| {kind} {pid} | {min(sizes):.1f} to {max(sizes):.1f} | {growth:+.2f} | {before} to {after} |"
            )
            if growth > SLOPE_MB or max(sizes) > MAX_MB or after - before > MAX_MORE_FILES:
                self.problems.append(f"{kind} {pid} exceeds a limit")
        return rows

    def account(self) -> list[str]:
        """Compare all answered requests with the stored clicks, and return the figures."""
        self._server.stop()
        self._server.run("collect", "--once")
        self._server.check()
        tags = self._server.tags()
        found = account(self.readers.outcomes, tags)
        edits = sum(tag.startswith("e") and tag[1:].isdigit() for tag in tags)
        floods = sum(len(tag) == 16 for tag in tags)
        if not found.is_exact or edits != self.edits or floods != self.flooded // 2:
            self.problems.append("the accounting is not exact")
        return [
            f"clicks: {found.answered:,} answered, {found.ambiguous} cut off, {found.refused} refused, "
            f"{found.lost} lost, {found.doubled} doubled, {found.without_request} without a request, "
            f"{found.wrong} wrong",
            f"edits: {self.edits}, clicks on them stored: {edits}",
            f"floods: {self.flooded:,} requests, {self.flooded // 2:,} of them clicks, stored: {floods:,}",
            f"misses: {self.visits.misses:,}; pages: {len(self.visits.times):,}, failed: {len(self.visits.failures)}",
        ]


def median_of(samples: Sequence[Sample]) -> int:
    """Return the median of open files."""
    return int(statistics.median(each.files for each in samples))


def percentiles(times: Sequence[float]) -> str:
    """Return median, 99th percentile and longest of times in seconds, in milliseconds."""
    if not times:
        return "none"
    ordered = sorted(times)
    median, p99, longest = statistics.median(ordered), ordered[int(len(ordered) * 0.99)], ordered[-1]
    return f"median {median * 1000:.1f} ms, p99 {p99 * 1000:.0f} ms, longest {longest * 1000:.0f} ms"


def add_content(server: Server) -> None:
    """Add the link that is edited, and an editor."""
    with contextlib.closing(open_store(server.data)) as store, store.transaction():
        links.add(store, server.host, EDITED, target="https://example.com/edit-0", now=0)
        accounts.add_user(store, "ann", role="admin", password=PASSWORD, now=0)


def main() -> int:
    """Run the soak with the options of the command line and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=20.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--flood", type=int, default=3_000)
    parser.add_argument("--interval", type=float, default=120.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        server = Server(Path(directory), workers=options.workers, tables=TABLES)
        add_content(server)
        with serving(server, pages=True):
            soak = Soak(server, options)
            soak.run()
            rows: list[str] = [*soak.process_rows(), *soak.account()]
    print(*rows, sep="\n")
    print("redirects:", percentiles(soak.readers.latencies))
    print("redirects of the last third:", percentiles(soak.readers.latencies[soak.first_quiet :]))
    print("pages while nothing is killed:", percentiles(soak.visits.times))
    print(f"kills: {soak.kills}; first answer after one:", percentiles(soak.readers.recoveries))
    soak.problems += soak.visits.failures[:10]
    print(*(f"PROBLEM: {problem}" for problem in soak.problems), sep="\n")
    return 1 if soak.problems else 0


if __name__ == "__main__":
    sys.exit(main())
