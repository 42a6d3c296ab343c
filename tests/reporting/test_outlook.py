"""An issue beside earlier ones at the same age, and the forecast of its final count."""

from typing import TYPE_CHECKING

import pytest

from shortener.durations import DAY_SECONDS, HOUR_SECONDS
from shortener.reporting.forecast import Forecast, Usual
from shortener.reporting.issue_report import build_issue_report
from shortener.reporting.outlook import (
    Outlook,
    build_outlook,
    build_outlooks,
    describe_outlook,
    find_compared_issues,
    usual_figures,
)
from shortener.store import issues

if TYPE_CHECKING:
    from tests.conftest import Newsletter

SENT = 1_714_550_400
USUAL_RATE = Usual(median=0.038, low=0.029, high=0.044, issues=8)
USUAL_COUNT = Usual(median=450.0, low=300.0, high=600.0, issues=5)


@pytest.fixture
def year(newsletter: "Newsletter") -> "Newsletter":
    """Five earlier issues a day apart with 1 to 5 visitors in their first hour, and ``last`` with one visitor."""
    for number in range(1, 6):
        add_issue(newsletter, f"n{number}", days=number)
        for visitor in range(number):
            newsletter.click(f"n{number}", 1, visitor=f"v{visitor}", after=number * DAY_SECONDS + 600)
        newsletter.drain()
        newsletter.click(f"n{number}", 1, visitor="late", after=number * DAY_SECONDS + 5 * HOUR_SECONDS)
        newsletter.drain()
    add_issue(newsletter, "last", days=7)
    newsletter.click("last", 1, visitor="w", after=7 * DAY_SECONDS + 600)
    newsletter.drain()
    return newsletter


def add_issue(newsletter: "Newsletter", slug: str, *, days: int) -> None:
    """Add an issue with one link, which was sent some days after the first one to 100 recipients."""
    sent_at = SENT + days * DAY_SECONDS
    newsletter.add_issue(slug, {slug: [("title", 1)]}, places={slug: 1}, recipients=100, sent_at=sent_at)


def test_earlier_issues_count_up_to_the_same_age(year: "Newsletter") -> None:
    """After two hours, the late visitor of each earlier issue does not count; after six hours it does."""
    for hours, median in ((2, 3.0), (6, 4.0)):
        now = SENT + 7 * DAY_SECONDS + hours * HOUR_SECONDS
        outlook = build_outlook(year.store, "last", remaining_share=None, now=now)
        assert outlook is not None
        assert outlook.usual_count is not None
        assert (outlook.counted, outlook.count, outlook.rate, outlook.hours) == ("visitors", 1, 0.01, hours)
        assert (outlook.usual_count.median, outlook.usual_count.issues) == (median, 5)
        assert outlook.usual_rate is not None
        assert outlook.usual_rate.median == pytest.approx(median / 100)
        assert (outlook.judgement, outlook.forecast) == ("below", None)


def test_an_earlier_issue_without_clicks_at_that_age_counts_as_none(newsletter: "Newsletter") -> None:
    """An issue that was first clicked later has no clicks at the age of the latest one, and is not left out."""
    for number in range(1, 6):
        add_issue(newsletter, f"n{number}", days=number)
        newsletter.click(f"n{number}", 1, after=number * DAY_SECONDS + (600 if number > 3 else 5 * HOUR_SECONDS))
    add_issue(newsletter, "last", days=7)
    newsletter.drain()
    found = find_compared_issues(newsletter.store, "last")
    usual = usual_figures(newsletter.store, found, now=SENT + 7 * DAY_SECONDS + 2 * HOUR_SECONDS)
    assert usual.clicks is not None
    assert (usual.clicks.median, usual.clicks.high, usual.clicks.issues) == (0, 1, 5)


@pytest.mark.parametrize("seconds", [2 * HOUR_SECONDS + 1, 2 * HOUR_SECONDS + 450, 2 * HOUR_SECONDS + 899])
def test_an_issue_counts_its_last_minutes_whole(year: "Newsletter", seconds: int) -> None:
    """The count of an issue is that of its report, also within the quarter-hour of its latest clicks."""
    for visitor in range(5):
        year.click("last", 1, visitor=f"x{visitor}", after=7 * DAY_SECONDS + 2 * HOUR_SECONDS)
    year.drain()
    now = SENT + 7 * DAY_SECONDS + seconds
    single = build_outlook(year.store, "last", remaining_share=0.5, now=now)
    several = build_outlooks(year.store, ["last"], remaining_shares={"last": 0.5}, now=now)
    report = build_issue_report(year.store, "last", as_of=now)
    assert single is not None
    assert single.forecast is not None
    assert report.totals.visitors == single.count == several["last"].count == 6
    assert single.forecast.expected == 12


def test_later_and_hidden_issues_do_not_count(year: "Newsletter") -> None:
    """Only listed issues that were sent before are compared; with three of them nothing is usual."""
    now = SENT + 8 * DAY_SECONDS
    fourth = build_outlook(year.store, "n4", remaining_share=0.5, now=now)
    assert fourth is not None
    assert fourth.usual_count is None
    assert fourth.judgement is None
    assert fourth.forecast is not None
    assert fourth.forecast.expected == 10
    with year.store.transaction():
        issues.update(year.store, issues.get(year.store, "n1").id, now=now, archived_at=now)
    last = build_outlook(year.store, "last", remaining_share=None, now=now)
    assert last is not None
    assert last.usual_count is not None
    assert last.usual_count.issues == 4


@pytest.mark.parametrize("slug", ["may", "draft", "scheduled"])
def test_an_issue_without_clicks_or_sending_has_no_outlook(year: "Newsletter", slug: str) -> None:
    """Nothing is said of an issue that was not sent, or has no clicks."""
    year.add_issue("draft", {"x": [("title", 1)]}, places={"x": 1}, recipients=None, sent_at=None)
    add_issue(year, "scheduled", days=30)
    assert build_outlook(year.store, slug, remaining_share=0.5, now=SENT + 8 * DAY_SECONDS) is None


@pytest.mark.parametrize("seconds", [HOUR_SECONDS, 5 * HOUR_SECONDS + 700, 30 * DAY_SECONDS])
def test_outlooks_of_several_issues_are_those_of_each(year: "Newsletter", seconds: int) -> None:
    """Several issues at once have the same outlooks as each of them; those without one are left out."""
    year.add_issue("draft", {"x": [("title", 1)]}, places={"x": 1}, recipients=None, sent_at=None)
    now = SENT + 7 * DAY_SECONDS + seconds
    slugs = ["n1", "n2", "n3", "n4", "n5", "last", "draft"]
    shares = {"last": 0.4, "n5": 0.2}
    outlooks = build_outlooks(year.store, slugs, remaining_shares=shares, now=now)
    single = {slug: build_outlook(year.store, slug, remaining_share=shares.get(slug), now=now) for slug in slugs}
    assert outlooks == {slug: outlook for slug, outlook in single.items() if outlook is not None}
    assert set(outlooks) == set(slugs) - {"draft"}


OUTLOOKS = {
    "rate below": (
        Outlook("visitors", 5.0, 382, 0.031 - 0.003, USUAL_COUNT, USUAL_RATE, Forecast(438.4, 424.6, 460.2)),
        "2.8 % of the recipients, below your usual 3.8 % after 5 hours (2.9 to 4.4 % in most of the last 8 issues). "
        "Expect about 438 visitors in the end (425 to 460).",
    ),
    "rate within": (
        Outlook("visitors", 5.0, 382, 0.031, USUAL_COUNT, USUAL_RATE, None),
        "3.1 % of the recipients, about your usual 3.8 % after 5 hours (2.9 to 4.4 % in most of the last 8 issues).",
    ),
    "count above": (
        Outlook("clicks", 5.0, 1382, None, USUAL_COUNT, None, None),
        "1,382 clicks, above your usual 450 after 5 hours (300 to 600 in most of the last 5 issues).",
    ),
    "forecast alone": (
        Outlook("clicks", 1.0, 8_000, None, None, None, Forecast(23_456.0, 15_432.0, 34_567.0)),
        "Expect about 23,500 clicks in the end (15,400 to 34,600).",
    ),
    "nothing to say": (Outlook("clicks", 1.0, 8, None, None, None, None), ""),
}


@pytest.mark.parametrize(("outlook", "text"), OUTLOOKS.values(), ids=OUTLOOKS)
def test_sentences(outlook: Outlook, text: str) -> None:
    """The sentence judges by click rate, else by the count, and says the usual range and the forecast."""
    assert describe_outlook(outlook) == text
