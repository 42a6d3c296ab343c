"""Comparison of an issue with earlier issues at the same age, and the forecast of its final count.

The method is in docs/ranking.md section 22.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from shortener.durations import DAY_SECONDS, HOUR_SECONDS, QUARTER_HOUR_SECONDS
from shortener.messages import Message
from shortener.reporting.counts import click_rate
from shortener.reporting.forecast import MAX_USUAL_ISSUES, Forecast, Usual, forecast_count, usual_range
from shortener.store import Store, issue_clicks, issues, listings
from shortener.store.issue_clicks import CountsUntil, QuarterHourClicks
from shortener.store.listings import IssueSummary

Judgement = Literal["above", "usual", "below"]


class Outlook(Struct, frozen=True):
    """Comparison of a sent issue with up to 12 earlier issues at an equal age, and the forecast of its final count."""

    counted: Literal["visitors", "clicks"]
    hours: float
    """Age of the issue: hours since sending."""
    count: int
    """Visitors or clicks of the issue, as ``counted`` says."""
    rate: float | None
    """Visitors divided by recipients; None if either number is unknown."""
    usual_count: Usual | None
    """Usual range of the count in earlier issues; None if there are fewer than four."""
    usual_rate: Usual | None
    """Usual range of the rate in earlier issues; None if fewer than four have a known rate."""
    forecast: Forecast | None
    """Forecast of the final count; None if it is too early for a forecast, or if the count is almost final."""

    @property
    def judgement(self) -> Judgement | None:
        """Whether the issue is above, within or below the usual range; None if that is unknown."""
        # Click rates are compared if they are known, else the numbers of visitors or clicks.
        if self.rate is not None and self.usual_rate is not None:
            return judge(self.rate, self.usual_rate)
        return judge(self.count, self.usual_count) if self.usual_count is not None else None


def judge(value: float, usual: Usual) -> Judgement:
    """Return whether ``value`` is "below" or "above" the usual range, or "usual"."""
    if value < usual.low:
        return "below"
    return "above" if value > usual.high else "usual"


def describe_age(hours: float) -> str:
    """Return the age of an issue as the words that end a sentence, such as "after 31 hours" or "after 29 days"."""
    if hours >= 2 * DAY_SECONDS / HOUR_SECONDS:
        return Message.plural("after {count} day", "after {count} days", int(hours * HOUR_SECONDS / DAY_SECONDS))
    if hours >= 2:
        return Message.plural("after {count} hour", "after {count} hours", int(hours))
    return Message.plural("after {count} minute", "after {count} minutes", int(hours * 60))


def describe_outlook(outlook: Outlook) -> str:
    """Return a sentence that compares the issue with earlier ones, and a sentence with the forecast.

    A sentence whose figures are unknown is left out.
    """
    return " ".join((*_judgement_sentence(outlook), *_forecast_sentence(outlook)))


def _judgement_sentence(outlook: Outlook) -> Iterator[str]:
    if outlook.judgement is None:
        return
    word = {"above": "above", "usual": "about", "below": "below"}[outlook.judgement]
    if outlook.rate is not None and outlook.usual_rate is not None:
        usual, value = outlook.usual_rate, f"{_percent(outlook.rate)} % of the recipients"
        median, low, high = (_percent(share) for share in (usual.median, usual.low, usual.high))
        unit = " %"
    else:
        assert outlook.usual_count is not None  # noqa: S101 - narrows the type
        usual, value = outlook.usual_count, f"{outlook.count:,} {outlook.counted}"
        median, low, high = (f"{number:,.0f}" for number in (usual.median, usual.low, usual.high))
        unit = ""
    yield (
        f"{value}, {word} your usual {median}{unit} {describe_age(outlook.hours)} ({low} to {high}{unit} in most of the"
        f" last {usual.issues} issues)."
    )


def _forecast_sentence(outlook: Outlook) -> Iterator[str]:
    if outlook.forecast is not None:
        expected, low, high = (
            f"{_round_to_three_digits(number):,}"
            for number in (outlook.forecast.expected, outlook.forecast.low, outlook.forecast.high)
        )
        yield f"Expect about {expected} {outlook.counted} in the end ({low} to {high})."


def _percent(share: float) -> str:
    return f"{share * 100:.0f}" if share >= 0.0995 else f"{share * 100:.1f}"


def _round_to_three_digits(number: float) -> int:
    return int(float(f"{number:.3g}"))


class ComparedIssues(Struct, frozen=True):
    """An issue, and other issues with which it can be compared."""

    issue: IssueSummary
    earlier: tuple[IssueSummary, ...]
    """Up to 12 issues sent before it, the latest first. The usual range is computed from them."""
    others: tuple[IssueSummary, ...]
    """All issues that can be chosen for comparison, the latest first."""


def find_compared_issues(store: Store, slug: str) -> ComparedIssues:
    """Return the issue with this slug, together with the issues with which it can be compared. Raises NotFound."""
    issue_id = issues.get(store, slug).id
    found = listings.list_issues(store, with_hidden=True)
    issue = next(each for each in found if each.id == issue_id)
    sent_at = issue.sent_at
    earlier = () if sent_at is None else (each for each in found if _is_comparable(each, sent_before=sent_at))
    others = (each for each in found if each.slug != slug and each.sent_at and each.clicks and not each.is_hidden)
    return ComparedIssues(issue, tuple(earlier)[:MAX_USUAL_ISSUES], tuple(others))


def build_outlook(
    store: Store,
    slug: str,
    *,
    remaining_share: float | None,  # share (0 to 1) of the final count that is still to come
    now: int,  # seconds of the UTC epoch
) -> Outlook | None:
    """Compare an issue with earlier ones, and forecast its final count. Raises NotFound.

    Returns None if the issue is unsent or has no clicks.
    """
    return compare_issue(store, find_compared_issues(store, slug), remaining_share=remaining_share, now=now)


def compare_issue(
    store: Store,
    found: ComparedIssues,
    *,
    remaining_share: float | None,  # share (0 to 1) of the final count that is still to come
    now: int,  # seconds of the UTC epoch
) -> Outlook | None:
    """Compare an issue with earlier ones, and forecast its final count.

    Returns None if the issue is unsent or has no clicks.
    """
    issue = found.issue
    if issue.sent_at is None or issue.sent_at >= now or not issue.clicks:
        return None
    return _compare(store, issue, found.earlier, age=now - issue.sent_at, remaining_share=remaining_share)


class UsualFigures(Struct, frozen=True):
    """Usual ranges of two figures of earlier issues: human clicks, and the share of automated requests."""

    clicks: Usual | None
    """Range of human clicks; None for fewer than four earlier issues."""
    filtered: Usual | None
    """Range of the share (0 to 1) of automated requests in all requests; None for fewer than four earlier issues."""


def usual_figures(
    store: Store,
    found: ComparedIssues,
    *,
    now: int,  # seconds of the UTC epoch
) -> UsualFigures:
    """Return the usual human clicks on earlier issues, and the usual share of automated requests.

    Both are None for an unsent issue.
    """
    if found.issue.sent_at is None or found.issue.sent_at >= now:
        return UsualFigures(None, None)
    # Clicks on each earlier issue are counted up to the age that the issue has now.
    age = now - found.issue.sent_at
    ends = {each.id: each.sent_at + age for each in found.earlier if each.sent_at is not None}
    counts = {row.issue_id: row.clicks for row in issue_clicks.counts_until(store, ends)}
    clicks = [counts.get(each.id, 0) for each in found.earlier]
    # All stored requests count for the share, whatever their age.
    shares = [each.automated / (each.automated + each.clicks) for each in found.earlier]
    return UsualFigures(usual_range(clicks), usual_range(shares))


def build_outlooks(
    store: Store,
    slugs: Collection[str],
    *,
    remaining_shares: Mapping[str, float],  # share (0 to 1) of each final count that is still to come, by slug
    now: int,  # seconds of the UTC epoch
) -> dict[str, Outlook]:
    """Compare issues with earlier ones and forecast their final counts; return the results by slug.

    Unsent issues and issues without clicks are left out.
    """
    found = listings.list_issues(store, with_hidden=True)
    wanted: list[tuple[IssueSummary, int, list[IssueSummary]]] = []
    for issue in found:
        if issue.slug in slugs and issue.sent_at is not None and issue.sent_at < now and issue.clicks:
            earlier = [each for each in found if _is_comparable(each, sent_before=issue.sent_at)][:MAX_USUAL_ISSUES]
            wanted.append((issue, now - issue.sent_at, earlier))
    read = {each.id: now for issue, _, earlier in wanted for each in (issue, *earlier)}
    arrivals = _Arrivals(issue_clicks.human_clicks_by_quarter_hour(store, read))
    return {
        issue.slug: _judge_issue(
            issue,
            earlier,
            arrivals.until(_times_at_age(issue, earlier, age=age)),
            age=age,
            remaining_share=remaining_shares.get(issue.slug),
        )
        for issue, age, earlier in wanted
    }


class _Arrivals:
    """Clicks of several issues by quarter-hour, from which the number of clicks at any age is computed
    without a query.
    """

    def __init__(self, rows: Iterable[QuarterHourClicks]) -> None:
        self._rows: dict[int, list[QuarterHourClicks]] = {}
        self._sums: dict[int, list[tuple[int, int]]] = {}
        for row in rows:
            sums = self._sums.setdefault(row.issue_id, [(0, 0)])
            sums.append((sums[-1][0] + row.clicks, sums[-1][1] + row.visitors))
            self._rows.setdefault(row.issue_id, []).append(row)

    def until(self, ends: Mapping[int, int]) -> dict[int, CountsUntil]:
        """Return clicks and visitors of each issue, by id, until its time in ``ends`` (seconds of the UTC epoch).

        Issues without clicks are left out.
        """
        return {issue_id: self._until(issue_id, end) for issue_id, end in ends.items() if issue_id in self._rows}

    def _until(self, issue_id: int, end: int) -> CountsUntil:
        rows = self._rows[issue_id]
        full = bisect_right(rows, end - QUARTER_HOUR_SECONDS, key=lambda row: row.start)
        clicks, visitors = (QUARTER_HOUR_SECONDS * count for count in self._sums[issue_id][full])
        if full < len(rows) and (seconds := end - rows[full].start) > 0:
            clicks, visitors = clicks + seconds * rows[full].clicks, visitors + seconds * rows[full].visitors
        return CountsUntil(issue_id, clicks / QUARTER_HOUR_SECONDS, visitors / QUARTER_HOUR_SECONDS)


def _compare(
    store: Store, issue: IssueSummary, earlier: Sequence[IssueSummary], *, age: int, remaining_share: float | None
) -> Outlook:
    ends = _times_at_age(issue, earlier, age=age)
    counts = {row.issue_id: row for row in issue_clicks.counts_until(store, ends)}
    return _judge_issue(issue, earlier, counts, age=age, remaining_share=remaining_share)


def _times_at_age(issue: IssueSummary, earlier: Sequence[IssueSummary], *, age: int) -> dict[int, int]:
    ends = {each.id: each.sent_at + age for each in (issue, *earlier) if each.sent_at is not None}
    # For the issue itself that is the present, rounded up so that all clicks count.
    ends[issue.id] += -ends[issue.id] % QUARTER_HOUR_SECONDS
    return ends


def _judge_issue(
    issue: IssueSummary,
    earlier: Sequence[IssueSummary],
    counts: Mapping[int, CountsUntil],
    *,
    age: int,
    remaining_share: float | None,
) -> Outlook:
    knows_visitors = all(each.visitors is not None for each in (issue, *earlier))
    at_age = {issue_id: (row.visitors if knows_visitors else row.clicks) for issue_id, row in counts.items()}
    count = round(at_age.get(issue.id, 0))
    rates = [at_age.get(each.id, 0) / each.recipients for each in earlier if each.recipients and knows_visitors]
    return Outlook(
        counted="visitors" if knows_visitors else "clicks",
        hours=age / HOUR_SECONDS,
        count=count,
        rate=click_rate(count, issue.recipients) if knows_visitors else None,
        usual_count=usual_range([at_age.get(each.id, 0) for each in earlier]),
        usual_rate=usual_range(rates),
        forecast=None if remaining_share is None else forecast_count(count, 1 - remaining_share),
    )


def _is_comparable(issue: IssueSummary, *, sent_before: int) -> bool:
    return not issue.is_hidden and issue.sent_at is not None and issue.sent_at < sent_before and issue.clicks > 0
