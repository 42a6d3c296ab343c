"""Webhook events found by regular checks of the store: counted clicks, bursts of automated requests, milestones."""

from typing import Any

import msgspec

from shortener.config import Config
from shortener.durations import DAY_SECONDS, HOUR_SECONDS, QUARTER_HOUR_SECONDS
from shortener.reporting.counts import to_datetime
from shortener.reporting.issue_report import build_issue_report
from shortener.reporting.watermark import find_watermark
from shortener.short_urls import build_short_url
from shortener.store import Store, issues, webhooks
from shortener.store.issues import Issue
from shortener.store.webhooks import IssueRequests

COUNT_INTERVAL_SECONDS = 60
MAX_LIST_BYTES = 16_000
"""Size of a list in an event as JSON. A whole message has at most 20 kB."""
MILESTONE_HOURS = (1, 24, 72, 168)
MILESTONE_GRACE_SECONDS = DAY_SECONDS
"""Time after which a milestone that could not be recorded is left out."""
BURST_WINDOW_SECONDS = 2 * QUARTER_HOUR_SECONDS
MIN_BURST_REQUESTS = 200
MIN_BURST_SHARE = 0.5
"""Number of requests of one verdict in the window, and their share in all requests of the issue, that make a burst."""
BURST_INTERVAL_SECONDS = DAY_SECONDS
"""Time until the next event of a burst of the same verdict on the same issue."""
COUNTED_SEQ, COUNTED_AT = "webhook_counted_seq", "webhook_counted_at"


def record_due_events(store: Store, *, config: Config, now: int) -> None:
    """Record the webhook events that are due at ``now`` (seconds of the UTC epoch)."""
    record_counted_clicks(store, config=config, now=now)
    if webhooks.is_subscribed(store, "traffic.machine_burst"):
        record_bursts(store, now=now)
    if webhooks.is_subscribed(store, "issue.milestone"):
        record_milestones(store, config=config, now=now)


def record_counted_clicks(store: Store, *, config: Config, now: int) -> None:
    """Record a webhook event with the number of clicks classified since the last such event, at most once a minute."""
    last_seq, last_at, seq = store.meta(COUNTED_SEQ), store.meta(COUNTED_AT), store.meta("classified_seq")
    if not webhooks.is_subscribed(store, "clicks.counted"):
        if last_at:
            with store.transaction():
                store.delete_meta(COUNTED_AT)
        return
    if last_at and (now - last_at < COUNT_INTERVAL_SECONDS or seq == last_seq):
        return
    with store.transaction():
        store.set_meta(COUNTED_SEQ, seq)
        store.set_meta(COUNTED_AT, now)
        # Each click is counted once: later changes of its verdict, and clicks before the first subscription, are left
        # out.
        rows = webhooks.new_clicks(store, after_seq=last_seq, until_seq=seq) if last_at else []
        if rows:
            links: list[dict[str, Any]] = [
                {
                    "short_url": build_short_url(row.domain, row.code, domains=config.domains),
                    "issue": row.issue,
                    "clicks": row.clicks,
                    "automated": row.automated,
                }
                for row in rows
            ]
            event = {
                "since": to_datetime(last_at),
                "clicks": sum(row.clicks for row in rows),
                "automated": sum(row.automated for row in rows),
                **_limit_list("links", links),
            }
            webhooks.record_event(store, "clicks.counted", event, now=now)


def record_bursts(store: Store, *, now: int) -> None:
    """Record a webhook event for each burst of automated requests: at most one a day for each issue and verdict."""
    since = now - now % QUARTER_HOUR_SECONDS - BURST_WINDOW_SECONDS + QUARTER_HOUR_SECONDS
    for requests in webhooks.issue_requests(store, since=since):
        for verdict in ("bot", "scanner", "preview", "prefetch"):
            _record_burst(store, requests, verdict, since=since, now=now)


def _record_burst(store: Store, requests: IssueRequests, verdict: str, *, since: int, now: int) -> None:
    total = requests.human + requests.bot + requests.scanner + requests.preview + requests.prefetch
    count: int = getattr(requests, verdict)
    key = f"webhook_burst:{requests.issue_id}:{verdict}"
    if count < MIN_BURST_REQUESTS or count < MIN_BURST_SHARE * total or now - store.meta(key) < BURST_INTERVAL_SECONDS:
        return
    event = {
        "slug": requests.slug,
        "verdict": verdict,
        "requests": count,
        "share": round(count / total, 3),
        "since": to_datetime(since),
    }
    with store.transaction():
        store.set_meta(key, now)
        webhooks.record_event(store, "traffic.machine_burst", event, now=now)


def record_milestones(store: Store, *, config: Config, now: int) -> None:
    """Record a webhook event for each issue that has reached a milestone: a number of hours since it was sent."""
    oldest = now - MILESTONE_HOURS[-1] * HOUR_SECONDS - MILESTONE_GRACE_SECONDS
    due = [
        (issue, age)
        for issue in issues.list_sent_between(store, oldest, now)
        if (age := _reached_milestone_hours(issue, now=now)) and age > store.meta(_milestone_key(issue))
    ]
    # All clicks before the milestone have to be classified.
    watermark = find_watermark(store, config=config, now=now) if due else 0
    for issue, age in due:
        if issue.sent_at is not None and issue.sent_at + age * HOUR_SECONDS <= watermark:
            event = _milestone(store, issue, age, config=config, now=now)
            with store.transaction():
                store.set_meta(_milestone_key(issue), age)
                webhooks.record_event(store, "issue.milestone", event, now=now)


def _milestone_key(issue: Issue) -> str:
    return f"webhook_milestone:{issue.id}"


def _reached_milestone_hours(issue: Issue, *, now: int) -> int:
    seconds = now - (issue.sent_at or now)
    passed = (age for age in MILESTONE_HOURS if 0 <= seconds - age * HOUR_SECONDS < MILESTONE_GRACE_SECONDS)
    return max(passed, default=0)  # 0 for none


def _milestone(store: Store, issue: Issue, age: int, *, config: Config, now: int) -> dict[str, Any]:
    report = build_issue_report(store, issue.slug, as_of=now, domains=config.domains, zone=config.zone)
    names = ("position", "url", "title", "clicks", "visitors", "rate")
    articles = sorted(report.articles, key=lambda article: (-article.clicks, article.position))
    rows = [{name: getattr(article, name) for name in names} for article in articles]
    figures = {name: getattr(report, name) for name in ("as_of", "totals", "recipients", "rate")}
    return {"slug": issue.slug, "age_hours": age, "report": figures | _limit_list("articles", rows)}


def _limit_list(name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    size, kept = 0, 0
    for row in rows:
        size += len(msgspec.json.encode(row)) + 1
        if size > MAX_LIST_BYTES:
            break
        kept += 1
    return {name: rows[:kept], f"{name}_left_out": len(rows) - kept}
