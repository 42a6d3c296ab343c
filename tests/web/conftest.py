"""Fixtures: an installation with editor pages, and browsers in which its users are signed in."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from shortener.app import build_pages_app
from shortener.collector.other_collector import drain_once
from shortener.config import Config, Domain, Site, Storage
from shortener.services import accounts
from shortener.services.add_issue import AddRequest, add_or_update_issue
from shortener.store import Store, open_store

BASE = "https://go.example"
OURS = {"Sec-Fetch-Site": "same-origin"}
PASSWORD = "a sentence for tests"
NOW = 1_800_000_000
HASH = "scrypt:128:1:1"
"""Parameters of a cheap password hash; the real one takes a tenth of a second for each user."""
ISSUE = """\
# May: songs and sieves

Read it [in your browser](https://a.example/may).

## Picks

[![A whale](whale.jpg)](https://a.example/whales)

### [Counting whales](https://a.example/whales) by [Ingrid](https://a.example/people/ingrid)

How to count them.

[**Read more**](https://a.example/whales)

[![A jar](jar.jpg)](https://a.example/sieve)

### [A cheaper sieve](https://a.example/sieve) by [Mateo](https://a.example/people/mateo)

What it costs.

[**Read more**](https://a.example/sieve)

[Unsubscribe](*|UNSUB|*) or write to [us](mailto:us@a.example).
"""


class EditorSite:
    """Installation with editor pages over https, and its store."""

    def __init__(self, directory: Path, *, url: str = "") -> None:
        self.config = Config(
            site=Site(base_url=BASE, name="Low Tide"),
            domain=(Domain(host="go.example"), Domain(host="b.example", case_sensitive=True)),
            storage=Storage(data=str(directory), url=url),
        )
        self.store: Store = open_store(self.config.data_directory, url=url)
        self.app: Flask = build_pages_app(self.config)
        self.app.testing = False

    def add_users(self) -> None:
        """Add one user for each role, named like the role."""
        for role in accounts.ROLES:
            accounts.add_user(self.store, role, role=role, password=PASSWORD, now=NOW)

    def browser(self) -> "Browser":
        """Return a browser without cookies."""
        return Browser(self.app.test_client())

    def client(self, role: str) -> "Browser":
        """Return a browser in which the user of ``role`` is signed in."""
        browser = self.browser()
        response = browser.post("/-/sign-in", {"name": role, "password": PASSWORD})
        assert response.status_code == 303, response.text
        return browser

    def add_issue(self, source: str = ISSUE, slug: str = "may", sent_at: int | None = NOW - 86_400) -> None:
        """Add an issue with 200 recipients; ``sent_at`` is None for a draft."""
        request = AddRequest(source=source.encode(), filename="may.md", slug=slug, sent_at=sent_at, recipients=200)
        add_or_update_issue(self.store, request, config=self.config, now=NOW - 90_000)

    def write_clicks(self, lines: list[str]) -> None:
        """Append lines to the click log and let the collector store them."""
        directory = self.config.data_directory / "clicklog"
        directory.mkdir(exist_ok=True)
        with (directory / "readers.jsonl").open("a", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in lines)
        drain_once(self.store, config=self.config)


class Browser:
    """Test client that sends the Host header and the Sec-Fetch-Site header of the site's own pages."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def get(self, path: str, **headers: str) -> TestResponse:
        """Send a GET request."""
        return self.client.get(path, base_url=BASE, headers=headers)

    def post(self, path: str, data: dict[str, Any] | None = None, **headers: str) -> TestResponse:
        """Send a form; with ``headers`` instead of the header that marks it as our own."""
        headers = headers or OURS
        if not any(isinstance(value, FileStorage) for value in (data or {}).values()):
            return self.client.post(path, base_url=BASE, data=data or {}, headers=headers)
        boundary, body = encode_multipart(data or {})
        content_type = f"multipart/form-data; boundary={boundary}"
        return self.client.post(path, base_url=BASE, data=body, content_type=content_type, headers=headers)


@pytest.fixture
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Use a password hash that takes little time."""
    monkeypatch.setattr(accounts, "_HASH_METHOD", HASH)
    accounts._dummy_hash.cache_clear()
    yield
    accounts._dummy_hash.cache_clear()


@pytest.fixture
def empty_site(tmp_path: Path, cheap_hashes: None, store_url: str) -> Iterator[EditorSite]:
    """Installation without users, issues and links."""
    site = EditorSite(tmp_path / "data", url=store_url)
    yield site
    site.store.close()
    site.app.extensions["connection_pool"].close()


@pytest.fixture
def site(empty_site: EditorSite) -> EditorSite:
    """Installation with a user of each role."""
    empty_site.add_users()
    return empty_site


@pytest.fixture
def site_with_issue(site: EditorSite) -> EditorSite:
    """Installation with a user of each role and the issue ``may``, sent a day before NOW."""
    site.add_issue()
    return site
