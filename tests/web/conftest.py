"""The editor pages over a newsletter with readers, and clients that are signed in."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from shortener.app import create_pages_app
from shortener.collector.collector import drain_once
from shortener.config import Config, Domain, Site, Storage
from shortener.services import accounts
from shortener.services.add_issue import AddRequest, add_or_update_issue
from shortener.store import Store, open_store

BASE = "https://go.example"
OURS = {"Sec-Fetch-Site": "same-origin"}
PASSWORD = "a sentence for tests"
NOW = 1_800_000_000
HASH = "scrypt:1024:8:1"
"""A cheap hash, so that each test does not cost a tenth of a second a user."""
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


class Desk:
    """The pages of one installation, over https; ``client(role)`` is a browser in which a user is signed in."""

    def __init__(self, directory: Path) -> None:
        self.config = Config(
            site=Site(base_url=BASE, name="Low Tide"),
            domain=(Domain(host="go.example"), Domain(host="b.example", case_sensitive=True)),
            storage=Storage(data=str(directory)),
        )
        self.store: Store = open_store(self.config.data_directory)
        self.app: Flask = create_pages_app(self.config)
        self.app.testing = False

    def users(self) -> None:
        """One user of each role, by the name of the role."""
        for role in accounts.ROLES:
            accounts.add_user(self.store, role, role=role, password=PASSWORD, now=NOW)

    def browser(self) -> "Browser":
        """A browser that knows nothing yet."""
        return Browser(self.app.test_client())

    def client(self, role: str) -> "Browser":
        """A browser in which the user of this role is signed in."""
        browser = self.browser()
        answer = browser.post("/-/sign-in", {"name": role, "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        return browser

    def take_in(self, source: str = ISSUE, slug: str = "may", sent_at: int | None = NOW - 86_400) -> None:
        """Take an issue in."""
        request = AddRequest(
            source=source.encode(), filename="may.md", slug=slug, sent_at=sent_at, recipients=200
        )
        add_or_update_issue(self.store, request, config=self.config, now=NOW - 90_000)

    def log(self, lines: list[str]) -> None:
        """Write lines into the click log and drain it."""
        directory = self.config.data_directory / "clicklog"
        directory.mkdir(exist_ok=True)
        with (directory / "readers.jsonl").open("a", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in lines)
        drain_once(self.store, config=self.config)


class Browser:
    """What a browser sends: our own host, and where a request comes from."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def get(self, path: str, **headers: str) -> TestResponse:
        """Follow a link."""
        return self.client.get(path, base_url=BASE, headers=headers)

    def post(self, path: str, data: dict[str, Any] | None = None, **headers: str) -> TestResponse:
        """Send a form of ours, or with other headers that of another site."""
        headers = headers or OURS
        if not any(isinstance(value, FileStorage) for value in (data or {}).values()):
            return self.client.post(path, base_url=BASE, data=data or {}, headers=headers)
        boundary, body = encode_multipart(data or {})
        kind = f"multipart/form-data; boundary={boundary}"
        return self.client.post(path, base_url=BASE, data=body, content_type=kind, headers=headers)


@pytest.fixture
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hash passwords at little cost."""
    monkeypatch.setattr(accounts, "_HASH_METHOD", HASH)
    accounts._dummy_hash.cache_clear()
    yield
    accounts._dummy_hash.cache_clear()


@pytest.fixture
def bare_desk(tmp_path: Path, cheap_hashes: None) -> Iterator[Desk]:
    """An installation without users, issues or links."""
    made = Desk(tmp_path / "data")
    yield made
    made.store.close()
    made.app.extensions["connection_pool"].close()


@pytest.fixture
def desk(bare_desk: Desk) -> Desk:
    """An installation with a user of each role."""
    bare_desk.users()
    return bare_desk


@pytest.fixture
def full_desk(desk: Desk) -> Desk:
    """The same with an issue that was sent a day ago."""
    desk.take_in()
    return desk
