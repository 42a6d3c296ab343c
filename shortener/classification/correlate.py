"""Compare clicks with nearby clicks, and find the classifications that change.

Nearby clicks are close in time and share something, such as the network.
"""

# See docs/classification.md, section 11.
from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Iterator, Mapping, Sequence, Set

from msgspec import Struct
from msgspec.structs import replace

from shortener.classification.classify import classify_click
from shortener.classification.evidence import REQUEST_MASK, Classification
from shortener.classification.group_rules import GROUPINGS
from shortener.classification.groups import Grouping, detect_in_group, sort_key
from shortener.classification.nearby_clicks import NearbyClick, is_correlatable


class Neighbourhood(Struct, frozen=True):
    """The clicks with which the clicks to classify are compared."""

    clicks: Mapping[int, NearbyClick] = {}
    """Stored clicks near the clicks to classify, by sequence number. The clicks to classify are not included."""
    honeypot_hits: Sequence[NearbyClick] = ()
    """Earlier clicks on honeypot links. They are evidence only, and are not classified."""
    truncated: bool = False
    """Whether ``clicks`` is incomplete, because too many stored clicks are near the clicks to classify."""
    requests: Mapping[int, Classification] = {}
    """New classifications of requests that were classified again, keyed by the click's sequence number."""


def changed_classifications(
    to_classify: Mapping[int, NearbyClick],  # the clicks by sequence number
    nearby: Neighbourhood,
) -> dict[int, Classification]:
    """Classify clicks, and return the classifications that change, by sequence number.

    The classification of a nearby click can change too.
    """
    before = {**nearby.clicks, **to_classify}
    clicks = before | {
        seq: _with_request_classification(before[seq], request) for seq, request in nearby.requests.items()
    }
    evidence_by_seq = group_evidence(
        clicks, to_classify.keys(), honeypot_hits=nearby.honeypot_hits, truncated=nearby.truncated
    )
    changed = {}
    for seq, evidence in evidence_by_seq.items():
        classification = classify_click(clicks[seq], evidence & ~REQUEST_MASK)
        if (classification.reason, classification.evidence) != (before[seq].reason, before[seq].evidence):
            changed[seq] = classification
    return changed


def _with_request_classification(click: NearbyClick, request: Classification) -> NearbyClick:
    return replace(click, reason=request.reason, evidence=request.evidence | click.evidence & ~REQUEST_MASK)


def group_evidence(
    clicks_by_seq: Mapping[int, NearbyClick],
    seqs_to_classify: Set[int],
    *,
    honeypot_hits: Sequence[NearbyClick] = (),  # earlier clicks on links that are hidden from readers
    truncated: bool = False,  # whether nearby clicks are missing in ``clicks_by_seq``
) -> dict[int, int]:
    """Compare clicks, and return the evidence bits of each by sequence number.

    The result includes nearby clicks whose bits may change.
    """
    evidence_by_seq = {seq: clicks_by_seq[seq].evidence & REQUEST_MASK for seq in seqs_to_classify}
    times = [clicks_by_seq[seq].ts_ms for seq in seqs_to_classify]
    first_at, last_at = min(times), max(times)
    ordered = sorted(filter(is_correlatable, clicks_by_seq.values()), key=sort_key)
    by_token = {
        with_token: [click for click in ordered if (click.recipient_token is not None) is with_token]
        for with_token in (True, False)
    }
    for grouping in GROUPINGS:
        reach = 2 * grouping.window_ms
        clicks = _clicks_between(by_token[grouping.with_token], first_at - reach, last_at + reach)
        if grouping.needs_honeypot_hit:
            clicks = _without_marked(clicks, seqs_to_classify, grouping)
            if not grouping.with_token:
                clicks = sorted([*clicks, *honeypot_hits], key=sort_key)
            if not any(click.honeypot for click in clicks):
                continue
        for group in _group_by_key(clicks, grouping):
            if seqs_to_classify.isdisjoint([click.seq for click in group]):
                continue
            evidence = detect_in_group(group, grouping)
            if not any(evidence) and not any(click.evidence & grouping.evidence_mask for click in group):
                continue
            affected = _affected_seqs(group, seqs_to_classify, grouping)
            for click, bits in zip(group, evidence, strict=True):
                if (seq := click.seq) in affected and seq in clicks_by_seq:
                    # If nearby clicks are incomplete, stored evidence is not taken away.
                    removed = 0 if truncated and seq not in seqs_to_classify else grouping.evidence_mask
                    evidence_by_seq[seq] = evidence_by_seq.get(seq, click.evidence) & ~removed | bits
    return evidence_by_seq


def _clicks_between(clicks: Sequence[NearbyClick], since: int, until: int) -> Sequence[NearbyClick]:
    begin = bisect_left(clicks, since, key=_timestamp)
    return clicks[begin : bisect_right(clicks, until, key=_timestamp)]


def _timestamp(click: NearbyClick) -> int:
    return click.ts_ms


def _without_marked(clicks: Sequence[NearbyClick], seqs_to_classify: Set[int], grouping: Grouping) -> list[NearbyClick]:
    return [
        click
        for click in clicks
        # In a flood of clicks on a honeypot link, this drops nearly all of them, which saves time.
        if not click.evidence & grouping.evidence_mask or click.honeypot or click.seq in seqs_to_classify
    ]


def _group_by_key(clicks: Sequence[NearbyClick], grouping: Grouping) -> Iterator[list[NearbyClick]]:
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
    # A click alone in its group can be a click on the honeypot link itself.
    if grouping.needs_honeypot_hit:
        yield from ([click] for key, click in first_clicks.items() if key not in groups)


def _affected_seqs(group: Sequence[NearbyClick], seqs_to_classify: Set[int], grouping: Grouping) -> Set[int]:
    to_classify = [click for click in group if click.seq in seqs_to_classify]
    affected = {click.seq for click in to_classify}
    if len(to_classify) not in (0, len(group)):
        # Where detectors look for honeypot hits, only such hits change the evidence of other clicks.
        times = [click.ts_ms for click in to_classify if click.honeypot or not grouping.needs_honeypot_hit]
        affected.update(_seqs_near_times(group, times, grouping.window_ms) if times else ())
    return affected


def _seqs_near_times(group: Sequence[NearbyClick], times: Sequence[int], window_ms: int) -> list[int]:
    # The clicks and ``times`` are sorted by time.
    near, last, nearest = [], len(times) - 1, 0
    for click in group:
        at = click.ts_ms
        while nearest < last and abs(times[nearest + 1] - at) <= abs(times[nearest] - at):
            nearest += 1
        if abs(times[nearest] - at) <= window_ms:
            near.append(click.seq)
    return near
