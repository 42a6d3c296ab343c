"""Recording and undoing of changes that users make on pages.

A change can be undone until the same values change again.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import msgspec
from msgspec import Struct

from shortener.errors import Conflict
from shortener.messages import Message
from shortener.services.accounts import remove_user, set_role
from shortener.services.edit import replace_target
from shortener.services.edit_picks import FormatTemplate, MonthOrder, MonthSettings, MonthText
from shortener.services.settings import put_settings, stored_values
from shortener.store import Store, accounts, decisions, issues, links, page_changes
from shortener.store.accounts import User
from shortener.store.decisions import Decision
from shortener.store.issues import Article
from shortener.store.nearby_clicks import queue_reclassification
from shortener.store.page_changes import PageChange

MAX_LISTED_CHANGES = 10
MAX_READ_CHANGES = 100
"""Changes of a month that are read to find those of one article."""


class IssueDetails(Struct, frozen=True, tag="details"):
    """A copy of an issue's details.

    It was made before or after an edit, so that the edit can be undone.
    """

    slug: str
    title: str
    sent_at: int | None
    """Seconds of the UTC epoch."""
    recipients: int | None

    def reload(self, store: Store) -> "IssueDetails":
        """Return the details of this issue as they are stored now. Raises NotFound."""
        return issue_details(store, self.slug)

    def restore(self, store: Store, now: int) -> None:
        """Replace the details of the issue in the store by those that this object holds."""
        issue = issues.get(store, self.slug)
        issues.update(store, issue.id, now=now, title=self.title, sent_at=self.sent_at, recipients=self.recipients)
        if issue.sent_at != self.sent_at:
            # Verdicts of clicks depend on the sending time.
            queue_reclassification(store, issue.id)


class IssueArticles(Struct, frozen=True, tag="articles"):
    """A copy of articles and other link targets of an issue.

    It was made before or after an edit, so that the edit can be undone.
    """

    slug: str
    articles: tuple[Article, ...]

    def reload(self, store: Store) -> "IssueArticles":
        """Return these articles and other link targets as they are stored now. Raises NotFound."""
        ids = {article.id for article in self.articles}
        now = issue_articles(store, self.slug)
        return IssueArticles(self.slug, tuple(article for article in now.articles if article.id in ids))

    def restore(self, store: Store, now: int) -> None:
        """Replace the articles and other link targets in the store by those that this object holds."""
        for article in self.articles:
            fields = msgspec.structs.asdict(article)
            issues.update_article(store, fields.pop("id"), **fields)


class MonthDecision(Struct, frozen=True, tag="decision"):
    """A copy of an editor's decision about an article.

    It was made before or after an edit, so that the edit can be undone.
    """

    month: str
    url: str
    decision: Decision | None
    """None if there was no decision."""

    def reload(self, store: Store) -> "MonthDecision":
        """Return the editor's decision about this article as it is stored now."""
        return month_decision(store, self.month, self.url)

    def restore(self, store: Store, now: int) -> None:
        """Store the decision that this object holds; if it holds none, delete the stored decision."""
        if self.decision is None:
            decisions.delete(store, self.month, self.url)
        else:
            stored = self.decision
            decisions.decide(
                store,
                self.month,
                self.url,
                action=stored.action,
                reason=stored.reason,
                who=stored.who,
                now=stored.at,
            )


class UserAccount(Struct, frozen=True, tag="user"):
    """A copy of a user's account, with role and password hash.

    It was made before or after an edit, so that the edit can be undone.
    """

    name: str
    user: User | None
    """None if there was no user of this name."""

    def reload(self, store: Store) -> "UserAccount":
        """Return the account with this name as it is stored now."""
        return user_account(store, self.name)

    def restore(self, store: Store, now: int) -> None:
        """Restore the user's role; add a user who was removed, or remove a user who was added.

        Raises InputError if no admin would be left.
        """
        if self.user is None:
            remove_user(store, self.name)
        elif accounts.find(store, self.name) is None:
            accounts.add(store, self.name, role=self.user.role, password_hash=self.user.password_hash, now=now)
        else:
            # This also ends the user's sessions.
            set_role(store, self.name, self.user.role, now=now)


class LinkStatuses(Struct, frozen=True, tag="link statuses"):
    """A copy of the statuses of links.

    It was made before or after an edit, so that the edit can be undone.
    """

    statuses: dict[int, str]
    """Status (active, retired) of each link, by link id."""
    who: str = ""
    """The user who undoes the edit, for the history of each link; '' while stored."""

    def reload(self, store: Store) -> "LinkStatuses":
        """Return the statuses of these links as they are stored now."""
        return link_statuses(store, self.statuses)

    def restore(self, store: Store, now: int) -> None:
        """Give the links the statuses that this object holds, in place of those in the store."""
        for link in links.list_by_id(store, self.statuses):
            links.update_field(store, link, "status", self.statuses[link.id], who=self.who, now=now)


class LinkTargets(Struct, frozen=True, tag="link targets"):
    """A copy of the target URLs of links.

    It was made before or after an edit, so that the edit can be undone.
    """

    targets: dict[int, str]
    """Target URL of each link, by link id."""
    who: str = ""
    """The user who undoes the edit, for the history of each link; '' while stored."""

    def reload(self, store: Store) -> "LinkTargets":
        """Return the targets of these links as they are stored now."""
        return link_targets(store, self.targets)

    def restore(self, store: Store, now: int) -> None:
        """Give the links the targets that this object holds, in place of those in the store."""
        for link in links.list_by_id(store, self.targets):
            if link.target is not None and link.target != self.targets[link.id]:
                replace_target(store, link, link.target, self.targets[link.id], who=self.who, now=now)


class StoredSettings(Struct, frozen=True, tag="settings"):
    """A copy of settings.

    It was made before or after an edit, so that the edit can be undone.
    """

    values: dict[str, str | None]
    """Value of each setting, by key; None for the default value."""

    def reload(self, store: Store) -> "StoredSettings":
        """Return these settings as they are stored now."""
        return stored_settings(store, self.values)

    def restore(self, store: Store, now: int) -> None:
        """Replace the settings in the store by those that this object holds."""
        put_settings(store, self.values)


State = (
    IssueDetails
    | IssueArticles
    | MonthDecision
    | UserAccount
    | StoredSettings
    | LinkStatuses
    | LinkTargets
    | MonthSettings
    | MonthText
    | MonthOrder
    | FormatTemplate
)
"""Values that a change can concern."""


def issue_details(store: Store, slug: str) -> IssueDetails:
    """Return the stored title, sending time and number of recipients of an issue. Raises NotFound."""
    issue = issues.get(store, slug)
    return IssueDetails(slug, issue.title, issue.sent_at, issue.recipients)


def issue_articles(store: Store, slug: str) -> IssueArticles:
    """Return the stored articles and other link targets of an issue. Raises NotFound."""
    return IssueArticles(slug, tuple(issues.list_articles(store, issues.get(store, slug).id)))


def month_decision(store: Store, month: str, url: str) -> MonthDecision:
    """Return the editor's decision about the article with this canonical URL in a month.

    Raises InputError for an invalid month.
    """
    found = (decision for decision in decisions.list_by_month(store, month) if decision.url == url)
    return MonthDecision(month, url, next(found, None))


def link_statuses(store: Store, ids: Iterable[int]) -> LinkStatuses:
    """Return the stored statuses of the links with these ids."""
    return LinkStatuses({link.id: link.status for link in links.list_by_id(store, ids)})


def link_targets(store: Store, ids: Iterable[int]) -> LinkTargets:
    """Return the stored targets of the links with these ids, without links whose target is unknown."""
    # A target cannot become unknown again.
    return LinkTargets({link.id: link.target for link in links.list_by_id(store, ids) if link.target is not None})


def user_account(store: Store, name: str) -> UserAccount:
    """Return the stored account of the user with this name."""
    return UserAccount(name, accounts.find(store, name))


def stored_settings(store: Store, keys: Iterable[str]) -> StoredSettings:
    """Return the stored values of the settings with these keys."""
    return StoredSettings(stored_values(store, keys))


class Recorder:
    """Holds the id of the change that a ``with recorded(...)`` block stored; None if the block changed nothing."""

    change_id: int | None = None


@contextmanager
def recorded(
    store: Store,
    state: Callable[[], State],  # reads the values that the block can change
    *,
    page: str,  # in whose history the change is listed
    summary: str,  # describes the change in this history
    who: str,
    now: int,
) -> Iterator[Recorder]:
    """Run the ``with`` block in a transaction, and record its changes so that they can be undone."""
    recorder = Recorder()
    with store.transaction():
        before = state()
        yield recorder
        before, after = _only_differences(before, state())
        if before != after:
            recorder.change_id = page_changes.add(
                store, page, who=who, summary=summary, before=_encode(before), after=_encode(after), now=now
            )


def undo(
    store: Store,
    change: PageChange,
    *,
    who: str,  # the user who undoes the change
    now: int,
) -> None:
    """Undo a change that a user made on a page.

    Raises Conflict if the values have changed since, InputError if no admin would remain.
    """
    before, after = (msgspec.json.decode(state, type=State) for state in (change.before, change.after))
    with store.transaction():
        if change.undone_at is not None or not _is_unchanged(after, after.reload(store)):
            raise Conflict(Message("this was changed again meanwhile, so it cannot be undone"))
        if isinstance(before, LinkStatuses | LinkTargets):
            before = msgspec.structs.replace(before, who=who)
        before.restore(store, now)
        page_changes.mark_undone(store, change.id, now=now)


def list_changes(store: Store, page: str) -> list[PageChange]:
    """Return the last changes that were made on ``page``, the latest first."""
    return page_changes.list_latest(store, page, limit=MAX_LISTED_CHANGES)


def list_decision_changes(
    store: Store,
    url: str,
    pages: Iterable[str],  # where the changes were made: keys such as "month/2026-11"
) -> list[PageChange]:
    """Return the last changes of editors' decisions about an article, the latest first."""
    changes = (change for page in pages for change in page_changes.list_latest(store, page, limit=MAX_READ_CHANGES))
    concerned = [change for change in changes if _is_decision_about(msgspec.json.decode(change.after, type=State), url)]
    return sorted(concerned, key=lambda change: -change.id)[:MAX_LISTED_CHANGES]


def _is_decision_about(state: State, url: str) -> bool:
    return isinstance(state, MonthDecision) and state.url == url


def _encode(state: State) -> bytes:
    return msgspec.json.encode(state)


def _only_differences(before: State, after: State) -> tuple[State, State]:
    if isinstance(before, StoredSettings) and isinstance(after, StoredSettings):
        keys = [key for key, value in before.values.items() if after.values[key] != value]
        return _only_keys(before, keys), _only_keys(after, keys)
    if not isinstance(before, IssueArticles) or not isinstance(after, IssueArticles):
        return before, after
    changed = set(before.articles) ^ set(after.articles)
    return (
        IssueArticles(before.slug, _only(before.articles, changed)),
        IssueArticles(after.slug, _only(after.articles, changed)),
    )


def _only_keys(settings: StoredSettings, keys: Iterable[str]) -> StoredSettings:
    return StoredSettings({key: settings.values[key] for key in keys})


def _only(articles: Iterable[Article], chosen: set[Article]) -> tuple[Article, ...]:
    return tuple(article for article in articles if article in chosen)


def _is_unchanged(after: State, present: State) -> bool:
    # A new password does not prevent undoing a change of the role.
    if isinstance(after, UserAccount) and isinstance(present, UserAccount) and after.user and present.user:
        return after.user.role == present.user.role and after.user.id == present.user.id
    return after == present
