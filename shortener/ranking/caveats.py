"""What a history cannot tell, said before anyone reads the list: method §9, one sentence per situation."""

from collections.abc import Iterator, Sequence

import numpy as np

from shortener.ranking.design import EDITOR_SORTING, POSITION_KNOTS, fill_recipients
from shortener.ranking.inputs import Issue
from shortener.ranking.pipeline import Analysis
from shortener.ranking.placements import PRIOR_WEIGHTS
from shortener.ranking.wording import (
    MIN_UNCERTAINTY_REMOVED,
    count_multi_position_articles,
    format_share,
    pluralize,
)

MAX_REMAINING_SHARE = 0.10  # share of the clicks still to come above which a list may still turn
MIN_AUDIENCE = 1000  # recipients; gem precision was 38 % at 400 and 82 % at 5,000 (method §7)
MAX_EDITOR_SORTING = (
    0.45  # sorting coefficient at which the gain narrows and coverage falls to 0.84 (method §9)
)
MAX_PHI = 0.30**2  # phi at which cells differ by more than place, article and chance explain
RERUN_ADVICE = (
    "re-run 2-3 articles per issue at another place: it is the only thing that measures the place effect"
)


def list_caveats(analysis: Analysis) -> list[str]:
    """Every situation of method §9 that this history is in, as sentences for editors."""
    return [
        *_fit_caveats(analysis),
        *_click_caveats(analysis),
        *_issue_caveats(analysis),
        *_position_caveats(analysis),
        *_recipient_caveats(analysis),
        *_placement_caveats(analysis),
        *_signal_caveats(analysis),
        *_model_caveats(analysis),
    ]


def _fit_caveats(analysis: Analysis) -> Iterator[str]:
    if analysis.fit_error is not None:
        yield (
            f"the model could not be fitted ({analysis.fit_error}): the list shows a shrunken rate, clicks "
            "against audience and age, with place and placements left out; look for impossible counts"
        )
    elif analysis.fit is not None and not analysis.fit.converged:
        yield f"the fit had not settled after {analysis.fit.iterations} rounds; take close neighbours as equal"


def _click_caveats(analysis: Analysis) -> Iterator[str]:
    if not analysis.cells.clicks.any():
        yield "no clicks at all yet: the order says nothing about the articles"
    if len(analysis.cells.urls) == 1:
        yield "only one article: there is nothing to compare it with"


def _issue_caveats(analysis: Analysis) -> Iterator[str]:
    if len(analysis.cells.issues) == 1:
        yield f"one issue only: the place effect is assumed from published experience; {RERUN_ADVICE}"
    elif analysis.cells.has_positions and not count_multi_position_articles(analysis):
        yield f"no article was shown at two places: place and sorting are told apart by assumption; {RERUN_ADVICE}"
    for issue, hours, rest in zip(
        analysis.cells.issues, analysis.cells.age_hours, analysis.remaining_shares, strict=True
    ):
        if rest > MAX_REMAINING_SHARE:
            yield f"issue {issue.slug} is {format_age(hours)} old: {format_share(rest)} of its clicks are still to come"


def format_age(hours: float) -> str:
    """An age in the unit that a person would use."""
    if hours < 1:
        return pluralize(round(hours * 60), "minute")
    if hours >= 48:
        return f"{hours / 24:.0f} days"
    return pluralize(round(hours), "hour")


def _position_caveats(analysis: Analysis) -> Iterator[str]:
    positions = analysis.cells.positions
    missing = int(np.isnan(positions).sum())
    if not analysis.cells.has_positions:
        yield "no positions are known: appeal is not corrected for place, and the intervals are wider for it"
    elif missing:
        yield f"{missing} of {len(positions)} showings have no position; the middle of the issue stands in"
    if analysis.cells.has_positions and np.nanmax(positions) > 10 * POSITION_KNOTS[-1]:
        yield (
            f"places go down to {np.nanmax(positions):.0f}: how readers thin out below place {POSITION_KNOTS[-1]} is "
            "continued from above, not measured"
        )


def _recipient_caveats(analysis: Analysis) -> Iterator[str]:
    issues = analysis.cells.issues
    unknown = [issue for issue in issues if issue.recipients is None]
    guess = float(np.median(fill_recipients(analysis.cells)[0]))
    if len(unknown) == len(issues):
        yield "no issue has its recipients: issues are told apart by their clicks alone"
    elif unknown:
        yield (
            f"recipients of {_name_issues(unknown)} unknown: the median of the others stands in "
            f"({_median_recipients(issues):.0f}), and what it says across issues counts for little"
        )
    if len(unknown) < len(issues) and guess < MIN_AUDIENCE:
        yield (
            f"small audience ({guess:.0f} recipients): most of each figure is shrinkage, and of five hidden "
            "gems about two are right"
        )
    yield from _excess_click_caveats(analysis)


def _median_recipients(issues: Sequence[Issue]) -> float:
    return float(np.median([issue.recipients for issue in issues if issue.recipients is not None]))


def _name_issues(issues: Sequence[Issue]) -> str:
    shown = ", ".join(issue.slug for issue in issues[:3])
    return f"{len(issues)} issues ({shown}, ...)" if len(issues) > 3 else f"issue {shown}"


def _excess_click_caveats(analysis: Analysis) -> Iterator[str]:
    cells = analysis.cells
    recipients = np.array([issue.recipients or np.inf for issue in cells.issues])
    over = sorted(set(cells.issue_index[cells.clicks > recipients[cells.issue_index]].tolist()))
    if over:
        yield (
            f"{_name_issues([cells.issues[n] for n in over])}: an article has more clicks than there were "
            "recipients; correct the recipients, or look for machines and forwards among the clicks"
        )


def _placement_caveats(analysis: Analysis) -> Iterator[str]:
    unknown = sorted(set(analysis.weights) - set(PRIOR_WEIGHTS))
    if unknown:
        told = ", ".join(f"{kind} {analysis.weights[kind]:.2f}" for kind in unknown)
        yield f"placements without a published weight, learnt from their clicks alone (title = 1): {told}"


def _signal_caveats(analysis: Analysis) -> Iterator[str]:
    given = analysis.signals
    columns = {"views": given.views, "read ratios": given.read_ratio, "fan ratios": given.fan_ratio}
    for name, values in columns.items():
        known = values[np.isfinite(values)]
        if len(known) > 1 and float(np.ptp(known)) < 1e-9:
            yield f"{name} are the same for all articles, so they teach nothing"


def _model_caveats(analysis: Analysis) -> Iterator[str]:
    if analysis.fit is None:
        return
    if (
        analysis.eta_uncertainty_removed >= MIN_UNCERTAINTY_REMOVED
        and analysis.effect_estimate(EDITOR_SORTING)[0] > MAX_EDITOR_SORTING
    ):
        yield (
            "the editors' order already follows appeal closely: correcting for place gains little, and "
            "the intervals are too short (in simulation 84% where they say 90%)"
        )
    if analysis.cells.has_positions and analysis.fit.variances.phi > MAX_PHI:
        yield (
            "clicks vary more than place, article and chance explain (readers who stop early, a few runaway "
            "articles): the intervals are too short (in simulation 86% where they say 90%)"
        )
