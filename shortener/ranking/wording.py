"""Texts for editors: numbers with few digits, the note of each article, and the footer of the list."""

import math

import numpy as np

from shortener.ranking.design import SortingShape
from shortener.ranking.inputs import Counted
from shortener.ranking.pipeline import Analysis
from shortener.ranking.signals import Blend

MIN_CLICKS = 3
"""A note gives no multiple if both clicks and expected clicks are below this number (docs/ranking.md section 15)."""
MIN_UNCERTAINTY_REMOVED = 60.0
"""Percentage of eta's prior variance that the data must remove for an estimate to count as measured."""
BACKGROUND_LABEL = "background: author, site and title words of your other articles"
BACKGROUND_RANGE = (0.9, 1.1)
"""Background factors that a note leaves out, because they hardly change the appeal."""
SORTING_LABELS: dict[SortingShape, str] = {"normal": "whole list", "log": "leads first"}


def format_multiple(appeal: float) -> str:
    """Format a multiple with one or two significant digits and a multiplication sign: 12, 1.8, 0.4 or 0.05 times."""
    if appeal >= 9.95:
        return f"{appeal:.0f}\u00d7"
    if appeal >= 0.095:
        return f"{appeal:.1f}\u00d7"
    return f"{appeal:.2f}\u00d7" if appeal >= 0.01 else "under 0.01\u00d7"


def format_interval(low: float, high: float) -> str:
    """Format the 90 % interval of a multiple: 90% interval 0.8-1.5."""
    ends = (format_multiple(end).removesuffix("\u00d7") for end in (low, high))
    return "90% interval " + "-".join(ends)


def format_expected(clicks: float) -> str:
    """Format expected clicks: a whole number from 10 on, one decimal below."""
    return f"{clicks:.0f}" if clicks >= 9.95 else f"{clicks:.1f}"


def pluralize(number: int, noun: str) -> str:
    """Return a number with its noun: 1 click, 2 clicks."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def format_count(number: int, counted: Counted) -> str:
    """Return a count with its unit: 1 visitor, 2 clicks."""
    return pluralize(number, counted.removesuffix("s"))


def format_probability(probability: float) -> str:
    """Format a probability as a whole percentage between "under 1%" and "over 99%".

    It is estimated from 400 simulations, so values closer to 0 or 1 are not reliable.
    """
    if probability < 0.01:
        return "under 1%"
    return "over 99%" if probability > 0.99 else f"{probability:.0%}"


def format_share(share: float) -> str:
    """Format a share of clicks as a whole percentage; a share below 1 % is not rounded to 0."""
    return "under 1%" if 0 < share < 0.01 else f"{share:.0%}"


def format_note(
    analysis: Analysis,
    article: int,
    *,
    count: int,
    expected: float,
    counted: Counted,
    bounds: tuple[float, float],
    gem_probability: float | None,
    loved_by_few: bool,
) -> str:
    """Return the note of an article, which is given by its index (docs/ranking.md section 15).

    `count` and `expected` are the figures of its row, `bounds` is the 90 % interval of its appeal. `gem_probability` is
    a hidden gem's probability of being in the best tenth, None for other articles.
    """
    parts = [_describe_count(analysis, article, count, expected, counted, bounds)]
    if gem_probability is not None:
        chance = format_probability(gem_probability)
        parts.insert(0, f"hidden gem: {chance} chance of being among the best tenth, 10% for any article")
    if loved_by_few:
        ratio, overall = analysis.signals.fan_ratio[article], analysis.signals.overall_fan_ratio
        parts.append(f"few but devoted readers: {ratio:.0%} of readers applauded, {overall:.0%} overall")
    factor = math.exp(analysis.background_scores[article])
    if not BACKGROUND_RANGE[0] <= factor <= BACKGROUND_RANGE[1]:
        parts.append(f"background {factor:.2f}\u00d7 (author, site and title words of your other articles)")
    return "; ".join(parts)


def _describe_count(
    analysis: Analysis, article: int, count: int, expected: float, counted: Counted, bounds: tuple[float, float]
) -> str:
    if count < MIN_CLICKS and expected < MIN_CLICKS:
        return f"too few {counted} to tell ({count})"
    appeal = format_multiple(math.exp(analysis.posterior.score[article]))
    multiple = "about" if appeal == "1.0\u00d7" else appeal
    evidence = f"{format_count(count, counted)}; an average article there: {format_expected(expected)}"
    return (
        f"{multiple} the {counted} expected {_describe_baseline(analysis, article)}, "
        f"{format_interval(*bounds)} ({evidence})"
    )


def _describe_baseline(analysis: Analysis, article: int) -> str:
    """Return the phrase that says what the expected clicks are based on, such as "at its position"."""
    if analysis.fit is None:
        return "from its recipients and age"
    if not analysis.observations.has_positions:
        return "from its issue and placements (position unknown)"
    positions = analysis.observations.positions[analysis.observations.article_index == article]
    return "at a middle position (position unknown)" if np.isnan(positions).any() else "at its position"


def format_footer(analysis: Analysis, blend: Blend | None) -> str:
    """Return the footer: position effect, editors' order, clicks still expected, and the blend if there is one."""
    newest, share = analysis.observations.issues[-1], analysis.remaining_shares[-1]
    parts = [
        _describe_position_effect(analysis),
        *_describe_sorting(analysis),
        f"issue {newest.slug}: {format_share(share)} of its {newest.counted} still expected",
    ]
    if blend is not None:
        parts.append(
            f"ordered by the editors' blend {blend.appeal:g} appeal + {blend.fans:g} fan ratio + "
            f"{blend.reads:g} read ratio: a choice, not a finding"
        )
    return "; ".join(parts)


def _describe_position_effect(analysis: Analysis) -> str:
    if analysis.fit is None:
        return "not corrected for position: the model could not be fitted"
    if not analysis.observations.has_positions:
        return "not corrected for position: no positions are known"
    articles = pluralize(count_multi_position_articles(analysis), "article")
    removed = max(analysis.eta_uncertainty_removed, 0.0)
    caution = "" if is_position_effect_measured(analysis) else ": mostly based on prior assumptions"
    return (
        f"position effect estimated from {articles} shown at 2+ positions; "
        f"{removed:.0f}% of its prior uncertainty removed{caution}"
    )


def is_position_effect_measured(analysis: Analysis) -> bool:
    """Return whether the data determine the position effect.

    At least one article was then shown at two positions, and the data removed 60 % of the uncertainty of eta.
    """
    return analysis.eta_uncertainty_removed >= MIN_UNCERTAINTY_REMOVED and count_multi_position_articles(analysis) > 0


def _describe_sorting(analysis: Analysis) -> list[str]:
    """Return one text that says how likely the two models of the editors' order are; none without a sorting term."""
    weights = analysis.sorting_weights
    if not weights:
        return []
    whole = round(100 * weights["normal"])
    return [f"editors' order: {whole}% {SORTING_LABELS['normal']}, {100 - whole}% {SORTING_LABELS['log']}"]


def count_multi_position_articles(analysis: Analysis) -> int:
    """Return the number of articles that were shown at two or more known positions.

    Only these articles separate the position effect from the editors' sorting (docs/ranking.md section 7).
    """
    positions: dict[str, set[int]] = {}
    for appearance in analysis.observations.appearances:
        if appearance.position is not None:
            positions.setdefault(appearance.url, set()).add(appearance.position)
    return sum(len(known) > 1 for known in positions.values())
