"""Summary of the site: all issues and the most clicked links, over all time or between two times."""

import itertools
from bisect import bisect_right
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from shortener.errors import InputError
from shortener.messages import message_text
from shortener.reporting.local_time import day_start
from shortener.reporting.summary import Summary, build_summary, widen_to_quarter_hours

NOW = 1_800_000_000
HOUR = 3600


def summary_of(newsletter: Any, **bounds: Any) -> Summary:
    """Return the summary of the newsletter within ``since`` and ``until``."""
    return build_summary(newsletter.store, as_of=NOW, domains=newsletter.config.domains, **bounds)


def sent(newsletter: Any) -> int:
    """Return the sending time of the only issue."""
    return int(newsletter.store.value("select sent_at from issues"))


def test_totals_include_links_of_no_issue(read: Any) -> None:
    """Links of no issue count for the site; a person who clicked two links is one visitor."""
    report = summary_of(read)
    assert (report.totals.clicks.human, report.totals.clicks.automated, report.totals.visitors) == (7, 4, 4)
    (may,) = report.issues
    assert (may.slug, may.clicks, may.visitors, may.rate, may.other) == ("may", 6, 3, 3 / 200, 4)


def test_links_are_sorted_by_clicks(read: Any) -> None:
    """The most clicked link comes first; each has its title."""
    assert [(link.short_url, link.title, link.clicks) for link in summary_of(read).links] == [
        ("https://go.example/one", "About one", 4),
        ("https://go.example/two", "About two", 1),
        ("https://go.example/foot", "About foot", 1),
        ("http://b.example/Lone", "", 1),
    ]


def test_bounds_are_widened_to_quarter_hours(read: Any) -> None:
    """Rollups are by quarter-hour: ``since`` is rounded down, ``until`` up; the report has the rounded bounds."""
    start = sent(read)
    report = summary_of(read, since=start + 10, until=start + HOUR - 10)
    assert report.since is not None
    assert report.until is not None
    assert (report.since.timestamp(), report.until.timestamp()) == (start, start + HOUR)
    assert report.totals.clicks.human == 7


def test_clicks_outside_the_bounds_do_not_count(read: Any) -> None:
    """On a day without clicks all counts are zero, and no issue is listed."""
    report = summary_of(read, since=sent(read) + 24 * HOUR)
    assert (report.totals.clicks.total, report.totals.visitors) == (0, 0)
    assert (report.issues, report.links, report.timeline) == ((), (), ())


def test_neighbouring_periods_add_up(read: Any) -> None:
    """The clicks before an hour and those from that hour on add up to all clicks."""
    middle = sent(read) + HOUR
    read.click("one", 1, visitor="eve", after=2 * HOUR)
    read.drain()
    before, after, whole = summary_of(read, until=middle), summary_of(read, since=middle), summary_of(read)
    assert after.totals.clicks.human == 1
    assert before.totals.clicks.human + after.totals.clicks.human == whole.totals.clicks.human
    assert sum(day.human for day in whole.timeline) == whole.totals.clicks.human


DAY_ZONES = {
    "half an hour": "Asia/Kolkata",
    "three quarters": "Asia/Kathmandu",
    "hours": "Europe/Berlin",
    "utc": "UTC",
}


@pytest.mark.parametrize("name", DAY_ZONES.values(), ids=DAY_ZONES)
def test_days_of_the_zone_are_exact(newsletter: Any, name: str) -> None:
    """Every click and miss counts in exactly one day of the site's zone; the timeline has the same days."""
    zone = ZoneInfo(name)
    first = datetime.fromtimestamp(sent(newsletter), zone).date()
    starts = [day_start(first + timedelta(days=number), zone) for number in range(4)]
    expected = [0, 0, 0]
    for quarter in range(0, 2 * 96, 3):
        after = starts[0] - sent(newsletter) + quarter * 900 + 450
        for options in ({"code": "one", "n": 1, "visitor": f"v{quarter}"}, {"code": "tpyo", "status": 404}):
            # Further clicks of a batch are written a minute later each.
            newsletter.click(**options, after=after - 60 * len(newsletter.waiting))
        expected[bisect_right(starts, sent(newsletter) + after) - 1] += 1
    newsletter.drain()
    days = [summary_of(newsletter, since=since, until=until, zone=zone) for since, until in itertools.pairwise(starts)]
    assert [day.totals.clicks.human for day in days] == expected
    assert [sum(miss.requests for miss in day.misses) for day in days] == expected
    whole = summary_of(newsletter, zone=zone)
    assert whole.timezone == name
    assert [(day.day.timestamp(), day.human) for day in whole.timeline] == [
        (start, clicks) for start, clicks in zip(starts, expected, strict=False) if clicks
    ]
    part = summary_of(newsletter, since=starts[0] + HOUR, until=starts[1] + HOUR, zone=zone)
    assert [day.day.timestamp() for day in part.timeline] == starts[:2]


def test_an_empty_store_has_an_empty_summary(newsletter: Any) -> None:
    """Without clicks the summary has zeros, the issues, and no links."""
    report = summary_of(newsletter)
    assert (report.totals.clicks.total, report.links, report.misses) == (0, (), ())
    assert [(issue.slug, issue.clicks) for issue in report.issues] == [("may", 0)]


def test_misses_are_listed(newsletter: Any) -> None:
    """An unknown code that was requested is listed with its number of requests."""
    for _ in range(3):
        newsletter.click("tpyo", status=404)
    newsletter.drain()
    misses = summary_of(newsletter).misses
    assert [(miss.domain, miss.code, miss.status, miss.requests) for miss in misses] == [("go.example", "tpyo", 404, 3)]


RANGES = {"swapped": (2 * HOUR, HOUR), "equal": (HOUR, HOUR)}


@pytest.mark.parametrize(("since", "until"), RANGES.values(), ids=RANGES)
def test_since_must_be_before_until(since: int, until: int) -> None:
    """If ``since`` is not before ``until``, the error names both times."""
    with pytest.raises(InputError, match="1970-01-01T0"):
        widen_to_quarter_hours(since, until)


def test_json_has_the_keys_of_the_contract(read: Any) -> None:
    """The keys of the contract come first."""
    report = msgspec.to_builtins(summary_of(read), enc_hook=message_text)
    assert list(report)[:4] == ["as_of", "totals", "issues", "links"]
    assert list(report["issues"][0])[:7] == [
        *("slug", "title", "sent_at", "recipients", "clicks", "visitors", "rate"),
    ]
