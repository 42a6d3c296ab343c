"""The collector process, which moves clicks from the click log into the store."""

import logging
from functools import partial

from shortener.collector.other_collector import collect
from shortener.config import Config
from shortener.errors import AlreadyRunning, ShortenerError, StoreUnavailable
from shortener.remedies import error_message
from shortener.server.links_feed import start_feed
from shortener.server.process import MachineRole, Stop, Task
from shortener.store import Store, open_store

RETRY_SECONDS = 1.0

log = logging.getLogger(__name__)


def run(task: Task) -> None:
    """Move clicks from the click log into the store until SIGTERM."""
    stop = Stop()
    store = _wait_for_store(task.config, stop=stop)
    if store is None:
        return
    if task.role == "serve":  # on a centre the sender has the feed, and sends the click log
        start_feed(task.config)
    on_wait = partial(_log_wait, role=task.role)
    collect(store, config=task.config, own_log=task.role == "serve", stop=stop, on_wait=on_wait)


def _log_wait(error: ShortenerError, *, role: MachineRole) -> None:
    log.info("%s; waiting for it to end; no clicks are lost, they stay in the click log", error_message(error))
    if role == "serve" and isinstance(error, AlreadyRunning):
        log.info("with `shortener centre` or `shortener node`, this machine would send its clicks to the collector")


def _wait_for_store(config: Config, *, stop: Stop) -> Store | None:
    reported = False
    while True:
        try:
            return open_store(config.data_directory, url=config.storage.url, create=False)
        except StoreUnavailable as error:
            if not reported:
                log.error("%s; trying again; no clicks are lost, they stay in the click log", error)
            reported = True
            if stop.wait(RETRY_SECONDS):
                return None
