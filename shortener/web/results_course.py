"""The visitors or clicks of an issue over time: a chart, a table and CSV rows."""

import time
from collections.abc import Sequence

from flask import request
from msgspec import Struct

from shortener.durations import HOUR_SECONDS
from shortener.ranking import Arrivals
from shortener.reporting.course import (
    Counted,
    Course,
    CoursePoint,
    CourseRequest,
    Pace,
    UsualCourse,
    build_course,
    load_usual_course,
)
from shortener.reporting.outlook import ComparedIssues
from shortener.short_urls import build_short_url
from shortener.store import Store, listings
from shortener.store.listings import IssueSummary
from shortener.web.cache import get_or_compute
from shortener.web.charts import Chart
from shortener.web.context import config, now, store
from shortener.web.issue_chart import build_chart, format_age
from shortener.web.languages import gettext as _

TABLE_AGES = (1, 3, 6, 12, 24, 48, 72, 168, 336)
"""Ages in hours that the table below the chart shows, of those that the chart covers."""
CSV_COLUMNS = (
    "hours", "count", "counted", "usual_low", "usual_median", "usual_high",
    "compared", "expected", "expected_low", "expected_high",
)  # fmt: skip


class TargetEdit(Struct, frozen=True):
    """A change of a link's target."""

    hours: float
    """Age of the issue at the time of the change, in hours."""
    short_url: str
    at: int
    """Time of the change in seconds of the UTC epoch."""
    who: str
    new: str | None


class CoursePanel(Struct, frozen=True):
    """The part of the results page with an issue's visitors or clicks over time."""

    course: Course
    chart: Chart
    compared: IssueSummary | None
    """Issue chosen for comparison."""
    choices: Sequence[IssueSummary]
    """Issues that can be chosen for comparison."""
    edits: Sequence[TargetEdit]
    rows: Sequence[tuple[str, CoursePoint]]
    """Rows of the table, as (age as text, point)."""
    knows_visitors: bool


def build_panel(issues: ComparedIssues, course: Course) -> CoursePanel:
    """Return the part of the results page with an issue's visitors or clicks over time."""
    compared = _compared_issue(issues)
    edits = _target_edits(issues.issue, since=course.start)
    marks = [(edit.hours, _("Destination changed by {who}", who=edit.who)) for edit in edits]
    return CoursePanel(
        course=course,
        chart=build_chart(course, compared=_title(compared), edits=marks),
        compared=compared,
        choices=issues.others,
        edits=edits,
        rows=[(format_age(point.hours), point) for point in _table_points(course)],
        knows_visitors=issues.issue.visitors is not None,
    )


def read_course(issues: ComparedIssues, arrived: Arrivals) -> Course:
    """Return the visitors or clicks of an issue over time, as the query string specifies."""
    pace: Pace = "hourly" if request.args.get("pace") == "hourly" else "total"
    counts_clicks = request.args.get("count") == "clicks" or issues.issue.visitors is None
    counted: Counted = "clicks" if counts_clicks else "visitors"

    def compute(store: Store) -> UsualCourse:
        return load_usual_course(store, issues, counted=counted, pace=pace, now=int(time.time()))

    usual = get_or_compute(("usual course", issues.issue.slug, counted, pace), compute)
    wanted = CourseRequest(counted, pace, _compared_issue(issues))
    return build_course(store(), issues, wanted, usual=usual, arrivals=arrived, now=now())


def csv_rows(course: Course) -> list[tuple[object, ...]]:
    """Return an issue's visitors or clicks over time, as CSV rows with the columns ``CSV_COLUMNS``."""
    return [
        (
            round(point.hours, 4),
            point.count,
            course.counted,
            *([point.usual.low, point.usual.median, point.usual.high] if point.usual else [None] * 3),
            point.compared,
            *(_rounded(point) if point.forecast else [None] * 3),
        )
        for point in course.points
    ]


def _rounded(point: CoursePoint) -> list[float]:
    forecast = point.forecast
    return [round(value, 1) for value in (forecast.expected, forecast.low, forecast.high)] if forecast else []


def _compared_issue(issues: ComparedIssues) -> IssueSummary | None:
    slug = request.args.get("with")
    return next((issue for issue in issues.others if issue.slug == slug), None)


def _title(issue: IssueSummary | None) -> str:
    return "" if issue is None else issue.title or issue.slug


def _table_points(course: Course) -> list[CoursePoint]:
    latest = max((point.hours for point in course.points if point.count is not None), default=0)
    return [point for point in course.points if point.hours in TABLE_AGES or point.hours == latest]


def _target_edits(issue: IssueSummary, *, since: int) -> list[TargetEdit]:
    if not issue.sent_at and not issue.clicks:
        return []
    return [
        TargetEdit(
            hours=(edit.at - since) / HOUR_SECONDS,
            short_url=build_short_url(edit.domain, edit.code, domains=config().domains),
            at=edit.at,
            who=edit.who,
            new=edit.new,
        )
        for edit in listings.list_target_edits(store(), issue.id)
        if edit.at > since
    ]
