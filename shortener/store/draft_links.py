"""SQL for the short links in drafts of a month's recommended articles."""

from shortener.store.database import Store
from shortener.store.links import Link
from shortener.store.sql_text import column_list


def links_by_article(store: Store, month: str) -> dict[str, Link]:
    """Return the short links in the draft of a month's recommended articles, by article URL."""
    sql = f"""
        select url, {column_list(Link, "links")} from draft_links join links on links.id = draft_links.link_id
        where month = ?
    """  # noqa: S608
    return {url: Link(*values) for url, *values in store.execute(sql, (month,))}


def save_link(store: Store, month: str, url: str, link_id: int) -> None:
    """Set the short link of an article in the draft of a month's recommended articles."""
    sql = "update draft_links set link_id = ? where month = ? and url = ?"
    if not store.execute(sql, (link_id, month, url)).rowcount:
        store.execute("insert into draft_links (month, url, link_id) values (?, ?, ?)", (month, url, link_id))


def rename_url(store: Store, *, old_url: str, new_url: str) -> None:
    """In drafts of recommended articles, move short links from an article's old URL to its new URL."""
    # In a month in which the new URL already has a short link, that link is kept.
    store.execute(
        """
        update draft_links set url = :new where url = :old
            and not exists
                (select 1 from draft_links as other where other.month = draft_links.month and other.url = :new)
        """,
        {"old": old_url, "new": new_url},
    )
    store.execute("delete from draft_links where url = ?", (old_url,))
