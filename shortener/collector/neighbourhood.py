"""Loading of the stored clicks near the clicks being classified, and new evidence from comparing them.

A new click can change the evidence of clicks up to one time window away. To recompute those, clicks up to two
windows away are loaded (docs/classification.md, section 11).
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
"""Which clicks get evidence from a honeypot hit: (column, value that it must have, user agent id).

The user agent id is None if clicks with any user agent get the evidence.
"""

# The windows around honeypot hits are 15 minutes. Only for hits are clicks from so long a window read.
_SHORT_GROUPINGS = [grouping for grouping in GROUPINGS if not grouping.evidence_mask & NEAR_HONEYPOT_MASK]
_READER_WINDOW_MS = max(
    grouping.window_ms for grouping in _SHORT_GROUPINGS if grouping.key_fields[0] in {"recipient_token", "addr"}
)
_TIME_WINDOW_MS = max(
    grouping.window_ms for grouping in _SHORT_GROUPINGS if not grouping.with_token and grouping.key_fields[0] != "addr"
)
_NO_ISSUE = (None, 0)
"""Sending time and number of links for a click on a link that belongs to no issue."""


class RuleContext:
    """What classification needs besides clicks: honeypot links, and data of issues.

    The data of an issue are its sending time and the number of its links.
    """

    def __init__(self, store: Store) -> None:
        self.honeypot_link_ids = nearby_clicks.honeypot_link_ids(store)
        self._issues = nearby_clicks.issue_contexts(store)

    def from_row(self, row: NearbyClickRow) -> NearbyClick:
        """Return a stored click, with what is needed of its link and its issue."""
        return NearbyClick(*row, row[2] in self.honeypot_link_ids, *self._issues.get(row[3] or 0, _NO_ISSUE))

    def from_click(self, seq: int, click: Click) -> NearbyClick:
        """Return a click that is not stored yet, with what is needed of its link and its issue."""
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
    """The stored clicks that are needed to classify some clicks, and to update the clicks near them.

    ``clicks`` contains them by sequence number (seq), without the clicks being classified. ``honeypot_hits``
    contains earlier clicks on honeypot links, which count as evidence but are not classified themselves.
    """

    def __init__(self, store: Store, targets: Mapping[int, NearbyClick], context: RuleContext, *, new: bool) -> None:
        """Load the stored clicks near ``targets``, which are the clicks being classified, by sequence number.

        Set ``new`` if they are the newest clicks and all others are classified. Then clicks that already have
        evidence of an earlier honeypot hit are not loaded again.
        """
        self._store, self._context = store, context
        self.truncated = False
        """Whether some nearby clicks were not loaded, because there are more than MAX_NEARBY_CLICKS."""
        self._without_token = [click for click in targets.values() if click.recipient_token is None]
        self.honeypot_hits: list[NearbyClick] = []
        rows = [*self._clicks_near_targets(targets.values())]
        if context.honeypot_link_ids and self._without_token:
            rows += self._clicks_near_new_hits(min(targets)) if new else self._clicks_near_all_hits()
        self.clicks = {row[0]: context.from_row(row) for row in rows if row[0] not in targets}

    def _clicks_near_targets(self, targets: Iterable[NearbyClick]) -> Iterator[NearbyClickRow]:
        margin = 2 * _TIME_WINDOW_MS
        for since, until in covering_intervals((click.ts_ms for click in self._without_token), margin_ms=margin):
            window = ReadWindow(since + margin, until - margin, since, until)
            yield from self._rows_of(nearby_clicks.anonymous_clicks(self._store, window))
        tokens = ((click.recipient_token, click.ts_ms) for click in targets if click.recipient_token is not None)
        for hour, (values, window) in _queries_by_hour(tokens, margin_ms=2 * _READER_WINDOW_MS).items():
            yield from self._rows_of(
                nearby_clicks.clicks_by_value(self._store, "recipient_token", values, window, hour=hour)
            )
        addresses = ((click.addr, click.ts_ms) for click in self._without_token if click.addr is not None)
        for hour, (values, window) in _queries_by_hour(addresses, margin_ms=2 * _READER_WINDOW_MS).items():
            yield from self._rows_of(nearby_clicks.clicks_by_value(self._store, "addr", values, window, hour=hour))

    def _rows_of(self, clicks: NearbyClicks) -> list[NearbyClickRow]:
        self.truncated = self.truncated or clicks.truncated
        return clicks.rows

    def _clicks_near_all_hits(self) -> Iterator[NearbyClickRow]:
        """Yield honeypot hits near the clicks being classified, and the clicks near those that are hits."""
        addresses, networks = self._addresses_and_networks()
        for since, until in self._hit_intervals():
            for row in nearby_clicks.clicks_on_links(
                self._store, self._context.honeypot_link_ids, since=since, until=until
            ):
                if row[6] in addresses or row[5] in networks:
                    yield row
        yield from self._clicks_near_honeypot({})

    def _clicks_near_new_hits(self, first_seq: int) -> Iterator[NearbyClickRow]:
        """Yield the clicks near new honeypot hits. Clicks that have evidence of an earlier hit are left out.

        Earlier hits, those with a sequence number below ``first_seq``, are added to ``honeypot_hits``. Of
        several equal hits in a row, only the first and the last are added.
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
        return covering_intervals((click.ts_ms for click in self._without_token), margin_ms=2 * HONEYPOT_BY_ADDRESS_MS)

    def _first_and_last_hit(self, row: HoneypotHitRow) -> list[NearbyClick]:
        """Return the first and last of several equal honeypot hits, as clicks with the seq -1."""
        return [
            NearbyClick(
                seq=-1, ts_ms=at, link_id=min(self._context.honeypot_link_ids), net=row.net,
                addr=row.addr, agent_id=row.agent_id,
                reason=row.reason, evidence=row.evidence, honeypot=True,
            )
            for at in sorted({row.first_at, row.last_at})
        ]  # fmt: skip

    def _clicks_near_honeypot(self, covered: Mapping[HitScope, Sequence[Interval]]) -> Iterator[NearbyClickRow]:
        """Yield the stored clicks that get evidence from honeypot hits among the clicks being classified.

        Clicks in the ``covered`` intervals are left out, because they have evidence of an earlier hit.
        """
        affected: dict[HitScope, list[Interval]] = {}
        for hit in self._without_token:
            for scope in _hit_scopes(hit):
                affected.setdefault(scope, []).append(_affected_interval(hit.ts_ms, hit.ts_ms))
        added = {scope: subtract(merge(intervals), covered.get(scope, ())) for scope, intervals in affected.items()}
        for (column, value, _), intervals in added.items():
            if column == "addr":
                for since, until in intervals:
                    yield from self._clicks_from_address(value, since, until - 1)
        networks = {value for (column, value, _), intervals in added.items() if column == "net" and intervals}
        times = merge(time for (column, *_), intervals in added.items() if column == "net" for time in intervals)
        for since, until in times:
            yield from nearby_clicks.clicks_from_networks(self._store, networks, since=since, until=until - 1)

    def _clicks_from_address(self, address: str, since: int, until: int) -> Iterator[NearbyClickRow]:
        for hour in range(since // HOUR_MS, until // HOUR_MS + 1):
            window = ReadWindow(since, until, since, until)
            yield from self._rows_of(nearby_clicks.clicks_by_value(self._store, "addr", [address], window, hour=hour))


def _affected_interval(first: int, last: int) -> Interval:
    """Return the interval of time (milliseconds) in which clicks get evidence from equal honeypot hits.

    ``first`` and ``last`` are the times of the first and the last hit.
    """
    return first - HONEYPOT_BY_ADDRESS_MS, last + HONEYPOT_BY_ADDRESS_MS + 1


def _hit_scopes(click: NearbyClick) -> Iterator[HitScope]:
    """Yield which other clicks get evidence from a honeypot hit (docs/classification.md, section 9.1).

    Yield nothing if ``click`` is not a honeypot hit.
    """
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
    """Return for each hour which values to look up in the store, and in which time window (milliseconds).

    ``timed_values`` are pairs of a value, such as an address, and a time in milliseconds. Hours count from
    1970.
    """
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
    """Yield disjoint intervals that contain all of ``times``, and ``margin_ms`` milliseconds around each."""
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
    """Return, by sequence number, the new evidence bits of the ``targets`` and of the clicks near them.

    ``targets`` are the sequence numbers of the clicks being classified. For each kind of correlation group, a
    click near no target keeps its bits, because its own nearby clicks may not be loaded. ``honeypot_hits``
    count as evidence but get none. Clicks that are not targets keep their bits of ``sticky_mask``; if
    ``truncated``, they keep all their bits, because clicks that caused them may not be loaded.
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
    """Return those of the sorted ``clicks`` from ``since`` to ``until`` (milliseconds, both included)."""
    begin = bisect_left(clicks, since, key=_timestamp)
    return clicks[begin : bisect_right(clicks, until, key=_timestamp)]


def _timestamp(click: NearbyClick) -> int:
    return click.ts_ms


def _group_by_key(clicks: Sequence[NearbyClick], grouping: Grouping) -> Iterator[list[NearbyClick]]:
    """Yield the correlation groups of one kind, each as a list of its clicks in the given order.

    Groups of a single click are left out, unless ``grouping`` has a trigger, which the click could meet.
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
    """Return the sequence numbers of the clicks in a group whose evidence a new classification can change.

    These are the ``targets`` in the group, and the clicks in the time window of one. If the grouping has a
    trigger, only targets that meet it change the evidence of other clicks.
    """
    group_targets = [click for click in group if click.seq in targets]
    affected = {click.seq for click in group_targets}
    if len(group_targets) not in (0, len(group)):
        times = [click.ts_ms for click in group_targets if grouping.trigger is None or grouping.trigger(click)]
        affected.update(_seqs_within(group, times, grouping.window_ms) if times else ())
    return affected


def _seqs_within(group: Sequence[NearbyClick], times: Sequence[int], window_ms: int) -> list[int]:
    """Return the sequence numbers of clicks at most ``window_ms`` from one of ``times``; both are sorted."""
    near, last, nearest = [], len(times) - 1, 0
    for click in group:
        at = click.ts_ms
        while nearest < last and abs(times[nearest + 1] - at) <= abs(times[nearest] - at):
            nearest += 1
        if abs(times[nearest] - at) <= window_ms:
            near.append(click.seq)
    return near
