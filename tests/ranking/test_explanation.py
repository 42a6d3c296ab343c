"""One article taken apart."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from shortener.errors import NotFound
from shortener.ranking import explain, rank
from shortener.ranking.explanation import Explanation

World = Any


def product(explained: Any) -> float:
    """The product of the factors of an explanation or a cell."""
    return float(math.prod(factor.times for factor in explained.factors))


@pytest.fixture(scope="module")
def rerun(year: World) -> Explanation:
    """An article that was shown twice."""
    line = next(line for line in rank(year.history, as_of=year.as_of).articles if line.shown == 2)
    return explain(year.history, line.url, as_of=year.as_of)


def test_the_figures_are_those_of_the_list(year: World, rerun: Explanation) -> None:
    """Appeal, interval, clicks and expectation are the list's."""
    line = next(line for line in rank(year.history, as_of=year.as_of).articles if line.url == rerun.url)
    assert (rerun.clicks, rerun.title, len(rerun.cells)) == (line.clicks, line.title, 2)
    given = (rerun.appeal, rerun.low, rerun.high, rerun.expected)
    assert given == pytest.approx((line.appeal, line.low, line.high, line.expected), rel=1e-5)


def test_the_factors_multiply_to_what_they_explain(rerun: Explanation) -> None:
    """Factors multiply to appeal and to each cell's expectation; cells add up to the whole."""
    assert product(rerun) == pytest.approx(rerun.appeal)
    assert all(product(cell) == pytest.approx(cell.expected) for cell in rerun.cells)
    assert sum(cell.expected for cell in rerun.cells) == pytest.approx(rerun.expected, rel=1e-4)
    assert sum(cell.clicks for cell in rerun.cells) == rerun.clicks
    for cell in rerun.cells:
        assert cell.fitted == pytest.approx(cell.expected * rerun.appeal)


def test_each_effect_is_named(rerun: Explanation) -> None:
    """A cell's factors name every effect of the model, and only the second showing was shown before."""
    names = [factor.name for factor in rerun.cells[0].factors]
    assert names == [
        "recipients",
        "clicks arrived so far",
        "clicks per recipient",
        "issue",
        "place",
        "fold and header",
        "last two places",
        "placements",
        "shown before",
    ]
    before = [next(f.times for f in cell.factors if f.name == "shown before") for cell in rerun.cells]
    assert before[0] == 1.0
    assert before[1] != 1.0


def test_without_places_no_place_is_explained(world: Callable[..., World]) -> None:
    """Without positions there is no factor for the place, and the product still holds."""
    given = world(placed=False)
    found = explain(given.history, given.history.appearances[0].url, as_of=given.as_of)
    assert "place" not in {factor.name for factor in found.cells[0].factors}
    assert product(found) == pytest.approx(found.appeal)


def test_a_failed_fit_is_explained_too(year: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shrunken rate has its own few factors, which multiply to the same figures."""

    def refuse(*_: object) -> None:
        raise np.linalg.LinAlgError("no")

    monkeypatch.setattr(np.linalg, "cholesky", refuse)
    found = explain(year.history, year.history.appearances[0].url, as_of=year.as_of)
    assert product(found) == pytest.approx(found.appeal)
    assert sum(product(cell) for cell in found.cells) == pytest.approx(found.expected)


def test_an_article_before_the_window_is_explained_by_its_own_time(year: World) -> None:
    """An article that is too old for the list is fitted with the issues around it."""
    old = next(s.url for s in year.history.appearances if s.issue == "n0")
    assert explain(year.history, old, as_of=year.as_of, window=1).cells[0].issue == "n0"


@pytest.mark.parametrize("options", [{}, {"issue": "n0"}])
def test_an_article_that_is_not_on_the_list(year: World, options: dict[str, Any]) -> None:
    """An unknown URL is refused with the mend."""
    with pytest.raises(NotFound, match="target URL"):
        explain(year.history, "https://nowhere.example/", as_of=year.as_of, **options)
