"""Views, reads and fans from other platforms: shrunken ratios, z-scores, and the editorial blend."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct

from shortener.errors import InputError
from shortener.ranking.inputs import Signal
from shortener.ranking.observations import FloatArray

PRIOR_PSEUDO_COUNTS = (
    20.0  # each ratio is drawn towards the overall ratio as if by this many more views or reads
)
Z90 = 1.645  # normal quantile of a two-sided 90 % interval


class SignalColumns(Struct, frozen=True, eq=False):
    """Signals lined up with the articles; nan where a count is missing."""

    views: FloatArray
    reads: FloatArray
    fans: FloatArray

    @property
    def read_ratio(self) -> FloatArray:
        """Reads per view, shrunk by 20 pseudo-counts to the overall ratio."""
        return _shrunken_ratio(self.reads, self.views)

    @property
    def fan_ratio(self) -> FloatArray:
        """Fans per read, shrunk by 20 pseudo-counts to the overall ratio."""
        return _shrunken_ratio(self.fans, self.reads)

    @property
    def overall_fan_ratio(self) -> float:
        """Fans per read over all articles that have both; nan without any."""
        return _overall_ratio(self.fans, self.reads)

    def fan_ratio_lower_bound(self) -> FloatArray:
        """Lower end of Wilson's 90 % interval of fans per read; nan where a count is missing."""
        share, n = np.minimum(self.fans / np.maximum(self.reads, 1.0), 1.0), np.maximum(self.reads, 1.0)
        spread = Z90 * np.sqrt(share * (1 - share) / n + (Z90 / (2 * n)) ** 2)
        return np.asarray((share + Z90**2 / (2 * n) - spread) / (1 + Z90**2 / n))


def align_signals(signals: Sequence[Signal], urls: Sequence[str]) -> SignalColumns:
    """Line the signals up with ``urls``; signals of other articles are ignored."""
    rows: Mapping[str, Signal] = {signal.url: signal for signal in signals}
    found = [rows.get(url, Signal(url=url)) for url in urls]
    return SignalColumns(
        views=np.array([math.nan if s.views is None else s.views for s in found], dtype=np.float64),
        reads=np.array([math.nan if s.reads is None else s.reads for s in found], dtype=np.float64),
        fans=np.array([math.nan if s.fans is None else s.fans for s in found], dtype=np.float64),
    )


def z_scores(signals: SignalColumns) -> FloatArray:
    """Articles x 3 for the prior mean: z of log(1 + views), log read ratio, log fan ratio; missing is 0."""
    with np.errstate(divide="ignore"):
        values = (np.log1p(signals.views), np.log(signals.read_ratio), np.log(signals.fan_ratio))
    return np.column_stack([z_score(v) for v in values])


def z_score(values: FloatArray) -> FloatArray:
    """``(x - mean) / sd`` over the finite values; missing ones, and all of a constant column, are 0."""
    known = np.isfinite(values)
    spread = float(values[known].std()) if known.any() else 0.0
    if spread < 1e-9:
        return np.zeros_like(values)
    return np.where(known, (np.where(known, values, 0.0) - values[known].mean()) / spread, 0.0)


def _overall_ratio(numerator: FloatArray, denominator: FloatArray) -> float:
    both = np.isfinite(numerator) & np.isfinite(denominator)
    total = float(denominator[both].sum())
    return min(float(numerator[both].sum()) / total, 1.0) if total else math.nan


def _shrunken_ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """``(part + 20 r) / (whole + 20)`` with the overall ratio r, at most 1."""
    overall = _overall_ratio(numerator, denominator)
    return np.minimum((numerator + PRIOR_PSEUDO_COUNTS * overall) / (denominator + PRIOR_PSEUDO_COUNTS), 1.0)


class Blend(Struct, frozen=True):
    """Weights of the blend "chosen by readers, fans and views": a choice of the editors, not a finding."""

    appeal: float = 0.6
    fans: float = 0.25
    reads: float = 0.15

    def __post_init__(self) -> None:
        """Refuse weights that no order could follow from."""
        weights = (self.appeal, self.fans, self.reads)
        if not all(math.isfinite(w) and w >= 0 for w in weights) or not sum(weights):
            raise InputError(f"blend weights {weights} are not usable; give three numbers from 0, not all 0")

    def combine(self, score: FloatArray, signals: SignalColumns) -> FloatArray:
        """``0.6 z(appeal) + 0.25 z(fan ratio) + 0.15 z(read ratio)`` with these weights; missing is 0."""
        parts = (z_score(score), z_score(signals.fan_ratio), z_score(signals.read_ratio))
        return self.appeal * parts[0] + self.fans * parts[1] + self.reads * parts[2]
