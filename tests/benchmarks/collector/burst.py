"""CPU time of the collector in a burst of a million clicks an hour from few addresses with many honeypot hits.

    .venv/bin/python tests/benchmarks/collector/burst.py [--rate 278] [--minutes 40] [--addresses 250] [--hits 0.1]
        [--hosted 0.5] [--new-addresses] [--backlog] [--directory DIR]

Drains five seconds of clicks in each round, the interval at which the collector classifies, and prints CPU seconds a
round for each tenth of the time. They must not grow after half an hour, the longest time window of any rule. With
--backlog all clicks are in the log at once, and the speed of draining is printed.
"""

import argparse
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from shortener.collector.collector import Collector
from shortener.config import Config, Domain, Storage, Verdicts
from shortener.store import Store, issues, links, open_store

LINKS = 20
START = 1_795_500_000
ROUND_SECONDS = 5
BROWSERS = [
    f"Mozilla/5.0 (X11; Linux x86_64; rv:{version}.0) Gecko/20100101 Firefox/{version}.0" for version in range(120, 140)
]  # fmt: skip
HEADERS = {
    "accept": "*/*",
    "sec-fetch-mode": "navigate",
    "sec-fetch-dest": "document",
    "sec-fetch-site": "none",
}
Click = dict[str, Any]


def prepare(data: Path) -> Store:
    """Return a store with an issue of LINKS links, the last of them a honeypot link."""
    store = open_store(data)
    with store.transaction():
        issue = issues.add(
            store, "bench", title="Bench", format="html", domain="go.example", sent_at=START - 60,
            recipients=1_000_000, source=b"x", now=START,
        )  # fmt: skip
        placements = []
        for number in range(1, LINKS + 1):
            link = links.add(
                store, "go.example", f"c{number:02}", target="https://a.example/", now=START, issue_id=issue,
                honeypot=number == LINKS,
            )  # fmt: skip
            placements.append(issues.Placement(link, number, None, "text", ""))
        issues.replace_placements(store, issue, placements)
    return store


def clicks(options: argparse.Namespace) -> Iterator[Click]:
    """Yield the clicks in order of time."""
    rng = random.Random(1)
    count = int(options.rate * options.minutes * 60)
    for number in range(count):
        address = rng.randrange(options.addresses)
        if options.new_addresses:  # each is there for a minute, then another one takes its place
            address += int(number / options.rate / 60) * options.addresses
        hosted = address % 100 < options.hosted * 100
        place = LINKS if rng.random() < options.hits else rng.randrange(1, LINKS)
        yield {
            "v": 1, "id": f"burst-{number:08x}", "ts": START + number / options.rate, "host": "go.example",
            "code": f"c{place:02}", "n": place, "method": "GET", "status": 302,
            "net": f"{203 if hosted else 198}.{address // 256 % 256}.{address % 256}.0/24", "addr": f"{address:016x}",
            "visitor": f"{address:016x}", "ua": rng.choice(BROWSERS), "lang": "en", "h": HEADERS,
        }  # fmt: skip


def write(log: Path, batch: Iterable[Click]) -> int:
    """Append clicks to the log; return their number."""
    lines = [msgspec.json.encode(click) + b"\n" for click in batch]
    with log.open("ab") as file:
        file.writelines(lines)
    return len(lines)


def measure(options: argparse.Namespace, data: Path) -> None:
    """Drain the clicks in rounds and print the CPU time of the rounds."""
    store = prepare(data)
    (data / "cloud.txt").write_text("203.0.0.0/8\n")
    config = Config(
        domain=(Domain(host="go.example"),),
        storage=Storage(data=str(data)),
        verdicts=Verdicts(datacenters=(str(data / "cloud.txt"),)),
    )
    collector = Collector(store, config=config)
    batch_size = int(options.rate * (options.minutes * 60 if options.backlog else ROUND_SECONDS))
    remaining = clicks(options)
    rounds: list[float] = []
    log = data / "clicklog" / "burst.log"
    log.parent.mkdir(exist_ok=True)
    while write(log, islice(remaining, batch_size)):
        begun = time.process_time()
        collector.drain()
        rounds.append(time.process_time() - begun)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    count = store.value("select count(*) from clicks")
    print(
        f"{count:,} clicks, {options.rate} a second, {options.hits:.0%} of them on the honeypot link: "
        f"{count / sum(rounds):,.0f} a CPU second, peak {peak:.0f} MB"
    )
    if not options.backlog:
        tenth = max(1, len(rounds) // 10)
        for first in range(0, len(rounds), tenth):
            part = rounds[first : first + tenth]
            print(
                f"  minute {first * ROUND_SECONDS / 60:5.1f}: {statistics.mean(part):.3f} CPU s a round of "
                f"{ROUND_SECONDS} s, worst {max(part):.3f}"
            )
    verdicts = dict(store.execute("select verdict, count(*) from clicks group by verdict").fetchall())
    print(f"  verdicts: {verdicts}")
    collector.close()
    store.close()


def main() -> None:
    """Measure one burst with the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=278)
    parser.add_argument("--minutes", type=float, default=40)
    parser.add_argument("--addresses", type=int, default=250)
    parser.add_argument("--hits", type=float, default=0.1)
    parser.add_argument("--hosted", type=float, default=0.5, help="share of the addresses in a data center")
    parser.add_argument("--new-addresses", action="store_true", help="other addresses each minute")
    parser.add_argument("--backlog", action="store_true")
    parser.add_argument("--directory", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        measure(options, Path(directory))


if __name__ == "__main__":
    main()
