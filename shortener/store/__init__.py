"""The store: schema, migrations and all SQL, one module for each subject. Callers get plain values, never SQL."""

from shortener.store import quick_import  # noqa: F401 - before every other import of sqlite-utils
from shortener.store.database import (
    Reader,
    Store,
    open_links_copy,
    open_node_reader,
    open_reader,
    open_store,
    prepare_directory,
)

__all__ = ["Reader", "Store", "open_links_copy", "open_node_reader", "open_reader", "open_store", "prepare_directory"]
