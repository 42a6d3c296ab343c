"""Sets of whole numbers as disjoint half-open ranges in order: addresses of networks, or moments."""

from collections.abc import Iterable, Sequence

Interval = tuple[int, int]
"""From the first number to the one behind the last."""


def merge(intervals: Iterable[Interval]) -> list[Interval]:
    """The same numbers as disjoint ranges in order."""
    merged: list[Interval] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def subtract(intervals: Sequence[Interval], excluded: Sequence[Interval]) -> list[Interval]:
    """What of ``ranges`` lies in no hole; both are disjoint and in order."""
    left: list[Interval] = []
    index = 0
    for start, end in intervals:
        while index < len(excluded) and excluded[index][1] <= start:
            index += 1
        at = index
        while at < len(excluded) and excluded[at][0] < end:
            if excluded[at][0] > start:
                left.append((start, excluded[at][0]))
            start = max(start, excluded[at][1])
            at += 1
        if start < end:
            left.append((start, end))
    return left
