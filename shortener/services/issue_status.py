"""Archiving of issues that were sent, and removing of drafts (issues that were not sent)."""

from shortener.errors import InputError
from shortener.messages import Message
from shortener.store import Store, issues, links
from shortener.store.issues import Article, Issue


def archive_issue(
    store: Store,
    slug: str,
    *,
    now: int,
    undo: bool = False,  # whether to show the issue again
) -> None:
    """Hide a sent issue from lists and comparisons. Its links still redirect. Raises NotFound, InputError."""
    with store.transaction():
        issue = issues.get(store, slug)
        if not undo and issues.status(issue, now=now) not in ("sent", "archived"):
            raise InputError(
                Message("{slug}: only an issue that was sent can be archived", slug=slug), kind="issue_not_sent"
            )
        issues.update(store, issue.id, now=now, archived_at=None if undo else issue.archived_at or now)


def remove_issue(store: Store, slug: str, *, who: str, now: int) -> None:
    """Remove a draft and retire its links. Raises NotFound, InputError.

    The draft can be restored for ``issues.REMOVED_DAYS`` days.
    """
    with store.transaction():
        issue = issues.get(store, slug)
        status = issues.status(issue, now=now)
        if status == "removed":
            return
        if status != "draft":
            raise InputError(
                Message("{slug}: only a draft can be removed; this issue is {status}", slug=slug, status=status),
                kind="issue_not_draft",
            )
        issues.update(store, issue.id, now=now, removed_at=now)
        _set_link_status(store, issue, old="active", new="retired", who=who, now=now)


def restore_issue(store: Store, slug: str, *, who: str, now: int) -> None:
    """Restore a removed draft, and activate the links that were retired with it. Raises NotFound, InputError."""
    with store.transaction():
        issue = issues.get(store, slug)
        if issue.removed_at is None:
            raise InputError(Message("{slug}: this issue was not removed", slug=slug))
        issues.update(store, issue.id, now=now, removed_at=None)
        _set_link_status(store, issue, old="retired", new="active", who=who, now=now)


def stored_targets(store: Store, slug: str) -> list[Article]:
    """Return all stored link targets of an issue, articles and others. Raises NotFound."""
    return issues.list_articles(store, issues.get(store, slug).id)


def _set_link_status(store: Store, issue: Issue, *, old: str, new: str, who: str, now: int) -> None:
    for link in links.list_by_issue(store, issue.id):
        if link.issue_id != issue.id or link.status != old:
            continue
        # Another issue contains this link as well.
        if issues.used_placement_numbers(store, link.id, except_issue_id=issue.id):
            continue
        # A link that was retired before the issue was removed stays retired.
        retired_by_removal = issue.removed_at is None or _was_last_retired_at(store, link.id, issue.removed_at)
        if retired_by_removal:
            links.update_field(store, link, "status", new, who=who, now=now)


def _was_last_retired_at(store: Store, link_id: int, at: int) -> bool:
    edits = links.list_edits(store, link_id)
    last = next((edit for edit in reversed(edits) if edit["field"] == "status"), None)
    return last is not None and last["new"] == "retired" and last["at"] == at
