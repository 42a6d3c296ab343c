"""How many labelled user agents are recognised.

    python tests/benchmarks/verdicts/agents.py --machines FILE... --people FILE... [--show N]

A file has one user agent a line; or is ``.jsonl`` or ``.json``, lines or a list of objects with ``userAgent`` or
``useragent`` and a ``weight`` (share of traffic) if known, or with ``instances`` (a list of strings).
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shortener.classification.bot_user_agents import MAX_USER_AGENT_LENGTH, bot_reason


def agents_of(path: Path) -> Iterator[tuple[str, float]]:
    """The user agents of a file with their weights."""
    text = path.read_text("utf-8", "replace")
    if path.suffix == ".json":
        entries = json.loads(text)
    elif path.suffix == ".jsonl":
        entries = [json.loads(line) for line in text.splitlines()]
    else:
        entries = text.splitlines()
    for entry in filter(None, entries):
        yield from _entries(entry)


def _entries(entry: Any) -> Iterator[tuple[str, float]]:
    if isinstance(entry, str):
        yield entry, 1.0
        return
    for instance in entry.get("instances", ()):
        yield instance, 1.0
    agent = entry.get("userAgent") or entry.get("useragent")
    if agent:
        yield agent, float(entry.get("weight", 1.0))


def measure(path: Path, show: int, *, people: bool) -> None:
    """Print how many strings, and how much of their weight, are taken for machines."""
    weights: dict[str, float] = {}
    for agent, weight in agents_of(path):
        weights[agent] = weights.get(agent, 0.0) + weight
    named = {agent for agent in weights if bot_reason(agent[:MAX_USER_AGENT_LENGTH])}
    share = sum(weights[agent] for agent in named) / (sum(weights.values()) or 1.0)
    label = "people taken for machines" if people else "machines recognised"
    part = len(named) / max(1, len(weights))
    print(f"{path.name:40} {len(weights):6} strings  {label} {part:.4f}  by weight {share:.6f}")
    for agent in [one for one in weights if (one in named) is people][:show]:
        print("   ", agent)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--machines", type=Path, nargs="*", default=[])
    parser.add_argument("--people", type=Path, nargs="*", default=[])
    parser.add_argument("--show", type=int, default=0, help="show that many wrong ones")
    options = parser.parse_args()
    for path in options.machines:
        measure(path, options.show, people=False)
    for path in options.people:
        measure(path, options.show, people=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
