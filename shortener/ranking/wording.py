"""What is said to editors: one note per article and one footer, promising no more than the counts do."""

import math

import numpy as np

from shortener.ranking.pipeline import Analysis
from shortener.ranking.signals import Blend

MIN_CLICKS = 3  # clicks and expected clicks below which nothing can be told
MIN_UNCERTAINTY_REMOVED = 60.0  # percent of eta's prior uncertainty removed, method §8


def format_multiple(appeal: float) -> str:
    """A multiple with the digits it deserves: 12x, 1.8x, 0.4x, 0.05x."""
    if appeal >= 9.95:
        return f"{appeal:.0f}x"
    if appeal >= 0.095:
        return f"{appeal:.1f}x"
    return f"{appeal:.2f}x" if appeal >= 0.01 else "under 0.01x"


def format_expected(clicks: float) -> str:
    """An expected number of clicks: whole from 10 on, one decimal below."""
    return f"{clicks:.0f}" if clicks >= 9.95 else f"{clicks:.1f}"


def pluralize(number: int, noun: str) -> str:
    """A number with its noun: 1 click, 2 clicks."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def format_note(
    analysis: Analysis,
    article: int,
    *,
    bounds: tuple[float, float],
    gem_probability: float | None,
    loved_by_few: bool,
) -> str:
    """The note of one article (an index), method §8; ``gem`` is a gem's chance of the best tenth."""
    parts = [_describe_clicks(analysis, article, bounds)]
    if gem_probability is not None:
        parts.insert(
            0, f"hidden gem: {format_probability(gem_probability)} chance of being among the best tenth"
        )
    if loved_by_few:
        ratio, overall = analysis.signals.fan_ratio[article], analysis.signals.overall_fan_ratio
        parts.append(f"loved by few: {ratio:.0%} of its readers applauded, {overall:.0%} overall")
    return "; ".join(parts)


def format_probability(probability: float) -> str:
    """A probability from 400 draws, in whole percent that never claim certainty."""
    if probability < 0.01:
        return "under 1%"
    return "over 99%" if probability > 0.99 else f"{probability:.0%}"


def _describe_clicks(analysis: Analysis, article: int, bounds: tuple[float, float]) -> str:
    posterior = analysis.posterior
    clicks, expected = int(posterior.clicks[article]), float(posterior.expected[article])
    if clicks < MIN_CLICKS and expected < MIN_CLICKS:
        return f"too few clicks to tell ({clicks})"
    appeal = format_multiple(math.exp(posterior.score[article]))
    said = "clicked about as {0}" if appeal == "1.0x" else "clicked " + appeal + " what {0}"
    low, high = (format_multiple(bound).removesuffix("x") for bound in bounds)
    evidence = f"{pluralize(clicks, 'click')}; an average article there: {format_expected(expected)}"
    return f"{said.format(_describe_baseline(analysis, article))}, 90% interval {low}-{high} ({evidence})"


def _describe_baseline(analysis: Analysis, article: int) -> str:
    """What the clicks are measured against: the place where it is known, and what else where it is not."""
    if analysis.fit is None:
        return "its audience and age predict"
    if not analysis.cells.has_positions:
        return "its issue and placements predict, place unknown"
    unplaced = np.isnan(analysis.cells.positions[analysis.cells.article_index == article])
    return "a middle place predicts, its own unknown" if unplaced.any() else "its place predicts"


def format_footer(analysis: Analysis, blend: Blend | None) -> str:
    """The line under the list: how well the place effect is known, what is still to come, any blend."""
    parts = [_describe_position_effect(analysis), _describe_remaining_share(analysis)]
    if blend is not None:
        parts.append(
            f"ordered by the editors' blend {blend.appeal:g} appeal + {blend.fans:g} fan ratio + "
            f"{blend.reads:g} read ratio: a choice, not a finding"
        )
    return "; ".join(parts)


def _describe_position_effect(analysis: Analysis) -> str:
    if analysis.fit is None:
        return "place not taken into account: the model could not be fitted"
    if not analysis.cells.has_positions:
        return "place not taken into account: no positions are known"
    moved = count_multi_position_articles(analysis)
    said = (
        f"place effect learnt from {pluralize(moved, 'article')} shown at 2+ places; "
        f"{max(analysis.eta_uncertainty_removed, 0.0):.0f}% of its prior uncertainty removed"
    )
    return (
        said
        if analysis.eta_uncertainty_removed >= MIN_UNCERTAINTY_REMOVED
        else f"{said}: place effect mostly assumed"
    )


def count_multi_position_articles(analysis: Analysis) -> int:
    """Number of articles that were shown at two known places or more: the only evidence on place alone."""
    places: dict[str, set[int]] = {}
    for showing in analysis.cells.appearances:
        if showing.position is not None:
            places.setdefault(showing.url, set()).add(showing.position)
    return sum(len(known) > 1 for known in places.values())


def _describe_remaining_share(analysis: Analysis) -> str:
    newest, share = analysis.cells.issues[-1], analysis.remaining_shares[-1]
    return f"issue {newest.slug}: {format_share(share)} of its clicks still to come"


def format_share(share: float) -> str:
    """A share of the clicks in whole percent; a small rest is not rounded to nothing."""
    return "under 1%" if 0 < share < 0.01 else f"{share:.0%}"
