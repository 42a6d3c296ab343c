"""SQL for redirect nodes, the machines that answer short links. All times are seconds of the UTC epoch."""

from msgspec import Struct

from shortener.errors import NotFound
from shortener.store.database import Reader, Store
from shortener.store.sql_text import column_list


class Node(Struct, frozen=True):
    """A redirect node (machine that answers short links), with its last report. Times are seconds of the UTC epoch."""

    name: str
    role: str
    """Database role of the node; '' if it uses the role of the store."""
    added_at: int
    version: str
    heard_at: int | None
    """Time of the last report; None before the first."""
    sent_until: int | None
    """The node has sent all clicks from before this time of its own clock."""
    links_revision: int
    """Revision of the node's copy of the links."""
    backlog_bytes: int
    """Size of the unsent part of the click log."""
    unrecorded: int
    """Number of clicks that could not be written to the click log."""
    disk_free: int
    """Free disk space in bytes."""


class Completeness(Struct, frozen=True):
    """The time until which the stored clicks of all redirect nodes are complete. Times are seconds of the UTC epoch."""

    until: int | None
    """None if ``node`` has sent nothing yet."""
    node: str
    """Name of the node whose clicks are furthest behind."""
    heard_at: int | None
    """Time of the last report of ``node``; None before the first."""


_COLUMNS = column_list(Node)


def list_nodes(reader: Reader) -> list[Node]:
    """Return the redirect nodes, ordered by name. Removed nodes are left out."""
    sql = f"select {_COLUMNS} from nodes where removed_at is null order by name"  # noqa: S608
    return [Node(*row) for row in reader.execute(sql)]


def find(reader: Reader, name: str) -> Node | None:
    """Return the redirect node with this name; None if there is none or it was removed."""
    return next((node for node in list_nodes(reader) if node.name == name), None)


def get(reader: Reader, name: str) -> Node:
    """Return the redirect node with this name. Raises NotFound."""
    node = find(reader, name)
    if node is None:
        raise NotFound(f"{name}: there is no such node", kind="node_not_found")
    return node


def add(store: Store, name: str, *, role: str, now: int) -> None:
    """Add a redirect node, or add a removed one again. If the node exists, only its database role is changed."""
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
    """Mark a redirect node as removed, so that reports do not wait for its clicks any more."""
    store.execute("update nodes set removed_at = ?, role = '' where name = ?", (now, name))


def report(reader: Reader, node: Node) -> bool:
    """Store what a redirect node reports of itself. Return False if the node was removed."""
    # ``heard_at`` is the time of PostgreSQL, on which the store has to be.
    fields = ("version", "sent_until", "links_revision", "backlog_bytes", "unrecorded", "disk_free")
    changes = ", ".join(f"{name} = ?" for name in fields)
    cursor = reader.execute(
        f"update nodes set heard_at = cast(extract(epoch from clock_timestamp()) as bigint), {changes} "  # noqa: S608
        "where name = ? and removed_at is null",
        (*(getattr(node, name) for name in fields), node.name),
    )
    return cursor.rowcount == 1


def completeness(reader: Reader) -> Completeness | None:
    """Return until when the clicks of all redirect nodes are complete; None if the store has no nodes."""
    # Clicks in the inbox, which the collector has not read yet, count as missing.
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
    # The first parts of a new node were recorded after an unknown time, which they say as 0.
    return Completeness(row[2] or None, row[0], row[1]) if row else None


def add_local_key_days(store: Store, days: set[tuple[str, int]]) -> None:
    """Record on which days redirect nodes had no shared key for visitor hashes.

    ``days`` has pairs (node, UTC days since 1970).
    """
    # On these days, visitors may be counted twice.
    store.connection.execute_many(
        "insert into local_key_days (node, day) values (?, ?) on conflict do nothing", sorted(days)
    )


def local_key_days(reader: Reader, *, first_day: int, last_day: int) -> list[tuple[str, int]]:
    """Return on which days redirect nodes had no shared key for visitor hashes.

    The result has pairs (node, UTC days since 1970).
    """
    sql = "select node, day from local_key_days where day between ? and ? order by day, node"
    return list(reader.execute(sql, (first_day, last_day)).fetchall())
