"""Data quality of a report: the sentence, and shares that add up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortener.classification.reasons import REASONS
from shortener.reporting.counts import ClicksByVerdict
from shortener.reporting.quality import assess_quality, describe_quality, split_percent
from shortener.store.reports import BreakdownRow

SENTENCES = {
    "nothing": (ClicksByVerdict(), "no clicks yet"),
    "one person": (ClicksByVerdict(human=1), "the one request looks human"),
    "only people": (ClicksByVerdict(human=12), "all requests look human; none was filtered as automated"),
    "the usual": (
        ClicksByVerdict(human=88, scanner=9, preview=2, prefetch=1),
        "12 % of the requests were filtered as automated: 9 % mail scanners, 2 % previews, 1 % prefetch",
    ),
    "one kind": (ClicksByVerdict(human=3, bot=1), "25 % of the requests were filtered as automated: bots"),
    "parts add up": (
        ClicksByVerdict(human=900, scanner=53, bot=34, preview=13),
        "10 % of the requests were filtered as automated: 5 % mail scanners, 4 % bots, 1 % previews",
    ),
    "a small part": (
        ClicksByVerdict(human=900, scanner=99, bot=1),
        "10 % of the requests were filtered as automated: 10 % mail scanners, under 1 % bots",
    ),
    "hardly any": (
        ClicksByVerdict(human=9999, bot=1),
        "under 1 % of the requests were filtered as automated: bots",
    ),
    "only machines": (
        ClicksByVerdict(scanner=3, bot=1),
        "all requests were filtered as automated: 75 % mail scanners, 25 % bots",
    ),
    "nearly only machines": (
        ClicksByVerdict(human=1, scanner=999),
        "99 % of the requests were filtered as automated: mail scanners",
    ),
}


@pytest.mark.parametrize(("clicks", "sentence"), SENTENCES.values(), ids=SENTENCES)
def test_the_sentence_names_the_filtered_requests(clicks: ClicksByVerdict, sentence: str) -> None:
    """Each mix of verdicts has its sentence, and rounding never gives 0 % or 100 %."""
    assert describe_quality(clicks) == sentence


@given(
    st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), st.integers(1, 10**9), min_size=1),
    st.integers(0, 100),
)
def test_percent_are_split_without_remainder(counts: dict[str, int], percent: int) -> None:
    """The parts add up to the percentage, and each is its exact share rounded up or down."""
    whole = split_percent(counts, percent)
    assert sum(whole.values()) == percent
    for name, count in counts.items():
        assert abs(whole[name] - percent * count / sum(counts.values())) < 1 + 1e-9


def test_shares_are_of_all_requests() -> None:
    """Verdicts and reasons are shares of all recorded requests."""
    rows = [BreakdownRow("reason", "human/reader", 6), BreakdownRow("reason", "bot/head-request", 2)]
    quality = assess_quality(ClicksByVerdict(human=6, bot=2), [*rows, BreakdownRow("browser", "Firefox", 6)])
    assert quality.requests == 8
    assert quality.set_aside == 0.25
    assert quality.verdicts["human"] == 0.75
    assert [(share.reason, share.verdict, share.share) for share in quality.reasons] == [
        ("reader", "human", 0.75),
        ("head-request", "bot", 0.25),
    ]
    assert quality.reasons[1].words == REASONS["head-request"].description


def test_without_clicks_every_share_is_zero() -> None:
    """The quality of no clicks has shares of zero and no range."""
    quality = assess_quality(ClicksByVerdict())
    assert (quality.set_aside, quality.reasons, quality.band) == (0.0, (), None)
    assert set(quality.verdicts.values()) == {0.0}


def test_the_range_contains_the_count() -> None:
    """The low estimate leaves out suspect clicks; the high estimate includes clicks that are only likely automated."""
    rows = [
        BreakdownRow("reason", "human/reader", 10),
        BreakdownRow("reason", "human/many-tabs", 4),
        BreakdownRow("reason", "scanner/quick-links", 3),
        BreakdownRow("reason", "scanner/burst", 7),
    ]
    band = assess_quality(ClicksByVerdict(human=14, scanner=10), rows).band
    assert band is not None
    assert (band.strict, band.usual, band.lenient) == (10, 14, 17)


def test_a_reason_of_older_rules_counts_by_its_verdict() -> None:
    """Clicks classified by rules that no longer exist count in the range by their verdict."""
    rows = [BreakdownRow("reason", "human/old-rule", 2), BreakdownRow("reason", "bot/older-rule", 1)]
    band = assess_quality(ClicksByVerdict(human=2, bot=1), rows).band
    assert band is not None
    assert (band.strict, band.usual, band.lenient) == (2, 2, 2)
