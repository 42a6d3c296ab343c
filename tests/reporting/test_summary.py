"""The summary: issues side by side, the most clicked links, between two hours or over all time."""

from typing import Any

import msgspec
import pytest

from shortener.errors import InputError
from shortener.reporting.summary import Summary, build_summary, widen_to_hours

NOW = 1_800_000_000
HOUR = 3600


def made(newsletter: Any, **bounds: int) -> Summary:
    return build_summary(newsletter.store, as_of=NOW, domains=newsletter.config.domains, **bounds)


def sent(newsletter: Any) -> int:
    return int(newsletter.store.value("select sent_at from issues"))


def test_everything_is_in_the_totals(read: Any) -> None:
    """Links outside of any issue count for the site; a person who read two things is one visitor."""
    report = made(read)
    assert (report.totals.clicks.human, report.totals.clicks.other, report.totals.visitors) == (7, 4, 4)
    (may,) = report.issues
    assert (may.slug, may.clicks, may.visitors, may.rate, may.other) == ("may", 6, 3, 3 / 200, 4)


def test_links_come_by_clicks(read: Any) -> None:
    """The most clicked first, with what they are called."""
    assert [(each.short_url, each.title, each.clicks) for each in made(read).links] == [
        ("https://go.example/one", "About one", 4),
        ("https://go.example/two", "About two", 1),
        ("https://go.example/foot", "About foot", 1),
        ("http://b.example/Lone", "", 1),
    ]


def test_bounds_are_widened_to_hours(read: Any) -> None:
    """The rollups know hours: since goes down to one, until up to one, and the report says so."""
    start = sent(read)
    report = made(read, since=start + 10, until=start + HOUR - 10)
    assert report.since is not None
    assert report.until is not None
    assert (report.since.timestamp(), report.until.timestamp()) == (start, start + HOUR)
    assert report.totals.clicks.human == 7


def test_what_lies_outside_is_not_counted(read: Any) -> None:
    """Another day, and all counts are zero; issues without a click are left out of a bounded report."""
    report = made(read, since=sent(read) + 24 * HOUR)
    assert (report.totals.clicks.total, report.totals.visitors) == (0, 0)
    assert (report.issues, report.links, report.timeline) == ((), (), ())


def test_neighbouring_periods_add_up(read: Any) -> None:
    """What comes before an hour and what comes from it on is everything, once."""
    middle = sent(read) + HOUR
    read.click("one", 1, visitor="eve", after=2 * HOUR)
    read.drain()
    before, after, whole = made(read, until=middle), made(read, since=middle), made(read)
    assert after.totals.clicks.human == 1
    assert before.totals.clicks.human + after.totals.clicks.human == whole.totals.clicks.human
    assert sum(day.human for day in whole.timeline) == whole.totals.clicks.human


def test_an_empty_store_has_an_empty_summary(newsletter: Any) -> None:
    """Nothing was clicked: zeros, the issues, and no links."""
    report = made(newsletter)
    assert (report.totals.clicks.total, report.links, report.misses) == (0, (), ())
    assert [(each.slug, each.clicks) for each in report.issues] == [("may", 0)]


def test_codes_that_led_nowhere_are_named(newsletter: Any) -> None:
    """A mistyped code in a newsletter shows itself in the summary."""
    for _ in range(3):
        newsletter.click("tpyo", status=404)
    newsletter.drain()
    assert [(miss.domain, miss.code, miss.status, miss.requests) for miss in made(newsletter).misses] == [
        ("go.example", "tpyo", 404, 3)
    ]


ORDERS = {"swapped": (2 * HOUR, HOUR), "equal": (HOUR, HOUR)}


@pytest.mark.parametrize(("since", "until"), ORDERS.values(), ids=ORDERS)
def test_since_comes_before_until(since: int, until: int) -> None:
    """Nothing can lie between: the error names both times."""
    with pytest.raises(InputError, match="1970-01-01T0"):
        widen_to_hours(since, until)


def test_json_has_the_keys_of_the_contract(read: Any) -> None:
    """Programs find the promised keys first."""
    report = msgspec.to_builtins(made(read))
    assert list(report)[:4] == ["as_of", "totals", "issues", "links"]
    assert list(report["issues"][0])[:7] == [
        *("slug", "title", "sent_at", "recipients", "clicks", "visitors", "rate"),
    ]
