"""SQL for redirect nodes: their list, what each reports of itself, and until when the stored clicks are complete.

All times are seconds of UTC epoch. ``sent_until`` is a time by the node's clock, as are the times of its clicks.
"""

from msgspec import Struct

from shortener.store.database import Reader, Store
from shortener.store.sql_text import column_list


class Node(Struct, frozen=True):
    """A redirect node.

    ``role`` is its role in the database, empty for a node that uses the store's own. ``heard_at`` is the time of its
    last report, None before the first. All clicks that it recorded before ``sent_until`` were sent to the inbox; it
    held ``backlog_bytes`` of its click log back at that report, and ``unrecorded`` clicks were never recorded.
    """

    name: str
    role: str
    added_at: int
    version: str
    heard_at: int | None
    sent_until: int | None
    links_revision: int
    backlog_bytes: int
    unrecorded: int
    disk_free: int


class Completeness(Struct, frozen=True):
    """Until when all clicks of all nodes are stored, and the node that is furthest behind.

    ``until`` is None if that node has sent nothing yet. ``heard_at`` is the time of that node's last report.
    """

    until: int | None
    node: str
    heard_at: int | None


_COLUMNS = column_list(Node)


def list_nodes(reader: Reader) -> list[Node]:
    """Return the nodes that were not removed, ordered by name."""
    sql = f"select {_COLUMNS} from nodes where removed_at is null order by name"  # noqa: S608
    return [Node(*row) for row in reader.execute(sql)]


def find(reader: Reader, name: str) -> Node | None:
    """Return the node with this name that was not removed, or None."""
    return next((node for node in list_nodes(reader) if node.name == name), None)


def add(store: Store, name: str, *, role: str, now: int) -> None:
    """Add a node, or add a removed one again. A node that exists only gets the role."""
    store.execute(
        """
        insert into nodes (name, role, added_at) values (:name, :role, :now)
        on conflict (name) do update set
            role = excluded.role, removed_at = null,
            added_at = case when nodes.removed_at is null then nodes.added_at else excluded.added_at end,
            heard_at = case when nodes.removed_at is null then nodes.heard_at end,
            sent_until = case when nodes.removed_at is null then nodes.sent_until end
        """,
        {"name": name, "role": role, "now": now},
    )


def remove(store: Store, name: str, *, now: int) -> None:
    """Mark a node as removed, so that no report waits for its clicks any more."""
    store.execute("update nodes set removed_at = ?, role = '' where name = ?", (now, name))


def report(reader: Reader, node: Node) -> bool:
    """Store what a node reports of itself (on PostgreSQL); return False if there is no such node: it was removed.

    ``heard_at`` is set by the clock of the database. The role and ``added_at`` stay as they are.
    """
    fields = ("version", "sent_until", "links_revision", "backlog_bytes", "unrecorded", "disk_free")
    changes = ", ".join(f"{name} = ?" for name in fields)
    cursor = reader.execute(
        f"update nodes set heard_at = cast(extract(epoch from clock_timestamp()) as bigint), {changes} "  # noqa: S608
        "where name = ? and removed_at is null",
        (*(getattr(node, name) for name in fields), node.name),
    )
    return cursor.rowcount == 1


def completeness(reader: Reader) -> Completeness | None:
    """Return until when the stored clicks are complete, or None if the store has no nodes.

    What a node has sent, but the collector has not read yet, counts as missing.
    """
    row = reader.execute(
        """
        select name, heard_at, until from (
            select name, heard_at, case when waiting < sent_until then waiting else sent_until end as until from (
                select name, heard_at, sent_until, coalesce(
                    (select min(recorded_after) from inbox where inbox.node = nodes.name), sent_until) as waiting
                from nodes where removed_at is null
            ) as sent
        ) as complete
        order by until is not null, until, name limit 1
        """
    ).fetchone()
    return Completeness(row[2], row[0], row[1]) if row else None


def add_local_key_days(store: Store, days: set[tuple[str, int]]) -> None:
    """Remember on which days (UTC, since 1970) nodes counted visitors with a key of their own, as (node, day)."""
    store.connection.execute_many(
        "insert into local_key_days (node, day) values (?, ?) on conflict do nothing", sorted(days)
    )


def local_key_days(reader: Reader, *, first_day: int, last_day: int) -> list[tuple[str, int]]:
    """Return the (node, day) with a key of the node's own among UTC days (since 1970), ordered by day."""
    sql = "select node, day from local_key_days where day between ? and ? order by day, node"
    return list(reader.execute(sql, (first_day, last_day)).fetchall())
