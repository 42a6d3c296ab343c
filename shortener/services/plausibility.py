"""Check whether an issue's sending time and number of recipients fit its clicks, before they are saved."""

from shortener.durations import DAY_SECONDS
from shortener.errors import Doubtful
from shortener.messages import Message, join_messages
from shortener.store import Store, issue_clicks
from shortener.store.issues import Issue

MAX_SCHEDULED_DAYS = 31
"""Days ahead to which an issue can be scheduled without a question."""


def check_details(
    store: Store,
    issue: Issue | None,  # as stored; None for a new issue
    *,
    sent_at: int | None,  # seconds of the UTC epoch; None for unknown
    recipients: int | None,  # None for unknown
    now: int,
) -> None:
    """Raise Doubtful if an issue's new sending time or number of recipients is unlikely."""
    # Values that are stored already are not checked again.
    doubts: dict[str, str] = {}
    if sent_at is not None and (issue is None or sent_at != issue.sent_at):
        doubts["sent_at"] = _doubt_sending_time(store, issue, sent_at, now=now)
    if recipients is not None and issue is not None and recipients != issue.recipients:
        doubts["recipients"] = _doubt_recipients(store, issue, recipients)
    doubts = {field: doubt for field, doubt in doubts.items() if doubt}
    if doubts:
        raise Doubtful(join_messages(tuple(doubts.values())), field=next(iter(doubts)), kind="doubtful_value")


def _doubt_sending_time(store: Store, issue: Issue | None, sent_at: int, *, now: int) -> str:
    clicks = issue_clicks.human_clicks_before(store, issue.id, time=sent_at) if issue else None
    if clicks is not None and clicks.before:
        clicks_before = Message.plural(
            "{count} click was made before it",
            "{count} of {total} clicks were made before it",
            clicks.before,
            total=clicks.total,
        )
        if sent_at > now:
            return Message("the sending time is in the future, and it does not fit: {clicks}", clicks=clicks_before)
        return Message("the sending time does not fit: {clicks}", clicks=clicks_before)
    days = (sent_at - now) // DAY_SECONDS
    return Message("the sending time is {days} days ahead", days=days) if days > MAX_SCHEDULED_DAYS else ""


def _doubt_recipients(store: Store, issue: Issue, recipients: int) -> str:
    visitors = issue_clicks.human_clicks_before(store, issue.id, time=0).visitors
    if visitors is None or recipients >= visitors:
        return ""
    return Message.plural(
        "{count} recipient is fewer than the {visitors} visitors so far",
        "{count} recipients are fewer than the {visitors} visitors so far",
        recipients,
        visitors=visitors,
    )
