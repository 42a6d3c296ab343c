"""SQL for uploads: texts of new issues, which editors review before the issues are created."""

from msgspec import Struct

from shortener.durations import DAY_SECONDS
from shortener.errors import Conflict, NotFound
from shortener.messages import Message
from shortener.store.database import Store
from shortener.store.sql_text import column_list

KEPT_DAYS = 7
"""Days after the last change at which an upload is deleted."""
MAX_UPLOADS = 30
"""Largest number of uploads that are kept. A new one replaces the one that was not changed for the longest time."""


class UploadSummary(Struct, frozen=True):
    """An upload (the text of a new issue) without the text. Times are seconds of the UTC epoch."""

    id: int
    created_at: int
    updated_at: int
    revision: int
    """Number that grows each time an editor changes the upload."""
    who: str
    name: str
    """File name; '' if the text was pasted."""
    issue_slug: str | None
    """Slug of the issue that was created from the upload; None before."""
    choices: bytes
    """What the editor has entered about the issue, as JSON."""


class Upload(UploadSummary, frozen=True):
    """An upload with the text of a new issue (``source``)."""

    source: bytes


_COLUMNS = column_list(Upload)
_SUMMARY_COLUMNS = column_list(UploadSummary)


def add(store: Store, *, who: str, name: str, source: bytes, choices: bytes, now: int) -> int:
    """Store an upload and return its id. If there are more than MAX_UPLOADS, the one changed longest ago is deleted."""
    row = store.execute(
        """
        insert into uploads (created_at, updated_at, revision, who, name, source, choices)
        values (?, ?, 1, ?, ?, ?, ?) returning id
        """,
        (now, now, who, name, source, choices),
    ).fetchone()
    store.execute(
        "delete from uploads where id not in (select id from uploads order by updated_at desc, id desc limit ?)",
        (MAX_UPLOADS,),
    )
    return int(row[0])


def get(store: Store, upload_id: int) -> Upload:
    """Return the upload with this id. Raises NotFound if it does not exist or was deleted."""
    row = store.execute(f"select {_COLUMNS} from uploads where id = ?", (upload_id,)).fetchone()  # noqa: S608
    if row is None:
        raise NotFound(
            Message(
                "this text was uploaded more than {days} days ago, or was discarded; upload it again", days=KEPT_DAYS
            )
        )
    return Upload(*row)


def list_unfinished(store: Store, *, limit: int) -> list[UploadSummary]:
    """Return at most ``limit`` uploads from which no issue was created, the last changed first."""
    sql = f"select {_SUMMARY_COLUMNS} from uploads where issue_slug is null order by updated_at desc, id desc limit ?"  # noqa: S608
    return [UploadSummary(*row) for row in store.execute(sql, (limit,))]


def update(store: Store, upload: Upload, *, name: str, source: bytes, choices: bytes, now: int) -> None:
    """Replace the name, the text and the choices of an upload.

    Raises Conflict if the upload was changed or became an issue meanwhile.
    """
    cursor = store.execute(
        """
        update uploads set name = ?, source = ?, choices = ?, revision = revision + 1, updated_at = ?
        where id = ? and revision = ? and issue_slug is null
        """,
        (name, source, choices, now, upload.id, upload.revision),
    )
    if not cursor.rowcount:
        raise Conflict(Message("this text was changed in another window meanwhile"))


def mark_created(store: Store, upload_id: int, slug: str, *, now: int) -> None:
    """Record the issue that was created from an upload, and delete the uploaded text."""
    store.execute(
        "update uploads set issue_slug = ?, source = ?, choices = ?, updated_at = ? where id = ?",
        (slug, b"", b"{}", now, upload_id),
    )


def delete(store: Store, upload_id: int) -> None:
    """Delete an upload."""
    store.execute("delete from uploads where id = ?", (upload_id,))


def purge(store: Store, *, now: int) -> int:
    """Delete the uploads that were not changed for ``KEPT_DAYS`` days, and return their number."""
    return store.execute("delete from uploads where updated_at < ?", (now - KEPT_DAYS * DAY_SECONDS,)).rowcount
