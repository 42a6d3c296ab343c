"""The caveats of docs/ranking.md section 16: each situation gives finite figures and one sentence."""

import math
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from shortener.ranking import Appearance, History, Issue, Placement, Ranking, Signal, rank
from shortener.ranking.caveats import format_age

World = Any
Make = Callable[..., World]


def ranked(world: World) -> Ranking:
    """Rank a world, and check that all its articles are listed with finite figures."""
    ranking = rank(world.history, as_of=world.as_of)
    assert {article.url for article in ranking.articles} == {row.url for row in world.history.appearances}
    for article in ranking.articles:
        assert 0 < article.low <= article.appeal <= article.high < math.inf
        assert 0 <= article.expected < math.inf
    return ranking


def changed(world: World, **rows: Any) -> World:
    """Return a world with some rows of its history replaced."""
    return msgspec.structs.replace(world, history=msgspec.structs.replace(world.history, **rows))


def has_text(ranking: Ranking, text: str) -> bool:
    """Return whether a warning or the footer contains the text."""
    return any(text in sentence for sentence in (*ranking.warnings, ranking.footer))


def mean_width(ranking: Ranking) -> float:
    """Return the mean of log(high / low) over all articles."""
    return sum(math.log(row.high / row.low) for row in ranking.articles) / len(ranking.articles)


def test_an_ordinary_year_needs_no_warning(year: World) -> None:
    """With re-runs, positions, recipients and no recent issue there are no warnings."""
    ranking = ranked(year)
    assert ranking.warnings == ()
    assert "position effect estimated from" in ranking.footer
    assert "prior assumptions" not in ranking.footer


def test_one_issue_only(world: Make) -> None:
    """With one issue, a warning and the footer state that the position effect is assumed."""
    ranking = ranked(world(issues=1))
    assert has_text(ranking, "one issue only: what a position is worth is taken from other publications")
    assert "estimated from 0 articles shown at 2+ positions" in ranking.footer
    assert "mostly based on prior assumptions" in ranking.footer


def test_no_reruns(world: Make) -> None:
    """Without re-runs the intervals are wider, and the warning advises to show articles again."""
    ranking = ranked(world(reruns=0))
    assert has_text(ranking, "show 2-3 articles of each issue again at another position")
    assert has_text(ranking, "mostly based on prior assumptions")
    assert mean_width(ranking) > mean_width(ranked(world()))


def test_no_positions_at_all(world: Make) -> None:
    """Without positions the text states that appeal is not corrected for them, and the intervals are wider."""
    ranking = ranked(world(has_positions=False))
    assert has_text(ranking, "no positions are known")
    assert has_text(ranking, "not corrected for position")
    assert "position unknown" in ranking.articles[0].note
    assert all(article.position is None for article in ranking.articles)
    assert mean_width(ranking) > mean_width(ranked(world()))


def test_some_positions_missing(year: World) -> None:
    """Missing positions are counted in a warning, and the notes of these articles mention it."""
    lost = year.history.appearances[-1].url
    appearances = tuple(
        msgspec.structs.replace(s, position=None) if s.url == lost else s for s in year.history.appearances
    )
    ranking = ranked(changed(year, appearances=appearances))
    assert has_text(ranking, "1 of 128 appearances have no position and count as the middle of their issue")
    notes = {article.url: article.note for article in ranking.articles}
    assert [url for url, note in notes.items() if "at a middle position (position unknown)" in note] == [lost]


@pytest.mark.parametrize(
    ("hours", "text"),
    [
        pytest.param(2.0, "issue n7 is 2 hours old: 55% of its clicks are still expected", id="two hours"),
        pytest.param(1.0, "issue n7 is 1 hour old", id="one hour"),
    ],
)
def test_a_recent_issue(world: Make, hours: float, text: str) -> None:
    """The clicks still expected of a recent issue are stated, and its few clicks do not lower appeal."""
    ranking = ranked(world(age=hours))
    assert has_text(ranking, text)
    assert ranking.issues[-1].to_come > 0.5
    scores = [article.score for article in ranking.articles if article.issue == "n7"]
    assert abs(sum(scores) / len(scores)) < 0.6


def test_a_small_audience(world: Make) -> None:
    """With 400 recipients the warning mentions shrinkage and its effect on the hidden gems."""
    ranking = ranked(world(recipients=400))
    assert has_text(ranking, "small audience (400 recipients)")
    assert has_text(ranking, "check hidden gems yourself: about half of them are right")
    assert ranking.articles[0].appeal < ranked(world()).articles[0].appeal


def test_an_editor_who_sorts_very_well(world: Make) -> None:
    """If the order of the issue follows appeal closely, the warning states that the intervals are too short."""
    assert has_text(ranked(world(sorting=2.0, issues=12)), "the editors' order already follows appeal closely")


def test_clicks_that_the_model_cannot_explain(world: Make) -> None:
    """With far more noise than the model expects, the warning states that the intervals are too short."""
    assert has_text(ranked(world(noise=1.2, seed=0)), "clicks vary more than position, article and chance explain")


def test_no_clicks_at_all(year: World) -> None:
    """Without clicks no article is listed, and the footer states why."""
    appearances = tuple(msgspec.structs.replace(s, clicks=0, placements=()) for s in year.history.appearances)
    silent = changed(year, appearances=appearances, arrivals=())
    ranking = rank(silent.history, as_of=silent.as_of)
    assert (ranking.articles, ranking.footer) == ((), "issue n7 has no clicks yet: nothing to rank")


def test_one_article() -> None:
    """A single article is the average article, and the warning states that there is no comparison."""
    history = History((Issue("n", "", 0.0, 1000),), (Appearance("n", "u", 7, 1, (Placement("title", 7),)),))
    ranking = rank(history, as_of=1e7)
    assert has_text(ranking, "only one article: there is nothing to compare it with")
    assert (ranking.articles[0].score, ranking.articles[0].p_top, ranking.top) == (0.0, 1.0, 1)


def test_an_unknown_placement_kind(year: World) -> None:
    """The estimated weight of a placement kind without a prior weight is stated."""
    appearances = tuple(
        msgspec.structs.replace(s, placements=(*s.placements, Placement("banner", s.clicks // 3)))
        for s in year.history.appearances
    )
    assert has_text(ranked(changed(year, appearances=appearances)), "(title = 1): banner 0.5")


def test_more_clicks_than_recipients(year: World) -> None:
    """An issue with an article that has more clicks than recipients is named."""
    issues = (msgspec.structs.replace(year.history.issues[0], recipients=3), *year.history.issues[1:])
    ranking = ranked(changed(year, issues=issues))
    assert has_text(ranking, "issue n0: an article has more clicks than there were recipients; correct the recipients")


def test_fifteen_hundred_positions() -> None:
    """With 1,500 positions all figures are finite, and the warning mentions the extrapolation."""
    appearances = tuple(Appearance("n", f"u{p:04}", 2000 // p, p) for p in range(1, 1501))
    ranking = rank(History((Issue("n", "", 0.0, 50_000),), appearances), as_of=1e7)
    assert has_text(ranking, "there are positions up to 1500")
    assert len(ranking.articles) == 1500
    assert all(math.isfinite(article.appeal) and article.appeal > 0 for article in ranking.articles)


def test_constant_signals(year: World) -> None:
    """Signals that are equal for all articles do not change the scores, and are named in warnings."""
    signals = tuple(Signal(url, 100, 50, 5) for url in year.appeal)
    ranking, plain = ranked(changed(year, signals=signals)), ranked(year)
    for name in ("views", "read ratios", "fan ratios"):
        assert has_text(ranking, f"{name} are equal for all articles")
    assert [a.score for a in ranking.articles] == pytest.approx([a.score for a in plain.articles], abs=1e-5)


def test_missing_recipients(year: World) -> None:
    """The median of the other issues replaces missing recipients, and the order within the issue stays."""
    issues = tuple(msgspec.structs.replace(i, recipients=None) if i.slug == "n7" else i for i in year.history.issues)
    ranking = ranked(changed(year, issues=issues))
    assert has_text(ranking, "recipients of issue n7 unknown: the median of the other issues is used (20000)")
    order = [article.url for article in ranking.articles if article.issue == "n7"]
    before = [article.url for article in ranked(year).articles if article.issue == "n7"]
    assert sum(a == b for a, b in zip(order, before, strict=True)) >= 13


def test_the_issue_effect_absorbs_a_wrong_number_of_recipients(world: Make) -> None:
    """An issue of unknown size with ten times the other issues' clicks does not raise the appeal of its articles."""
    world_with_outlier = world(issues=10, reruns=6)
    appearances = tuple(
        msgspec.structs.replace(s, clicks=s.clicks * 10, placements=()) if s.issue == "n4" else s
        for s in world_with_outlier.history.appearances
    )
    issues = tuple(
        msgspec.structs.replace(i, recipients=None) if i.slug == "n4" else i for i in world_with_outlier.history.issues
    )
    ranking = ranked(changed(world_with_outlier, issues=issues, appearances=appearances))
    scores = [article.score for article in ranking.articles if article.issue == "n4"]
    assert abs(sum(scores) / len(scores)) < 0.7


def test_no_recipients_anywhere(year: World) -> None:
    """Without any recipients the warning states that only clicks distinguish the issues."""
    issues = tuple(msgspec.structs.replace(i, recipients=None) for i in year.history.issues)
    assert has_text(ranked(changed(year, issues=issues)), "no recipients are known: only clicks distinguish the issues")


def test_no_arrivals(year: World) -> None:
    """Without arrivals the published curve is used, and the best articles stay the same."""
    ranking = ranked(changed(year, arrivals=()))
    assert [a.url for a in ranking.articles][:3] == [a.url for a in ranked(year).articles][:3]


@pytest.mark.parametrize(
    ("hours", "text"),
    [(0.25, "15 minutes"), (1.2, "1 hour"), (26.4, "26 hours"), (48.0, "2 days"), (400.0, "17 days")],
)
def test_ages_have_fitting_units(hours: float, text: str) -> None:
    """Ages are in minutes below one hour, in days from two days on, and in hours between."""
    assert format_age(hours) == text
