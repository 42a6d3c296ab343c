"""Browser page that records what goes wrong on it, with accessibility checks by axe."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.browser import scene

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page, StorageState

AXE = (Path(__file__).parent / "vendor" / "axe-4.14.1.min.js").read_text(encoding="utf-8")
RUN_AXE = """async () => {
    const isSerious = (item) => ["serious", "critical"].includes(item.impact);
    const others = axe._audit.rules.filter((rule) => !isSerious(rule)).map((rule) => [rule.id, { enabled: false }]);
    if (axe._audit.rules.length - others.length < 50) throw new Error("axe has hardly any rules of a serious impact");
    const options = { rules: Object.fromEntries(others), resultTypes: ["violations"], iframes: false, preload: false };
    const { violations } = await axe.run(document, { ...options, selectors: false });
    return violations.filter(isSerious).map(
        (found) => `${found.id}: ${found.help}: ${found.nodes[0].html.slice(0, 200)}`);
}"""
"""Script that runs the rules whose violations are serious or critical. It leaves out the page's frames, in which axe
does not run, and the files that only rules on videos and turned screens need."""


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
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE)
        return [f"{self.page.url}: {violation}" for violation in self.page.evaluate(RUN_AXE)]

    def close(self) -> None:
        """Close the page's browser context."""
        self.context.close()


class Sessions:
    """Pages of an installation in which its users are signed in. Each user signs in once."""

    def __init__(self, browser: "Browser", base: str) -> None:
        self.base = base
        self._browser = browser
        self._states: dict[str, StorageState] = {}

    @contextmanager
    def open(self, name: str, **options: Any) -> Iterator[WatchedPage]:
        """Open a page in a context of its own for the block, in which the user ``name`` is signed in."""
        if name not in self._states:
            first = WatchedPage(self._browser, self.base)
            first.sign_in(name, scene.PASSWORD)
            self._states[name] = first.context.storage_state()
            first.close()
        watched = WatchedPage(self._browser, self.base, storage_state=self._states[name], **options)
        try:
            yield watched
        finally:
            watched.close()
