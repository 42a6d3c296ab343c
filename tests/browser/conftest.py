"""Fixtures of the browser tests."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.browser.watching import Sessions


@pytest.fixture(scope="session")
def chromium() -> Iterator["Browser"]:
    """Start Chromium; skip the test if it or Playwright is not installed."""
    from tests.browser import running

    if not running.CHROMIUM:
        pytest.skip("Chromium is not installed (apt-get install chromium-headless-shell)")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as playwright_api:
        browser = playwright_api.chromium.launch(executable_path=running.CHROMIUM, args=running.ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory, chromium: "Browser") -> Iterator["Sessions"]:
    """The sample installation, for tests that only read it; pages in which its users are signed in."""
    from tests.browser import running, scene
    from tests.browser.watching import Sessions

    with running.installation(tmp_path_factory.mktemp("sample"), scene.build) as config:
        yield Sessions(chromium, config.base_url)
