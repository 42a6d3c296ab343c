"""Two issues at the same hours after sending, so that a young one is not measured against an old one."""

import math

from msgspec import Struct

from shortener.errors import InputError, NotFound
from shortener.ranking.arrival_curve import Curve, arrived_by, learn_curve
from shortener.ranking.caveats import age
from shortener.ranking.inputs import Arrival, History, Issue, check
from shortener.ranking.observations import HOUR, YOUNGEST, tabulate
from shortener.ranking.selection import sent_by
from shortener.ranking.signals import Z90
from shortener.ranking.wording import percent, plural, times


class Side(Struct, frozen=True):
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
    first: Side
    second: Side
    ratio: float | None
    low: float | None
    high: float | None
    text: str


def compare(
    history: History, first: str, second: str, *, as_of: float, hours: float | None = None
) -> Comparison:
    """Compare two issues (slugs) at the same ``hours`` after sending, by default the age of the younger.

    ``as_of`` is epoch seconds. Raises NotFound for an issue not sent by then and InputError for an age
    that the younger has not reached. The interval is that of a ratio of Poisson counts: sd of its log
    ``sqrt(1/n1 + 1/n2)``.
    """
    check(history)
    sent = sent_by(history, as_of)
    issues = [_find(sent, slug) for slug in (first, second)]
    reached = min(max((as_of - issue.sent) / HOUR, YOUNGEST) for issue in issues)
    at = reached if hours is None else hours
    if not 0 < at <= reached:
        raise InputError(f"{at:g} hours: compare at more than 0 and at most {reached:g}, the younger's age")
    curve = learn_curve(tabulate(sent, as_of=as_of), sent.arrivals)
    one, other = (_side(issue, sent.arrivals, curve, at=at, as_of=as_of) for issue in issues)
    return _compared(one, other, hours=at, to_come=1 - curve.share_at(at))


def _find(history: History, slug: str) -> Issue:
    for issue in history.issues:
        if issue.slug == slug:
            return issue
    raise NotFound(f"no issue {slug!r} was sent by then; see the list of issues")


def _side(issue: Issue, arrivals: tuple[Arrival, ...], curve: Curve, *, at: float, as_of: float) -> Side:
    own = [arrival for arrival in arrivals if arrival.issue == issue.slug]
    clicks = arrived_by(own, curve, hours=at)
    rate = None if issue.recipients is None else clicks / issue.recipients
    to_come = 1 - curve.share_at((as_of - issue.sent) / HOUR)
    return Side(issue.slug, issue.title, issue.recipients, clicks, rate, to_come)


def _compared(first: Side, second: Side, *, hours: float, to_come: float) -> Comparison:
    sized = first.rate is not None and second.rate is not None
    ratio = low = high = None
    if first.clicks > 0 and second.clicks > 0:
        ratio = _per_reader(first, sized) / _per_reader(second, sized)
        reach = math.exp(Z90 * math.sqrt(1 / first.clicks + 1 / second.clicks))
        low, high = ratio / reach, ratio * reach
    text = f"{age(hours)} after sending ({percent(to_come)} still to come): {_versus(first, second)}"
    return Comparison(
        hours, to_come, first, second, ratio, low, high, f"{text}; {_verdict(ratio, low, high, sized)}"
    )


def _per_reader(side: Side, sized: bool) -> float:
    return side.clicks / side.recipients if sized and side.recipients else side.clicks


def _versus(first: Side, second: Side) -> str:
    return " against ".join(
        f"issue {side.slug} with {plural(round(side.clicks), 'click')}{_rate(side)}"
        for side in (first, second)
    )


def _rate(side: Side) -> str:
    return "" if side.rate is None else f" ({side.rate:.1%} of {side.recipients})"


def _verdict(ratio: float | None, low: float | None, high: float | None, sized: bool) -> str:
    if ratio is None or low is None or high is None:
        return "too few clicks to compare"
    what = "clicks per recipient" if sized else "clicks"
    interval = f"90% interval {times(low).removesuffix('x')}-{times(high).removesuffix('x')}"
    if low <= 1 <= high:
        return f"no difference in {what} that chance could not make ({interval})"
    return f"{times(ratio)} the {what} ({interval})"
