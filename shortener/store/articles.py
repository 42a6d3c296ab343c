"""SQL for articles across issues: where an article appeared, its author and section, and its short links."""

from collections.abc import Iterable

from msgspec import Struct

from shortener.store.database import Store

_SENT_AT = """coalesce(
    issues.sent_at, (select min(hour) from clicks_by_issue_hour where issue_id = issues.id and human > 0)
)"""
"""When an issue was sent; if that is unknown, its first clicked hour."""


class SentIssue(Struct, frozen=True):
    """An issue that was sent at ``sent_at`` (seconds of UTC epoch)."""

    slug: str
    title: str
    sent_at: int


class ArticleLabels(Struct):
    """Author and section of an article, collected from all its issues; '' if unknown."""

    author: str = ""
    section: str = ""


class ArticleAppearance(Struct, frozen=True):
    """An article in one issue; ``sent_at`` (seconds of UTC epoch) is None for a draft."""

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
    """Return the issues sent by ``now`` (seconds of UTC epoch), the latest first; without removed ones."""
    sql = f"""
        select * from (select slug, title, {_SENT_AT} as sent from issues where removed_at is null) as dated
        where sent <= ? order by sent desc
    """  # noqa: S608
    return [SentIssue(*row) for row in store.execute(sql, (now,))]


def labels_by_url(store: Store, urls: Iterable[str]) -> dict[str, ArticleLabels]:
    """Return author and section of articles by URL; each comes from the latest issue that has it."""
    sql = """
        select url, author, section from articles join issues on issues.id = articles.issue_id
        where url in :urls order by coalesce(sent_at, issues.created_at), issues.id
    """
    found: dict[str, ArticleLabels] = {}
    for url, author, section in store.execute(sql, {"urls": list(urls)}):
        labels = found.setdefault(url, ArticleLabels())
        labels.author, labels.section = author or labels.author, section or labels.section
    return found


def list_appearances(store: Store, url: str) -> list[ArticleAppearance]:
    """Return the issues that contain an article, the latest first; those without sending time come first."""
    sql = f"""
        select slug, issues.title, {_SENT_AT} as sent, position, role, articles.title, author, summary, section
        from articles join issues on issues.id = articles.issue_id
        where url = ? and removed_at is null order by sent desc nulls first, issues.id desc
    """  # noqa: S608
    return [ArticleAppearance(*row) for row in store.execute(sql, (url,))]


def list_link_ids(store: Store, url: str) -> list[int]:
    """Return the ids of an article's short links in issues and in drafts of picks, the oldest first."""
    sql = """
        select links.id from links join articles on articles.id = links.article_id where articles.url = :url
        union select link_id from draft_links where url = :url
        order by 1
    """
    return [link_id for (link_id,) in store.execute(sql, {"url": url})]
