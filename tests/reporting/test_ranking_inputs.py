"""Input of the ranking: it agrees with the report, article by article, and has the arrival of clicks."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shortener.ranking.inputs import Appearance, History, Placement, check_history
from shortener.reporting.issue_report import build_issue_report
from shortener.reporting.ranking_inputs import HOURLY_ARRIVAL_HOURS, load_history
from shortener.store import issues

HOUR = 3600
LATER = 1_800_000_000


def sent(newsletter: Any) -> int:
    """Return the sending time of the only issue."""
    return int(newsletter.store.value("select sent_at from issues"))


def find_appearance(history: History, issue: str, code: str) -> Appearance:
    """Return the appearance of an article, named by its code, in an issue."""
    url = f"https://a.example/{code}"
    return next(row for row in history.appearances if (row.issue, row.url) == (issue, url))


def test_appearances_count_visitors_by_article(read: Any) -> None:
    """Automated and repeated clicks do not count; placements are summed by kind; a footer link is no article."""
    history = load_history(read.store, as_of=LATER)
    assert find_appearance(history, "may", "one") == Appearance(
        issue="may",
        url="https://a.example/one",
        clicks=2,
        position=1,
        placements=(Placement("image", 1), Placement("title", 2)),
        all_clicks=4,
    )
    assert find_appearance(history, "may", "two").clicks == 1
    assert len(history.appearances) == 2
    assert history.titles == {"https://a.example/one": "About one", "https://a.example/two": "About two"}
    assert history.authors == {"https://a.example/one": "Ada", "https://a.example/two": "Ada"}


def test_an_issue_has_its_details(read: Any) -> None:
    """Slug, title, sending time and recipients are as stored."""
    (issue,) = load_history(read.store, as_of=LATER).issues
    assert (issue.slug, issue.title, issue.sent_at, issue.recipients) == ("may", "May", sent(read), 200)
    assert issue.counted == "visitors"


def test_the_history_is_valid(read: Any) -> None:
    """The history passes the checks of the ranking."""
    check_history(load_history(read.store, as_of=LATER))


def test_later_clicks_do_not_count(read: Any) -> None:
    """A history as of an earlier time has no click from after that time."""
    read.click("two", 3, visitor="eve", after=30 * HOUR)
    read.drain()
    early, late = (load_history(read.store, as_of=sent(read) + hours * HOUR) for hours in (2, 40))
    assert (find_appearance(early, "may", "two").clicks, find_appearance(late, "may", "two").clicks) == (1, 2)
    assert sum(row.clicks for row in early.arrivals) + 1 == sum(row.clicks for row in late.arrivals)


def test_an_article_in_two_issues_is_one_article(newsletter: Any) -> None:
    """A target that appears again in a later issue, under another code, is one article."""
    newsletter.add_issue(
        "june",
        {"one": [("title", 1)]},
        recipients=None,
        sent_at=sent(newsletter) + 1,
        places={"one": 3},
        prefix="r",
    )
    newsletter.click("one", 1)
    newsletter.click("rone", 1, visitor="bob")
    newsletter.drain()
    history = load_history(newsletter.store, as_of=LATER)
    assert [(row.issue, row.position, row.clicks) for row in history.appearances if row.url.endswith("/one")] == [
        ("june", 3, 1),
        ("may", 1, 1),
    ]


def test_an_unsent_issue_is_dated_by_its_first_click(newsletter: Any) -> None:
    """Without a sending time, an issue counts as sent in the first hour with a human click."""
    newsletter.add_issue("june", {"six": [("title", 1)]}, recipients=None, sent_at=None, places={"six": 1})
    newsletter.machine("bot", "six", after=HOUR)
    newsletter.click("six", 1, after=5 * HOUR)
    newsletter.drain()
    history = load_history(newsletter.store, as_of=LATER)
    june = next(issue for issue in history.issues if issue.slug == "june")
    assert june.sent_at == sent(newsletter) + 5 * HOUR


def test_a_draft_is_left_out(newsletter: Any) -> None:
    """An issue with neither a sending time nor a click is not in the history."""
    newsletter.add_issue("june", {"six": [("title", 1)]}, recipients=None, sent_at=None, places={"six": 1})
    assert "june" not in {issue.slug for issue in load_history(newsletter.store, as_of=LATER).issues}


def test_clicks_are_ranked_where_visitors_are_unknown(newsletter: Any) -> None:
    """If clicks carry no visitor, the history counts clicks."""
    for n in (1, 2, 2):
        newsletter.click("one", n, visitor=None)
    newsletter.drain()
    history = load_history(newsletter.store, as_of=LATER)
    assert [issue.counted for issue in history.issues] == ["clicks"]
    one = find_appearance(history, "may", "one")
    assert one.clicks == 3
    assert one.placements == (Placement("image", 1), Placement("title", 2))


def test_arrivals_are_hours_and_later_days(newsletter: Any) -> None:
    """Arrivals are counted by hour for three days, and by day after that."""
    for hours in (0, 1, 71, 80, 90, 100):
        newsletter.click("one", 1, visitor=f"v{hours}", after=hours * HOUR + 1800)
        newsletter.drain()
    arrivals = sorted(load_history(newsletter.store, as_of=LATER).arrivals, key=lambda row: row.start_hours)
    assert [(row.start_hours, row.end_hours, row.clicks) for row in arrivals] == [
        (0, 1, 1),
        (1, 2, 1),
        (71, 72, 1),
        (80, 91, 2),
        (100, 101, 1),
    ]
    assert arrivals[2].end_hours <= HOURLY_ARRIVAL_HOURS


def test_clicks_before_the_sending_are_no_arrivals(newsletter: Any) -> None:
    """Test clicks by editors before the sending do not change the arrival curve."""
    with newsletter.store.transaction():
        issue = issues.get(newsletter.store, "may")
        issues.update(newsletter.store, issue.id, now=1, sent_at=sent(newsletter) + 5 * HOUR + 1800)
    for hours in (1, 5, 6):
        newsletter.click("one", 1, visitor=f"v{hours}", after=hours * HOUR)
        newsletter.drain()
    arrivals = sorted(load_history(newsletter.store, as_of=LATER).arrivals, key=lambda row: row.start_hours)
    assert [(row.start_hours, row.end_hours, row.clicks) for row in arrivals] == [
        (0, 0.5, 1),
        (0.5, 1.5, 1),
    ]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["one", "two", "foot"]),
            st.sampled_from([0, 1, 2, 3, 4, 8]),
            st.sampled_from("abc"),
        ),
        max_size=12,
    )
)
def test_history_and_report_agree(newsletter: Any, clicks: list[tuple[str, int, str]]) -> None:
    """For any clicks on any placements, an appearance has the visitors that the report shows."""
    for code, n, visitor in clicks:
        newsletter.click(code, n, visitor=visitor)
    newsletter.drain()
    report = build_issue_report(newsletter.store, "may", as_of=LATER)
    history = load_history(newsletter.store, as_of=LATER)
    for article in report.articles:
        appearance = next(row for row in history.appearances if row.url == article.url)
        assert appearance.clicks in {article.visitors, article.clicks}
        assert appearance.position == article.position
    parts: list[Any] = [*report.articles, *report.links]
    assert sum(part.clicks for part in parts) == report.totals.clicks.human


@pytest.mark.parametrize("as_of", [0, 1, LATER], ids=["1970", "a second later", "today"])
def test_without_clicks_there_are_no_arrivals(newsletter: Any, as_of: int) -> None:
    """Without clicks the articles appear with zeros, and there are no arrivals."""
    history = load_history(newsletter.store, as_of=as_of)
    assert [row.clicks for row in history.appearances] == [0, 0]
    assert history.arrivals == ()
