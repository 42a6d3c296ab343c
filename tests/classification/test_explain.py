"""Explanations: the scoreboard of a click."""

from shortener.classification.evidence import (
    BURST,
    DATACENTER,
    EVIDENCE_TEXTS,
    NO_LANGUAGE,
    TWO_LINKS_1S,
    ClickRequest,
    describe_evidence,
)
from shortener.classification.explain import explain
from shortener.classification.group_rules import ALL_RULES
from shortener.classification.groups import GROUPINGS
from shortener.classification.nearby_clicks import NearbyClick
from shortener.classification.reasons import REASONS
from shortener.classification.request_rules import request_evidence

AT = 1_790_000_000_000


def test_every_rule_that_spoke_is_on_the_board() -> None:
    """All rules that speak are listed with what they saw; the surest decides."""
    gaps = BURST | TWO_LINKS_1S | NO_LANGUAGE | DATACENTER
    click = NearbyClick(
        seq=1, ts_ms=AT, link_id=2, recipient_token="c", reason="burst", evidence=gaps, sent_at_ms=AT - 60_000
    )
    explained = explain(click)
    assert explained.classification.reason == "burst"
    spoken = {one.reason: one for one in explained.matches}
    assert list(spoken) == ["burst", "datacenter-soon", "pair", "bare-soon"]
    assert [one.decided for one in explained.matches] == [True, False, False, False]
    assert spoken["datacenter-soon"].evidence == (
        "the network is on a data-center list",
        "60 s after the sending",
    )
    assert "no Accept-Language was sent" in spoken["pair"].evidence


def test_a_requests_rules_are_named_with_its_headers() -> None:
    """With the request at hand, each of its rules says what it read."""
    evidence = ClickRequest(
        ts=AT / 1000,
        method="HEAD",
        ua="Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
        headers={"range": "bytes=0-9", "accept": "*/*"},
        net="40.107.1.0/24",
    )
    click = NearbyClick(
        seq=1,
        ts_ms=AT,
        link_id=2,
        reason="named-preview",
        evidence=request_evidence(evidence),
        net="40.107.1.0/24",
    )
    explained = explain(click, request=evidence)
    spoken = {one.reason: one for one in explained.matches}
    assert list(spoken)[:4] == ["named-preview", "head-request", "range-request", "gateway-network"]
    assert "Slackbot" in spoken["named-preview"].evidence[0]
    assert spoken["range-request"].evidence == ("range: bytes=0-9",)
    assert spoken["gateway-network"].evidence == ("40.107.1.0/24: Microsoft Exchange Online Protection",)
    assert spoken["named-preview"].decided


def test_a_reader_is_explained() -> None:
    """A click with nothing against it says so."""
    explained = explain(NearbyClick(seq=1, ts_ms=AT, link_id=2))
    assert [(one.reason, one.decided) for one in explained.matches] == [("reader", True)]
    assert explained.evidence_texts == ()


def test_everything_has_words() -> None:
    """Every bit, rule and reason has its words, and every rule's reason exists."""
    assert {rule.reason for rule in ALL_RULES} <= set(REASONS)
    assert all(reason.description for reason in REASONS.values())
    for family in GROUPINGS:
        assert sum(bit for bit in EVIDENCE_TEXTS if bit & family.evidence_mask) == family.evidence_mask, (
            family.name
        )
    assert len(describe_evidence(-1)) == len(EVIDENCE_TEXTS)
