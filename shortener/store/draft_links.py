"""SQL for the draft of a month's picks: title, author and so on of its articles, and a short link for each."""

from collections.abc import Iterable

from msgspec import Struct

from shortener.store.database import Store
from shortener.store.links import Link
from shortener.store.sql_text import column_list


class ArticleDetails(Struct):
    """Title, author, summary and image of an article, collected from all its issues; '' if unknown."""

    title: str = ""
    author: str = ""
    summary: str = ""
    image: str = ""


def article_details(store: Store, urls: Iterable[str]) -> dict[str, ArticleDetails]:
    """Return the details of articles by URL; each field comes from the latest issue that has it."""
    sql = f"""
        select url, {column_list(ArticleDetails, "articles")}
        from articles join issues on issues.id = articles.issue_id
        where url in :urls
        order by coalesce(sent_at, issues.created_at), issues.id
    """  # noqa: S608
    details_by_url: dict[str, ArticleDetails] = {}
    for url, *values in store.execute(sql, {"urls": list(urls)}):
        details = details_by_url.setdefault(url, ArticleDetails())
        for field, value in zip(ArticleDetails.__struct_fields__, values, strict=True):
            setattr(details, field, value or getattr(details, field))
    return details_by_url


def links_by_article(store: Store, month: str) -> dict[str, Link]:
    """Return the links of a month's draft, by the URL of their article."""
    sql = f"""
        select url, {column_list(Link, "links")} from draft_links join links on links.id = draft_links.link_id
        where month = ?
    """  # noqa: S608
    return {url: Link(*values) for url, *values in store.execute(sql, (month,))}


def save_link(store: Store, month: str, url: str, link_id: int) -> None:
    """Set the link of an article in a month's draft."""
    sql = "update draft_links set link_id = ? where month = ? and url = ?"
    if not store.execute(sql, (link_id, month, url)).rowcount:
        store.execute("insert into draft_links (month, url, link_id) values (?, ?, ?)", (month, url, link_id))


def rename_url(store: Store, *, old_url: str, new_url: str) -> None:
    """Move draft links from an article's old URL to its new one. A link that the new URL has already is kept."""
    store.execute(
        """
        update draft_links set url = :new where url = :old
            and not exists
                (select 1 from draft_links as other where other.month = draft_links.month and other.url = :new)
        """,
        {"old": old_url, "new": new_url},
    )
    store.execute("delete from draft_links where url = ?", (old_url,))
