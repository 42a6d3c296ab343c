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
    """One of the two issues of a comparison.

    If `counted` is "visitors", the issue's count is in `visitors`, and `clicks` is None; otherwise the reverse. `rate`
    is the count divided by `recipients`. `to_come` is the estimated share (0 to 1) of the issue's clicks that have not
    arrived yet. `rate` and `to_come` are None if unknown.
    """

    slug: str
    title: str
    recipients: int | None
    counted: Counted
    visitors: float | None
    clicks: float | None
    rate: float | None
    to_come: float | None


class Comparison(Struct, frozen=True):
    """Two issues, compared by their visitors or clicks in the first `hours` hours after sending.

    `ratio` is the first issue's count per recipient divided by the second issue's. If the recipients of an issue are
    unknown, `ratio` is the ratio of the counts. `low` to `high` is the 90 % interval of `ratio`. All three are None if
    a count is below 1.

    `counted` is "visitors" if both issues count visitors, otherwise "clicks". `to_come` is the estimated share (0 to 1)
    of an issue's clicks that arrive later than `hours` after sending; None if `hours` is below 1.
    """

    hours: float
    to_come: float | None
    counted: Counted
    first: ComparedIssue
    second: ComparedIssue
    ratio: float | None
    low: float | None
    high: float | None
    text: str


def compare(
    history: History,
    first_slug: str,
    second_slug: str,
    *,
    arrivals: Sequence[Arrival],
    as_of: float,
    hours: float | None = None,
) -> Comparison:
    """Compare the visitors or clicks of two issues in the first `hours` hours after sending.

    `hours` is by default the age of the younger issue. `arrivals` are the visitors or clicks of each issue, over short
    intervals. Raises NotFound for an issue that is unknown or was sent after `as_of` (epoch seconds). Raises InputError
    if `hours` is not positive, or more than the age of the younger issue.
    """
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
