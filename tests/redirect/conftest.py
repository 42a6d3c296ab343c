"""A redirect handler in front of a page that only says that it was asked, and what stands in its click log."""

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
    """A data directory with a few links, and a handler over it."""

    def __init__(self, directory: Path) -> None:
        self.data = directory / "data"
        self.store: Store = open_store(self.data)
        self.now = NOON
        self.handler: RedirectMiddleware | None = None
        self.configure({})

    def configure(self, tables: dict[str, Any]) -> None:
        """Start again with these tables of the configuration."""
        if self.handler is not None:
            self.handler.close()
        usual = {
            "storage": {"data": str(self.data)},
            "domain": [{"host": "go.example"}, {"host": "Case.Example", "case_sensitive": True}],
        }
        self.config = msgspec.convert(usual | tables, Config)
        self.handler = RedirectMiddleware(self._page, config=self.config, clock=lambda: self.now)

    @staticmethod
    def _page(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response(f"200 page because of {environ.get(MISS_STATUS_KEY)}", [])
        return [b"page"]

    def add(
        self, code: str, target: str = "https://example.com/a", *, domain: str = "go.example", **facts: Any
    ) -> None:
        """Store a link; ``facts`` are columns to set."""
        with self.store.transaction():
            number = links.add(self.store, domain, code, target=target, now=0)
            for column, value in facts.items():
                self.store.execute(f"update links set {column} = ? where id = ?", (value, number))

    def change(self, sql: str, *parameters: Any) -> None:
        """Commit a change of the links."""
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
        """Ask; ``headers`` in WSGI's names without HTTP_."""
        path, _, query = path.partition("?")
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REMOTE_ADDR": peer,
            "wsgi.url_scheme": "http",
        } | {f"HTTP_{name}": value for name, value in headers.items()}
        if host:
            environ["HTTP_HOST"] = host
        reply = Reply()
        assert self.handler is not None
        reply.body = b"".join(self.handler(environ, reply.start))
        return reply

    def lines(self) -> list[dict[str, Any]]:
        """Everything that was written to the click log, without what is absent."""
        log, found = ClickLog(self.data), []
        for segment in log.segments():
            read, progress = log.read(segment, position=0, skipping=False)
            assert progress.skips == []
            found += [msgspec.to_builtins(line) for line in read]
        return found


class Reply:
    """What came back; ``page`` is why a page was asked for one (None: for no reason but its address)."""

    status = ""
    body = b""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}

    def start(self, status: str, headers: list[tuple[str, str]]) -> None:
        """WSGI's start_response."""
        self.status, self.headers = status, dict(headers)
        assert len(headers) == len(self.headers)

    @property
    def code(self) -> str:
        """The status, or ``page`` with the reason of the miss."""
        return self.status.removeprefix("200 ") if "page" in self.status else self.status.partition(" ")[0]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A site with the link ``abcde`` on its first domain and ``AbCdE`` on its second."""
    made = Site(tmp_path)
    made.add("abcde")
    made.add("AbCdE", "https://example.com/case", domain="case.example")
    yield made
    assert made.handler is not None
    made.handler.close()
    made.store.close()
