"""Signals from other platforms: shrunken ratios, z-scores and the blend."""

import math

import numpy as np
import pytest

from shortener.errors import InputError
from shortener.ranking import Blend, Signal
from shortener.ranking.signals import align_signals, z_score, z_scores


def test_ratios_are_shrunk_by_twenty_pseudo_counts() -> None:
    """The read ratio is (reads + 20 r) / (views + 20) with the overall ratio r, and the fan ratio likewise."""
    signals = align_signals([Signal("a", 80, 40, 10), Signal("b", 20, 10, 0)], ["a", "b"])
    assert signals.read_ratio == pytest.approx([50 / 100, 20 / 40])
    assert signals.fan_ratio == pytest.approx([(10 + 20 * 0.2) / 60, (20 * 0.2) / 30])


def test_missing_signals_have_z_score_zero() -> None:
    """An article without signals has no ratio, and its z-scores are 0."""
    signals = align_signals([Signal("a", 80, 40, 10), Signal("b", 20, 10, 0)], ["a", "b", "c"])
    assert np.isnan(signals.read_ratio[2])
    assert z_scores(signals)[2].tolist() == [0.0, 0.0, 0.0]
    assert z_scores(signals)[:2, 0] == pytest.approx([1.0, -1.0])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([1.0, 3.0], [-1.0, 1.0], id="two"),
        pytest.param([4.0, 4.0, 4.0], [0.0, 0.0, 0.0], id="constant"),
        pytest.param([math.nan, math.nan], [0.0, 0.0], id="all missing"),
        pytest.param([1.0, math.nan, 3.0], [-1.0, 0.0, 1.0], id="one missing"),
        pytest.param([-math.inf, 1.0, 3.0], [0.0, -1.0, 1.0], id="log of 0"),
    ],
)
def test_z_scores(values: list[float], expected: list[float]) -> None:
    """Known values get mean 0 and standard deviation 1; missing values and constant columns become 0."""
    assert z_score(np.array(values)) == pytest.approx(expected)


def test_wilsons_lower_bound() -> None:
    """For 10 fans of 100 reads the lower bound is 0.0606."""
    signals = align_signals([Signal("a", 1, 100, 10), Signal("b", 1, 0, 0), Signal("c", 1, 5, 9)], ["a", "b", "c"])
    assert signals.fan_ratio_lower_bound() == pytest.approx([0.0606, 0.0, 0.6488], abs=2e-4)


def test_the_blend_follows_its_formula() -> None:
    """The blend is 0.6 z(appeal) + 0.25 z(fan ratio) + 0.15 z(read ratio), where missing values count as 0."""
    signals = [Signal("a", 80, 60, 30), Signal("b", 80, 20, 0)]
    blended = Blend().combine(np.array([1.0, -1.0, 0.0]), align_signals(signals, ["a", "b", "c"]))
    lead = 0.6 / np.std([1.0, -1.0, 0.0]) + 0.25 + 0.15
    assert blended == pytest.approx([lead, -lead, 0.0])


@pytest.mark.parametrize("weights", [(0.0, 0.0, 0.0), (-1.0, 1.0, 1.0), (math.nan, 1.0, 1.0), (math.inf, 0, 0)])
def test_unusable_weights_are_refused(weights: tuple[float, float, float]) -> None:
    """Negative, infinite or only zero weights raise InputError."""
    with pytest.raises(InputError, match="blend weights"):
        Blend(*weights)
