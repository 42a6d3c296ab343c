"""Completeness of a report: until when clicks of all redirect nodes are stored, and whether visitors count twice."""

# Nodes recognize visitors by a hash. All nodes hash with one shared key, which they get from the store. A node that
# cannot get it uses a key of its own. A person who clicks at that node and at another one then counts twice.
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

import msgspec

from shortener.durations import DAY_SECONDS
from shortener.messages import Message
from shortener.reporting.counts import to_datetime, to_datetime_or_none
from shortener.reporting.quality import LocalKeyDay, Quality
from shortener.store import Reader, nodes

LATE_SECONDS = 60
"""Time in seconds after which missing clicks of a node are reported."""


def add_completeness(
    quality: Quality,
    reader: Reader,
    *,
    as_of: int,  # the present time in seconds of the UTC epoch
    hours: Sequence[datetime],  # the first and the last hour with clicks, or empty
) -> Quality:
    """Return a copy of ``quality`` with the fields about redirect nodes filled in."""
    state = nodes.completeness(reader)
    if state is not None:
        is_late = state.until is None or as_of - state.until > LATE_SECONDS
        quality = msgspec.structs.replace(
            quality,
            complete_until=to_datetime_or_none(state.until),
            waiting_for=state.node if is_late else None,
            last_heard=to_datetime_or_none(state.heard_at) if is_late else None,
        )
    if hours:
        first_day, last_day = (int(hour.timestamp()) // DAY_SECONDS for hour in hours)
        local = nodes.local_key_days(reader, first_day=first_day, last_day=last_day)
        days = tuple(LocalKeyDay(node, to_datetime(day * DAY_SECONDS)) for node, day in local)
        quality = msgspec.structs.replace(quality, local_keys=days)
    return quality


def describe_completeness(
    quality: Quality, *, format_time: Callable[[datetime], str], format_day: Callable[[datetime], str]
) -> Iterator[str]:
    """Yield sentences that warn of clicks still missing from redirect nodes, and of visitors that may be counted
    twice.
    """
    node = quality.waiting_for
    if node is not None and quality.complete_until is None:
        yield Message("Clicks of the node {node} have not arrived yet.", node=node)
    elif node is not None and quality.complete_until is not None and quality.last_heard is not None:
        yield Message(
            "Complete until {time}: the node {node} was last heard from at {heard}.",
            time=format_time(quality.complete_until),
            node=node,
            heard=format_time(quality.last_heard),
        )
    for each in quality.local_keys:
        yield Message(
            "The node {node} was cut off on {day} and counted its visitors apart; some may be counted twice.",
            node=each.node,
            day=format_day(each.day),
        )
