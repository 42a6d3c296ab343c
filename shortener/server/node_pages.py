"""The process that serves a node's pages (previews, health, metrics and pages for readers) from local files."""

import contextlib
import threading
import time
from functools import partial

from flask import Flask

from shortener.config import Config
from shortener.errors import StoreError
from shortener.node_app import build_node_app
from shortener.server.pages import publish_again, serve_app
from shortener.server.process import Task
from shortener.shared_memory import links_revision
from shortener.store import open_links_copy
from shortener.web.published_pages import publish_reader_pages

INTERVAL_SECONDS = 1.0
"""Time between two looks at the revision of the links, which changes with the settings too."""


def run(task: Task) -> None:
    """Serve the pages of a redirect node (a server for redirects only) until SIGTERM."""
    # Worker processes receive all requests, and relay those for pages to this process.
    app = build_node_app(task.config)
    publish_reader_pages(app)
    app.extensions["config"].on_change = partial(publish_again, app)
    threading.Thread(target=_follow_settings, args=(app, task.config), name="settings", daemon=True).start()
    serve_app(app, task)


def _follow_settings(app: Flask, config: Config) -> None:
    # If settings have changed, ``read`` calls ``publish_again``, which writes the error pages for readers.
    seen = -1
    with contextlib.closing(links_revision(config.data_directory)) as shared:
        while True:
            revision = shared.values[0]
            if revision != seen:
                with (
                    contextlib.suppress(StoreError),
                    contextlib.closing(open_links_copy(config.data_directory)) as copy,
                ):
                    app.extensions["config"].read(copy)
                    seen = revision
            time.sleep(INTERVAL_SECONDS)
