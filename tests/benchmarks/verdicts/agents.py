"""Measure how many user agents of bots are recognised, and how many of people are taken for bots.

    python tests/benchmarks/verdicts/agents.py --bots FILE... --people FILE... [--show N]

A text file has one user agent a line. A ``.json`` file is a list of objects, and a ``.jsonl`` file has one object a
line: with ``userAgent`` or ``useragent`` and optionally ``weight`` (share of traffic), or with ``instances`` (a list of
strings).
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shortener.classification.bot_user_agents import MAX_USER_AGENT_LENGTH, bot_reason


def read_user_agents(path: Path) -> Iterator[tuple[str, float]]:
    """Return the user agents of a file with their weights."""
    text = path.read_text("utf-8", "replace")
    if path.suffix == ".json":
        entries = json.loads(text)
    elif path.suffix == ".jsonl":
        entries = [json.loads(line) for line in text.splitlines()]
    else:
        entries = text.splitlines()
    for entry in filter(None, entries):
        yield from _weighted_user_agents(entry)


def _weighted_user_agents(entry: Any) -> Iterator[tuple[str, float]]:
    if isinstance(entry, str):
        yield entry, 1.0
        return
    for instance in entry.get("instances", ()):
        yield instance, 1.0
    agent = entry.get("userAgent") or entry.get("useragent")
    if agent:
        yield agent, float(entry.get("weight", 1.0))


def measure(path: Path, show: int, *, people: bool) -> None:
    """Print the share of a file's user agents that are recognised as bots, and ``show`` wrong ones."""
    weights: dict[str, float] = {}
    for agent, weight in read_user_agents(path):
        weights[agent] = weights.get(agent, 0.0) + weight
    bots = {agent for agent in weights if bot_reason(agent[:MAX_USER_AGENT_LENGTH])}
    weight_share = sum(weights[agent] for agent in bots) / (sum(weights.values()) or 1.0)
    label = "people taken for bots" if people else "bots recognised"
    share = len(bots) / max(1, len(weights))
    print(f"{path.name:40} {len(weights):6} strings  {label} {share:.4f}  by weight {weight_share:.6f}")
    for agent in [agent for agent in weights if (agent in bots) is people][:show]:
        print("   ", agent)


def main() -> int:
    """Measure all files and return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--bots", type=Path, nargs="*", default=[], help="files of bots' user agents")
    parser.add_argument("--people", type=Path, nargs="*", default=[], help="files of people's user agents")
    parser.add_argument("--show", type=int, default=0, help="number of wrong user agents to print for each file")
    options = parser.parse_args()
    for path in options.bots:
        measure(path, options.show, people=False)
    for path in options.people:
        measure(path, options.show, people=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
