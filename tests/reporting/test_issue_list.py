"""List of issues, checks before sending, and cumulative clicks of several issues."""

from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from shortener.reporting.checklist import build_checklist
from shortener.reporting.counts import to_datetime
from shortener.reporting.issue_contents import (
    ArticleContents,
    ArticleLinkContents,
    IssueContents,
    LinkContents,
)
from shortener.reporting.issue_list import COMPARISON_HOURS, build_issue_list, compare_cumulative_clicks
from shortener.store import issues

if TYPE_CHECKING:
    from tests.conftest import Newsletter

SENT = 1_714_550_400
HOUR = 3_600


def test_an_issue_has_a_sparkline(newsletter: "Newsletter") -> None:
    """The sparkline has the clicks by three hours from sending until now, for the first 72 hours only."""
    for hours, visitor in ((0.5, "ann"), (1.5, "bob"), (4.5, "cat"), (100, "dan")):
        newsletter.click("one", 1, visitor=visitor, after=hours * HOUR)
    newsletter.drain()
    (issue,) = build_issue_list(newsletter.store, remaining_shares={"may": 0.25}, now=SENT + 7 * HOUR)
    assert issue.course == (2, 1, 0)
    assert (issue.clicks, issue.visitors, issue.rate, issue.to_come) == (4, 4, 4 / 200, 0.25)
    (issue,) = build_issue_list(newsletter.store, remaining_shares={}, now=SENT + 1_000 * HOUR)
    assert (len(issue.course), sum(issue.course), issue.to_come) == (24, 3, None)


def test_an_issue_without_clicks_has_no_remaining_share(newsletter: "Newsletter") -> None:
    """The remaining share is None as long as nothing was clicked, even if an estimate exists."""
    (issue,) = build_issue_list(newsletter.store, remaining_shares={"may": 0.5}, now=SENT)
    assert (issue.clicks, issue.to_come, issue.rate) == (0, None, 0.0)


def test_issues_are_compared_at_the_same_age(newsletter: "Newsletter") -> None:
    """Clicks are cumulated by hours since the sending of each issue; the requested issue comes first."""
    articles = {"three": [("title", 1)]}
    newsletter.add_issue("june", articles, places={"three": 1}, recipients=100, sent_at=SENT + 30 * HOUR)
    for hours in (0.2, 5.2, 5.4):
        newsletter.click("one", 1, visitor=f"v{hours}", after=hours * HOUR)
    newsletter.click("three", 1, visitor="w", after=32.5 * HOUR)
    newsletter.drain()
    june, may = compare_cumulative_clicks(newsletter.store, "june", now=SENT + 40 * HOUR)
    assert (june.own, may.own) == (True, False)
    assert [june.clicks_at(age) for age in (0, 1, 2, 3, 10, 11)] == [0, 0, 0, 1, 1, None]
    assert [may.clicks_at(age) for age in (0, 0.25, 5, 5.25, 6, 24)] == [0, 1, 1, 2, 3, 3]
    assert (june.points[-1].hours, may.points[-1].hours) == (10, 40)
    late = compare_cumulative_clicks(newsletter.store, "may", now=SENT + 10**8)[0]
    assert late.points[-1].hours == COMPARISON_HOURS
    assert compare_cumulative_clicks(newsletter.store, "none", now=SENT) == ()


def test_a_curve_begins_at_the_sending(newsletter: "Newsletter") -> None:
    """An issue sent within a quarter-hour has its clicks spread over the rest of it; the last point is now."""
    with newsletter.store.transaction():
        issue = issues.get(newsletter.store, "may")
        issues.update(newsletter.store, issue.id, now=1, sent_at=SENT + 30 * 60 + 300)
    minutes = [0, *[36] * 10, *[47] * 20]
    for n, minute in enumerate(minutes):
        newsletter.click("one", 1, visitor=f"v{n}", after=60 * (minute - n))
    newsletter.drain()
    (curve,) = compare_cumulative_clicks(newsletter.store, "may", now=SENT + 50 * 60)
    assert [(point.hours, point.clicks) for point in curve.points] == [(0.0, 1), (0.25, 31)]
    (curve,) = compare_cumulative_clicks(newsletter.store, "may", now=SENT + 10 * HOUR)
    assert [(point.hours, point.clicks) for point in curve.points[:3]] == [(0.0, 1), (0.25, 18), (0.5, 31)]
    assert curve.points[-1].clicks == 31


def issue_of(
    *links: LinkContents,
    articles: tuple[ArticleContents, ...] = (),
    todo: tuple[str, ...] = (),
    recipients: int | None = None,
    sent_at: datetime | None = None,
) -> IssueContents:
    """Return an issue with these links and articles."""
    return IssueContents("may", "May", sent_at, recipients, articles, links, todo, "markdown", "go.example")


def link_to(target: str | None) -> LinkContents:
    """Return a short link with this target."""
    return LinkContents("https://go.example/a", target, None, ())


def article(title: str, *links: str) -> ArticleContents:
    """Return an article at position 1 with these short links."""
    contents = tuple(ArticleLinkContents(url, ()) for url in links)
    return ArticleContents(1, "https://a.example/x", title, "", "", "", contents, "")


CHECKS: dict[str, tuple[IssueContents, str, str]] = {
    "target missing": (issue_of(link_to(None), todo=("https://go.example/a",)), "targets", "bad"),
    "targets set": (issue_of(link_to("https://a.example/")), "targets", "good"),
    "no articles": (issue_of(), "articles", "bad"),
    "title missing": (issue_of(articles=(article("", "x"),)), "titles", "warn"),
    "titles set": (issue_of(articles=(article("T", "x"),)), "titles", "good"),
    "two codes": (issue_of(articles=(article("T", "x", "y"),)), "codes", "warn"),
    "third-party short link": (issue_of(link_to("https://bit.ly/abc")), "foreign", "warn"),
    "third-party with www": (issue_of(link_to("https://www.tinyurl.com/abc")), "foreign", "warn"),
    "plain http": (issue_of(link_to("http://a.example/")), "plain", "warn"),
    "no recipients": (issue_of(), "recipients", "warn"),
    "not sent": (issue_of(), "sent", "warn"),
}


@pytest.mark.parametrize(("contents", "name", "level"), CHECKS.values(), ids=CHECKS.keys())
def test_each_check_finds_its_problem(contents: IssueContents, name: str, level: str) -> None:
    """Each check has the expected level, and lists the places to fix."""
    checks = {check.name: check for check in build_checklist(contents)}
    assert checks[name].level == level
    assert bool(checks[name].items) == (level != "good" and name not in {"articles", "recipients", "sent"})


def test_an_issue_without_problems_passes_all_checks() -> None:
    """Every check of a complete issue is good."""
    contents = issue_of(
        link_to("https://a.example/"),
        articles=(article("T", "x"),),
        recipients=5,
        sent_at=to_datetime(SENT),
    )
    assert {check.level for check in build_checklist(contents)} == {"good"}
