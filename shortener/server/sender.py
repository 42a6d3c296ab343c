"""The process that sends this machine's click log to the store.

It also copies links and settings from the store.
"""

# It runs on redirect nodes, and on centres (nodes that also serve pages and collect clicks).
import logging
import random
import time
from contextlib import closing

from shortener.config import Config
from shortener.errors import StoreError
from shortener.node.sender import Sender
from shortener.server.links_feed import start_feed
from shortener.server.outage import OutageLog
from shortener.server.process import Stop, Task
from shortener.store import open_node_reader, open_store
from shortener.store.nodes import add

POLL_SECONDS = 0.2
RETRY_SECONDS = (0.5, 3.0)
"""Shortest and longest pause before the store is tried again. It is random, so that not all nodes do so at once."""
SHUTDOWN_SECONDS = 5.0
"""Longest time that the click log is still sent after SIGTERM."""

log = logging.getLogger(__name__)


def run(task: Task) -> None:
    """Send the click log to the store until SIGTERM, then send what is left of it."""
    stop = Stop()
    config = task.config
    outage = OutageLog("redirects use the local copy of the links, and clicks stay in the click log until it is back")
    start_feed(config, outage=outage)
    sender = Sender(config)
    while not stop():
        sender.destroy_expired_keys()
        try:
            if task.role == "centre":
                # A centre is a node too, because it sends its click log.
                _add_node(config)
            _send_new_clicks(sender, config, outage=outage, stop=stop)
        except StoreError as error:
            outage.report(error)
            stop.wait(random.uniform(*RETRY_SECONDS))  # noqa: S311
    _send_rest(sender, config)


def _add_node(config: Config) -> None:
    with closing(open_store(config.data_directory, url=config.storage.url, create=False)) as store:
        add(store, config.node.name, role="", now=int(time.time()))


def _send_new_clicks(sender: Sender, config: Config, *, outage: OutageLog, stop: Stop) -> None:
    with closing(open_node_reader(config.storage.url)) as reader:
        while not stop():
            sent = sender.send(reader)
            outage.end()
            sender.destroy_expired_keys()
            if not sent:
                stop.wait(POLL_SECONDS)


def _send_rest(sender: Sender, config: Config) -> None:
    until = time.monotonic() + SHUTDOWN_SECONDS
    try:
        with closing(open_node_reader(config.storage.url)) as reader:
            while sender.send(reader) and time.monotonic() < until:
                pass
    except StoreError as error:
        log.error("%s; remaining clicks stay in the click log until the next start", error)
