"""The classification of a set of clicks depends neither on their order nor on the batches in which they arrive."""

from collections.abc import Sequence
from random import Random
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from shortener.classification.classify import classify_click
from shortener.classification.correlate import group_evidence
from shortener.classification.evidence import (
    DATACENTER,
    INCOMPLETE_HEADERS,
    NO_LANGUAGE,
    OLD_BROWSER,
    SECURITY_VENDOR,
)
from shortener.classification.group_rules import GROUPINGS
from shortener.classification.groups import Grouping
from shortener.classification.nearby_clicks import NearbyClick
from tests.classification.builders import click, numbered
from tests.classification.reference import classify_clicks


@st.composite
def crowds(draw: st.DrawFn) -> list[NearbyClick]:
    """Generate up to 90 clicks within a few minutes that share networks, addresses, browsers, links and tokens."""
    rng = Random(draw(st.integers(0, 2**32)))
    tokens = draw(st.sampled_from([(None,), ("c1", "c2", None), ("c1", "c2")]))
    duration_ms = draw(st.sampled_from([20_000, 200_000, 2_000_000]))
    return numbered(
        [
            click(
                rng.randrange(duration_ms) / 1000,
                link := rng.randrange(6),
                n=link + 1,
                issue_id=rng.choice((1, 1, 2)),
                net=rng.choice(("1.1.1.0/24", "2.2.2.0/24", "3.3.3.0/24", "4.4.4.0/24", None)),
                addr=rng.choice(("a", "b", "c")),
                agent_id=rng.choice(("x", "y", "z", None)),
                recipient_token=rng.choice(tokens),
                evidence=rng.choice(
                    (0, 0, 0, NO_LANGUAGE, DATACENTER, INCOMPLETE_HEADERS, SECURITY_VENDOR, OLD_BROWSER)
                ),
                reason=rng.choice(("reader", "reader", "reader", "reader", "head-request", "prefetch-header")),
                honeypot=link == 0 and rng.random() < 0.3,
                link_count=6,
            )
            for _ in range(draw(st.integers(2, 90)))
        ]
    )


@settings(max_examples=50, deadline=None)
@given(crowds(), st.randoms())
def test_order_of_arrival_does_not_matter(clicks: list[NearbyClick], random: Any) -> None:
    """Clicks in any order get equal classifications."""
    shuffled = list(clicks)
    random.shuffle(shuffled)
    assert classify_clicks(shuffled) == classify_clicks(clicks)


@settings(max_examples=50, deadline=None)
@given(crowds())
def test_reclassifying_changes_nothing(clicks: list[NearbyClick]) -> None:
    """Classifying clicks from their stored reasons and evidence gives the stored classification."""
    first = classify_clicks(clicks)
    stored = [
        msgspec.structs.replace(
            nearby_click, reason=first[nearby_click.seq].reason, evidence=first[nearby_click.seq].evidence
        )
        for nearby_click in clicks
    ]
    assert classify_clicks(stored) == first


def shared_values(grouping: Grouping, nearby_click: NearbyClick) -> tuple[Any, ...]:
    """Return the values of the key fields, by which the store looks up nearby clicks."""
    values = (getattr(nearby_click, field) for field in grouping.key_fields)
    return (nearby_click.recipient_token is not None, *values)


@settings(max_examples=40, deadline=None)
@given(crowds(), st.integers(0, 89))
def test_only_clicks_within_the_window_matter(clicks: list[NearbyClick], index: int) -> None:
    """A click keeps its classification without the clicks that share no key fields within the grouping's window."""
    target = clicks[index % len(clicks)]
    nearby = {
        other.seq: other
        for grouping in GROUPINGS
        for other in clicks
        if shared_values(grouping, other) == shared_values(grouping, target)
        and abs(other.ts_ms - target.ts_ms) <= grouping.window_ms
    }
    assert classify_clicks(nearby.values())[target.seq] == classify_clicks(clicks)[target.seq]


def classify_in_batches(batches: Sequence[Sequence[NearbyClick]]) -> dict[int, NearbyClick]:
    """Return the clicks by ``seq``, classified batch by batch as the collector does."""
    stored: dict[int, NearbyClick] = {}
    for batch in batches:
        stored |= {nearby_click.seq: nearby_click for nearby_click in batch}
        for seq, evidence in group_evidence(stored, {nearby_click.seq for nearby_click in batch}).items():
            classification = classify_click(stored[seq], evidence)
            stored[seq] = msgspec.structs.replace(
                stored[seq], reason=classification.reason, evidence=classification.evidence
            )
    return stored


@settings(max_examples=40, deadline=None)
@given(crowds(), st.lists(st.integers(1, 40), min_size=1, max_size=8), st.randoms())
def test_batches_do_not_matter(clicks: list[NearbyClick], sizes: list[int], random: Any) -> None:
    """Clicks in any order and any batches end with the classifications of the whole set."""
    remaining = list(clicks)
    random.shuffle(remaining)
    batches: list[list[NearbyClick]] = []
    while remaining:
        size = sizes[len(batches) % len(sizes)]
        batches.append(remaining[:size])
        remaining = remaining[size:]
    expected = classify_clicks(clicks)
    assert {seq: (stored.reason, stored.evidence) for seq, stored in classify_in_batches(batches).items()} == {
        seq: (classification.reason, classification.evidence) for seq, classification in expected.items()
    }
