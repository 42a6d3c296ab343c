"""Load the stored clicks with which a click is compared to tell whether it is automated."""

# docs/classification.md, section 11, defines which clicks are near. A honeypot hit is a click on a link that is hidden
# from readers.
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

from shortener.classification.correlate import Neighbourhood
from shortener.classification.detect_honeypot import HONEYPOT_BY_ADDRESS_MS, looks_automated
from shortener.classification.evidence import DATACENTER, HONEYPOT_BY_ADDRESS, HONEYPOT_BY_NETWORK
from shortener.classification.group_rules import GROUPINGS
from shortener.classification.intervals import Interval, merge, subtract
from shortener.classification.nearby_clicks import NearbyClick, is_correlatable
from shortener.durations import HOUR_MS
from shortener.store import Store, honeypot_hits, nearby_clicks
from shortener.store.clicks import Click
from shortener.store.nearby_clicks import NearbyClickRow

NEAR_HONEYPOT_MASK = HONEYPOT_BY_ADDRESS | HONEYPOT_BY_NETWORK

ClickFilter = tuple[str, str, int | str | None]
"""(column, value, user agent id or None for any) of the clicks that get evidence from a honeypot hit."""

# The windows around honeypot hits are 15 minutes. Only for hits are clicks from so long a window read.
_SHORT_GROUPINGS = [grouping for grouping in GROUPINGS if not grouping.evidence_mask & NEAR_HONEYPOT_MASK]
_READER_MARGIN_MS = 2 * max(
    grouping.window_ms for grouping in _SHORT_GROUPINGS if grouping.key_fields[0] in {"recipient_token", "addr"}
)
_TIME_MARGIN_MS = 2 * max(
    grouping.window_ms for grouping in _SHORT_GROUPINGS if not grouping.with_token and grouping.key_fields[0] != "addr"
)
_NO_ISSUE = (None, 0)
"""Sending time and number of links for a click on a link that belongs to no issue."""


class RuleContext:
    """Data about issues and hidden links that the classification rules need besides clicks."""

    def __init__(self, store: Store) -> None:
        self.honeypot_link_ids = nearby_clicks.honeypot_link_ids(store)
        self._issues = nearby_clicks.issue_contexts(store)  # sending time and number of links

    def from_row(self, row: NearbyClickRow) -> NearbyClick:
        """Return a stored click together with facts about its issue and link, for the classification rules."""
        return NearbyClick(*row, row[2] in self.honeypot_link_ids, *self._issues.get(row[3] or 0, _NO_ISSUE))

    def from_click(
        self,
        seq: int,  # sequence number under which the click will be stored
        click: Click,
    ) -> NearbyClick:
        """Return a new click together with facts about its issue and link, for the classification rules."""
        return self.from_row(
            (
                seq,
                click.ts,
                click.link_id,
                click.issue_id,
                click.n,
                click.net,
                click.addr,
                click.recipient_token,
                click.agent_id,
                click.reason,
                click.evidence,
            )
        )


def load_near_new(
    store: Store,
    to_classify: Mapping[int, NearbyClick],  # by sequence number
    context: RuleContext,
) -> Neighbourhood:
    """Load the stored clicks near ``to_classify``, which are compared with other clicks for the first time."""
    earlier_hits = [*_load_earlier_honeypot_hits(store, to_classify.values())] if context.honeypot_link_ids else []
    # Clicks around earlier hits are not loaded: they got their evidence when those hits were classified.
    loaded = [
        *_load_near(store, to_classify.values()),
        *_load_near_honeypot_hits(store, to_classify.values(), earlier_hits),
    ]
    return Neighbourhood(_loaded_clicks(loaded, to_classify, context), earlier_hits, _is_truncated(loaded))


def load_near_stored(store: Store, to_classify: Mapping[int, NearbyClick], context: RuleContext) -> Neighbourhood:
    """Load other stored clicks near ``to_classify``, which are classified again.

    The keys of ``to_classify`` are sequence numbers. ``context`` has data about issues and hidden links.
    """
    # Honeypot hits are searched for among the stored clicks, because the table of hits may be outdated: editors can
    # declare other links as honeypot links.
    loaded = [*_load_near(store, to_classify.values()), *_load_near_honeypot_hits(store, to_classify.values(), ())]
    if context.honeypot_link_ids:
        loaded += [
            honeypot_hits.clicks_near(store, values, since=since, until=until)
            for values, since, until in _honeypot_query_parameters(to_classify.values())
        ]
    return Neighbourhood(_loaded_clicks(loaded, to_classify, context), (), _is_truncated(loaded))


def _loaded_clicks(
    loaded: Iterable[list[NearbyClickRow]], to_classify: Mapping[int, NearbyClick], context: RuleContext
) -> dict[int, NearbyClick]:
    return {row[0]: context.from_row(row) for rows in loaded for row in rows if row[0] not in to_classify}


def _is_truncated(loaded: Iterable[list[NearbyClickRow]]) -> bool:
    return any(len(rows) >= nearby_clicks.MAX_NEARBY_CLICKS for rows in loaded)


def _load_near(store: Store, to_classify: Iterable[NearbyClick]) -> Iterator[list[NearbyClickRow]]:
    # A click can be in several of the lists.
    without_token = _without_token(to_classify)
    yield from _load_by_time(store, [click.ts_ms for click in without_token])
    yield from _load_by_value(store, "addr", [(click.addr, click.ts_ms) for click in without_token])
    yield from _load_by_value(store, "recipient_token", [(click.recipient_token, click.ts_ms) for click in to_classify])


def _load_by_time(store: Store, times: Iterable[int]) -> Iterator[list[NearbyClickRow]]:
    for since, until in _intervals_around(times, _TIME_MARGIN_MS):
        yield nearby_clicks.clicks_without_token(store, since=since, until=until)


def _load_by_value(
    store: Store,
    column: Literal["addr", "recipient_token"],
    timed_values: Sequence[tuple[str | None, int]],  # (value, time in milliseconds near which to search)
) -> Iterator[list[NearbyClickRow]]:
    hours: dict[int, set[str]] = {}
    for value, at in timed_values:
        if value is not None:
            # The table is read by whole hours, so some clicks are further away than necessary.
            for hour in range((at - _READER_MARGIN_MS) // HOUR_MS, (at + _READER_MARGIN_MS) // HOUR_MS + 1):
                hours.setdefault(hour, set()).add(value)
    since = min((at for _, at in timed_values), default=0) - _READER_MARGIN_MS
    until = max((at for _, at in timed_values), default=0) + _READER_MARGIN_MS
    for hour, values in hours.items():
        yield nearby_clicks.clicks_by_value(store, column, values, hour=hour, since=since, until=until)


def _load_earlier_honeypot_hits(store: Store, to_classify: Iterable[NearbyClick]) -> Iterator[NearbyClick]:
    # These hits are evidence, and are not classified again. So they need no sequence number.
    for values, since, until in _honeypot_query_parameters(to_classify):
        for hit in honeypot_hits.hits_near(store, values, since=since, until=until):
            for at in {hit.first_at, hit.last_at}:
                yield NearbyClick(
                    seq=-1, ts_ms=at, link_id=0, net=hit.net or None, addr=hit.addr or None,
                    agent_id=hit.agent_id or None, reason=hit.reason, evidence=hit.evidence, honeypot=True,
                )  # fmt: skip


def _honeypot_query_parameters(to_classify: Iterable[NearbyClick]) -> Iterator[tuple[set[str], int, int]]:
    ordered = sorted(_without_token(to_classify), key=_time)
    for since, until in _intervals_around(map(_time, ordered), 2 * HONEYPOT_BY_ADDRESS_MS):
        clicks = ordered[bisect_left(ordered, since, key=_time) : bisect_left(ordered, until, key=_time)]
        # (addresses and networks, begin and end in milliseconds) of one query
        yield {value for click in clicks for value in (click.addr, click.net) if value is not None}, since, until


def _load_near_honeypot_hits(
    store: Store, to_classify: Iterable[NearbyClick], earlier_hits: Iterable[NearbyClick]
) -> Iterator[list[NearbyClickRow]]:
    # Clicks near earlier hits have this evidence already.
    covered = _suspect_intervals_by_filter(earlier_hits)
    networks: set[str] = set()
    network_intervals: list[Interval] = []
    for click_filter, intervals in _suspect_intervals_by_filter(_without_token(to_classify)).items():
        column, value, _ = click_filter
        added = subtract(intervals, covered.get(click_filter, ()))
        if column == "net" and added:
            networks.add(value)
            network_intervals += added
        for since, until in added if column == "addr" else ():
            for hour in range(since // HOUR_MS, until // HOUR_MS + 1):
                yield nearby_clicks.clicks_by_value(store, "addr", [value], hour=hour, since=since, until=until)
    for since, until in merge(network_intervals):
        yield nearby_clicks.clicks_from_networks(store, networks, since=since, until=until)


def _suspect_intervals_by_filter(clicks: Iterable[NearbyClick]) -> dict[ClickFilter, list[Interval]]:
    intervals: dict[ClickFilter, list[Interval]] = {}
    for hit in clicks:
        if hit.honeypot and is_correlatable(hit):
            # In milliseconds. Clicks that match a filter are suspect in its intervals.
            interval = hit.ts_ms - HONEYPOT_BY_ADDRESS_MS, hit.ts_ms + HONEYPOT_BY_ADDRESS_MS + 1
            for click_filter in _click_filters(hit):
                intervals.setdefault(click_filter, []).append(interval)
    return {click_filter: merge(times) for click_filter, times in intervals.items()}


def _click_filters(hit: NearbyClick) -> Iterator[ClickFilter]:
    # docs/classification.md, section 9.1.
    if hit.addr is not None and looks_automated(hit):
        yield "addr", hit.addr, None
    elif hit.addr is not None and hit.agent_id is not None:
        yield "addr", hit.addr, hit.agent_id
    if hit.net is not None and hit.evidence & DATACENTER:
        yield "net", hit.net, None


def _time(click: NearbyClick) -> int:
    return click.ts_ms


def _without_token(clicks: Iterable[NearbyClick]) -> list[NearbyClick]:
    return [click for click in clicks if click.recipient_token is None]


def _intervals_around(times: Iterable[int], margin_ms: int) -> list[Interval]:
    return merge((time - margin_ms, time + margin_ms + 1) for time in times)
