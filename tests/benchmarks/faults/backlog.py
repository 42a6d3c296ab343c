"""Start of a server with a backlog of gigabytes, and with one of ten thousand small segments.

    .venv/bin/python -m tests.benchmarks.faults.backlog [--megabytes 200] [--segments 10000] [--drain-seconds 60]
    .venv/bin/python -m tests.benchmarks.faults.backlog --megabytes 5000 --drain-seconds 60 --directory DIR

Writes a click log (5,000 MB are about 9 million lines), starts the server, and prints the time to the first redirect
and to the first drained click, the speed of draining, and the peak memory of worker and collector. Stops after
--drain-seconds and prints the time of the stop. Exits with 1 if the start took 10 s or longer, memory grew beyond
300 MB, or a click of the small segments is missing.
"""

import argparse
import itertools
import json
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.crowds import memory
from tests.faults.serving import CODE, Server, wait

START_SECONDS = 10.0
MEMORY_MB = 300.0
BLOCK = 10_000
BROWSERS = [
    f"Mozilla/5.0 (X11; Linux x86_64; rv:{version}.0) Gecko/20100101 Firefox/{version}.0" for version in range(100, 146)
]


def line(host: str, number: int, *, ts: float, name: str) -> dict[str, object]:
    """Return the line of a click of a reader with a browser."""
    return {
        "v": 1, "id": f"{name}-{number:08x}", "ts": round(ts, 3), "host": host, "path": f"/{CODE}", "code": CODE,
        "method": "GET", "status": 302, "net": f"203.0.{number % 256}.0/24", "addr": f"{number * 7919 % 999983:016x}",
        "visitor": f"{number * 7919 % 999983:016x}", "ua": BROWSERS[number % len(BROWSERS)], "lang": "en-GB,en;q=0.9",
        "ref": "https://mail.example/", "h": {"accept": "text/html,application/xhtml+xml", "sec-fetch-mode": "navigate",
        "sec-fetch-dest": "document", "sec-fetch-site": "cross-site"},
    }  # fmt: skip


def write(path: Path, *, host: str, lines: int, started: float) -> int:
    """Write a segment from one block repeated with other ids and times; return its size in bytes."""
    name = path.stem[-12:]
    path.parent.mkdir(mode=0o700, exist_ok=True)
    template = "".join(
        json.dumps(line(host, n, ts=0.0, name="@@"), separators=(",", ":")) + "\n" for n in range(min(BLOCK, lines))
    )
    pieces = template.replace('"ts":0.0', '"ts":##').split("##")
    with path.open("w", encoding="ascii") as file:
        header = {"v": 1, "segment": name, "node": "bench", "started": started}
        file.write(json.dumps(header) + "\n")
        for block in range(0, lines, BLOCK):
            count = min(BLOCK, lines - block)
            times = (f"{started + (block + n) / 50:.3f}" for n in range(count))
            text = "".join(itertools.chain.from_iterable(zip(pieces[:count], times, strict=True)))
            text += pieces[-1] if count == len(pieces) - 1 else pieces[count].partition("\n")[0] + "\n"
            file.write(text.replace('"id":"@@-', f'"id":"{name}-{block // BLOCK:06x}'))
    return path.stat().st_size


def measure(server: Server, *, title: str, waiting: int, megabytes: float, drain_seconds: float) -> bool:
    """Start a server with a backlog and print the measurements; return whether they are within the limits."""
    begun = time.monotonic()
    server.start()
    server.click("first")
    first = time.monotonic() - begun
    wait(server.stored, seconds=120, what="storing of the first click")
    draining, at_first = time.monotonic() - begun, server.stored()
    peak = {"worker": 0.0, "collector": 0.0}
    until = time.monotonic() + drain_seconds
    while time.monotonic() < until and server.stored() < waiting + 1:
        for kind in peak:
            for pid in server.children(kind):
                peak[kind] = max(peak[kind], memory(pid))
        time.sleep(0.5)
    took, stored = time.monotonic() - begun - draining, server.stored()
    stop = server.stop()
    print(
        f"{title}: {waiting:,} lines, {megabytes:,.0f} MB; first redirect after {first:.2f} s, first drained click "
        f"after {draining:.2f} s; {(stored - at_first) / took:,.0f} clicks a second over {took:.0f} s "
        f"({stored:,} stored); peak memory: worker {peak['worker']:.0f} MB, collector {peak['collector']:.0f} MB; "
        f"stopped in {stop:.1f} s",
        flush=True,
    )
    server.check()
    return max(first, draining) < START_SECONDS and max(peak.values()) < MEMORY_MB


def main() -> int:
    """Measure a long backlog and one of many segments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--segments", type=int, default=10_000)
    parser.add_argument("--drain-seconds", type=float, default=60.0)
    parser.add_argument("--directory", type=Path)
    options = parser.parse_args()
    started = float(int(time.time()) - 200_000)
    good = True
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        server = Server(Path(directory))
        lines = options.megabytes * 1_000_000 // len(json.dumps(line(server.host, 1, ts=started, name="x" * 19)))
        path = server.data / "clicklog" / f"{int(started * 1000):014d}-backlog00000.jsonl"
        size = write(path, host=server.host, lines=lines, started=started) / 1e6
        good &= measure(server, title="backlog", waiting=lines, megabytes=size, drain_seconds=options.drain_seconds)
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        server = Server(Path(directory))
        for number in range(options.segments):
            name = f"{int(started * 1000) + number:014d}-{number:012x}.jsonl"
            write(server.data / "clicklog" / name, host=server.host, lines=3, started=started + number)
        good &= measure(
            server,
            title=f"{options.segments:,} segments",
            waiting=3 * options.segments,
            megabytes=sum(path.stat().st_size for path in server.segments()) / 1e6,
            drain_seconds=options.drain_seconds,
        )
        good &= server.stored() == 3 * options.segments + 1
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
