"""What is said to editors: one note per article and one footer, promising no more than the counts do."""

import math

import numpy as np

from shortener.ranking.pipeline import Study
from shortener.ranking.signals import Blend

FEW = 3  # clicks and expected clicks below which nothing can be told
MOSTLY_ASSUMED = 60.0  # percent of eta's prior uncertainty removed, method §8


def times(appeal: float) -> str:
    """A multiple with the digits it deserves: 12x, 1.8x, 0.4x, 0.05x."""
    if appeal >= 9.95:
        return f"{appeal:.0f}x"
    if appeal >= 0.095:
        return f"{appeal:.1f}x"
    return f"{appeal:.2f}x" if appeal >= 0.01 else "under 0.01x"


def count(clicks: float) -> str:
    """An expected number of clicks: whole from 10 on, one decimal below."""
    return f"{clicks:.0f}" if clicks >= 9.95 else f"{clicks:.1f}"


def plural(number: int, noun: str) -> str:
    """A number with its noun: 1 click, 2 clicks."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def note(learnt: Study, article: int, *, bounds: tuple[float, float], gem: float | None, loved: bool) -> str:
    """The note of one article (an index), method §8; ``gem`` is a gem's chance of the best tenth."""
    parts = [_clicked(learnt, article, bounds)]
    if gem is not None:
        parts.insert(0, f"hidden gem: {chance(gem)} chance of being among the best tenth")
    if loved:
        ratio, overall = learnt.signals.fan_ratio[article], learnt.signals.overall_fan_ratio
        parts.append(f"loved by few: {ratio:.0%} of its readers applauded, {overall:.0%} overall")
    return "; ".join(parts)


def chance(share: float) -> str:
    """A probability from 400 draws, in whole percent that never claim certainty."""
    if share < 0.01:
        return "under 1%"
    return "over 99%" if share > 0.99 else f"{share:.0%}"


def _clicked(learnt: Study, article: int, bounds: tuple[float, float]) -> str:
    posterior = learnt.posterior
    clicks, expected = int(posterior.clicks[article]), float(posterior.expected[article])
    if clicks < FEW and expected < FEW:
        return f"too few clicks to tell ({clicks})"
    appeal = times(math.exp(posterior.score[article]))
    said = "clicked about as {0}" if appeal == "1.0x" else "clicked " + appeal + " what {0}"
    low, high = (times(bound).removesuffix("x") for bound in bounds)
    evidence = f"{plural(clicks, 'click')}; an average article there: {count(expected)}"
    return f"{said.format(_yardstick(learnt, article))}, 90% interval {low}-{high} ({evidence})"


def _yardstick(learnt: Study, article: int) -> str:
    """What the clicks are measured against: the place where it is known, and what else where it is not."""
    if learnt.fit is None:
        return "its audience and age predict"
    if not learnt.cells.placed:
        return "its issue and placements predict, place unknown"
    unplaced = np.isnan(learnt.cells.positions[learnt.cells.article == article])
    return "a middle place predicts, its own unknown" if unplaced.any() else "its place predicts"


def footer(learnt: Study, blend: Blend | None) -> str:
    """The line under the list: how well the place effect is known, what is still to come, any blend."""
    parts = [_place_effect(learnt), _still_to_come(learnt)]
    if blend is not None:
        parts.append(
            f"ordered by the editors' blend {blend.appeal:g} appeal + {blend.fans:g} fan ratio + "
            f"{blend.reads:g} read ratio: a choice, not a finding"
        )
    return "; ".join(parts)


def _place_effect(learnt: Study) -> str:
    if learnt.fit is None:
        return "place not taken into account: the model could not be fitted"
    if not learnt.cells.placed:
        return "place not taken into account: no positions are known"
    moved = shown_at_two_places(learnt)
    said = (
        f"place effect learnt from {plural(moved, 'article')} shown at 2+ places; "
        f"{max(learnt.learnt, 0.0):.0f}% of its prior uncertainty removed"
    )
    return said if learnt.learnt >= MOSTLY_ASSUMED else f"{said}: place effect mostly assumed"


def shown_at_two_places(learnt: Study) -> int:
    """Number of articles that were shown at two known places or more: the only evidence on place alone."""
    places: dict[str, set[int]] = {}
    for showing in learnt.cells.showings:
        if showing.position is not None:
            places.setdefault(showing.url, set()).add(showing.position)
    return sum(len(known) > 1 for known in places.values())


def _still_to_come(learnt: Study) -> str:
    newest, share = learnt.cells.issues[-1], learnt.still_to_come[-1]
    return f"issue {newest.slug}: {percent(share)} of its clicks still to come"


def percent(share: float) -> str:
    """A share of the clicks in whole percent; a small rest is not rounded to nothing."""
    return "under 1%" if 0 < share < 0.01 else f"{share:.0%}"
