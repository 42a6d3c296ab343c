"""Caveats of a ranking: one sentence for each thing that its data cannot show (docs/ranking.md section 16)."""

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

MAX_REMAINING_SHARE = 0.10  # an issue that expects a larger share of its clicks may still change the list
MIN_AUDIENCE = 1000  # recipients; of the hidden gems, 44 % were right at 400 and 83 % at 5,000 (section 19)
MAX_EDITOR_SORTING = 0.45  # coefficient b; above, 90 % intervals covered 84 % in simulation (section 19)
MAX_PHI = 0.30**2  # above, cells vary more than position, article and chance explain
MAX_POSITION = 10 * POSITION_KNOTS[-1]  # a position beyond it gets a caveat: its effect is extrapolated far
RERUN_ADVICE = (
    "show 2-3 articles of each issue again at another position: only this measures the position effect"
)


def list_caveats(analysis: Analysis) -> list[str]:
    """Return one sentence for each situation of docs/ranking.md section 16 that applies."""
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
            f"the model could not be fitted ({analysis.fit_error}): the list shows a shrunken rate, corrected for "
            "recipients and age only, not for position and placements; check the counts for errors"
        )
    elif analysis.fit is not None and not analysis.fit.converged:
        yield (
            f"the fit did not converge after {analysis.fit.iterations} iterations; treat articles with similar "
            "scores as equal"
        )


def _click_caveats(analysis: Analysis) -> Iterator[str]:
    issues = analysis.observations.issues
    without_visitors = [issue for issue in issues if issue.counted == "clicks"]
    if 0 < len(without_visitors) < len(issues):
        yield (
            f"too few visitors are known in {_name_issues(without_visitors)}: clicks are counted there, and "
            "visitors in the other issues"
        )
    if not analysis.observations.clicks.any():
        yield "no clicks yet: the order means nothing"
    if len(analysis.observations.urls) == 1:
        yield "only one article: there is nothing to compare it with"


def _issue_caveats(analysis: Analysis) -> Iterator[str]:
    observations = analysis.observations
    if len(observations.issues) == 1:
        yield f"one issue only: the position effect is taken from published studies; {RERUN_ADVICE}"
    elif observations.has_positions and not count_multi_position_articles(analysis):
        yield (
            "no article was shown at two positions: position and editors' sorting cannot be separated by the data; "
            f"{RERUN_ADVICE}"
        )
    for issue, hours, share in zip(
        observations.issues, observations.age_hours, analysis.remaining_shares, strict=True
    ):
        if share > MAX_REMAINING_SHARE:
            yield (
                f"issue {issue.slug} is {format_age(hours)} old: {format_share(share)} of its {issue.counted} are "
                "still expected"
            )


def format_age(hours: float) -> str:
    """Format an age in minutes below one hour, in days from 48 hours on, and in hours between."""
    if hours < 1:
        return pluralize(round(hours * 60), "minute")
    if hours >= 48:
        return f"{hours / 24:.0f} days"
    return pluralize(round(hours), "hour")


def _position_caveats(analysis: Analysis) -> Iterator[str]:
    positions = analysis.observations.positions
    missing = int(np.isnan(positions).sum())
    if not analysis.observations.has_positions:
        yield "no positions are known: appeal is not corrected for position, and its intervals are wider"
        return
    if missing:
        yield f"{missing} of {len(positions)} appearances have no position; the middle of the issue is used"
    if np.nanmax(positions) > MAX_POSITION:
        yield (
            f"there are positions up to {np.nanmax(positions):.0f}: the position effect below position "
            f"{POSITION_KNOTS[-1]} is extrapolated"
        )


def _recipient_caveats(analysis: Analysis) -> Iterator[str]:
    issues = analysis.observations.issues
    unknown = [issue for issue in issues if issue.recipients is None]
    # the median with the unknown issues filled in is the median of the known ones
    median = float(np.median(fill_recipients(analysis.observations)[0]))
    if len(unknown) == len(issues):
        yield "no recipients are known: only clicks distinguish the issues"
    elif unknown:
        yield (
            f"recipients of {_name_issues(unknown)} unknown: the median of the other issues is used "
            f"({median:.0f}); comparisons with other issues are uncertain"
        )
    if len(unknown) < len(issues) and median < MIN_AUDIENCE:
        yield (
            f"small audience ({median:.0f} recipients): most of each figure is shrinkage, and of five hidden "
            "gems about two are right"
        )
    yield from _excess_click_caveats(analysis)


def _name_issues(issues: Sequence[Issue]) -> str:
    names = ", ".join(issue.slug for issue in issues[:3])
    if len(issues) > 3:
        return f"{len(issues)} issues ({names}, ...)"
    return f"issue {names}" if len(issues) == 1 else f"issues {names}"


def _excess_click_caveats(analysis: Analysis) -> Iterator[str]:
    observations = analysis.observations
    recipients = np.array([issue.recipients or np.inf for issue in observations.issues])
    exceeded = observations.clicks > recipients[observations.issue_index]
    indices = sorted(set(observations.issue_index[exceeded].tolist()))
    if indices:
        yield (
            f"{_name_issues([observations.issues[n] for n in indices])}: an article has more clicks than there were "
            "recipients; correct the recipients, or check for automated clicks and forwarded mail"
        )


def _placement_caveats(analysis: Analysis) -> Iterator[str]:
    unknown = sorted(set(analysis.weights) - set(PRIOR_WEIGHTS))
    if unknown:
        weights = ", ".join(f"{kind} {analysis.weights[kind]:.2f}" for kind in unknown)
        yield f"placement kinds without a prior weight, estimated from their clicks alone (title = 1): {weights}"


def _signal_caveats(analysis: Analysis) -> Iterator[str]:
    signals = analysis.signals
    columns = {"views": signals.views, "read ratios": signals.read_ratio, "fan ratios": signals.fan_ratio}
    for name, values in columns.items():
        known = values[np.isfinite(values)]
        if len(known) > 1 and float(np.ptp(known)) < 1e-9:
            yield f"{name} are equal for all articles, so they do not affect the ranking"


def _model_caveats(analysis: Analysis) -> Iterator[str]:
    if analysis.fit is None:
        return
    measured = analysis.eta_uncertainty_removed >= MIN_UNCERTAINTY_REMOVED
    if measured and analysis.effect_estimate(EDITOR_SORTING)[0] > MAX_EDITOR_SORTING:
        yield (
            "the editors' order already follows appeal closely: the position correction gains little, and the "
            "intervals are too short (in simulation 90% intervals covered 84%)"
        )
    if analysis.observations.has_positions and analysis.fit.variances.phi > MAX_PHI:
        yield (
            "clicks vary more than position, article and chance explain (readers who stop early, a few runaway "
            "articles): the intervals are too short (in simulation 90% intervals covered 86%)"
        )
