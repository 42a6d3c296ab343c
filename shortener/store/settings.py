"""SQL for the settings that editors have changed in the web interface."""

from collections.abc import Iterable

from shortener.store.database import Reader, Store


def read(reader: Reader) -> dict[str, str]:
    """Return the stored settings as texts, by key, such as ``site.name``."""
    return dict(reader.execute("select name, value from settings").fetchall())


def put(store: Store, name: str, value: str) -> None:
    """Store a setting. The revision number of the links is incremented, so that other processes notice the change."""
    store.execute(
        "insert into settings (name, value) values (?, ?) on conflict (name) do update set value = excluded.value",
        (name, value),
    )
    store.add_to_meta("links_revision", 1)


def delete(store: Store, names: Iterable[str]) -> None:
    """Delete settings, so that their default values apply again."""
    for name in names:
        store.execute("delete from settings where name = ?", (name,))
    store.add_to_meta("links_revision", 1)
