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
from shortener.redirect.client_ip import Clients
from shortener.services import accounts
from shortener.store import Store, open_store
from shortener.store.accounts import Role, User
from shortener.web.security import cookie_name

View = TypeVar("View", bound=Callable[..., Any])

SESSION_COOKIE = "session"
MAX_TOKEN = 100  # characters; ours have 43
KEPT_STORES = 4
"""Connections that wait for the next request."""
BUSY_SECONDS = 5.0
"""How long a page waits for another writer."""


class Stores:
    """Open connections to the store, each used by one request at a time."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._free: queue.LifoQueue[Store] = queue.LifoQueue(KEPT_STORES)

    def take(self) -> Store:
        """A connection to the store that is in place now. Raises StoreError."""
        while True:
            try:
                store = self._free.get_nowait()
            except queue.Empty:
                return open_store(self._data, create=False, busy_seconds=BUSY_SECONDS)
            try:
                store.check_in_place()
            except StoreError:
                store.close()
            else:
                return store

    def give_back(self, store: Store) -> None:
        """Keep a connection for the next request, or close it where enough are kept."""
        if store.db.conn.in_transaction:
            store.db.conn.rollback()
        try:
            self._free.put_nowait(store)
        except queue.Full:
            store.close()

    def close(self) -> None:
        """Close what waits."""
        while not self._free.empty():
            self._free.get_nowait().close()


def prepare(app: Flask, *, config: Config) -> None:
    """Give every request of the app its store, and take it back behind it."""
    stores = app.extensions["stores"] = Stores(config.data)
    app.extensions["clients"] = Clients(config.server.trusted_proxies)

    def give_back(_error: BaseException | None) -> None:
        store = g.pop("store", None)
        if store is not None:
            stores.give_back(store)

    app.teardown_appcontext(give_back)


def config() -> Config:
    """The configuration."""
    found: Config = current_app.extensions["shortener"]
    return found


def store() -> Store:
    """This request's connection to the store."""
    if "store" not in g:
        g.store = current_app.extensions["stores"].take()
    found: Store = g.store
    return found


def now() -> int:
    """The time of the request, seconds of UTC epoch."""
    if "now" not in g:
        g.now = int(time.time())
    found: int = g.now
    return found


def address() -> str:
    """The client's address, through the proxies that the operator trusts."""
    clients: Clients = current_app.extensions["clients"]
    return clients.address(request.remote_addr or "", request.headers.get("X-Forwarded-For"))


def user() -> User | None:
    """Who is signed in, or None."""
    if "user" not in g:
        token = request.cookies.get(cookie_name(SESSION_COOKIE), "")
        known = bool(token) and len(token) <= MAX_TOKEN and token.isascii()
        g.user = accounts.signed_in(store(), token, now=now()) if known else None
    found: User | None = g.user
    return found


def editor() -> User:
    """Who is signed in, on a page that only they can ask for."""
    found = user()
    if found is None:
        abort(401)
    return found


def needs(role: Role) -> Callable[[View], View]:
    """Let only users of this role or more see a page; others are asked to sign in, or told that they may not."""

    def wrap(view: View) -> View:
        @functools.wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            found = user()
            if found is None:
                return _sign_in_first()
            if not accounts.allows(found.role, role):
                abort(403, f"This needs the role {role}; you are signed in as {found.role}.")
            return view(*args, **kwargs)

        guarded.role = role  # type: ignore[attr-defined]
        return guarded  # type: ignore[return-value]

    return wrap


def _sign_in_first() -> Any:
    if request.method != "GET" or is_data():
        abort(401, "Sign in first.")
    here = quote(request.full_path.removesuffix("?"), safe="/?=&%+:@!$'()*,;-._~")
    return redirect(url_for("accounts.sign_in", next=here), 303)


def is_data() -> bool:
    """Whether a program asks, to which a page would say nothing."""
    return request.path.endswith((".json", ".csv", "/live", ".png", ".svg"))
