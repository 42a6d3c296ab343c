"""How many machines the rules catch and how many readers they keep, on the simulator of scanners.

python tests/benchmarks/verdicts/simulated.py --seeds 1-6 --shares 0.2,0.65,0.9 [--simulator PATH] [--missed]

Runs the simulator, turns each event into what a click line would carry (a network, keyed hashes, headers),
judges it with the pure rules and compares with the truth: by setting, by share of machines, by population.
Exit status 1 when a figure is below its bound.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from shortener.classification.evidence import Classification, ClickRequest, describe_evidence
from shortener.classification.group_rules import classify_clicks
from shortener.classification.nearby_clicks import NearbyClick
from shortener.classification.networks import NetworkTable, read_networks
from shortener.classification.request_rules import classify_request, datacenter_table

SIMULATOR = Path(__file__).parents[4] / "shared" / "clicks" / "simulate_scanners.py"
Event = Mapping[str, Any]


class Setting(Struct, frozen=True):
    """What the rules are given, and the least that they have to reach: shares of machines, readers, and
    purity.
    """

    name: str
    copy: bool
    lists: bool
    caught: float
    kept: float
    purity: float = 0.0
    purity_at: float | None = None
    """The share of machines that the purity's bound is for; None for all."""
    sent: bool = True
    trap: bool = True


SETTINGS = (
    Setting("copy token, data-center list", True, True, 0.97, 0.975, 0.98),
    Setting("copy token, no network lists", True, False, 0.88, 0.95),
    Setting("one link for all, data-center list", False, True, 0.90, 0.985, 0.85, 0.65),
    Setting("one link for all, no lists", False, False, 0.78, 0.99),
)
WITHOUT = (
    Setting("copy token, lists, no hidden link", True, True, 0, 0, trap=False),
    Setting("one link for all, lists, no hidden link", False, True, 0, 0, trap=False),
    Setting("copy token, lists, time of sending unknown", True, True, 0, 0, sent=False),
    Setting("one link for all, lists, time of sending unknown", False, True, 0, 0, sent=False),
)
POPULATIONS = {"tabs": 0.90, "office-crowd": 0.99}
"""The least share of these readers' clicks that stay human."""


class Outcome(Struct):
    """Counts of one run and setting."""

    machines: int = 0
    caught: int = 0
    people: int = 0
    kept: int = 0
    by_population: Counter[tuple[str, str, bool]] = Counter()
    reasons: Counter[tuple[str, str]] = Counter()
    correlation: float = 1.0

    def rates(self) -> tuple[float, float, float]:
        """Caught, kept and purity."""
        human = self.kept + self.machines - self.caught
        return self.caught / max(1, self.machines), self.kept / max(1, self.people), self.kept / max(1, human)


def simulate(simulator: Path, *, seed: int, share: float, extra: Sequence[str]) -> tuple[list[Event], Event]:
    """The events of one run and what a deployment may know of it."""
    with tempfile.TemporaryDirectory() as directory:
        out, meta = Path(directory, "events.jsonl"), Path(directory, "meta.json")
        command = [sys.executable, str(simulator), "--seed", str(seed), "--bot-share", str(share)]
        subprocess.run(
            [*command, "--out", str(out), "--meta", str(meta), *extra], check=True, capture_output=True
        )
        return [json.loads(line) for line in out.read_text().splitlines()], json.loads(meta.read_text())


def short_hash(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=8).hexdigest()


def network_of(ip: str) -> tuple[str, str]:
    """The network as a click line carries it, and what its address hash is made of."""
    if ":" in ip:
        import ipaddress

        groups = ipaddress.ip_address(ip).exploded.split(":")
        return ":".join(groups[:3]) + "::/48", ":".join(groups[:4])
    return ip.rpartition(".")[0] + ".0/24", ip


def neighbours(
    events: Sequence[Event], meta: Event, setting: Setting, tables: NetworkTable
) -> Iterator[NearbyClick]:
    """Each event as a stored click with the judgement of its request."""
    for seq, event in enumerate(events):
        net, address = network_of(event["ip"])
        headers = {name.lower(): value for name, value in event["headers"].items()}
        evidence = ClickRequest(
            ts=event["ts"],
            method=event["method"],
            ua=event["ua"],
            headers={
                name: value for name, value in headers.items() if name not in ("accept-language", "referer")
            },
            lang=headers.get("accept-language"),
            net=net,
            ref=headers.get("referer"),
        )
        judged = classify_request(evidence, datacenters=tables)
        yield NearbyClick(
            seq=seq,
            ts_ms=round(event["ts"] * 1000),
            link_id=event["link"],
            issue_id=1,
            n=event["link"] + 1,
            net=net,
            addr=short_hash(address),
            recipient_token=event["recipient"] if setting.copy else None,
            agent_id=event["ua"],
            reason=judged.reason,
            evidence=judged.evidence,
            honeypot=setting.trap and event["link"] == meta["honeypot"],
            sent_at_ms=round(meta["send"] * 1000) if setting.sent else None,
            link_count=meta["links"],
        )


def judge(events: Sequence[Event], meta: Event, setting: Setting) -> dict[int, Classification]:
    """The verdicts on a run in a setting."""
    listed = read_networks("\n".join(meta["datacentre"]), name="meta") if setting.lists else []
    return classify_clicks(neighbours(events, meta, setting, datacenter_table(listed)))


def compare(events: Sequence[Event], judged: Mapping[int, Classification], hidden: int) -> Outcome:
    """Count the verdicts against the truth."""
    outcome = Outcome(by_population=Counter(), reasons=Counter())
    truth, found = Counter[int](), Counter[int]()
    for seq, event in enumerate(events):
        human, is_person = judged[seq].verdict == "human", event["label"] == "human"
        outcome.people += is_person
        outcome.kept += is_person and human
        outcome.machines += not is_person
        outcome.caught += not is_person and not human
        outcome.by_population[event["label"], event.get("pop", ""), human] += 1
        outcome.reasons[event["label"], judged[seq].reason] += 1
        truth[event["link"]] += is_person
        found[event["link"]] += human
    visible = [link for link in truth if link != hidden]
    outcome.correlation = spearman([truth[link] for link in visible], [found[link] for link in visible])
    return outcome


def spearman(left: Sequence[int], right: Sequence[int]) -> float:
    """Rank correlation, with mean ranks for ties."""

    def ranks(values: Sequence[int]) -> list[float]:
        return [
            sum(other < value for other in values) + (sum(other == value for other in values) - 1) / 2
            for value in values
        ]

    a, b = ranks(left), ranks(right)
    mean = (len(a) - 1) / 2
    top = sum((x - mean) * (y - mean) for x, y in zip(a, b, strict=True))
    bottom = (sum((x - mean) ** 2 for x in a) * sum((y - mean) ** 2 for y in b)) ** 0.5
    return top / bottom if bottom else 1.0


def add(total: Outcome, more: Outcome) -> None:
    total.machines += more.machines
    total.caught += more.caught
    total.people += more.people
    total.kept += more.kept
    total.by_population.update(more.by_population)
    total.reasons.update(more.reasons)
    total.correlation = min(total.correlation, more.correlation)


def report(setting: Setting, share: float, outcome: Outcome) -> list[str]:
    """Print one line; the bounds that are missed."""
    caught, kept, purity = outcome.rates()
    print(
        f"{setting.name:50} {share:4.2f}  caught {caught:6.1%}  kept {kept:6.1%}  purity {purity:6.1%}"
        f"  least rank correlation {outcome.correlation:.3f}"
    )
    missed = []
    bounds = [("caught", caught, setting.caught), ("kept", kept, setting.kept)]
    if setting.purity_at in (None, share):
        bounds.append(("purity", purity, setting.purity))
    for name, value, least in bounds:
        if value < least:
            missed.append(f"{setting.name}, share {share}: {name} {value:.2%} < {least:.2%}")
    return missed


def report_populations(setting: Setting, outcome: Outcome) -> list[str]:
    """Print each population's share of the right verdict; the bounds that are missed."""
    missed = []
    print(f"\n{setting.name}: by population")
    for label, population in sorted({key[:2] for key in outcome.by_population}):
        counts = [outcome.by_population[label, population, human] for human in (True, False)]
        right = counts[0] if label == "human" else counts[1]
        share = right / sum(counts)
        print(f"  {label:9} {population:16} {right:6} of {sum(counts):6}  {share:6.1%}")
        if label == "human" and share < POPULATIONS.get(population, 0):
            missed.append(f"{setting.name}: {population} kept {share:.1%} < {POPULATIONS[population]:.0%}")
    reasons = ", ".join(
        f"{reason} {n}" for (label, reason), n in outcome.reasons.most_common() if label == "human"
    )
    print(f"  reasons given to people: {reasons}")
    return missed


def seeds_of(text: str) -> list[int]:
    first, _, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1))


def show_wrong(events: Sequence[Event], judged: Mapping[int, Classification], limit: int) -> None:
    wrong = Counter[tuple[str, ...]]()
    for seq, event in enumerate(events):
        if (judged[seq].verdict == "human") != (event["label"] == "human"):
            wrong[
                event["label"],
                event.get("pop", ""),
                judged[seq].reason,
                *describe_evidence(judged[seq].evidence),
            ] += 1
    for key, count in wrong.most_common(limit):
        print("   ", count, "; ".join(key))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--simulator", type=Path, default=SIMULATOR)
    parser.add_argument("--seeds", default="1-4")
    parser.add_argument("--shares", default="0.2,0.65,0.9")
    parser.add_argument("--missed", type=int, default=0, help="show that many kinds of wrong verdicts a run")
    parser.add_argument("extra", nargs="*", help="after --: arguments for the simulator")
    options = parser.parse_args()
    if not options.simulator.is_file():
        print(f"{options.simulator}: no simulator there; name it with --simulator", file=sys.stderr)
        return 2
    missed: list[str] = []
    populations = {setting.name: Outcome(by_population=Counter(), reasons=Counter()) for setting in SETTINGS}
    for share in map(float, options.shares.split(",")):
        runs = [
            simulate(options.simulator, seed=seed, share=share, extra=options.extra)
            for seed in seeds_of(options.seeds)
        ]
        for setting in SETTINGS + WITHOUT:
            total = Outcome(by_population=Counter(), reasons=Counter())
            for events, meta in runs:
                judged = judge(events, meta, setting)
                add(total, compare(events, judged, meta["honeypot"]))
                if options.missed:
                    show_wrong(events, judged, options.missed)
            missed += report(setting, share, total)
            if setting.name in populations:
                add(populations[setting.name], total)
    for setting in SETTINGS:
        missed += report_populations(setting, populations[setting.name])
    print("\n" + ("\n".join(missed) if missed else "every bound is reached"))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
