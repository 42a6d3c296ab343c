"""Issues side by side: the lines of the list, and courses on one axis."""

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

if TYPE_CHECKING:
    from tests.conftest import Newsletter

SENT = 1_714_550_400
HOUR = 3_600


def test_an_issue_has_its_course(newsletter: "Newsletter") -> None:
    """Clicks by three hours since sending, until now; before and after what is drawn they are left out."""
    for hours, visitor in ((0.5, "ann"), (1.5, "bob"), (4.5, "cat"), (100, "dan")):
        newsletter.click("one", 1, visitor=visitor, after=hours * HOUR)
    newsletter.drain()
    (line,) = build_issue_list(newsletter.store, remaining_shares={"may": 0.25}, now=SENT + 7 * HOUR)
    assert line.course == (2, 1, 0)
    assert (line.clicks, line.visitors, line.rate, line.to_come) == (4, 4, 4 / 200, 0.25)
    (line,) = build_issue_list(newsletter.store, remaining_shares={}, now=SENT + 1_000 * HOUR)
    assert (len(line.course), sum(line.course), line.to_come) == (24, 3, None)


def test_an_issue_that_nobody_clicked_has_nothing_to_come(newsletter: "Newsletter") -> None:
    """Without a click there is no share to tell, whatever others foretell."""
    (line,) = build_issue_list(newsletter.store, remaining_shares={"may": 0.5}, now=SENT)
    assert (line.clicks, line.to_come, line.rate) == (0, None, 0.0)


def test_courses_are_compared_at_the_same_age(newsletter: "Newsletter") -> None:
    """Each course is a sum that never falls, by hours since its own sending; the asked issue comes first."""
    articles = {"three": [("title", 1)]}
    newsletter.add_issue("june", articles, places={"three": 1}, recipients=100, sent_at=SENT + 30 * HOUR)
    for hours in (0.2, 5.2, 5.4):
        newsletter.click("one", 1, visitor=f"v{hours}", after=hours * HOUR)
    newsletter.click("three", 1, visitor="w", after=32.5 * HOUR)
    newsletter.drain()
    june, may = compare_cumulative_clicks(newsletter.store, "june", now=SENT + 40 * HOUR)
    assert (june.own, may.own) == (True, False)
    assert [(point.hours, point.clicks) for point in june.points] == [(0, 0), (3, 1), (10, 1)]
    assert [(point.hours, point.clicks) for point in may.points] == [(0, 0), (1, 1), (6, 3), (40, 3)]
    assert (
        max(
            point.hours
            for point in compare_cumulative_clicks(newsletter.store, "may", now=SENT + 10**8)[0].points
        )
        == COMPARISON_HOURS
    )
    assert compare_cumulative_clicks(newsletter.store, "none", now=SENT) == ()


def issue(
    *links: LinkContents,
    articles: tuple[ArticleContents, ...] = (),
    todo: tuple[str, ...] = (),
    recipients: int | None = None,
    sent_at: datetime | None = None,
) -> IssueContents:
    """An issue of these links and articles."""
    return IssueContents("may", "May", sent_at, recipients, articles, links, todo, "markdown", "go.example")


def leading_to(target: str | None) -> LinkContents:
    """A link."""
    return LinkContents("https://go.example/a", target, None, ())


def article(title: str, *links: str) -> ArticleContents:
    """An article at the first place."""
    shown = tuple(ArticleLinkContents(url, ()) for url in links)
    return ArticleContents(1, "https://a.example/x", title, "", "", "", shown, "")


CHECKS: dict[str, tuple[IssueContents, str, str]] = {
    "target missing": (issue(leading_to(None), todo=("https://go.example/a",)), "targets", "bad"),
    "targets there": (issue(leading_to("https://a.example/")), "targets", "good"),
    "no articles": (issue(), "articles", "bad"),
    "title missing": (issue(articles=(article("", "x"),)), "titles", "warn"),
    "titles there": (issue(articles=(article("T", "x"),)), "titles", "good"),
    "two codes": (issue(articles=(article("T", "x", "y"),)), "codes", "warn"),
    "foreign short link": (issue(leading_to("https://bit.ly/abc")), "foreign", "warn"),
    "foreign with www": (issue(leading_to("https://www.tinyurl.com/abc")), "foreign", "warn"),
    "plain http": (issue(leading_to("http://a.example/")), "plain", "warn"),
    "no recipients": (issue(), "recipients", "warn"),
    "not sent": (issue(), "sent", "warn"),
}


@pytest.mark.parametrize(("shown", "name", "level"), CHECKS.values(), ids=CHECKS.keys())
def test_what_should_be_looked_at_is_said(shown: IssueContents, name: str, level: str) -> None:
    """Each check finds what it is for, with the places where it is."""
    found = {check.name: check for check in build_checklist(shown)}
    assert found[name].level == level
    assert bool(found[name].items) == (level != "good" and name not in {"articles", "recipients", "sent"})


def test_a_good_issue_has_nothing_to_mend() -> None:
    """Where all is well, no check says otherwise."""
    shown = issue(
        leading_to("https://a.example/"),
        articles=(article("T", "x"),),
        recipients=5,
        sent_at=to_datetime(SENT),
    )
    assert {check.level for check in build_checklist(shown)} == {"good"}
