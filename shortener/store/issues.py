"""SQL for issues, their articles and their placements. A placement is one use of a link in an issue."""

from collections.abc import Sequence
from typing import Any, Literal, Protocol

from msgspec import Struct

from shortener.durations import DAY_SECONDS
from shortener.errors import NotFound
from shortener.messages import Message
from shortener.store.database import Store
from shortener.store.sql_text import column_list

REMOVED_DAYS = 30
"""Days after which the rows of a removed draft are deleted."""

IssueStatus = Literal["draft", "scheduled", "sent", "archived", "removed"]
"""Status of an issue; archived issues are hidden from lists, and removed ones were drafts."""

CorrectableField = Literal["title", "author", "summary", "position", "role"]
"""Fields of an article that an editor can correct."""


class Issue(Struct, frozen=True):
    """An issue without its documents, which ``get_documents`` returns.

    Times are seconds of the UTC epoch. Unknown values are None.
    """

    id: int
    slug: str
    title: str
    format: str
    domain: str
    sent_at: int | None
    recipients: int | None
    created_at: int
    updated_at: int
    archived_at: int | None = None
    removed_at: int | None = None


class Article(Struct, frozen=True):
    """A link target of one issue. A target with a ``position`` is an article."""

    id: int
    url: str
    position: int | None
    """Place among the articles of the issue, from 1; None for other targets."""
    title: str
    author: str
    summary: str
    section: str
    image: str
    corrected_fields: str
    """Fields corrected by an editor, separated by spaces; a new version of the issue does not overwrite them."""
    role: str = "other"


class Placement(Struct, frozen=True):
    """One use of a link in an issue."""

    link_id: int
    n: int
    """Number of the placement in document order."""
    article_id: int | None
    kind: str
    text: str
    part: str = ""
    """Part of a mail that contains the link: "html" or "text"; '' if the issue is not a mail."""


_COLUMNS = column_list(Issue)
_ARTICLE_COLUMNS = column_list(Article)
_PLACEMENT_COLUMNS = column_list(Placement)


def find(store: Store, slug: str) -> Issue | None:
    """Return the issue with this slug, even a removed one; None if there is none."""
    row = store.execute(f"select {_COLUMNS} from issues where slug = ?", (slug,)).fetchone()  # noqa: S608
    return Issue(*row) if row else None


def find_by_id(store: Store, issue_id: int) -> Issue | None:
    """Return the issue with this id; None if there is none or it was removed."""
    sql = f"select {_COLUMNS} from issues where id = ? and removed_at is null"  # noqa: S608
    row = store.execute(sql, (issue_id,)).fetchone()
    return Issue(*row) if row else None


def get(store: Store, slug: str) -> Issue:
    """Return the issue with this slug. Raises NotFound."""
    issue = find(store, slug)
    if issue is None:
        raise NotFound(Message("{slug}: no issue has this slug", slug=slug), kind="issue_not_found")
    return issue


def list_sent_between(store: Store, since: int, until: int) -> list[Issue]:
    """Return the issues with a sending time from ``since`` to ``until`` (seconds of the UTC epoch).

    Removed issues are left out.
    """
    sql = f"select {_COLUMNS} from issues where sent_at between ? and ? and removed_at is null order by sent_at"  # noqa: S608
    return [Issue(*row) for row in store.execute(sql, (since, until))]


class HasStatus(Protocol):
    """An object with the three times that determine the status of an issue, in seconds of the UTC epoch."""

    @property
    def sent_at(self) -> int | None:
        """When the issue was or will be sent; None if unknown."""

    @property
    def archived_at(self) -> int | None:
        """When the issue was archived; None if it was not."""

    @property
    def removed_at(self) -> int | None:
        """When the issue was removed; None if it was not."""


def status(issue: HasStatus, *, now: int) -> IssueStatus:
    """Return the status of an issue at ``now`` (seconds of the UTC epoch), such as "draft" or "sent"."""
    if issue.removed_at is not None:
        return "removed"
    if issue.archived_at is not None:
        return "archived"
    if issue.sent_at is None:
        return "draft"
    return "scheduled" if issue.sent_at > now else "sent"


def purge_removed(store: Store, *, now: int) -> int:
    """Delete the drafts that editors removed more than ``REMOVED_DAYS`` days ago, and return how many."""
    # The retired links of these drafts are kept, so that their codes are not given out again.
    before = now - REMOVED_DAYS * DAY_SECONDS
    return store.execute("delete from issues where removed_at < ?", (before,)).rowcount


def get_documents(store: Store, issue_id: int) -> tuple[bytes, bytes]:
    """Return (source, output) of an issue. The output is the source with short links."""
    source, output = store.execute("select source, output from issues where id = ?", (issue_id,)).fetchone()
    return bytes(source), bytes(output)


def add(
    store: Store,
    slug: str,
    *,
    title: str,
    format: str,
    domain: str,
    sent_at: int | None,
    recipients: int | None,
    source: bytes,
    now: int,
) -> int:
    """Add an issue and return its id. Its document with short links (``output``) is empty at first."""
    row = store.execute(
        """
        insert into issues (slug, title, format, domain, sent_at, recipients, source, output, created_at, updated_at)
        values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) returning id
        """,
        (slug, title, format, domain, sent_at, recipients, source, b"", now, now),
    ).fetchone()
    return int(row[0])


def update(store: Store, issue_id: int, *, now: int, **fields: Any) -> None:
    """Set fields of an issue: title, domain, sent_at, recipients, source, output, archived_at or removed_at.

    ``now`` is stored as the time of the change.
    """
    names = ", ".join(f"{name} = ?" for name in fields)
    store.execute(
        f"update issues set {names}, updated_at = ? where id = ?",  # noqa: S608
        (*fields.values(), now, issue_id),
    )


def list_articles(store: Store, issue_id: int) -> list[Article]:
    """Return the articles of an issue by position, and then its other link targets in document order."""
    sql = f"select {_ARTICLE_COLUMNS} from articles where issue_id = ? order by position is null, position, id"  # noqa: S608
    return [Article(*row) for row in store.execute(sql, (issue_id,))]


def correct_article(store: Store, article: Article, field: CorrectableField, value: str | int | None) -> None:
    """Set a field of an article and mark it as corrected by an editor."""
    corrected = " ".join(sorted({*article.corrected_fields.split(), field}))
    store.execute(
        f"update articles set {field} = ?, corrected_fields = ? where id = ?",  # noqa: S608
        (value, corrected, article.id),
    )


def set_positions(store: Store, positions: dict[int, int | None]) -> None:
    """Set the positions of link targets in their issue, by article id.

    A position makes a target an article. None makes an article an "other link".
    """
    store.connection.execute_many(
        """
        update articles set position = :position, role = case
            when cast(:position as bigint) is not null then 'article' when role = 'article' then 'other' else role end
        where id = :id
        """,
        ({"id": article_id, "position": position} for article_id, position in positions.items()),
    )


def update_article(store: Store, article_id: int, **fields: Any) -> None:
    """Set fields of an article, such as url, role, position and corrected_fields."""
    names = ", ".join(f"{name} = ?" for name in fields)
    store.execute(f"update articles set {names} where id = ?", (*fields.values(), article_id))  # noqa: S608


def add_article(store: Store, issue_id: int, **fields: Any) -> int:
    """Add an article with fields such as url, title, role and position; return its id."""
    names = ", ".join(fields)
    marks = ", ".join("?" for _ in fields)
    row = store.execute(
        f"insert into articles (issue_id, {names}) values (?, {marks}) returning id",  # noqa: S608
        (issue_id, *fields.values()),
    ).fetchone()
    return int(row[0])


def recurring_urls(store: Store, *, domain: str, format: str, except_issue_id: int, now: int) -> frozenset[str]:
    """Return the URLs that more than half of the latest issues of a domain and format contain."""
    # Eight issues are read, and at least three are needed. Targets that an editor made an article are left out.
    sql = """
        with recent as (
            select id from issues where domain = ? and format = ? and id <> ? and sent_at <= ? and removed_at is null
            order by sent_at desc, id desc limit 8
        )
        select url from articles where issue_id in (select id from recent)
        group by url having (select count(*) from recent) >= 3 and count(*) * 2 > (select count(*) from recent)
            and count(*) filter (where role = 'article' and corrected_fields like '%role%') = 0
    """
    return frozenset(row[0] for row in store.execute(sql, (domain, format, except_issue_id, now)))


def find_by_source(store: Store, source: bytes) -> str | None:
    """Return the slug of the latest issue whose source is exactly these bytes; None if there is none."""
    sql = "select slug from issues where source = ? and removed_at is null order by id desc limit 1"
    value = store.value(sql, (source,))
    return None if value is None else str(value)


def find_by_output(store: Store, output: bytes) -> str | None:
    """Return the slug of the issue whose output (with short links) is exactly these bytes; None if there is none."""
    value = store.value("select slug from issues where output = ? and removed_at is null", (output,))
    return None if value is None else str(value)


def rename_article_url(store: Store, link_id: int, *, old_url: str, new_url: str) -> None:
    """Change the URL of a link's article in every issue that contains the link.

    An issue that already has ``new_url`` is not changed.
    """
    store.execute(
        """
        update articles set url = :new
        where url = :old and id in (select article_id from placements where link_id = :link) and not exists
            (select 1 from articles as other where other.issue_id = articles.issue_id and other.url = :new)
        """,
        {"new": new_url, "old": old_url, "link": link_id},
    )


def list_placements(store: Store, issue_id: int) -> list[Placement]:
    """Return every use of a link in an issue, in document order."""
    sql = f"select {_PLACEMENT_COLUMNS} from placements where issue_id = ? order by n, link_id"  # noqa: S608
    return [Placement(*row) for row in store.execute(sql, (issue_id,))]


def used_placement_numbers(store: Store, link_id: int, *, except_issue_id: int) -> set[int]:
    """Return the numbers of a link's placements, such as 4 in ``/7pk3e/4``, in all issues but ``except_issue_id``."""
    sql = "select n from placements where link_id = ? and issue_id <> ?"
    return {row[0] for row in store.execute(sql, (link_id, except_issue_id))}


def replace_placements(store: Store, issue_id: int, placements: Sequence[Placement]) -> None:
    """Replace all placements (uses of links) of an issue.

    Articles without a placement are deleted, unless a link belongs to them.
    """
    store.execute("delete from placements where issue_id = ?", (issue_id,))
    store.connection.execute_many(
        "insert into placements (link_id, n, issue_id, article_id, kind, text, part) values (?, ?, ?, ?, ?, ?, ?)",
        (
            (
                placement.link_id,
                placement.n,
                issue_id,
                placement.article_id,
                placement.kind,
                placement.text,
                placement.part,
            )
            for placement in placements
        ),
    )
    store.execute(
        """
        delete from articles where issue_id = ?
            and id not in (select article_id from placements where issue_id = ? and article_id is not null)
            and id not in (select article_id from links where article_id is not null)
        """,
        (issue_id, issue_id),
    )
    # Targets that are not in the document any more have links that still redirect, but no place in the issue.
    store.execute(
        """
        update articles set position = null, role = 'other' where issue_id = ?
            and id not in (select article_id from placements where issue_id = ? and article_id is not null)
        """,
        (issue_id, issue_id),
    )
    # The collector caches which issue a placement belongs to; a new revision clears its cache.
    store.execute("update meta set value = value + 1 where name = 'links_revision'")
