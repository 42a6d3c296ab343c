"""Browser page that records what goes wrong on it, with accessibility checks by axe."""

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page, StorageState

AXE = (Path(__file__).parent / "vendor" / "axe-4.14.1.min.js").read_text(encoding="utf-8")


def cookies_of(name: str, password: str, *, browser: "Browser", base: str) -> "StorageState":
    """Sign in once, and return the cookies with which other pages (``storage_state``) are signed in too."""
    watched = WatchedPage(browser, base)
    watched.sign_in(name, password)
    state = watched.context.storage_state()
    watched.close()
    return state


class WatchedPage:
    """Browser page that records console messages, script errors and requests to other hosts as ``problems``."""

    def __init__(self, browser: "Browser", base: str, **options: Any) -> None:
        self.base = base
        self.problems: list[str] = []
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | options)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(45_000)
        self.page.on("console", self._record_console)
        self.page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        self.page.on("request", lambda request: self._record_foreign_request(request.url))

    def _record_console(self, message: "ConsoleMessage") -> None:
        if message.type in {"error", "warning"}:
            self.problems.append(f"{self.page.url}: {message.text}")

    def _record_foreign_request(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"data", "blob", "about"} and f"{parts.scheme}://{parts.netloc}" != self.base:
            self.problems.append(f"{self.page.url} requests another host: {url}")

    def go(self, path: str) -> None:
        """Open a page, and wait while it loads itself again because something is still being computed."""
        self.page.goto(self.base + path)
        self.page.locator("script[src*='reload.js']").wait_for(state="detached", timeout=90_000)

    def sign_in(self, name: str, password: str) -> None:
        """Sign in with the form."""
        self.go("/-/sign-in")
        self.page.fill("#name", name)
        self.page.fill("#password", password)
        self.page.click("text=Sign in >> visible=true >> nth=-1")
        self.page.wait_for_url("**/-/")

    def sign_out(self) -> None:
        """Sign out with the account menu."""
        self.page.click("summary[aria-label^=Account]")
        self.page.click("text=Sign out")
        self.page.wait_for_url("**/-/sign-in")

    def violations(self) -> list[str]:
        """Return the serious and critical accessibility violations that axe finds on the page."""
        return self._run_axe("{resultTypes: ['violations']}")

    def dark_violations(self) -> list[str]:
        """Return the violations of contrast that axe finds on the page in dark colours."""
        self.page.emulate_media(color_scheme="dark")
        found = self._run_axe("{resultTypes: ['violations'], runOnly: ['color-contrast']}")
        self.page.emulate_media(color_scheme="light")
        return [f"dark: {each}" for each in found]

    def _run_axe(self, options: str) -> list[str]:
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE)
        report = self.page.evaluate(f"axe.run(document, {options})")
        return [
            f"{self.page.url}: {violation['id']}: {violation['help']}: {violation['nodes'][0]['html'][:200]}"
            for violation in report["violations"]
            if violation["impact"] in {"serious", "critical"}
        ]

    def close(self) -> None:
        """Close the page's browser context."""
        self.context.close()
