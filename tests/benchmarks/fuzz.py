"""Fuzzing for minutes: the properties of ``tests/fuzz`` with new random input until the time is over.

    .venv/bin/python -m tests.benchmarks.fuzz [--minutes 10] [--only issues]

Prints the smallest input that fails for each property, and exits with 1 if there is one. Add it to FOUND in
``tests/fuzz/test_fuzz.py`` with the fix.
"""

import argparse
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.fuzz.properties import (
    CONFIGURATIONS,
    ISSUES,
    LOGS,
    check_click_log,
    check_configuration,
    check_issue,
)

PROPERTIES: dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], None]]] = {
    "issues": (ISSUES, check_issue),
    "click log": (LOGS, check_click_log),
    "configuration": (CONFIGURATIONS, check_configuration),
}
EXAMPLES = 2_000
"""Examples of one round; the time is checked after each round."""


def fuzz(strategy: st.SearchStrategy[Any], check: Callable[[Any], None], *, seconds: float) -> tuple[int, str]:
    """Check new examples until the time is over or one fails; return their number, and the traceback of a failure."""
    tried = 0

    def count_and_check(example: Any) -> None:
        nonlocal tried
        tried += 1
        check(example)

    count_and_check.__annotations__ = {}
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        run = settings(
            max_examples=EXAMPLES,
            database=None,
            deadline=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )(given(strategy)(count_and_check))
        try:
            run()
        except Exception:  # a property may fail in any way
            return tried, traceback.format_exc()
    return tried, ""


def main() -> int:
    """Fuzz the properties one after another, each for the same time, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--only", choices=PROPERTIES)
    options = parser.parse_args()
    chosen = [options.only] if options.only else list(PROPERTIES)
    failed = False
    for name in chosen:
        tried, failure = fuzz(*PROPERTIES[name], seconds=options.minutes * 60 / len(chosen))
        print(f"{name}: {tried:,} examples, {'FAILED' if failure else 'all good'}")
        print(failure, end="", file=sys.stderr)
        failed |= bool(failure)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
