"""Time of reports on SQLite and on PostgreSQL at ten million clicks, in one run.

    .venv/bin/python -m tests.benchmarks.scale.reports [--clicks 10000000] [--days 180] [--runs 15] [--directory DIR]

Fills the rollups of both engines with the same sums, those of ``tests/benchmarks/reports/growth.py``, and builds each
report on both in turn. Ends with an error if a report's JSON differs by a byte. Prints the median time and the CPU time
of a report, which includes that of PostgreSQL's processes.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from shortener.store import Store, open_store
from shortener.store.rollup_tables import ALL_ROLLUPS
from tests.benchmarks.reports.growth import DATA_SETS, reports
from tests.benchmarks.scale.engines import server_seconds
from tests.postgres import start_postgres

ENGINES = ("sqlite", "postgres")
ROUNDS = 3
"""Number of times that each engine has its turn; it then builds the report --runs times."""


def fill(store: Store, data_set: str, *, clicks: int, days: int) -> None:
    """Fill the rollups, and let PostgreSQL count its rows, as it does by itself within a minute."""
    with store.transaction():
        DATA_SETS[data_set](store, clicks=clicks, days=days, count=0)
    store.execute("analyze")


def cpu_seconds(postmaster: int) -> float:
    """Return the CPU time of this process and of PostgreSQL's processes."""
    return time.process_time() + server_seconds(postmaster)


def compare(functions: dict[str, Callable[[], object]], *, runs: int, postmaster: int) -> list[float]:
    """Call the functions in turn; return (median ms, CPU ms) of each in one list. Their JSON must be equal."""
    texts = {msgspec.json.encode(function(), enc_hook=str) for function in functions.values()}
    assert len(texts) == 1, "the report differs between the engines"
    walls: dict[str, list[float]] = {engine: [] for engine in functions}
    cpus = dict.fromkeys(functions, 0.0)
    for _ in range(ROUNDS):
        for engine, function in functions.items():
            cpu = cpu_seconds(postmaster)
            for _ in range(runs):
                wall = time.perf_counter()
                function()
                walls[engine].append(time.perf_counter() - wall)
            cpus[engine] += cpu_seconds(postmaster) - cpu
    return [
        1000 * value
        for engine in functions
        for value in (statistics.median(walls[engine]), cpus[engine] / ROUNDS / runs)
    ]


def sums_mb(store: Store) -> float:
    """Return the size of all sums on PostgreSQL with their indexes, in MB."""
    sql = "select pg_total_relation_size(cast(? as regclass))"
    return sum(int(store.value(sql, (rollup.table,))) for rollup in ALL_ROLLUPS) / 1e6


def measure(data_set: str, stores: dict[str, Store], *, runs: int, postmaster: int) -> None:
    """Print a table of all reports."""
    postgres = stores["postgres"]
    rows = postgres.value("select count(*) from clicks_by_link")
    print(f"{data_set}: {rows:,} rows of `clicks_by_link`; all sums {sums_mb(postgres):,.0f} MB on PostgreSQL\n")
    print("| report | SQLite, ms | CPU ms | PostgreSQL, ms | CPU ms | ratio |\n|---|--:|--:|--:|--:|--:|")
    functions = {engine: reports(store, data_set) for engine, store in stores.items()}
    for name in functions["sqlite"]:
        pair = {engine: functions[engine][name] for engine in ENGINES}
        measured = compare(pair, runs=runs, postmaster=postmaster)
        cells = " | ".join(f"{value:.1f}" for value in measured)
        print(f"| {name} | {cells} | {measured[2] / measured[0]:.1f} |", flush=True)
    print()


def main() -> None:
    """Compare the reports of an issue with all clicks, and of 100 issues that share them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clicks", type=int, default=10_000_000)
    parser.add_argument("--days", type=int, default=180)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--directory", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as temporary:
        directory = Path(temporary)
        server = start_postgres(directory / "postgres")
        for data_set in ("one issue", "100 issues"):
            with server.schema() as url:
                stores = {
                    "sqlite": open_store(directory / f"{data_set}, sqlite"),
                    "postgres": open_store(directory / f"{data_set}, postgres", url=url),
                }
                for store in stores.values():
                    fill(store, data_set, clicks=options.clicks, days=options.days)
                measure(data_set, stores, runs=options.runs, postmaster=server.pid)
                for store in stores.values():
                    store.close()
        server.close()


if __name__ == "__main__":
    main()
