"""SQL for leases on PostgreSQL. A lease is held by at most one process of all machines, and for a limited time.

Times are those of the database's clock, so the clocks of the machines do not matter.
"""

from shortener.store.database import Store

_NOW_MS = "cast(extract(epoch from clock_timestamp()) * 1000 as bigint)"


def take(store: Store, name: str, *, holder: str, seconds: float) -> int | None:
    """Take or renew a lease, which one process of all machines can hold, for ``seconds``. Return its epoch.

    The epoch is a number that grows whenever the lease passes to another holder. Return None if another holder has the
    lease.
    """
    values = {"name": name, "holder": holder, "ms": int(seconds * 1000)}
    with store.transaction():
        row = store.execute(
            f"""
            insert into leases (name, holder, until_ms, epoch) values (:name, :holder, {_NOW_MS} + :ms, 1)
            on conflict (name) do update set
                holder = excluded.holder, until_ms = excluded.until_ms,
                epoch = leases.epoch + case when leases.holder = excluded.holder then 0 else 1 end
            where leases.holder = excluded.holder or leases.until_ms < {_NOW_MS}
            returning epoch
            """,  # noqa: S608
            values,
        ).fetchone()
    return int(row[0]) if row else None


def is_held(store: Store, name: str, *, holder: str, epoch: int) -> bool:
    """Return whether the process ``holder`` still has the lease in this epoch. The row is locked until the end of the
    transaction.
    """
    row = store.execute("select holder, epoch from leases where name = ? for update", (name,)).fetchone()
    return row is not None and tuple(row) == (holder, epoch)


def holder(store: Store, name: str) -> str | None:
    """Return which process holds a lease at present; None if none does."""
    value = store.value(f"select holder from leases where name = ? and until_ms >= {_NOW_MS}", (name,))  # noqa: S608
    return None if value is None else str(value)


def release(store: Store, name: str, *, holder: str) -> None:
    """End a lease now, if the process ``holder`` has it."""
    store.execute("update leases set until_ms = 0 where name = ? and holder = ?", (name, holder))
