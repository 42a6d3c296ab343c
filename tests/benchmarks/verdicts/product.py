"""The same figures through the whole product: log lines, the collector, ``clicks export``.

    .venv/bin/python tests/benchmarks/verdicts/product.py --seeds 1-4 --shares 0.2,0.65,0.9 [--simulator PATH]

Each event of the simulator becomes a click-log line of a foreign writer (with ``ip`` and ``h``, with the copy token
or not). The lines are drained in pieces, judged by neighbours in between as a running collector does, and exported by
the command. What is exported is compared with the truth and, click by click, with the pure rules on everything at
once. Exit status 1 when a figure is below its bound or a verdict differs.
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
from shortener.store import Store, issues, links, open_store

PIECE = 400
"""Lines between two rounds of judging: some minutes of a newsletter, or seconds of a burst."""
Event = Mapping[str, Any]


def load_simulated() -> Any:
    """The evaluation of the pure rules, which stands beside this file."""
    spec = importlib.util.spec_from_file_location(
        "simulated_scanners", Path(__file__).with_name("simulated.py")
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def configure(directory: Path, meta: Event, *, lists: bool) -> Path:
    """A configuration file with the data-center list or without; its path."""
    cloud = directory / "datacenters.txt"
    cloud.write_text("\n".join(meta["datacentre"]))
    path = directory / "config.toml"
    path.write_text(
        f'[storage]\ndata = "{directory / "data"}"\n[[domain]]\nhost = "go.example"\n'
        f"[verdicts]\ndatacenters = {json.dumps([str(cloud)] if lists else [])}\n"
    )
    return path


def prepare(store: Store, meta: Event, *, setting: Any) -> None:
    """The issue with its links in document order, and the hidden one."""
    with store.transaction():
        issue = issues.add(
            store, "issue", title="Issue", format="html", domain="go.example", source=b"x", recipients=None, now=1,
            sent_at=round(meta["send"]) if setting.sent else None,
        )  # fmt: skip
        placed = []
        for number in range(meta["links"]):
            hidden = setting.trap and number == meta["honeypot"]
            link = links.add(
                store,
                "go.example",
                f"c{number}",
                target="https://a.example/",
                issue_id=issue,
                honeypot=hidden,
                now=1,
            )
            placed.append(issues.Placement(link, number + 1, None, "text", ""))
        issues.replace_placements(store, issue, placed)


def line(number: int, event: Event, *, copy: bool) -> dict[str, Any]:
    """An event as a click-log line."""
    sent = {name.lower(): value for name, value in event["headers"].items()}
    return {
        "v": 1, "id": f"{number:08}", "ts": event["ts"], "host": "go.example", "code": f"c{event['link']}",
        "n": event["link"] + 1, "method": event["method"], "status": 302, "ip": event["ip"], "ua": event["ua"],
        "ref": sent.get("referer"), "lang": sent.get("accept-language"),
        "copy": event["recipient"] if copy else None,
        "h": {name: sent[name] for name in LOGGED_HEADERS if name in sent},
    }  # fmt: skip


def run(
    events: Sequence[Event], meta: Event, setting: Any, *, piece: int = PIECE
) -> dict[int, Classification]:
    """The verdicts that ``clicks export`` gives, by the number of the event."""
    with tempfile.TemporaryDirectory() as name:
        path = configure(Path(name), meta, lists=setting.lists)
        config = load(path, environment={})
        store = open_store(config.data_directory)
        prepare(store, meta, setting=setting)
        (config.data_directory / "clicklog").mkdir()
        collector = Collector(store, config=config, clock=lambda: meta["send"] + 86_400 * 4)
        try:
            for begin in range(0, len(events), piece):
                part = [
                    line(number, event, copy=setting.copy)
                    for number, event in enumerate(events[begin : begin + piece], begin)
                ]
                text = b"".join(msgspec.json.encode(each) + b"\n" for each in part)
                (config.data_directory / "clicklog" / f"{begin:08}.log").write_bytes(text)
                collector.drain()
        finally:
            collector.close()
            store.close()
        exported = CliRunner().invoke(shortener, ["--config", str(path), "clicks", "export"])
        assert exported.exit_code == 0, exported.output
        rows = [json.loads(each) for each in exported.stdout.splitlines()]
        return {int(row["id"]): Classification(row["verdict"], row["reason"]) for row in rows}


def differing(one: Mapping[int, Classification], other: Mapping[int, Classification]) -> list[int]:
    """The events that two evaluations judge differently."""
    return [number for number in one if (one[number].verdict, one[number].reason) != _said(other.get(number))]


def _said(judgement: Classification | None) -> tuple[str, str] | None:
    return None if judgement is None else (judgement.verdict, judgement.reason)


def main() -> int:
    """Print the table; the exit status."""
    simulated = load_simulated()
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--simulator", type=Path, default=simulated.SIMULATOR)
    parser.add_argument("--seeds", default="1-4")
    parser.add_argument("--shares", default="0.2,0.65,0.9")
    parser.add_argument("extra", nargs="*", help="after --: arguments for the simulator")
    options = parser.parse_args()
    if not options.simulator.is_file():
        print(f"{options.simulator}: no simulator there; name it with --simulator", file=sys.stderr)
        return 2
    missed: list[str] = []
    clicks = different = 0
    for share in map(float, options.shares.split(",")):
        totals = {
            setting.name: simulated.Outcome(by_population=Counter(), reasons=Counter())
            for setting in simulated.SETTINGS
        }
        for seed in simulated.seeds_of(options.seeds):
            events, meta = simulated.simulate(options.simulator, seed=seed, share=share, extra=options.extra)
            for setting in simulated.SETTINGS:
                judged = run(events, meta, setting)
                clicks += len(events)
                different += len(differing(simulated.judge(events, meta, setting), judged))
                simulated.add(totals[setting.name], simulated.compare(events, judged, meta["honeypot"]))
        for setting in simulated.SETTINGS:
            missed += simulated.report(setting, share, totals[setting.name])
    print(f"\n{different:,} of {clicks:,} verdicts differ from those of the pure rules on everything at once")
    print("\n".join(missed) if missed else "every bound is reached")
    return 1 if missed or different else 0


if __name__ == "__main__":
    sys.exit(main())
