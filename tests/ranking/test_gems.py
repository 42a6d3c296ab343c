"""Hidden gems, and articles loved by few."""

import numpy as np
import pytest

from shortener.ranking import Signal
from shortener.ranking.gems import find_hidden_gems, find_loved_by_few, top_decile_probability
from shortener.ranking.posterior import Posterior
from shortener.ranking.signals import align_signals


def posterior(score: list[float], clicks: list[float], expected: list[float]) -> Posterior:
    """Return a posterior with these figures and with draws around the scores."""
    rng = np.random.default_rng(0)
    draws = np.array(score) + 0.5 * rng.standard_normal((400, len(score)))
    scores, counts, expectations = (np.array(values, dtype=float) for values in (score, clicks, expected))
    return Posterior(scores, np.full(len(score), 0.5), counts, expectations, draws, expectations)


SCORE = [2.0, 1.0, 0.9, 0.8, 0.7, 0.6, -0.5, -1.0, -1.5, -3.0]
CLICKS = [90.0, 8, 80, 8, 9, 7, 10, 15, 14, 13]
EXPECTED = [20.0, 5, 90, 90, 6, 7, 5, 50, 60, 70]


def hidden_gems(order: list[int], max_gems: int) -> list[int]:
    """Return the hidden gems of a list of the articles above, of which the first is the top list."""
    figures = posterior(SCORE, CLICKS, EXPECTED)
    return find_hidden_gems(
        figures,
        order=order,
        top_length=1,
        max_gems=max_gems,
        upper_bounds=np.exp(SCORE),
        top_decile_probabilities=top_decile_probability(figures),
        min_probability=0.0,
    )


@pytest.mark.parametrize(
    ("article", "why"),
    [
        pytest.param(0, "in the top list", id="top-list"),
        pytest.param(2, "clicks", id="many clicks"),
        pytest.param(3, "exposure", id="well exposed"),
        pytest.param(6, "score", id="below average"),
    ],
)
def test_articles_that_are_not_hidden_gems(article: int, why: str) -> None:
    """Listed at the top, often clicked, well exposed and below-average articles are not hidden gems."""
    assert article not in hidden_gems(list(range(10)), 5), why


def test_gems_are_sorted_by_probability() -> None:
    """Gems are sorted by the probability of the best tenth, and cut off at the maximum number."""
    order = list(range(10))
    assert hidden_gems(order, 5) == [1, 4, 5]
    assert hidden_gems(order, 1) == [1]
    assert hidden_gems([], 5) == []


@pytest.mark.parametrize(("probability", "gems"), [(0.25, [4, 1]), (0.2, [4, 1]), (0.19, [4]), (0.01, [4])])
def test_a_gem_needs_a_chance(probability: float, gems: list[int]) -> None:
    """An article is a hidden gem only from a probability of 20 % on."""
    chances = np.zeros(10)
    chances[[4, 1]] = 0.3, probability
    figures = posterior(SCORE, CLICKS, EXPECTED)
    found = find_hidden_gems(
        figures,
        order=list(range(10)),
        top_length=1,
        max_gems=5,
        upper_bounds=np.exp(SCORE),
        top_decile_probabilities=chances,
    )
    assert found == gems


def test_top_decile_probabilities_sum_to_a_tenth() -> None:
    """The probabilities of being in the best tenth sum to a tenth of the number of articles."""
    assert top_decile_probability(posterior(SCORE * 2, CLICKS * 2, EXPECTED * 2)).sum() == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("clicks", "reads", "fans", "loved"),
    [
        pytest.param(1, 100, 60, True, id="few clicks, many fans"),
        pytest.param(500, 100, 60, False, id="many clicks"),
        pytest.param(1, 29, 29, False, id="too few reads"),
        pytest.param(1, 30, 30, True, id="just enough reads"),
        pytest.param(1, 100, 11, False, id="bound below the overall ratio"),
        pytest.param(1, None, 60, False, id="reads unknown"),
        pytest.param(1, 100, None, False, id="fans unknown"),
    ],
)
def test_loved_by_few(clicks: int, reads: int | None, fans: int | None, loved: bool) -> None:
    """Few clicks, 30 reads and a lower bound of fans per read above the overall ratio are required."""
    signals = [Signal("u0", 1000, reads, fans), *(Signal(f"u{n}", 1000, 1000, 100) for n in range(1, 6))]
    figures = posterior([0.0] * 6, [clicks, 10, 20, 30, 40, 50], [10.0] * 6)
    articles = find_loved_by_few(figures, align_signals(signals, [f"u{n}" for n in range(6)]), order=list(range(6)))
    assert (0 in articles) == loved


def test_no_article_is_loved_by_few_without_signals() -> None:
    """Without signals the list is empty, and numpy does not warn."""
    figures = posterior([0.0] * 3, [1, 2, 3], [1.0] * 3)
    assert find_loved_by_few(figures, align_signals([], ["a", "b", "c"]), order=[0, 1, 2]) == []
    assert find_loved_by_few(figures, align_signals([], ["a", "b", "c"]), order=[]) == []
