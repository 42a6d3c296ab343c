"""What every request of the API goes through: addresses, methods, bodies, idempotency keys, CORS and errors."""

import threading
from pathlib import Path

import pytest

from shortener.api import idempotency
from shortener.config import Api
from tests.api.conftest import API, BASE, ApiClient, ApiSite
from tests.postgres import both_engines

PROBLEMS: dict[str, tuple[str, str, bytes, str, int, str]] = {
    # name: method, path, body, content type, status, problem
    "unknown address": ("GET", "/nothing", b"", "", 404, "not-found"),
    "unknown method": ("DELETE", "/me", b"", "", 405, "method"),
    "unknown id": ("GET", "/me/tokens/77", b"", "", 404, "not-found"),
    "not JSON": ("POST", "/me/tokens", b"[", "application/json", 400, "malformed"),
    "not UTF-8": ("POST", "/me/tokens", b'{"name": "\xff"}', "application/json", 400, "malformed"),
    "nested": ("POST", "/me/tokens", b"[" * 100_000, "application/json", 400, "malformed"),
    "wrong type": ("POST", "/me/tokens", b"{}", "text/plain", 415, "media-type"),
    "no type": ("POST", "/me/tokens", b"{}", "", 415, "media-type"),
    "missing field": ("POST", "/me/tokens", b'{"name": "x"}', "application/json", 422, "invalid"),
    "too large": ("POST", "/me/tokens", b" " * 1_100_000, "application/json", 413, "too-large"),
}


@pytest.mark.parametrize(
    ("method", "path", "body", "content_type", "status", "name"), PROBLEMS.values(), ids=PROBLEMS.keys()
)
def test_errors_are_problems(
    site: ApiSite, method: str, path: str, body: bytes, content_type: str, status: int, name: str
) -> None:
    """Every error is a problem with type, title, status, detail and remedy."""
    response = site.client("editor").client.open(
        API + path,
        method=method,
        base_url=BASE,
        data=body or None,
        content_type=content_type or None,
        headers={"Authorization": f"Bearer {site.tokens['editor']}"},
    )
    assert (response.status_code, response.mimetype) == (status, "application/problem+json")
    problem = response.json
    assert problem is not None
    assert problem["type"] == f"{BASE}/-/help/problems#{name}"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem["remedy"]
    assert response.headers["Cache-Control"] == "no-store"


FIELD_ERRORS = {
    "unknown": ({"name": "x", "scopes": ["read"], "tagret": 1}, "/tagret"),
    "missing": ({"name": "x"}, "/scopes"),
    "in a list": ({"name": "x", "scopes": ["read", "all"]}, "/scopes/1"),
    "a time without zone": ({"name": "x", "scopes": ["read"], "expires_at": "2027-01-31T00:00:00"}, "/expires_at"),
    "a name with a slash": ({"name": "x", "scopes": ["read"], "a/b~": 1}, "/a~1b~0"),
}


@pytest.mark.parametrize(("body", "pointer"), FIELD_ERRORS.values(), ids=FIELD_ERRORS.keys())
def test_field_errors_have_a_pointer(editor: ApiClient, body: object, pointer: str) -> None:
    """A value of the wrong shape names its field by a JSON pointer."""
    response = editor.post("/me/tokens", body)
    assert response.status_code == 422
    assert response.json is not None
    assert [error["pointer"] for error in response.json["errors"]] == [pointer]


def test_methods_of_an_address(editor: ApiClient) -> None:
    """OPTIONS and 405 list the methods; HEAD has the headers of GET and no body."""
    options = editor.send("OPTIONS", "/me/tokens")
    assert (options.status_code, options.data) == (204, b"")
    assert options.headers["Allow"] == "GET, HEAD, OPTIONS, POST"
    assert editor.send("PATCH", "/me/tokens").headers["Allow"] == options.headers["Allow"]
    assert editor.send("OPTIONS", "/nothing").status_code == 404
    get, head = editor.get("/me"), editor.send("HEAD", "/me")
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Content-Length"] == get.headers["Content-Length"]


def test_no_answer_depends_on_cookies(editor: ApiClient) -> None:
    """The API neither reads nor sets cookies, and a cross-site request is judged by its token alone."""
    response = editor.post("/me/tokens", {"name": "x", "scopes": ["read"]}, Sec_Fetch_Site="cross-site")
    assert response.status_code == 201
    assert "Set-Cookie" not in response.headers
    assert "Cookie" not in response.headers.get("Vary", "")


def test_cors_only_for_configured_origins(tmp_path: Path, store_url: str) -> None:
    """A listed origin may read answers and send tokens; any other gets no CORS header."""
    site = ApiSite(tmp_path / "data", Api(origins=("https://tools.example.com",)), url=store_url)
    client = site.client("viewer")
    allowed = client.get("/me", Origin="https://tools.example.com")
    assert allowed.headers["Access-Control-Allow-Origin"] == "https://tools.example.com"
    assert "ETag" in allowed.headers["Access-Control-Expose-Headers"]
    preflight = site.client().send(
        "OPTIONS", "/me", Origin="https://tools.example.com", Access_Control_Request_Method="GET"
    )
    assert preflight.status_code == 204
    assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]
    for origin in ("https://evil.example", "null"):
        refused = client.get("/me", Origin=origin)
        assert "Access-Control-Allow-Origin" not in refused.headers
        assert "Origin" in refused.headers["Vary"]
    site.close()


NEW = {"name": "x", "scopes": ["read"]}


def test_a_repeated_request_is_done_once(editor: ApiClient) -> None:
    """The same key gets the first answer again, another request with it gets 422, and a bad key 400."""
    first = editor.post("/me/tokens", NEW, Idempotency_Key="k1")
    again = editor.post("/me/tokens", NEW, Idempotency_Key="k1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Location"] == first.headers["Location"]
    assert first.json is not None
    assert again.json == first.json | {"token": None}
    other = editor.post("/me/tokens", NEW | {"name": "y"}, Idempotency_Key="k1")
    assert other.status_code == 422
    assert other.json is not None
    assert other.json["type"].endswith("#idempotency-mismatch")
    assert editor.post("/me/tokens", NEW, Idempotency_Key="a b").status_code == 400
    assert editor.post("/me/tokens", NEW, Idempotency_Key="k" * 129).status_code == 400


def test_a_refusal_is_repeated_too(editor: ApiClient) -> None:
    """An answer of 4xx is kept with its key, and nothing else is stored."""
    editor.post("/me/tokens", NEW)
    for replayed in (None, "true"):
        response = editor.post("/me/tokens", NEW, Idempotency_Key="k")
        assert response.status_code == 409
        assert response.mimetype == "application/problem+json"
        assert response.headers.get("Idempotent-Replayed") == replayed


def test_a_failure_is_not_kept(site: ApiSite, editor: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer of 5xx stores neither the effect nor the answer, so the repetition is done."""

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the error itself")

    monkeypatch.setattr("shortener.api.me.structs.asdict", fail)
    response = editor.post("/me/tokens", NEW, Idempotency_Key="k")
    assert response.status_code == 500
    assert "the error itself" not in response.text
    monkeypatch.undo()
    assert editor.post("/me/tokens", NEW, Idempotency_Key="k").status_code == 201


def test_two_requests_at_once_are_done_once(site: ApiSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a request runs, another one with its key gets 409; the effect is stored once."""
    entered, leave = threading.Event(), threading.Event()
    save = idempotency._save

    def slow_save(*args: object) -> None:
        entered.set()
        assert leave.wait(30)
        save(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(idempotency, "_save", slow_save)
    statuses = []
    thread = threading.Thread(
        target=lambda: statuses.append(site.client("editor").post("/me/tokens", NEW, Idempotency_Key="k").status_code)
    )
    thread.start()
    assert entered.wait(30)
    busy = site.client("editor").post("/me/tokens", NEW, Idempotency_Key="k")
    leave.set()
    thread.join(30)
    assert (statuses, busy.status_code) == ([201], 409)
    assert busy.json is not None
    assert busy.json["type"].endswith("#idempotency-busy")
    assert site.store.value("select count(*) from tokens where name = 'x'") == 1


def test_keys_are_kept_for_a_day(site: ApiSite, editor: ApiClient) -> None:
    """After 24 hours a key can be used for another request, and its old answer is deleted."""
    editor.post("/me/tokens", NEW, Idempotency_Key="old")
    site.store.execute("update idempotency_keys set created_at = created_at - 86400")
    assert editor.post("/me/tokens", NEW | {"name": "y"}, Idempotency_Key="old").status_code == 201
    assert site.store.value("select count(*) from idempotency_keys") == 1


@both_engines
@pytest.mark.usefixtures("short_busy_timeout")
def test_a_locked_store_answers_503(site: ApiSite, editor: ApiClient) -> None:
    """While another process holds the write lock, a change gets 503 with Retry-After, and reading works."""
    with site.store.transaction():
        assert editor.get("/me").status_code == 200
        for headers in ({}, {"Idempotency_Key": "k"}):
            response = editor.post("/me/tokens", NEW, **headers)
            assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
            assert response.mimetype == "application/problem+json"
    assert editor.post("/me/tokens", NEW, Idempotency_Key="k").status_code == 201


def test_every_problem_is_explained(site: ApiSite) -> None:
    """The address in ``type`` is a public page with a section for each problem."""
    page = site.app.test_client().get("/-/help/problems", base_url=BASE)
    assert page.status_code == 200
    assert 'id="code-taken"' in page.text
    docs = site.client().get("/docs")
    assert docs.status_code == 200
    assert "/-/api/v1/me/tokens" in docs.text
