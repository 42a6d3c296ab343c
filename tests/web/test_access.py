"""Tests of access to every route of the app: role, origin of the request, and response headers."""

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask

from shortener.app import create_pages_app
from shortener.config import Config, Storage
from shortener.errors import StoreError
from shortener.services import accounts
from tests.store_content import dump

if TYPE_CHECKING:
    from pathlib import Path

    from tests.web.conftest import EditorSite

PUBLIC = {
    "accounts.sign_in",
    "accounts.try_sign_in",
    "accounts.welcome",
    "api_pages.show_problems",
    "public.answer_domain_check",
    "public.favicon",
    "public.home",
    "public.not_found",
    "public.preview",
    "public.robots",
    "status.show_health",
    "status.show_metrics",
    "static",
}
"""Endpoints of pages that need no sign-in. The operations of the API need a token; tests/api covers them."""
OWN = {
    "accounts.sign_out",
    "accounts.change_password",
    "accounts.set_language",
    "tokens.create_token",
    "tokens.revoke_own_token",
}
"""Endpoints at which users of every role change what is their own."""
FILLED = {
    "slug": "may",
    "host": "go.example",
    "code": "nocode",
    "token": "x",
    "filename": "site.css",
    "anything": "x",
    "id": "1",
    "domain": "go.example",
    "month": "2026-11",
    "article": "x",
    "webhook_id": "1",
    "delivery_id": "1",
    "upload_id": "1",
    "nonce": "x",
}


def routes(app: Flask) -> list[tuple[str, str, str, str]]:
    """Return method, path, endpoint and required role ('' for none) of every route, with FILLED as arguments."""
    listed = []
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:\w+(?:\([^)]*\))?:)?(\w+)>", lambda part: FILLED[part[1]], rule.rule)
        role = getattr(app.view_functions[rule.endpoint], "role", "")
        listed += [(method, path, rule.endpoint, role) for method in (rule.methods or set()) & {"GET", "POST"}]
    return sorted(listed)


@pytest.fixture(scope="module")
def all_routes(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str, str, str]]:
    """Routes of an app, as ``routes`` returns them."""
    directory: Path = tmp_path_factory.mktemp("routes")
    return routes(create_pages_app(Config(storage=Storage(data=str(directory)))))


def send(site: "EditorSite", browser: Any, method: str, path: str, **headers: str) -> Any:
    """Send a request to a route, as our own pages do."""
    return browser.post(path, None, **headers) if method == "POST" else browser.get(path, **headers)


def test_an_error_keeps_the_bar(site: "EditorSite", monkeypatch: pytest.MonkeyPatch) -> None:
    """After an unexpected error a signed-in user has the bar and a way back; other clients get a page without it."""
    monkeypatch.setitem(site.app.view_functions, "settings.show_help", lambda: 1 / 0)
    response = site.client("viewer").get("/-/help", Referer="https://go.example/-/links")
    assert response.status_code == 500
    assert "Something went wrong" in response.text
    assert 'aria-label="Main"' in response.text
    assert '<a class="button" href="/-/links">Back</a>' in response.text
    anonymous = site.browser().get("/-/help")
    assert anonymous.status_code == 500
    assert 'aria-label="Main"' not in anonymous.text


def test_every_route_requires_a_role_or_is_public(all_routes: list[tuple[str, str, str, str]]) -> None:
    """Every route requires a role or is in PUBLIC; a POST route requires the role editor or admin."""
    for method, path, endpoint, role in all_routes:
        if endpoint.startswith("api."):
            continue
        assert bool(role) != (endpoint in PUBLIC), f"{endpoint} needs a role or an entry in PUBLIC"
        if method == "POST" and endpoint not in PUBLIC:
            assert endpoint in OWN or role in {"editor", "admin"}, f"{path}: viewers could change something"


def test_access_without_sign_in(site_with_issue: "EditorSite", all_routes: list[tuple[str, str, str, str]]) -> None:
    """Without a session pages redirect to the sign-in form; files and forms answer 401."""
    browser = site_with_issue.browser()
    for method, path, endpoint, role in all_routes:
        if role:
            response = send(site_with_issue, browser, method, path)
            assert response.status_code in {303, 401}, f"{method} {path}"
            assert "Counting whales" not in response.text, endpoint


@pytest.mark.parametrize("user_role", accounts.ROLES)
def test_access_by_role(
    site_with_issue: "EditorSite", all_routes: list[tuple[str, str, str, str]], user_role: accounts.Role
) -> None:
    """A route answers 403 exactly to users whose role is too low, and no route answers with a server error."""
    for method, path, endpoint, role in all_routes:
        if role and endpoint not in {"accounts.sign_out", "issue_ready.check_targets"}:
            browser = site_with_issue.client(user_role)
            response = send(site_with_issue, browser, method, path)
            refused = response.status_code == 403
            assert refused != accounts.role_allows(user_role, accounts.parse_role(role)), (
                f"{user_role}: {method} {path}"
            )
            assert response.status_code < 500, f"{method} {path}: {response.status_code}"


FOREIGN: dict[str, dict[str, str]] = {
    "another site": {"Sec-Fetch-Site": "cross-site"},
    "a sibling host": {"Sec-Fetch-Site": "same-site"},
    "typed in": {"Sec-Fetch-Site": "none"},
    "old browser, another site": {"Origin": "https://evil.example"},
    "old browser, null": {"Origin": "null"},
    "lookalike": {"Origin": "https://go.example.evil.example"},
    "other port": {"Origin": "https://go.example:8443"},
    "referrer of another site": {"Referer": "https://evil.example/-/issues"},
    "broken origin": {"Origin": "https://[go.example"},
    "user info": {"Origin": "https://go.example@evil.example"},
    "nothing said": {"X-Nothing": "1"},
    "both, one foreign": {"Sec-Fetch-Site": "cross-site", "Origin": "https://go.example"},
    "method override": {"X-HTTP-Method-Override": "POST"},
}


def test_cross_site_changes_are_refused(
    site_with_issue: "EditorSite", all_routes: list[tuple[str, str, str, str]]
) -> None:
    """A POST of another site gets 403 at every route and changes nothing in the store."""
    browser = site_with_issue.client("admin")
    before = dump(site_with_issue.store)
    for method, path, _, _ in all_routes:
        if method == "POST" and not path.startswith("/-/api/"):
            response = browser.post(path, {"name": "editor"}, **FOREIGN["another site"])
            assert response.status_code == 403, path
    assert dump(site_with_issue.store) == before


def test_what_shows_a_change_of_another_site(site_with_issue: "EditorSite") -> None:
    """A POST whose headers do not say that it comes from our own pages gets 403 and changes nothing in the store."""
    browser = site_with_issue.client("admin")
    before = dump(site_with_issue.store)
    for name, headers in FOREIGN.items():
        for path in ("/-/settings/users", "/-/new-issue", "/-/sign-in", "/-/sign-out"):
            assert browser.post(path, {"name": "editor"}, **headers).status_code == 403, (name, path)
    assert dump(site_with_issue.store) == before


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "same-origin"},
        {"Origin": "https://go.example"},
        {"Referer": "https://go.example/-/x"},
    ],
    ids=["fetch metadata", "origin", "referrer"],
)
def test_same_origin_changes_are_accepted(site: "EditorSite", headers: dict[str, str]) -> None:
    """A form of our own pages is accepted by each of the headers that browsers send."""
    response = site.client("admin").post("/-/settings/users", {"name": "zoë", "role": "viewer"}, **headers)
    assert response.status_code == 200


def test_ids_that_no_store_has(site_with_issue: "EditorSite") -> None:
    """An id that is too large for the store is not found, at every route with an id."""
    browser = site_with_issue.client("admin")
    tried = 0
    for rule in site_with_issue.app.url_map.iter_rules():
        if rule.rule.startswith("/-/api/") or not re.search("<int[^>]*>", rule.rule):
            continue
        path = re.sub("<int[^>]*>", str(10**20), rule.rule)
        for method in (rule.methods or set()) & {"GET", "POST"}:
            status = send(site_with_issue, browser, method, path).status_code
            assert status in {404, 405}, f"{method} {path}: {status}"
            tried += 1
    assert tried > 5


def test_get_requests_write_nothing(site_with_issue: "EditorSite", all_routes: list[tuple[str, str, str, str]]) -> None:
    """No GET or HEAD request writes to the store."""
    browser = site_with_issue.client("admin")
    browser.get("/-/issues")
    before = site_with_issue.store.execute("pragma data_version").fetchone()
    for method, path, _, _ in all_routes:
        if method == "GET" and not path.startswith("/-/static/"):
            browser.get(path)
            browser.client.head(path, base_url="https://go.example")
    assert site_with_issue.store.execute("pragma data_version").fetchone() == before


HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Strict-Transport-Security": "max-age=31536000",
}
RESPONSES = {
    "page": ("/-/issues", 200),
    "form": ("/-/sign-in", 303),
    "file": ("/-/issues.csv", 200),
    "JSON": ("/-/issues.json", 200),
    "not found": ("/-/nothing", 404),
    "refused": ("/-/settings/users", 403),
    "bad": ("/-/links?sort=id;drop", 400),
    "public": ("/", 200),
    "picture": ("/-/links/go.example/nocode/qr.svg", 404),
    "download": ("/-/issues/may/download", 200),
    "map": ("/-/issues/may/map", 200),
}


@pytest.mark.parametrize(("path", "status"), RESPONSES.values(), ids=RESPONSES.keys())
def test_security_headers(site_with_issue: "EditorSite", path: str, status: int) -> None:
    """Responses of every kind have the security headers, and none allows another origin."""
    response = site_with_issue.client("viewer").get(path)
    assert response.status_code == status
    for name, value in HEADERS.items():
        assert response.headers[name] == value, name
    assert "Cookie" in response.headers["Vary"]
    policy = response.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert not [name for name, _ in response.headers if name.startswith("Access-Control-")]


def test_headers_of_static_files(site: "EditorSite") -> None:
    """Static files have the security headers, and browsers ask whether they have changed."""
    response = site.browser().get("/-/static/site.css")
    assert response.status_code == 200
    assert "no-cache" in response.headers["Cache-Control"]
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "unsafe" not in response.headers["Content-Security-Policy"]
    response.close()


@pytest.mark.parametrize("path", ["/-/issues/a%0a2026-11-26 INFO fake", "/-/issues/%1b[2J%0d%0afake"])
def test_log_lines_contain_no_control_characters(
    site_with_issue: "EditorSite",
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    path: str,
) -> None:
    """Control characters of a path or a name do not reach the log."""

    def fail(*_: object, **__: object) -> None:
        raise StoreError("cannot be read")

    monkeypatch.setattr("shortener.web.views.reports.build_issue_report", fail)
    browser = site_with_issue.client("viewer")
    assert browser.get(path).status_code == 503
    browser.post("/-/sign-in", {"name": "a\n2026-11-26 INFO fake", "password": "x"})
    assert caplog.messages
    for message in caplog.messages:
        assert message.isprintable(), message


def test_unexpected_error(site_with_issue: "EditorSite", monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected error gives a page with status 500 that does not show the error, with the security headers."""

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the error itself")

    monkeypatch.setattr("shortener.web.views.issues.build_issue_list", fail)
    response = site_with_issue.client("viewer").get("/-/issues")
    assert response.status_code == 500
    assert "the error itself" not in response.text
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "https://go.example.evil.example"])
def test_no_cors_headers(site_with_issue: "EditorSite", origin: str) -> None:
    """No response allows another origin to read it, not even a preflight response."""
    client = site_with_issue.client("viewer").client
    for method in ("GET", "OPTIONS"):
        response = client.open(
            "/-/issues.json", method=method, base_url="https://go.example", headers={"Origin": origin}
        )
        assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize(
    "host",
    ["evil.example", "go.example..", ".go.example", "a..b", "a" * 64, "go.example:x", "[::1", "[x]", "a@b", "%", ""],
)
def test_foreign_host_header(site: "EditorSite", host: str) -> None:
    """A request with a Host that is not configured, or that is no host name, gets the page for unknown addresses."""
    for path in ("/-/sign-in", "/-/account", "/song+", "/"):
        response = site.app.test_client().get(path, headers={"Host": host, "Accept-Language": "de"})
        assert response.status_code == 404, path
        assert '<html lang="de"' in response.text


def test_errors_of_json_paths_are_json(site_with_issue: "EditorSite") -> None:
    """An error on a JSON path is a JSON document."""
    response = site_with_issue.client("viewer").get("/-/issues/none/report.json")
    assert (response.status_code, response.mimetype) == (404, "application/json")
    assert "none" in json.loads(response.text)["error"]
