"""Browser tests of every page: full, empty and large installations, light and dark, desktop and phone."""

import re
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

VIEWS: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1440, "height": 900}, "reduced_motion": "reduce"},
    "phone": {"viewport": {"width": 390, "height": 844}, "reduced_motion": "reduce"},
}
"""Windows in which pages are opened. Without motion, colours change at once when the page becomes dark."""
PHONE_WIDTH = 390
PHONE_HEIGHTS = {"report": 3_000, "": 5_000}
"""Largest height of a page on the phone in pixels, by the beginning of its name in ``shots.PAGES``."""
CUT = """
    [...document.querySelectorAll('.scroll, .panel, table, td, th')]
        .filter(part => part.scrollWidth > part.clientWidth + 1 && part.clientWidth)
        .map(part => `${part.tagName} ${part.getAttribute('aria-label') ?? part.textContent.trim().slice(0, 40)}`)
"""
"""Script that finds the parts of a page whose content is wider than they are."""


SMALL = """least =>
    [...document.querySelectorAll('button, select, summary, input, .button, .segments a, .tabs a, label.tick, .choice')]
        .filter(control => control.checkVisibility() && !control.matches('.term, .hidden, .filters input'))
        .filter(control => !control.matches(':is(.tick, .choice) > input'))
        .filter(control => !control.matches('.more > summary') || least <= 24)
        .filter(control => control.getBoundingClientRect().height < least - 0.5)
        .map(control => `${control.outerHTML.slice(0, 60)} ${control.textContent.trim().slice(0, 40)}`)
"""
"""Script that finds the controls that are less than ``least`` pixels high. Words that explain themselves when pressed
are part of a text and may be smaller; so may the line below the title of an article, which shows its details."""
MIN_TARGET = {"desktop": 24, "phone": 44}
"""Smallest height of a control in pixels: WCAG 2.2 (2.5.8) for a mouse, the platforms' guidelines for a finger."""


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory, chromium: "Browser") -> Iterator[str]:
    """Base URL of a server with the sample installation."""
    from tests.browser import scene

    yield from serve(tmp_path_factory.mktemp("full"), build=scene.build)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory, chromium: "Browser") -> Iterator[str]:
    """Base URL of a server with users and no issues."""
    from tests.browser import scene

    yield from serve(tmp_path_factory.mktemp("empty"), build=scene.add_users)


def serve(home: "Path", *, build: Callable[..., None]) -> Iterator[str]:
    """Create an installation with ``build`` and serve it; yield its base URL."""
    from tests.browser import running, scene

    port = running.free_port()
    config = scene.configure(home / "data", port=port)
    build(config, now=int(time.time()))
    with running.server(running.configuration(home, port=port)):
        yield config.base_url


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS.keys())
def test_pages_with_content(chromium: "Browser", full: str, view: dict[str, Any]) -> None:
    """Pages with content have no console error, request no other host, pass axe and fit the window."""
    check_pages(chromium, full, view, empty=False)


def test_pages_without_content(chromium: "Browser", empty: str) -> None:
    """Pages of an empty installation pass the checks too, and each list shows a hint."""
    check_pages(chromium, empty, VIEWS["desktop"], empty=True)


def test_pages_after_a_form(chromium: "Browser", full: str) -> None:
    """Pages that follow a form (preview, refusal, decision, draft, invitation) pass the checks."""
    from tests.browser import scene, shots
    from tests.browser.watching import WatchedPage

    watched, failures = WatchedPage(chromium, full, **VIEWS["phone"], color_scheme="dark"), []
    watched.sign_in("admin", scene.PASSWORD)
    for name, (path, _) in shots.STEPS.items():
        watched.go(path)
        shots.perform_step(watched.page, name)
        failures += watched.violations()
        if watched.page.evaluate("document.documentElement.scrollWidth > innerWidth + 1"):
            failures.append(f"{name} is wider than the window")
        if name == "new-issue-found":
            check_review_on_the_phone(watched.page)
    watched.close()
    assert not failures
    # A refusal has status 400 or 422, which the console reports as an error.
    refusals = ("400 (Bad Request)", "422 (Unprocessable Entity)")
    assert all(problem.endswith(refusals) for problem in watched.problems), watched.problems


def check_review_on_the_phone(page: "Page") -> None:
    """Assert that the footer of the review takes the place of the main menu, and the preview opens on request."""
    assert not page.locator(".nav").is_visible()
    assert page.locator(".sticky-bar button:visible").count() == 2
    assert not page.locator(".review iframe").is_visible()
    page.check(".show-text")
    assert page.locator(".review iframe").is_visible()
    assert not page.locator(".bulk").is_visible()
    page.locator(".rows .article .tick").first.click()
    assert page.locator(".bulk").is_visible()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory, chromium: "Browser") -> Iterator[str]:
    """Base URL of a server with the large installation."""
    from tests.browser import scene

    yield from serve(tmp_path_factory.mktemp("huge"), build=scene.build_large)


@pytest.mark.parametrize("view", VIEWS)
def test_pages_with_very_much_content(chromium: "Browser", large: str, view: str) -> None:
    """Pages with very many articles, large numbers and long words have no error and fit the window."""
    from tests.browser import scene, shots
    from tests.browser.watching import WatchedPage

    watched, failures = WatchedPage(chromium, large, **VIEWS[view]), []
    watched.sign_in("admin", scene.PASSWORD)
    month = time.strftime("%Y-%m", time.gmtime(time.time() - 300 * 3_600))
    for name, path in shots.HUGE.items():
        watched.go(path.format(month=month))
        if name in {"articles", "picks"}:
            watched.page.locator(".signs .menu").first.wait_for()  # the ranking is computed first
            failures += size_failures(watched.page, name) if view == "phone" else []
        if watched.page.evaluate("document.documentElement.scrollWidth > innerWidth + 1"):
            failures.append(f"{path} is wider than the window")
    watched.close()
    assert not failures
    assert not watched.problems


def size_failures(page: "Page", name: str) -> list[str]:
    """Return what is wrong with sizes on a page: small controls, a long page on the phone, a cut table elsewhere."""
    is_phone = page.evaluate("innerWidth") <= PHONE_WIDTH
    small = page.evaluate(SMALL, MIN_TARGET["phone" if is_phone else "desktop"])
    failures = [f"{name}: {control} is too small" for control in dict.fromkeys(small)]
    if not is_phone:
        return failures + [f"{name}: {part} is cut" for part in page.evaluate(CUT)]
    height = page.evaluate("document.documentElement.scrollHeight")
    most = next(most for prefix, most in PHONE_HEIGHTS.items() if name.startswith(prefix))
    return failures + ([f"{name} is {height} pixels high, more than {most}"] if height > most else [])


def check_pages(chromium: "Browser", base: str, view: dict[str, Any], *, empty: bool) -> None:
    """Open every page and assert that nothing is wrong with it."""
    from tests.browser import scene, shots
    from tests.browser.watching import WatchedPage

    watched, failures = WatchedPage(chromium, base, **view), []
    watched.go("/-/sign-in")
    failures += watched.violations()
    failures += watched.dark_violations()
    watched.sign_in("admin", scene.PASSWORD)
    watched.go("/-/links?sort=-visitors")
    first = watched.page.locator(".links .title a").first
    code = "" if empty else (first.get_attribute("href") or "").partition("/-/links/")[2]
    for name, path in (shots.EMPTY if empty else shots.PAGES).items():
        if path != shots.PAGES["missing"]:
            watched.go(path.format(code=code))
            failures += watched.violations()
            failures += watched.dark_violations()
            failures += size_failures(watched.page, name)
            if watched.page.evaluate("document.documentElement.scrollWidth > innerWidth + 1"):
                failures.append(f"{path} is wider than the window")
            # Charts show the hours of the site's zone, which they name, on a clock of 24 hours.
            texts = watched.page.evaluate("[...document.querySelectorAll('.chart text')].map(each => each.textContent)")
            failures += [f"{path}: {text} in a chart" for text in texts if re.search(r"\d ?[AP]M\b", text)]
            has_chart = watched.page.locator(".chart").count()
            if has_chart and not re.search(r"[Tt]imes are in \w+", watched.page.inner_text("main")):
                failures.append(f"{path}: the chart does not name the time zone")
        if empty:
            assert watched.page.locator(".empty h2").count() == 1, path
    watched.close()
    assert not failures
    assert not watched.problems
