"""Storing of the changes that were planned for an issue."""

from shortener.config import Config
from shortener.reporting.counts import to_datetime_or_none
from shortener.services.edit import retarget
from shortener.services.issue_plan import IssuePlan, PlannedArticle, PlannedLink
from shortener.services.plan_issue import EDITOR_NAME
from shortener.store import Store, issues, links
from shortener.store.issues import Placement
from shortener.store.nearby_clicks import queue_reclassification
from shortener.store.webhooks import record_event


def apply_plan(store: Store, plan: IssuePlan, *, config: Config, now: int) -> int:
    """Store the planned changes of an issue; return the issue's id.

    Call it in the transaction in which the plan was made. Raises Conflict.
    """
    with store.transaction():
        # Articles and decisions are moved to the new target before the articles are saved.
        for link in plan.links:
            if link.retargeted:
                stored = links.get(store, *link.key)
                assert link.target is not None  # noqa: S101 - a link is retargeted to a target
                retarget(store, stored, link.target, config=config, who=EDITOR_NAME, now=now)
        issue_id = _save_issue(store, plan, now=now)
        article_ids = [_save_article(store, issue_id, article) for article in plan.articles]
        link_ids = [_save_link(store, issue_id, link, article_ids, now=now) for link in plan.links]
        issues.replace_placements(
            store,
            issue_id,
            [
                Placement(
                    link_id=link_ids[placement.link],
                    n=placement.n,
                    article_id=article_ids[placement.article],
                    kind=placement.kind,
                    text=placement.text,
                    part=placement.part,
                )
                for placement in plan.placements
            ],
        )
        if plan.honeypot is not None and plan.honeypot.link_id is None:
            links.add(
                store,
                *plan.honeypot.key,
                target=plan.honeypot.target,
                title=plan.honeypot.title,
                issue_id=issue_id,
                honeypot=True,
                now=now,
            )
        if plan.issue_id is None:
            issue = issues.get(store, plan.slug)
            event = {"slug": issue.slug, "title": issue.title, "links": len(link_ids)}
            event["articles"] = sum(article.position is not None for article in plan.articles)
            event |= {"sent_at": to_datetime_or_none(issue.sent_at), "recipients": issue.recipients}
            record_event(store, "issue.added", event, now=now)
        if plan.changes_sending_time:
            queue_reclassification(store, issue_id)
        return issue_id


def _save_issue(store: Store, plan: IssuePlan, *, now: int) -> int:
    fields = dict(plan.fields)
    if plan.issue_id is not None:
        if fields:
            issues.update(store, plan.issue_id, now=now, **fields)
        return plan.issue_id
    output = fields.pop("output")
    issue_id = issues.add(store, plan.slug, now=now, **fields)
    issues.update(store, issue_id, now=now, output=output)
    return issue_id


def _save_article(store: Store, issue_id: int, article: PlannedArticle) -> int:
    fields = {
        "url": article.url,
        "position": article.position,
        "role": article.role,
        "title": article.title,
        "author": article.author,
        "summary": article.summary,
        "section": article.section,
        "image": article.image,
        "corrected_fields": article.corrected_fields,
    }
    if article.article_id is None:
        return issues.add_article(store, issue_id, **fields)
    issues.update_article(store, article.article_id, **fields)
    return article.article_id


def _save_link(store: Store, issue_id: int, link: PlannedLink, article_ids: list[int], *, now: int) -> int:
    link_id = link.link_id
    if link_id is None:
        # Raises Conflict if another process has taken the code since it was planned.
        link_id = links.add(store, *link.key, target=link.target, title=link.title, now=now)
    if link.article is not None:
        article_id = article_ids[link.article]
        links.assign_owner(store, link_id, issue_id=issue_id, article_id=article_id, now=now)
    return link_id
