"""Calibrate the forecast of an issue's final count (docs/ranking.md section 22).

Run `python -m tests.benchmarks.ranking.forecast [--seeds 0-19] [--scenarios base,small]`. In simulated newsletters
each issue is forecast at several ages from what was known then, and compared with the count that it finally had. The
90 % range must contain 80 to 97 % of the final counts at each age. The simulator is that of simulated.py.
"""

import argparse
import itertools
import statistics
import sys
from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Struct

from shortener.durations import DAY_SECONDS, HOUR_SECONDS
from shortener.ranking import History
from shortener.ranking.pipeline import estimate_arrivals
from shortener.reporting.forecast import Forecast, forecast_count
from tests.benchmarks.ranking import simulated

AGES = (1, 3, 6, 12, 24, 48, 96)
"""Ages in hours after sending."""
FINAL_DAYS = 14
"""An issue counts as finished after this time."""
COVERAGE = (0.80, 0.97)
MIN_TRIALS = 50
"""Fewer forecasts do not show a coverage."""


def history_at(history: History, as_of: float) -> History:
    """Return what was known of a history at a time: the clicks of intervals that had ended."""
    ages = {issue.slug: (as_of - issue.sent_at) / HOUR_SECONDS for issue in history.issues}
    return msgspec.structs.replace(
        history,
        issues=tuple(issue for issue in history.issues if issue.sent_at <= as_of),
        appearances=tuple(a for a in history.appearances if ages[a.issue] >= 0),
        arrivals=tuple(a for a in history.arrivals if a.end_hours <= ages[a.issue]),
    )


class Trial(Struct, frozen=True):
    """One forecast of a simulated issue, and what it had in the end."""

    age: int
    forecast: Forecast
    final: int

    @property
    def is_inside(self) -> bool:
        """Whether the final count is in the 90 % range."""
        return self.forecast.low <= self.final <= self.forecast.high


def run_trials(scenario: str, seeds: Iterable[int]) -> Iterator[Trial]:
    """Forecast the finished issues of simulated newsletters at each age, all but the first of each newsletter."""
    simulator = simulated.load()
    if simulator is None:
        raise SystemExit("The simulator is not here; see the docstring of simulated.py.")
    for seed in seeds:
        history, as_of = simulated.build_history(simulated.simulate(simulator, seed, scenario))
        finals = Counter[str]()
        for arrival in history.arrivals:
            finals[arrival.issue] += arrival.clicks
        finished = [issue for issue in history.issues[1:] if as_of - issue.sent_at >= FINAL_DAYS * DAY_SECONDS]
        for issue, age in itertools.product(finished, AGES):
            now = issue.sent_at + age * HOUR_SECONDS
            known = history_at(history, now)
            count = sum(arrival.clicks for arrival in known.arrivals if arrival.issue == issue.slug)
            share = 1 - estimate_arrivals(known, as_of=now, window=24).remaining_shares[issue.slug]
            forecast = forecast_count(count, share)
            if forecast is not None:
                yield Trial(age=age, forecast=forecast, final=finals[issue.slug])


def coverage(scenario: str, seeds: Iterable[int]) -> dict[int, list[bool]]:
    """Return for each age whether the final count was in the range, forecast by forecast."""
    inside: dict[int, list[bool]] = {}
    for trial in run_trials(scenario, seeds):
        inside.setdefault(trial.age, []).append(trial.is_inside)
    return inside


def main() -> int:
    """Print coverage, median error and median width at each age; return 1 if a coverage is not accepted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0-19", type=simulated.parse_seeds)
    parser.add_argument("--scenarios", default="base,small,large,fresh,misspec")
    options = parser.parse_args()
    is_accepted = True
    print("| scenario | age, h | forecasts | in range | median error | median width |\n|---|---|---|---|---|---|")
    for scenario in options.scenarios.split(","):
        trials = list(run_trials(scenario, options.seeds))
        for age in AGES:
            found = [trial for trial in trials if trial.age == age]
            if not found:
                continue
            inside = statistics.mean(trial.is_inside for trial in found)
            error = statistics.median(abs(trial.forecast.expected / trial.final - 1) for trial in found)
            width = statistics.median((trial.forecast.high - trial.forecast.low) / trial.final for trial in found)
            print(f"| {scenario} | {age} | {len(found)} | {inside:.2f} | {error:.1%} | {width:.0%} |")
            is_accepted = is_accepted and (COVERAGE[0] <= inside <= COVERAGE[1] or len(found) < MIN_TRIALS)
    return 0 if is_accepted else 1


if __name__ == "__main__":
    sys.exit(main())
