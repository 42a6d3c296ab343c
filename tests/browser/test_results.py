"""The results page in a browser: the chart by pointer and keyboard, choices that keep the place, and no script."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

REPORT = "/-/issues/2026-11"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, chromium: "Browser") -> Iterator[str]:
    """Base URL of a server with the sample installation."""
    from tests.browser import running, scene

    home, port = tmp_path_factory.mktemp("results"), running.free_port()
    config = scene.configure(home / "data", port=port)
    scene.build(config, now=int(time.time()))
    with running.server(running.configuration(home, port=port)):
        yield config.base_url


def open_results(chromium: "Browser", base: str, *, script: bool = True, width: int = 1_280) -> "Page":
    """Sign in and open the results page."""
    from tests.browser import scene

    page = chromium.new_context(viewport={"width": width, "height": 900}, java_script_enabled=script).new_page()
    page.goto(f"{base}/-/sign-in")
    page.fill("#name", "viewer")
    page.fill("#password", scene.PASSWORD)
    page.click("button.main")
    page.goto(base + REPORT)
    return page


def test_the_chart_has_values_under_the_pointer_and_by_keyboard(chromium: "Browser", base: str) -> None:
    """The pointer and the arrow keys show the values of a place beside the usual; Escape hides them."""
    page = open_results(chromium, base)
    plot, tip = page.locator("#course .plot"), page.locator("#course .tip")
    assert tip.is_hidden()
    box = plot.bounding_box()
    assert box is not None
    plot.hover(position={"x": box["width"] / 6, "y": 100})
    assert tip.inner_text().startswith("12 h · ")
    assert "This issue" in tip.inner_text()
    assert "Usual" in tip.inner_text()
    page.mouse.move(5, 5)
    assert tip.is_hidden()
    plot.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft"):
        page.keyboard.press(key)
    assert tip.inner_text().startswith("15 min · ")
    assert page.locator("#course [aria-live]").inner_text().split() == tip.inner_text().split()
    page.keyboard.press("End")
    assert tip.inner_text().startswith("72 h · ")
    assert "Expected" in tip.inner_text()
    page.keyboard.press("Escape")
    assert tip.is_hidden()
    page.context.close()


def test_choices_keep_the_place(chromium: "Browser", base: str) -> None:
    """What the chart shows and the order of the articles change without a jump, and the address has the choice."""
    page = open_results(chromium, base)
    page.evaluate("window.isSamePage = true")
    page.click("#course .segments >> text=Per hour")
    page.wait_for_url("**/2026-11?pace=hourly#course")
    page.select_option("#with", "2026-09")
    page.wait_for_url("**/2026-11?pace=hourly&with=2026-09")
    assert "with=2026-09" in page.url
    page.locator("#course text.label.other").wait_for()
    page.click("#articles thead >> text=Visitors")
    page.wait_for_url("**sort=-visitors**")
    counts = [int(text) for text in page.locator("#articles .count").all_inner_texts()]
    assert counts == sorted(counts, reverse=True)
    assert page.evaluate("window.isSamePage && document.activeElement.dataset.key") == "sort-visitors"
    page.locator("#articles .expand summary").first.click()
    assert page.locator("#articles tr.more").first.is_visible()
    assert page.locator("#articles tr.more").nth(1).is_hidden()
    page.context.close()


def test_results_without_script(chromium: "Browser", base: str) -> None:
    """Without a script the chart is drawn, its choices are links, and rows open."""
    page = open_results(chromium, base, script=False)
    assert page.locator("#course path.own").count() == 1
    page.click("#course .segments >> text=Clicks")
    assert "count=clicks" in page.url
    page.select_option("#with", "2026-09")
    page.click("#course button")
    assert page.locator("#course path.other").count() == 1
    page.locator("#articles .expand summary").first.click()
    assert page.locator("#articles tr.more").first.is_visible()
    page.click("text=why?")
    assert page.locator("#quality").is_visible()
    page.context.close()


def test_results_are_short_on_the_phone(chromium: "Browser", base: str) -> None:
    """The page is at most 3,000 pixels high on a phone; on a desktop a row of an article has one line."""
    page = open_results(chromium, base, width=390)
    assert page.evaluate("document.documentElement.scrollHeight") < 3_000
    page.set_viewport_size({"width": 1_440, "height": 900})
    heights = page.evaluate("[...document.querySelectorAll('#articles tr:has(.expand)')].map(row => row.offsetHeight)")
    assert heights
    assert max(heights) <= 46
    page.context.close()
