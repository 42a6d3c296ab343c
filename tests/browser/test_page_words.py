"""Browser test of the words of all pages: no command, option, configuration key or HTTP word."""

import re
import time
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

COMMANDS = (
    "backup|clicks|collect|completion|config|demo|doctor|edge|init|issue|link|picks|rank|rebuild|reclassify|report|"
    "serve|signals|token|user"
)
STATUS_PHRASES = "|".join(sorted({status.phrase for status in HTTPStatus if status >= HTTPStatus.BAD_REQUEST}))
FORBIDDEN = re.compile(
    rf"\bshortener (?:{COMMANDS})\b|(?<![\w-])--[a-z][a-z-]+|config\.toml|SHORTENER_|\[\[?[a-z]+\]\]? [a-z_]+|"
    rf"\b(?:{STATUS_PHRASES})\b|\bHTTP (?:status|error)|\b(?:POST|PUT|PATCH) request|\bstatus code\b|\btraceback\b",
)
ATTRIBUTES = ("aria-label", "title", "placeholder", "alt", "value")
QUOTING_PAGES = {"/-/settings/webhooks/1"}
"""Pages that quote what other servers answered."""
MISSES = {
    "unknown link": "/unknown1",
    "preview of an unknown link": "/unknown1+",
    "home": "/",
    "no such page": "/-/nothing",
    "no such issue": "/-/issues/nothing",
    "no such setup": "/-/issues/nothing/setup",
    "no such link": "/-/links/127.0.0.1/nothing",
    "no short link": "/-/link?short_url=x",
    "address of a form": "/-/articles/decide",
    "unknown order": "/-/links?sort=x",
    "unknown status": "/-/links?status=x",
    "invalid month": "/-/articles?month=2026-13",
    "month without issues": "/-/articles?month=2020-01",
    "article that no issue has": "/-/articles/article?url=https://example.org/nothing",
    "article of an unknown issue": "/-/articles?issue=nothing",
    "picks of an invalid month": "/-/picks?month=x",
    "picks of a month without issues": "/-/picks?month=2020-01",
    "used invite link": "/-/welcome/x",
    "page of admins": "/-/settings/users",
}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("run `shortener issue list`", True),
        ("choose one with --slug", True),
        ("edit config.toml", True),
        ("set [networks] countries", True),
        ("400 Bad Request", True),
        ("Not Found", True),
        ("a draft -- not sent", False),
        ("Clicks not found to be human", False),
        ("a link shortener for newsletters", False),
    ],
)
def test_pattern(text: str, found: bool) -> None:
    """The pattern finds what it is for, and no plain sentence."""
    assert bool(FORBIDDEN.search(text)) is found


def words(page: "Page") -> str:
    """Return the text of a page, with closed details, and the attributes that a user sees or hears."""
    script = "(parts, names) => parts.flatMap(part => names.map(name => part.getAttribute(name) ?? '')).join(' ')"
    attributes = page.locator("body *:not([type=hidden])").evaluate_all(script, list(ATTRIBUTES))
    page.locator("script, style").evaluate_all("parts => parts.forEach(part => part.remove())")
    return f"{page.title()} {page.locator('body').text_content()} {attributes}"


def check(page: "Page") -> list[str]:
    """Return what is wrong with the words of a page."""
    text = words(page)
    numbers = re.findall(r"(?<![\w.,])[45]\d\d(?![\w.,])", page.locator("h1").first.text_content() or "")
    return [f"{page.url}: {match}" for match in (*FORBIDDEN.findall(text), *numbers)]


def test_words_of_all_pages(chromium: "Browser", tmp_path: Path) -> None:
    """No page, refusal, question or error page has a technical word, for any role and without a session."""
    from tests.browser import running, scene, shots

    port = running.free_port()
    config = scene.configure(tmp_path / "data", port=port)
    scene.build(config, now=int(time.time()), readers=40)
    wrong: list[str] = []
    with running.server(running.configuration(tmp_path, port=port)):
        base = config.base_url
        for role in ("", "admin"):
            page = chromium.new_context().new_page()
            # Words need neither styles nor scripts.
            page.route("**/-/static/**", lambda route: route.abort())
            if role:
                page.goto(f"{base}/-/sign-in")
                page.fill("#name", role)
                page.fill("#password", "wrong wrong wrong")
                page.click("button.main")
                wrong += check(page)
                page.fill("#password", scene.PASSWORD)
                page.click("button.main")
                page.wait_for_url("**/-/")
            for path in MISSES.values():
                page.goto(base + path)
                wrong += check(page)
            if role:
                page.goto(f"{base}/-/links?issue=2026-11")
                link = page.locator(".links .title a").first.get_attribute("href") or ""
                paths = [path for path in shots.PAGES.values() if "{" not in path and path not in QUOTING_PAGES]
                extra = ["/-/settings/webhooks", "/-/issues/2026-12/setup", "/-/issues/2026-12/ready", f"{link}/retire"]
                for path in [*paths, *extra, link]:
                    page.goto(base + path)
                    wrong += check(page)
            page.context.close()
        page = chromium.new_context().new_page()
        page.goto(f"{base}/-/sign-in")
        page.fill("#name", "admin")
        page.fill("#password", scene.PASSWORD)
        page.click("button.main")
        page.wait_for_url("**/-/")
        for name, (path, _) in shots.STEPS.items():
            page.goto(base + path)
            shots.perform_step(page, name)
            wrong += check(page)
    assert not wrong
