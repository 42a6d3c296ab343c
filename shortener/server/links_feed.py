"""The feed that copies edits of links from PostgreSQL to the local copy of the links, within a second."""

import contextlib
import logging
import threading
import time

from shortener.config import Config
from shortener.errors import StoreError
from shortener.shared_memory import SharedCounters, links_revision
from shortener.store import Reader, open_reader
from shortener.store.links_copy import update_copy

INTERVAL_SECONDS = 1.0
REPORT_SECONDS = 60.0
"""Shortest time between two log messages about a store that cannot be reached."""

log = logging.getLogger(__name__)


def start_feed(config: Config) -> None:
    """Start the thread that copies edits of links to the local copy, if the store is on PostgreSQL.

    A process that edits links updates the copy itself. The feed adds the edits of other machines, and of a process that
    ended before it could update the copy.
    """
    if config.storage.url:
        threading.Thread(target=_run, args=(config,), name="links feed", daemon=True).start()


def _run(config: Config) -> None:
    reported_at = 0.0
    with contextlib.closing(links_revision(config.data_directory)) as shared:
        while True:
            try:
                with contextlib.closing(open_reader(config.data_directory, url=config.storage.url)) as reader:
                    _feed(reader, config, shared)
            except StoreError as error:
                if time.monotonic() - reported_at > REPORT_SECONDS or not reported_at:
                    reported_at = time.monotonic()
                    log.error("%s; redirects use the local copy of the links until the store is back", error)
            time.sleep(INTERVAL_SECONDS)


def _feed(reader: Reader, config: Config, shared: SharedCounters) -> None:
    while True:
        revision = update_copy(reader, config.data_directory)
        if shared.values[0] != revision:
            shared.values[0] = revision
        time.sleep(INTERVAL_SECONDS)
