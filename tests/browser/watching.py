"""A page of a browser that is watched: what it complains of, whom it asks, and what axe finds on it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

AXE = (Path(__file__).parent / "vendor" / "axe-4.14.1.min.js").read_text(encoding="utf-8")


class Watched:
    """A page and its complaints."""

    def __init__(self, browser: "Browser", base: str, **options: Any) -> None:
        self.base = base
        self.complaints: list[str] = []
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | options)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(45_000)
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("request", lambda asked: self._look(asked.url))

    def _hear(self, said: "ConsoleMessage") -> None:
        if said.type in {"error", "warning"}:
            self.complaints.append(f"{self.page.url}: {said.text}")

    def _look(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"data", "blob", "about"} and f"{parts.scheme}://{parts.netloc}" != self.base:
            self.complaints.append(f"{self.page.url} asks another host: {url}")

    def go(self, path: str) -> None:
        """Open a page of ours and wait until its charts are drawn."""
        self.page.goto(self.base + path)
        from playwright.sync_api import expect

        # Not wait_for_function: it evaluates text in the page, which our policy forbids when it has to wait.
        expect(self.page.locator(".chart:empty")).to_have_count(0)

    def sign_in(self, name: str, password: str) -> None:
        """Sign in by the form."""
        self.go("/-/sign-in")
        self.page.fill("#name", name)
        self.page.fill("#password", password)
        self.page.click("text=Sign in >> visible=true >> nth=-1")
        self.page.wait_for_url("**/-/issues")

    def violations(self) -> list[str]:
        """What axe finds on the page that is serious or worse. It runs from outside the page's policy."""
        found = self.page.evaluate(AXE + "; axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{self.page.url}: {each['id']}: {each['help']}: {each['nodes'][0]['html'][:200]}"
            for each in found["violations"]
            if each["impact"] in {"serious", "critical"}
        ]

    def close(self) -> None:
        """Close the browser's window."""
        self.context.close()
