"""Sets of whole numbers as disjoint half-open ranges in order: addresses of networks, or moments."""

from collections.abc import Iterable, Sequence

Range = tuple[int, int]
"""From the first number to the one behind the last."""


def merge(ranges: Iterable[Range]) -> list[Range]:
    """The same numbers as disjoint ranges in order."""
    merged: list[Range] = []
    for start, end in sorted(ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def subtract(ranges: Sequence[Range], holes: Sequence[Range]) -> list[Range]:
    """What of ``ranges`` lies in no hole; both are disjoint and in order."""
    left: list[Range] = []
    index = 0
    for start, end in ranges:
        while index < len(holes) and holes[index][1] <= start:
            index += 1
        at = index
        while at < len(holes) and holes[at][0] < end:
            if holes[at][0] > start:
                left.append((start, holes[at][0]))
            start = max(start, holes[at][1])
            at += 1
        if start < end:
            left.append((start, end))
    return left
