"""Every route of the editor pages, from the app's own map: who may ask, from where, and with which headers."""

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask

from shortener.app import create_pages_app
from shortener.config import Config, Storage
from shortener.errors import StoreError
from shortener.services import accounts

if TYPE_CHECKING:
    from pathlib import Path

    from tests.web.conftest import Desk

PUBLIC = {
    "accounts.index",
    "accounts.sign_in",
    "accounts.try_sign_in",
    "accounts.welcome",
    "pages.favicon",
    "pages.home",
    "pages.not_found",
    "pages.preview",
    "pages.robots",
    "pages.show_health",
    "pages.show_metrics",
    "static",
}
"""What may be asked for without signing in."""
FILLED = {
    "slug": "may",
    "host": "go.example",
    "code": "nocode",
    "token": "x",
    "filename": "site.css",
    "anything": "x",
}


def routes(app: Flask) -> list[tuple[str, str, str, str]]:
    """Method, path, endpoint and the role that it needs ('' for none)."""
    found = []
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:\w+:)?(\w+)>", lambda part: FILLED[part[1]], rule.rule)
        role = getattr(app.view_functions[rule.endpoint], "role", "")
        found += [(method, path, rule.endpoint, role) for method in (rule.methods or set()) & {"GET", "POST"}]
    return sorted(found)


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str, str, str]]:
    """All routes."""
    directory: Path = tmp_path_factory.mktemp("routes")
    return routes(create_pages_app(Config(storage=Storage(data=str(directory)))))


def ask(desk: "Desk", browser: Any, method: str, path: str, **headers: str) -> Any:
    """Ask for a route as a page of ours would."""
    return browser.post(path, None, **headers) if method == "POST" else browser.get(path, **headers)


def test_every_route_says_whom_it_is_for(every: list[tuple[str, str, str, str]]) -> None:
    """A route needs a role or stands on the list of public ones; what changes something needs an editor."""
    for method, path, endpoint, role in every:
        assert bool(role) != (endpoint in PUBLIC), f"{endpoint} has to say whom it is for"
        if method == "POST" and endpoint not in PUBLIC:
            own = endpoint in {"accounts.sign_out", "accounts.change_password"}
            assert own or role in {"editor", "admin"}, f"{path}: anybody who looks could change something"


def test_strangers_see_nothing(full_desk: "Desk", every: list[tuple[str, str, str, str]]) -> None:
    """Without a session every page leads to the form, every file and every change is refused."""
    browser = full_desk.browser()
    for method, path, endpoint, role in every:
        if role:
            answer = ask(full_desk, browser, method, path)
            assert answer.status_code in {303, 401}, f"{method} {path}"
            assert "Counting whales" not in answer.text, endpoint


@pytest.mark.parametrize("own", accounts.ROLES)
def test_a_role_gets_what_it_may_have(
    full_desk: "Desk", every: list[tuple[str, str, str, str]], own: accounts.Role
) -> None:
    """What needs more than one's role is refused with 403; what does not, is not. No route fails."""
    for method, path, endpoint, role in every:
        if role and endpoint not in {"accounts.sign_out", "issues.check_targets"}:
            browser = full_desk.client(own)
            answer = ask(full_desk, browser, method, path)
            refused = answer.status_code == 403
            assert refused != accounts.role_allows(own, accounts.parse_role(role)), f"{own}: {method} {path}"
            assert answer.status_code < 500, f"{method} {path}: {answer.status_code}"


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


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN.keys())
def test_no_other_site_changes_anything(
    full_desk: "Desk", every: list[tuple[str, str, str, str]], headers: dict[str, str]
) -> None:
    """A change that our own page did not ask for is refused, whoever is signed in, and changes nothing."""
    browser = full_desk.client("admin")
    before = "\n".join(full_desk.store.db.conn.iterdump())
    for method, path, _, _ in every:
        if method == "POST":
            assert browser.post(path, {"name": "editor"}, **headers).status_code == 403, path
    assert "\n".join(full_desk.store.db.conn.iterdump()) == before


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "same-origin"},
        {"Origin": "https://go.example"},
        {"Referer": "https://go.example/-/x"},
    ],
    ids=["fetch metadata", "origin", "referrer"],
)
def test_our_own_pages_change_things(desk: "Desk", headers: dict[str, str]) -> None:
    """A form of ours works in new browsers and in old ones."""
    answer = desk.client("admin").post("/-/settings/users", {"name": "zoë", "role": "viewer"}, **headers)
    assert answer.status_code == 200


def test_looking_changes_nothing(full_desk: "Desk", every: list[tuple[str, str, str, str]]) -> None:
    """No GET writes to the store, not even by way of a HEAD."""
    browser = full_desk.client("admin")
    browser.get("/-/issues")
    before = full_desk.store.db.conn.execute("pragma data_version").fetchone()
    for method, path, _, _ in every:
        if method == "GET" and not path.startswith("/-/static/"):
            browser.get(path)
            browser.client.head(path, base_url="https://go.example")
    assert full_desk.store.db.conn.execute("pragma data_version").fetchone() == before


HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Strict-Transport-Security": "max-age=31536000",
}
ANSWERS = {
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


@pytest.mark.parametrize(("path", "status"), ANSWERS.values(), ids=ANSWERS.keys())
def test_every_answer_carries_the_security_headers(full_desk: "Desk", path: str, status: int) -> None:
    """Whatever is answered, browsers are told to run nothing foreign, frame nothing and keep nothing."""
    answer = full_desk.client("viewer").get(path)
    assert answer.status_code == status
    for name, value in HEADERS.items():
        assert answer.headers[name] == value, name
    assert "Cookie" in answer.headers["Vary"]
    policy = answer.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert not [name for name, _ in answer.headers if name.startswith("Access-Control-")]


def test_static_files_are_as_guarded(desk: "Desk") -> None:
    """A style sheet or script says what it is and may be kept, those of others by their version for long."""
    for path, kept in (("site.css", "no-cache"), ("vendor/d3-7.9.2.min.js", "immutable")):
        answer = desk.browser().get(f"/-/static/{path}")
        assert answer.status_code == 200
        assert kept in answer.headers["Cache-Control"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        answer.close()


@pytest.mark.parametrize("path", ["/-/issues/a%0a2026-11-26 INFO fake", "/-/issues/%1b[2J%0d%0afake"])
def test_nobody_writes_lines_into_the_log(
    full_desk: "Desk", monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    """An address with line feeds and escapes, a name with them: one line each, and no raw control character."""

    def fail(*_: object, **__: object) -> None:
        raise StoreError("cannot be read")

    monkeypatch.setattr("shortener.web.views.reports.build_issue_report", fail)
    browser = full_desk.client("viewer")
    assert browser.get(path).status_code == 503
    browser.post("/-/sign-in", {"name": "a\n2026-11-26 INFO fake", "password": "x"})
    assert caplog.messages
    for said in caplog.messages:
        assert said.isprintable(), said


def test_an_error_of_ours_is_an_apology(full_desk: "Desk", monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault in a page is answered with a page that tells nothing of it, and with the same headers."""

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the fault itself")

    monkeypatch.setattr("shortener.web.views.issues.build_issue_list", fail)
    answer = full_desk.client("viewer").get("/-/issues")
    assert answer.status_code == 500
    assert "the fault itself" not in answer.text
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "https://go.example.evil.example"])
def test_no_other_site_may_read(full_desk: "Desk", origin: str) -> None:
    """No answer opens itself to scripts of other sites, not to a preflight either."""
    client = full_desk.client("viewer").client
    for method in ("GET", "OPTIONS"):
        answer = client.open(
            "/-/issues.json", method=method, base_url="https://go.example", headers={"Origin": origin}
        )
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_hosts_that_are_not_ours_have_no_pages(desk: "Desk") -> None:
    """A request under another name finds nothing, so that no cache or mail can be led astray by it."""
    answer = desk.app.test_client().get("/-/sign-in", base_url="https://evil.example")
    assert answer.status_code == 404


def test_errors_for_programs_are_json(full_desk: "Desk") -> None:
    """Who asks for JSON is answered in JSON, also when it is not there."""
    answer = full_desk.client("viewer").get("/-/issues/none/report.json")
    assert (answer.status_code, answer.mimetype) == (404, "application/json")
    assert "none" in json.loads(answer.text)["error"]
