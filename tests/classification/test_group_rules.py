"""Rules over sets of clicks: readers stay readers, sweeps are found, and order does not matter."""

from collections.abc import Sequence
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortener.classification.evidence import (
    DATACENTER,
    INCOMPLETE_HEADERS,
    NO_FETCH_METADATA,
    NO_LANGUAGE,
    OLD_BROWSER,
    REWRITTEN_LINK,
    SECURITY_VENDOR,
)
from shortener.classification.group_rules import (
    FINAL_AFTER_MS,
    SETTLED_AFTER_MS,
    classify_by_grouping,
    classify_clicks,
    is_settled,
)
from shortener.classification.groups import GROUPINGS, Grouping
from shortener.classification.nearby_clicks import NearbyClick
from shortener.classification.reasons import REASONS, REQUEST_REASONS, counts_as_human

START = 1_790_000_000_000
HOUR = 3_600_000
LINKS = 12


def click(seconds: float, link: int, **given: Any) -> NearbyClick:
    """A reader's click, so many seconds after START on link ``link`` of an issue sent two hours before."""
    usual: dict[str, Any] = {
        "seq": 0,
        "ts_ms": START + round(seconds * 1000),
        "link_id": link,
        "issue_id": 1,
        "n": link + 1,
        "net": "24.5.6.0/24",
        "addr": "a1",
        "agent_id": "chrome",
        "sent_at_ms": START - 2 * HOUR,
        "link_count": LINKS,
    }
    return NearbyClick(**{**usual, **given})


def numbered(clicks: Sequence[NearbyClick]) -> list[NearbyClick]:
    return [msgspec.structs.replace(one, seq=seq) for seq, one in enumerate(clicks)]


def reasons(clicks: Sequence[NearbyClick]) -> list[str]:
    """The reasons of the clicks, in the order given."""
    judged = classify_clicks(numbered(clicks))
    return [judged[seq].reason for seq in range(len(clicks))]


def with_copy(clicks: Sequence[NearbyClick], copy: str = "c1") -> list[NearbyClick]:
    return [msgspec.structs.replace(one, copy=copy) for one in clicks]


OFFICE = [
    click(second, 3, addr="office", agent_id="managed", net="62.1.2.0/24")
    for second in (0, 0.4, 0.9, 2, 31, 31.2, 88)
]
SIX_ARTICLES = [click(second, link) for link, second in enumerate((0, 9, 21, 30, 41, 55))]
TABS = [click(second, link) for link, second in enumerate((0, 2.4, 4.1, 7.9))]
BARE_TABS = [click(second, link, evidence=NO_FETCH_METADATA) for link, second in enumerate((0, 2.4, 4.1))]
RELAY = [
    click(second, link, net="104.28.30.0/24", addr=addr, agent_id=agent)
    for second, link, addr, agent in (
        (0, 1, "r1", "ios"),
        (0.2, 5, "r2", "mac"),
        (40, 2, "r3", "ios"),
        (41, 7, "r1", "ios"),
    )
]
VDI = [click(second, link, evidence=DATACENTER, addr="vdi") for link, second in enumerate((0, 4, 8, 60, 300))]
ISOLATED = [
    click(second, link, evidence=SECURITY_VENDOR | DATACENTER, addr="iso")
    for link, second in enumerate((0, 3, 6, 9, 200))
]
CARRIER = [
    click(
        second / 2,
        (second * 7) % LINKS,
        net="172.58.1.0/24",
        addr=f"m{second % 40}",
        agent_id=f"phone{second % 9}",
    )
    for second in range(240)
]

READERS = {
    "an office behind one address on one link": OFFICE,
    "a reader who opens six articles in a minute": SIX_ARTICLES,
    "a reader with tabs": TABS,
    "a reader with tabs whose proxy strips headers": BARE_TABS,
    "two readers behind Apple's Private Relay": RELAY,
    "a virtual desktop in a cloud": VDI,
    "browser isolation by a mail-security vendor": ISOLATED,
    "a phone network's shared addresses at two clicks a second": CARRIER,
    "a double click": [click(0, 1), click(0.3, 1)],
    "a privacy browser without headers": [
        click(0, 1, evidence=NO_LANGUAGE),
        click(40, 4, evidence=NO_LANGUAGE),
    ],
    "an old browser in a kiosk": [click(0, 1, evidence=OLD_BROWSER), click(20, 4, evidence=OLD_BROWSER)],
    "a reader whose mail is rewritten": [
        click(second, link, evidence=REWRITTEN_LINK | NO_FETCH_METADATA)
        for link, second in enumerate((0, 0.9, 4, 5, 6))
    ],
    "a mobile hand-over": [click(0, 1, net="172.58.1.0/24", addr="m"), click(12, 2), click(25, 3)],
    "the issue's time of sending unknown": [click(0, 1, sent_at_ms=None, evidence=DATACENTER)],
    "an editor's test before the sending": [click(0, 1, sent_at_ms=START + HOUR, evidence=DATACENTER)],
    "two readers of a short issue": [click(second, second % 3, link_count=3) for second in (0, 20, 40)],
}


@pytest.mark.parametrize("copies", [False, True], ids=["one link for all", "copy token"])
@pytest.mark.parametrize("name", READERS)
def test_readers_stay_human(name: str, copies: bool) -> None:
    """Readers keep their clicks, with a copy token and without."""
    clicks = READERS[name]
    if copies:  # who shares an address has a copy each
        clicks = [msgspec.structs.replace(one, copy=f"{one.addr}-{one.agent_id}") for one in clicks]
        if "office" in name:
            clicks = [msgspec.structs.replace(one, copy=f"c{number}") for number, one in enumerate(clicks)]
        if "hand-over" in name:
            clicks = with_copy(clicks)
    assert {REASONS[reason].verdict for reason in reasons(clicks)} == {"human"}


def sweep(gap: float, *, count: int = LINKS, **given: Any) -> list[NearbyClick]:
    return [click(link * gap, link, **given) for link in range(count)]


def spread(clicks: Sequence[NearbyClick]) -> list[NearbyClick]:
    return [
        msgspec.structs.replace(one, net=f"24.{number}.6.0/24", addr=f"p{number}", agent_id=f"chrome{number}")
        for number, one in enumerate(clicks)
    ]


MACHINES: dict[str, tuple[list[NearbyClick], set[str]]] = {
    "a sweep of one copy": (with_copy(sweep(0.04)), {"burst"}),
    "a sweep from many networks": (with_copy(spread(sweep(0.04))), {"burst"}),
    "a walk through residential proxies": (with_copy(spread(sweep(1.5))), {"fan-out"}),
    "a sweep without tokens": (sweep(0.04), {"network-burst"}),
    "a sweep over a cloud's networks": (
        [
            msgspec.structs.replace(one, net=f"20.{number % 6}.6.0/24", addr=f"p{number}")
            for number, one in enumerate(sweep(0.04))
        ],
        {"browser-burst"},
    ),
    "a walk in a data center, from address to address": (
        [
            msgspec.structs.replace(one, net=f"20.{number}.6.0/24", addr=f"p{number}")
            for number, one in enumerate(sweep(1.0, evidence=DATACENTER))
        ],
        {"agent-burst"},
    ),
    "a walk through the mail with a gap": (
        with_copy(sweep(1.2, evidence=NO_FETCH_METADATA)),
        {"quick-links"},
    ),
    "two links at once with a gap": (with_copy(sweep(0.2, count=2, evidence=NO_LANGUAGE)), {"pair"}),
    "a slow walk through everything with a gap": (
        with_copy(sweep(8.0, evidence=NO_LANGUAGE)),
        {"most-links"},
    ),
    "soon after the sending, from a data center": (
        [click(0, 1, evidence=DATACENTER, sent_at_ms=START - 300_000)],
        {"datacenter-soon"},
    ),
    "soon after the sending, from a vendor": (
        [click(0, 1, evidence=SECURITY_VENDOR, sent_at_ms=START - 300_000)],
        {"vendor-network"},
    ),
    "soon after the sending, with a gap": (
        [click(0, 1, evidence=NO_LANGUAGE, sent_at_ms=START - 60_000)],
        {"bare-soon"},
    ),
    "seconds after the sending": ([click(0, 1, sent_at_ms=START - 5_000)], {"seconds-after-sending"}),
    "tabs within a minute of the sending": (
        [msgspec.structs.replace(one, sent_at_ms=START - 20_000) for one in TABS],
        {"quick-links"},
    ),
    "the hidden link, and what follows": (
        with_copy([click(0, 0, honeypot=True), click(30, 4), click(90, 5)]),
        {"hidden-link", "hidden-link-copy"},
    ),
    "the hidden link from an address": (
        [click(0, 0, honeypot=True, evidence=NO_LANGUAGE), click(-400, 4, agent_id="other"), click(800, 5)],
        {"hidden-link", "hidden-link-address"},
    ),
    "the hidden link from a data center's network": (
        [
            click(0, 0, honeypot=True, evidence=DATACENTER, addr="x"),
            click(400, 4, evidence=DATACENTER, addr="y", agent_id="b"),
        ],
        {"hidden-link", "hidden-link-address"},
    ),
    "a rare browser on many copies": (
        [
            click(n * 60, n, copy=f"c{n}", rare_agent=True, evidence=OLD_BROWSER, agent_id="odd")
            for n in range(4)
        ],
        {"rare-agent"},
    ),
}


@pytest.mark.parametrize("name", MACHINES)
def test_machines_are_found(name: str) -> None:
    """Every click of a machine is a scanner's, with the rule that says so."""
    clicks, expected = MACHINES[name]
    found = reasons(clicks)
    assert set(found) == expected
    assert {REASONS[reason].verdict for reason in found} == {"scanner"}


BESIDE: dict[str, tuple[list[NearbyClick], list[str]]] = {
    "a time-of-click check leaves the reader": (
        with_copy(
            [click(0, 3), click(12, 3, net="20.3.4.0/24", addr="dc", agent_id="edge", evidence=DATACENTER)]
        ),
        ["reader", "click-time-check"],
    ),
    "a check before the reader as well": (
        with_copy(
            [click(12, 3), click(0, 3, net="20.3.4.0/24", addr="dc", agent_id="edge", evidence=DATACENTER)]
        ),
        ["reader", "click-time-check"],
    ),
    "a check from an unknown network with a gap": (
        with_copy(
            [click(0, 3), click(12, 3, net="20.3.4.0/24", addr="dc", agent_id="edge", evidence=NO_LANGUAGE)]
        ),
        ["reader", "click-time-check"],
    ),
    "a reader with a gap before the check": (
        with_copy(
            [
                click(0, 3, evidence=NO_FETCH_METADATA),
                click(12, 3, net="20.3.4.0/24", addr="dc", agent_id="edge"),
            ]
        ),
        ["reader", "reader"],
    ),
    "checks of a reader's tabs from everywhere leave the reader": (
        with_copy(
            [
                *TABS,
                *(
                    click(second + 3, link, net=f"20.{link}.4.0/24", addr="dc", agent_id="edge")
                    for link, second in enumerate((0, 2.4, 4.1, 7.9))
                ),
            ]
        ),
        ["many-tabs"] * 8,
    ),
    "previews of a shared link say nothing about the reader": (
        with_copy(
            [
                click(0, 3),
                *(
                    click(
                        1 + link / 10, link, net=f"20.{link}.4.0/24", reason="named-preview", agent_id="bot"
                    )
                    for link in range(5)
                ),
            ]
        ),
        ["reader", *["named-preview"] * 5],
    ),
    "Gmail's image proxy says nothing about the reader": (
        [
            click(0, 1, net="66.249.93.0/24", addr="g", agent_id="proxy", reason="named-bot"),
            click(2, 1),
            click(9, 4),
        ],
        ["named-bot", "reader", "reader"],
    ),
    "prefetches say nothing about the reader": (
        [*(click(link / 10, link, reason="prefetch-header") for link in range(4)), click(5, 2)],
        [*["prefetch-header"] * 4, "reader"],
    ),
    "a second look at what the only reader just opened": (
        [click(0, 3), click(8, 3, net="20.1.2.0/24", addr="s", agent_id="edge", evidence=NO_LANGUAGE)],
        ["reader", "click-echo"],
    ),
    "a second look from a data center": (
        [click(0, 3), click(8, 3, net="20.1.2.0/24", addr="s", agent_id="edge", evidence=DATACENTER)],
        ["reader", "click-echo"],
    ),
    "colleagues on virtual desktops after another reader": (
        [
            click(0, 3),
            *(
                click(at, 3, net="20.1.2.0/24", addr="vdi", agent_id="edge", evidence=DATACENTER)
                for at in (6, 17, 28)
            ),
        ],
        ["reader", "reader", "reader", "reader"],
    ),
    "a privacy browser on a link that others open too": (
        [
            click(0, 3),
            click(25, 3, net="62.1.2.0/24", addr="b", agent_id="edge"),
            click(8, 3, net="62.9.2.0/24", addr="p", agent_id="private", evidence=NO_LANGUAGE),
        ],
        ["reader", "reader", "reader"],
    ),
    "a privacy browser before another reader, on another link, or in the same place": (
        [
            click(8, 3),
            click(0, 3, net="62.9.2.0/24", addr="p", agent_id="private", evidence=NO_LANGUAGE),
            click(12, 5, net="62.9.2.0/24", addr="p", agent_id="private", evidence=NO_LANGUAGE),
            click(13, 3, addr="q", agent_id="private", evidence=NO_LANGUAGE),
        ],
        ["reader", "reader", "reader", "reader"],
    ),
    "a second look through a rewriter is a reader's": (
        [click(0, 3), click(8, 3, net="62.9.2.0/24", agent_id="edge", evidence=NO_LANGUAGE | REWRITTEN_LINK)],
        ["reader", "rewritten-link"],
    ),
    "a reader who finds the hidden link is not everybody": (
        [click(0, 0, honeypot=True), click(60, 3), click(60, 3, agent_id="colleague")],
        ["hidden-link", "hidden-link-address", "reader"],
    ),
    "the hidden link is not for ever": (
        with_copy([click(0, 0, honeypot=True), click(121, 3)]),
        ["hidden-link", "reader"],
    ),
    "another copy in the same office": (
        [*with_copy(sweep(0.04)), click(0.1, 3, copy="c2")],
        [*["burst"] * LINKS, "reader"],
    ),
    "a double click counts as one": (
        [click(0, 1), click(4, 1), click(20, 1)],
        ["reader", "double-click", "reader"],
    ),
}


@pytest.mark.parametrize("name", BESIDE)
def test_machines_beside_readers(name: str) -> None:
    """What a machine does is not held against the reader beside it."""
    clicks, expected = BESIDE[name]
    assert reasons(clicks) == expected


def test_a_busy_network_is_no_sweep_and_a_sweep_in_it_is() -> None:
    """Where readers click all the time, three links in a second are nothing; twelve still are a sweep."""
    machine = [msgspec.structs.replace(one, net="172.58.1.0/24", addr="m") for one in sweep(0.04)]
    found = reasons([*CARRIER, *(msgspec.structs.replace(one, ts_ms=one.ts_ms + 60_300) for one in machine)])
    assert set(found[-LINKS:]) == {"network-burst"}
    assert found[: len(CARRIER)].count("network-burst") <= 6


@st.composite
def crowds(draw: st.DrawFn) -> list[NearbyClick]:
    """Some hundred clicks that share a lot, within a few minutes, with every kind of request."""
    rng = Random(draw(st.integers(0, 2**32)))
    copies = draw(st.sampled_from([(None,), ("c1", "c2", None), ("c1", "c2")]))
    span = draw(st.sampled_from([20_000, 200_000, 2_000_000]))
    return numbered(
        [
            click(
                rng.randrange(span) / 1000,
                link := rng.randrange(6),
                n=link + 1,
                issue_id=rng.choice((1, 1, 2)),
                net=rng.choice(("1.1.1.0/24", "2.2.2.0/24", "3.3.3.0/24", "4.4.4.0/24", None)),
                addr=rng.choice(("a", "b", "c")),
                agent_id=rng.choice(("x", "y", "z", None)),
                copy=rng.choice(copies),
                evidence=rng.choice(
                    (0, 0, 0, NO_LANGUAGE, DATACENTER, INCOMPLETE_HEADERS, SECURITY_VENDOR, OLD_BROWSER)
                ),
                reason=rng.choice(
                    ("reader", "reader", "reader", "reader", "head-request", "prefetch-header")
                ),
                honeypot=link == 0 and rng.random() < 0.3,
                link_count=6,
                rare_agent=rng.random() < 0.2,
            )
            for _ in range(draw(st.integers(2, 90)))
        ]
    )


@settings(max_examples=50, deadline=None)
@given(crowds(), st.randoms())
def test_the_order_of_arrival_does_not_matter(clicks: list[NearbyClick], random: Any) -> None:
    """A set has one judgement, whatever order its clicks are given in."""
    shuffled = list(clicks)
    random.shuffle(shuffled)
    assert classify_clicks(shuffled) == classify_clicks(clicks)


@settings(max_examples=50, deadline=None)
@given(crowds())
def test_judging_again_changes_nothing(clicks: list[NearbyClick]) -> None:
    """The stored reasons and bits lead to the same judgement as the requests' own."""
    first = classify_clicks(clicks)
    stored = [
        msgspec.structs.replace(one, reason=first[one.seq].reason, evidence=first[one.seq].evidence)
        for one in clicks
    ]
    assert classify_clicks(stored) == first


def keyed(family: Grouping, one: NearbyClick) -> tuple[Any, ...]:
    return (one.recipient_token is not None, *(getattr(one, column) for column in family.key_fields))


@settings(max_examples=40, deadline=None)
@given(crowds(), st.integers(0, 89))
def test_only_neighbours_within_the_horizon_matter(clicks: list[NearbyClick], number: int) -> None:
    """A verdict is the same when only those are known that share a key within its family's horizon."""
    one = clicks[number % len(clicks)]
    near = {
        other.seq: other
        for family in GROUPINGS
        for other in clicks
        if keyed(family, other) == keyed(family, one) and abs(other.ts_ms - one.ts_ms) <= family.window_ms
    }
    assert classify_clicks(near.values())[one.seq] == classify_clicks(clicks)[one.seq]


def collect(batches: Sequence[Sequence[NearbyClick]]) -> dict[int, NearbyClick]:
    """Take clicks in batch by batch, as a collector does: by family, one key and two horizons at a time."""
    stored: dict[int, NearbyClick] = {}
    for batch in batches:
        stored |= {one.seq: one for one in batch}
        for family in GROUPINGS:
            touched: dict[Any, list[int]] = {}
            for one in batch:
                touched.setdefault(keyed(family, one), []).append(one.ts_ms)
            for key, times in touched.items():
                low, high, far = min(times), max(times), family.window_ms
                same = [one for one in stored.values() if keyed(family, one) == key]
                around = [one for one in same if low - 2 * far <= one.ts_ms <= high + 2 * far]
                for seq, judged in classify_by_grouping(around, family).items():
                    if low - far <= stored[seq].ts_ms <= high + far:
                        stored[seq] = msgspec.structs.replace(
                            stored[seq], reason=judged.reason, evidence=judged.evidence
                        )
    return stored


@settings(max_examples=40, deadline=None)
@given(crowds(), st.lists(st.integers(1, 40), min_size=1, max_size=8), st.randoms())
def test_batches_do_not_matter(clicks: list[NearbyClick], sizes: list[int], random: Any) -> None:
    """Clicks that come in any order and any batches end up with the verdicts of the whole set."""
    expected = classify_clicks(clicks)
    order = list(clicks)
    random.shuffle(order)
    batches: list[list[NearbyClick]] = []
    while order:
        size = sizes[len(batches) % len(sizes)]
        batches.append(order[:size])
        order = order[size:]
    found = collect(batches)
    assert {seq: (one.reason, one.evidence) for seq, one in found.items()} == {
        seq: (judged.reason, judged.evidence) for seq, judged in expected.items()
    }


def test_families_do_not_share_bits() -> None:
    """Two families never set the same bit of one click, so that each can look again by itself."""
    for copies in (False, True):
        bits = [family.evidence_mask for family in GROUPINGS if family.with_token is copies]
        assert sum(bits) == sum(1 << place for place in range(40) if any(bit >> place & 1 for bit in bits))
        assert max(bits) < 1 << 31


def test_a_window_settles() -> None:
    """A click settles when its longest window is closed, and is final a day later."""
    assert SETTLED_AFTER_MS == 900_000
    assert not is_settled(START, now_ms=START + SETTLED_AFTER_MS)
    assert is_settled(START, now_ms=START + SETTLED_AFTER_MS + 1)
    assert not is_settled(START, now_ms=START + HOUR, after_ms=FINAL_AFTER_MS)


def test_bands_are_nested() -> None:
    """What the strict count calls human, the usual one does; and what that does, the lenient one does."""
    for name in REASONS:
        strict, usual, lenient = (counts_as_human(name, band=band) for band in ("strict", "usual", "lenient"))
        assert strict <= usual <= lenient
        assert usual is (REASONS[name].verdict == "human")
    assert not counts_as_human("many-tabs", band="strict")
    assert counts_as_human("quick-links", band="lenient")
    assert not counts_as_human("burst", band="lenient")


def test_a_requests_machine_stays_one() -> None:
    """Neighbours never make a reader of a machine."""
    for reason in REQUEST_REASONS:
        assert reasons([click(0, 1, reason=reason), click(0.2, 1)])[0] == reason
