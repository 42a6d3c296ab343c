"""Charts that the server draws as SVG: lines, areas, dots and bars.

The script ``charts.js`` adds a crosshair that shows values.
"""

import math
from collections.abc import Callable, Iterable, Sequence

import msgspec
from markupsafe import Markup
from msgspec import Struct

from shortener.web.filters import format_number, plain_text, script_json

HEIGHT, TOP, BOTTOM = 280, 24, 26
"""Height of a chart in pixels, and of its margins above and below; ticks of the horizontal axis are in the latter."""
BAR_WIDTH = 0.85
"""Width of a bar as a share of its period; the rest is the gap to the next bar."""
MAX_GRID_LINES = 5
LABEL_HEIGHT = 17
"""Least distance in pixels between two labels at the ends of lines."""

Point = tuple[float, float]
Range = tuple[float, float, float]
"""A place on the horizontal axis, and the lower and upper value there."""


class Line(Struct, frozen=True):
    """A line through points, with an optional label at the last point. ``style`` is a CSS class in charts.css."""

    style: str
    points: Sequence[Point]
    label: str = ""


class Area(Struct, frozen=True):
    """An area between a lower and an upper value at each point of the horizontal axis.

    ``style`` is a CSS class in charts.css.
    """

    style: str
    ranges: Sequence[Range]


class Dot(Struct, frozen=True):
    """A dot in a chart, with a link if ``url`` is set."""

    x: float
    y: float
    title: str
    """Tooltip of the dot."""
    url: str = ""
    style: str = "own"
    """CSS class in charts.css."""
    width: float = 0.0
    """Width of the area in which a click opens the link, in units of the horizontal axis."""


class Tick(Struct, frozen=True):
    """A text below a point of the horizontal axis of a chart."""

    x: float
    text: str
    is_mark: bool = False
    """Whether a dashed vertical line is drawn above the text."""
    is_minor: bool = False
    """Whether the text is hidden on phones, which have no room for it."""


class Hover(Struct, frozen=True):
    """What the crosshair of a chart shows at the point ``x`` of the horizontal axis."""

    x: float
    title: str
    texts: Sequence[str]
    """Values as text, one for each name in ``Chart.names``."""
    values: Sequence[float | None] = ()
    """Heights at which the crosshair shows dots; None for no dot."""


class Chart(Struct, frozen=True):
    """A chart whose horizontal axis goes from ``x_min`` to ``x_max``."""

    label: str
    """Description of the chart for screen readers."""
    x_max: float
    x_min: float = 0.0
    lines: Sequence[Line] = ()
    areas: Sequence[Area] = ()
    bars: Sequence[Range] = ()
    """Bars as (begin, end, value). A bar begins and ends at points of the horizontal axis."""
    dots: Sequence[Dot] = ()
    ticks: Sequence[Tick] = ()
    names: Sequence[str] = ()
    """Names of the values that the crosshair shows."""
    hover: Sequence[Hover] = ()
    format_y: Callable[[float], str] = format_number
    whole: bool = True
    """Whether values are whole numbers, so that no line of the grid is between two of them."""
    height: int = HEIGHT
    bounds: tuple[float, float] | None = None
    """Range that the vertical axis covers; if None, from 0 to the highest value. Other values are drawn at an edge."""

    def draw(self) -> Markup:
        """Return the chart as an HTML element."""
        return _Drawing(self).draw()


def grid_values(highest: float, *, whole: bool, lowest: float = 0.0) -> list[float]:
    """Return the values of a chart's grid lines: round numbers that cover the range from ``lowest`` to ``highest``.

    With ``whole``, all values are whole numbers.
    """
    if highest <= lowest:
        return [0.0, 1.0] if highest <= 0 else grid_values(highest, whole=whole)
    rough = (highest - lowest) / MAX_GRID_LINES
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    step = max(1.0, step) if whole else step
    return [index * step for index in range(math.floor(lowest / step + 1e-9), math.ceil(highest / step - 1e-9) + 1)]


class _Drawing:
    def __init__(self, chart: Chart) -> None:
        self._chart = chart
        lowest, highest = chart.bounds or (0.0, max(_all_values(chart), default=0.0))
        self._grid = grid_values(highest, whole=chart.whole, lowest=lowest)

    def draw(self) -> Markup:
        chart = self._chart
        role = "group" if any(dot.url for dot in chart.dots) else "img"
        # Shapes are drawn 1000 units wide and then stretched. Text and strokes keep their size.
        plot = Markup(
            '<svg class="plot" width="100%" height="{height}" role="{role}" aria-label="{label}">{grid}{marks}'
            '<svg y="{top}" width="100%" height="{inner}" viewBox="0 0 1000 {inner}" preserveAspectRatio="none">'
            "{shapes}</svg>{dots}{labels}{ticks}</svg>"
        ).format(
            height=chart.height,
            role=role,
            label=chart.label,
            grid=_join(self._grid_line(value) for value in self._grid),
            marks=_join(self._mark(tick) for tick in chart.ticks if tick.is_mark),
            top=TOP,
            inner=self._inner_height,
            shapes=_join(self._shapes()),
            dots=_join(self._dot(dot) for dot in chart.dots),
            labels=_join(self._line_labels()),
            ticks=_join(self._tick(tick) for tick in chart.ticks),
        )
        axis = Markup('<svg class="axis" width="{}" height="{}" aria-hidden="true">{}</svg>').format(
            self._axis_width, chart.height, _join(self._axis_text(value) for value in self._grid)
        )
        names = msgspec.json.encode([plain_text(name) for name in chart.names]).decode()
        return Markup('<div class="chart" data-names="{}">{}{}{}</div>').format(names, axis, plot, self._hover())

    @property
    def _inner_height(self) -> int:
        return self._chart.height - TOP - BOTTOM

    @property
    def _axis_width(self) -> int:
        return 12 + 7 * max(len(self._chart.format_y(value)) for value in self._grid)

    def _x_percent(self, x: float) -> float:
        span = self._chart.x_max - self._chart.x_min
        return round(100 * (x - self._chart.x_min) / span, 2) if span else 50.0

    def _y_below_top(self, value: float) -> float:
        lowest, highest = self._grid[0], self._grid[-1]
        shown = min(max(value, lowest), highest)
        return round(self._inner_height * (highest - shown) / (highest - lowest), 1)

    def _y(self, value: float) -> float:
        return TOP + self._y_below_top(value)

    def _grid_line(self, value: float) -> Markup:
        return Markup('<line class="{}" x2="100%" y1="{y}" y2="{y}"/>').format(
            "grid" if value else "base", y=self._y(value)
        )

    def _axis_text(self, value: float) -> Markup:
        return Markup('<text x="{}" y="{}" text-anchor="end">{}</text>').format(
            self._axis_width - 8, self._y(value) + 4, self._chart.format_y(int(value) if value == int(value) else value)
        )

    def _mark(self, tick: Tick) -> Markup:
        return Markup('<line class="mark" x1="{x}%" x2="{x}%" y1="{}" y2="{}"><title>{}</title></line>').format(
            TOP, self._chart.height - BOTTOM, tick.text, x=self._x_percent(tick.x)
        )

    def _tick(self, tick: Tick) -> Markup:
        if tick.is_mark:
            return Markup("")
        x = self._x_percent(tick.x)
        minor = Markup(' class="minor"') if tick.is_minor else ""
        return Markup('<text{} x="{}%" y="{}" text-anchor="{}">{}</text>').format(
            minor, x, self._chart.height - 8, _text_anchor(x), tick.text
        )

    def _shapes(self) -> Iterable[Markup]:
        for area in self._chart.areas:
            upper = [(x, high) for x, _, high in area.ranges]
            lower = [(x, low) for x, low, _ in reversed(area.ranges)]
            yield Markup('<path class="{}" d="{}z"/>').format(area.style, self._path([*upper, *lower]))
        for begin, end, value in self._chart.bars:
            left, right, top = 10 * self._x_percent(begin), 10 * self._x_percent(end), self._y_below_top(value)
            yield Markup('<rect class="bar-own" x="{}" y="{}" width="{}" height="{}"/>').format(
                round(left, 1), top, round(max(1.0, BAR_WIDTH * (right - left)), 1), round(self._inner_height - top, 1)
            )
        for line in self._chart.lines:
            yield Markup('<path class="{}" d="{}"/>').format(line.style, self._path(line.points))

    def _path(self, points: Sequence[Point]) -> str:
        return "M" + "L".join(f"{10 * self._x_percent(x):.1f} {self._y_below_top(y):.1f}" for x, y in points)

    def _dot(self, dot: Dot) -> Markup:
        circle = Markup('<circle class="dot {}" cx="{}%" cy="{}" r="5"><title>{}</title></circle>').format(
            dot.style, self._x_percent(dot.x), self._y(dot.y), dot.title
        )
        if not dot.url:
            return circle
        left, right = self._x_percent(dot.x - dot.width / 2), self._x_percent(dot.x + dot.width / 2)
        return Markup('<a href="{}" aria-label="{}"><rect class="hit" x="{}%" width="{}%" height="{}"/>{}</a>').format(
            dot.url, dot.title, left, round(right - left, 2), self._chart.height, circle
        )

    def _line_labels(self) -> Iterable[Markup]:
        ends = sorted(
            ((self._y(line.points[-1][1]), line) for line in self._chart.lines if line.label and line.points),
            key=lambda end: -end[0],
        )
        placed: list[tuple[float, float]] = []
        lowest = self._chart.height - BOTTOM - 5
        for index, (line_y, line) in enumerate(ends):
            percent = self._x_percent(line.points[-1][0])
            has_upper = any(abs(self._x_percent(other.points[-1][0]) - percent) < 30 for _, other in ends[index + 1 :])
            # If another label is near, the lowest label is written below its line if there is room, the others above.
            has_room_below = line_y + 16 <= lowest
            y = line_y + 16 if has_upper and has_room_below and not placed else line_y - 8
            while any(abs(percent - other_x) < 30 and abs(y - other_y) < LABEL_HEIGHT for other_x, other_y in placed):
                y -= 1
            placed.append((percent, y))
            yield Markup('<text class="label {}" x="{}%" y="{}" text-anchor="{}">{}</text>').format(
                line.style,
                percent,
                min(max(12, y), lowest),
                "end" if percent > 45 else "start",
                line.label,
            )

    def _hover(self) -> Markup:
        rows = [
            [
                self._x_percent(row.x),
                plain_text(row.title),
                [plain_text(text) for text in row.texts],
                [None if value is None else self._y(value) for value in row.values],
            ]
            for row in self._chart.hover
        ]
        return Markup('<script type="application/json">{}</script>').format(script_json(rows)) if rows else Markup("")


def _all_values(chart: Chart) -> Iterable[float]:
    yield from (y for line in chart.lines for _, y in line.points)
    yield from (high for area in chart.areas for _, _, high in area.ranges)
    yield from (value for _, _, value in chart.bars)
    yield from (dot.y for dot in chart.dots)


def _text_anchor(percent: float) -> str:
    # A label at the left or right edge is aligned with the edge, so that it is not cut off.
    return "start" if percent < 4 else "end" if percent > 96 else "middle"


def _join(parts: Iterable[Markup]) -> Markup:
    return Markup("").join(parts)
