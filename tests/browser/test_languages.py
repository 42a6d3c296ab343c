"""Pages hold their layout in languages with long words, and in one that is written from right to left."""

import time
from collections.abc import Iterator
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from werkzeug.serving import make_server

from shortener.app import create_app
from tests.browser import scene
from tests.browser.watching import WatchedPage
from tests.ports import free_port
from tests.pseudo_languages import LONG, RIGHT_TO_LEFT, pseudo_languages

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

PAGES = (
    "/",
    "/nosuch",
    "/-/",
    "/-/issues",
    "/-/issues/2026-11",
    "/-/issues/2026-11/setup",
    "/-/new-issue",
    "/-/articles",
    "/-/links",
    "/-/settings",
    "/-/account",
)


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The sample installation, served with the pseudo-languages; its base URL."""
    directory: Path = tmp_path_factory.mktemp("languages")
    config = scene.configure(directory / "data", port=free_port())
    scene.build(config, now=int(time.time()), readers=60)
    app = create_app(config)
    app.extensions["languages"] |= pseudo_languages()
    server = make_server("127.0.0.1", config.server.port, app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield config.base_url
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def opened(chromium: "Browser", installation: str) -> Iterator[WatchedPage]:
    """Narrow browser page in which the admin is signed in."""
    watched = WatchedPage(chromium, installation, viewport={"width": 390, "height": 844})
    watched.sign_in("admin", scene.PASSWORD)
    yield watched
    watched.close()


@pytest.mark.parametrize(
    ("tag", "direction"), [("de", "ltr"), ("zh-Hans", "ltr"), (LONG, "ltr"), (RIGHT_TO_LEFT, "rtl")]
)
def test_no_page_is_wider_than_the_phone(opened: WatchedPage, tag: str, direction: str) -> None:
    """On a narrow window no page has to be scrolled sideways, and nothing goes wrong."""
    page = opened.page
    page.set_extra_http_headers({"Accept-Language": tag})
    too_wide = {}
    for path in PAGES:
        page.goto(opened.base + path)
        root = "document.documentElement"
        assert page.evaluate(f"{root}.lang") == tag
        assert page.evaluate(f"getComputedStyle({root}).direction") == direction
        excess = page.evaluate(f"{root}.scrollWidth - {root}.clientWidth")
        if excess > 0:
            too_wide[path] = excess
    assert not too_wide
