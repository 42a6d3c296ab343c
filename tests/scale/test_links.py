"""Two writers edit links at once, and one commits late: no copy of the links misses either change (D5)."""

import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

from shortener.files import LINKS_COPY_FILE_NAME
from shortener.store import open_store
from shortener.store.links_copy import update_copy
from tests.scale.conftest import Centre


def test_a_late_commit_is_not_missed(centre: Centre, tmp_path: Path) -> None:
    """The second writer waits for the first, so changes become visible in the order of their revisions."""
    change = "update links set target = ? where code = ?"
    first, second = (open_store(tmp_path / name, url=centre.config.storage.url) for name in ("first", "second"))
    with closing(first), closing(second):

        def copied() -> set[str]:
            (tmp_path / "copy").mkdir(exist_ok=True)
            update_copy(centre.store, tmp_path / "copy")
            with closing(sqlite3.connect(tmp_path / "copy" / LINKS_COPY_FILE_NAME)) as copy:
                rows = copy.execute("select target from links where target like 'https://new.example/%'")
                return {row[0].removeprefix("https://new.example/") for row in rows}

        process = second.value("select pg_backend_pid()")
        first.connection.begin(locked=False)
        first.execute(change, ("https://new.example/one", "one"))
        writer = threading.Thread(target=second.execute, args=(change, ("https://new.example/two", "two")))
        writer.start()
        deadline = time.monotonic() + 30
        while not centre.store.value("select 1 from pg_locks where pid = ? and not granted", (process,)):
            assert time.monotonic() < deadline
            assert writer.is_alive()
        assert copied() == set()
        first.connection.commit()
        writer.join(30)
        assert copied() == {"one", "two"}


def test_a_copy_of_another_version_is_replaced(centre: Centre, tmp_path: Path) -> None:
    """All tables of the copy are created again, and all links are copied."""
    update_copy(centre.store, tmp_path)
    with closing(sqlite3.connect(tmp_path / LINKS_COPY_FILE_NAME)) as copy:
        codes = copy.execute("select code from links order by code").fetchall()
        copy.execute("delete from links")
        copy.execute("pragma user_version = 99")
        copy.commit()
    update_copy(centre.store, tmp_path)
    with closing(sqlite3.connect(tmp_path / LINKS_COPY_FILE_NAME)) as copy:
        assert copy.execute("select code from links order by code").fetchall() == codes
        assert ("one",) in codes
