"""Tests of the overview: the issues that it compares, their usual click rate, and the tasks of the editors."""

from typing import TYPE_CHECKING

from shortener.config import Config, Domain, Site
from shortener.durations import DAY_SECONDS, HOUR_SECONDS
from shortener.reporting.issue_list import build_issue_list
from shortener.reporting.overview import CHARTED_ISSUES, Overview, Task, build_overview
from shortener.store import draft_links, issues, links

if TYPE_CHECKING:
    from tests.conftest import Newsletter

SENT = 1_714_550_400
"""1 May 2024, 08:00 UTC."""
CONFIG = Config(site=Site(timezone="Europe/Berlin"), domain=(Domain(host="mktg.best"),))


def overview(newsletter: "Newsletter", *, now: int) -> Overview:
    """Return the overview at a time."""
    listed = build_issue_list(newsletter.store, remaining_shares={}, now=now)
    return build_overview(newsletter.store, listed, outlooks={}, config=CONFIG, now=now)


def add_issue(newsletter: "Newsletter", number: int, *, visitors: int, recipients: int | None = 100) -> None:
    """Add an issue that was sent some days after the first one, and clicks of its visitors."""
    sent_at = SENT + number * DAY_SECONDS
    newsletter.add_issue(
        f"n{number}", {f"n{number}": [("title", 1)]}, places={f"n{number}": 1}, recipients=recipients, sent_at=sent_at
    )
    for visitor in range(visitors):
        newsletter.click(f"n{number}", 1, visitor=f"v{visitor}", after=number * DAY_SECONDS + 600)
    newsletter.drain()


def test_latest_issues_and_their_usual_rate(newsletter: "Newsletter") -> None:
    """At most twelve sent issues are compared, the latest first; young ones do not say what is usual."""
    for number in range(14):
        add_issue(newsletter, number, visitors=1 + number % 3)
    now = SENT + 13 * DAY_SECONDS + HOUR_SECONDS
    result = overview(newsletter, now=now)
    assert [issue.slug for issue in result.issues] == [f"n{number}" for number in range(13, 13 - CHARTED_ISSUES, -1)]
    assert result.usual_rate is not None
    assert result.usual_rate.issues == 5  # 2 to 6: sent more than seven days ago, and among the last twelve
    assert result.usual_rate.median == 0.02


def test_no_usual_rate_of_few_issues(newsletter: "Newsletter") -> None:
    """Three settled issues do not show what is usual."""
    for number in range(3):
        add_issue(newsletter, number, visitors=2)
    assert overview(newsletter, now=SENT + 30 * DAY_SECONDS).usual_rate is None


def test_tasks(newsletter: "Newsletter") -> None:
    """Drafts, links without a target, missing recipients and the picks of the last month are tasks, until done."""
    store, now = newsletter.store, SENT + 40 * DAY_SECONDS
    add_issue(newsletter, 1, visitors=3, recipients=None)
    newsletter.add_issue("next", {"next": [("title", 1)]}, places={"next": 1}, recipients=None, sent_at=None)
    with store.transaction():
        links.add(store, "mktg.best", "todo1", target=None, now=now)
    tasks = overview(newsletter, now=now).tasks
    assert [task.kind for task in tasks] == ["draft", "no-target", "no-recipients", "picks"]
    assert tasks[0].issue == "next"
    assert tasks[1].count == 1
    assert (tasks[2].issue, tasks[3].month) == ("n1", "2024-05")
    with store.transaction():
        issues.update(store, issues.get(store, "n1").id, now=now, recipients=100)
        issues.update(store, issues.get(store, "next").id, now=now, sent_at=now - 60, recipients=5)
        link = links.get(store, "mktg.best", "todo1")
        draft_links.save_link(store, "2024-05", "https://x.example/n1", link.id)
    assert overview(newsletter, now=now).tasks == (Task("no-target", count=1),)


def test_picks_of_the_latest_month_are_a_task(newsletter: "Newsletter") -> None:
    """The task names the latest month with a sent and clicked issue, until the next month ends."""
    add_issue(newsletter, 1, visitors=3)
    add_issue(newsletter, 30, visitors=3)  # 31 May
    add_issue(newsletter, 50, visitors=3)  # 20 June
    for day, months in ((51, ["2024-06"]), (65, ["2024-06"]), (93, [])):
        tasks = overview(newsletter, now=SENT + day * DAY_SECONDS).tasks
        assert [task.month for task in tasks if task.kind == "picks"] == months, day
