"""Nearby clicks: which stored clicks a classification depends on, which it may change, and their new evidence.

A detector compares clicks within the time window of its grouping. So a new click may change clicks within one window
of it, and these depend on clicks within two windows (docs/classification.md, section 11).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence, Set

from shortener.classification.detect_honeypot import AUTOMATION_MASK, HONEYPOT_BY_ADDRESS_MS, looks_automated
from shortener.classification.evidence import (
    DATACENTER,
    HONEYPOT_BY_ADDRESS,
    HONEYPOT_BY_NETWORK,
    REQUEST_MASK,
)
from shortener.classification.group_rules import GROUPINGS
from shortener.classification.groups import Grouping, detect_in_group, sort_key
from shortener.classification.intervals import Interval, merge, subtract
from shortener.classification.nearby_clicks import NearbyClick, is_correlatable
from shortener.durations import HOUR_MS
from shortener.store import Store, nearby_clicks
from shortener.store.clicks import Click
from shortener.store.nearby_clicks import HoneypotHitRow, NearbyClickRow, NearbyClicks, ReadWindow

NEAR_HONEYPOT_MASK = HONEYPOT_BY_ADDRESS | HONEYPOT_BY_NETWORK

HitScope = tuple[str, str, int | str | None]
"""Clicks that a honeypot hit affects: (column, its value, user agent or None for every user agent)."""

# Honeypot groupings reach 15 minutes; clicks near a hit are read by themselves, so that no others are.
_SHORT_GROUPINGS = [grouping for grouping in GROUPINGS if not grouping.evidence_mask & NEAR_HONEYPOT_MASK]
_READER_WINDOW_MS = max(
    grouping.window_ms
    for grouping in _SHORT_GROUPINGS
    if grouping.key_fields[0] in {"recipient_token", "addr"}
)
_TIME_WINDOW_MS = max(
    grouping.window_ms
    for grouping in _SHORT_GROUPINGS
    if not grouping.with_token and grouping.key_fields[0] != "addr"
)
_NO_ISSUE = (None, 0)
"""(sending time, number of links) for a click that belongs to no issue."""


class RuleContext:
    """Facts beyond the clicks that group rules need: honeypot links, sending times and link counts of issues."""

    def __init__(self, store: Store) -> None:
        self.honeypot_link_ids = nearby_clicks.honeypot_link_ids(store)
        self._issues = nearby_clicks.issue_contexts(store)

    def from_row(self, row: NearbyClickRow) -> NearbyClick:
        """Return a stored click with its context."""
        return NearbyClick(*row, row[2] in self.honeypot_link_ids, *self._issues.get(row[3] or 0, _NO_ISSUE))

    def from_click(self, seq: int, click: Click) -> NearbyClick:
        """Return a click that is not stored yet with its context."""
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


class Neighbourhood:
    """The stored clicks that classifying ``targets``, and all clicks they may affect, can depend on.

    ``clicks`` holds them by seq, without the targets. ``honeypot_hits`` holds earlier hits of honeypot links, which
    give evidence and are not classified themselves.
    """

    def __init__(
        self, store: Store, targets: Mapping[int, NearbyClick], context: RuleContext, *, new: bool
    ) -> None:
        """Load the clicks. ``new`` means that the targets were stored last and all other clicks are classified.

        Otherwise all clicks that any honeypot hit may affect are read, hit by hit.
        """
        self._store, self._context = store, context
        self.truncated = False
        """Whether a flood has more nearby clicks than were read."""
        self._without_token = [click for click in targets.values() if click.recipient_token is None]
        self.honeypot_hits: list[NearbyClick] = []
        rows = [*self._clicks_near_targets(targets.values())]
        if context.honeypot_link_ids and self._without_token:
            rows += self._clicks_near_new_hits(min(targets)) if new else self._clicks_near_all_hits()
        self.clicks = {row[0]: context.from_row(row) for row in rows if row[0] not in targets}

    def _clicks_near_targets(self, targets: Iterable[NearbyClick]) -> Iterator[NearbyClickRow]:
        margin = 2 * _TIME_WINDOW_MS
        for since, until in covering_intervals(
            (click.ts_ms for click in self._without_token), margin_ms=margin
        ):
            window = ReadWindow(since + margin, until - margin, since, until)
            yield from self._rows_of(nearby_clicks.anonymous_clicks(self._store, window))
        tokens = (
            (click.recipient_token, click.ts_ms) for click in targets if click.recipient_token is not None
        )
        for hour, (values, window) in _queries_by_hour(tokens, margin_ms=2 * _READER_WINDOW_MS).items():
            yield from self._rows_of(
                nearby_clicks.clicks_by_value(self._store, "recipient_token", values, window, hour=hour)
            )
        addresses = ((click.addr, click.ts_ms) for click in self._without_token if click.addr is not None)
        for hour, (values, window) in _queries_by_hour(addresses, margin_ms=2 * _READER_WINDOW_MS).items():
            yield from self._rows_of(
                nearby_clicks.clicks_by_value(self._store, "addr", values, window, hour=hour)
            )

    def _rows_of(self, clicks: NearbyClicks) -> list[NearbyClickRow]:
        self.truncated = self.truncated or clicks.truncated
        return clicks.rows

    def _clicks_near_all_hits(self) -> Iterator[NearbyClickRow]:
        """Yield every honeypot hit near the targets, and all clicks near targets that are hits themselves."""
        addresses, networks = self._addresses_and_networks()
        for since, until in self._hit_intervals():
            for row in nearby_clicks.clicks_on_links(
                self._store, self._context.honeypot_link_ids, since=since, until=until
            ):
                if row[6] in addresses or row[5] in networks:
                    yield row
        yield from self._clicks_near_honeypot({})

    def _clicks_near_new_hits(self, first_seq: int) -> Iterator[NearbyClickRow]:
        """Yield the clicks near targets that are hits, except where an earlier hit gave them evidence already.

        Earlier hits near the targets are added to ``honeypot_hits``: of equal hits in an interval, the first and the
        last stand for all.
        """
        addresses, networks = self._addresses_and_networks()
        covered: dict[HitScope, list[Interval]] = {}
        for since, until in self._hit_intervals():
            rows = nearby_clicks.honeypot_hits(
                self._store, self._context.honeypot_link_ids, since=since, until=until, below_seq=first_seq,
                evidence_mask=REQUEST_MASK, machine_mask=AUTOMATION_MASK, interval_ms=HONEYPOT_BY_ADDRESS_MS,
            )  # fmt: skip
            for row in rows:
                if row.addr in addresses or row.net in networks:
                    hits = self._first_and_last_hit(row)
                    for scope in _hit_scopes(hits[0]):
                        covered.setdefault(scope, []).append(_affected_interval(row.first_at, row.last_at))
                    self.honeypot_hits += filter(is_correlatable, hits)
        yield from self._clicks_near_honeypot({scope: merge(times) for scope, times in covered.items()})

    def _addresses_and_networks(self) -> tuple[set[str], set[str]]:
        addresses = {click.addr for click in self._without_token if click.addr is not None}
        return addresses, {click.net for click in self._without_token if click.net is not None}

    def _hit_intervals(self) -> Iterator[Interval]:
        return covering_intervals(
            (click.ts_ms for click in self._without_token), margin_ms=2 * HONEYPOT_BY_ADDRESS_MS
        )

    def _first_and_last_hit(self, row: HoneypotHitRow) -> list[NearbyClick]:
        """Return the first and the last of equal hits, with a seq that no stored click has."""
        return [
            NearbyClick(
                seq=-1, ts_ms=at, link_id=min(self._context.honeypot_link_ids), net=row.net,
                addr=row.addr, agent_id=row.agent_id,
                reason=row.reason, evidence=row.evidence, honeypot=True,
            )
            for at in sorted({row.first_at, row.last_at})
        ]  # fmt: skip

    def _clicks_near_honeypot(
        self, covered: Mapping[HitScope, Sequence[Interval]]
    ) -> Iterator[NearbyClickRow]:
        """Yield the clicks that targets affect which are honeypot hits, outside the ``covered`` intervals."""
        affected: dict[HitScope, list[Interval]] = {}
        for hit in self._without_token:
            for scope in _hit_scopes(hit):
                affected.setdefault(scope, []).append(_affected_interval(hit.ts_ms, hit.ts_ms))
        added = {
            scope: subtract(merge(intervals), covered.get(scope, ())) for scope, intervals in affected.items()
        }
        for (column, value, _), intervals in added.items():
            if column == "addr":
                for since, until in intervals:
                    yield from self._clicks_from_address(value, since, until - 1)
        networks = {value for (column, value, _), intervals in added.items() if column == "net" and intervals}
        times = merge(
            time for (column, *_), intervals in added.items() if column == "net" for time in intervals
        )
        for since, until in times:
            yield from nearby_clicks.clicks_from_networks(self._store, networks, since=since, until=until - 1)

    def _clicks_from_address(self, address: str, since: int, until: int) -> Iterator[NearbyClickRow]:
        for hour in range(since // HOUR_MS, until // HOUR_MS + 1):
            window = ReadWindow(since, until, since, until)
            yield from self._rows_of(
                nearby_clicks.clicks_by_value(self._store, "addr", [address], window, hour=hour)
            )


def _affected_interval(first: int, last: int) -> Interval:
    """Return the times (ms) that equal honeypot hits affect, of which the first and the last are given."""
    return first - HONEYPOT_BY_ADDRESS_MS, last + HONEYPOT_BY_ADDRESS_MS + 1


def _hit_scopes(click: NearbyClick) -> Iterator[HitScope]:
    """Yield which clicks a honeypot hit affects (docs/classification.md, section 9.1); none if it is no hit."""
    if not click.honeypot or not is_correlatable(click):
        return
    if click.addr is not None and looks_automated(click):
        yield "addr", click.addr, None
    elif click.addr is not None and click.agent_id is not None:
        yield "addr", click.addr, click.agent_id
    if click.net is not None and click.evidence & DATACENTER:
        yield "net", click.net, None


def _queries_by_hour(
    timed_values: Iterable[tuple[str, int]], *, margin_ms: int
) -> dict[int, tuple[set[str], ReadWindow]]:
    """Return, by hour since 1970, the values to look for and the window around their times (ms)."""
    hours: dict[int, tuple[set[str], list[int]]] = {}
    for value, at in timed_values:
        for hour in range((at - margin_ms) // HOUR_MS, (at + margin_ms) // HOUR_MS + 1):
            values, times = hours.setdefault(hour, (set(), [at, at]))
            values.add(value)
            if at < times[0]:
                times[0] = at
            elif at > times[1]:
                times[1] = at
    return {
        hour: (values, ReadWindow(first, last, first - margin_ms, last + margin_ms))
        for hour, (values, (first, last)) in hours.items()
    }


def covering_intervals(times: Iterable[int], *, margin_ms: int) -> Iterator[Interval]:
    """Yield disjoint intervals (ms) that contain every time with its margin on both sides."""
    begin = end = None
    for time in sorted(times):
        if begin is None or end is None or time - margin_ms > end:
            if begin is not None and end is not None:
                yield begin, end
            begin = time - margin_ms
        end = time + margin_ms
    if begin is not None and end is not None:
        yield begin, end


def update_evidence(
    clicks_by_seq: Mapping[int, NearbyClick],
    targets: Set[int],
    *,
    honeypot_hits: Sequence[NearbyClick] = (),
    sticky_mask: int = 0,
    truncated: bool = False,
) -> dict[int, int]:
    """Return the evidence, by seq, of the targets and of the clicks that a target affects, grouping by grouping.

    Evidence of a grouping in which no target affects the click stays as it is stored, because not all its nearby
    clicks may be loaded. ``honeypot_hits`` give evidence without being classified. A click other than a target never
    loses a bit of ``sticky_mask``; if ``truncated`` is set it loses none, because what a bit was based on may not be
    loaded.
    """
    evidence_by_seq = {seq: clicks_by_seq[seq].evidence & REQUEST_MASK for seq in targets}
    times = [clicks_by_seq[seq].ts_ms for seq in targets]
    first_at, last_at = min(times), max(times)
    ordered = sorted(filter(is_correlatable, clicks_by_seq.values()), key=sort_key)
    by_token = {
        with_token: [click for click in ordered if (click.recipient_token is not None) is with_token]
        for with_token in (True, False)
    }
    for grouping in GROUPINGS:
        mask, reach = grouping.evidence_mask, 2 * grouping.window_ms
        clicks = _time_slice(by_token[grouping.with_token], first_at - reach, last_at + reach)
        if sticky := mask & sticky_mask:
            clicks = [click for click in clicks if not click.evidence & sticky or click.seq in targets]
            clicks = sorted([*clicks, *honeypot_hits], key=sort_key)
        if grouping.trigger is not None and not any(map(grouping.trigger, clicks)):
            continue
        for group in _group_by_key(clicks, grouping):
            affected = _affected_seqs(group, targets, grouping)
            if not affected:
                continue
            for click, bits in zip(group, detect_in_group(group, grouping), strict=True):
                if (seq := click.seq) in affected and seq in clicks_by_seq:
                    removed = 0 if truncated and seq not in targets else mask
                    evidence_by_seq[seq] = evidence_by_seq.get(seq, click.evidence) & ~removed | bits
    return evidence_by_seq


def _time_slice(clicks: Sequence[NearbyClick], since: int, until: int) -> Sequence[NearbyClick]:
    """Return the clicks from ``since`` to ``until`` (ms, both included); ``clicks`` is sorted by time."""
    begin = bisect_left(clicks, since, key=_timestamp)
    return clicks[begin : bisect_right(clicks, until, key=_timestamp)]


def _timestamp(click: NearbyClick) -> int:
    return click.ts_ms


def _group_by_key(clicks: Sequence[NearbyClick], grouping: Grouping) -> Iterator[list[NearbyClick]]:
    """Yield the clicks that share a key, in their order.

    A click alone in its group is left out, unless the grouping has a trigger that it may be itself.
    """
    first_clicks: dict[Hashable, NearbyClick] = {}
    groups: dict[Hashable, list[NearbyClick]] = {}
    for key, click in zip(map(grouping.key, clicks), clicks, strict=True):
        if key is None:
            continue
        first_click = first_clicks.setdefault(key, click)
        if first_click is not click:
            group = groups.get(key)
            if group is None:
                groups[key] = [first_click, click]
            else:
                group.append(click)
    yield from groups.values()
    if grouping.trigger is not None:
        yield from ([click] for key, click in first_clicks.items() if key not in groups)


def _affected_seqs(group: Sequence[NearbyClick], targets: Set[int], grouping: Grouping) -> Set[int]:
    """Return the seqs of a group's targets, and of the clicks in the window of a target that is a trigger."""
    group_targets = [click for click in group if click.seq in targets]
    affected = {click.seq for click in group_targets}
    if len(group_targets) not in (0, len(group)):
        times = [
            click.ts_ms for click in group_targets if grouping.trigger is None or grouping.trigger(click)
        ]
        affected.update(_seqs_within(group, times, grouping.window_ms) if times else ())
    return affected


def _seqs_within(group: Sequence[NearbyClick], times: Sequence[int], window_ms: int) -> list[int]:
    """Return the seqs of the clicks at most ``window_ms`` from one of the times; both are sorted by time."""
    near, last, nearest = [], len(times) - 1, 0
    for click in group:
        at = click.ts_ms
        while nearest < last and abs(times[nearest + 1] - at) <= abs(times[nearest] - at):
            nearest += 1
        if abs(times[nearest] - at) <= window_ms:
            near.append(click.seq)
    return near
