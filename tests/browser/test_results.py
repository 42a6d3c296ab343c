"""The results page in a browser: the chart by pointer and keyboard, choices that keep the place, and no script."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.watching import Sessions

REPORT = "/-/issues/2026-11"


@pytest.fixture
def opened(sample: "Sessions") -> Iterator["Page"]:
    """Results page of a viewer."""
    with sample.open("viewer") as watched:
        watched.page.goto(sample.base + REPORT)
        yield watched.page


def test_the_chart_has_values_under_the_pointer_and_by_keyboard(opened: "Page") -> None:
    """The pointer and the arrow keys show the values of a place beside the usual; Escape hides them."""
    page = opened
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


def test_choices_keep_the_place(opened: "Page") -> None:
    """What the chart shows and the order of the articles change without a jump, and the address has the choice."""
    page = opened
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


CHOICE_DURING_FETCH = """() => {
    document.querySelector("#articles").insertAdjacentHTML("beforeend", '<p id="waits" data-again="articles"></p>');
    const fetch = window.fetch;
    window.fetch = address => {
        window.fetch = fetch;
        history.pushState(null, "", "?pace=hourly");
        return fetch(address);
    };
}"""


def test_a_choice_while_articles_are_computed_is_kept(opened: "Page") -> None:
    """Articles that were fetched before a choice on the page are fetched again, so that their links have the choice."""
    opened.evaluate(CHOICE_DURING_FETCH)
    opened.add_script_tag(url="/-/static/again.js")
    opened.locator("#waits").wait_for(state="detached")
    address = opened.locator("#articles thead a").first.get_attribute("href") or ""
    assert "pace=hourly" in address


def test_results_without_script(sample: "Sessions") -> None:
    """Without a script the chart is drawn, its choices are links, and rows open."""
    with sample.open("viewer", java_script_enabled=False) as watched:
        page = watched.page
        page.goto(sample.base + REPORT)
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


def test_results_are_short_on_the_phone(sample: "Sessions") -> None:
    """The page is at most 3,000 pixels high on a phone; on a desktop a row of an article has one line."""
    with sample.open("viewer", viewport={"width": 390, "height": 900}) as watched:
        page = watched.page
        page.goto(sample.base + REPORT)
        assert page.evaluate("document.documentElement.scrollHeight") < 3_000
        page.set_viewport_size({"width": 1_440, "height": 900})
        heights = page.evaluate(
            "[...document.querySelectorAll('#articles tr:has(.expand)')].map(row => row.offsetHeight)"
        )
        assert heights
        assert max(heights) <= 46
