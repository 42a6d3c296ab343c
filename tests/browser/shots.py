"""Screenshots of every page, light and dark, on desktop and phone: ``python -m tests.browser.shots DIRECTORY``.

Page names after the directory limit it to those pages; ``--readme docs/screenshots`` takes those of README and docs."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from shortener.config import load
from tests.browser import running, scene

PAGES = {
    "overview": "/-/",
    "search": "/-/search?q=tide",
    "issues": "/-/issues",
    "report": "/-/issues/2026-11",
    "report-chinese": "/-/issues/2026-09",
    "report-arabic": "/-/issues/2026-08",
    "report-one-click": "/-/issues/2026-10",
    "report-empty": "/-/issues/2026-12",
    "audience": "/-/issues/2026-11/audience",
    "audience-filtered": "/-/issues/2026-11/audience?device=phone",
    "map": "/-/issues/2026-11/map",
    "map-arabic": "/-/issues/2026-08/map",
    "map-html": "/-/issues/2026-06/map",
    "setup": "/-/issues/2026-11/setup",
    "setup-draft": "/-/issues/2026-12/setup",
    "ready": "/-/issues/2026-12/ready",
    "new-issue": "/-/new-issue",
    "articles": "/-/articles",
    "articles-of-a-year": "/-/articles?period=12-months",
    "article": "/-/articles/article?url=https://example.org/2026-07/1",
    "picks": "/-/picks",
    "picks-markdown": "/-/picks?form=markdown",
    "links": "/-/links?sort=-visitors",
    "link": "/-/links/{code}",
    "new-link": "/-/new-link",
    "settings": "/-/settings",
    "system": "/-/settings/system",
    "tokens": "/-/settings/tokens",
    "users": "/-/settings/users",
    "webhooks": "/-/settings/webhooks",
    "webhook": "/-/settings/webhooks/1",
    "account": "/-/account",
    "help": "/-/help",
    "missing": "/-/nothing",
}
STEPS = {
    "new-issue-found": ("/-/new-issue", "look"),
    "new-issue-refused": ("/-/new-issue", "refuse"),
    "articles-decided": ("/-/articles", "decide"),
    "picks-linked": ("/-/picks", "link"),
    "users-invited": ("/-/settings/users", "invite"),
}
"""Path and action of each page that follows a form; they come last because they change the store."""
HUGE = {
    "overview": "/-/",
    "issues": "/-/issues",
    "report": "/-/issues/huge",
    "map": "/-/issues/huge/map",
    "setup": "/-/issues/huge/setup",
    "articles": "/-/articles?month={month}",
    "picks": "/-/picks?month={month}",
    "links": "/-/links?q=hand",
}
EMPTY = {
    "overview": "/-/",
    "issues": "/-/issues",
    "articles": "/-/articles",
    "picks": "/-/picks",
    "links": "/-/links",
}
DEMO_ISSUE = "/-/issues/low-tide-46"
DEMO_PAGES = {
    "overview": "/-/",
    "report": DEMO_ISSUE,
    "map": f"{DEMO_ISSUE}/map",
    "articles": "/-/articles",
    "picks": "/-/picks",
}
DEMO_READY = {"articles": ".signs .menu", "picks": ".pick"}
"""What a page has when its ranking is computed."""
SIZES = {"desktop": (1280, 860), "phone": (390, 844)}


def main(directory: Path, only: set[str]) -> None:
    """Take the screenshots into ``directory``; with names in ``only``, those alone."""
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=running.CHROMIUM, args=running.ARGUMENTS)
        scenes = (
            ("", {**PAGES, **{name: path for name, (path, _) in STEPS.items()}}, scene.build),
            ("empty-", EMPTY, scene.add_users),
            ("huge-", HUGE, scene.build_large),
        )
        for name, pages, build in scenes:
            home = Path(temporary) / (name or "full")
            home.mkdir()
            with running.installation(home, build) as config:
                chosen = {name + page: path for page, path in pages.items() if not only or name + page in only}
                if chosen:
                    take_screenshots(browser, config.base_url, chosen, directory)
        browser.close()


def take_screenshots(browser: Browser, base: str, pages: dict[str, str], directory: Path) -> None:
    """Take a screenshot of each page in each colour scheme and size."""
    for scheme in ("light", "dark"):
        for size, (width, height) in SIZES.items():
            context = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme="dark" if scheme == "dark" else "light",
                device_scale_factor=1,
            )
            page = context.new_page()
            page.on(
                "console",
                lambda message: print("console:", message.text) if message.type in {"error", "warning"} else None,
            )
            page.goto(f"{base}/-/sign-in")
            if not (directory / f"sign-in-{scheme}-{size}.png").exists():
                page.screenshot(path=directory / f"sign-in-{scheme}-{size}.png")
            page.fill("#name", "admin")
            page.fill("#password", scene.PASSWORD)
            page.click("button.main")
            page.goto(f"{base}/-/links?sort=-visitors")
            first = page.locator(".links .title a").first
            code = (first.get_attribute("href") or "").partition("/-/links/")[2] if first.count() else ""
            for name, path in pages.items():
                month = time.strftime("%Y-%m", time.gmtime(time.time() - 300 * 3_600))
                page.goto(base + path.format(code=code, month=month))
                perform_step(page, name)
                page.wait_for_timeout(250)
                page.screenshot(path=directory / f"{name}-{scheme}-{size}.png", full_page=True)
            context.close()


def perform_step(page: Page, name: str) -> None:
    """Fill in the form that leads to a page of STEPS."""
    action = STEPS.get(name, ("", ""))[1]
    if action == "look":
        source = scene.sample_issue() + b"\n[An older one](%s/old1)\n" % page.url.partition("/-/")[0].encode()
        page.set_input_files("#file", {"name": "2027-01.md", "mimeType": "text/markdown", "buffer": source})
        page.click("button:text('Review') >> nth=0")
        page.locator(".targets > summary").click()
    elif action == "refuse":
        page.set_input_files("#file", {"name": "a.png", "mimeType": "image/png", "buffer": b"\x89PNG\r\n\x1a\n0000"})
        page.click("button:text('Review') >> nth=0")
    elif action == "decide":
        page.click("#article-5 .signs summary")
        page.click("#article-5-pin")
        page.locator(".toast").wait_for()
    elif action == "link":
        page.locator("#section .main:visible").wait_for()
        button = page.locator("text=Create links and copy")
        if button.count():
            button.click()
            page.locator("#section [data-copy]").wait_for()
        else:
            page.locator("#section [data-copy]").click()
    elif action == "invite":
        page.click("summary[aria-label='More about viewer']")
        page.locator("tr:has(bdi:text-is('viewer')) form[action$=invite] button").click()
    page.wait_for_load_state()


def take_readme_screenshots(directory: Path) -> None:
    """Take the screenshots of the README and of the guide for editors: the first screens of the demonstration."""
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=running.CHROMIUM, args=running.ARGUMENTS)
        home = Path(temporary) / "demo"
        options = ["--directory", str(home), "--port", str(running.free_port()), "--leave"]
        subprocess.run([sys.executable, "-m", "shortener", "demo", *options], stdout=subprocess.DEVNULL, check=True)
        config = load(home / "config.toml", environment={})
        scene.add_users(config, now=int(time.time()))
        with running.server(home / "config.toml"):
            page = browser.new_context(viewport={"width": 1280, "height": 1000}).new_page()
            page.goto(f"{config.base_url}/-/sign-in")
            page.fill("#name", "editor")
            page.fill("#password", scene.PASSWORD)
            page.click("button.main")
            for name, path in DEMO_PAGES.items():
                page.goto(config.base_url + path)
                page.wait_for_selector(DEMO_READY.get(name, "main"))
                page.wait_for_timeout(3_000)  # what is computed at the first view
                page.goto(config.base_url + path)
                page.screenshot(path=directory / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    if not sys.argv[1:] or sys.argv[1] in {"-h", "--help"}:
        raise SystemExit(__doc__)
    if sys.argv[1] == "--readme":
        take_readme_screenshots(Path(sys.argv[2]))
    else:
        main(Path(sys.argv[1]), set(sys.argv[2:]))
