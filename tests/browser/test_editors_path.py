"""Browser tests of the path of an editor, from the first sign-in to the draft of the picks, on a real server."""

import http.client
import json
import re
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from shortener.reporting.issue_contents import load_issue_contents
from shortener.store import open_store

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from shortener.config import Config
    from tests.browser.watching import WatchedPage

PASSWORD = "a sentence for tests"
WAIT_SECONDS = 60.0


def follow(url: str) -> None:
    """Request a short link as a reader's browser does."""
    from tests.browser.scene import BROWSERS

    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    connection.request(
        "GET",
        parts.path,
        headers={
            "User-Agent": BROWSERS[0],
            "Accept": "text/html,application/xhtml+xml",
            "Accept-Language": "en-GB",
            "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Dest": "document",
            "Sec-Fetch-Site": "cross-site",
        },
    )
    response = connection.getresponse()
    assert response.status == 302, url
    connection.close()


def add_readers(config: "Config") -> None:
    """Add the clicks of the last two hours to the click log of a running server."""
    from tests.browser import scene

    now = int(time.time())
    with closing(open_store(config.data_directory)) as store:
        issue = load_issue_contents(store, "low-tide", config=config, now=now)
    scene.append_to_click_log(config, scene.click_lines(issue, readers=300, now=now, seed=1))


def wait_for(watched: "WatchedPage", path: str, wanted: int) -> None:
    """Wait until a report has at least ``wanted`` human clicks."""
    until = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < until:
        response = watched.page.request.get(watched.base + path)
        if json.loads(response.body())["totals"]["clicks"]["human"] >= wanted:
            return
        time.sleep(0.2)
    raise AssertionError("the clicks were not counted in time")


def test_path_of_an_editor(chromium: "Browser", tmp_path: Path) -> None:
    """An editor becomes admin, adds the sample issue, sees clicks arrive, pins an article and copies the picks."""
    from tests.browser import running, scene
    from tests.browser.watching import WatchedPage

    port = running.free_port()
    with running.server(running.configuration(tmp_path, port=port), last_line="invite link") as output:
        base = f"http://127.0.0.1:{port}"
        watched = WatchedPage(chromium, base, permissions=["clipboard-read", "clipboard-write"])
        page = watched.page
        create_first_admin(watched, output[-1])
        urls = add_sample(watched, scene.sample_issue())
        add_readers(scene.configure(tmp_path / "data", port=port))
        wait_for(watched, "/-/issues/low-tide/report.json", 20)
        check_live_report(watched, urls)
        check_click_map(page)
        pin_article(page)
        copy_draft(page)
        watched.sign_out()
        page.goto(f"{base}/-/issues")
        page.wait_for_url("**/-/sign-in?next=/-/issues")
        watched.close()
    assert not watched.problems


def create_first_admin(watched: "WatchedPage", line: str) -> None:
    """Create the first admin with the invitation link that the server printed."""
    watched.page.goto(line.rpartition(" ")[2].strip())
    watched.page.fill("#name", "Ann")
    watched.page.fill("#password", PASSWORD)
    watched.page.fill("#again", PASSWORD)
    watched.page.click("text=Create account")
    watched.page.wait_for_url("**/-/")
    assert watched.page.locator("text=No issue yet").count() == 1


def add_sample(watched: "WatchedPage", source: bytes) -> list[str]:
    """Add the sample issue with a preview, and return its short URLs in order of position."""
    page = watched.page
    page.click("text=Add the first issue")
    page.set_input_files("#file", {"name": "low-tide.md", "mimeType": "text/markdown", "buffer": source})
    page.click("button:text('Review')")
    page.wait_for_url("**/review")
    assert page.frame_locator("iframe").locator("shortener-link[data-tone=article]").count() > 8
    assert page.locator(".rows > li:visible").count() == 8, "the list begins with the articles"
    page.locator("label:has(.show-all)").first.click()
    page.locator(".rows [name^=title-]").first.fill("Winter survey of the North Sea")
    boxes = page.locator(".rows .inline input[name=selected]")
    boxes.first.click()
    boxes.nth(2).click(modifiers=["Shift"])
    assert page.inner_text("[data-selected]") == "3 selected"
    slug = page.input_value("#slug")
    for wrong, error in (("low tide", "cannot be a slug"), ("x" * 101, "up to 100 letters")):
        page.fill("#slug", wrong)
        page.wait_for_selector(f"#slug-error:has-text('{error}')")
    page.fill("#slug", slug)
    page.wait_for_selector("#slug-error", state="detached")
    page.click("button:text('Create issue')")
    page.wait_for_url("**/ready")
    assert "Issue created: 8 articles" in page.inner_text("main")
    page.click("button:text('Copy Markdown')")
    page.wait_for_selector("text=Copied")
    with page.expect_download() as download:
        page.click("text=Download")
    output = Path(download.value.path()).read_text(encoding="utf-8")
    assert watched.base in output
    assert output.count("\n") == source.decode().count("\n"), "only the links changed"
    assert page.evaluate("navigator.clipboard.readText()") == output
    page.check("input[value=date]")
    page.fill("#sent_at", time.strftime("%Y-%m-%dT%H:%M", time.gmtime(time.time() - 7_200)))
    page.fill("#recipients", "1,500")
    page.click("button:text('Mark as sent')")
    page.wait_for_selector("text=The issue is sent")
    watched.go("/-/issues/low-tide/setup")
    assert page.locator(".rows [name^=title-]").first.input_value() == "Winter survey of the North Sea"
    contents = json.loads(page.request.get(f"{watched.base}/-/issues/low-tide/setup.json").body())
    return [
        f"{link['short_url']}/{link['placements'][0]['n']}"
        for article in contents["articles"]
        for link in article["links"]
    ]


def check_live_report(watched: "WatchedPage", urls: list[str]) -> None:
    """An open report shows a new click without a reload."""
    page = watched.page
    watched.go("/-/issues/low-tide")
    before = page.inner_text("[data-live=clicks]")
    follow(urls[0])
    from playwright.sync_api import expect

    expect(page.locator("[data-live=clicks]")).not_to_have_text(before, timeout=20_000)
    assert page.locator("#course .plot").count() == 1


def check_click_map(page: "Page") -> None:
    """The click map shows the issue's text with shares at its links, in a sandboxed frame."""
    page.click("text=Click map")
    frame = page.frame_locator("iframe")
    assert frame.locator("h1").first.inner_text().startswith("Counting whales")
    assert frame.locator("shortener-badge").count() > 20
    assert frame.locator("shortener-badge[data-level='5']").count() >= 1
    assert page.get_attribute("iframe", "sandbox") == "allow-same-origin"


def pin_article(page: "Page") -> None:
    """The ranking has all articles; pin the last one."""
    page.click("nav >> text=Articles")
    page.wait_for_selector(".signs .menu")
    rows = page.locator("tr[id^=article-]")
    assert rows.count() == 8
    page.evaluate("window.isSamePage = true")
    rows.last.locator(".signs summary").click()
    rows.last.locator("button.pin").click()
    page.wait_for_selector(".toast:has-text('Featured: ')")
    rows.last.locator("summary:text('Add a reason')").click()
    rows.last.locator("input[name=reason]").fill("our readers should not miss it 🌊")
    rows.last.locator("button:text('Save')").click()
    page.wait_for_selector("text=our readers should not miss it 🌊")
    assert page.locator("tbody .tag:text('Featured')").count() == 1
    assert page.evaluate("window.isSamePage"), "a decision loads no page"


def copy_draft(page: "Page") -> None:
    """The draft begins with the pinned article, and the copy button copies it."""
    page.click("text=Picks for")
    check_live_preview(page)
    page.click("text=Markdown")
    assert "/…/1" in page.input_value("#section-text")
    page.click("text=Create links and copy")
    page.wait_for_selector("text=Copied")
    page.wait_for_selector(".toast.floating:has-text('The short links of the section are ready.')")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.replace("\r\n", "\n").strip() == page.input_value("#section-text").strip()
    assert copied.index("Chosen by our editors") < copied.index("Read more")
    assert "…" not in copied
    assert page.locator("main a.main:visible").text_content() == "New issue"
    assert page.locator("strong:text('Copied. Paste the section')").is_visible()


def check_live_preview(page: "Page") -> None:
    """The preview follows a title while it is typed; the section cannot be copied before the title is saved."""
    from playwright.sync_api import expect

    preview, note = page.frame_locator("iframe"), page.locator("text=changes that are not saved yet")
    page.locator("summary:text('Edit texts')").first.click()
    title = page.locator("form[data-preview=text] input[name=title]").first
    before = title.input_value()
    title.press_sequentially("Typed: ")
    preview.locator("a:text('Typed: ')").first.wait_for()
    note.wait_for()
    assert not page.locator("text=Create links and copy").is_visible()
    page.click("#tab-html")
    expect(page.locator("#section-text")).to_have_value(re.compile("Typed: "))
    assert title.input_value() == f"Typed: {before}", "the other form of the section keeps what is typed"
    title.fill(before)
    note.wait_for(state="hidden")


KEYBOARD_ISSUE = """\
# By keyboard

### [An article by keyboard](https://example.org/by-keyboard)

Its summary.
"""


def test_keyboard(chromium: "Browser", tmp_path: Path) -> None:
    """The whole path of an editor works with the keyboard alone, and the focus is always visible."""
    from tests.browser import running, scene
    from tests.browser.watching import WatchedPage

    with running.installation(tmp_path, scene.build, readers=40) as config:
        watched = WatchedPage(chromium, config.base_url)
        page, keys = watched.page, watched.page.keyboard
        watched.go("/-/links")
        wait_for_focus(page, "name")
        keys.type("editor")
        keys.press("Tab")
        keys.type(scene.PASSWORD)
        keys.press("Enter")
        page.wait_for_url(f"{config.base_url}/-/links")
        keys.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        keys.press("Enter")
        change_link_by_keyboard(page)
        add_issue_by_keyboard(page)
        decide_by_keyboard(page)
        press(page, "E", backwards=True)
        press(page, "Sign out")
        page.wait_for_url("**/-/sign-in")
        watched.close()
    assert not watched.problems


def change_link_by_keyboard(page: "Page") -> None:
    """Create a link and change its destination."""
    keys = page.keyboard
    press(page, "New link")
    page.wait_for_url("**/-/new-link")
    wait_for_focus(page, "target")
    keys.type("https://example.org/keyboard")
    keys.press("Enter")
    page.wait_for_url("**/-/links/**")
    press(page, "Change")
    tab_to(page, selector="#target")
    keys.press("End")
    keys.type("/changed")
    keys.press("Enter")
    page.wait_for_selector("text=Destination changed")
    assert "https://example.org/keyboard/changed" in page.inner_text(".target")


def add_issue_by_keyboard(page: "Page") -> None:
    """Add an issue in three steps, mark it as sent, and look at its pages."""
    keys = page.keyboard
    press(page, "Issues", backwards=True)
    page.wait_for_url("**/-/issues")
    press(page, "New issue")
    page.wait_for_url("**/-/new-issue")
    tab_to(page, selector="#source")
    keys.type(KEYBOARD_ISSUE)
    press(page, "Review")
    page.wait_for_url("**/review")
    press(page, "Create issue")
    page.wait_for_url("**/ready")
    press(page, "Mark as sent")
    page.wait_for_selector("text=The issue is sent")
    press(page, "Show results")
    page.wait_for_url("**/-/issues/by-keyboard")
    for tab in ("Click map", "Audience", "Setup"):
        press(page, tab)
        page.wait_for_selector(f".tabs [aria-current=page]:text-is('{tab}')")


def decide_by_keyboard(page: "Page") -> None:
    """Feature an article and make the links of the picks."""
    press(page, "Articles", backwards=True)
    page.wait_for_selector(".signs .menu")
    press(page, selector=".signs summary")
    press(page, selector="button.pin")
    page.wait_for_selector(".toast:has-text('Featured: ')")
    press(page, "Picks", backwards=True)
    page.wait_for_url("**/-/picks")
    press(page, "Create links and copy")
    page.wait_for_selector("text=Copied")


def wait_for_focus(page: "Page", id: str) -> None:
    """Wait until a field has the focus."""
    from playwright.sync_api import expect

    expect(page.locator(f"#{id}")).to_be_focused(timeout=10_000)


def press(page: "Page", text: str = "", *, selector: str = "", backwards: bool = False) -> None:
    """Go to an element with Tab and press Enter."""
    tab_to(page, text, selector=selector, backwards=backwards)
    page.keyboard.press("Enter")


def tab_to(page: "Page", text: str = "", *, selector: str = "", backwards: bool = False) -> None:
    """Press Tab until the element with a text or selector has the focus, and check that the focus is visible."""
    script = "([text, selector]) => { const focused = document.activeElement; "
    script += "return selector ? focused.matches(selector) : focused.textContent.trim() === text }"
    for _ in range(200):
        page.keyboard.press("Shift+Tab" if backwards else "Tab")
        if page.evaluate(script, [text, selector]):
            assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
            return
    raise AssertionError(f"{text or selector} cannot be reached")
