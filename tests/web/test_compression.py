"""Tests of the compression of responses: what is compressed, for whom, and what never is."""

import gzip
import time
from typing import TYPE_CHECKING

import pytest

from shortener.services import webhooks
from shortener.web import compression

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.web.conftest import Browser, EditorSite

ACCEPTED = {"Accept-Encoding": "gzip, deflate, br"}
OWN = {"Sec-Fetch-Site": "same-origin"}


def is_compressed(response: "TestResponse") -> bool:
    """Return whether a response is compressed, and check that caches tell its forms apart."""
    assert "Accept-Encoding" in response.headers["Vary"]
    return response.headers.get("Content-Encoding") == "gzip"


def get(browser: "Browser", path: str, **headers: str) -> "TestResponse":
    """Request a page as a browser does, which accepts compression."""
    response = browser.get(path, **(ACCEPTED | OWN | headers))
    response.get_data()
    response.close()  # the file of a static response
    return response


def record_levels(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list to which each compression adds its level."""
    levels: list[int] = []
    compress = gzip.compress

    def record(data: bytes, level: int, *, mtime: int) -> bytes:
        levels.append(level)
        return compress(data, level, mtime=mtime)

    monkeypatch.setattr(gzip, "compress", record)
    return levels


def test_pages_json_and_csv(site: "EditorSite") -> None:
    """Pages, JSON and CSV are compressed for clients that accept it; their content stays the same."""
    site.add_issue()
    viewer = site.client("viewer")
    for path in ("/-/issues", "/-/issues/may/setup.json", "/-/issues/may/setup.csv"):
        plain = viewer.get(path)
        assert "Content-Encoding" not in plain.headers
        assert "Accept-Encoding" in plain.headers["Vary"]
        response = get(viewer, path)
        assert is_compressed(response)
        assert gzip.decompress(response.data) == plain.data
        assert int(response.headers["Content-Length"]) == len(response.data) < len(plain.data)
        assert "Cookie" in response.headers["Vary"]
    assert not is_compressed(get(viewer, "/-/issues", **{"Accept-Encoding": "gzip;q=0"}))


@pytest.mark.parametrize("origin", ["cross-site", "same-site", ""])
def test_other_websites_cannot_cause_a_compressed_page(site: "EditorSite", origin: str) -> None:
    """A page with a session is not compressed when another website, or a browser that hides it, asked for it."""
    viewer = site.client("viewer")
    headers = {"Sec-Fetch-Site": origin} if origin else {}
    response = viewer.client.get("/-/search?q=x", base_url="https://go.example", headers=ACCEPTED | headers)
    assert response.status_code == 200
    assert not is_compressed(response)
    assert is_compressed(get(viewer, "/-/search?q=x", **{"Sec-Fetch-Site": "none"}))


def test_secrets_are_not_compressed(site: "EditorSite") -> None:
    """Pages with a new token, an invite link or the secret of a webhook are not compressed."""
    admin = site.client("admin")
    created = admin.client.post(
        "/-/settings/users/invite",
        data={"name": "viewer"},
        base_url="https://go.example",
        headers=ACCEPTED | {"Sec-Fetch-Site": "same-origin"},
    )
    assert "Content-Encoding" not in created.headers
    webhooks.add_webhook(site.store, "https://hooks.example/x", events=(), config=site.config, now=int(time.time()))
    response = get(admin, "/-/settings/webhooks/1")
    assert "whsec_" in response.text
    assert not is_compressed(response)


def test_static_files_are_compressed_once(site: "EditorSite", monkeypatch: pytest.MonkeyPatch) -> None:
    """A static file is compressed at its first request by any path, and keeps its tag in a weak form."""
    levels = record_levels(monkeypatch)
    browser = site.browser()
    plain = get(browser, "/-/static/site.css", **{"Accept-Encoding": "identity"})
    first, second = (get(browser, f"/-/static/{path}") for path in ("site.css", "x/../site.css"))
    assert is_compressed(first)
    assert first.data == second.data
    assert gzip.decompress(first.data) == plain.data
    assert levels == [compression.STATIC_LEVEL]
    tag = first.headers["ETag"]
    assert tag == f"W/{plain.headers['ETag']}"
    assert get(browser, "/-/static/site.css", **{"If-None-Match": tag}).status_code == 304


def test_small_and_binary_responses_stay_as_they_are(site: "EditorSite") -> None:
    """A short response and an image are sent as they are."""
    site.add_issue()
    browser = site.browser()
    assert not is_compressed(get(browser, "/robots.txt"))
    assert "Content-Encoding" not in get(browser, "/favicon.ico").headers


def test_large_files(site: "EditorSite", monkeypatch: pytest.MonkeyPatch) -> None:
    """A large file is compressed fast."""
    levels = record_levels(monkeypatch)
    monkeypatch.setattr(compression, "LARGE_BYTES", 2_000)
    assert is_compressed(get(site.client("viewer"), "/-/issues"))
    assert levels == [compression.LARGE_LEVEL]
