"""Measure the accuracy of the whole product on simulated clicks: click log, collector and ``clicks export``.

    .venv/bin/python tests/benchmarks/verdicts/product.py --seeds 1-4 --shares 0.2,0.65,0.9 [--simulator PATH]

Each event of the simulator becomes a click-log line with ``ip`` and ``h``, as another program writes it. The collector
drains the lines in pieces. The exported verdicts are compared with the simulator's labels and with the rules on all
clicks at once. The exit status is 1 if a figure misses its bound or a verdict differs.
"""

import argparse
import importlib.util
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from click.testing import CliRunner

from shortener.classification.evidence import Classification
from shortener.cli import main as shortener
from shortener.clicklog.format import LOGGED_HEADERS
from shortener.collector.collector import Collector
from shortener.config import load
from shortener.durations import DAY_SECONDS
from shortener.store import Store, issues, links, open_store

PIECE = 400
"""Lines that are drained at once."""
Event = Mapping[str, Any]


def load_simulated() -> Any:
    """Return the module ``simulated.py`` of this directory."""
    spec = importlib.util.spec_from_file_location("simulated_scanners", Path(__file__).with_name("simulated.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def configure(directory: Path, meta: Event, *, lists: bool) -> Path:
    """Write a configuration with or without the data-center list, and return its path."""
    cloud = directory / "datacenters.txt"
    cloud.write_text("\n".join(meta["datacentre"]))
    path = directory / "config.toml"
    path.write_text(
        f'[storage]\ndata = "{directory / "data"}"\n[[domain]]\nhost = "go.example"\n'
        f"[verdicts]\ndatacenters = {json.dumps([str(cloud)] if lists else [])}\n"
    )
    return path


def prepare(store: Store, meta: Event, *, setting: Any) -> None:
    """Store an issue with its links in document order, one of them the honeypot link."""
    with store.transaction():
        issue = issues.add(
            store, "issue", title="Issue", format="html", domain="go.example", source=b"x", recipients=None, now=1,
            sent_at=round(meta["send"]) if setting.sending_time else None,
        )  # fmt: skip
        placements = []
        for number in range(meta["links"]):
            link = links.add(
                store,
                "go.example",
                f"c{number}",
                target="https://a.example/",
                issue_id=issue,
                honeypot=setting.honeypot and number == meta["honeypot"],
                now=1,
            )
            placements.append(issues.Placement(link, number + 1, None, "text", ""))
        issues.replace_placements(store, issue, placements)


def line(number: int, event: Event, *, token: bool) -> dict[str, Any]:
    """Return the click-log line of an event, with or without its recipient token."""
    headers = {name.lower(): value for name, value in event["headers"].items()}
    return {
        "v": 1, "id": f"{number:08}", "ts": event["ts"], "host": "go.example", "code": f"c{event['link']}",
        "n": event["link"] + 1, "method": event["method"], "status": 302, "ip": event["ip"], "ua": event["ua"],
        "ref": headers.get("referer"), "lang": headers.get("accept-language"),
        "copy": event["recipient"] if token else None,
        "h": {name: headers[name] for name in LOGGED_HEADERS if name in headers},
    }  # fmt: skip


def run(events: Sequence[Event], meta: Event, setting: Any, *, piece: int = PIECE) -> dict[int, Classification]:
    """Return the classifications that ``clicks export`` prints, by the number of the event."""
    with tempfile.TemporaryDirectory() as name:
        path = configure(Path(name), meta, lists=setting.lists)
        config = load(path, environment={})
        store = open_store(config.data_directory)
        prepare(store, meta, setting=setting)
        (config.data_directory / "clicklog").mkdir()
        collector = Collector(store, config=config, clock=lambda: meta["send"] + 4 * DAY_SECONDS)
        try:
            for begin in range(0, len(events), piece):
                part = [
                    line(number, event, token=setting.token)
                    for number, event in enumerate(events[begin : begin + piece], begin)
                ]
                text = b"".join(msgspec.json.encode(click) + b"\n" for click in part)
                (config.data_directory / "clicklog" / f"{begin:08}.log").write_bytes(text)
                collector.drain()
        finally:
            collector.close()
            store.close()
        exported = CliRunner().invoke(shortener, ["--config", str(path), "clicks", "export"])
        assert exported.exit_code == 0, exported.output
        rows = [json.loads(text) for text in exported.stdout.splitlines()]
        return {int(row["id"]): Classification(row["verdict"], row["reason"]) for row in rows}


def differences(expected: Mapping[int, Classification], actual: Mapping[int, Classification]) -> list[int]:
    """Return the numbers of the events whose verdict or reason differs."""
    return [number for number in expected if _result(expected[number]) != _result(actual.get(number))]


def _result(classification: Classification | None) -> tuple[str, str] | None:
    return None if classification is None else (classification.verdict, classification.reason)


def main() -> int:
    """Print the table and return the exit status."""
    simulated = load_simulated()
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--simulator", type=Path, default=simulated.SIMULATOR)
    parser.add_argument("--seeds", default="1-4")
    parser.add_argument("--shares", default="0.2,0.65,0.9")
    parser.add_argument("extra", nargs="*", help="arguments for the simulator, after --")
    options = parser.parse_args()
    if not options.simulator.is_file():
        print(f"{options.simulator}: no such simulator; pass its path with --simulator", file=sys.stderr)
        return 2
    missed: list[str] = []  # descriptions of the figures below their bounds
    click_count = difference_count = 0
    for share in map(float, options.shares.split(",")):
        totals = {
            setting.name: simulated.Outcome(by_population=Counter(), reasons=Counter())
            for setting in simulated.SETTINGS
        }
        for seed in simulated.parse_seeds(options.seeds):
            events, meta = simulated.simulate(options.simulator, seed=seed, share=share, extra=options.extra)
            for setting in simulated.SETTINGS:
                actual = run(events, meta, setting)
                click_count += len(events)
                difference_count += len(differences(simulated.classify(events, meta, setting), actual))
                simulated.add(totals[setting.name], simulated.compare(events, actual, meta["honeypot"]))
        for setting in simulated.SETTINGS:
            missed += simulated.report(setting, share, totals[setting.name])
    print(f"\n{difference_count:,} of {click_count:,} verdicts differ from the rules on all clicks at once")
    print("\n".join(missed) if missed else "all bounds are reached")
    return 1 if missed or difference_count else 0


if __name__ == "__main__":
    sys.exit(main())
