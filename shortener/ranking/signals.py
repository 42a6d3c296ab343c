"""Views, reads and applause of articles on other platforms ("signals"), their ratios, and a weighted sum for ordering.

The formulas are in docs/ranking.md section 14.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct

from shortener.errors import InputError
from shortener.ranking.inputs import Signal
from shortener.ranking.observations import FloatArray

PRIOR_PSEUDO_COUNTS = 20.0
"""Number of views or reads with the overall ratio that are added to an article's own, to smooth its ratio."""
Z90 = 1.645
"""Normal quantile of a two-sided 90 % interval."""


class SignalColumns(Struct, frozen=True, eq=False):
    """Page views, completed reads and applause of each article on other platforms.

    Missing entries are nan.
    """

    views: FloatArray
    reads: FloatArray
    fans: FloatArray
    """Numbers of readers who applauded."""
    read_ratio: FloatArray
    """Reads per view, pulled towards the ratio of all articles by 20 pseudo-counts (docs/ranking.md section 14)."""
    fan_ratio: FloatArray
    """Fans (readers who applauded) per read, pulled towards the ratio of all articles by 20 pseudo-counts."""

    @property
    def overall_fan_ratio(self) -> float:
        """Fans (readers who applauded) per completed read, of all articles with both counts; nan if none has them."""
        return _overall_ratio(self.fans, self.reads)

    def fan_ratio_lower_bound(self) -> FloatArray:
        """Return for each article a lower bound of the share of readers who applauded; nan if a count is missing."""
        # The lower end of Wilson's 90 % interval of fans per completed read (docs/ranking.md section 11).
        share, n = np.minimum(self.fans / np.maximum(self.reads, 1.0), 1.0), np.maximum(self.reads, 1.0)
        spread = Z90 * np.sqrt(share * (1 - share) / n + (Z90 / (2 * n)) ** 2)
        return np.asarray((share + Z90**2 / (2 * n) - spread) / (1 + Z90**2 / n))


def align_signals(signals: Sequence[Signal], urls: Sequence[str]) -> SignalColumns:
    """Return the views, reads and fans from other platforms as arrays in the order of the articles `urls`."""
    by_url: Mapping[str, Signal] = {signal.url: signal for signal in signals}
    rows = [by_url.get(url, Signal(url=url)) for url in urls]
    views = np.array([math.nan if row.views is None else row.views for row in rows], dtype=np.float64)
    reads = np.array([math.nan if row.reads is None else row.reads for row in rows], dtype=np.float64)
    fans = np.array([math.nan if row.fans is None else row.fans for row in rows], dtype=np.float64)
    return SignalColumns(views, reads, fans, _shrunken_ratio(reads, views), _shrunken_ratio(fans, reads))


def z_scores(signals: SignalColumns) -> FloatArray:
    """Return a matrix (articles x 3) of standardized signals: log views, log read ratio and log fan ratio.

    Missing values are 0.
    """
    with np.errstate(divide="ignore"):
        columns = (np.log1p(signals.views), np.log(signals.read_ratio), np.log(signals.fan_ratio))
    return np.column_stack([z_score(column) for column in columns])


def z_score(values: FloatArray) -> FloatArray:
    """Return the values standardized to mean 0 and standard deviation 1.

    Values that are not finite become 0. If all values are equal, all become 0.
    """
    known = np.isfinite(values)
    sd = float(values[known].std()) if known.any() else 0.0
    if sd < 1e-9:
        return np.zeros_like(values)
    return np.where(known, (np.where(known, values, 0.0) - values[known].mean()) / sd, 0.0)


def _overall_ratio(numerator: FloatArray, denominator: FloatArray) -> float:
    known = np.isfinite(numerator) & np.isfinite(denominator)
    total = float(denominator[known].sum())
    return min(float(numerator[known].sum()) / total, 1.0) if total else math.nan


def _shrunken_ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    # Each ratio is pulled towards that of all articles (docs/ranking.md section 14).
    overall = _overall_ratio(numerator, denominator)
    return np.minimum((numerator + PRIOR_PSEUDO_COUNTS * overall) / (denominator + PRIOR_PSEUDO_COUNTS), 1.0)


class Blend(Struct, frozen=True):
    """Weights, chosen by editors, of the three values by which articles are ordered.

    Raises InputError for negative or infinite weights, or if all are 0.
    """

    appeal: float = 0.6
    """Weight of the article's appeal."""
    fans: float = 0.25
    """Weight of the readers who applauded, per completed read."""
    reads: float = 0.15
    """Weight of the completed reads, per page view."""

    def __post_init__(self) -> None:
        """Raise InputError for negative or infinite weights, or if all are 0."""
        weights = (self.appeal, self.fans, self.reads)
        if not all(math.isfinite(weight) and weight >= 0 for weight in weights) or not sum(weights):
            raise InputError(f"blend weights {weights} are not usable; give three numbers from 0, not all 0")

    def combine(self, score: FloatArray, signals: SignalColumns) -> FloatArray:
        """Return for each article the weighted sum of appeal, applause and completed reads.

        Missing values count as average.
        """
        # Each is standardized over all articles, so that the average is 0. `score` is the log of the appeal.
        scores, fans, reads = z_score(score), z_score(signals.fan_ratio), z_score(signals.read_ratio)
        return self.appeal * scores + self.fans * fans + self.reads * reads
