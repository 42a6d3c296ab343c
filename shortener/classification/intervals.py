"""Operations on intervals of integers, which are ranges of IP addresses or spans of time."""

from collections.abc import Iterable, Sequence

Interval = tuple[int, int]
"""(first integer, last integer + 1)."""


def merge(intervals: Iterable[Interval]) -> list[Interval]:
    """Return the union of the intervals as disjoint intervals in ascending order."""
    merged: list[Interval] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def subtract(intervals: Sequence[Interval], excluded: Sequence[Interval]) -> list[Interval]:
    """Return the parts of ``intervals`` outside ``excluded``; both must be disjoint and in ascending order."""
    remaining: list[Interval] = []
    index = 0
    for start, end in intervals:
        while index < len(excluded) and excluded[index][1] <= start:
            index += 1
        current = index
        while current < len(excluded) and excluded[current][0] < end:
            if excluded[current][0] > start:
                remaining.append((start, excluded[current][0]))
            start = max(start, excluded[current][1])
            current += 1
        if start < end:
            remaining.append((start, end))
    return remaining
