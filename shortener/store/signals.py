"""SQL for signals: views, reads and fans (readers who applauded) that other platforms counted for our articles."""

from collections.abc import Iterable

from msgspec import Struct

from shortener.store.database import Store


class Signal(Struct, frozen=True):
    """An article's numbers of views, reads and fans on other platforms. None means that a number is unknown.

    ``url`` is the canonical URL of the article.
    """

    url: str
    views: int | None = None
    reads: int | None = None
    fans: int | None = None


class ArticleTitle(Struct, frozen=True):
    """The URL of an article and one of its titles. Imported rows without a URL are matched to articles by title."""

    url: str
    title: str


def upsert(store: Store, signals: Iterable[Signal], *, now: int) -> int:
    """Store numbers of views, reads and fans of articles, and return how many articles changed.

    None leaves a stored number unchanged.
    """
    changed = 0
    with store.transaction():
        for signal in signals:
            changed += _save_and_count_changes(store, signal, now=now)
    return changed


def _save_and_count_changes(store: Store, signal: Signal, *, now: int) -> int:
    values = {"url": signal.url, "views": signal.views, "reads": signal.reads, "fans": signal.fans, "now": now}
    if store.value("select 1 from signals where url = ?", (signal.url,)) is None:
        sql = "insert into signals (url, views, reads, fans, updated_at) values (:url, :views, :reads, :fans, :now)"
        return store.execute(sql, values).rowcount
    return store.execute(
        """
        update signals set views = coalesce(:views, views), reads = coalesce(:reads, reads),
            fans = coalesce(:fans, fans), updated_at = :now
        where url = :url and (coalesce(:views, views, -1) <> coalesce(views, -1)
            or coalesce(:reads, reads, -1) <> coalesce(reads, -1) or coalesce(:fans, fans, -1) <> coalesce(fans, -1))
        """,
        values,
    ).rowcount


def find(store: Store, url: str) -> Signal | None:
    """Return the stored numbers of views, reads and fans of an article, or None."""
    row = store.execute("select url, views, reads, fans from signals where url = ?", (url,)).fetchone()
    return Signal(*row) if row else None


def list_all(store: Store) -> list[Signal]:
    """Return the stored numbers of views, reads and fans of all articles, ordered by URL."""
    return [Signal(*row) for row in store.execute("select url, views, reads, fans from signals order by url")]


def list_article_titles(store: Store) -> list[ArticleTitle]:
    """Return the URL and title of every article, once for each title that it had in an issue."""
    sql = "select distinct url, title from articles where position is not null order by url, title"
    return [ArticleTitle(*row) for row in store.execute(sql)]
