"""Two issues at the same hours after sending, so that a young one is not measured against an old one."""

import math

from msgspec import Struct

from shortener.errors import InputError, NotFound
from shortener.ranking.arrival_curve import ArrivalCurve, clicks_within, estimate_curve
from shortener.ranking.caveats import format_age
from shortener.ranking.inputs import Arrival, History, Issue, check_history
from shortener.ranking.observations import MIN_AGE_HOURS, SECONDS_PER_HOUR, build_observations
from shortener.ranking.selection import restrict_to_sent
from shortener.ranking.signals import Z90
from shortener.ranking.wording import format_multiple, format_share, pluralize


class ComparedIssue(Struct, frozen=True):
    """One issue at that age: its ``clicks`` by then, also per recipient, and what is ``to_come`` today."""

    slug: str
    title: str
    recipients: int | None
    clicks: float
    rate: float | None
    to_come: float


class Comparison(Struct, frozen=True):
    """Both issues ``hours`` after sending; ``to_come`` is the share still to come at that age.

    ``ratio`` is the first's rate over the second's (clicks, if the recipients of either are unknown) with its
    90 % interval by chance alone, None when either has no clicks.
    """

    hours: float
    to_come: float
    first: ComparedIssue
    second: ComparedIssue
    ratio: float | None
    low: float | None
    high: float | None
    text: str


def compare(
    history: History, first_slug: str, second_slug: str, *, as_of: float, hours: float | None = None
) -> Comparison:
    """Compare two issues (slugs) at the same ``hours`` after sending, by default the age of the younger.

    ``as_of`` is epoch seconds. Raises NotFound for an issue not sent by then and InputError for an age
    that the younger has not reached. The interval is that of a ratio of Poisson counts: sd of its log
    ``sqrt(1/n1 + 1/n2)``.
    """
    check_history(history)
    sent = restrict_to_sent(history, as_of)
    issues = [_find_issue(sent, slug) for slug in (first_slug, second_slug)]
    reached = min(max((as_of - issue.sent_at) / SECONDS_PER_HOUR, MIN_AGE_HOURS) for issue in issues)
    at = reached if hours is None else hours
    if not 0 < at <= reached:
        raise InputError(f"{at:g} hours: compare at more than 0 and at most {reached:g}, the younger's age")
    curve = estimate_curve(build_observations(sent, as_of=as_of), sent.arrivals)
    one, other = (_compared_issue(issue, sent.arrivals, curve, hours=at, as_of=as_of) for issue in issues)
    return _build_comparison(one, other, hours=at, remaining_share=1 - curve.share_at(at))


def _find_issue(history: History, slug: str) -> Issue:
    for issue in history.issues:
        if issue.slug == slug:
            return issue
    raise NotFound(f"no issue {slug!r} was sent by then; see the list of issues")


def _compared_issue(
    issue: Issue, arrivals: tuple[Arrival, ...], curve: ArrivalCurve, *, hours: float, as_of: float
) -> ComparedIssue:
    own = [arrival for arrival in arrivals if arrival.issue == issue.slug]
    clicks = clicks_within(own, curve, hours=hours)
    rate = None if issue.recipients is None else clicks / issue.recipients
    to_come = 1 - curve.share_at((as_of - issue.sent_at) / SECONDS_PER_HOUR)
    return ComparedIssue(issue.slug, issue.title, issue.recipients, clicks, rate, to_come)


def _build_comparison(
    first: ComparedIssue, second: ComparedIssue, *, hours: float, remaining_share: float
) -> Comparison:
    sized = first.rate is not None and second.rate is not None
    ratio = low = high = None
    if first.clicks > 0 and second.clicks > 0:
        ratio = _clicks_or_rate(first, sized) / _clicks_or_rate(second, sized)
        reach = math.exp(Z90 * math.sqrt(1 / first.clicks + 1 / second.clicks))
        low, high = ratio / reach, ratio * reach
    completeness = f"{format_share(remaining_share)} still to come"
    text = f"{format_age(hours)} after sending ({completeness}): {_describe_clicks(first, second)}"
    return Comparison(
        hours,
        remaining_share,
        first,
        second,
        ratio,
        low,
        high,
        f"{text}; {_describe_ratio(ratio, low, high, sized)}",
    )


def _clicks_or_rate(compared: ComparedIssue, recipients_known: bool) -> float:
    return (
        compared.clicks / compared.recipients if recipients_known and compared.recipients else compared.clicks
    )


def _describe_clicks(first: ComparedIssue, second: ComparedIssue) -> str:
    return " against ".join(
        f"issue {side.slug} with {pluralize(round(side.clicks), 'click')}{_format_rate(side)}"
        for side in (first, second)
    )


def _format_rate(compared: ComparedIssue) -> str:
    return "" if compared.rate is None else f" ({compared.rate:.1%} of {compared.recipients})"


def _describe_ratio(
    ratio: float | None, low: float | None, high: float | None, recipients_known: bool
) -> str:
    if ratio is None or low is None or high is None:
        return "too few clicks to compare"
    what = "clicks per recipient" if recipients_known else "clicks"
    interval = (
        f"90% interval {format_multiple(low).removesuffix('x')}-{format_multiple(high).removesuffix('x')}"
    )
    if low <= 1 <= high:
        return f"no difference in {what} that chance could not make ({interval})"
    return f"{format_multiple(ratio)} the {what} ({interval})"
