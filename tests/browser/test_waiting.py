"""Browser test of a page that waits for the ranking of its articles."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser


def test_the_comparison_appears_by_itself(chromium: "Browser", tmp_path: "Path") -> None:
    """The first visit of an older issue has no comparison yet; it appears in the page, which is not loaded again."""
    from tests.browser import running, scene
    from tests.browser.watching import WatchedPage

    with running.installation(tmp_path, scene.build, readers=20) as config:
        watched = WatchedPage(chromium, config.base_url)
        watched.sign_in("viewer", scene.PASSWORD)
        page = watched.page
        documents: list[str] = []
        page.on(
            "response", lambda response: documents.append(response.text()) if response.url.endswith("-09") else None
        )
        watched.go("/-/issues/2026-09")
        page.evaluate("window.isSamePage = true")
        page.locator(".articles .versus span").first.wait_for(timeout=60_000)
        assert "data-again" in documents[0]
        assert page.locator("[data-again]").count() == 0
        assert page.evaluate("window.isSamePage")
        watched.close()
    assert not watched.problems
