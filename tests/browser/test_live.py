"""An open report asks for its figures every few seconds, and for nothing while nobody looks."""

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

HIDING = """
let hidden = false;
Object.defineProperty(document, "hidden", { get: () => hidden });
window.hide = (value) => { hidden = value; document.dispatchEvent(new Event("visibilitychange")); };
"""
"""A browser without a window hides no tab: the page is told that it was."""


def test_a_report_asks_seldom_and_not_at_all_when_hidden(chromium: "Browser", tmp_path: "Path") -> None:
    """At most one small request in five seconds; none while the tab is hidden, also when it is shown in between."""
    from tests.browser import running, scene
    from tests.browser.watching import Watched

    port = running.free_port()
    config = scene.configure(tmp_path / "data", port=port)
    scene.build(config, now=int(time.time()), readers=20)
    with running.server(running.configuration(tmp_path, port=port)):
        watched = Watched(chromium, config.base_url)
        watched.sign_in("viewer", scene.PASSWORD)
        page = watched.page
        page.add_init_script(HIDING)
        page.clock.install()
        asked: list[int] = []
        page.on(
            "response", lambda answer: asked.append(len(answer.body())) if "/live" in answer.url else None
        )

        def wait(seconds: int) -> int:
            """Let so much time pass in the page, in steps of a second; how often it asked."""
            before = len(asked)
            for _ in range(seconds):
                page.clock.run_for(1_000)
                page.wait_for_timeout(30)
            return len(asked) - before

        watched.go("/-/issues/2026-11")
        assert 8 <= wait(60) <= 12
        assert max(asked) < 4_000, "the answer is small"
        page.evaluate("hide(true)")
        assert wait(120) == 0
        for _ in range(20):
            page.evaluate("hide(false)")
            page.evaluate("hide(true)")
        assert wait(10) <= 1
        page.evaluate("hide(false)")
        assert 1 <= wait(12) <= 3
        watched.close()
    assert not watched.complaints
