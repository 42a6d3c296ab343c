"""Sentences that tell editors what the ranking cannot show, and what to do about it.

The conditions are in docs/ranking.md section 16.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from shortener.messages import Message, mark_text
from shortener.ranking.design import POSITION_KNOTS, SortingShape
from shortener.ranking.inputs import Issue
from shortener.ranking.listed import ListedPart
from shortener.ranking.pipeline import Analysis
from shortener.ranking.placements import PRIOR_WEIGHTS
from shortener.ranking.wording import (
    count_multi_position_articles,
    format_share,
    is_position_effect_measured,
)

MAX_REMAINING_SHARE = 0.10  # an issue with more of its clicks outstanding may still change the list
MIN_AUDIENCE = 1000  # recipients; of the hidden gems, 52 % were right at 400 and 85 % at 5,000 (section 11)
MAX_EDITOR_SORTING: dict[SortingShape, float] = {"log": 0.45, "normal": 0.36}
"""Largest sorting coefficient without a caveat, for each model of how editors order articles.

The coefficient says how strongly editors put better articles first (b in docs/ranking.md section 6). Above these
values, 90 % intervals covered 88 % in simulation (section 19, scenario sorted).
"""
MAX_PHI = 0.30**2  # above this phi, cells vary more than position, article and chance explain
MAX_POSITION = 10 * POSITION_KNOTS[-1]  # beyond, the position effect is extrapolated too far to be silent
RERUN_ADVICE = Message("show 2-3 articles of each issue again at another position, which alone measures it")


def list_caveats(analysis: Analysis, listed: ListedPart) -> list[str]:
    """Return sentences that tell editors what the ranking cannot show, and what to do about it.

    `listed` has the articles that the ranking shows.
    """
    return [
        *_fit_caveats(analysis),
        *_click_caveats(analysis, listed),
        *_rerun_caveats(analysis),
        *_age_caveats(analysis, listed),
        *_position_caveats(analysis, listed),
        *_recipient_caveats(listed),
        *_placement_caveats(analysis, listed),
        *_signal_caveats(analysis, listed),
        *_model_caveats(analysis, listed),
    ]


def _fit_caveats(analysis: Analysis) -> Iterator[str]:
    if analysis.fit_error is not None:
        yield (
            Message(
                "the model could not be fitted ({error}), so the list is corrected for recipients and"
                " age only, not for position and placements; check the counts for errors",
                error=analysis.fit_error,
            )
        )
    elif analysis.fit is not None and not analysis.fit.converged:
        yield (
            Message(
                "the fit did not converge after {iterations} iterations; treat articles with similar appeal as equal",
                iterations=analysis.fit.iterations,
            )
        )


def _click_caveats(analysis: Analysis, listed: ListedPart) -> Iterator[str]:
    without_visitors = [issue for issue in listed.issues if issue.counted == "clicks"]
    if 0 < len(without_visitors) < len(listed.issues):
        yield (
            Message(
                "too few visitors are known in {issues}, where clicks are counted instead; the "
                "expected counts of the other issues are visitors, so compare articles by their appeal "
                "only",
                issues=_name_issues(without_visitors),
            )
        )
    if len(analysis.observations.urls) == 1:
        yield Message("only one article: there is nothing to compare it with; wait for another issue")


def _rerun_caveats(analysis: Analysis) -> Iterator[str]:
    observations = analysis.observations
    if not observations.has_positions or len(observations.urls) == 1:
        return
    if len(observations.issues) == 1:
        yield (
            Message(
                "one issue only: what a position is worth is taken from other publications, not from your"
                " readers; {advice}",
                advice=RERUN_ADVICE,
            )
        )
    elif not count_multi_position_articles(analysis):
        yield (
            Message(
                "no article was shown at two positions, so your readers have not shown what a position is"
                " worth; {advice}",
                advice=RERUN_ADVICE,
            )
        )


def _age_caveats(analysis: Analysis, listed: ListedPart) -> Iterator[str]:
    for index, issue in zip(listed.issue_indices, listed.issues, strict=True):
        hours, share = float(analysis.observations.age_hours[index]), analysis.remaining_shares[index]
        if share > MAX_REMAINING_SHARE:
            template = (
                mark_text(
                    "issue {slug} is {age} old: {share} of its visitors are still expected, so look again before you "
                    "decide about its articles"
                )
                if issue.counted == "visitors"
                else mark_text(
                    "issue {slug} is {age} old: {share} of its clicks are still expected, so look again before you "
                    "decide about its articles"
                )
            )
            yield Message(template, slug=issue.slug, age=format_age(hours), share=format_share(share))


def format_age(hours: float) -> Message:
    """Format an age: in minutes below one hour, in hours below 48 hours, else in days."""
    if hours < 1:
        return Message.plural("{count} minute", "{count} minutes", round(hours * 60))
    if hours >= 48:
        return Message.plural("{count} day", "{count} days", round(hours / 24))
    return Message.plural("{count} hour", "{count} hours", round(hours))


def _position_caveats(analysis: Analysis, listed: ListedPart) -> Iterator[str]:
    positions = listed.positions
    missing = int(np.isnan(positions).sum())
    if not analysis.observations.has_positions:
        yield (
            Message(
                "no positions are known, so articles near the top of an issue appear better than they "
                "are; give the articles their positions"
            )
        )
        return
    if missing:
        yield (
            Message(
                "{missing} of {total} appearances have no position and count as the middle of their "
                "issue; give these articles their positions",
                missing=str(missing),
                total=str(len(positions)),
            )
        )
    if (positions > MAX_POSITION).any():
        yield (
            Message(
                "there are positions up to {last}, and what a position below {limit} is worth is "
                "extrapolated; compare articles there with each other only",
                last=str(round(np.nanmax(positions))),
                limit=POSITION_KNOTS[-1],
            )
        )


def _recipient_caveats(listed: ListedPart) -> Iterator[str]:
    issues = listed.issues
    known = [issue.recipients for issue in listed.observations.issues if issue.recipients is not None]
    unknown = [issue for issue in issues if issue.recipients is None]
    median = float(np.median(known)) if known else 0.0
    if unknown and len(issues) > 1:
        if not known:
            yield (
                Message(
                    "no recipients are known: only clicks distinguish the issues; enter the recipients of each issue"
                )
            )
        else:
            yield (
                Message(
                    "recipients of {issues} unknown: the median of the other issues is used ({median}); "
                    "enter the recipients to compare articles with those of other issues",
                    issues=_name_issues(unknown),
                    median=str(round(median)),
                )
            )
    audience = [issue.recipients for issue in issues if issue.recipients is not None]
    if audience and float(np.median(audience)) < MIN_AUDIENCE:
        count = str(round(float(np.median(audience))))
        if listed.has_gems:
            yield Message(
                "small audience ({count} recipients): most figures are drawn towards the average, so treat articles "
                "with overlapping intervals as equal, and check hidden gems yourself: about half of them are right",
                count=count,
            )
        else:
            yield Message(
                "small audience ({count} recipients): most figures are drawn towards the average, so treat articles "
                "with overlapping intervals as equal",
                count=count,
            )
    yield from _excess_click_caveats(listed)


def _name_issues(issues: Sequence[Issue]) -> str:
    names = ", ".join(issue.slug for issue in issues[:3])
    if len(issues) > 3:
        return Message("{count} issues ({names}, ...)", count=len(issues), names=names)
    return Message("issue {names}", names=names) if len(issues) == 1 else Message("issues {names}", names=names)


def _excess_click_caveats(listed: ListedPart) -> Iterator[str]:
    observations = listed.observations
    recipients = np.array([issue.recipients or np.inf for issue in observations.issues])
    exceeded = listed.cells & (observations.clicks > recipients[observations.issue_index])
    indices = np.unique(observations.issue_index[exceeded]).tolist()
    if indices:
        yield (
            Message(
                "{issues}: an article has more clicks than there were recipients; correct the "
                "recipients, or check for automated clicks and forwarded mail",
                issues=_name_issues([observations.issues[n] for n in indices]),
            )
        )


def _placement_caveats(analysis: Analysis, listed: ListedPart) -> Iterator[str]:
    appearances = zip(analysis.observations.appearances, listed.cells.tolist(), strict=True)
    kinds = {placement.kind for row, inside in appearances if inside for placement in row.placements}
    unknown = sorted(kinds - set(PRIOR_WEIGHTS))
    if unknown:
        weights = ", ".join(f"{kind} {analysis.weights[kind]:.2f}" for kind in unknown)
        yield (
            Message(
                "the weight of some placement kinds is estimated from their clicks alone (title = 1): "
                "{weights}; if a weight looks wrong, check the links of that kind",
                weights=weights,
            )
        )


def _signal_caveats(analysis: Analysis, listed: ListedPart) -> Iterator[str]:
    signals, articles = analysis.signals, np.array(listed.articles, dtype=np.intp)
    columns = {
        Message("views"): signals.views,
        Message("read ratios"): signals.read_ratio,
        Message("fan ratios"): signals.fan_ratio,
    }
    for name, values in columns.items():
        known = values[np.isfinite(values)]
        if len(known) > 1 and np.isfinite(values[articles]).any() and float(np.ptp(known)) < 1e-9:
            yield (
                Message(
                    "{name} are equal for all articles, so they do not affect the ranking; check the imported signals",
                    name=name,
                )
            )


def _model_caveats(analysis: Analysis, listed: ListedPart) -> Iterator[str]:
    if analysis.fit is None or not analysis.observations.has_positions or len(listed.articles) < 2:
        return
    if (
        is_position_effect_measured(analysis)
        and analysis.sorting_estimate() > MAX_EDITOR_SORTING[analysis.design.shape]
    ):
        yield (
            Message(
                "the editors' order already follows appeal closely, and the intervals are too short (in "
                "simulation 90% intervals covered 88%); treat articles whose intervals nearly overlap as "
                "equal"
            )
        )
    if analysis.fit.variances.phi > MAX_PHI:
        yield (
            Message(
                "clicks vary more than position, article and chance explain (readers who stop early, a "
                "few runaway articles), so the intervals are too short (in simulation 90% intervals "
                "covered 86%); treat articles whose intervals nearly overlap as equal"
            )
        )
