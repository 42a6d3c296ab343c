"""Locks that prevent a second collector: a file lock in the data directory and, on PostgreSQL, a lease in the store."""

from pathlib import Path

from shortener.errors import AlreadyRunning
from shortener.files import open_locked
from shortener.store import Store
from shortener.store.leases import Lease, current_holder

LOCK_FILE = "collector.lock"
LEASE = "collector"
"""Name of the lease that the collector of a store on PostgreSQL holds, one of all machines."""


def acquire_lock(data_directory: Path) -> int:
    """Lock the data directory for a collector; return the file descriptor that holds the lock.

    Raises AlreadyRunning if another collector has locked it.
    """
    path = data_directory / LOCK_FILE
    fd = open_locked(path)
    if fd is None:
        raise AlreadyRunning(f"{path}: another collector is already running for this data directory")
    return fd


def check_other_lease(store: Store, holder: str) -> None:
    """Raise AlreadyRunning if the lease of the store belongs to another process than ``holder``."""
    other = current_holder(store, LEASE)
    if other not in {None, holder}:
        raise _already_running(other)


def take_lease(store: Store, holder: str) -> Lease:
    """Take the lease of the store for the process ``holder`` and return it.

    Raises AlreadyRunning if another process has it.
    """
    lease = Lease.take(store, LEASE, holder=holder)
    if lease is None:
        raise _already_running(current_holder(store, LEASE))
    return lease


def _already_running(holder: str | None) -> AlreadyRunning:
    machine = holder.partition(" ")[0] if holder else "another machine"
    return AlreadyRunning(f"the collector of {machine} is already running for this store")
