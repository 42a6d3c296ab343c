"""The chart of an issue over time: its visitors or clicks, those of earlier issues at the same age, and the
forecast.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from shortener.durations import HOUR_SECONDS, QUARTER_HOUR_SECONDS
from shortener.ranking import Arrivals
from shortener.reporting.forecast import Forecast, Usual, forecast_count, usual_range
from shortener.reporting.issue_list import effective_sent_at
from shortener.reporting.outlook import ComparedIssues
from shortener.store import Store, issue_clicks
from shortener.store.issue_clicks import QuarterHourClicks
from shortener.store.listings import IssueSummary

Counted = Literal["visitors", "clicks"]
Pace = Literal["total", "hourly"]

SHORTEST_HOURS, LONGEST_HOURS = 72, 14 * 24
"""Least and greatest number of hours since sending that a chart covers."""
AGES = (
    *(quarter / 4 for quarter in range(3 * 4)),
    *(half / 2 for half in range(3 * 2, 12 * 2)),
    *(float(hours) for hours in range(12, 48)),
    *(float(hours) for hours in range(48, 96, 2)),
    *(float(hours) for hours in range(96, LONGEST_HOURS + 1, 6)),
)
"""Ages in hours at which a chart of running totals has points: every quarter-hour for three hours, then rarer."""


class CoursePoint(Struct, frozen=True):
    """One point of the chart of an issue's visitors or clicks over time."""

    hours: float
    """Age of the issue at this point."""
    count: int | None
    """Visitors or clicks up to this age; in an hourly chart, only those in the last hour. None for the future."""
    usual: Usual | None
    """Usual range of the count in earlier issues; None if unknown."""
    compared: int | None
    """Count of the issue chosen for comparison; None if unknown."""
    forecast: Forecast | None
    """Count expected in the future; None if unknown."""


class Course(Struct, frozen=True):
    """The chart of an issue's visitors or clicks over time."""

    counted: Counted
    pace: Pace
    """Whether the points are running totals or counts by hour."""
    start: int
    """When the issue was sent. If unknown: when it was first clicked, else created. In seconds of the UTC epoch."""
    points: tuple[CoursePoint, ...]
    final: Forecast | None = None
    """Forecast of the final count, or None."""

    @property
    def has_usual(self) -> bool:
        """Whether any point has the usual range of earlier issues."""
        return any(point.usual for point in self.points)


class CourseRequest(Struct, frozen=True):
    """What the chart of an issue over time is to show."""

    counted: Counted = "visitors"
    pace: Pace = "total"
    """Whether to show running totals or counts by hour."""
    compared: IssueSummary | None = None
    """Another issue that is shown for comparison."""


class UsualCourse(Struct, frozen=True):
    """The visitors or clicks that earlier issues had at each age, and the usual range of these numbers."""

    totals: "Sequence[_Totals]"
    """Running total of each earlier issue."""
    by_age: Mapping[float, Usual | None]
    """Usual range by hours after sending; None if there are too few earlier issues."""

    def at(self, hours: float, pace: Pace) -> Usual | None:
        """Return the usual range of visitors or clicks in an issue's first ``hours`` hours.

        The pace "hourly" counts only the last of them.
        """
        return self.by_age[hours] if hours in self.by_age else _usual(self.totals, hours, pace)


def load_usual_course(
    store: Store,
    issues: ComparedIssues,
    *,
    counted: Counted,
    pace: Pace,
    now: int,  # seconds of the UTC epoch
) -> UsualCourse:
    """Return how many visitors or clicks earlier issues had at each age.

    Ages are in hours after sending.
    """
    totals = list(_load_totals(store, issues.earlier, counted=counted, now=now).values())
    ages = _hourly_ages(LONGEST_HOURS) if pace == "hourly" else AGES
    return UsualCourse(totals, {hours: _usual(totals, hours, pace) for hours in ages})


def build_course(
    store: Store,
    issues: ComparedIssues,
    request: CourseRequest,
    *,
    usual: UsualCourse,
    arrivals: Arrivals,  # the forecast follows its arrival curve
    now: int,
) -> Course:
    """Return the chart of an issue's visitors or clicks over time, with a forecast after ``now``.

    ``now`` is in seconds of the UTC epoch.
    """
    own = issues.issue
    start = _start(store, own, now=now)
    age = max(0, now - start) / HOUR_SECONDS
    span = min(max(age * 1.15, SHORTEST_HOURS), LONGEST_HOURS)
    shown = [own, request.compared] if request.compared else [own]
    totals = _load_totals(store, shown, counted=request.counted, now=now)
    ages = _hourly_ages(span) if request.pace == "hourly" else _ages_of_totals(age, span)
    count = totals[own.id].at(age) or 0
    share = None if request.pace == "hourly" else arrivals.arrived_share(own.slug)
    final = None if share is None else forecast_count(count, share)
    points = [
        CoursePoint(
            hours=hours,
            count=totals[own.id].value(hours, request.pace),
            usual=usual.at(hours, request.pace),
            compared=totals[request.compared.id].value(hours, request.pace) if request.compared else None,
            forecast=_forecast_at(hours, final, arrivals, count=count) if hours >= age else None,
        )
        for hours in ages
    ]
    return Course(request.counted, request.pace, start, tuple(points), final)


def _start(store: Store, issue: IssueSummary, *, now: int) -> int:
    sent_at = effective_sent_at(store, issue, as_of=now)
    return issue.created_at if sent_at is None else sent_at


def _ages_of_totals(age: float, span: float) -> list[float]:
    ages = {hours for hours in AGES if hours <= span} | {float(span)}
    return sorted(ages | {age}) if age < span else sorted(ages)


def _hourly_ages(span: float) -> list[float]:
    return [float(hours) for hours in range(1, int(span) + 1)]


class _Totals(Struct):
    """The running total of the visitors or clicks of an issue: ``counts[i]`` at the age ``hours[i]``."""

    end_hours: float
    """Age until which the totals are known."""
    hours: list[float]
    counts: list[int]

    def at(self, hours: float) -> int | None:
        """Return the running total at the age ``hours``, rounded; None if the issue has not reached this age."""
        exact = self._exact(hours)
        return None if exact is None else round(exact)

    def value(self, hours: float, pace: Pace) -> int | None:
        """Return the visitors or clicks in the first ``hours`` hours; None for a younger issue.

        The pace "hourly" counts only the last of them.
        """
        if pace == "total":
            return self.at(hours)
        end, begin = self._exact(hours), self._exact(hours - 1)
        return None if end is None or begin is None else round(end - (begin if hours > 1 else 0))

    def _exact(self, hours: float) -> float | None:
        if hours > self.end_hours + 1e-9:
            return None
        index = bisect_right(self.hours, hours)
        if index == len(self.hours):
            return self.counts[-1]
        begin, end = self.hours[index - 1], self.hours[index]
        return self.counts[index - 1] + (self.counts[index] - self.counts[index - 1]) * (hours - begin) / (end - begin)


def _load_totals(store: Store, issues: Iterable[IssueSummary], *, counted: Counted, now: int) -> dict[int, _Totals]:
    starts = {issue.id: _start(store, issue, now=now) for issue in issues}
    ends = {issue_id: min(now, start + LONGEST_HOURS * HOUR_SECONDS) for issue_id, start in starts.items()}
    rows: dict[int, list[QuarterHourClicks]] = {issue_id: [] for issue_id in starts}
    for row in issue_clicks.human_clicks_by_quarter_hour(store, ends):
        rows[row.issue_id].append(row)
    return {
        issue_id: _running_totals(rows[issue_id], start=start, end=ends[issue_id], counted=counted)
        for issue_id, start in starts.items()
    }


def _running_totals(rows: Iterable[QuarterHourClicks], *, start: int, end: int, counted: Counted) -> _Totals:
    totals = _Totals(max(0, end - start) / HOUR_SECONDS, [0.0], [0])
    for row in rows:
        count = row.visitors if counted == "visitors" else row.clicks
        stop = min(row.start + QUARTER_HOUR_SECONDS, end)
        if stop <= start:  # clicks from before the start count at the age 0
            totals.counts[0] += count
            continue
        totals.hours += [max(0, row.start - start) / HOUR_SECONDS, (stop - start) / HOUR_SECONDS]
        totals.counts += [totals.counts[-1], totals.counts[-1] + count]
    return totals


def _usual(totals: Iterable[_Totals], hours: float, pace: Pace) -> Usual | None:
    values = (issue.value(hours, pace) for issue in totals)
    return usual_range([value for value in values if value is not None])


def _forecast_at(hours: float, final: Forecast | None, arrivals: Arrivals, *, count: int) -> Forecast | None:
    if final is None or arrivals.curve is None:
        return None
    share = arrivals.curve.share_at(hours)
    # The forecast is never below the number so far.
    values = (max(float(count), number * share) for number in (final.expected, final.low, final.high))
    return Forecast(*values)
