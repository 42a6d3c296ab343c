"""The context of the current request: configuration, store connection, time, client address and signed-in user."""

import functools
import queue
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote

from flask import Flask, abort, current_app, g, redirect, request, url_for

from shortener.config import Config
from shortener.errors import StoreError
from shortener.redirect.normalize import Normalizer
from shortener.services import accounts
from shortener.settings import with_settings
from shortener.store import Store, open_store, settings
from shortener.store.accounts import Role, User
from shortener.web.languages import gettext as _
from shortener.web.languages import translated_text
from shortener.web.security import cookie_name

View = TypeVar("View", bound=Callable[..., Any])

SESSION_COOKIE = "session"
MAX_TOKEN_LENGTH = 100  # characters; our tokens have 43
POOL_SIZE = 4
"""Largest number of idle store connections that are kept open for later requests."""
BUSY_TIMEOUT_SECONDS = 5.0
"""Longest wait of a page for another process that is writing to the store."""


class ConnectionPool:
    """Pool of open store connections, each used by one request at a time."""

    def __init__(self, open_connection: Callable[[], Store]) -> None:
        self._open = open_connection
        self._idle: queue.LifoQueue[Store] = queue.LifoQueue(POOL_SIZE)

    def acquire(self) -> Store:
        """Return an idle connection, or open a new one. Raises StoreError."""
        while True:
            try:
                store = self._idle.get_nowait()
            except queue.Empty:
                return self._open()
            try:
                store.check_not_replaced()
            except StoreError:
                store.close()
            else:
                return store

    def release(self, store: Store) -> None:
        """Return a connection to the pool, or close it if the pool is full."""
        store.roll_back()
        try:
            self._idle.put_nowait(store)
        except queue.Full:
            store.close()

    def close(self) -> None:
        """Close all idle connections."""
        while not self._idle.empty():
            self._idle.get_nowait().close()


class CurrentConfig:
    """The configuration, including the settings that editors have stored.

    ``file_config`` is the configuration without these settings. ``on_change`` is called when ``read`` finds new
    settings.
    """

    def __init__(self, config: Config) -> None:
        self.file_config = config
        self.on_change: Callable[[], object] = lambda: None
        self._latest: tuple[dict[str, str], Config] = ({}, config)

    @property
    def latest(self) -> Config:
        """The configuration that ``read`` returned last; before the first call, ``file_config``."""
        return self._latest[1]

    def read(self, store: Store) -> Config:
        """Read the stored settings, and return the configuration with them."""
        stored = settings.read(store)
        if stored != self._latest[0]:
            self._latest = (stored, with_settings(self.file_config, stored))
            self.on_change()
        return self.latest


def init_app(app: Flask, *, config: Config, open_connection: Callable[[], Store] | None = None) -> None:
    """Create the configuration and the connection pool of an app.

    ``open_connection`` opens a store connection, by default to the store that the configuration names.
    """
    app.extensions["config"] = CurrentConfig(config)
    opener = open_connection or partial(
        open_store,
        config.data_directory,
        url=config.storage.url,
        create=False,
        busy_timeout_seconds=BUSY_TIMEOUT_SECONDS,
    )
    pool = app.extensions["connection_pool"] = ConnectionPool(opener)
    app.extensions["normalizer"] = Normalizer(config)

    def release_store(_error: BaseException | None) -> None:
        store = g.pop("store", None)
        if store is not None:
            pool.release(store)

    app.teardown_appcontext(release_store)


def config() -> Config:
    """Return the configuration for this request, including the settings that editors have stored.

    If the store cannot be read, the last known settings are used.
    """
    if "config" not in g:
        current: CurrentConfig = current_app.extensions["config"]
        try:
            g.config = current.read(store())
        except StoreError:
            g.config = current.latest
    request_config: Config = g.config
    return request_config


def file_config() -> Config:
    """Return the configuration of the current app without the settings in the store."""
    current: CurrentConfig = current_app.extensions["config"]
    return current.file_config


def store() -> Store:
    """Return the store connection of this request, opened at its first use. Raises StoreError."""
    if "store" not in g:
        g.store = current_app.extensions["connection_pool"].acquire()
    request_store: Store = g.store
    return request_store


def connection_pool() -> ConnectionPool:
    """Return the connection pool of the current app, for threads that go on after the request."""
    pool: ConnectionPool = current_app.extensions["connection_pool"]
    return pool


def now() -> int:
    """Return the time of this request in seconds of the UTC epoch. It does not change during the request."""
    if "now" not in g:
        g.now = int(time.time())
    request_time: int = g.now
    return request_time


def client_address() -> str:
    """Return the client's IP address, as reported by trusted proxies if there are any."""
    normalizer: Normalizer = current_app.extensions["normalizer"]
    return normalizer.client_address(request.remote_addr or "", request.headers.get("X-Forwarded-For"))


def current_user_or_none() -> User | None:
    """Return the signed-in user of this request, or None."""
    if "user" not in g:
        token = request.cookies.get(cookie_name(SESSION_COOKIE), "")
        plausible = bool(token) and len(token) <= MAX_TOKEN_LENGTH and token.isascii()
        g.user = accounts.session_user(store(), token, now=now()) if plausible else None
    user: User | None = g.user
    return user


def account_language() -> str:
    """Return the tag of the language that the signed-in user has chosen, or '' if it is unknown."""
    try:
        user = current_user_or_none()
    except StoreError:
        return ""
    return user.language if user else ""


def current_user() -> User:
    """Return the signed-in user of this request. Without one, end the request with status 401."""
    user = current_user_or_none()
    if user is None:
        abort(401)
    return user


def role_required(role: Role) -> Callable[[View], View]:
    """Return a decorator for views that only users with ``role`` or a higher role may use."""

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            user = current_user_or_none()
            if user is None:
                return _require_sign_in()
            if not accounts.role_allows(user.role, role):
                abort(403, _explain_role(role))
            return view(*args, **kwargs)

        # Tests and the reference of the routes read this attribute.
        guarded.role = role  # type: ignore[attr-defined]
        return guarded  # type: ignore[return-value]

    return decorate


def _explain_role(role: Role) -> str:
    return translated_text(
        _("Only admins can do this.") if role == "admin" else _("Only editors and admins can do this.")
    )


def _require_sign_in() -> Any:
    if request.method != "GET" or wants_data():
        abort(401)
    next_url = quote(request.full_path.removesuffix("?"), safe="/?=&%+:@!$'()*,;-._~")
    return redirect(url_for("accounts.sign_in", next=next_url), 303)


def wants_data() -> bool:
    """Return whether the request is for data or an image instead of a page."""
    return request.path.endswith((".json", ".csv", "/live", ".png", ".svg"))
