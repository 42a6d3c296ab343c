"""Which stored clicks a judgement depends on, and which it may change: family by family, as few as will do.

A family's rules look no further than its horizon. So what a new click may change lies within one horizon of it, and
what that depends on within two.
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
from shortener.classification.groups import GROUPINGS, Grouping, detect_in_group, sort_key
from shortener.classification.intervals import Interval, merge, subtract
from shortener.classification.nearby_clicks import NearbyClick, is_correlatable
from shortener.durations import HOUR_MS
from shortener.store import Store
from shortener.store import nearby_clicks as sql
from shortener.store.clicks import Click
from shortener.store.nearby_clicks import HoneypotHitRow, NearbyClickRow, NearbyClicks, ReadWindow

NEAR_HONEYPOT_MASK = HONEYPOT_BY_ADDRESS | HONEYPOT_BY_NETWORK

HitScope = tuple[str, str, int | str | None]
"""A column, its value, and a user agent if only that is meant."""


def _max_window_ms(*columns: str) -> int:
    """The widest horizon of the families that are looked up by one of these columns first."""
    return max(
        family.window_ms
        for family in GROUPINGS
        if family.key_fields[0] in columns and not _uses_honeypot(family)
    )


def _uses_honeypot(grouping: Grouping) -> bool:
    return bool(grouping.evidence_mask & NEAR_HONEYPOT_MASK)


_TIME_WINDOW_MS = max(
    family.window_ms
    for family in GROUPINGS
    if family.name in {"network", "browser", "link", "datacenter browser"}
)
_READER_WINDOW_MS = _max_window_ms("recipient_token", "addr")


class RuleContext:
    """What clicks are judged by besides themselves and each other: hidden links, and when issues were sent."""

    def __init__(self, store: Store) -> None:
        self.honeypot_link_ids = sql.honeypot_link_ids(store)
        self._issues = sql.issue_contexts(store)

    def from_row(self, row: NearbyClickRow) -> NearbyClick:
        """A stored click as the rules see it."""
        return NearbyClick(*row, row[2] in self.honeypot_link_ids, *self._issues.get(row[3] or 0, _NO_ISSUE))

    def from_click(self, seq: int, click: Click) -> NearbyClick:
        """A click that is about to be stored, as the rules see it."""
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


_NO_ISSUE = (None, 0)
"""What is known of a click's issue where it has none: when it was sent, and how many links it has."""


class Neighbourhood:
    """The stored clicks that any judgement on ``targets``, or on what they may change, can depend on.

    ``clicks`` by seq, the targets not among them; ``hits`` of hidden links besides, which speak and are not judged.
    """

    def __init__(
        self, store: Store, targets: Mapping[int, NearbyClick], context: RuleContext, *, new: bool
    ) -> None:
        """``new`` targets are those that were stored last, and everybody else has been judged.

        For others all is read that a hidden link may speak about, hit by hit.
        """
        self._store, self._context = store, context
        self.truncated = False
        """Whether, in a flood, there are more neighbours than were read."""
        self._without_token = [click for click in targets.values() if click.recipient_token is None]
        rows = {row[0]: row for row in self._clicks_near_targets(targets.values())}
        self.honeypot_hits: list[NearbyClick] = []
        if context.honeypot_link_ids and self._without_token:
            read = self._clicks_near_new_hits if new else self._clicks_near_all_hits
            rows |= {row[0]: row for row in read(min(targets))}
        self.clicks = {seq: context.from_row(row) for seq, row in rows.items() if seq not in targets}

    def _clicks_near_targets(self, targets: Iterable[NearbyClick]) -> Iterator[NearbyClickRow]:
        margin = 2 * _TIME_WINDOW_MS
        for since, until in covering_intervals(
            (click.ts_ms for click in self._without_token), margin_ms=margin
        ):
            reading = ReadWindow(since + margin, until - margin, since, until)
            yield from self._rows_of(sql.anonymous_clicks(self._store, reading))
        copied = (
            (click.recipient_token, click.ts_ms) for click in targets if click.recipient_token is not None
        )
        for hour, (copies, reading) in _queries_by_hour(copied, margin_ms=2 * _READER_WINDOW_MS).items():
            yield from self._rows_of(
                sql.clicks_by_value(self._store, "recipient_token", copies, reading, hour=hour)
            )
        placed = ((click.addr, click.ts_ms) for click in self._without_token if click.addr is not None)
        for hour, (addresses, reading) in _queries_by_hour(placed, margin_ms=2 * _READER_WINDOW_MS).items():
            yield from self._rows_of(sql.clicks_by_value(self._store, "addr", addresses, reading, hour=hour))

    def _rows_of(self, found: NearbyClicks) -> list[NearbyClickRow]:
        self.truncated = self.truncated or found.truncated
        return found.rows

    def _clicks_near_all_hits(self, first_seq: int) -> Iterator[NearbyClickRow]:
        """Every hit near the targets, and near targets that are hits everybody from their addresses."""
        addresses, nets = self._addresses_and_networks()
        for since, until in self._hit_intervals():
            for row in sql.clicks_on_links(
                self._store, self._context.honeypot_link_ids, since=since, until=until
            ):
                if row[6] in addresses or row[5] in nets:
                    yield row
        yield from self._clicks_near_honeypot({})

    def _clicks_near_new_hits(self, first_seq: int) -> Iterator[NearbyClickRow]:
        """Earlier hits near the targets, the first and the last of a while stand for those between them.

        Whom an earlier hit speaks about has been caught, so that only the time is looked at that a new one adds.
        """
        addresses, nets = self._addresses_and_networks()
        earlier: dict[HitScope, list[Interval]] = {}
        for since, until in self._hit_intervals():
            rows = sql.honeypot_hits(
                self._store, self._context.honeypot_link_ids, since=since, until=until, below_seq=first_seq,
                evidence_mask=REQUEST_MASK, machine_mask=AUTOMATION_MASK, interval_ms=HONEYPOT_BY_ADDRESS_MS,
            )  # fmt: skip
            for row in rows:
                if row.addr in addresses or row.net in nets:
                    ends = self._first_and_last_hit(row)
                    for place in _hit_scopes(ends[0]):
                        earlier.setdefault(place, []).append(_affected_interval(row.first_at, row.last_at))
                    self.honeypot_hits += filter(is_correlatable, ends)
        yield from self._clicks_near_honeypot({place: merge(each) for place, each in earlier.items()})

    def _addresses_and_networks(self) -> tuple[set[str], set[str]]:
        addresses = {click.addr for click in self._without_token if click.addr is not None}
        return addresses, {click.net for click in self._without_token if click.net is not None}

    def _hit_intervals(self) -> Iterator[tuple[int, int]]:
        return covering_intervals(
            (click.ts_ms for click in self._without_token), margin_ms=2 * HONEYPOT_BY_ADDRESS_MS
        )

    def _first_and_last_hit(self, row: HoneypotHitRow) -> list[NearbyClick]:
        """The first and the last of hits that say the same; their seqs are no stored click's."""
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
        """The clicks that targets speak about which are hits, where nobody spoke ``earlier``."""
        spoken: dict[HitScope, list[Interval]] = {}
        for hit in self._without_token:
            for place in _hit_scopes(hit):
                spoken.setdefault(place, []).append(_affected_interval(hit.ts_ms, hit.ts_ms))
        added = {place: subtract(merge(each), covered.get(place, ())) for place, each in spoken.items()}
        for (column, value, _), moments in added.items():
            if column == "addr":
                for since, until in moments:
                    yield from self._clicks_from_address(value, since, until - 1)
        nets = {value for (column, value, _), moments in added.items() if column == "net" and moments}
        times = [each for (column, *_), moments in added.items() if column == "net" for each in moments]
        for since, until in merge(times):
            yield from sql.clicks_from_networks(self._store, nets, since=since, until=until - 1)

    def _clicks_from_address(self, address: str, since: int, until: int) -> Iterator[NearbyClickRow]:
        for hour in range(since // HOUR_MS, until // HOUR_MS + 1):
            reading = ReadWindow(since, until, since, until)
            yield from self._rows_of(sql.clicks_by_value(self._store, "addr", [address], reading, hour=hour))


def _affected_interval(first: int, last: int) -> Interval:
    """The moments that hits from the first to the last speak about."""
    return first - HONEYPOT_BY_ADDRESS_MS, last + HONEYPOT_BY_ADDRESS_MS + 1


def _hit_scopes(click: NearbyClick) -> Iterator[HitScope]:
    """Whom a hit of a hidden link speaks about, as ``traps`` has it; nobody if the click is none."""
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
    """What is looked for in which hour: each value ``reach`` milliseconds before and after its time."""
    hours: dict[int, tuple[set[str], list[int]]] = {}
    for value, at in timed_values:
        for hour in range((at - margin_ms) // HOUR_MS, (at + margin_ms) // HOUR_MS + 1):
            known = hours.get(hour)
            if known is None:
                hours[hour] = {value}, [at, at]
            else:
                known[0].add(value)
                if at < known[1][0]:
                    known[1][0] = at
                elif at > known[1][1]:
                    known[1][1] = at
    return {
        hour: (values, ReadWindow(first, last, first - margin_ms, last + margin_ms))
        for hour, (values, (first, last)) in hours.items()
    }


def covering_intervals(times: Iterable[int], *, margin_ms: int) -> Iterator[tuple[int, int]]:
    """Disjoint spans that hold every time with its margin: what lies between two times far apart is not read."""
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
    """The bits of the targets, and of the clicks that a target speaks about: family by family.

    A family's bits of a click that no target speaks about are left as they are stored: its neighbours may not be here.
    ``hits`` of hidden links speak besides, and are not judged. Of the bits in ``caught`` no target rids anybody else,
    so whoever has one keeps it. Where the universe is ``cut``, nobody but the targets loses a bit: what it was found
    by may not be here.
    """
    found = {seq: clicks_by_seq[seq].evidence & REQUEST_MASK for seq in targets}
    first, last = (
        min(clicks_by_seq[seq].ts_ms for seq in targets),
        max(clicks_by_seq[seq].ts_ms for seq in targets),
    )
    ordered = sorted(filter(is_correlatable, clicks_by_seq.values()), key=sort_key)
    copied = [click for click in ordered if click.recipient_token is not None]
    uncopied = [click for click in ordered if click.recipient_token is None] if copied else ordered
    for family in GROUPINGS:
        clicks = _time_slice(
            copied if family.with_token else uncopied,
            first - 2 * family.window_ms,
            last + 2 * family.window_ms,
        )
        if settled := family.evidence_mask & sticky_mask:
            clicks = [click for click in clicks if not click.evidence & settled or click.seq in targets]
            clicks = sorted([*clicks, *honeypot_hits], key=sort_key)
        if family.trigger is None or any(map(family.trigger, clicks)):
            for group in _group_by_key(clicks, family):
                affected = _affected_seqs(group, targets, family)
                for click, bits in (
                    zip(group, detect_in_group(group, family), strict=True) if affected else ()
                ):
                    if (seq := click.seq) in affected and seq in clicks_by_seq:
                        kept = family.evidence_mask if truncated and seq not in targets else 0
                        found[seq] = found.get(seq, click.evidence) & (~family.evidence_mask | kept) | bits
    return found


def _time_slice(clicks: Sequence[NearbyClick], since: int, until: int) -> Sequence[NearbyClick]:
    """The part of clicks in order of time from one moment to another."""
    begin = bisect_left(clicks, since, key=_timestamp)
    return clicks[begin : bisect_right(clicks, until, key=_timestamp)]


def _timestamp(click: NearbyClick) -> int:
    return click.ts_ms


def _group_by_key(clicks: Sequence[NearbyClick], grouping: Grouping) -> Iterator[list[NearbyClick]]:
    """The clicks by a family's key, in their order. Nobody speaks about one that is alone, unless it does itself."""
    alone: dict[Hashable, NearbyClick] = {}
    groups: dict[Hashable, list[NearbyClick]] = {}
    for key, click in zip(map(grouping.key, clicks), clicks, strict=True):
        if key is None:
            continue
        first = alone.setdefault(key, click)
        if first is not click:
            group = groups.get(key)
            if group is None:
                groups[key] = [first, click]
            else:
                group.append(click)
    yield from groups.values()
    if grouping.trigger is not None:
        yield from ([click] for key, click in alone.items() if key not in groups)


def _affected_seqs(group: Sequence[NearbyClick], targets: Set[int], grouping: Grouping) -> Set[int]:
    """The targets in a group, and what lies within the horizon of those of them that speak."""
    own = [click for click in group if click.seq in targets]
    found = {click.seq for click in own}
    if len(own) not in (0, len(group)):
        times = [click.ts_ms for click in own if grouping.trigger is None or grouping.trigger(click)]
        found.update(_seqs_within(group, times, grouping.window_ms) if times else ())
    return found


def _seqs_within(group: Sequence[NearbyClick], times: Sequence[int], window_ms: int) -> list[int]:
    """The clicks of a group that lie within the horizon of a time; both in order of time."""
    near, last, nearest = [], len(times) - 1, 0
    for click in group:
        at = click.ts_ms
        while nearest < last and abs(times[nearest + 1] - at) <= abs(times[nearest] - at):
            nearest += 1
        if abs(times[nearest] - at) <= window_ms:
            near.append(click.seq)
    return near
