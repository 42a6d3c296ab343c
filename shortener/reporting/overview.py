"""The overview page: the last issue compared with earlier ones, click rates of the latest issues, and open tasks."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from msgspec import Struct

from shortener.config import Config
from shortener.reporting.forecast import Usual, usual_range
from shortener.reporting.issue_list import IssueListItem
from shortener.reporting.issue_names import name_issues
from shortener.reporting.outlook import Outlook
from shortener.store import Store, draft_links, listings
from shortener.store.listings import LinkFilter

CHARTED_ISSUES = 12
"""How many of the latest sent issues the overview compares."""
SETTLED_DAYS = 7
"""Age from which the count of an issue counts as final: 98 % of its clicks have arrived."""
RECENT_DAYS = 366
"""Age up to which an issue's missing number of recipients is worth entering."""

TaskKind = Literal["draft", "no-target", "no-recipients", "picks"]


class Task(Struct, frozen=True):
    """Something that an editor has to do."""

    kind: TaskKind
    issue: str = ""
    """Slug."""
    title: str = ""
    count: int = 0
    """Number of links."""
    month: str = ""
    """Such as 2026-11."""


class RecentIssue(Struct, frozen=True):
    """A sent issue on the overview."""

    slug: str
    title: str
    sent_at: datetime
    recipients: int | None
    visitors: int | None
    clicks: int
    rate: float | None
    outlook: Outlook | None
    """Comparison with earlier issues; None if there are too few."""


class Overview(Struct, frozen=True):
    """Content of the overview page: up to 12 sent issues, the latest first, and open tasks."""

    issues: tuple[RecentIssue, ...]
    usual_rate: Usual | None
    """Usual range of the click rates of issues sent at least ``SETTLED_DAYS`` days ago; None for fewer than four."""
    tasks: tuple[Task, ...]


def latest_sent(issues: Sequence[IssueListItem]) -> list[IssueListItem]:
    """Return the sent issues that the overview shows, the latest first."""
    return [issue for issue in issues if issue.status == "sent"][:CHARTED_ISSUES]


def build_overview(
    store: Store,
    issues: Sequence[IssueListItem],
    *,
    outlooks: Mapping[str, Outlook],  # comparisons with earlier issues, by slug
    config: Config,
    now: int,
) -> Overview:
    """Return the content of the overview page at ``now`` (seconds of the UTC epoch)."""
    compared = tuple(
        RecentIssue(
            slug=issue.slug,
            title=issue.title,
            sent_at=issue.sent_at,
            recipients=issue.recipients,
            visitors=issue.visitors if issue.clicks else None,
            clicks=issue.clicks,
            rate=issue.rate if issue.clicks else None,
            outlook=outlooks.get(issue.slug),
        )
        for issue in latest_sent(issues)
        if issue.sent_at is not None
    )
    settled = datetime.fromtimestamp(now, UTC) - timedelta(days=SETTLED_DAYS)
    rates = [issue.rate for issue in compared if issue.rate is not None and issue.sent_at <= settled]
    return Overview(compared, usual_range(rates), tuple(_open_tasks(store, issues, config=config, now=now)))


def _open_tasks(store: Store, issues: Sequence[IssueListItem], *, config: Config, now: int) -> list[Task]:
    names = name_issues(issues)
    tasks = [Task("draft", issue=issue.slug, title=names[issue.slug]) for issue in issues if issue.status == "draft"]
    without_target = listings.count_links(store, LinkFilter(status="todo"), now=now)
    if without_target:
        tasks.append(Task("no-target", count=without_target))
    recent = datetime.fromtimestamp(now, UTC) - timedelta(days=RECENT_DAYS)
    tasks += [
        Task("no-recipients", issue=issue.slug, title=names[issue.slug])
        for issue in issues
        if issue.status == "sent" and issue.recipients is None and issue.sent_at and issue.sent_at > recent
    ]
    month = _month_to_pick_if_clicked(issues, zone=config.zone, now=now)
    if month and not draft_links.links_by_article(store, month):
        tasks.append(Task("picks", month=month))
    return tasks


def month_to_pick(
    latest: datetime,  # when the latest issue was sent
    *,
    zone: ZoneInfo,
    now: int,  # seconds of the UTC epoch
) -> str:
    """Return the month whose articles can be recommended now, such as 2026-11; '' if there is none."""
    # Articles are recommended in their month or the next one.
    last_month = datetime.fromtimestamp(now, UTC).astimezone(zone).replace(day=1) - timedelta(days=1)
    month = _month(latest, zone)
    return month if month >= last_month.strftime("%Y-%m") else ""


def _month_to_pick_if_clicked(issues: Sequence[IssueListItem], *, zone: ZoneInfo, now: int) -> str:
    sent = [(issue.sent_at, issue.clicks) for issue in issues if issue.status == "sent" and issue.sent_at]
    if not sent:
        return ""
    month = month_to_pick(max(time for time, _ in sent), zone=zone, now=now)
    return month if any(clicks and _month(time, zone) == month for time, clicks in sent) else ""


def _month(time: datetime, zone: ZoneInfo) -> str:
    return time.astimezone(zone).strftime("%Y-%m")
