"""The pages work on both engines of the store."""

import json
import re

import pytest

from tests.postgres import both_engines
from tests.web.conftest import NOW, Browser, EditorSite

pytestmark = both_engines
MAX_PAGES = 150
LINK = re.compile(r'(?:href|action)="(/-/[^"#]*)"')


def write_clicks(site: EditorSite) -> None:
    """Let two readers click each link of the issue."""
    codes = [row[0] for row in site.store.execute("select code from links where target is not null order by id")]
    base = {"v": 1, "host": "go.example", "method": "GET", "status": 302, "ua": "Mozilla/5.0 (X11) Firefox/145.0"}
    site.write_clicks(
        [
            json.dumps(
                base | {"id": f"{reader}-{code}", "ts": NOW - 80_000 + 60 * number, "code": code, "visitor": reader}
            )
            for reader in ("ann", "bob")
            for number, code in enumerate(codes)
        ]
    )


def visit(browser: Browser, path: str) -> dict[str, int]:
    """Open a page and all pages that can be reached from it by links and searches; return their statuses."""
    statuses: dict[str, int] = {}
    waiting = [path]
    while waiting and len(statuses) < MAX_PAGES:
        path = waiting.pop(0)
        if path in statuses or path.startswith(("/-/static/", "/-/sign-out")):
            continue
        page = browser.get(path)
        statuses[path] = page.status_code
        if page.mimetype == "text/html":
            waiting += [link.replace("&amp;", "&") for link in LINK.findall(page.text)]
    return statuses


def test_every_page_can_be_opened(site_with_issue: EditorSite) -> None:
    """No page that an admin reaches from the first one ends in an error of the server."""
    write_clicks(site_with_issue)
    statuses = visit(site_with_issue.client("admin"), "/-/")
    assert {path: status for path, status in statuses.items() if status >= 500} == {}
    assert sum(status == 200 for status in statuses.values()) > 30


def test_forms_are_stored(site_with_issue: EditorSite) -> None:
    """A new link, its change and its retirement are stored, and the page of the link shows them."""
    editor = site_with_issue.client("editor")
    fields = {"target": "https://a.example/new", "code": "fresh", "domain": "go.example", "title": "New"}
    assert editor.post("/-/new-link", fields).status_code == 303
    path = "/-/links/go.example/fresh"
    assert editor.post(f"{path}/title", {"title": "Newer"}).status_code == 303
    assert editor.post(f"{path}/status", {"status": "retired"}).status_code == 303
    rows = site_with_issue.store.execute("select target, title, status from links where code = 'fresh'").fetchall()
    assert rows == [("https://a.example/new", "Newer", "retired")]
    assert site_with_issue.store.value("select count(*) from edits") == 2
    assert "Newer" in editor.get(path).text


@pytest.mark.parametrize("path", ["/-/health", "/-/metrics"])
def test_health_and_metrics(site_with_issue: EditorSite, path: str) -> None:
    """Both read the store."""
    write_clicks(site_with_issue)
    assert site_with_issue.browser().get(path).status_code == 200
