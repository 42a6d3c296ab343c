"""SQL for what other platforms counted for our articles: views, reads, fans."""

from collections.abc import Iterable

from msgspec import Struct

from shortener.store.database import Store


class Signal(Struct, frozen=True):
    """Counts of an article by its canonical URL; None where nobody told."""

    url: str
    views: int | None = None
    reads: int | None = None
    fans: int | None = None


class ArticleTitle(Struct, frozen=True):
    """An article as a file of another platform may name it."""

    url: str
    title: str


def upsert(store: Store, signals: Iterable[Signal], *, now: int) -> int:
    """Add signals or bring them up to date; how many rows that changed. An unknown count keeps what is stored."""
    changed = 0
    with store.transaction():
        for each in signals:
            changed += store.execute(
                """
                insert into signals (url, views, reads, fans, updated_at) values (?, ?, ?, ?, ?)
                on conflict (url) do update set
                    views = coalesce(excluded.views, views), reads = coalesce(excluded.reads, reads),
                    fans = coalesce(excluded.fans, fans), updated_at = excluded.updated_at
                where coalesce(excluded.views, views) is not views
                    or coalesce(excluded.reads, reads) is not reads or coalesce(excluded.fans, fans) is not fans
                """,
                (each.url, each.views, each.reads, each.fans, now),
            ).rowcount
    return changed


def list_all(store: Store) -> list[Signal]:
    """All signals by URL."""
    return [Signal(*row) for row in store.execute("select url, views, reads, fans from signals order by url")]


def list_article_titles(store: Store) -> list[ArticleTitle]:
    """The URL of every article of every issue, with each title that it had."""
    sql = "select distinct url, title from articles where position is not null order by url, title"
    return [ArticleTitle(*row) for row in store.execute(sql)]
