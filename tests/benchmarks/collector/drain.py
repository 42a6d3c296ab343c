"""Speed and memory of the collector, and the times of reports afterwards.

    .venv/bin/python tests/benchmarks/collector/drain.py [--lines 1000000] [--small 100000] [--directory DIR]

Writes a click log of --small lines, drains it and times the reports, and repeats this with --lines. Prints lines per
second of wall clock and of CPU, peak memory, bytes of the store for each click, and report times, which should not
grow with the number of clicks.
"""

import argparse
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from shortener.collector.collector import Collector
from shortener.config import Config, Domain, Storage
from shortener.reporting.issue_report import build_issue_report
from shortener.reporting.summary import build_summary
from shortener.store import Store, issues, links, open_store

LINKS = 60
START = 1_795_500_000
BROWSERS = [
    f"Mozilla/5.0 (X11; Linux x86_64; rv:{version}.0) Gecko/20100101 Firefox/{version}.0" for version in range(100, 146)
] + [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    f"Chrome/{version}.0.0.0 Safari/537.36"
    for version in range(110, 143)
] + [
    f"Mozilla/5.0 (iPhone; CPU iPhone OS {major}_{minor} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    f"Version/{major}.{minor} Mobile/15E148 Safari/604.1"
    for major in (16, 17, 18)
    for minor in range(7)
]  # fmt: skip
HEADERS = {
    "accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "sec-fetch-mode": "navigate",
    "sec-fetch-dest": "document",
    "sec-fetch-site": "cross-site",
}


def prepare(data: Path, *, url: str = "") -> Store:
    """Return a store with an issue of LINKS links, each with one placement."""
    store = open_store(data, url=url)
    with store.transaction():
        issue = issues.add(
            store, "bench", title="Bench", format="markdown", domain="go.example", sent_at=START,
            recipients=1_000_000, source=b"x", now=START,
        )  # fmt: skip
        placements = []
        for number in range(1, LINKS + 1):
            url = f"https://a.example/{number}"
            article = issues.add_article(store, issue, url=url, title=url, author="", summary="", section="", image="")
            link = links.add(store, "go.example", f"c{number:02}", target=url, now=START)
            links.assign_owner(store, link, issue_id=issue, article_id=article, now=START)
            issues.set_positions(store, {article: number})
            placements.append(issues.Placement(link, number, article, "title", ""))
        issues.replace_placements(store, issue, placements)
    return store


def write_log(data: Path, lines: int) -> int:
    """Write a segment of clicks, twenty a second, with some returning readers; return its size in bytes."""
    rng = random.Random(1)
    path = data / "clicklog" / "bench.jsonl"
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as file:
        file.write(b'{"v":1,"segment":"bench","node":"bench","started":1}\n')
        for number in range(lines):
            place = min(LINKS, 1 + int(rng.expovariate(0.1)))
            click = {
                "v": 1, "id": f"bench-{number:08x}", "ts": START + number / 20, "host": "go.example",
                "code": f"c{place:02}", "path": f"/c{place:02}/{place}", "n": place, "method": "GET", "status": 302,
                "net": f"203.0.{rng.randrange(256)}.0/24", "addr": f"{rng.randrange(lines):016x}",
                "visitor": f"{rng.randrange(lines):016x}", "ua": rng.choice(BROWSERS), "lang": "en-GB,en;q=0.9",
                "ref": rng.choice(("https://mail.google.com/", "")), "h": HEADERS,
            }  # fmt: skip
            file.write(msgspec.json.encode(click) + b"\n")
    return path.stat().st_size


def median_ms(work: Callable[[], object], *, runs: int = 21) -> float:
    """Return the median time of a call in milliseconds."""
    times = []
    for _ in range(runs):
        begun = time.perf_counter()
        work()
        times.append((time.perf_counter() - begun) * 1000)
    return statistics.median(times)


def measure(lines: int, directory: Path) -> None:
    """Drain ``lines`` lines and print the results."""
    data = directory / str(lines)
    store = prepare(data)
    log_bytes = write_log(data, lines)
    config = Config(domain=(Domain(host="go.example"),), storage=Storage(data=str(data)))
    collector = Collector(store, config=config)
    wall, cpu = time.perf_counter(), time.process_time()
    collector.drain()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    collector.close()
    assert store.value("select sum(human + bot + scanner + preview + prefetch) from clicks_by_link") == lines
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    size = (data / "store.db").stat().st_size
    now = START + lines // 20
    report = median_ms(lambda: build_issue_report(store, "bench", as_of=now))
    overview = median_ms(lambda: build_summary(store, since=None, until=None, as_of=now, domains=config.domains))
    print(
        f"{lines:>10,} lines ({log_bytes / lines:.0f} bytes each): {lines / wall:>8,.0f} a second, "
        f"{lines / cpu:>8,.0f} a CPU second, peak {peak:.0f} MB, {size / lines:.0f} bytes of store a click; "
        f"report issue {report:.1f} ms, summary {overview:.1f} ms"
    )
    store.close()


def main() -> None:
    """Measure a small and a large click log."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--small", type=int, default=100_000)
    parser.add_argument("--directory", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        for lines in (options.small, options.lines):
            measure(lines, Path(directory))


if __name__ == "__main__":
    main()
