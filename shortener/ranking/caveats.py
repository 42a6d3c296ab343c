"""What a history cannot tell, said before anyone reads the list: method §9, one sentence per situation."""

from collections.abc import Iterator, Sequence

import numpy as np

from shortener.ranking.design import KNOTS, SORTING, sizes
from shortener.ranking.inputs import Issue
from shortener.ranking.pipeline import Study
from shortener.ranking.placements import PRIOR_WEIGHTS
from shortener.ranking.wording import MOSTLY_ASSUMED, percent, plural, shown_at_two_places

YOUNG = 0.10  # share of the clicks still to come above which a list may still turn
SMALL_AUDIENCE = 1000  # recipients; gem precision was 38 % at 400 and 82 % at 5,000 (method §7)
WELL_SORTED = 0.45  # sorting coefficient at which the gain narrows and coverage falls to 0.84 (method §9)
NOISY = 0.30**2  # phi at which cells differ by more than place, article and chance explain
RERUN = "re-run 2-3 articles per issue at another place: it is the only thing that measures the place effect"


def situations(learnt: Study) -> list[str]:
    """Every situation of method §9 that this history is in, as sentences for editors."""
    return [
        *_failure(learnt),
        *_counts(learnt),
        *_issues(learnt),
        *_places(learnt),
        *_recipients(learnt),
        *_placements(learnt),
        *_signals(learnt),
        *_model(learnt),
    ]


def _failure(learnt: Study) -> Iterator[str]:
    if learnt.failure is not None:
        yield (
            f"the model could not be fitted ({learnt.failure}): the list shows a shrunken rate, clicks "
            "against audience and age, with place and placements left out; look for impossible counts"
        )
    elif learnt.fit is not None and not learnt.fit.settled:
        yield f"the fit had not settled after {learnt.fit.rounds} rounds; take close neighbours as equal"


def _counts(learnt: Study) -> Iterator[str]:
    if not learnt.cells.clicks.any():
        yield "no clicks at all yet: the order says nothing about the articles"
    if len(learnt.cells.urls) == 1:
        yield "only one article: there is nothing to compare it with"


def _issues(learnt: Study) -> Iterator[str]:
    if len(learnt.cells.issues) == 1:
        yield f"one issue only: the place effect is assumed from published experience; {RERUN}"
    elif learnt.cells.placed and not shown_at_two_places(learnt):
        yield f"no article was shown at two places: place and sorting are told apart by assumption; {RERUN}"
    for issue, hours, rest in zip(learnt.cells.issues, learnt.cells.ages, learnt.still_to_come, strict=True):
        if rest > YOUNG:
            yield f"issue {issue.slug} is {age(hours)} old: {percent(rest)} of its clicks are still to come"


def age(hours: float) -> str:
    """An age in the unit that a person would use."""
    if hours < 1:
        return plural(round(hours * 60), "minute")
    if hours >= 48:
        return f"{hours / 24:.0f} days"
    return plural(round(hours), "hour")


def _places(learnt: Study) -> Iterator[str]:
    positions = learnt.cells.positions
    missing = int(np.isnan(positions).sum())
    if not learnt.cells.placed:
        yield "no positions are known: appeal is not corrected for place, and the intervals are wider for it"
    elif missing:
        yield f"{missing} of {len(positions)} showings have no position; the middle of the issue stands in"
    if learnt.cells.placed and np.nanmax(positions) > 10 * KNOTS[-1]:
        yield (
            f"places go down to {np.nanmax(positions):.0f}: how readers thin out below place {KNOTS[-1]} is "
            "continued from above, not measured"
        )


def _recipients(learnt: Study) -> Iterator[str]:
    issues = learnt.cells.issues
    unknown = [issue for issue in issues if issue.recipients is None]
    guess = float(np.median(sizes(learnt.cells)[0]))
    if len(unknown) == len(issues):
        yield "no issue has its recipients: issues are told apart by their clicks alone"
    elif unknown:
        yield (
            f"recipients of {_names(unknown)} unknown: the median of the others stands in "
            f"({_known(issues):.0f}), and what it says across issues counts for little"
        )
    if len(unknown) < len(issues) and guess < SMALL_AUDIENCE:
        yield (
            f"small audience ({guess:.0f} recipients): most of each figure is shrinkage, and of five hidden "
            "gems about two are right"
        )
    yield from _more_clicks_than_readers(learnt)


def _known(issues: Sequence[Issue]) -> float:
    return float(np.median([issue.recipients for issue in issues if issue.recipients is not None]))


def _names(issues: Sequence[Issue]) -> str:
    shown = ", ".join(issue.slug for issue in issues[:3])
    return f"{len(issues)} issues ({shown}, ...)" if len(issues) > 3 else f"issue {shown}"


def _more_clicks_than_readers(learnt: Study) -> Iterator[str]:
    cells = learnt.cells
    recipients = np.array([issue.recipients or np.inf for issue in cells.issues])
    over = sorted(set(cells.issue[cells.clicks > recipients[cells.issue]].tolist()))
    if over:
        yield (
            f"{_names([cells.issues[n] for n in over])}: an article has more clicks than there were "
            "recipients; correct the recipients, or look for machines and forwards among the clicks"
        )


def _placements(learnt: Study) -> Iterator[str]:
    unknown = sorted(set(learnt.weights) - set(PRIOR_WEIGHTS))
    if unknown:
        told = ", ".join(f"{kind} {learnt.weights[kind]:.2f}" for kind in unknown)
        yield f"placements without a published weight, learnt from their clicks alone (title = 1): {told}"


def _signals(learnt: Study) -> Iterator[str]:
    given = learnt.signals
    columns = {"views": given.views, "read ratios": given.read_ratio, "fan ratios": given.fan_ratio}
    for name, values in columns.items():
        known = values[np.isfinite(values)]
        if len(known) > 1 and float(np.ptp(known)) < 1e-9:
            yield f"{name} are the same for all articles, so they teach nothing"


def _model(learnt: Study) -> Iterator[str]:
    if learnt.fit is None:
        return
    if learnt.learnt >= MOSTLY_ASSUMED and learnt.estimate(SORTING)[0] > WELL_SORTED:
        yield (
            "the editors' order already follows appeal closely: correcting for place gains little, and "
            "the intervals are too short (in simulation 84% where they say 90%)"
        )
    if learnt.cells.placed and learnt.fit.variances.phi > NOISY:
        yield (
            "clicks vary more than place, article and chance explain (readers who stop early, a few runaway "
            "articles): the intervals are too short (in simulation 86% where they say 90%)"
        )
