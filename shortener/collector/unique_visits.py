"""First visits, by which visitors are counted: a visitor's earliest human click on a UTC day."""

from collections.abc import Mapping, Sequence

from shortener.durations import DAY_MS
from shortener.store.clicks import (
    FIRST_IN_ISSUE,
    FIRST_ON_LINK,
    FIRST_ON_PLACEMENT,
    FIRST_ON_SITE,
    Visit,
    VisitorDay,
)

FIRST_WITHOUT_ISSUE = FIRST_ON_PLACEMENT | FIRST_ON_LINK | FIRST_ON_SITE


def visitor_day(click: Visit) -> VisitorDay | None:
    """Return (UTC day, visitor) of a human click; None for a click that is not human or has no visitor hash."""
    return (click.ts // DAY_MS, click.visitor) if click.visitor and click.verdict == "human" else None


def first_visits(clicks: Mapping[int, Visit]) -> dict[int, int]:
    """Return a bitmask for each human click with visitor hash, by sequence number.

    FIRST_ON_LINK marks a visitor's first click on a link per day.
    """
    # Most visitors click once a day, so that a list is made for the others only.
    first_seqs: dict[VisitorDay, int] = {}
    repeated: dict[VisitorDay, list[int]] = {}
    bitmasks: dict[int, int] = {}
    for seq, click in clicks.items():
        # A click without a visitor hash gets no bitmask.
        if click.visitor and click.verdict == "human":
            day = click.ts // DAY_MS, click.visitor
            first_seq = first_seqs.setdefault(day, seq)
            if first_seq == seq:
                bitmasks[seq] = FIRST_WITHOUT_ISSUE | (0 if click.issue_id is None else FIRST_IN_ISSUE)
            else:
                repeated.setdefault(day, [first_seq]).append(seq)
    for seqs in repeated.values():
        seqs.sort(key=lambda seq: (clicks[seq].ts, clicks[seq].id))
        _add_first_visits(bitmasks, seqs, clicks)
    return bitmasks


def _add_first_visits(
    bitmasks: dict[int, int],
    seqs: Sequence[int],  # human clicks of one visitor on one UTC day, in order of time
    clicks: Mapping[int, Visit],
) -> None:
    seen: set[tuple[int, int | None, int]] = set()
    for seq in seqs:
        click = clicks[seq]
        bitmask = 0
        for scope in (
            (FIRST_ON_PLACEMENT, click.link_id, click.n),
            (FIRST_ON_LINK, click.link_id, 0),
            (FIRST_IN_ISSUE, click.issue_id, 0),
            (FIRST_ON_SITE, 0, 0),
        ):
            if scope not in seen:
                seen.add(scope)
                bitmask |= scope[0]
        bitmasks[seq] = bitmask if click.issue_id is not None else bitmask & ~FIRST_IN_ISSUE
