"""Browser tests of every page: full, empty and large installations, light and dark, desktop and phone."""

import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.browser.watching import Sessions, WatchedPage

SIZES = {"desktop": (1440, 900), "phone": (390, 844)}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
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
IS_TOO_WIDE = "document.documentElement.scrollWidth > innerWidth + 1"


def test_pages_with_content(sample: "Sessions") -> None:
    """Pages with content have no console error, request no other host, no technical word, pass axe and fit the window.

    Each page is seen in two of the four combinations of window and colours, the next one in the other two."""
    from tests.browser import shots, words

    failures = []
    with sample.open("admin", reduced_motion="reduce") as watched:
        watched.go("/-/links?sort=-visitors")
        code = (watched.page.locator(".links .title a").first.get_attribute("href") or "").partition("/-/links/")[2]
        pages = {name: path.format(code=code) for name, path in shots.PAGES.items() if name != "missing"}
        for number, (name, path) in enumerate(pages.items()):
            watched.go(path)
            failures += words.check(watched.page) if path not in words.QUOTING_PAGES else []
            failures += chart_failures(watched.page)
            failures += view_failures(watched, name, schemes=SCHEMES if number % 2 else SCHEMES[::-1])
        assert not failures
        assert not watched.problems


def test_pages_without_content(chromium: "Browser", tmp_path: Path) -> None:
    """Pages of an empty installation pass the checks too, and each list shows a hint."""
    from tests.browser import running, scene, shots
    from tests.browser.watching import WatchedPage

    failures = []
    with running.installation(tmp_path, scene.add_users) as config:
        watched = WatchedPage(chromium, config.base_url, reduced_motion="reduce")
        watched.go("/-/sign-in")
        failures += view_failures(watched, "sign-in", schemes=SCHEMES)
        watched.sign_in("admin", scene.PASSWORD)
        for name, path in shots.EMPTY.items():
            watched.go(path)
            failures += view_failures(watched, name, schemes=SCHEMES)
            assert watched.page.locator(".empty h2").count() == 1, path
        watched.close()
    assert not failures
    assert not watched.problems


def test_pages_after_a_form(chromium: "Browser", tmp_path: Path) -> None:
    """Pages that follow a form (preview, refusal, decision, draft, invitation) pass the checks."""
    from tests.browser import running, scene, shots, words
    from tests.browser.watching import WatchedPage

    failures = []
    with running.installation(tmp_path, scene.build, readers=60) as config:
        options = {"viewport": {"width": 390, "height": 844}, "reduced_motion": "reduce", "color_scheme": "dark"}
        watched = WatchedPage(chromium, config.base_url, **options)
        watched.sign_in("admin", scene.PASSWORD)
        for name, (path, _) in shots.STEPS.items():
            watched.go(path)
            shots.perform_step(watched.page, name)
            failures += words.check(watched.page)
            failures += watched.violations()
            if watched.page.evaluate(IS_TOO_WIDE):
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


def test_pages_with_very_much_content(chromium: "Browser", tmp_path: Path) -> None:
    """Pages with very many articles, large numbers and long words have no error and fit the window."""
    from tests.browser import running, scene, shots
    from tests.browser.watching import WatchedPage

    failures = []
    with running.installation(tmp_path, scene.build_large) as config:
        watched = WatchedPage(chromium, config.base_url)
        watched.sign_in("admin", scene.PASSWORD)
        month = time.strftime("%Y-%m", time.gmtime(time.time() - 300 * 3_600))
        for name, path in shots.HUGE.items():
            watched.go(path.format(month=month))
            if name in {"articles", "picks"}:
                watched.page.locator(".signs .menu").first.wait_for()  # the ranking is computed first
            for size, (width, height) in SIZES.items():
                watched.page.set_viewport_size({"width": width, "height": height})
                if watched.page.evaluate(IS_TOO_WIDE):
                    failures.append(f"{path} is wider than the {size}")
            failures += size_failures(watched.page, name) if name in {"articles", "picks"} else []
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


def view_failures(watched: "WatchedPage", name: str, *, schemes: Iterable[Literal["light", "dark"]]) -> list[str]:
    """Return what is wrong with the open page on the desktop in the first scheme and on the phone in the second."""
    page, failures = watched.page, []
    for (size, (width, height)), scheme in zip(SIZES.items(), schemes, strict=True):
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme)
        found = watched.violations() + size_failures(page, name)
        if page.evaluate(IS_TOO_WIDE):
            found.append(f"{page.url} is wider than the window")
        failures += [f"{size}, {scheme}: {each}" for each in found]
    return failures


def chart_failures(page: "Page") -> list[str]:
    """Return what is wrong with the charts of a page: they show the site's zone, named, on a clock of 24 hours."""
    texts = page.evaluate("[...document.querySelectorAll('.chart text')].map(each => each.textContent)")
    failures = [f"{page.url}: {text} in a chart" for text in texts if re.search(r"\d ?[AP]M\b", text)]
    if page.locator(".chart").count() and not re.search(r"[Tt]imes are in \w+", page.inner_text("main")):
        failures.append(f"{page.url}: the chart does not name the time zone")
    return failures
