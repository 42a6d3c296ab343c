"""SQL for link checks, which find out whether the targets of an issue's links answer.

Only the last check of each issue is stored.
"""

from msgspec import Struct

from shortener.store.database import Store
from shortener.store.sql_text import column_list


class StoredLinkCheck(Struct, frozen=True):
    """The last link check of an issue. Times are seconds of the UTC epoch."""

    started_at: int
    finished_at: int | None
    """None while the check runs."""
    total: int
    done: int
    """Number of targets that were checked so far."""
    results: bytes
    """JSON list with a result for each target."""


_COLUMNS = column_list(StoredLinkCheck)


def start(store: Store, issue_id: int, *, total: int, now: int) -> None:
    """Store the start of a link check. It replaces the previous check of the issue."""
    store.execute(
        """
        insert into link_checks (issue_id, started_at, finished_at, total, done, results)
        values (?, ?, null, ?, 0, ?)
        on conflict (issue_id) do update set started_at = excluded.started_at, finished_at = null,
            total = excluded.total, done = 0, results = excluded.results
        """,
        (issue_id, now, total, b"[]"),
    )


def set_progress(store: Store, issue_id: int, *, started_at: int, done: int) -> None:
    """Store the number of targets that were checked so far. ``started_at`` identifies the link check."""
    store.execute(
        """
        update link_checks set done = case when total < ? then total else ? end where issue_id = ? and started_at = ?
        """,
        (done, done, issue_id, started_at),
    )


def finish(store: Store, issue_id: int, *, started_at: int, results: bytes, now: int) -> None:
    """Store the results of a finished link check. ``started_at`` identifies the link check."""
    store.execute(
        "update link_checks set done = total, results = ?, finished_at = ? where issue_id = ? and started_at = ?",
        (results, now, issue_id, started_at),
    )


def find(store: Store, issue_id: int) -> StoredLinkCheck | None:
    """Return the last link check of an issue, or None."""
    row = store.execute(f"select {_COLUMNS} from link_checks where issue_id = ?", (issue_id,)).fetchone()  # noqa: S608
    return StoredLinkCheck(*row) if row else None
