"""Every page in a real browser, full and empty, light and dark, wide and narrow: no complaint and no barrier."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

VIEWS: dict[str, dict[str, Any]] = {
    "light desktop": {"color_scheme": "light"},
    "dark desktop": {"color_scheme": "dark"},
    "light phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}},
    "dark phone": {"color_scheme": "dark", "viewport": {"width": 390, "height": 844}},
}


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory, chromium: "Browser") -> Iterator[str]:
    """The address of a server with the whole scene."""
    yield from serve(tmp_path_factory.mktemp("full"), empty=False)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory, chromium: "Browser") -> Iterator[str]:
    """The address of a server with nothing but users."""
    yield from serve(tmp_path_factory.mktemp("empty"), empty=True)


def serve(home: "Path", *, empty: bool) -> Iterator[str]:
    """Fill an installation and serve it."""
    from tests.browser import running, scene

    port = running.free_port()
    config = scene.configure(home / "data", port=port)
    (scene.people if empty else scene.build)(config, now=int(time.time()))
    with running.server(running.configuration(home, port=port)):
        yield config.base_url


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS.keys())
def test_pages_with_content(chromium: "Browser", full: str, view: dict[str, Any]) -> None:
    """No console error, no broken policy, no other host, no serious barrier; nothing is wider than the window."""
    look(chromium, full, view, empty=False, thorough=view in (VIEWS["light desktop"], VIEWS["dark phone"]))


def test_pages_without_content(chromium: "Browser", empty: str) -> None:
    """The same where there is nothing yet; each list has words that help instead."""
    look(chromium, empty, VIEWS["light desktop"], empty=True)


def look(chromium: "Browser", base: str, view: dict[str, Any], *, empty: bool, thorough: bool = True) -> None:
    """Open every page and gather what is wrong with it."""
    from tests.browser import scene, shots
    from tests.browser.watching import Watched

    watched, wrong = Watched(chromium, base, **view), []
    watched.go("/-/sign-in")
    wrong += watched.violations()
    watched.sign_in("admin", scene.PASSWORD)
    watched.go("/-/links?sort=clicks")
    first = watched.page.locator("a.short").first
    code = "" if empty else (first.get_attribute("href") or "").partition("/-/links/")[2]
    for path in (shots.EMPTY if empty else shots.PAGES).values():
        if path != shots.PAGES["missing"]:
            watched.go(path.format(code=code))
            wrong += watched.violations()
            if watched.page.evaluate("document.documentElement.scrollWidth > innerWidth + 1"):
                wrong.append(f"{path} is wider than the window")
            assert watched.page.locator(".chart:empty").count() == 0, f"{path}: a chart was not drawn"
        if empty:
            assert watched.page.locator(".empty h2").count() == 1, path
    watched.close()
    assert not wrong
    assert not watched.complaints
