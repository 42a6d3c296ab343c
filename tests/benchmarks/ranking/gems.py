"""Calibrate the probability from which an article is called a hidden gem (docs/ranking.md section 11).

Run `python -m tests.benchmarks.ranking.gems [--seeds 0-19] [--scenarios base,small] [--simulator PATH]`. For each
scenario and threshold it prints the number of gems of a list and the share of them that are true: appeal in the best
fifth, clicks below the top quarter. The last column compares the stated probability with the share that is in the best
tenth. The exit status is 1 if fewer than half of the gems from MIN_GEM_PROBABILITY on are true in a scenario.
"""

import argparse
import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
from msgspec import Struct

from shortener.ranking.gems import MIN_GEM_PROBABILITY
from shortener.ranking.ordering import order_articles
from shortener.ranking.pipeline import analyse
from shortener.ranking.rank import WINDOW_MONTHS
from shortener.ranking.selection import ArticleFilter, restrict_to_window, select_articles
from tests.benchmarks.ranking import simulated

THRESHOLDS = (0.0, 0.10, 0.15, MIN_GEM_PROBABILITY, 0.25, 0.30, 0.40, 0.50)
MIN_PRECISION = 0.5
"""Share of true gems from which the name is more often right than wrong."""
MAX_GEMS, MAX_PUBLISHED = 5, 10


class Gem(Struct, frozen=True):
    """A candidate with its stated probability, and whether it is a true gem and in the best tenth."""

    probability: float
    is_true: bool
    is_best_tenth: bool


def find_gems(world: simulated.World) -> Iterator[Gem]:
    """Yield the hidden gems of a simulated world, without a lowest probability."""
    history, as_of = simulated.build_history(world)
    sent, urls = select_articles(history, ArticleFilter(), as_of=as_of)
    analysis = analyse(restrict_to_window(sent, urls, months=WINDOW_MONTHS), as_of=as_of)
    ordering = order_articles(
        analysis, urls, max_articles=MAX_PUBLISHED, max_gems=MAX_GEMS, blend=None, min_gem_probability=0.0
    )
    truth = {f"a/{row[0]}": row for row in world["truth"]}
    appeal = np.array([row[1] for row in world["truth"]])
    clicks = np.array([row[5] for row in world["truth"]], dtype=float)
    for article in ordering.gems:
        row = truth[analysis.observations.urls[article]]
        yield Gem(
            float(ordering.top_decile_probability[article]),
            bool(row[1] >= np.quantile(appeal, 0.8) and row[5] < np.quantile(clicks, 0.75)),
            bool(row[1] >= np.quantile(appeal, 0.9)),
        )


def print_scenario(simulator: ModuleType, scenario: str, seeds: Sequence[int]) -> float | None:
    """Print the table of a scenario, and return the share of true gems from MIN_GEM_PROBABILITY on."""
    gems = [gem for seed in seeds for gem in find_gems(simulated.simulate(simulator, seed, scenario))]
    for threshold in THRESHOLDS:
        named = [gem for gem in gems if gem.probability >= threshold]
        if named:
            true, stated, tenth = (
                statistics.fmean(values)
                for values in zip(*((gem.is_true, gem.probability, gem.is_best_tenth) for gem in named), strict=True)
            )
            print(
                f"{scenario:10} {threshold:>6.2f} {len(named) / len(seeds):>9.2f} {true:>6.2f} {stated:>8.2f} "
                f"{tenth:>11.2f}",
                flush=True,
            )
    named = [gem for gem in gems if gem.probability >= MIN_GEM_PROBABILITY]
    return statistics.fmean(gem.is_true for gem in named) if named else None


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table of every scenario. Return 1 if a scenario has too few true gems, 2 without a simulator."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=simulated.parse_seeds, default=simulated.parse_seeds("0-19"))
    parser.add_argument("--scenarios", default=",".join(simulated.FLOORS), help="names, separated by commas")
    parser.add_argument("--simulator", type=Path, default=simulated.SIMULATOR, help="path of the simulator module")
    arguments = parser.parse_args(argv)
    simulator = simulated.load(arguments.simulator)
    if simulator is None:
        print(f"no simulator at {arguments.simulator}: name one with --simulator")
        return 2
    print(f"{'scenario':10} {'from':>6} {'per list':>9} {'true':>6} {'stated':>8} {'best tenth':>11}")
    precisions = {
        scenario: print_scenario(simulator, scenario, arguments.seeds) for scenario in arguments.scenarios.split(",")
    }
    missed = [scenario for scenario, share in precisions.items() if share is not None and share < MIN_PRECISION]
    print(f"below {MIN_PRECISION:.0%}: {', '.join(missed)}" if missed else "no scenario is below half")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
