"""The chart of an issue's visitors or clicks over time, with the usual range and the forecast."""

from collections.abc import Iterable

from msgspec import Struct

from shortener.durations import HOUR_SECONDS
from shortener.reporting.course import Course, CoursePoint
from shortener.reporting.forecast import Forecast
from shortener.web.charts import Area, Chart, Hover, Line, Tick
from shortener.web.filters import format_number, format_plain_datetime, plain_text
from shortener.web.languages import gettext as _


def build_chart(
    course: Course,
    *,
    compared: str = "",  # title of another issue in the chart
    edits: Iterable[tuple[float, str]] = (),  # changes of link targets, as (hours since sending, description)
) -> Chart:
    """Return the chart of an issue's visitors or clicks over time."""
    points = course.points
    usual = [(point.hours, point.usual) for point in points if point.usual]
    expected = [(point.hours, point.forecast) for point in points if point.forecast]
    lines = [
        Line("usual", [(hours, each.median) for hours, each in usual], _("usual")),
        Line("other", [(point.hours, point.compared) for point in points if point.compared is not None], compared),
        Line("forecast", [(hours, each.expected) for hours, each in expected], _forecast_label(course.final)),
        Line("own", [(point.hours, point.count) for point in points if point.count is not None], _("this issue")),
    ]
    areas = [
        Area("band", [(hours, each.low, each.high) for hours, each in usual]),
        Area("fan", [(hours, each.low, each.high) for hours, each in expected]),
    ]
    x_max = points[-1].hours
    formats = _formats()
    marks = [Tick(hours, text, is_mark=True) for hours, text in edits if hours <= x_max]
    return Chart(
        label=_label(course),
        x_max=x_max,
        lines=[line for line in lines if len(line.points) > 1],
        areas=[area for area in areas if len(area.ranges) > 1],
        ticks=[*marks, *(Tick(hours, formats.age(hours)) for hours in _tick_hours(x_max))],
        names=[_("This issue"), _("Usual"), compared, _("Expected")],
        hover=[_hover(point, course, formats) for point in points],
    )


def _label(course: Course) -> str:
    if course.pace == "hourly" and course.counted == "visitors":
        return _("Line chart: visitors per hour since sending. The table below has the figures.")
    if course.pace == "hourly":
        return _("Line chart: clicks per hour since sending. The table below has the figures.")
    if course.counted == "visitors":
        return _("Line chart: visitors since sending. The table below has the figures.")
    return _("Line chart: clicks since sending. The table below has the figures.")


def _forecast_label(final: Forecast | None) -> str:
    return "" if final is None else _("about {count} in the end", count=format_forecast(final.expected))


def _tick_hours(span: float) -> Iterable[int]:
    step = 96 if span > 300 else 48 if span > 200 else 24 if span > 100 else 12
    return range(0, int(span) + 1, step)


class _Formats(Struct, frozen=True):
    """The translated texts of a chart, as patterns for ``str.format``."""

    # They are translated once, because a chart has many points.
    minutes: str
    hours: str
    hours_minutes: str
    days: str
    hour_until: str
    value_range: str

    def age(self, hours: float) -> str:
        """Format an age in hours as text, such as 45 min, 6 h, 6 h 15 min or 4 d."""
        minutes = round(60 * hours)
        if minutes and minutes < 60:
            return self.minutes.format(minutes)
        if minutes % 60 and minutes < 24 * 60:
            return self.hours_minutes.format(minutes // 60, minutes % 60)
        if hours > 72 and minutes % (24 * 60) == 0:
            return self.days.format(minutes // (24 * 60))
        return self.hours.format(round(hours))

    def values(self, middle: float, low: float, high: float) -> str:
        """Format a value with its range in whole numbers, as in "280 (240 to 330)"."""
        return self.value_range.format(*(format_number(round(value)) for value in (middle, low, high)))


def _formats() -> _Formats:
    return _Formats(
        minutes=plain_text(_("{minutes} min", minutes="{}")),
        hours=plain_text(_("{hours} h", hours="{}")),
        hours_minutes=plain_text(_("{hours} h {minutes} min", hours="{0}", minutes="{1}")),
        days=plain_text(_("{days} d", days="{}")),
        hour_until=plain_text(_("the hour until {age}", age="{}")),
        value_range=plain_text(_("{middle} ({low} to {high})", middle="{0}", low="{1}", high="{2}")),
    )


def format_age(hours: float) -> str:
    """Format an age in hours as text, such as 45 min, 6 h, 6 h 15 min or 4 d."""
    return _formats().age(hours)


def format_forecast(number: float) -> str:
    """Format an expected count, rounded to three significant digits."""
    return format_number(int(float(f"{number:.3g}")))


def _hover(point: CoursePoint, course: Course, formats: _Formats) -> Hover:
    age = formats.age(point.hours)
    if course.pace == "hourly":
        age = formats.hour_until.format(age)
    time = format_plain_datetime(round(course.start + point.hours * HOUR_SECONDS))
    usual, forecast = point.usual, point.forecast if point.count is None else None
    return Hover(
        x=point.hours,
        title=f"{age} · {time}",
        texts=(
            "" if point.count is None else format_number(point.count),
            formats.values(usual.median, usual.low, usual.high) if usual else "",
            "" if point.compared is None else format_number(point.compared),
            formats.values(forecast.expected, forecast.low, forecast.high) if forecast else "",
        ),
        values=(
            point.count,
            usual.median if usual else None,
            point.compared,
            forecast.expected if forecast else None,
        ),
    )
