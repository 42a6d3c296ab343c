"""Method §9, situation by situation: finite output, and a sentence that says what cannot be known."""

import math
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from shortener.ranking import Appearance, History, Issue, Placement, Ranking, Signal, rank
from shortener.ranking.caveats import format_age

World = Any
Make = Callable[..., World]


def ranked(given: World) -> Ranking:
    """The ranking of a world, checked to be finite and complete."""
    found = rank(given.history, as_of=given.as_of)
    assert {line.url for line in found.articles} == {s.url for s in given.history.appearances}
    for line in found.articles:
        assert 0 < line.low <= line.appeal <= line.high < math.inf
        assert 0 <= line.expected < math.inf
    return found


def changed(given: World, **rows: Any) -> World:
    """The world with other rows in its history."""
    return msgspec.structs.replace(given, history=msgspec.structs.replace(given.history, **rows))


def says(found: Ranking, words: str) -> bool:
    """Whether a warning or the footer says these words."""
    return any(words in text for text in (*found.warnings, found.footer))


def width(found: Ranking) -> float:
    """The mean of log(high / low)."""
    return sum(math.log(a.high / a.low) for a in found.articles) / len(found.articles)


def test_an_ordinary_year_needs_no_warning(year: World) -> None:
    """With re-runs, places, recipients and no fresh issue there is nothing to warn of."""
    found = ranked(year)
    assert found.warnings == ()
    assert "place effect learnt from" in found.footer
    assert "mostly assumed" not in found.footer


def test_one_issue_only(world: Make) -> None:
    """One issue: the place effect is said to be assumed, in warning and footer."""
    found = ranked(world(issues=1))
    assert says(found, "one issue only: the place effect is assumed")
    assert "learnt from 0 articles shown at 2+ places" in found.footer
    assert "place effect mostly assumed" in found.footer


def test_no_reruns(world: Make) -> None:
    """No re-runs: intervals widen by themselves, and the advice to re-run is given."""
    found = ranked(world(reruns=0))
    assert says(found, "re-run 2-3 articles per issue at another place")
    assert says(found, "place effect mostly assumed")
    assert width(found) > width(ranked(world()))


def test_no_positions_at_all(world: Make) -> None:
    """No positions: the text says that place is not corrected for, and the intervals are wider."""
    found = ranked(world(placed=False))
    assert says(found, "no positions are known")
    assert says(found, "place not taken into account")
    assert "place unknown" in found.articles[0].note
    assert all(line.position is None for line in found.articles)
    assert width(found) > width(ranked(world()))


def test_some_positions_missing(year: World) -> None:
    """Some positions missing: they are counted, and the articles concerned say so."""
    lost = year.history.appearances[-1].url
    showings = tuple(
        msgspec.structs.replace(s, position=None) if s.url == lost else s for s in year.history.appearances
    )
    found = ranked(changed(year, appearances=showings))
    assert says(found, "1 of 128 showings have no position; the middle of the issue stands in")
    notes = {line.url: line.note for line in found.articles}
    assert [url for url, note in notes.items() if "its own unknown" in note] == [lost]


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        pytest.param(2.0, "issue n7 is 2 hours old: 55% of its clicks are still to come", id="two hours"),
        pytest.param(1.0, "issue n7 is 1 hour old", id="one hour"),
        pytest.param(0.0, "issue n7 is 1 minute old", id="this second"),
    ],
)
def test_a_fresh_issue(world: Make, hours: float, words: str) -> None:
    """A fresh issue: what is still to come is said, and its level is not taken for appeal."""
    found = ranked(world(age=hours))
    assert says(found, words)
    assert found.issues[-1].to_come > 0.5
    fresh = [line.score for line in found.articles if line.issue == "n7"]
    assert abs(sum(fresh) / len(fresh)) < 0.6


def test_a_small_audience(world: Make) -> None:
    """400 recipients: mostly shrinkage, said with what it does to the gems."""
    found = ranked(world(recipients=400))
    assert says(found, "small audience (400 recipients)")
    assert says(found, "of five hidden gems about two are right")
    assert found.articles[0].appeal < ranked(world()).articles[0].appeal


def test_an_editor_who_sorts_very_well(world: Make) -> None:
    """Order that follows appeal closely: the gain is said to narrow and the intervals to be short."""
    assert says(ranked(world(sorting=2.0, issues=12)), "the editors' order already follows appeal closely")


def test_clicks_that_the_model_cannot_explain(world: Make) -> None:
    """Far more noise than the model expects: the intervals are said to be short."""
    assert says(ranked(world(noise=1.2, seed=0)), "clicks vary more than place, article and chance explain")


def test_no_clicks_at_all(year: World) -> None:
    """No clicks: every note says that they are too few, or that none came where some were due."""
    showings = tuple(msgspec.structs.replace(s, clicks=0, placements=()) for s in year.history.appearances)
    found = ranked(changed(year, appearances=showings, arrivals=()))
    assert says(found, "no clicks at all yet")
    assert {line.note for line in found.articles} == {"too few clicks to tell (0)"}


def test_one_link() -> None:
    """One link: it is the average article, and there is nothing to compare it with."""
    history = History((Issue("n", "", 0.0, 1000),), (Appearance("n", "u", 7, 1, (Placement("title", 7),)),))
    found = rank(history, as_of=1e7)
    assert says(found, "only one article: there is nothing to compare it with")
    assert (found.articles[0].score, found.articles[0].p_top, found.top) == (0.0, 1.0, 1)


def test_an_unknown_placement(year: World) -> None:
    """An unknown kind of placement gets a weight of its own, which is told."""
    showings = tuple(
        msgspec.structs.replace(s, placements=(*s.placements, Placement("banner", s.clicks // 3)))
        for s in year.history.appearances
    )
    assert says(ranked(changed(year, appearances=showings)), "(title = 1): banner 0.5")


def test_more_clicks_than_recipients(year: World) -> None:
    """Clicks above recipients: the issue is named with the mend."""
    issues = (msgspec.structs.replace(year.history.issues[0], recipients=3), *year.history.issues[1:])
    found = ranked(changed(year, issues=issues))
    assert says(
        found, "issue n0: an article has more clicks than there were recipients; correct the recipients"
    )


def test_fifteen_hundred_positions() -> None:
    """1,500 positions: finite, and said to be continued rather than measured."""
    showings = tuple(Appearance("n", f"u{p:04}", 2000 // p, p) for p in range(1, 1501))
    found = rank(History((Issue("n", "", 0.0, 50_000),), showings), as_of=1e7)
    assert says(found, "places go down to 1500")
    assert len(found.articles) == 1500
    assert all(math.isfinite(line.appeal) and line.appeal > 0 for line in found.articles)


def test_constant_signals(year: World) -> None:
    """Signals that are the same for all articles change nothing and are said to teach nothing."""
    signals = tuple(Signal(url, 100, 50, 5) for url in year.appeal)
    found, plain = ranked(changed(year, signals=signals)), ranked(year)
    for name in ("views", "read ratios", "fan ratios"):
        assert says(found, f"{name} are the same for all articles")
    assert [a.score for a in found.articles] == pytest.approx([a.score for a in plain.articles], abs=1e-5)


def test_missing_recipients(year: World) -> None:
    """Missing recipients: the median of the others stands in, and the order within the issue stays."""
    issues = tuple(
        msgspec.structs.replace(i, recipients=None) if i.slug == "n7" else i for i in year.history.issues
    )
    found = ranked(changed(year, issues=issues))
    assert says(found, "recipients of issue n7 unknown: the median of the others stands in (20000)")
    order = [line.url for line in found.articles if line.issue == "n7"]
    before = [line.url for line in ranked(year).articles if line.issue == "n7"]
    assert sum(a == b for a, b in zip(order, before, strict=True)) >= 13


def test_a_wrong_guess_of_recipients_is_taken_up_by_the_issue(world: Make) -> None:
    """An issue ten times the others' size, its recipients unknown, does not make its articles that good."""
    given = world(issues=10, reruns=6)
    showings = tuple(
        msgspec.structs.replace(s, clicks=s.clicks * 10, placements=()) if s.issue == "n4" else s
        for s in given.history.appearances
    )
    issues = tuple(
        msgspec.structs.replace(i, recipients=None) if i.slug == "n4" else i for i in given.history.issues
    )
    found = ranked(changed(given, issues=issues, appearances=showings))
    own = [line.score for line in found.articles if line.issue == "n4"]
    assert abs(sum(own) / len(own)) < 0.7


def test_no_recipients_anywhere(year: World) -> None:
    """No recipients at all: issues are told apart by their clicks alone."""
    issues = tuple(msgspec.structs.replace(i, recipients=None) for i in year.history.issues)
    assert says(ranked(changed(year, issues=issues)), "no issue has its recipients")


def test_no_arrivals(year: World) -> None:
    """Without ages of clicks the published curve serves."""
    found = ranked(changed(year, arrivals=()))
    assert [a.url for a in found.articles][:3] == [a.url for a in ranked(year).articles][:3]


@pytest.mark.parametrize(
    ("hours", "said"),
    [(0.25, "15 minutes"), (1.2, "1 hour"), (26.4, "26 hours"), (48.0, "2 days"), (400.0, "17 days")],
)
def test_ages_are_said_in_fitting_units(hours: float, said: str) -> None:
    """Minutes below an hour, hours below two days, days from there."""
    assert format_age(hours) == said
