"""The feed: copies changes of links and settings from PostgreSQL to this machine within a second."""

import contextlib
import threading
import time
from typing import TYPE_CHECKING

from shortener.config import Config
from shortener.errors import StoreError
from shortener.server.outage import OutageLog
from shortener.shared_memory import LINKS_SEEN_AT, SharedCounters, links_revision, sender_state
from shortener.store import open_node_reader
from shortener.store.links_copy import update_copy

if TYPE_CHECKING:
    from shortener.store.postgres_store import NodeReader

INTERVAL_SECONDS = 1.0
"""Longest time between two looks at the revision of the links, also without a notification of a change."""


def start_feed(config: Config, *, outage: OutageLog | None = None) -> None:
    """Start the thread that keeps this machine's copy of the links and settings up to date with PostgreSQL.

    Without PostgreSQL, nothing is started.
    """
    if config.storage.url:
        outage = outage or OutageLog("redirects use the local copy of the links until the store is back")
        # A process that edits links updates the copy of its machine itself. The feed adds edits made on other machines,
        # and those of a process that ended before it could update the copy.
        threading.Thread(target=_run, args=(config, outage), name="links feed", daemon=True).start()


def _run(config: Config, outage: OutageLog) -> None:
    with (
        contextlib.closing(links_revision(config.data_directory)) as shared,
        contextlib.closing(sender_state(config.data_directory)) as state,
    ):
        while True:
            try:
                with contextlib.closing(open_node_reader(config.storage.url, listening=True)) as reader:
                    _feed(reader, config, outage, shared=shared, state=state)
            except StoreError as error:
                outage.report(error)
            time.sleep(INTERVAL_SECONDS)


def _feed(
    reader: "NodeReader", config: Config, outage: OutageLog, *, shared: SharedCounters, state: SharedCounters
) -> None:
    while True:
        begun = int(time.time())
        revision = update_copy(reader, config.data_directory)
        if shared.values[0] != revision:
            shared.values[0] = revision
        state.values[LINKS_SEEN_AT] = begun
        outage.end()
        reader.wait_for_links(seconds=INTERVAL_SECONDS)
