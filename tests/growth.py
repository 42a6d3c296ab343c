"""Comparison of the time that some work takes for a source and for a smaller one."""

import time
from collections.abc import Callable
from typing import AnyStr

SIZE_RATIO = 16
"""How many times as long as the smaller source the other one should be."""
MAX_TIME_RATIO = 64.0
"""Most CPU time for SIZE_RATIO times the input; time that grows with the square would be 256 times as much."""
ATTEMPTS = 3
"""Measurements of one time, of which the shortest counts, because other processes only lengthen them."""


def cpu_seconds(work: Callable[[AnyStr], object], source: AnyStr) -> float:
    """Return the CPU time of a call."""
    start = time.process_time()
    work(source)
    return time.process_time() - start


def grows_with_length(work: Callable[[AnyStr], object], source: AnyStr, *, small: AnyStr) -> bool:
    """Return whether the time for a source is at most MAX_TIME_RATIO times that for a smaller one."""
    limit = MAX_TIME_RATIO * min(cpu_seconds(work, small) for _ in range(ATTEMPTS))
    return any(cpu_seconds(work, source) < limit for _ in range(ATTEMPTS))
