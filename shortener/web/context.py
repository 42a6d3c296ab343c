"""Who is asking: the store, the configuration and the signed-in user of the request that is being answered."""

import functools
import queue
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from flask import Flask, abort, current_app, g, redirect, request, url_for

from shortener.config import Config
from shortener.errors import StoreError
from shortener.redirect.client_ip import ClientIPResolver
from shortener.services import accounts
from shortener.store import Store, open_store
from shortener.store.accounts import Role, User
from shortener.web.security import cookie_name

View = TypeVar("View", bound=Callable[..., Any])

SESSION_COOKIE = "session"
MAX_TOKEN_LENGTH = 100  # characters; ours have 43
POOL_SIZE = 4
"""Connections that wait for the next request."""
BUSY_TIMEOUT_SECONDS = 5.0
"""How long a page waits for another writer."""


class ConnectionPool:
    """Open connections to the store, each used by one request at a time."""

    def __init__(self, data_directory: Path) -> None:
        self._data_directory = data_directory
        self._idle: queue.LifoQueue[Store] = queue.LifoQueue(POOL_SIZE)

    def acquire(self) -> Store:
        """A connection to the store that is in place now. Raises StoreError."""
        while True:
            try:
                store = self._idle.get_nowait()
            except queue.Empty:
                return open_store(
                    self._data_directory, create=False, busy_timeout_seconds=BUSY_TIMEOUT_SECONDS
                )
            try:
                store.check_not_replaced()
            except StoreError:
                store.close()
            else:
                return store

    def release(self, store: Store) -> None:
        """Keep a connection for the next request, or close it where enough are kept."""
        if store.db.conn.in_transaction:
            store.db.conn.rollback()
        try:
            self._idle.put_nowait(store)
        except queue.Full:
            store.close()

    def close(self) -> None:
        """Close what waits."""
        while not self._idle.empty():
            self._idle.get_nowait().close()


def init_app(app: Flask, *, config: Config) -> None:
    """Give every request of the app its store, and take it back behind it."""
    pool = app.extensions["connection_pool"] = ConnectionPool(config.data_directory)
    app.extensions["clients"] = ClientIPResolver(config.server.trusted_proxies)

    def release(_error: BaseException | None) -> None:
        store = g.pop("store", None)
        if store is not None:
            pool.release(store)

    app.teardown_appcontext(release)


def config() -> Config:
    """The configuration."""
    found: Config = current_app.extensions["config"]
    return found


def store() -> Store:
    """This request's connection to the store."""
    if "store" not in g:
        g.store = current_app.extensions["connection_pool"].acquire()
    found: Store = g.store
    return found


def now() -> int:
    """The time of the request, seconds of UTC epoch."""
    if "now" not in g:
        g.now = int(time.time())
    found: int = g.now
    return found


def client_address() -> str:
    """The client's address, through the proxies that the operator trusts."""
    clients: ClientIPResolver = current_app.extensions["clients"]
    return clients.resolve(request.remote_addr or "", request.headers.get("X-Forwarded-For"))


def current_user_or_none() -> User | None:
    """Who is signed in, or None."""
    if "user" not in g:
        token = request.cookies.get(cookie_name(SESSION_COOKIE), "")
        known = bool(token) and len(token) <= MAX_TOKEN_LENGTH and token.isascii()
        g.user = accounts.session_user(store(), token, now=now()) if known else None
    found: User | None = g.user
    return found


def current_user() -> User:
    """Who is signed in, on a page that only they can ask for."""
    found = current_user_or_none()
    if found is None:
        abort(401)
    return found


def role_required(role: Role) -> Callable[[View], View]:
    """Let only users of this role or more see a page; others are asked to sign in, or told that they may not."""

    def wrap(view: View) -> View:
        @functools.wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            found = current_user_or_none()
            if found is None:
                return _require_sign_in()
            if not accounts.role_allows(found.role, role):
                abort(403, f"This needs the role {role}; you are signed in as {found.role}.")
            return view(*args, **kwargs)

        guarded.role = role  # type: ignore[attr-defined]
        return guarded  # type: ignore[return-value]

    return wrap


def _require_sign_in() -> Any:
    if request.method != "GET" or wants_data():
        abort(401, "Sign in first.")
    here = quote(request.full_path.removesuffix("?"), safe="/?=&%+:@!$'()*,;-._~")
    return redirect(url_for("accounts.sign_in", next=here), 303)


def wants_data() -> bool:
    """Whether a program asks, to which a page would say nothing."""
    return request.path.endswith((".json", ".csv", "/live", ".png", ".svg"))
