"""List of issues, and checks before sending."""

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
from shortener.reporting.issue_list import build_issue_list

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
