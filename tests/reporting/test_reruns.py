"""The articles of an issue to show again: which, when they stay as they are, and whether it was done."""

from typing import Any

import pytest

from shortener.reporting.issue_report import RerunSuggestion, build_issue_report
from shortener.reporting.ranking import (
    complete_report,
    load_remaining_shares,
    rank_stored_articles,
    suggest_stored_reruns,
)
from shortener.store import issues

HOUR, DAY = 3600, 86_400
ARTICLES = 8


def sent(newsletter: Any) -> int:
    return int(newsletter.store.value("select sent_at from issues"))


@pytest.fixture
def june(newsletter: Any) -> Any:
    """The newsletter with an issue `june` of eight articles, a month after May, clicked in falling numbers."""
    codes = [f"j{n}" for n in range(1, ARTICLES + 1)]
    newsletter.add_issue(
        "june",
        {code: [("title", n)] for n, code in enumerate(codes, 1)},
        recipients=200,
        sent_at=sent(newsletter) + 30 * DAY,
        places={code: n for n, code in enumerate(codes, 1)},
    )
    for n, code in enumerate(codes, 1):
        for reader in range(24 // n):
            newsletter.click(code, n, visitor=f"reader {reader}", after=30 * DAY + HOUR)
    newsletter.drain()
    return newsletter


def suggestions(newsletter: Any, *, days: float) -> tuple[RerunSuggestion, ...]:
    """Return the suggestions for June, a number of days after it was sent."""
    as_of = sent(newsletter) + int((30 + days) * DAY)
    return suggest_stored_reruns(newsletter.store, "june", config=newsletter.config, as_of=as_of)


def test_two_articles_are_suggested(june: Any) -> None:
    """At most two articles of the issue, with their title and both positions; open until the next issue."""
    found = suggestions(june, days=20)
    assert 1 <= len(found) <= 2
    for each in found:
        assert each.title.startswith("About j")
        assert each.url == f"https://a.example/j{each.position}"
        assert each.new_position != each.position
        assert (each.shown_again, each.shown_position, each.open) == (None, None, True)


def test_later_clicks_do_not_change_the_suggestions(june: Any) -> None:
    """From the seventh day on, clicks change nothing: an editor finds again what an earlier report suggested."""
    before = suggestions(june, days=8)
    for n in range(60):
        june.click("j8", 8, visitor=f"late {n}", after=39 * DAY)
    june.drain()
    assert suggestions(june, days=20) == before


def add_next_issue(newsletter: Any, url: str, position: int) -> None:
    """Add an issue in July that has an article of June at a position, under another code."""
    newsletter.add_issue(
        "july",
        {"x1": [("title", 1)], "x2": [("title", 2)]},
        recipients=200,
        sent_at=sent(newsletter) + 60 * DAY,
        places={"x1": 1 if position != 1 else 2},
    )
    store = newsletter.store
    with store.transaction():
        july = issues.get(store, "july").id
        details = {"title": "Again", "author": "", "summary": "", "section": "", "image": ""}
        issues.set_positions(store, {issues.add_article(store, july, url=url, **details): position})


def test_the_report_remembers_that_a_suggestion_was_followed(june: Any) -> None:
    """After the next issue the suggestions are the same: one is done, with issue and position, the other is not."""
    before = suggestions(june, days=20)
    add_next_issue(june, before[0].url, before[0].new_position)
    after = suggestions(june, days=40)
    assert [(each.url, each.new_position) for each in after] == [(each.url, each.new_position) for each in before]
    assert (after[0].shown_again, after[0].shown_position) == ("july", before[0].new_position)
    assert not any(each.open for each in after)
    assert [each.shown_again for each in after[1:]] == [None] * (len(after) - 1)


def test_at_the_old_position_it_is_not_done(june: Any) -> None:
    """An article that is shown again where it was before measures nothing."""
    before = suggestions(june, days=20)
    add_next_issue(june, before[0].url, before[0].position)
    assert suggestions(june, days=40)[0].shown_again is None


def test_an_issue_that_was_not_sent_has_none(june: Any) -> None:
    """A draft has no clicks to suggest anything from."""
    june.add_issue("draft", {"d": [("title", 1)]}, recipients=None, sent_at=None, places={"d": 1})
    as_of = sent(june) + 50 * DAY
    assert suggest_stored_reruns(june.store, "draft", config=june.config, as_of=as_of) == ()


def test_the_report_has_them(june: Any) -> None:
    """The report of an issue has the suggestions; all else stays as it is."""
    as_of = sent(june) + 50 * DAY
    plain = build_issue_report(june.store, "june", as_of=as_of)
    report = complete_report(june.store, plain, config=june.config, as_of=as_of)
    assert report.reruns == suggestions(june, days=20)
    assert (plain.reruns, plain.totals) == ((), report.totals)


def test_remaining_shares_are_those_of_the_ranking(june: Any) -> None:
    """The shares without a fit are those that a ranking of all articles has."""
    as_of = sent(june) + 30 * DAY + 5 * HOUR
    ranking = rank_stored_articles(june.store, config=june.config, as_of=as_of)
    shares = load_remaining_shares(june.store, config=june.config, as_of=as_of)
    assert shares == pytest.approx({issue.slug: issue.to_come for issue in ranking.issues}, abs=1e-6)
    assert 0.1 < shares["june"] < 0.9
