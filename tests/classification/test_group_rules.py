"""Group rules: readers stay human, scanners are found, and a scanner does not affect the readers near it."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from shortener.classification.classify import SETTLED_AFTER_MS, is_settled
from shortener.classification.evidence import (
    DATACENTER,
    NO_FETCH_METADATA,
    NO_LANGUAGE,
    OLD_BROWSER,
    REWRITTEN_LINK,
    SECURITY_VENDOR,
)
from shortener.classification.group_rules import GROUPINGS
from shortener.classification.nearby_clicks import NearbyClick
from shortener.classification.reasons import REASONS, counts_as_human
from shortener.classification.request_reasons import REQUEST_REASONS
from shortener.durations import HOUR_MS
from tests.classification.builders import LINK_COUNT, START, click, numbered
from tests.classification.reference import classify_clicks


def reasons(clicks: Sequence[NearbyClick]) -> list[str]:
    """Return the reasons of the clicks, in the order given."""
    classifications = classify_clicks(numbered(clicks))
    return [classifications[seq].reason for seq in range(len(clicks))]


def changed(nearby_click: NearbyClick, **changes: Any) -> NearbyClick:
    """Return a copy of the click with some fields changed."""
    return msgspec.structs.replace(nearby_click, **changes)


def with_token(clicks: Sequence[NearbyClick], recipient: str = "c1") -> list[NearbyClick]:
    """Return the clicks with the recipient token ``recipient``."""
    return [changed(nearby_click, recipient_token=recipient) for nearby_click in clicks]


OFFICE = [
    click(second, 3, addr="office", agent_id="managed", net="62.1.2.0/24") for second in (0, 0.4, 0.9, 2, 31, 31.2, 88)
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
        (second * 7) % LINK_COUNT,
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
    "a reader with tabs whose proxy removes headers": BARE_TABS,
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
    "an unknown sending time": [click(0, 1, sent_at_ms=None, evidence=DATACENTER)],
    "an editor's test before the sending": [click(0, 1, sent_at_ms=START + HOUR_MS, evidence=DATACENTER)],
    "two readers of a short issue": [click(second, second % 3, link_count=3) for second in (0, 20, 40)],
}


@pytest.mark.parametrize("tokens", [False, True], ids=["one link for all", "recipient token"])
@pytest.mark.parametrize("name", READERS)
def test_readers_stay_human(name: str, tokens: bool) -> None:
    """Clicks of readers are human, with a recipient token and without."""
    clicks = READERS[name]
    if tokens:  # readers behind one address have a token each
        clicks = [changed(reader, recipient_token=f"{reader.addr}-{reader.agent_id}") for reader in clicks]
        if "office" in name:
            clicks = [changed(reader, recipient_token=f"c{seq}") for seq, reader in enumerate(clicks)]
        if "hand-over" in name:
            clicks = with_token(clicks)
    assert {REASONS[reason].verdict for reason in reasons(clicks)} == {"human"}


def sweep(interval: float, *, count: int = LINK_COUNT, **changes: Any) -> list[NearbyClick]:
    """Return clicks on one link after the other, ``interval`` seconds apart."""
    return [click(link * interval, link, **changes) for link in range(count)]


def spread(clicks: Sequence[NearbyClick]) -> list[NearbyClick]:
    """Return the clicks, each from a network, address and browser of its own."""
    return [
        changed(nearby_click, net=f"24.{number}.6.0/24", addr=f"p{number}", agent_id=f"chrome{number}")
        for number, nearby_click in enumerate(clicks)
    ]


SCANNERS: dict[str, tuple[list[NearbyClick], set[str]]] = {
    "a sweep with one token": (with_token(sweep(0.04)), {"burst"}),
    "a sweep from many networks": (with_token(spread(sweep(0.04))), {"burst"}),
    "a walk through residential proxies": (with_token(spread(sweep(1.5))), {"fan-out"}),
    "a sweep without tokens": (sweep(0.04), {"network-burst"}),
    "a sweep over a cloud's networks": (
        [
            changed(nearby_click, net=f"20.{number % 6}.6.0/24", addr=f"p{number}")
            for number, nearby_click in enumerate(sweep(0.04))
        ],
        {"browser-burst"},
    ),
    "a walk in a data center, from address to address": (
        [
            changed(nearby_click, net=f"20.{number}.6.0/24", addr=f"p{number}")
            for number, nearby_click in enumerate(sweep(1.0, evidence=DATACENTER))
        ],
        {"agent-burst"},
    ),
    "a walk through the mail with incomplete headers": (
        with_token(sweep(1.2, evidence=NO_FETCH_METADATA)),
        {"quick-links"},
    ),
    "two links within a second with incomplete headers": (
        with_token(sweep(0.2, count=2, evidence=NO_LANGUAGE)),
        {"pair"},
    ),
    "a slow walk through everything with incomplete headers": (
        with_token(sweep(8.0, evidence=NO_LANGUAGE)),
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
    "soon after the sending, with incomplete headers": (
        [click(0, 1, evidence=NO_LANGUAGE, sent_at_ms=START - 60_000)],
        {"bare-soon"},
    ),
    "seconds after the sending": ([click(0, 1, sent_at_ms=START - 5_000)], {"seconds-after-sending"}),
    "tabs within a minute of the sending": (
        [changed(tab, sent_at_ms=START - 20_000) for tab in TABS],
        {"quick-links"},
    ),
    "a honeypot hit and clicks with its token": (
        with_token([click(0, 0, honeypot=True), click(30, 4), click(90, 5)]),
        {"hidden-link", "hidden-link-copy"},
    ),
    "a honeypot hit and clicks from its address": (
        [click(0, 0, honeypot=True, evidence=NO_LANGUAGE), click(-400, 4, agent_id="other"), click(800, 5)],
        {"hidden-link", "hidden-link-address"},
    ),
    "a honeypot hit and clicks from its data-center network": (
        [
            click(0, 0, honeypot=True, evidence=DATACENTER, addr="x"),
            click(400, 4, evidence=DATACENTER, addr="y", agent_id="b"),
        ],
        {"hidden-link", "hidden-link-address"},
    ),
}


@pytest.mark.parametrize("name", SCANNERS)
def test_scanners_are_found(name: str) -> None:
    """Every click of a scanner gets the verdict ``scanner`` and the expected reason."""
    clicks, expected = SCANNERS[name]
    actual = reasons(clicks)
    assert set(actual) == expected
    assert {REASONS[reason].verdict for reason in actual} == {"scanner"}


MIXED: dict[str, tuple[list[NearbyClick], list[str]]] = {
    "a check at click time does not affect the reader": (
        with_token([click(0, 3), click(12, 3, net="20.3.4.0/24", addr="dc", agent_id="edge", evidence=DATACENTER)]),
        ["reader", "click-time-check"],
    ),
    "a check before the reader's click": (
        with_token([click(12, 3), click(0, 3, net="20.3.4.0/24", addr="dc", agent_id="edge", evidence=DATACENTER)]),
        ["reader", "click-time-check"],
    ),
    "a check from an unknown network with incomplete headers": (
        with_token([click(0, 3), click(12, 3, net="20.3.4.0/24", addr="dc", agent_id="edge", evidence=NO_LANGUAGE)]),
        ["reader", "click-time-check"],
    ),
    "a reader with incomplete headers before the check": (
        with_token(
            [
                click(0, 3, evidence=NO_FETCH_METADATA),
                click(12, 3, net="20.3.4.0/24", addr="dc", agent_id="edge"),
            ]
        ),
        ["reader", "reader"],
    ),
    "checks of a reader's tabs from many networks": (
        with_token(
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
    "previews of a link that the reader shared": (
        with_token(
            [
                click(0, 3),
                *(
                    click(1 + link / 10, link, net=f"20.{link}.4.0/24", reason="named-preview", agent_id="bot")
                    for link in range(5)
                ),
            ]
        ),
        ["reader", *["named-preview"] * 5],
    ),
    "Gmail's image proxy before the reader": (
        [
            click(0, 1, net="66.249.93.0/24", addr="g", agent_id="proxy", reason="named-bot"),
            click(2, 1),
            click(9, 4),
        ],
        ["named-bot", "reader", "reader"],
    ),
    "prefetches before the reader": (
        [*(click(link / 10, link, reason="prefetch-header") for link in range(4)), click(5, 2)],
        [*["prefetch-header"] * 4, "reader"],
    ),
    "a click echo without Accept-Language": (
        [click(0, 3), click(8, 3, net="20.1.2.0/24", addr="s", agent_id="edge", evidence=NO_LANGUAGE)],
        ["reader", "click-echo"],
    ),
    "a click echo from a data center": (
        [click(0, 3), click(8, 3, net="20.1.2.0/24", addr="s", agent_id="edge", evidence=DATACENTER)],
        ["reader", "click-echo"],
    ),
    "colleagues on virtual desktops after another reader": (
        [
            click(0, 3),
            *(click(at, 3, net="20.1.2.0/24", addr="vdi", agent_id="edge", evidence=DATACENTER) for at in (6, 17, 28)),
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
    "a click through a rewriter is no click echo": (
        [click(0, 3), click(8, 3, net="62.9.2.0/24", agent_id="edge", evidence=NO_LANGUAGE | REWRITTEN_LINK)],
        ["reader", "rewritten-link"],
    ),
    "a reader who opens the honeypot link does not affect a colleague": (
        [click(0, 0, honeypot=True), click(60, 3), click(60, 3, agent_id="colleague")],
        ["hidden-link", "hidden-link-address", "reader"],
    ),
    "a honeypot hit outside the window": (
        with_token([click(0, 0, honeypot=True), click(121, 3)]),
        ["hidden-link", "reader"],
    ),
    "another recipient in the same office": (
        [*with_token(sweep(0.04)), click(0.1, 3, recipient_token="c2")],
        [*["burst"] * LINK_COUNT, "reader"],
    ),
    "a double click": (
        [click(0, 1), click(4, 1), click(20, 1)],
        ["reader", "double-click", "reader"],
    ),
}


@pytest.mark.parametrize("name", MIXED)
def test_automated_clicks_do_not_affect_nearby_readers(name: str) -> None:
    """Automated clicks get their reasons, and readers near them stay human."""
    clicks, expected = MIXED[name]
    assert reasons(clicks) == expected


def test_bursts_are_found_on_a_busy_network() -> None:
    """On a network with two clicks a second, readers are no burst, and a scanner's twelve links in a second are."""
    scanner = [
        changed(nearby_click, net="172.58.1.0/24", addr="m", ts_ms=nearby_click.ts_ms + 60_300)
        for nearby_click in sweep(0.04)
    ]
    actual = reasons([*CARRIER, *scanner])
    assert set(actual[-LINK_COUNT:]) == {"network-burst"}
    assert actual[: len(CARRIER)].count("network-burst") <= 6


@pytest.mark.parametrize("tokens", [False, True])
def test_groupings_do_not_share_evidence_bits(tokens: bool) -> None:
    """No two groupings set the same bit of one click, so that each can be evaluated without the others."""
    masks = [grouping.evidence_mask for grouping in GROUPINGS if grouping.with_token is tokens]
    assert sum(mask.bit_count() for mask in masks) == sum(masks).bit_count()
    assert max(masks) < 1 << 31


def test_a_verdict_settles_after_the_longest_window() -> None:
    """A verdict is settled after 15 minutes, the longest window of any group."""
    assert SETTLED_AFTER_MS == 900_000
    assert not is_settled(START, now_ms=START + SETTLED_AFTER_MS)
    assert is_settled(START, now_ms=START + SETTLED_AFTER_MS + 1)


def test_bands_are_nested() -> None:
    """A reason that is human in the strict band is so in the usual band, and from there in the lenient band."""
    for name in REASONS:
        strict, usual, lenient = (counts_as_human(name, band=band) for band in ("strict", "usual", "lenient"))
        assert strict <= usual <= lenient
        assert usual is (REASONS[name].verdict == "human")
    assert not counts_as_human("many-tabs", band="strict")
    assert counts_as_human("quick-links", band="lenient")
    assert not counts_as_human("burst", band="lenient")


def test_nearby_clicks_do_not_change_a_request_reason() -> None:
    """A reason that the request decides alone stays, whatever the nearby clicks are."""
    for reason in REQUEST_REASONS:
        assert reasons([click(0, 1, reason=reason), click(0.2, 1)])[0] == reason
