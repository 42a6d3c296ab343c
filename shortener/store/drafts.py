"""SQL for the draft of a month's picks: the short link of each article, and what is known of the articles."""

import json
from collections.abc import Iterable

from msgspec import Struct

from shortener.store.database import Store
from shortener.store.links import Link


class ArticleDetails(Struct):
    """What the issues said of an article; '' where none did."""

    title: str = ""
    author: str = ""
    summary: str = ""
    image: str = ""


def article_details(store: Store, urls: Iterable[str]) -> dict[str, ArticleDetails]:
    """What is known of articles, by URL: each field as the latest issue has it that has it at all."""
    fields = ArticleDetails.__struct_fields__
    sql = f"""
        select url, {", ".join(f"articles.{field}" for field in fields)}
        from articles join issues on issues.id = articles.issue_id
        where url in (select value from json_each(?))
        order by coalesce(sent_at, issues.created_at), issues.id
    """  # noqa: S608
    found: dict[str, ArticleDetails] = {}
    for url, *values in store.execute(sql, (json.dumps(sorted(urls)),)):
        known = found.setdefault(url, ArticleDetails())
        for field, value in zip(fields, values, strict=True):
            setattr(known, field, value or getattr(known, field))
    return found


def links_by_article(store: Store, month: str) -> dict[str, Link]:
    """The links of a month's draft, by the URL of the article that each was made for."""
    columns = ", ".join(f"links.{field}" for field in Link.__struct_fields__)
    sql = f"""
        select url, {columns} from draft_links join links on links.id = draft_links.link_id where month = ?
    """  # noqa: S608
    return {url: Link(*values) for url, *values in store.execute(sql, (month,))}


def save_link(store: Store, month: str, url: str, link_id: int) -> None:
    """Remember the link of an article in a month's draft, in place of an earlier one."""
    store.execute(
        """
        insert into draft_links (month, url, link_id) values (?, ?, ?)
        on conflict (month, url) do update set link_id = excluded.link_id
        """,
        (month, url, link_id),
    )


def rename_url(store: Store, *, old_url: str, new_url: str) -> None:
    """Let the links of drafts follow an article that was known by its short link alone; one that is there stays."""
    store.execute("update or ignore draft_links set url = ? where url = ?", (new_url, old_url))
    store.execute("delete from draft_links where url = ?", (old_url,))
