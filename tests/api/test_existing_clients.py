"""Clients of other shorteners against a running server: PyPI ``yourls`` and npm ``@shlinkio/shlink-js-sdk``."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from yourls import YOURLSClient
from yourls.exceptions import YOURLSHTTPError

from shortener.config import Config, Domain, Storage
from shortener.services import accounts, tokens
from shortener.services.add_issue import AddRequest, add_or_update_issue
from shortener.store import open_store
from tests.faults.serving import CODE, TARGET, Server, wait

CLIENTS = Path(__file__).parent / "clients"
NODE = shutil.which("node")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server with one link, the issue ``may``, and both APIs."""
    server = Server(tmp_path_factory.mktemp("clients"), tables='[api]\ncompatible = ["yourls", "shlink"]')
    config = Config(domain=(Domain(host=server.host, scheme="http"),), storage=Storage(data=str(server.data)))
    store = open_store(server.data)
    add_or_update_issue(store, AddRequest(source=b"# May\n", filename="may.md"), config=config, now=1)
    store.close()
    server.start()
    try:
        wait(lambda: b" 200 " in server.get("/-/sign-in")[:13], what="the pages")
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def token(server: Server) -> str:
    """The text of a token that both clients use."""
    store = open_store(server.data)
    accounts.add_user(store, "ada", role="editor", password=None, now=1)
    scopes = ("read", "links", "clicks")
    created = tokens.add_token(store, "ada", "c", scopes=scopes, expires_at=None, now=1, hexadecimal=True)
    store.close()
    return created.text


def test_the_python_client_of_yourls(server: Server, token: str) -> None:
    """Every method of the client works, and errors are those that it knows."""
    client = YOURLSClient(f"http://{server.host}/yourls-api.php", signature=token)
    made = client.shorten("https://example.com/yourls", keyword="winter", title="Winter")
    assert (made.shorturl, made.url, made.title) == (
        f"http://{server.host}/winter",
        "https://example.com/yourls",
        "Winter",
    )
    assert client.shorten("https://example.com/yourls").shorturl == made.shorturl
    with pytest.raises(YOURLSHTTPError, match="400"):
        client.shorten("https://example.com/else", keyword="winter")
    assert client.expand("winter") == "https://example.com/yourls"
    assert client.expand(f"http://{server.host}/{CODE}") == TARGET
    assert int(client.url_stats("winter").clicks) == 0
    assert int(client.db_stats().total_links) >= 2
    listed, stats = client.stats("last", 2)
    assert (listed[0].shorturl, int(stats.total_links) >= 2) == (made.shorturl, True)
    with_password = YOURLSClient(f"http://{server.host}/yourls-api.php", username="ada", password=token)
    assert with_password.expand("winter") == "https://example.com/yourls"
    with pytest.raises(YOURLSHTTPError, match="Please log in"):
        YOURLSClient(f"http://{server.host}/yourls-api.php", signature="wrong").db_stats()
    assert b"\r\nlocation: https://example.com/yourls\r\n" in server.get("/winter").lower()


def test_the_javascript_client_of_shlink(server: Server, token: str) -> None:
    """All calls of Shlink's own client that the server supports do what they should."""
    if NODE is None or not (CLIENTS / "node_modules" / "@shlinkio").is_dir():
        pytest.skip("needs Node.js and `npm install --prefix tests/api/clients`: Shlink's client was NOT tested")
    command = [NODE, str(CLIENTS / "shlink.mjs"), f"http://{server.host}", token]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    results: dict[str, dict[str, Any]] = json.loads(done.stdout)
    errors = {name: result["error"] for name, result in results.items() if "error" in result}
    assert {name: error["type"].rpartition("/")[2] for name, error in errors.items()} == {
        "takenSlug": "non-unique-slug",
        "mercureInfo": "mercure-not-configured",
        "deleted": "short-url-not-found",
    }, errors
    values = {name: result["value"] for name, result in results.items() if "value" in result}
    assert values["health"]["version"] == "4.0.0"
    assert values["createShortUrl"]["shortUrl"] == f"http://{server.host}/autumn"
    assert [each["shortCode"] for each in values["listShortUrls"]["data"]] == ["autumn"]
    assert values["getShortUrl"]["title"] == "Autumn"
    assert (values["updateShortUrl"]["longUrl"], values["updateShortUrl"]["title"]) == ("https://example.com/new", None)
    assert values["getShortUrlRedirectRules"]["redirectRules"] == []
    for name in ("getShortUrlVisits", "getTagVisits", "getDomainVisits", "getOrphanVisits", "getNonOrphanVisits"):
        assert values[name]["pagination"]["currentPage"] == 1
    assert values["getVisitsOverview"]["orphanVisits"]["total"] == 0
    assert values["listTags"]["data"] == ["may"]
    assert values["tagsStats"]["data"][0]["tag"] == "may"
    assert values["listDomains"]["data"][0]["domain"] == server.host
    assert values["deleteShortUrl"] is None
    assert server.get("/autumn")[9:12] == b"410"
