"""Hidden gems and the loved by few."""

import numpy as np
import pytest

from shortener.ranking import Signal
from shortener.ranking.gems import find_hidden_gems, find_loved_by_few, top_decile_probability
from shortener.ranking.posterior import Posterior
from shortener.ranking.signals import align_signals


def posterior(score: list[float], clicks: list[float], expected: list[float]) -> Posterior:
    """A posterior with these figures and draws around the scores."""
    rng = np.random.default_rng(0)
    draws = np.array(score) + 0.5 * rng.standard_normal((400, len(score)))
    arrays = (np.array(values, dtype=float) for values in (score, clicks, expected))
    mean, seen, due = arrays
    return Posterior(mean, np.full(len(score), 0.5), seen, due, draws)


SCORE = [2.0, 1.0, 0.9, 0.8, 0.7, 0.6, -0.5, -1.0, -1.5, -3.0]
CLICKS = [90.0, 8, 80, 8, 9, 7, 10, 15, 14, 13]
EXPECTED = [20.0, 5, 90, 90, 6, 7, 5, 50, 60, 70]


@pytest.mark.parametrize(
    ("article", "why"),
    [
        pytest.param(0, "published", id="published"),
        pytest.param(2, "clicks", id="many clicks"),
        pytest.param(3, "exposure", id="well exposed"),
        pytest.param(6, "score", id="below average"),
    ],
)
def test_what_is_no_gem(article: int, why: str) -> None:
    """Published, clicked, well exposed or below-average articles are no hidden gems."""
    found = find_hidden_gems(
        posterior(SCORE, CLICKS, EXPECTED),
        order=list(range(10)),
        published_count=1,
        max_gems=5,
        upper_bounds=np.exp(SCORE),
    )
    assert article not in found, why


def test_gems_come_in_the_order_of_their_chance() -> None:
    """The gems are the hidden good ones, likeliest among the best tenth first, as many as asked."""
    given = posterior(SCORE, CLICKS, EXPECTED)
    order = list(range(10))
    assert find_hidden_gems(
        given, order=order, published_count=1, max_gems=5, upper_bounds=np.exp(SCORE)
    ) == [1, 4, 5]
    assert find_hidden_gems(
        given, order=order, published_count=1, max_gems=1, upper_bounds=np.exp(SCORE)
    ) == [1]
    assert find_hidden_gems(given, order=[], published_count=1, max_gems=5, upper_bounds=np.exp(SCORE)) == []


def test_the_best_tenth_is_of_all_articles() -> None:
    """The chances of the best tenth sum to a tenth of the articles."""
    assert top_decile_probability(posterior(SCORE * 2, CLICKS * 2, EXPECTED * 2)).sum() == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("clicks", "reads", "fans", "loved"),
    [
        pytest.param(1, 100, 60, True, id="few clicks, many fans"),
        pytest.param(500, 100, 60, False, id="many clicks"),
        pytest.param(1, 29, 29, False, id="too few reads"),
        pytest.param(1, 30, 30, True, id="just enough reads"),
        pytest.param(1, 100, 11, False, id="not surely above"),
        pytest.param(1, None, 60, False, id="reads unknown"),
        pytest.param(1, 100, None, False, id="fans unknown"),
    ],
)
def test_loved_by_few(clicks: int, reads: int | None, fans: int | None, loved: bool) -> None:
    """Few clicks, 30 reads, and the lower bound of fans per read above the overall ratio."""
    signals = [Signal("u0", 1000, reads, fans), *(Signal(f"u{n}", 1000, 1000, 100) for n in range(1, 6))]
    given = posterior([0.0] * 6, [clicks, 10, 20, 30, 40, 50], [10.0] * 6)
    found = find_loved_by_few(
        given, align_signals(signals, [f"u{n}" for n in range(6)]), order=list(range(6))
    )
    assert (0 in found) == loved


def test_nobody_is_loved_without_signals() -> None:
    """No signals, no list, no warning from numpy."""
    given = posterior([0.0] * 3, [1, 2, 3], [1.0] * 3)
    assert find_loved_by_few(given, align_signals([], ["a", "b", "c"]), order=[0, 1, 2]) == []
    assert find_loved_by_few(given, align_signals([], ["a", "b", "c"]), order=[]) == []
