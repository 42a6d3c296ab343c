"""Error pages that readers get if their link does not redirect.

Another process renders them into a file; redirect workers read that file.
"""

import logging
import os
from http import HTTPStatus
from pathlib import Path

import msgspec

from shortener.redirect.accept_language import choose_language
from shortener.redirect.responses import Response, text_response
from shortener.shared_memory import RUN_DIRECTORY, reader_pages_revision

STATUSES = (404, 410, 413, 503)
"""Misses, and a request body that is too large."""

RETRY_AFTER = ("Retry-After", "2")
"""Header of the page that says that no link can be read, such as on a node that has no copy of the links yet."""
PagesByLanguage = dict[str, dict[int, Response]]
"""Pages by language tag and status."""

_decode = msgspec.json.Decoder(PagesByLanguage).decode

log = logging.getLogger(__name__)


def publish(pages: PagesByLanguage, *, data_directory: Path) -> None:
    """Write the rendered error pages to the file from which workers read them. Raises OSError."""
    path = _path(data_directory)
    revision = reader_pages_revision(data_directory)
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_bytes(msgspec.json.encode(pages))
    draft.chmod(0o600)
    draft.replace(path)
    revision.values[0] += 1
    revision.close()


class ReaderPages:
    """The rendered error pages in the memory of one worker, read again when they have changed."""

    def __init__(self, data_directory: Path) -> None:
        self._path = _path(data_directory)
        self._shared_revision = reader_pages_revision(data_directory)
        self._revision = -1
        self._pages: PagesByLanguage = {}

    def get(self, status: int, *, accept_language: str | None) -> Response:
        """Return the error page for a status in the client's language; plain text if no pages are published."""
        revision = self._shared_revision.values[0]
        if revision != self._revision:
            self._revision = revision
            try:
                self._pages = _decode(self._path.read_bytes())
            except FileNotFoundError:
                self._pages = {}
            except (OSError, msgspec.DecodeError) as error:
                log.error("%s: %s", self._path, error)
        pages = self._pages.get(choose_language(accept_language, self._pages), {})
        more = [RETRY_AFTER] if status == HTTPStatus.SERVICE_UNAVAILABLE else []
        return pages.get(status) or text_response(status, HTTPStatus(status).phrase, *more)


def _path(data_directory: Path) -> Path:
    return data_directory / RUN_DIRECTORY / "reader-pages.json"
