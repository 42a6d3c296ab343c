"""SQL for the history of the changes that users made in the web interface. Users can undo these changes."""

from msgspec import Struct

from shortener.durations import DAY_SECONDS
from shortener.errors import NotFound
from shortener.messages import Message
from shortener.store.database import Store
from shortener.store.sql_text import column_list

KEPT_DAYS = 30
"""Days after which a change can no longer be undone, because its row is deleted."""


class PageChange(Struct, frozen=True):
    """A change that the user ``who`` made in the web interface at ``at`` (seconds of the UTC epoch).

    ``page`` is the key of the page on which the change was made, such as "users". ``before`` and ``after`` are the
    changed values as JSON. ``undone_at`` is None unless the change was undone.
    """

    id: int
    page: str
    at: int
    who: str
    summary: str
    before: bytes
    after: bytes
    undone_at: int | None


_COLUMNS = column_list(PageChange)


def add(store: Store, page: str, *, who: str, summary: str, before: bytes, after: bytes, now: int) -> int:
    """Store a change that a user made on a page, and return its id."""
    row = store.execute(
        "insert into page_changes (page, at, who, summary, before, after) values (?, ?, ?, ?, ?, ?) returning id",
        (page, now, who, summary, before, after),
    ).fetchone()
    return int(row[0])


def get(store: Store, change_id: int) -> PageChange:
    """Return the change with this id. Raises NotFound if it does not exist or was deleted."""
    row = store.execute(f"select {_COLUMNS} from page_changes where id = ?", (change_id,)).fetchone()  # noqa: S608
    if row is None:
        raise NotFound(Message("this change is older than {days} days and cannot be undone any more", days=KEPT_DAYS))
    return PageChange(*row)


def list_latest(store: Store, page: str, *, limit: int) -> list[PageChange]:
    """Return the last ``limit`` changes on a page, the latest first."""
    sql = f"select {_COLUMNS} from page_changes where page = ? order by id desc limit ?"  # noqa: S608
    return [PageChange(*row) for row in store.execute(sql, (page, limit))]


def mark_undone(store: Store, change_id: int, *, now: int) -> None:
    """Record that a change was undone at ``now`` (seconds of the UTC epoch)."""
    store.execute("update page_changes set undone_at = ? where id = ?", (now, change_id))


def purge(store: Store, *, now: int) -> int:
    """Delete the changes that are older than ``KEPT_DAYS`` days, and return their number."""
    return store.execute("delete from page_changes where at < ?", (now - KEPT_DAYS * DAY_SECONDS,)).rowcount
