"""Browser tests of the list of links and of the click map: what their scripts add, and how the map fits its frame."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.browser.watching import Sessions, WatchedPage


@pytest.fixture
def watched(sample: "Sessions") -> Iterator["WatchedPage"]:
    """Browser page in which the editor is signed in; it must not have a console error or ask another host."""
    with sample.open("editor") as watched:
        yield watched
    assert not watched.problems


def test_links_are_found_while_typing(watched: "WatchedPage") -> None:
    """The list follows the search and the menus; the address, the files and the focus follow too."""
    from playwright.sync_api import expect

    page = watched.page
    watched.go("/-/links")
    page.locator("#q").press_sequentially("whales")
    expect(page.locator("#found > form tbody tr")).to_have_count(1)
    assert page.url.endswith("/-/links?q=whales")
    assert page.evaluate("document.activeElement.id") == "q"
    assert "/-/links.csv?q=whales" in page.inner_html("#found")
    page.fill("#q", "")
    page.select_option("#issue", "2026-06")
    expect(page.locator("#found > form tbody tr")).to_have_count(5)
    page.fill("#q", "no such link")
    expect(page.locator("#found")).to_contain_text("Nothing matches")


def test_links_are_selected_and_copied(watched: "WatchedPage") -> None:
    """The actions appear with a selection; all rows are selected at once; a row copies its short link."""
    from playwright.sync_api import expect

    page = watched.page
    watched.go("/-/links?issue=2026-06")
    export = page.locator("button:text('Export selected')")
    expect(export).to_be_hidden()
    page.locator("tbody [name=link]").nth(1).check()
    expect(page.locator("[data-selected-count]")).to_have_text("1 selected")
    page.check("[data-select-all]")
    expect(page.locator("[data-selected-count]")).to_have_text("5 selected")
    with page.expect_download() as download:
        export.click()
    assert Path(download.value.path()).read_text(encoding="utf-8").count("\n") == 6
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    row = page.locator("#found > form tbody tr").first
    row.hover()
    row.locator("button").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == f"{watched.base}/{row.locator('.short').inner_text()}"


def test_map_and_table_lead_to_each_other(watched: "WatchedPage") -> None:
    """A badge leads to its row with mouse and keyboard, a row's link shows its badge, and both are marked together."""
    page = watched.page
    watched.go("/-/issues/2026-06/map")
    frame = page.frame_locator("iframe")
    badge = frame.locator("shortener-badge[role=link]").nth(4)
    anchor = badge.get_attribute("id") or ""
    badge.click()
    assert page.evaluate("document.activeElement.hash") == f"#{anchor}"
    badge.focus()
    assert page.locator(f"tr.chosen[data-badges~='{anchor}']").count() == 1
    page.locator(".map-list details").evaluate_all("lists => lists.forEach(list => { list.open = true })")
    other = frame.locator("shortener-badge[role=link]").last
    page.locator(f".map-list a[href$='#{other.get_attribute('id')}']").click()
    assert frame.locator("shortener-badge:target").get_attribute("id") == other.get_attribute("id")
    first = frame.locator("shortener-badge[role=link]").first
    page.locator(f"tr[data-badges~='{first.get_attribute('id')}']").hover()
    assert first.get_attribute("data-chosen") is not None


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_design_fits_its_frame_on_the_phone(watched: "WatchedPage", scheme: str) -> None:
    """A newsletter 600 pixels wide is scaled to the frame, whole and without a request; in dark mode it is dimmed."""
    page = watched.page
    page.set_viewport_size({"width": 390, "height": 844})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    watched.go("/-/issues/2026-06/map")
    frame = page.frame_locator("iframe")
    frame.locator("shortener-badge").first.wait_for()
    beyond = frame.locator("html").evaluate(
        "root => [...root.querySelectorAll('*')].filter(each => each.getBoundingClientRect().right > innerWidth + 1)"
        ".map(each => each.outerHTML.slice(0, 90))"
    )
    assert not beyond
    image = frame.locator("shortener-image").first.bounding_box()
    assert image
    assert 2.3 < image["width"] / image["height"] < 3.1, "the box has the proportions of the image"
    style = frame.locator("html").evaluate("root => getComputedStyle(root).filter")
    assert ("brightness" in style) == (scheme == "dark")
    assert frame.locator("h2").first.evaluate("each => getComputedStyle(each).fontFamily").startswith("Georgia")


def test_pages_are_short_on_the_phone(watched: "WatchedPage") -> None:
    """The list of links and the page of a link are at most 5,000 pixels long on a phone."""
    page = watched.page
    page.set_viewport_size({"width": 390, "height": 844})
    for path in ("/-/links", "/-/issues/2026-11/map"):
        watched.go(path)
        assert page.evaluate("document.documentElement.scrollHeight") < 5_000, path
    watched.go("/-/links?issue=2026-11")
    page.locator(".links .title a").first.click()
    page.wait_for_url("**/-/links/*/*")
    assert page.evaluate("document.documentElement.scrollHeight") < 5_000
