"""All SQL, by subject; the rest of the program sees plain values."""

from shortener.store.database import Store, open_reader, open_store, prepare_directory

__all__ = ["Store", "open_reader", "open_store", "prepare_directory"]
