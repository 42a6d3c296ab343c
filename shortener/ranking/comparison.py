"""Comparison of the visitors or clicks of two issues an equal number of hours after sending.

The method is in docs/ranking.md section 18.
"""

import math
from collections.abc import Sequence

from msgspec import Struct

from shortener.errors import InputError
from shortener.ranking.arrival_curve import clicks_within, estimate_curve
from shortener.ranking.caveats import format_age
from shortener.ranking.inputs import Arrival, Counted, History, Issue, common_unit
from shortener.ranking.observations import age_in_hours, build_observations
from shortener.ranking.result import split_count
from shortener.ranking.selection import MIN_AGE_HOURS, clicked_issues, find_issue, select_sent, why_unranked
from shortener.ranking.signals import Z90
from shortener.ranking.wording import format_count, format_interval, format_multiple, format_share


class ComparedIssue(Struct, frozen=True):
    """One of the two issues of a comparison."""

    slug: str
    title: str
    recipients: int | None
    counted: Counted
    visitors: float | None
    """Number of visitors; None if clicks are counted."""
    clicks: float | None
    """Number of clicks; None if visitors are counted."""
    rate: float | None
    """The count divided by the recipients; None if they are unknown."""
    to_come: float | None
    """Estimated share (0 to 1) of the issue's clicks that have not arrived yet; None if unknown."""


class Comparison(Struct, frozen=True):
    """Two issues, compared by their visitors or clicks in the first `hours` hours after sending."""

    hours: float
    to_come: float | None
    """Estimated share (0 to 1) of an issue's clicks that arrive after `hours`; None if `hours` is below 1."""
    counted: Counted
    """Visitors if both issues count visitors, else clicks."""
    first: ComparedIssue
    second: ComparedIssue
    ratio: float | None
    """First count per recipient, divided by the second; without recipients if unknown. None if a count is below 1."""
    low: float | None
    """Lower end of the 90 % interval of `ratio`."""
    high: float | None
    """Upper end of the 90 % interval of `ratio`."""
    text: str


def compare(
    history: History,
    first_slug: str,
    second_slug: str,
    *,
    arrivals: Sequence[Arrival],
    as_of: float,  # epoch seconds; both issues must have been sent by then
    hours: float | None = None,  # None: the age of the younger issue
) -> Comparison:
    """Compare the visitors or clicks of two issues in the first `hours` after sending. Raises NotFound, InputError."""
    sent = select_sent(history, as_of=as_of)
    issues = [find_issue(sent, slug) for slug in (first_slug, second_slug)]
    max_age = min(age_in_hours(issue, as_of=as_of) for issue in issues)
    age = max_age if hours is None else hours
    if not 0 < age <= max_age:
        raise InputError(
            f"cannot compare at {age:g} hours: the age must be more than 0 and at most {max_age:g} hours, the age "
            "of the younger issue"
        )
    curve = estimate_curve(build_observations(sent, as_of=as_of), sent.arrivals)
    clicked = clicked_issues(sent)
    counts = [clicks_within([row for row in arrivals if row.issue == issue.slug], hours=age) for issue in issues]
    first, second = (
        _compared_issue(
            issue,
            count,
            to_come=None
            if why_unranked(issue, clicked=clicked, as_of=as_of)
            else 1 - curve.share_at(age_in_hours(issue, as_of=as_of)),
        )
        for issue, count in zip(issues, counts, strict=True)
    )
    # The counts n1 and n2 are assumed to vary like Poisson counts: the log of their ratio has the standard deviation
    # sqrt(1/n1 + 1/n2) (docs/ranking.md section 18).
    interval = _ratio_with_interval(issues, counts)
    ratio, low, high = interval or (None, None, None)
    to_come, counted = None if age < MIN_AGE_HOURS else 1 - curve.share_at(age), common_unit(issues)
    unit = f"{counted} per recipient" if _are_sized(issues) else counted
    expected = "" if to_come is None else f" ({format_share(to_come)} of {counted} still expected)"
    text = (
        f"{format_age(age)} after sending{expected}: "
        f"{_describe_counts(issues, counts)}; {_describe_ratio(interval, unit)}"
    )
    return Comparison(age, to_come, counted, first, second, ratio, low, high, text)


def _compared_issue(issue: Issue, count: float, *, to_come: float | None) -> ComparedIssue:
    visitors, clicks = split_count(count, issue.counted)
    rate = None if issue.recipients is None else count / issue.recipients
    return ComparedIssue(issue.slug, issue.title, issue.recipients, issue.counted, visitors, clicks, rate, to_come)


def _are_sized(issues: list[Issue]) -> bool:
    return all(issue.recipients is not None for issue in issues)


def _ratio_with_interval(issues: list[Issue], counts: list[float]) -> tuple[float, float, float] | None:
    if min(counts) < 1:
        return None
    sizes = [issue.recipients or 1 for issue in issues] if _are_sized(issues) else [1, 1]
    ratio = (counts[0] / sizes[0]) / (counts[1] / sizes[1])
    factor = math.exp(Z90 * math.sqrt(1 / counts[0] + 1 / counts[1]))
    return ratio, ratio / factor, ratio * factor


def _describe_counts(issues: list[Issue], counts: list[float]) -> str:
    sides = []
    for issue, count in zip(issues, counts, strict=True):
        rate = "" if issue.recipients is None else f" ({count / issue.recipients:.1%} of {issue.recipients})"
        sides.append(f"issue {issue.slug} with {format_count(round(count), issue.counted)}{rate}")
    return " against ".join(sides)


def _describe_ratio(ratio_with_interval: tuple[float, float, float] | None, unit: str) -> str:
    if ratio_with_interval is None:
        return "too few clicks to compare"
    ratio, low, high = ratio_with_interval
    if low <= 1 <= high:
        return f"no significant difference in {unit} ({format_interval(low, high)})"
    return f"{format_multiple(ratio)} the {unit} ({format_interval(low, high)})"
