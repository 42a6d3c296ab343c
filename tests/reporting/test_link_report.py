"""Report of a link: totals over all its issues, placements, hours and edits."""

from typing import Any

import pytest

from shortener.errors import NotFound
from shortener.reporting.link_report import build_link_report, link_status
from shortener.store import issues, links

NOW = 1_800_000_000


def test_a_link_of_an_issue(read: Any) -> None:
    """The report has the counts of the link in total and by placement."""
    report = build_link_report(read.store, "go.example", "one", as_of=NOW, domains=read.config.domains)
    assert (report.short_url, report.target) == ("https://go.example/one", "https://a.example/one")
    assert (report.totals.clicks.human, report.totals.clicks.automated, report.totals.visitors) == (4, 4, 2)
    assert (report.issue, report.article, report.position) == ("may", "https://a.example/one", 1)
    assert [(p.n, p.kind, p.issue, p.clicks) for p in report.placements] == [
        (1, "image", "may", 1),
        (2, "title", "may", 3),
    ]
    assert report.unplaced == 0
    assert sum(hour.human for hour in report.timeline) == 4


def test_a_link_of_no_issue(read: Any) -> None:
    """A link of no issue has totals too; its short URL has the scheme of its domain."""
    report = build_link_report(read.store, "b.example", "Lone", as_of=NOW, domains=read.config.domains)
    assert (report.short_url, report.issue, report.totals.clicks.human, report.unplaced) == (
        "http://b.example/Lone",
        None,
        1,
        1,
    )


def test_a_link_in_two_issues_is_counted_over_both(newsletter: Any) -> None:
    """A link that is placed again in a later issue keeps its earlier clicks."""
    store = newsletter.store
    newsletter.click("one", 1)
    newsletter.drain()
    newsletter.add_issue("june", {}, recipients=None, sent_at=None, places={})
    with store.transaction():
        june = issues.get(store, "june")
        article = issues.add_article(store, june.id, url="https://a.example/one")
        link = links.get(store, "go.example", "one")
        issues.replace_placements(store, june.id, [issues.Placement(link.id, 7, article, "title", "")])
    newsletter.click("one", 7, after=90_000)
    newsletter.drain()
    report = build_link_report(store, "go.example", "one", as_of=NOW)
    assert report.totals.clicks.human == 2
    assert [(p.issue, p.n, p.clicks) for p in report.placements] == [
        ("may", 1, 1),
        ("may", 2, 0),
        ("june", 7, 1),
    ]
    assert sum(hour.human for hour in report.timeline) == 2


def test_edits_are_shown_with_readable_times(newsletter: Any) -> None:
    """Each edit has the field, the editor, the old and the new value; an expiry is an ISO 8601 time."""
    store = newsletter.store
    link = links.get(store, "go.example", "one")
    links.update_field(store, link, "target", "https://a.example/new", who="ada", now=NOW)
    links.update_field(store, link, "expires_at", NOW + 60, who="ada", now=NOW)
    report = build_link_report(store, "go.example", "one", as_of=NOW)
    assert [(e.who, e.field, e.old, e.new) for e in report.edits] == [
        ("ada", "target", "https://a.example/one", "https://a.example/new"),
        ("ada", "expires_at", None, "2027-01-15T08:01:00Z"),
    ]


STATUSES = {
    "active": ("active", None, "https://a.example/", "active"),
    "not yet expired": ("active", NOW + 1, "https://a.example/", "active"),
    "expired": ("active", NOW, "https://a.example/", "expired"),
    "retired": ("retired", None, "https://a.example/", "retired"),
    "retired and expired": ("retired", NOW - 1, "https://a.example/", "retired"),
    "without a target": ("active", None, None, "todo"),
}


@pytest.mark.parametrize(("status", "expires_at", "target", "name"), STATUSES.values(), ids=STATUSES)
def test_the_status_says_why_a_link_does_not_redirect(
    status: str, expires_at: int | None, target: str | None, name: str
) -> None:
    """The status is retired, expired, or todo for a link without a target."""
    assert link_status(status, expires_at=expires_at, target=target, now=NOW) == name


def test_an_unknown_link_is_named(newsletter: Any) -> None:
    """The error names the domain and the code."""
    with pytest.raises(NotFound, match=r"go\.example/none"):
        build_link_report(newsletter.store, "go.example", "none", as_of=NOW)
