"""The expected final number of an issue's clicks or visitors, and the usual range of earlier issues.

The formulas are in docs/ranking.md, section 22.
"""

import math
import statistics
from collections.abc import Sequence

from msgspec import Struct

MIN_USUAL_ISSUES = 4
"""Fewer earlier issues do not show what is usual."""
MAX_USUAL_ISSUES = 12
"""How many of the latest earlier issues show what is usual."""
CURVE_SD = 0.3
"""Standard deviation of the logarithm of a forecast at age 0 by the arrival curve, calibrated in simulated issues."""
DISPERSION = 2.0
"""Variance of the clicks still to come, relative to that of a Poisson count; calibrated like `CURVE_SD`."""
Z90 = 1.645
"""Two-sided 90 % quantile of the normal distribution."""
FORECAST_SHARES = (0.1, 0.93)
"""A forecast is given while this share of clicks has arrived. Earlier it says little; later the count says it."""


class Forecast(Struct, frozen=True):
    """The number of visitors or clicks that an issue is expected to have in the end."""

    expected: float
    low: float
    """Lower end of the 90 % interval."""
    high: float
    """Upper end of the 90 % interval."""


class Usual(Struct, frozen=True):
    """The usual range of a figure of earlier issues, such as their visitors."""

    median: float
    low: float
    """The 10th percentile."""
    high: float
    """The 90th percentile."""
    issues: int
    """Number of earlier issues from which the range was computed."""


def forecast_count(
    count: int,  # visitors or clicks so far
    share: float,  # the usual share (0 to 1) at the age of the issue
) -> Forecast | None:
    """Forecast the final number of visitors or clicks when ``share`` of it has arrived.

    Returns None if ``count`` is 0, or outside FORECAST_SHARES.
    """
    if not count or not FORECAST_SHARES[0] <= share <= FORECAST_SHARES[1]:
        return None
    # docs/ranking.md, section 22.
    remaining = 1 - share
    width = math.exp(Z90 * math.hypot(CURVE_SD * remaining, math.sqrt(DISPERSION * remaining / count)))
    expected = count / share
    return Forecast(expected=expected, low=max(float(count), expected / width), high=expected * width)


def usual_range(
    values: Sequence[float],  # one for each earlier issue, the latest first
) -> Usual | None:
    """Return the median and the 10th and 90th percentile of the latest 12 values; None for fewer than four values."""
    if len(values) < MIN_USUAL_ISSUES:
        return None
    latest = values[:MAX_USUAL_ISSUES]
    deciles = statistics.quantiles(latest, n=10, method="inclusive")
    return Usual(median=statistics.median(latest), low=deciles[0], high=deciles[-1], issues=len(latest))
