"""Previews and pages of the whole application under every spelling of a host and a link."""

from collections.abc import Iterator

import msgspec
import pytest
from flask.testing import FlaskClient

from shortener.app import create_app
from shortener.config import Config
from shortener.store import links, open_store

TARGET = "https://example.com/the-target"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """A client of an application with two domains that have the code ``abcde``, one of https and one of http."""
    data = tmp_path_factory.mktemp("spellings") / "data"
    store = open_store(data)
    with store.transaction():
        links.add(store, "go.example", "abcde", target=TARGET, now=0)
        links.add(store, "b.example", "abcde", target="https://example.com/another", now=0)
    store.close()
    tables = {
        "storage": {"data": str(data)},
        "domain": [{"host": "b.example", "scheme": "http"}, {"host": "go.example"}],
        "site": {"base_url": "https://go.example"},
    }
    app = create_app(msgspec.convert(tables, Config))
    yield app.test_client()
    app.wsgi_app.close()  # type: ignore[attr-defined]


HOSTS = ["go.example", "GO.example", "go.example.", "go.example:443", "go.example:80", "go.example:", "Go.Example.:443"]
PREVIEWS = ["/abcde+", "/ABCDE+", "/abcde+.", "/abcde+)", "/abcde/2+", "/abcde+/", "/abcde+/2", "/abcde%2B", "/abcde.+"]


@pytest.mark.parametrize("host", HOSTS)
def test_hosts(client: FlaskClient, host: str) -> None:
    """Redirects, previews and pages belong to the domain; pages know that it is served over https."""
    headers = {"Host": host}
    assert client.get("/abcde/2", headers=headers).headers["Location"] == TARGET
    preview = client.get("/abcde+", headers=headers)
    assert (preview.status_code, TARGET in preview.text) == (200, True)
    page = client.get("/-/sign-in", headers=headers)
    assert (page.status_code, "Strict-Transport-Security" in page.headers) == (200, True)
    assert "Strict-Transport-Security" not in client.get("/-/sign-in", headers={"Host": "b.example"}).headers


@pytest.mark.parametrize("path", PREVIEWS)
def test_previews(client: FlaskClient, path: str) -> None:
    """A preview is shown in whatever form it is requested, and never redirects."""
    preview = client.get(f"{path}?_c=ada", headers={"Host": "go.example"})
    assert (preview.status_code, TARGET in preview.text) == (200, True)


ORIGINS = {
    "its own": ("go.example", "https://go.example", False),
    "its own with a port": ("go.example:443", "https://go.example", False),
    "its own with a dot": ("go.example.", "https://go.example.", False),
    "in capitals": ("GO.EXAMPLE", "https://go.example", False),
    "another": ("go.example", "https://evil.example", True),
    "another port": ("go.example:8443", "https://go.example", True),
    "our other domain": ("go.example", "http://b.example", True),
    "none": ("go.example", "null", True),
}


@pytest.mark.parametrize(("host", "origin", "refused"), ORIGINS.values(), ids=ORIGINS)
def test_origins(client: FlaskClient, host: str, origin: str, refused: bool) -> None:
    """A form is accepted from pages of its own host, however that is written, and from no other."""
    answer = client.post("/-/sign-in", data={"name": "a"}, headers={"Host": host, "Origin": origin})
    assert answer.status_code == 403
    assert ("runs this site" in answer.text) != refused  # the sign-in page, where there are no users yet
