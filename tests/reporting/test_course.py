"""The course of an issue by its age, beside the usual range of earlier issues and another issue, and its forecast."""

from typing import TYPE_CHECKING

import pytest

from shortener.durations import DAY_SECONDS, HOUR_SECONDS
from shortener.ranking import Arrivals
from shortener.ranking.arrival_curve import prior_curve
from shortener.reporting.course import LONGEST_HOURS, Course, CourseRequest, build_course, load_usual_course
from shortener.reporting.outlook import build_outlook, find_compared_issues
from shortener.store import issues

if TYPE_CHECKING:
    from tests.conftest import Newsletter

SENT = 1_714_550_400
NOTHING = Arrivals({}, None)


def course(
    newsletter: "Newsletter",
    slug: str,
    *,
    now: int,
    request: CourseRequest | None = None,
    arrivals: Arrivals = NOTHING,
) -> Course:
    """Return the course of an issue."""
    found = find_compared_issues(newsletter.store, slug)
    wanted = CourseRequest("clicks") if request is None else request
    usual = load_usual_course(newsletter.store, found, counted=wanted.counted, pace=wanted.pace, now=now)
    return build_course(newsletter.store, found, wanted, usual=usual, arrivals=arrivals, now=now)


def counts(shown: Course) -> dict[float, int | None]:
    """Return the issue's own counts by age."""
    return {point.hours: point.count for point in shown.points}


def test_the_other_issue_is_compared_at_the_same_age(newsletter: "Newsletter") -> None:
    """Counts are cumulated by hours since the sending of each issue, the requested one until now."""
    newsletter.add_issue(
        "june", {"three": [("title", 1)]}, places={"three": 1}, recipients=None, sent_at=SENT + 30 * HOUR_SECONDS
    )
    for hours in (0.2, 5.2, 5.4):
        newsletter.click("one", 1, visitor=f"v{hours}", after=int(hours * HOUR_SECONDS))
    newsletter.drain()
    newsletter.click("three", 1, visitor="w", after=int(32.5 * HOUR_SECONDS))
    newsletter.drain()
    may = find_compared_issues(newsletter.store, "may").issue
    request = CourseRequest("clicks", compared=may)
    shown = course(newsletter, "june", now=SENT + 40 * HOUR_SECONDS, request=request)
    june = counts(shown)
    assert [june[age] for age in (0, 1, 2, 3, 10, 11)] == [0, 0, 0, 1, 1, None]
    compared = {point.hours: point.compared for point in shown.points}
    assert [compared[age] for age in (0, 0.25, 5, 5.5, 6, 24, 40, 41)] == [0, 1, 1, 3, 3, 3, 3, None]
    assert shown.points[-1].hours == 72
    assert course(newsletter, "may", now=SENT + 10**8).points[-1].hours == LONGEST_HOURS


def test_a_course_begins_at_the_sending(newsletter: "Newsletter") -> None:
    """An issue sent within a quarter-hour has its clicks spread over the rest of it; earlier ones count at 0."""
    with newsletter.store.transaction():
        issue = issues.get(newsletter.store, "may")
        issues.update(newsletter.store, issue.id, now=1, sent_at=SENT + 30 * 60 + 300)
    for n, minute in enumerate([0, *[36] * 10, *[47] * 20]):
        newsletter.click("one", 1, visitor=f"v{n}", after=60 * (minute - n))
    newsletter.drain()
    early = counts(course(newsletter, "may", now=SENT + 50 * 60))
    assert [early[age] for age in (0, 0.25, 0.5)] == [1, 31, None]
    late = counts(course(newsletter, "may", now=SENT + 10 * HOUR_SECONDS))
    assert [late[age] for age in (0, 0.25, 0.5, 9)] == [1, 18, 31, 31]


def test_hours_add_up_to_the_total(newsletter: "Newsletter") -> None:
    """A course by hour has the counts of complete hours, the first with what was counted before the sending."""
    for hours in (-0.5, 0.2, 5.2, 5.4, 7.1):
        newsletter.click("one", 1, visitor=f"v{hours}", after=int(hours * HOUR_SECONDS))
    newsletter.drain()
    request = CourseRequest("visitors", "hourly")
    hourly = counts(course(newsletter, "may", now=SENT + int(7.5 * HOUR_SECONDS), request=request))
    assert [hourly[age] for age in range(1, 9)] == [2, 0, 0, 0, 0, 2, 0, None]


@pytest.fixture
def year(newsletter: "Newsletter") -> "Newsletter":
    """Five earlier issues a day apart with 1 to 5 visitors in their first hour, and ``last`` with 40 visitors."""
    for number in range(1, 6):
        add_issue(newsletter, f"n{number}", days=number)
        for visitor in range(number):
            newsletter.click(f"n{number}", 1, visitor=f"v{visitor}", after=number * DAY_SECONDS + 600)
        newsletter.drain()
    add_issue(newsletter, "last", days=7)
    for visitor in range(40):
        newsletter.click("last", 1, visitor=f"w{visitor}", after=7 * DAY_SECONDS + 600 + 90 * visitor)
    newsletter.drain()
    return newsletter


def add_issue(newsletter: "Newsletter", slug: str, *, days: int) -> None:
    """Add an issue with one link, which was sent some days after the first one."""
    newsletter.add_issue(
        slug, {slug: [("title", 1)]}, places={slug: 1}, recipients=None, sent_at=SENT + days * DAY_SECONDS
    )


def test_the_usual_range_is_that_of_the_outlook(year: "Newsletter") -> None:
    """At the present age, the course and the comparison of the issue have one usual range; later ages have theirs."""
    now = SENT + 7 * DAY_SECONDS + 2 * HOUR_SECONDS
    shown = course(year, "last", now=now, request=CourseRequest("visitors"))
    outlook = build_outlook(year.store, "last", remaining_share=None, now=now)
    assert outlook is not None
    (at_age,) = (point for point in shown.points if point.hours == 2)
    assert at_age.usual == outlook.usual_count
    assert at_age.count == outlook.count == 40
    assert shown.points[-1].usual is not None
    assert not course(year, "n4", now=now).has_usual, "three earlier issues show nothing usual"


def test_the_forecast_begins_now(year: "Newsletter") -> None:
    """The forecast follows the arrival curve from the present count, and never falls below it."""
    now = SENT + 7 * DAY_SECONDS + 2 * HOUR_SECONDS
    curve = prior_curve()
    arrivals = Arrivals({"last": 1 - curve.share_at(2)}, curve)
    shown = course(year, "last", now=now, request=CourseRequest("visitors"), arrivals=arrivals)
    assert shown.final is not None
    assert shown.final.expected == pytest.approx(40 / curve.share_at(2))
    expected = [point.forecast for point in shown.points if point.forecast]
    assert len(expected) == sum(point.hours >= 2 for point in shown.points)
    assert expected[0].expected == pytest.approx(40)
    assert all(each.low >= 40 for each in expected)
    assert expected[-1].expected == pytest.approx(shown.final.expected * curve.share_at(72))
    hourly = course(year, "last", now=now, request=CourseRequest("visitors", "hourly"), arrivals=arrivals)
    assert hourly.final is None
