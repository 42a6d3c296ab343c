"""Fixtures: an installation with a user of each role, and clients with tokens of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from shortener.app import create_pages_app
from shortener.cli import main
from shortener.collector.other_collector import drain_once
from shortener.config import Api, Config, Domain, Site, Storage
from shortener.services import accounts, tokens
from shortener.services.tokens import SCOPES
from shortener.store import Store, open_store
from shortener.web import context

BASE = "https://go.example.com"
API = "/-/api/v1"
NOW = 1_700_000_000


class ApiSite:
    """Installation with users named like their roles, and a token with all scopes for each."""

    def __init__(self, directory: Path, api: Api | None = None, *, url: str = "") -> None:
        self.config = Config(
            site=Site(base_url=BASE),
            domain=(Domain(host="go.example.com"), Domain(host="b.example", case_sensitive=True)),
            storage=Storage(data=str(directory), url=url),
            api=api or Api(),
        )
        self.store: Store = open_store(self.config.data_directory, url=url)
        self.app: Flask = create_pages_app(self.config)
        self.tokens: dict[str, str] = {}
        for role in accounts.ROLES:
            accounts.add_user(self.store, role, role=role, password=None, now=NOW)
            self.tokens[role] = self.add_token(role, *SCOPES, name="all scopes")

    def add_token(self, owner: str, *scopes: str, name: str = "test", expires_at: int | None = None) -> str:
        """Create a token of a user and return its text."""
        created = tokens.add_token(self.store, owner, name, scopes=scopes, expires_at=expires_at, now=NOW)
        return created.text

    def run(self, *words: str) -> str:
        """Run a command on this installation and return its output."""
        path = self.config.data_directory.parent / "config.toml"
        path.write_text(
            f'[site]\nbase_url = "{BASE}"\n'
            f'[storage]\ndata = "{self.config.storage.data}"\nurl = "{self.config.storage.url}"\n'
            '[[domain]]\nhost = "go.example.com"\n[[domain]]\nhost = "b.example"\ncase_sensitive = true\n',
            encoding="utf-8",
        )
        result = CliRunner().invoke(main, ["--config", str(path), *words])
        assert result.exit_code == 0, result.output
        return result.stdout

    def write_clicks(self, *lines: dict[str, Any]) -> None:
        """Append clicks to the click log."""
        directory = self.config.data_directory / "clicklog"
        directory.mkdir(exist_ok=True)
        with (directory / "readers.jsonl").open("ab") as file:
            file.write(msgspec.json.Encoder().encode_lines(lines))

    def collect(self) -> None:
        """Let the collector store what is in the click log."""
        drain_once(self.store, config=self.config)

    def client(self, token: str | None = None) -> "ApiClient":
        """Return a client with the token of a user, or with this token."""
        return ApiClient(self.app.test_client(use_cookies=False), self.tokens.get(token or "", token))

    def close(self) -> None:
        """Close the connections to the store."""
        self.store.close()
        self.app.extensions["connection_pool"].close()


class ApiClient:
    """Client of the API that sends a token, and JSON bodies."""

    def __init__(self, client: FlaskClient, token: str | None) -> None:
        self.client = client
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def send(self, method: str, path: str, json: Any = None, **headers: str) -> TestResponse:
        """Send a request; ``json`` is the body, and a header's name has underscores for hyphens."""
        sent = self.headers | {name.replace("_", "-"): value for name, value in headers.items()}
        body = None if json is None else msgspec.json.encode(json)
        content_type = None if json is None else "application/json"
        return self.client.open(
            API + path, method=method, base_url=BASE, headers=sent, data=body, content_type=content_type
        )

    def get(self, path: str, **headers: str) -> TestResponse:
        """Send a GET request."""
        return self.send("GET", path, **headers)

    def post(self, path: str, json: Any, **headers: str) -> TestResponse:
        """Send a POST request with a JSON body."""
        return self.send("POST", path, json, **headers)


@pytest.fixture
def short_busy_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let requests of an installation that is created after this wait 0.1 seconds for a locked store."""
    monkeypatch.setattr(context, "BUSY_TIMEOUT_SECONDS", 0.1)


@pytest.fixture
def site(tmp_path: Path, store_url: str) -> Iterator[ApiSite]:
    """Installation with the default configuration of the API."""
    site = ApiSite(tmp_path / "data", url=store_url)
    yield site
    site.close()


@pytest.fixture
def editor(site: ApiSite) -> ApiClient:
    """Client with an editor's token that has all scopes."""
    return site.client("editor")
