"""Fixtures of the browser tests."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

if TYPE_CHECKING:
    from playwright.sync_api import Browser


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
