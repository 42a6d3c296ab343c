"""Explanations: the scoreboard of a click."""

from shortener.classification.evidence import BURST, DATACENTER, NO_LANGUAGE, PAIR, WORDS, Evidence, describe
from shortener.classification.explain import explain
from shortener.classification.group_rules import ALL_RULES
from shortener.classification.groups import FAMILIES
from shortener.classification.nearby_clicks import Neighbour
from shortener.classification.reasons import REASONS
from shortener.classification.request_rules import request_bits

AT = 1_790_000_000_000


def test_every_rule_that_spoke_is_on_the_board() -> None:
    """All rules that speak are listed with what they saw; the surest decides."""
    gaps = BURST | PAIR | NO_LANGUAGE | DATACENTER
    click = Neighbour(seq=1, at=AT, link=2, copy="c", reason="burst", gaps=gaps, sent=AT - 60_000)
    explained = explain(click)
    assert explained.judgement.reason == "burst"
    spoken = {one.reason: one for one in explained.spoken}
    assert list(spoken) == ["burst", "datacenter-soon", "pair", "bare-soon"]
    assert [one.decided for one in explained.spoken] == [True, False, False, False]
    assert spoken["datacenter-soon"].evidence == (
        "the network is on a data-center list",
        "60 s after the sending",
    )
    assert "no Accept-Language was sent" in spoken["pair"].evidence


def test_a_requests_rules_are_named_with_its_headers() -> None:
    """With the request at hand, each of its rules says what it read."""
    evidence = Evidence(
        ts=AT / 1000,
        method="HEAD",
        ua="Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
        h={"range": "bytes=0-9", "accept": "*/*"},
        net="40.107.1.0/24",
    )
    click = Neighbour(
        seq=1, at=AT, link=2, reason="named-preview", gaps=request_bits(evidence), net="40.107.1.0/24"
    )
    explained = explain(click, evidence=evidence)
    spoken = {one.reason: one for one in explained.spoken}
    assert list(spoken)[:4] == ["named-preview", "head-request", "range-request", "gateway-network"]
    assert "Slackbot" in spoken["named-preview"].evidence[0]
    assert spoken["range-request"].evidence == ("range: bytes=0-9",)
    assert spoken["gateway-network"].evidence == ("40.107.1.0/24: Microsoft Exchange Online Protection",)
    assert spoken["named-preview"].decided


def test_a_reader_is_explained() -> None:
    """A click with nothing against it says so."""
    explained = explain(Neighbour(seq=1, at=AT, link=2))
    assert [(one.reason, one.decided) for one in explained.spoken] == [("reader", True)]
    assert explained.noticed == ()


def test_everything_has_words() -> None:
    """Every bit, rule and reason has its words, and every rule's reason exists."""
    assert {rule.reason for rule in ALL_RULES} <= set(REASONS)
    assert all(reason.words for reason in REASONS.values())
    for family in FAMILIES:
        assert sum(bit for bit in WORDS if bit & family.bits) == family.bits, family.name
    assert len(describe(-1)) == len(WORDS)
