"""Articles to show again: the predicted loss of uncertainty, and the choice by it."""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest

from shortener.errors import NotFound
from shortener.ranking import Appearance, suggest_reruns
from shortener.ranking.design import POSITION_ETA
from shortener.ranking.pipeline import Analysis, analyse
from shortener.ranking.reruns import MIN_POSITION_RATIO, information_change, updated_covariance

World = Any


@pytest.fixture(scope="module")
def untaught(world: Callable[..., World]) -> World:
    """A world without any article at two positions."""
    return world(reruns=0)


@pytest.fixture(scope="module")
def analysis(untaught: World) -> Analysis:
    """The analysis of a world without any article at two positions."""
    return analyse(untaught.history, as_of=untaught.as_of)


def test_the_update_equals_a_dense_inverse(analysis: Analysis) -> None:
    """The covariance after the change of S is the inverse of the changed S."""
    assert analysis.fit is not None
    root = analysis.fit.solution.covariance_root
    covariance = root.T @ root
    article = int(np.flatnonzero(analysis.observations.issue_index == 7)[0])
    rows, signs = information_change(analysis, analysis.fit, 7, int(analysis.observations.article_index[article]), 1)
    dense = np.linalg.inv(np.linalg.inv(covariance) + rows.T @ np.diag(signs) @ rows)
    assert updated_covariance(covariance, rows, signs) == pytest.approx(dense, abs=1e-6)


def test_the_suggestions_are_different_and_remove_uncertainty(untaught: World) -> None:
    """Two different articles of the issue, each at another position that is at least twice as far up or down."""
    first, second = suggest_reruns(untaught.history, "n7", as_of=untaught.as_of, window=24)
    positions = {row.url: row.position for row in untaught.history.appearances if row.issue == "n7"}
    for rerun in (first, second):
        assert positions[rerun.url] == rerun.position
        pair = sorted((rerun.position, rerun.new_position))
        assert pair[1] / pair[0] >= MIN_POSITION_RATIO
        assert 0.01 <= rerun.share_removed < 1
    assert first.url != second.url
    assert first.new_position != second.new_position
    assert first.share_removed >= second.share_removed


def shown_again(world: World, url: str, position: int) -> World:
    """Return the world a month later, with another issue that shows an article again at a position."""
    history = world.history
    sent_at = history.issues[-1].sent_at + 730 * 3600.0
    last = [row for row in history.appearances if row.issue == history.issues[-1].slug]
    (before,) = (row for row in last if row.url == url)
    assert before.position is not None
    clicks = round(before.clicks * (before.position / position) ** 0.7)
    rows = [
        Appearance("next", f"https://a.example/next-{row.position}", row.clicks, row.position, row.placements)
        for row in last
        if row.position != position
    ]
    rows.append(Appearance("next", url, clicks, position, ()))
    issue = msgspec.structs.replace(history.issues[-1], slug="next", sent_at=sent_at)
    return msgspec.structs.replace(
        world,
        history=msgspec.structs.replace(
            history,
            issues=(*history.issues, issue),
            appearances=(*history.appearances, *rows),
        ),
        as_of=world.as_of + 730 * 3600.0,
    )


def test_following_a_suggestion_teaches_more_than_another_rerun(untaught: World) -> None:
    """The suggested rerun leaves less variance of eta than one of the article in the middle, one place up."""

    def variance(world: World) -> float:
        fit = analyse(world.history, as_of=world.as_of).fits[0]
        return fit.effect_estimate(POSITION_ETA)[1]

    best = suggest_reruns(untaught.history, "n7", as_of=untaught.as_of, window=24)[0]
    middle = next(row.url for row in untaught.history.appearances if row.issue == "n7" and row.position == 9)
    followed = variance(shown_again(untaught, best.url, best.new_position))
    assert followed < 0.9 * variance(shown_again(untaught, middle, 8))
    assert followed < 0.9 * variance(untaught)


def test_articles_at_two_positions_are_not_suggested(untaught: World) -> None:
    """An article that was shown again at another position has done its part."""
    best = suggest_reruns(untaught.history, "n7", as_of=untaught.as_of, window=24)[0]
    later = shown_again(untaught, best.url, best.new_position)
    again = suggest_reruns(later.history, "n7", as_of=later.as_of, window=24)
    assert best.url not in {rerun.url for rerun in again}


def test_without_positions_nothing_is_suggested(world: Callable[..., World]) -> None:
    """Without positions there is no position effect to measure."""
    simulated = world(has_positions=False)
    assert suggest_reruns(simulated.history, "n7", as_of=simulated.as_of, window=24) == ()


def test_a_well_measured_effect_needs_no_suggestion(world: Callable[..., World]) -> None:
    """If the reruns of many issues have measured the position effect, another one removes less of the variance."""
    taught = world(reruns=10, issues=16)
    shares = [
        max(
            (rerun.share_removed for rerun in suggest_reruns(w.history, slug, as_of=w.as_of, window=24)),
            default=0.0,
        )
        for w, slug in ((taught, "n15"), (world(reruns=0), "n7"))
    ]
    assert shares[0] < shares[1] / 2


def test_an_unknown_issue_is_refused(untaught: World) -> None:
    """An issue that was not sent raises NotFound."""
    with pytest.raises(NotFound, match="was sent by then"):
        suggest_reruns(untaught.history, "none", as_of=untaught.as_of, window=24)
