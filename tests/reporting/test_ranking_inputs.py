"""The ranking's input: the same counts that the report shows, article by article, and when they came."""

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
    return int(newsletter.store.value("select sent_at from issues"))


def shown(known: History, issue: str, code: str) -> Appearance:
    url = f"https://a.example/{code}"
    return next(each for each in known.appearances if (each.issue, each.url) == (issue, url))


def test_showings_are_visitors_by_article(read: Any) -> None:
    """Machines and repeats are left out, placements are added up by kind, footers are no articles."""
    known = load_history(read.store, as_of=LATER)
    assert shown(known, "may", "one") == Appearance(
        issue="may",
        url="https://a.example/one",
        clicks=2,
        position=1,
        placements=(Placement("image", 1), Placement("title", 2)),
    )
    assert shown(known, "may", "two").clicks == 1
    assert len(known.appearances) == 2
    assert known.titles == {"https://a.example/one": "About one", "https://a.example/two": "About two"}


def test_the_issue_comes_with_its_facts(read: Any) -> None:
    """Slug, title, sending time and recipients, as stored."""
    (issue,) = load_history(read.store, as_of=LATER).issues
    assert (issue.slug, issue.title, issue.sent_at, issue.recipients) == ("may", "May", sent(read), 200)
    assert issue.counted == "visitors"


def test_the_ranking_accepts_it(read: Any) -> None:
    """What comes out passes the ranking's own checks."""
    check_history(load_history(read.store, as_of=LATER))


def test_only_what_came_by_then_counts(read: Any) -> None:
    """A ranking as of last week does not know this week's clicks."""
    read.click("two", 3, visitor="eve", after=30 * HOUR)
    read.drain()
    early, late = (load_history(read.store, as_of=sent(read) + hours * HOUR) for hours in (2, 40))
    assert (shown(early, "may", "two").clicks, shown(late, "may", "two").clicks) == (1, 2)
    assert sum(each.clicks for each in early.arrivals) + 1 == sum(each.clicks for each in late.arrivals)


def test_a_rerun_is_one_article(newsletter: Any) -> None:
    """The same target in a later issue, under another code, is the same article again."""
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
    known = load_history(newsletter.store, as_of=LATER)
    assert [
        (each.issue, each.position, each.clicks) for each in known.appearances if each.url.endswith("/one")
    ] == [
        ("june", 3, 1),
        ("may", 1, 1),
    ]


def test_an_unsent_issue_is_dated_by_its_first_click(newsletter: Any) -> None:
    """Nobody wrote down when it was sent: the first hour with a person's click stands for it."""
    newsletter.add_issue("june", {"six": [("title", 1)]}, recipients=None, sent_at=None, places={"six": 1})
    newsletter.machine("bot", "six", after=HOUR)
    newsletter.click("six", 1, after=5 * HOUR)
    newsletter.drain()
    known = load_history(newsletter.store, as_of=LATER)
    june = next(issue for issue in known.issues if issue.slug == "june")
    assert june.sent_at == sent(newsletter) + 5 * HOUR


def test_an_issue_that_waits_to_be_sent_says_nothing(newsletter: Any) -> None:
    """A draft has shown nobody anything: it is left out, or where it is asked for, as young as can be."""
    newsletter.add_issue("june", {"six": [("title", 1)]}, recipients=None, sent_at=None, places={"six": 1})
    assert "june" not in {issue.slug for issue in load_history(newsletter.store, as_of=LATER).issues}
    asked = load_history(newsletter.store, as_of=LATER, draft_slug="june")
    assert next(issue.sent_at for issue in asked.issues if issue.slug == "june") == LATER


def test_unknown_visitors_are_replaced_by_clicks(newsletter: Any) -> None:
    """Where addresses are not kept there are no visitors: clicks are ranked instead."""
    for n in (1, 2, 2):
        newsletter.click("one", n, visitor=None)
    newsletter.drain()
    known = load_history(newsletter.store, as_of=LATER)
    assert [issue.counted for issue in known.issues] == ["clicks"]
    one = shown(known, "may", "one")
    assert one.clicks == 3
    assert one.placements == (Placement("image", 1), Placement("title", 2))


def test_arrivals_are_hours_and_later_days(newsletter: Any) -> None:
    """Each hour of the first three days is kept; what comes later is added up by the day."""
    for hours in (0, 1, 71, 80, 90, 100):
        newsletter.click("one", 1, visitor=f"v{hours}", after=hours * HOUR + 1800)
        newsletter.drain()
    arrivals = sorted(load_history(newsletter.store, as_of=LATER).arrivals, key=lambda each: each.start_hours)
    assert [(each.start_hours, each.end_hours, each.clicks) for each in arrivals] == [
        (0, 1, 1),
        (1, 2, 1),
        (71, 72, 1),
        (80, 91, 2),
        (100, 101, 1),
    ]
    assert arrivals[2].end_hours <= HOURLY_ARRIVAL_HOURS


def test_what_came_before_the_sending_is_no_arrival(newsletter: Any) -> None:
    """The editors' own tries before the sending do not bend the curve."""
    with newsletter.store.transaction():
        issue = issues.get(newsletter.store, "may")
        issues.update(newsletter.store, issue.id, now=1, sent_at=sent(newsletter) + 5 * HOUR + 1800)
    for hours in (1, 5, 6):
        newsletter.click("one", 1, visitor=f"v{hours}", after=hours * HOUR)
        newsletter.drain()
    arrivals = sorted(load_history(newsletter.store, as_of=LATER).arrivals, key=lambda each: each.start_hours)
    assert [(each.start_hours, each.end_hours, each.clicks) for each in arrivals] == [
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
    """Whatever is clicked, on whatever placement: the ranking sees the visitors that the report shows."""
    for code, n, visitor in clicks:
        newsletter.click(code, n, visitor=visitor)
    newsletter.drain()
    report = build_issue_report(newsletter.store, "may", as_of=LATER)
    known = load_history(newsletter.store, as_of=LATER)
    for article in report.articles:
        showing = next(each for each in known.appearances if each.url == article.url)
        assert showing.clicks in {article.visitors, article.clicks}
        assert showing.position == article.position
    parts: list[Any] = [*report.articles, *report.links]
    assert sum(each.clicks for each in parts) == report.totals.clicks.human


@pytest.mark.parametrize("as_of", [0, 1, LATER], ids=["1970", "a second later", "today"])
def test_an_empty_store_has_an_empty_history(newsletter: Any, as_of: int) -> None:
    """Nothing was clicked: showings with no clicks, and no arrivals."""
    known = load_history(newsletter.store, as_of=as_of)
    assert [each.clicks for each in known.appearances] == [0, 0]
    assert known.arrivals == ()
