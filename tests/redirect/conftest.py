"""A redirector with its data directory, and a stand-in for the pages behind it."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shortener.clicklog.reader import ClickLog
from shortener.config import Config
from shortener.redirect.redirector import MISS_STATUS_KEY, RedirectMiddleware
from shortener.store import Store, links, open_store

NOON = 1_795_521_600.0
"""12:00 UTC of 2026-11-24."""


class Site:
    """A data directory with a few links, and the WSGI middleware that redirects them."""

    def __init__(self, directory: Path) -> None:
        self.data = directory / "data"
        self.store: Store = open_store(self.data)
        self.now = NOON
        self.middleware: RedirectMiddleware | None = None
        self.configure({})

    def configure(self, tables: dict[str, Any]) -> None:
        """Replace the middleware by one with these tables of the configuration."""
        if self.middleware is not None:
            self.middleware.close()
        defaults = {
            "storage": {"data": str(self.data)},
            "domain": [{"host": "go.example"}, {"host": "Case.Example", "case_sensitive": True}],
        }
        self.config = msgspec.convert(defaults | tables, Config)
        self.middleware = RedirectMiddleware(self._page, config=self.config, clock=lambda: self.now)

    @staticmethod
    def _page(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response(f"200 page because of {environ.get(MISS_STATUS_KEY)}", [])
        return [b"page"]

    def add(
        self, code: str, target: str = "https://example.com/a", *, domain: str = "go.example", **columns: Any
    ) -> None:
        """Store a link and set further columns."""
        with self.store.transaction():
            link_id = links.add(self.store, domain, code, target=target, now=0)
            for column, value in columns.items():
                self.store.execute(f"update links set {column} = ? where id = ?", (value, link_id))

    def change(self, sql: str, *parameters: Any) -> None:
        """Run and commit a statement."""
        with self.store.transaction():
            self.store.execute(sql, parameters)

    def get(
        self,
        path: str,
        *,
        host: str = "go.example",
        method: str = "GET",
        peer: str = "203.0.113.77",
        **headers: str,
    ) -> "Reply":
        """Send a request; ``headers`` have WSGI names without ``HTTP_``."""
        path, _, query = path.partition("?")
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": _wsgi_text(path),
            "QUERY_STRING": query,
            "REMOTE_ADDR": peer,
            "wsgi.url_scheme": "http",
        } | {f"HTTP_{name}": _wsgi_text(value) for name, value in headers.items()}
        if host:
            environ["HTTP_HOST"] = host
        reply = Reply()
        assert self.middleware is not None
        reply.body = b"".join(self.middleware(environ, reply.start))
        return reply

    def lines(self) -> list[dict[str, Any]]:
        """Return all lines of the click log without absent keys."""
        log = ClickLog(self.data)
        lines: list[dict[str, Any]] = []
        for segment in log.segments():
            segment_lines, progress = log.read(segment, position=0, skipping=False)
            assert progress.skips == []
            lines += [msgspec.to_builtins(line) for line in segment_lines]
        return lines


class Reply:
    """A response of the middleware."""

    status = ""
    body = b""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}

    def start(self, status: str, headers: list[tuple[str, str]]) -> None:
        """Receive status and headers, as WSGI's ``start_response``."""
        self.status, self.headers = status, dict(headers)
        assert len(headers) == len(self.headers)

    @property
    def code(self) -> str:
        """The status code, or the reason why a page responded (``page because of 404``)."""
        return self.status.removeprefix("200 ") if "page" in self.status else self.status.partition(" ")[0]


def _wsgi_text(text: str) -> str:
    """Return text as WSGI passes it: UTF-8 bytes as Latin-1 characters."""
    return text.encode("utf-8", "surrogatepass").decode("latin-1")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A site with the link ``abcde`` on its first domain and ``AbCdE`` on its second."""
    site = Site(tmp_path)
    site.add("abcde")
    site.add("AbCdE", "https://example.com/case", domain="case.example")
    yield site
    assert site.middleware is not None
    site.middleware.close()
    site.store.close()
