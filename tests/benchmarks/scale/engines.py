"""Speed of the collector and of reports on SQLite and on PostgreSQL, in one run.

    .venv/bin/python -m tests.benchmarks.scale.engines [--lines 300000] [--rounds 2] [--directory DIR]

Drains the click log of ``tests/benchmarks/collector/drain.py`` on both engines in turn, each time in a process of its
own, with syncs of the disk. The CPU time of PostgreSQL includes that of its server's processes.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from shortener.collector.collector import Collector
from shortener.config import Config, Domain, Storage
from shortener.reporting.issue_report import build_issue_report
from shortener.reporting.summary import build_summary
from tests.benchmarks.collector.drain import START, median_ms, prepare, write_log
from tests.postgres import PostgresServer, start_postgres

TICKS = os.sysconf("SC_CLK_TCK")


def server_seconds(postmaster: int) -> float:
    """Return the CPU seconds that a PostgreSQL server and its processes have used, also those that have ended."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(path.parent.name) == postmaster:
            ticks += sum(int(field) for field in fields[11:15])  # own time, and that of children that have ended
        elif int(fields[1]) == postmaster:
            ticks += sum(int(field) for field in fields[11:13])
    return ticks / TICKS


def measure(data: Path, lines: int, *, url: str, postmaster: int) -> dict[str, float]:
    """Drain ``lines`` lines and return rates, times and memory."""
    with closing(prepare(data, url=url)) as store:
        write_log(data, lines)
        config = Config(domain=(Domain(host="go.example"),), storage=Storage(data=str(data), url=url))
        collector = Collector(store, config=config)
        wall, cpu = time.perf_counter(), time.process_time() + server_seconds(postmaster)
        collector.drain()
        wall, cpu = time.perf_counter() - wall, time.process_time() + server_seconds(postmaster) - cpu
        collector.close()
        assert store.value("select sum(human + bot + scanner + preview + prefetch) from clicks_by_link") == lines
        now = START + lines // 20
        return {
            "lines a second": lines / wall,
            "lines a CPU second": lines / cpu,
            "peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "issue report ms": median_ms(lambda: build_issue_report(store, "bench", as_of=now)),
            "summary ms": median_ms(lambda: build_summary(store, as_of=now)),
        }


def run(directory: Path, engine: str, lines: int, server: PostgresServer) -> dict[str, float]:
    """Measure one engine in a process of its own."""
    with server.schema() as url:
        arguments = [str(directory), str(lines), url if engine == "postgres" else "", str(server.pid)]
        done = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.scale.engines", "--one", *arguments],
            capture_output=True,
            text=True,
            check=True,
        )
    result: dict[str, float] = json.loads(done.stdout)
    return result


def main() -> None:
    """Measure both engines in turn, and print the medians and their ratio."""
    if sys.argv[1:2] == ["--one"]:
        data, lines, url, postmaster = sys.argv[2:]
        print(json.dumps(measure(Path(data), int(lines), url=url, postmaster=int(postmaster))))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--directory", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        server = start_postgres(Path(directory) / "postgres", durable=True)
        results: dict[str, list[dict[str, float]]] = {"sqlite": [], "postgres": []}
        for number in range(options.rounds):
            for engine, found in results.items():
                found.append(run(Path(directory) / f"{engine}-{number}", engine, options.lines, server))
        for name in results["sqlite"][0]:
            sqlite, postgres = (statistics.median(found[name] for found in each) for each in results.values())
            print(f"{name:20} sqlite {sqlite:>10,.1f}   postgres {postgres:>10,.1f}   ratio {postgres / sqlite:.2f}")
        server.close()


if __name__ == "__main__":
    main()
