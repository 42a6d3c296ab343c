"""SQL for the search on the pages: articles by words of their title, author or URL."""

from msgspec import Struct

from shortener.store.database import Store
from shortener.store.sql_text import escape_like

_APPEARANCES = 5
"""Rows that are read for each wanted article, because an article can be in several issues."""


class FoundArticle(Struct, frozen=True):
    """An article found by the search, with the latest issue (slug) that contains it."""

    url: str
    title: str
    author: str
    issue: str
    position: int | None


def search_articles(store: Store, words: tuple[str, ...], *, limit: int) -> list[FoundArticle]:
    """Return at most ``limit`` articles that contain every word, the latest issues first.

    Title, author and URL are searched.
    """
    where, values = _all_words_condition(words)
    sql = f"""
        select articles.url, articles.title, articles.author, issues.slug, position
        from articles join issues on issues.id = articles.issue_id where {where}
        order by coalesce(sent_at, issues.created_at) desc, issues.id desc, position limit :limit
    """  # noqa: S608
    found: dict[str, FoundArticle] = {}
    for row in store.execute(sql, values | {"limit": limit * _APPEARANCES}):
        found.setdefault(row[0], FoundArticle(*row))
    return list(found.values())[:limit]


def count_articles(store: Store, words: tuple[str, ...]) -> int:
    """Return the number of articles that ``search_articles`` returns without a limit."""
    where, values = _all_words_condition(words)
    sql = f"""
        select count(distinct articles.url) from articles join issues on issues.id = articles.issue_id where {where}
    """  # noqa: S608
    return int(store.execute(sql, values).fetchone()[0])


def _all_words_condition(words: tuple[str, ...]) -> tuple[str, dict[str, str]]:
    terms, values = ["removed_at is null", "position is not null"], {}
    for index, word in enumerate(words):
        fields = ("articles.title", "articles.author", "articles.url")
        like = (f"{field} like :word{index} escape '\\'" for field in fields)
        terms.append(f"({' or '.join(like)})")
        values[f"word{index}"] = f"%{escape_like(word)}%"
    return " and ".join(terms), values
