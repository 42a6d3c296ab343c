"""SQL for articles across issues: the issues that contain an article, its details, and its short links.

An article is identified by its canonical target URL.
"""

from collections.abc import Iterable

from msgspec import Struct

from shortener.store.database import Store
from shortener.store.sql_text import column_list

_SENT_AT = """coalesce(
    issues.sent_at, (select min(hour) from clicks_by_issue_hour where issue_id = issues.id and human > 0)
)"""
"""When an issue was sent; if that is unknown, its first clicked hour."""


class SentIssue(Struct, frozen=True):
    """An issue that was sent at ``sent_at`` (seconds of the UTC epoch)."""

    slug: str
    title: str
    sent_at: int


class ArticleDetails(Struct):
    """Details of an article across issues.

    Each field has the value from the latest issue in which it is not empty.
    """

    title: str = ""
    author: str = ""
    summary: str = ""
    image: str = ""
    section: str = ""


class ArticleAppearance(Struct, frozen=True):
    """An article in one issue. ``sent_at`` (seconds of the UTC epoch) is None for an issue without a sending time."""

    slug: str
    issue_title: str
    sent_at: int | None
    position: int | None
    role: str
    title: str
    author: str
    summary: str
    section: str


def list_sent_issues(store: Store, *, now: int) -> list[SentIssue]:
    """Return the issues sent by ``now`` (seconds of the UTC epoch), the latest first. Removed issues are left out."""
    sql = f"""
        select * from (select slug, title, {_SENT_AT} as sent from issues where removed_at is null) as dated
        where sent <= ? order by sent desc
    """  # noqa: S608
    return [SentIssue(*row) for row in store.execute(sql, (now,))]


def details_by_url(store: Store, urls: Iterable[str]) -> dict[str, ArticleDetails]:
    """Return the details of articles across issues, by article URL."""
    sql = f"""
        select url, {column_list(ArticleDetails, "articles")}
        from articles join issues on issues.id = articles.issue_id
        where url in :urls
        order by coalesce(sent_at, issues.created_at), issues.id
    """  # noqa: S608
    found: dict[str, ArticleDetails] = {}
    for url, *values in store.execute(sql, {"urls": list(urls)}):
        details = found.setdefault(url, ArticleDetails())
        for field, value in zip(ArticleDetails.__struct_fields__, values, strict=True):
            setattr(details, field, value or getattr(details, field))
    return found


def list_appearances(store: Store, url: str) -> list[ArticleAppearance]:
    """Return the appearances of an article in issues, the latest first.

    Issues without a sending time count as the latest.
    """
    sql = f"""
        select slug, issues.title, {_SENT_AT} as sent, position, role, articles.title, author, summary, section
        from articles join issues on issues.id = articles.issue_id
        where url = ? and removed_at is null order by sent desc nulls first, issues.id desc
    """  # noqa: S608
    return [ArticleAppearance(*row) for row in store.execute(sql, (url,))]


def list_link_ids(store: Store, url: str) -> list[int]:
    """Return the ids of an article's short links, the oldest first.

    Short links in drafts of a month's recommended articles are included.
    """
    sql = """
        select links.id from links join articles on articles.id = links.article_id where articles.url = :url
        union select link_id from draft_links where url = :url
        order by 1
    """
    return [link_id for (link_id,) in store.execute(sql, {"url": url})]
