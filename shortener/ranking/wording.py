"""Texts for editors: numbers with few digits, the note of each article, and the footer of the ranking."""

import math

import numpy as np

from shortener.messages import Message, MessageValue, Number, join_messages, mark_text
from shortener.ranking.inputs import Counted
from shortener.ranking.pipeline import Analysis
from shortener.ranking.result import is_comparable
from shortener.ranking.signals import Blend

MIN_UNCERTAINTY_REMOVED = 60.0
"""Percentage by which the data must reduce the variance of the position effect for it to count as measured."""
BACKGROUND_LABEL = Message("background: author, site and title words of your other articles")
BACKGROUND_RANGE = (0.9, 1.1)
"""Range in which a note leaves out the factor of site, author and title words: it hardly changes the appeal."""


def format_multiple(appeal: float) -> str:
    """Format a ratio as a number, such as 12, 1.8, 0.05 or "under 0.01", with a multiplication sign after it."""
    return Message("{number}\u00d7", number=_round_multiple(appeal))


def _round_multiple(appeal: float) -> MessageValue:
    if appeal >= 0.0095:
        return Number(appeal, 0 if appeal >= 9.95 else 1 if appeal >= 0.095 else 2)
    return Message("under {number}", number=Number(0.01, 2))


def format_interval(low: float, high: float) -> str:
    """Format the 90 % interval of a ratio, such as "90% interval 0.8-1.5"."""
    return Message("90% interval {low}-{high}", low=_round_multiple(low), high=_round_multiple(high))


def format_expected(clicks: float) -> str | Number:
    """Format the clicks of an average article: as a whole number if they are 10 or more, else with one decimal."""
    return f"{clicks:.0f}" if clicks >= 9.95 else Number(clicks, 1)


def format_count(number: int, counted: Counted) -> str:
    """Return a count with its unit, such as "1 visitor" or "2 clicks"."""
    if counted == "visitors":
        return Message.plural("{count} visitor", "{count} visitors", number, count=str(number))
    return Message.plural("{count} click", "{count} clicks", number, count=str(number))


def format_probability(probability: float) -> str:
    """Format a probability as a whole percentage, or as "over 99%" or "under 1%"."""
    # It is estimated from 400 simulations, so values closer to 0 or 1 are not reliable.
    if probability < 0.01:
        return Message("under 1%")
    return Message("over 99%") if probability > 0.99 else format_percent(probability)


def format_share(share: float) -> str:
    """Format a share (0 to 1) as a whole percentage. A share below 1 % gives "under 1%"."""
    return Message("under 1%") if 0 < share < 0.01 else format_percent(share)


def format_percent(share: float) -> str:
    """Format a share (0 to 1) as a whole percentage."""
    return Message("{number}%", number=Number(100 * share))


def format_note(
    analysis: Analysis,
    article: int,
    *,
    count: int,
    expected: float,  # count of an average article
    counted: Counted,
    bounds: tuple[float, float],  # 90 % interval of the appeal
    gem_probability: float | None,  # None if the article is no hidden gem
    loved_by_few: bool,
) -> str:
    """Return the text that explains an article's result to editors."""
    # docs/ranking.md section 15
    parts = [_describe_count(analysis, article, count, expected, counted, bounds)]
    if gem_probability is not None:
        chance = format_probability(gem_probability)
        gem = Message("hidden gem: {chance} chance of being among the best tenth, 10% for any article", chance=chance)
        parts.insert(0, gem)
    if loved_by_few:
        ratio, overall = analysis.signals.fan_ratio[article], analysis.signals.overall_fan_ratio
        parts.append(
            Message(
                "few but devoted readers: {ratio} of readers applauded, {overall} overall",
                ratio=format_percent(ratio),
                overall=format_percent(overall),
            )
        )
    factor = math.exp(analysis.background_scores[article])
    if not BACKGROUND_RANGE[0] <= factor <= BACKGROUND_RANGE[1]:
        parts.append(
            Message(
                "background {factor}\u00d7 (author, site and title words of your other articles)",
                factor=Number(factor, 2),
            )
        )
    return join_messages(parts)


def _describe_count(
    analysis: Analysis, article: int, count: int, expected: float, counted: Counted, bounds: tuple[float, float]
) -> str:
    is_visitors = counted == "visitors"
    if not is_comparable(count, expected):
        if is_visitors:
            return Message("too few visitors to tell ({count})", count=str(count))
        return Message("too few clicks to tell ({count})", count=str(count))
    multiple = format_multiple(math.exp(analysis.posterior.score[article]))
    if multiple == "1.0\u00d7":
        template = (
            mark_text("about the visitors expected {basis}, {interval} ({evidence})")
            if is_visitors
            else mark_text("about the clicks expected {basis}, {interval} ({evidence})")
        )
    else:
        template = (
            mark_text("{multiple} the visitors expected {basis}, {interval} ({evidence})")
            if is_visitors
            else mark_text("{multiple} the clicks expected {basis}, {interval} ({evidence})")
        )
    return Message(
        template,
        multiple=multiple,
        basis=_describe_baseline(analysis, article),
        interval=format_interval(*bounds),
        evidence=Message(
            "{counted}; an average article there: {expected}",
            counted=format_count(count, counted),
            expected=format_expected(expected),
        ),
    )


def _describe_baseline(analysis: Analysis, article: int) -> str:
    if analysis.fit is None:
        return Message("from its recipients and age")
    if not analysis.observations.has_positions:
        return Message("from its issue and placements (position unknown)")
    positions = analysis.observations.positions[analysis.observations.article_index == article]
    if np.isnan(positions).any():
        return Message("at a middle position (position unknown)")
    return Message("at its position")


def format_footer(analysis: Analysis, blend: Blend | None) -> str:
    """Return the text below the ranking.

    It says how well the position effect is known, how editors order articles, and which clicks are still expected.
    """
    newest, share = analysis.observations.issues[-1], analysis.remaining_shares[-1]
    remaining = (
        mark_text("issue {slug}: {share} of its visitors still expected")
        if newest.counted == "visitors"
        else mark_text("issue {slug}: {share} of its clicks still expected")
    )
    parts = [
        _describe_position_effect(analysis),
        *_describe_editors_order(analysis),
        Message(remaining, slug=newest.slug, share=format_share(share)),
    ]
    if blend is not None:
        parts.append(
            Message(
                "ordered by the editors' blend {appeal} appeal + {fans} fan ratio + {reads} read ratio: a choice, not "
                "a finding",
                appeal=format(blend.appeal, "g"),
                fans=format(blend.fans, "g"),
                reads=format(blend.reads, "g"),
            )
        )
    return join_messages(parts)


def _describe_position_effect(analysis: Analysis) -> str:
    if analysis.fit is None:
        return Message("not corrected for position: the model could not be fitted")
    if not analysis.observations.has_positions:
        return Message("not corrected for position: no positions are known")
    effect = Message.plural(
        "position effect estimated from {count} article shown at 2+ positions; {removed}% of its prior uncertainty "
        "removed",
        "position effect estimated from {count} articles shown at 2+ positions; {removed}% of its prior uncertainty "
        "removed",
        count_multi_position_articles(analysis),
        removed=Number(max(analysis.eta_uncertainty_removed, 0.0)),
    )
    if is_position_effect_measured(analysis):
        return effect
    return Message("{effect}: mostly based on prior assumptions", effect=effect)


def is_position_effect_measured(analysis: Analysis) -> bool:
    """Return whether the position effect is determined by the data rather than by its prior."""
    return analysis.eta_uncertainty_removed >= MIN_UNCERTAINTY_REMOVED and count_multi_position_articles(analysis) > 0


def _describe_editors_order(analysis: Analysis) -> list[str]:
    weights = analysis.sorting_weights
    if not weights:
        return []  # the order is unknown
    # "Whole list": editors sort all articles, the best first. "Leads first": they only choose the best for the top.
    whole = round(100 * weights["normal"])
    return [Message("editors' order: {whole}% whole list, {leads}% leads first", whole=whole, leads=100 - whole)]


def count_multi_position_articles(analysis: Analysis) -> int:
    """Return the number of articles that were shown at two or more different known positions."""
    # Only these articles separate the position effect from the editors' order (docs/ranking.md section 7).
    positions: dict[str, set[int]] = {}
    for appearance in analysis.observations.appearances:
        if appearance.position is not None:
            positions.setdefault(appearance.url, set()).add(appearance.position)
    return sum(len(known) > 1 for known in positions.values())
