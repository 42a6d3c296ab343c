"""The pages of a redirect node, which have only the local copy of links and settings."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from shortener.config import Config, Domain, Node, Site, Storage
from shortener.node_app import build_node_app
from shortener.redirect.reader_pages import ReaderPages
from shortener.services.domain_check import CHECK_PATH, NONCE_LENGTH, sign_nonce
from shortener.shared_memory import LINKS_SEEN_AT, sender_state
from shortener.store import Store, links, open_store, prepare_directory, settings
from shortener.store.links_copy import STORE_ID_KEY, update_copy
from shortener.web.published_pages import publish_reader_pages

CENTRE = "https://links.example"
UNREACHABLE = "postgresql://127.0.0.1:1/none?connect_timeout=1"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """The configuration of a node whose database cannot be reached."""
    data = tmp_path / "node"
    prepare_directory(data)
    return Config(
        site=Site(base_url=CENTRE),
        domain=(Domain(host="go.example"),),
        storage=Storage(data=str(data), url=UNREACHABLE),
        node=Node(name="paris"),
    )


@pytest.fixture
def centre(tmp_path: Path, postgres_url: str) -> Iterator[Store]:
    """The store of the centre, with one link and two settings."""
    with closing(open_store(tmp_path / "centre", url=postgres_url)) as store:
        with store.transaction():
            links.add(store, "go.example", "abc", target="https://a.example/x", title="A title", now=1)
            settings.put(store, "site.name", "Weekly")
            settings.put(store, "domain.go.example.home", "https://a.example/")
        yield store


@pytest.fixture
def client(config: Config, centre: Store) -> FlaskClient:
    """A client of the node's pages, at the domain of the links."""
    update_copy(centre, config.data_directory)
    client = build_node_app(config).test_client()
    client.environ_base["HTTP_HOST"] = "go.example"
    return client


PAGES = (
    ("/", 302, "https://a.example/"),
    ("/abc+", 200, "A title"),
    ("/abc+", 200, "https://a.example/x"),
    ("/none+", 404, "This link leads nowhere"),
    ("/robots.txt", 200, "Disallow: /"),
    ("/-/", 404, CENTRE),
    ("/-/links/go.example/abc", 404, CENTRE),
    ("/-/api/v1/links", 404, CENTRE),
    ("/-/static/site.css", 200, "body"),
    ("/-/metrics", 200, "shortener_links_behind_seconds"),
)


def test_pages_come_from_the_local_copy(client: FlaskClient) -> None:
    """Readers get their pages and previews, and editors the address of the centre."""
    for path, status, text in PAGES:
        with client.get(path, headers={"Accept-Encoding": "identity"}) as response:
            assert response.status_code == status, path
            assert text in response.get_data(as_text=True) + response.headers.get("Location", ""), path


def test_pages_for_misses_have_the_settings_of_the_centre(client: FlaskClient, config: Config) -> None:
    """They are published with the name of the site; that without links says when to try again, also before that."""
    pages = ReaderPages(config.data_directory)
    assert ("Retry-After", "2") in pages.get(503, accept_language="en").headers
    publish_reader_pages(client.application)
    assert b"Weekly" in pages.get(404, accept_language="en").body
    assert "Weiterleitung" not in pages.get(413, accept_language="en").body.decode()
    assert ("Retry-After", "2") in pages.get(503, accept_language="en").headers


def test_a_node_answers_the_check_of_its_domain(client: FlaskClient, centre: Store) -> None:
    """The centre finds that a domain which leads to a node is one of this installation."""
    nonce = "0" * NONCE_LENGTH
    expected = sign_nonce(nonce, secret=str(centre.meta(STORE_ID_KEY)))
    assert client.get(f"{CHECK_PATH}{nonce}").get_data(as_text=True) == expected


def test_health_says_how_far_the_node_is_behind(client: FlaskClient, config: Config) -> None:
    """A node without a copy fails, one that did not reach the centre for long warns, and another passes."""

    def health() -> tuple[int, str, object]:
        response = client.get("/-/health")
        content = json.loads(response.data)
        return response.status_code, content["status"], content["links_behind_seconds"]

    assert health() == (200, "warn", None)
    with closing(sender_state(config.data_directory)) as state:
        state.values[LINKS_SEEN_AT] = 2**33
        assert health() == (200, "pass", 0)
        state.values[LINKS_SEEN_AT] = 1
        assert health()[1] == "warn"
    for file in config.data_directory.glob("links.db*"):
        file.unlink()
    assert health()[:2] == (503, "fail")
