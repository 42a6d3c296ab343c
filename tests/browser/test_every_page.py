"""Every page in a real browser, full and empty, light and dark, wide and narrow: no complaint and no barrier."""

import time
from collections.abc import Callable, Iterator
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
    from tests.browser import scene

    yield from serve(tmp_path_factory.mktemp("full"), fill=scene.build)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory, chromium: "Browser") -> Iterator[str]:
    """The address of a server with nothing but users."""
    from tests.browser import scene

    yield from serve(tmp_path_factory.mktemp("empty"), fill=scene.people)


def serve(home: "Path", *, fill: Callable[..., None]) -> Iterator[str]:
    """Fill an installation and serve it."""
    from tests.browser import running, scene

    port = running.free_port()
    config = scene.configure(home / "data", port=port)
    fill(config, now=int(time.time()))
    with running.server(running.configuration(home, port=port)):
        yield config.base_url


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS.keys())
def test_pages_with_content(chromium: "Browser", full: str, view: dict[str, Any]) -> None:
    """No console error, no broken policy, no other host, no serious barrier; nothing is wider than the window."""
    look(chromium, full, view, empty=False, thorough=view in (VIEWS["light desktop"], VIEWS["dark phone"]))


def test_pages_without_content(chromium: "Browser", empty: str) -> None:
    """The same where there is nothing yet; each list has words that help instead."""
    look(chromium, empty, VIEWS["light desktop"], empty=True)


def test_pages_behind_a_form(chromium: "Browser", full: str) -> None:
    """The same for what a form leads to: what was found in an issue, refusals, decisions, the draft, an invitation."""
    from tests.browser import scene, shots
    from tests.browser.watching import Watched

    watched, wrong = Watched(chromium, full, **VIEWS["dark phone"]), []
    watched.sign_in("admin", scene.PASSWORD)
    for name, (path, _) in shots.STEPS.items():
        watched.go(path)
        shots.step(watched.page, name)
        wrong += watched.violations()
        if watched.page.evaluate("document.documentElement.scrollWidth > innerWidth + 1"):
            wrong.append(f"{name} is wider than the window")
    watched.close()
    assert not wrong
    # A refusal is an answer of 400, which the console tells of.
    assert all("400 (Bad Request)" in each for each in watched.complaints), watched.complaints


@pytest.fixture(scope="module")
def huge(tmp_path_factory: pytest.TempPathFactory, chromium: "Browser") -> Iterator[str]:
    """The address of a server with more, longer and larger of everything."""
    from tests.browser import scene

    yield from serve(tmp_path_factory.mktemp("huge"), fill=scene.huge)


@pytest.mark.parametrize("view", ["light desktop", "dark phone"])
def test_pages_with_too_much_content(chromium: "Browser", huge: str, view: str) -> None:
    """Ninety articles, a thousand million recipients, words without an end: nothing breaks, nothing is too wide."""
    from tests.browser import scene, shots
    from tests.browser.watching import Watched

    watched, wrong = Watched(chromium, huge, **VIEWS[view]), []
    watched.sign_in("admin", scene.PASSWORD)
    month = time.strftime("%Y-%m", time.gmtime(time.time() - 300 * 3_600))
    for path in shots.HUGE.values():
        watched.go(path.format(month=month))
        if watched.page.evaluate("document.documentElement.scrollWidth > innerWidth + 1"):
            wrong.append(f"{path} is wider than the window")
    watched.close()
    assert not wrong
    assert not watched.complaints


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
