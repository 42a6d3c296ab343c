"""Measure on simulated clicks how many automated clicks the rules catch, and how many human clicks they keep.

    python tests/benchmarks/verdicts/simulated.py --seeds 1-6 --shares 0.2,0.65,0.9 [--simulator PATH] [--missed N]

Each event of the simulator becomes a click with the fields of a click-log line (network, keyed hashes, headers). Its
verdict is compared with the simulator's label: by setting, by share of automated clicks, and by population. The exit
status is 1 if a figure misses its bound.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from msgspec import Struct

from shortener.classification.classify import classify_click
from shortener.classification.correlate import group_evidence
from shortener.classification.evidence import Classification, ClickRequest
from shortener.classification.nearby_clicks import NearbyClick
from shortener.classification.networks import NetworkTable, read_networks
from shortener.classification.reasons import describe_evidence
from shortener.classification.request_rules import classify_request, datacenter_table
from shortener.durations import SECOND_MS

SIMULATOR = Path(__file__).parents[4] / "shared" / "clicks" / "simulate_scanners.py"
Event = Mapping[str, Any]


class Setting(Struct, frozen=True):
    """What an installation knows about the clicks, and the lower bounds of the figures."""

    name: str
    token: bool
    """Whether links carry a recipient token."""
    lists: bool
    """Whether there is a data-center list."""
    caught: float
    """Lower bound of the share of automated clicks that are not human by verdict."""
    kept: float
    """Lower bound of the share of human clicks that are human by verdict."""
    purity: float = 0.0
    """Lower bound of the share of human verdicts that are right."""
    purity_at: float | None = None
    """Share of automated clicks for which the bound of the purity holds; None for all shares."""
    sending_time: bool = True
    """Whether the sending time is known."""
    honeypot: bool = True
    """Whether the issue has a honeypot link."""


SETTINGS = (
    Setting("token, data-center list", True, True, 0.97, 0.975, 0.98),
    Setting("token, no lists", True, False, 0.88, 0.95),
    Setting("one link for all, data-center list", False, True, 0.90, 0.985, 0.85, 0.65),
    Setting("one link for all, no lists", False, False, 0.78, 0.99),
)
"""The settings with bounds."""
REDUCED_SETTINGS = (
    Setting("token, lists, no honeypot link", True, True, 0, 0, honeypot=False),
    Setting("one link for all, lists, no honeypot link", False, True, 0, 0, honeypot=False),
    Setting("token, lists, unknown sending time", True, True, 0, 0, sending_time=False),
    Setting("one link for all, lists, unknown sending time", False, True, 0, 0, sending_time=False),
)
"""The settings that show what the honeypot link and the sending time contribute; they have no bounds."""
POPULATIONS = {"tabs": 0.90, "office-crowd": 0.99}
"""Lower bound of the share of human verdicts, by population of readers."""


class Outcome(Struct):
    """Counts of clicks in one setting."""

    automated: int = 0
    caught: int = 0
    human: int = 0
    kept: int = 0
    by_population: Counter[tuple[str, str, bool]] = Counter()
    """Clicks by label, population, and whether the verdict is human."""
    reasons: Counter[tuple[str, str]] = Counter()
    """Clicks by label and reason."""
    correlation: float = 1.0
    """Lowest rank correlation of human clicks by link with the labels."""

    def rates(self) -> tuple[float, float, float]:
        """Return the shares caught, kept and purity."""
        human_verdicts = self.kept + self.automated - self.caught
        return (
            self.caught / max(1, self.automated),
            self.kept / max(1, self.human),
            self.kept / max(1, human_verdicts),
        )


def simulate(simulator: Path, *, seed: int, share: float, extra: Sequence[str]) -> tuple[list[Event], Event]:
    """Run the simulator and return its events and what an installation may know about them."""
    with tempfile.TemporaryDirectory() as directory:
        out, meta = Path(directory, "events.jsonl"), Path(directory, "meta.json")
        command = [sys.executable, str(simulator), "--seed", str(seed), "--bot-share", str(share)]
        subprocess.run([*command, "--out", str(out), "--meta", str(meta), *extra], check=True, capture_output=True)
        return [json.loads(line) for line in out.read_text().splitlines()], json.loads(meta.read_text())


def short_hash(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=8).hexdigest()


def network_and_address(ip: str) -> tuple[str, str]:
    """Return the network of a click line, and the part of the address that is hashed."""
    if ":" in ip:
        groups = ip_address(ip).exploded.split(":")
        return ":".join(groups[:3]) + "::/48", ":".join(groups[:4])
    return ip.rpartition(".")[0] + ".0/24", ip


def stored_clicks(
    events: Sequence[Event], meta: Event, setting: Setting, datacenters: NetworkTable
) -> Iterator[NearbyClick]:
    """Return each event as a stored click that is classified by its request."""
    for seq, event in enumerate(events):
        net, address = network_and_address(event["ip"])
        headers = {name.lower(): value for name, value in event["headers"].items()}
        request = ClickRequest(
            ts=event["ts"],
            method=event["method"],
            ua=event["ua"],
            headers={name: value for name, value in headers.items() if name not in ("accept-language", "referer")},
            lang=headers.get("accept-language"),
            net=net,
            ref=headers.get("referer"),
        )
        by_request = classify_request(request, datacenters=datacenters)
        yield NearbyClick(
            seq=seq,
            ts_ms=round(event["ts"] * SECOND_MS),
            link_id=event["link"],
            issue_id=1,
            n=event["link"] + 1,
            net=net,
            addr=short_hash(address),
            recipient_token=event["recipient"] if setting.token else None,
            agent_id=event["ua"],
            reason=by_request.reason,
            evidence=by_request.evidence,
            honeypot=setting.honeypot and event["link"] == meta["honeypot"],
            sent_at_ms=round(meta["send"] * SECOND_MS) if setting.sending_time else None,
            link_count=meta["links"],
        )


def classify(events: Sequence[Event], meta: Event, setting: Setting) -> dict[int, Classification]:
    """Return the classifications of all events at once, by their index."""
    listed = read_networks("\n".join(meta["datacentre"]), name="meta") if setting.lists else []
    clicks = {click.seq: click for click in stored_clicks(events, meta, setting, datacenter_table(listed))}
    evidence = group_evidence(clicks, clicks.keys())
    return {seq: classify_click(click, evidence[seq]) for seq, click in clicks.items()}


def compare(events: Sequence[Event], classifications: Mapping[int, Classification], honeypot_link: int) -> Outcome:
    """Count the verdicts against the labels."""
    outcome = Outcome(by_population=Counter(), reasons=Counter())
    labelled_human, classified_human = Counter[int](), Counter[int]()
    for seq, event in enumerate(events):
        classification, is_human = classifications[seq], event["label"] == "human"
        human_verdict = classification.verdict == "human"
        outcome.human += is_human
        outcome.kept += is_human and human_verdict
        outcome.automated += not is_human
        outcome.caught += not is_human and not human_verdict
        outcome.by_population[event["label"], event.get("pop", ""), human_verdict] += 1
        outcome.reasons[event["label"], classification.reason] += 1
        labelled_human[event["link"]] += is_human
        classified_human[event["link"]] += human_verdict
    links = [link for link in labelled_human if link != honeypot_link]
    outcome.correlation = spearman([labelled_human[link] for link in links], [classified_human[link] for link in links])
    return outcome


def spearman(left: Sequence[int], right: Sequence[int]) -> float:
    """Return the rank correlation, with mean ranks for ties."""

    def ranks(values: Sequence[int]) -> list[float]:
        return [
            sum(other < value for other in values) + (sum(other == value for other in values) - 1) / 2
            for value in values
        ]

    a, b = ranks(left), ranks(right)
    mean = (len(a) - 1) / 2
    covariance = sum((x - mean) * (y - mean) for x, y in zip(a, b, strict=True))
    deviations = (sum((x - mean) ** 2 for x in a) * sum((y - mean) ** 2 for y in b)) ** 0.5
    return covariance / deviations if deviations else 1.0


def add(total: Outcome, more: Outcome) -> None:
    """Add the counts of an outcome to a total, which keeps the lower rank correlation."""
    total.automated += more.automated
    total.caught += more.caught
    total.human += more.human
    total.kept += more.kept
    total.by_population.update(more.by_population)
    total.reasons.update(more.reasons)
    total.correlation = min(total.correlation, more.correlation)


def report(setting: Setting, share: float, outcome: Outcome) -> list[str]:
    """Print the figures of a setting and return descriptions of those below their bounds."""
    caught, kept, purity = outcome.rates()
    print(
        f"{setting.name:50} {share:4.2f}  caught {caught:6.1%}  kept {kept:6.1%}  purity {purity:6.1%}"
        f"  lowest rank correlation {outcome.correlation:.3f}"
    )
    missed = []
    bounds = [("caught", caught, setting.caught), ("kept", kept, setting.kept)]
    if setting.purity_at in (None, share):
        bounds.append(("purity", purity, setting.purity))
    for name, value, bound in bounds:
        if value < bound:
            missed.append(f"{setting.name}, share {share}: {name} {value:.2%} < {bound:.2%}")
    return missed


def report_populations(setting: Setting, outcome: Outcome) -> list[str]:
    """Print each population's share of right verdicts and return descriptions of those below their bounds."""
    missed = []
    print(f"\n{setting.name}: by population")
    for label, population in sorted({key[:2] for key in outcome.by_population}):
        counts = [outcome.by_population[label, population, human] for human in (True, False)]
        right = counts[0] if label == "human" else counts[1]
        share = right / sum(counts)
        print(f"  {label:9} {population:16} {right:6} of {sum(counts):6}  {share:6.1%}")
        if label == "human" and share < POPULATIONS.get(population, 0):
            missed.append(f"{setting.name}: {population} kept {share:.1%} < {POPULATIONS[population]:.0%}")
    reasons = ", ".join(f"{reason} {n}" for (label, reason), n in outcome.reasons.most_common() if label == "human")
    print(f"  reasons of human clicks: {reasons}")
    return missed


def parse_seeds(text: str) -> list[int]:
    """Return the seeds of a text such as ``3`` or ``1-6``."""
    first, _, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1))


def show_wrong(events: Sequence[Event], classifications: Mapping[int, Classification], limit: int) -> None:
    """Print the most frequent combinations of label, population, reason and evidence with a wrong verdict."""
    wrong = Counter[tuple[str, ...]]()
    for seq, event in enumerate(events):
        classification = classifications[seq]
        if (classification.verdict == "human") != (event["label"] == "human"):
            evidence = describe_evidence(classification.evidence)
            wrong[event["label"], event.get("pop", ""), classification.reason, *evidence] += 1
    for key, count in wrong.most_common(limit):
        print("   ", count, "; ".join(key))


def main() -> int:
    """Print all figures and return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--simulator", type=Path, default=SIMULATOR)
    parser.add_argument("--seeds", default="1-4")
    parser.add_argument("--shares", default="0.2,0.65,0.9")
    parser.add_argument("--missed", type=int, default=0, help="number of kinds of wrong verdicts to print for each run")
    parser.add_argument("extra", nargs="*", help="arguments for the simulator, after --")
    options = parser.parse_args()
    if not options.simulator.is_file():
        print(f"{options.simulator}: no such simulator; pass its path with --simulator", file=sys.stderr)
        return 2
    missed: list[str] = []  # descriptions of the figures below their bounds
    populations = {setting.name: Outcome(by_population=Counter(), reasons=Counter()) for setting in SETTINGS}
    for share in map(float, options.shares.split(",")):
        runs = [
            simulate(options.simulator, seed=seed, share=share, extra=options.extra)
            for seed in parse_seeds(options.seeds)
        ]
        for setting in SETTINGS + REDUCED_SETTINGS:
            total = Outcome(by_population=Counter(), reasons=Counter())
            for events, meta in runs:
                classifications = classify(events, meta, setting)
                add(total, compare(events, classifications, meta["honeypot"]))
                if options.missed:
                    show_wrong(events, classifications, options.missed)
            missed += report(setting, share, total)
            if setting.name in populations:
                add(populations[setting.name], total)
    for setting in SETTINGS:
        missed += report_populations(setting, populations[setting.name])
    print("\n" + ("\n".join(missed) if missed else "all bounds are reached"))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
