"""The explanation of one article as products of factors."""

import math
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest

from shortener.errors import NotFound
from shortener.ranking import explain, rank
from shortener.ranking.explanation import Explanation

World = Any


def product(explanation: Any) -> float:
    """Return the product of the factors of an explanation or of one of its cells."""
    return float(math.prod(factor.times for factor in explanation.factors))


@pytest.fixture(scope="module")
def rerun(year: World) -> Explanation:
    """The explanation of an article that was shown twice."""
    article = next(article for article in rank(year.history, as_of=year.as_of).articles if article.shown == 2)
    return explain(year.history, article.url, as_of=year.as_of)


def test_the_figures_are_those_of_the_list(year: World, rerun: Explanation) -> None:
    """Appeal, interval, clicks and expected clicks equal those of the list."""
    article = next(article for article in rank(year.history, as_of=year.as_of).articles if article.url == rerun.url)
    assert (rerun.clicks, rerun.title, len(rerun.cells)) == (article.clicks, article.title, 2)
    figures = (rerun.appeal, rerun.low, rerun.high, rerun.expected)
    assert figures == pytest.approx((article.appeal, article.low, article.high, article.expected), rel=1e-5)


def test_the_factors_multiply_to_the_figures(rerun: Explanation) -> None:
    """The factors multiply to the appeal and to the expected clicks of each cell, and cells add up to the article."""
    assert product(rerun) == pytest.approx(rerun.appeal)
    assert all(product(cell) == pytest.approx(cell.expected) for cell in rerun.cells)
    assert sum(cell.expected for cell in rerun.cells) == pytest.approx(rerun.expected, rel=1e-4)
    assert sum(cell.clicks or 0 for cell in rerun.cells) == rerun.clicks
    for cell in rerun.cells:
        assert cell.fitted == pytest.approx(cell.expected * rerun.appeal)


def test_each_effect_is_named(rerun: Explanation) -> None:
    """The factors of a cell name all effects, and only the second appearance was shown before."""
    names = [factor.name for factor in rerun.cells[0].factors]
    assert names == [
        "recipients",
        "share of clicks arrived",
        "clicks per recipient",
        "issue",
        "position",
        "position bumps",
        "last two positions",
        "placements",
        "shown before",
        "other picture of the editors' order",
    ]
    shown_before = [factor.times for cell in rerun.cells for factor in cell.factors if factor.name == "shown before"]
    assert shown_before[0] == 1.0
    assert shown_before[1] != 1.0


def test_without_positions_there_is_no_position_factor(world: Callable[..., World]) -> None:
    """Without positions there is no position factor, and the factors still multiply to the appeal."""
    simulated = world(has_positions=False)
    explanation = explain(simulated.history, simulated.history.appearances[0].url, as_of=simulated.as_of)
    assert "position" not in {factor.name for factor in explanation.cells[0].factors}
    assert product(explanation) == pytest.approx(explanation.appeal)


def test_a_failed_fit_is_explained_too(year: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shrunken rate has its own factors, which multiply to its figures."""

    def refuse(*_: object) -> None:
        raise np.linalg.LinAlgError("no")

    monkeypatch.setattr(np.linalg, "cholesky", refuse)
    explanation = explain(year.history, year.history.appearances[0].url, as_of=year.as_of)
    assert product(explanation) == pytest.approx(explanation.appeal)
    assert sum(product(cell) for cell in explanation.cells) == pytest.approx(explanation.expected)


def test_an_article_before_the_window_has_its_own_fit(year: World) -> None:
    """An article older than the window is explained by a fit of the issues around it."""
    old = next(row.url for row in year.history.appearances if row.issue == "n0")
    assert explain(year.history, old, as_of=year.as_of, window=1).cells[0].issue == "n0"


@pytest.mark.parametrize("options", [{}, {"issue": "n0"}])
def test_an_unknown_article_is_refused(year: World, options: dict[str, Any]) -> None:
    """An unknown URL raises NotFound with the URL."""
    with pytest.raises(NotFound, match="target URL"):
        explain(year.history, "https://nowhere.example/", as_of=year.as_of, **options)


def test_each_appearance_names_what_its_issue_counted(year: World, rerun: Explanation) -> None:
    """The key of the other unit is None, and the whole counts visitors only if all appearances do."""
    first, second = (cell.issue for cell in rerun.cells)
    for visitor_issues, counted in (({first, second}, "visitors"), ({first}, "clicks"), (set(), "clicks")):
        issues = tuple(
            msgspec.structs.replace(issue, counted="visitors" if issue.slug in visitor_issues else "clicks")
            for issue in year.history.issues
        )
        history = msgspec.structs.replace(year.history, issues=issues)
        explanation = explain(history, rerun.url, as_of=year.as_of)
        assert explanation.counted == counted
        assert getattr(explanation, counted) == rerun.clicks
        assert (explanation.visitors is None) != (explanation.clicks is None)
        for cell, before in zip(explanation.cells, rerun.cells, strict=True):
            counts = (before.clicks, None) if cell.issue in visitor_issues else (None, before.clicks)
            assert (cell.visitors, cell.clicks) == counts
