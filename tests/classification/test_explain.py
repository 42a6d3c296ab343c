"""Explanations of a verdict: the rules that match, and the evidence in words."""

from shortener.classification.evidence import (
    BURST,
    DATACENTER,
    NO_LANGUAGE,
    TWO_LINKS_1S,
    ClickRequest,
)
from shortener.classification.explain import explain
from shortener.classification.group_rules import ALL_RULES, GROUPINGS
from shortener.classification.nearby_clicks import NearbyClick
from shortener.classification.reasons import EVIDENCE_TEXTS, REASONS, describe_evidence
from shortener.classification.request_rules import request_evidence
from shortener.durations import MINUTE_MS, SECOND_MS

AT = 1_790_000_000_000


def test_all_matching_group_rules_are_listed() -> None:
    """All group rules that match are listed with their evidence; the most certain one decided."""
    click = NearbyClick(
        seq=1,
        ts_ms=AT,
        link_id=2,
        recipient_token="c",
        reason="burst",
        evidence=BURST | TWO_LINKS_1S | NO_LANGUAGE | DATACENTER,
        sent_at_ms=AT - MINUTE_MS,
    )
    matches = {match.reason: match for match in explain(click).matches}
    assert list(matches) == ["burst", "datacenter-soon", "pair", "bare-soon"]
    assert [match.decided for match in matches.values()] == [True, False, False, False]
    assert matches["datacenter-soon"].evidence == (
        "the network is on a data-center list",
        "60 s after sending",
    )
    assert "no Accept-Language header was sent" in matches["pair"].evidence


def test_matching_request_rules_are_listed_with_what_they_read() -> None:
    """With the request given, its matching rules are listed with the user agent, header or network that they read."""
    request = ClickRequest(
        ts=AT / SECOND_MS,
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
        evidence=request_evidence(request),
        net="40.107.1.0/24",
    )
    matches = {match.reason: match for match in explain(click, request=request).matches}
    assert list(matches)[:4] == ["named-preview", "head-request", "range-request", "gateway-network"]
    assert "Slackbot" in matches["named-preview"].evidence[0]
    assert matches["range-request"].evidence == ("range: bytes=0-9",)
    assert matches["gateway-network"].evidence == ("40.107.1.0/24: Microsoft Exchange Online Protection",)
    assert matches["named-preview"].decided


def test_a_click_without_evidence_is_explained_as_a_reader() -> None:
    """If no rule matches, the only reason is ``reader``, and there is no evidence."""
    explanation = explain(NearbyClick(seq=1, ts_ms=AT, link_id=2))
    assert [(match.reason, match.decided) for match in explanation.matches] == [("reader", True)]
    assert explanation.evidence_texts == ()


def test_all_bits_and_reasons_have_descriptions() -> None:
    """Every evidence bit and every reason has a description, and every rule's reason exists."""
    assert {rule.reason for rule in ALL_RULES} <= set(REASONS)
    assert all(reason.description for reason in REASONS.values())
    for grouping in GROUPINGS:
        described = sum(bit for bit in EVIDENCE_TEXTS if bit & grouping.evidence_mask)
        assert described == grouping.evidence_mask, grouping.name
    assert len(describe_evidence(-1)) == len(EVIDENCE_TEXTS)
