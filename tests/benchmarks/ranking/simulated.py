"""Measure how well the ranking recovers true appeal in simulated newsletters (docs/ranking.md section 19).

Run `python tests/benchmarks/ranking/simulated.py [--seeds 0-19] [--scenarios base,small] [--simulator PATH]`.
The ranking is compared with two simple rules, and with itself where articles have an author and a title that mean
something or nothing. The simulator is not part of this repository: it is a module with `simulate(seed, scenario)`,
`evaluate(truth, answer)` and `SCENARIOS`.
"""

import argparse
import importlib.util
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import numpy as np

from shortener.ranking import Appearance, Arrival, History, Issue, Placement, Ranking, Signal, rank

SIMULATOR = Path(__file__).resolve().parents[4] / "shared" / "ranking" / "simulate_issues.py"
HOUR = 3600.0

FLOORS = {
    "base": {"tau": 0.71, "ndcg10": 0.90, "tau_month": 0.73, "top10": 0.60, "gem_prec5": 0.70},
    "small": {"tau": 0.51, "ndcg10": 0.84, "tau_month": 0.51},
    "large": {"tau": 0.79, "ndcg10": 0.91, "tau_month": 0.81},
    "norepeat": {"tau": 0.70, "ndcg10": 0.88, "tau_month": 0.71},
    "oneissue": {"tau": 0.66, "ndcg10": 0.92, "tau_month": 0.66},
    "nopos": {"tau": 0.61, "ndcg10": 0.79, "tau_month": 0.62},
    "sorted": {"tau": 0.745, "ndcg10": 0.91, "tau_month": 0.73},
    "misspec": {"tau": 0.59, "ndcg10": 0.92, "tau_month": 0.61},
    "fresh": {"tau": 0.71, "ndcg10": 0.91, "tau_month": 0.73},
    "leads": {"ndcg10": 0.89},
}
"""Smallest accepted mean of each measure over seeds 0-19, by scenario."""

COVERAGE = {
    "base": (0.85, 0.95),
    "small": (0.83, 0.95),
    "large": (0.85, 0.95),
    "norepeat": (0.85, 0.96),
    "oneissue": (0.85, 0.98),
    "nopos": (0.88, 0.98),
    "sorted": (0.85, 0.95),
    "misspec": (0.80, 0.95),
    "fresh": (0.85, 0.95),
}
"""Accepted share of 90 % intervals that contain the true appeal, by scenario."""

LEADS = {"sort_rho": 0.95}
"""Difference of the scenario leads from base: the editor picks three leads very well, and shuffles the rest."""
LEAD_COUNT = 3

BACKGROUND_SCENARIOS = ("base", "small")
BACKGROUND_FLOORS = {"useless": -0.004, "useful": 0.0}
"""Smallest accepted mean gain of tau by the background, if authors and titles mean nothing or something."""
AUTHOR_COUNT = 40
AUTHOR_VARIANCE_SHARE = 0.3
"""Share of the variance of appeal between useful authors."""

# The measures are explained below the table of docs/ranking.md section 19.
MEASURES = ("tau", "ndcg10", "tau_month", "cover90", "top10", "gem_prec5", "width")

World = dict[str, Any]
Scores = dict[int, dict[str, float | None]]
Results = dict[str, list[dict[str, float]]]  # the measures of each seed, by rule


def load(path: Path = SIMULATOR) -> ModuleType | None:
    """Import the simulator; None if there is no file at `path`."""
    if not path.is_file():
        return None
    spec = importlib.util.spec_from_file_location("simulate_issues", path)
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def build_history(world: World) -> tuple[History, float]:
    """Return a simulated world as history and as-of time (epoch seconds); article 7 has the URL `a/7`."""
    clicks: dict[int, int] = defaultdict(int)
    issue_of = {link: issue for link, issue, *_ in world["links"]}
    for link, _, _, number in world["clicks"]:
        clicks[link] += number
    issues = tuple(Issue(f"{i}", f"Issue {i}", sent * HOUR, size) for i, sent, size in world["issues"])
    appearances = tuple(
        Appearance(f"{i}", f"a/{a}", clicks[link], position or None, (Placement(kind, clicks[link]),))
        for link, i, a, position, kind in world["links"]
    )
    arrivals = tuple(Arrival(f"{issue_of[link]}", lo, hi, n) for link, lo, hi, n in world["clicks"])
    signals = tuple(
        Signal(f"a/{a}", *(None if count == "" else count for count in counts)) for a, *counts in world["signals"]
    )
    return History(issues, appearances, arrivals, signals), world["as_of"] * HOUR


def to_scores(ranking: Ranking) -> Scores:
    """Return score, interval and gem of each article, in the form that the simulator's `evaluate` takes."""
    return {
        int(article.url[2:]): {
            "score": article.score,
            "lo": article.low,
            "hi": article.high,
            "gem": article.gem,
        }
        for article in ranking.articles
    }


class LeadsOnlyNumpy:
    """Numpy for the simulator of scenario leads: `argsort` orders the first places, and the rest at random."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng([seed, LEAD_COUNT])

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def argsort(self, keys: Any, **options: Any) -> Any:
        """Return the order of the keys with all but the first places shuffled."""
        order = np.argsort(keys, **options)
        return np.r_[order[:LEAD_COUNT], self._rng.permutation(order[LEAD_COUNT:])]


def simulate(simulator: ModuleType, seed: int, scenario: str) -> World:
    """Simulate a world of one of the simulator's scenarios, or of leads."""
    if scenario != "leads":
        world: World = simulator.simulate(seed, scenario)
        return world
    simulator.SCENARIOS["leads"], original = LEADS, simulator.np
    simulator.np = LeadsOnlyNumpy(seed)  # type: ignore[attr-defined]
    try:
        world = simulator.simulate(seed, "leads")
    finally:
        simulator.np = original  # type: ignore[attr-defined]
        del simulator.SCENARIOS["leads"]
    return world


def with_background(history: History, world: World, *, useful: bool, seed: int) -> History:
    """Return the history with authors and titles: useful authors go with appeal, all else is random."""
    rng = np.random.default_rng([seed, 17])
    appeal = {row[0]: row[1] for row in world["truth"]}
    values = np.array(list(appeal.values()))
    noise = rng.standard_normal(len(values))
    share = AUTHOR_VARIANCE_SHARE if useful else 0.0
    latent = share**0.5 * (values - values.mean()) / values.std() + (1 - share) ** 0.5 * noise
    ranks = latent.argsort().argsort() * AUTHOR_COUNT // len(latent)
    words = [f"word{n}" for n in range(300)]
    weights = 1 / np.arange(1, len(words) + 1)
    return msgspec.structs.replace(
        history,
        authors={f"a/{a}": f"Author {rank}" for a, rank in zip(appeal, ranks, strict=True)},
        titles={f"a/{a}": " ".join(rng.choice(words, 8, p=weights / weights.sum())) for a in appeal},
    )


def background_gains(simulator: ModuleType, scenario: str, seeds: Iterable[int]) -> dict[str, list[float]]:
    """Return, for useless and useful authors, the gain of tau by the background for each seed."""
    gains: dict[str, list[float]] = {kind: [] for kind in BACKGROUND_FLOORS}
    for seed in seeds:
        world = simulator.simulate(seed, scenario)
        plain, as_of = build_history(world)
        without = simulator.evaluate(world["truth"], to_scores(rank(plain, as_of=as_of)))["tau"]
        for kind, values in gains.items():
            history = with_background(plain, world, useful=kind == "useful", seed=seed)
            ranking = rank(history, as_of=as_of)
            values.append(simulator.evaluate(world["truth"], to_scores(ranking))["tau"] - without)
    return gains


def raw_clicks(world: World) -> Scores:
    """Score articles by their clicks."""
    return {row[0]: {"score": row[5]} for row in world["truth"]}


def per_recipient(world: World) -> Scores:
    """Score articles by clicks per recipient of the issues that contain them."""
    recipients_by_issue = {i: recipients for i, _, recipients in world["issues"]}
    recipients_by_article: dict[int, int] = defaultdict(int)
    for i, a in {(i, a) for _, i, a, *_ in world["links"]}:
        recipients_by_article[a] += recipients_by_issue[i]
    return {row[0]: {"score": row[5] / recipients_by_article[row[0]]} for row in world["truth"]}


def by_model(world: World) -> Scores:
    """Score articles by the ranking."""
    history, as_of = build_history(world)
    return to_scores(rank(history, as_of=as_of, min_gem_probability=0.0))


RULES: dict[str, Callable[[World], Scores]] = {
    "ranking": by_model,
    "raw clicks": raw_clicks,
    "per recipient": per_recipient,
}


def measure(simulator: ModuleType, scenario: str, seeds: Iterable[int]) -> Results:
    """Return the measures of every rule for every seed."""
    results: Results = {rule: [] for rule in RULES}
    for seed in seeds:
        world = simulate(simulator, seed, scenario)
        for rule, score in RULES.items():
            results[rule].append(simulator.evaluate(world["truth"], score(world)))
    return results


def means(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return the mean of each measure over the seeds that have it."""
    names = sorted({name for row in rows for name in row})
    return {name: statistics.fmean(row[name] for row in rows if name in row) for name in names}


def shortfalls(scenario: str, results: Results) -> list[str]:
    """Return one text per missed floor; in base the ranking must beat clicks per recipient on 19 of 20 seeds."""
    mean = means(results["ranking"])
    missed = [
        f"{scenario}: {name} {mean[name]:.3f} < {floor}"
        for name, floor in FLOORS.get(scenario, {}).items()
        if mean[name] < floor
    ]
    low, high = COVERAGE.get(scenario, (0.0, 1.0))
    if not low <= mean["cover90"] <= high:
        missed.append(f"{scenario}: cover90 {mean['cover90']:.3f} outside {low}-{high}")
    won = wins(results)
    if scenario == "base" and won < 0.95 * len(results["ranking"]):
        missed.append(f"base: above clicks per recipient on {won} of {len(results['ranking'])} seeds only")
    return missed


def wins(results: Results) -> int:
    """Return the number of seeds for which the ranking's tau is above that of clicks per recipient."""
    pairs = zip(results["ranking"], results["per recipient"], strict=True)
    return sum(ranking["tau"] > rule["tau"] for ranking, rule in pairs)


def measure_time(simulator: ModuleType, issues: int, links: tuple[int, int]) -> str:
    """Return a line with the seconds that a history of this size takes."""
    simulator.SCENARIOS["sized"] = {"issues": issues, "links": links}
    history, as_of = build_history(simulator.simulate(0, "sized"))
    del simulator.SCENARIOS["sized"]
    start = time.perf_counter()
    ranking = rank(history, as_of=as_of, window=None)
    seconds = time.perf_counter() - start
    return f"{issues} issues, {len(ranking.articles)} articles, {len(history.appearances)} links: {seconds:.2f} s"


def parse_seeds(text: str) -> range:
    """Parse a range of seeds such as 0-19, or a single seed."""
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=parse_seeds, default=parse_seeds("0-19"), help="such as 0-19")
    parser.add_argument("--scenarios", default=",".join(FLOORS), help="names, separated by commas")
    parser.add_argument("--simulator", type=Path, default=SIMULATOR, help="path of the simulator module")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the measures and times. Return 1 if a floor is missed, 2 without a simulator, otherwise 0."""
    arguments = parse_arguments(argv)
    simulator = load(arguments.simulator)
    if simulator is None:
        print(f"no simulator at {arguments.simulator}: name one with --simulator")
        return 2
    missed: list[str] = []
    print(f"{'scenario':10}{'rule':15}" + "".join(f"{name:>11}" for name in MEASURES))
    for scenario in arguments.scenarios.split(","):
        results = measure(simulator, scenario, arguments.seeds)
        for rule, rows in results.items():
            mean = means(rows)
            print(f"{scenario:10}{rule:15}" + "".join(_format_cell(mean.get(name)) for name in MEASURES))
        missed += shortfalls(scenario, results)
        print(
            f"{'':10}tau above clicks per recipient on {wins(results)} of {len(arguments.seeds)} seeds",
            flush=True,
        )
    missed += print_background_gains(simulator, arguments)
    print(*(measure_time(simulator, *size) for size in ((12, (26, 31)), (60, (24, 38)))), sep="\n")
    print(*(missed or ["no floor is missed"]), sep="\n")
    return 1 if missed else 0


def print_background_gains(simulator: ModuleType, arguments: argparse.Namespace) -> list[str]:
    """Print the gains of tau by the background, and return one text per missed floor."""
    missed = []
    for scenario in BACKGROUND_SCENARIOS:
        if scenario in arguments.scenarios.split(","):
            for kind, gains in background_gains(simulator, scenario, arguments.seeds).items():
                mean = statistics.fmean(gains)
                print(
                    f"{scenario:10}{kind} authors, random titles: tau {mean:+.4f} by the background",
                    flush=True,
                )
                if mean < BACKGROUND_FLOORS[kind]:
                    missed.append(f"{scenario}: {kind} background {mean:+.4f} < {BACKGROUND_FLOORS[kind]}")
    return missed


def _format_cell(value: float | None) -> str:
    return f"{'-' if value is None else format(value, '.3f'):>11}"


if __name__ == "__main__":
    sys.exit(main())
