"""SQL for leases on PostgreSQL. A lease is held by at most one process of all machines, and for a limited time."""

import contextlib
import time

from shortener.errors import LeaseLost, StoreError
from shortener.store.database import Store

LEASE_SECONDS = 10.0
"""Time after which another process may take a lease that was not renewed."""
RENEWAL_SECONDS = 3.0
"""Time after which a lease is renewed while its holder has no transactions."""
PAUSE_SECONDS = 20.0
"""Longest time without a statement in a transaction of a holder, whose process may have been stopped."""
# Times are those of the database's clock, so the clocks of the machines do not matter.
_NOW_MS = "cast(extract(epoch from clock_timestamp()) * 1000 as bigint)"


def take(store: Store, name: str, *, holder: str, seconds: float) -> int | None:
    """Take a lease, and return its epoch: how often the lease was taken so far.

    Return None if another process holds the lease.
    """
    # Unlike the insertion, this does not wait for open transactions of the holder.
    if current_holder(store, name) not in {None, holder}:
        return None
    values = {"name": name, "holder": holder, "ms": int(seconds * 1000)}
    row = store.execute(
        f"""
        insert into leases (name, holder, until_ms, epoch) values (:name, :holder, {_NOW_MS} + :ms, 1)
        on conflict (name) do update set
            holder = excluded.holder, until_ms = excluded.until_ms,
            epoch = leases.epoch + 1
        where leases.holder = excluded.holder or leases.until_ms < {_NOW_MS}
        returning epoch
        """,  # noqa: S608
        values,
    ).fetchone()
    return int(row[0]) if row else None


def renew(store: Store, name: str, *, holder: str, epoch: int, seconds: float) -> bool:
    """Renew a lease for ``seconds``. Return False if another process has taken it meanwhile."""
    # Inside a transaction the row stays locked, so no other process can take the lease before the transaction ends.
    values = {"name": name, "holder": holder, "epoch": epoch, "ms": int(seconds * 1000)}
    cursor = store.execute(
        f"update leases set until_ms = {_NOW_MS} + :ms where name = :name and holder = :holder and epoch = :epoch",  # noqa: S608
        values,
    )
    return cursor.rowcount == 1


def limit_pauses(store: Store, *, seconds: float) -> None:
    """Let PostgreSQL close the connection if the open transaction is idle for ``seconds``."""
    # A process pauses, for example, while it is suspended.
    milliseconds = str(int(seconds * 1000))
    store.execute("select set_config('idle_in_transaction_session_timeout', ?, true)", (milliseconds,))


def current_holder(store: Store, name: str) -> str | None:
    """Return the name of the process that holds a lease; None if the lease is free."""
    value = store.value(f"select holder from leases where name = ? and until_ms >= {_NOW_MS}", (name,))  # noqa: S608
    return None if value is None else str(value)


def release(store: Store, name: str, *, holder: str) -> None:
    """End a lease now, if the process ``holder`` has it."""
    store.execute("update leases set until_ms = 0 where name = ? and holder = ?", (name, holder))


class Lease:
    """A lease that this process holds until ``release`` is called.

    A transaction raises LeaseLost if another process has taken the lease.
    """

    def __init__(self, store: Store, name: str, *, holder: str, epoch: int) -> None:
        self._store = store
        self._name = name
        self._holder = holder
        self._epoch = epoch
        self._renewed_at = time.monotonic()
        store.check_transaction = self._renew  # each transaction renews the lease

    @classmethod
    def take(cls, store: Store, name: str, *, holder: str) -> "Lease | None":
        """Take a lease, or return None if another process holds it.

        A lease of an earlier process with the name ``holder`` is taken over.
        """
        # The earlier process must have ended, so that only one holds the lease.
        epoch = take(store, name, holder=holder, seconds=LEASE_SECONDS)
        return None if epoch is None else cls(store, name, holder=holder, epoch=epoch)

    def renew_if_due(self) -> None:
        """Renew the lease if it was not renewed in the last ``RENEWAL_SECONDS``; each transaction renews it too.

        Raises LeaseLost if another process has taken the lease.
        """
        if time.monotonic() - self._renewed_at >= RENEWAL_SECONDS:
            self._renew()

    def _renew(self) -> None:
        if self._store.connection.in_transaction:
            limit_pauses(self._store, seconds=PAUSE_SECONDS)
        if not renew(self._store, self._name, holder=self._holder, epoch=self._epoch, seconds=LEASE_SECONDS):
            raise LeaseLost(f"another process has become the {self._name}, because this one paused")
        self._renewed_at = time.monotonic()

    def release(self) -> None:
        """End the lease, so that another process can take it at once."""
        self._store.check_transaction = None
        # If the store cannot be reached, the lease ends by itself.
        with contextlib.suppress(StoreError):
            release(self._store, self._name, holder=self._holder)
