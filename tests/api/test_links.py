"""Links in the API: create, list, change, replace and retire them, one by one and in batches."""

import time
from pathlib import Path
from typing import Any

import pytest

from shortener.config import Api
from shortener.redirect.redirector import Redirector
from shortener.redirect.request import EnvironHeaders, Request
from tests.api.conftest import API, BASE, ApiClient, ApiSite

TARGET = "https://example.com/a"


def body(response: Any) -> dict[str, Any]:
    """Return the JSON object of a response."""
    value: dict[str, Any] = response.json
    return value


def errors(response: Any) -> list[str]:
    """Return the pointers of a problem."""
    return [error["pointer"] for error in body(response).get("errors", ())]


def test_create_a_link(editor: ApiClient) -> None:
    """A1: the new link has address and ETag, and no counts unless they are asked for."""
    response = editor.post("/links", {"target": TARGET})
    link = body(response)
    assert response.status_code == 201
    assert response.headers["Location"] == f"{API}/links/go.example.com/{link['code']}"
    assert link["short_url"] == f"{BASE}/{link['code']}"
    assert (link["target"], link["title"], link["status"]) == (TARGET, "", "active")
    assert "clicks" not in link
    path = f"/links/go.example.com/{link['code']}"
    assert editor.get(path).headers["ETag"] == response.headers["ETag"]
    counted = editor.get(path + "?counts=true")
    assert (body(counted)["clicks"], body(counted)["visitors"]) == (0, 0)
    assert "ETag" not in counted.headers


def test_a_taken_code(editor: ApiClient) -> None:
    """A2: a code is given once."""
    assert editor.post("/links", {"target": TARGET, "code": "autumn"}).status_code == 201
    again = editor.post("/links", {"target": TARGET, "code": "Autumn"})
    assert again.status_code == 409
    assert body(again)["type"].endswith("#code-taken")
    assert errors(again) == ["/code"]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "target": ({"target": "javascript:alert(1)"}, "/target"),
    "own target": ({"target": "https://go.example.com/x"}, "/target"),
    "unknown field": ({"target": TARGET, "tagret": 1}, "/tagret"),
    "code": ({"target": TARGET, "code": "a/b"}, "/code"),
    "expiry": ({"target": TARGET, "expires_at": "0001-01-01T00:00:00Z"}, "/expires_at"),
    "forward": ({"target": TARGET, "forward": "all"}, "/forward"),
}


@pytest.mark.parametrize(("sent", "pointer"), REFUSED.values(), ids=REFUSED.keys())
def test_refused_links(site: ApiSite, editor: ApiClient, sent: dict[str, Any], pointer: str) -> None:
    """A3: a value that is not allowed names its field, and nothing is stored."""
    response = editor.post("/links", sent)
    assert (response.status_code, errors(response)) == (422, [pointer])
    assert site.store.value("select count(*) from links") == 0


def test_a_repeated_creation_makes_one_link(site: ApiSite, editor: ApiClient) -> None:
    """A4: the same key gives the same link; another target with it is refused."""
    first = editor.post("/links", {"target": TARGET}, Idempotency_Key="k1")
    again = editor.post("/links", {"target": TARGET}, Idempotency_Key="k1")
    assert (again.status_code, again.json) == (201, first.json)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["ETag"] == first.headers["ETag"]
    assert editor.post("/links", {"target": TARGET + "b"}, Idempotency_Key="k1").status_code == 422
    assert site.store.value("select count(*) from links") == 1


def test_a_link_is_reused(editor: ApiClient) -> None:
    """With ``reuse`` a link that has the target already is returned, unless it is retired."""
    first = body(editor.post("/links", {"target": TARGET}))
    reused = editor.post("/links", {"target": TARGET, "reuse": True})
    assert (reused.status_code, body(reused)["code"]) == (200, first["code"])
    assert editor.post("/links", {"target": TARGET, "domain": "b.example", "reuse": True}).status_code == 201
    editor.send("DELETE", f"/links/go.example.com/{first['code']}")
    assert editor.post("/links", {"target": TARGET, "reuse": True}).status_code == 201


def test_a_conditional_change(editor: ApiClient) -> None:
    """A6: a change with an old ETag gets 412 with the present object, and changes nothing."""
    etag = editor.post("/links", {"target": TARGET, "code": "x1"}).headers["ETag"]
    path = "/links/go.example.com/x1"
    for method in ("PATCH", "PUT", "DELETE"):
        sent = None if method == "DELETE" else {"target": "https://example.com/b"}
        refused = editor.send(method, path, sent, If_Match='"old"')
        assert refused.status_code == 412
        assert body(refused)["current"]["target"] == TARGET
    changed = editor.send("PATCH", path, {"title": "Autumn"}, If_Match=etag)
    assert changed.status_code == 200
    assert changed.headers["ETag"] != etag
    assert editor.send("PATCH", path, {"title": "Winter"}, If_Match=etag).status_code == 412
    assert editor.send("PATCH", path, {"title": "Winter"}, If_Match="*").status_code == 200
    assert editor.get(path, If_None_Match=etag).status_code == 200
    present = editor.get(path).headers["ETag"]
    not_modified = editor.get(path, If_None_Match=present)
    assert (not_modified.status_code, not_modified.data) == (304, b"")


def test_put_can_be_limited_to_new_links(editor: ApiClient) -> None:
    """If-None-Match: * lets PUT create a link, and refuses to replace one; also an ETag can be excluded."""
    path = "/links/go.example.com/x1"
    created = editor.send("PUT", path, {"target": TARGET}, If_None_Match="*")
    assert created.status_code == 201
    for excluded in ("*", created.headers["ETag"]):
        refused = editor.send("PUT", path, {"target": "https://example.com/b"}, If_None_Match=excluded)
        assert refused.status_code == 412
        assert body(refused)["current"]["target"] == TARGET
    assert editor.send("PUT", path, {"target": "https://example.com/b"}, If_None_Match='"other"').status_code == 200


def test_an_unknown_domain_names_its_field(editor: ApiClient) -> None:
    """The problem of an unknown domain points to the field, also in a batch."""
    link = {"target": TARGET, "domain": "other.example"}
    assert body(editor.post("/links", link))["errors"][0]["pointer"] == "/domain"
    atomic = editor.post("/links/batch?atomic=true", {"links": [{"target": TARGET}, link]})
    assert body(atomic)["errors"][0]["pointer"] == "/links/1/domain"
    issue = {"document": f"[a]({TARGET})", "slug": "may", "domain": "other.example"}
    assert body(editor.post("/issues", issue))["errors"][0]["pointer"] == "/domain"


@pytest.mark.parametrize("since", ["2026", "1795895590", "-5", "1.5e9"])
def test_a_number_is_not_a_time(editor: ApiClient, since: str) -> None:
    """A parameter with a time is ISO 8601; a number gets 400 instead of a report since 1970."""
    refused = editor.get(f"/reports/summary?since={since}")
    assert refused.status_code == 400
    assert body(refused)["detail"].startswith("since: ")


def test_a_parameter_is_named_once(editor: ApiClient) -> None:
    """The detail of a problem with a parameter begins with its name, once."""
    assert body(editor.get("/links?limit=0"))["detail"] == "limit: expected `int` >= 1"
    assert body(editor.get("/links?foo=1"))["detail"] == "foo: there is no such field"


def test_an_item_of_a_list_is_named_after_its_list(editor: ApiClient) -> None:
    """The detail has the name of the field; the pointer also has the number of the item."""
    refused = body(editor.post("/me/tokens", {"name": "x", "scopes": ["read", "nope"]}))
    assert refused["errors"][0] == {"pointer": "/scopes/1", "detail": "scopes: invalid enum value 'nope'"}
    refused = body(editor.post("/issues", {"document": "x", "slug": "x", "targets": {"a": 1}}))
    assert refused["errors"][0] == {"pointer": "/targets", "detail": "targets: expected `str`, got `int`"}


def test_if_match_can_be_required(tmp_path: Path, store_url: str) -> None:
    """With ``require_if_match`` a change without If-Match gets 428; creating needs none."""
    site = ApiSite(tmp_path / "data", Api(require_if_match=True), url=store_url)
    editor = site.client("editor")
    path = "/links/go.example.com/x1"
    created = editor.send("PUT", path, {"target": TARGET})
    assert created.status_code == 201
    assert editor.send("PATCH", path, {"title": "x"}).status_code == 428
    assert editor.send("DELETE", path).status_code == 428
    assert editor.send("DELETE", path, If_Match=created.headers["ETag"]).status_code == 204
    site.close()


def test_the_next_redirect_follows_a_change(site: ApiSite, editor: ApiClient) -> None:
    """A7: in every worker the next click goes to the new target; a retired link gives 410."""
    editor.post("/links", {"target": TARGET, "code": "x1"})
    workers = [Redirector(site.config) for _ in range(2)]

    def answers() -> list[Any]:
        headers = EnvironHeaders({})
        request = Request("GET", "go.example.com", "/x1", "", headers, "127.0.0.1")
        return [worker.respond(request) for worker in workers]

    assert [dict(answer.headers)["Location"] for answer in answers()] == [TARGET] * 2
    changed = editor.send("PATCH", "/links/go.example.com/X1", {"target": "https://example.com/b"})
    assert changed.status_code == 200
    assert [dict(answer.headers)["Location"] for answer in answers()] == ["https://example.com/b"] * 2
    assert editor.send("DELETE", "/links/go.example.com/x1").status_code == 204
    assert answers() == [410, 410]
    for worker in workers:
        worker.close()


def test_every_field_can_be_changed_and_cleared(editor: ApiClient) -> None:
    """PATCH changes only the fields that it has; null clears, and each change is an edit of the token's owner."""
    path = "/links/go.example.com/x1"
    editor.post("/links", {"target": TARGET, "code": "x1", "title": "A", "forward": "drop"})
    sent = {"expires_at": "2999-01-31T12:00:00+01:00", "forward": None, "title": " B "}
    changed = body(editor.send("PATCH", path, sent))
    assert (changed["expires_at"], changed["forward"], changed["title"]) == ("2999-01-31T11:00:00Z", None, "B")
    assert changed["target"] == TARGET
    assert body(editor.send("PATCH", path, {"status": "retired", "expires_at": None}))["status"] == "retired"
    assert body(editor.send("PATCH", path, {"status": "active"}))["expires_at"] is None
    assert editor.send("PATCH", path, {"status": "expired"}).status_code == 422
    assert editor.send("PATCH", path, {}).status_code == 200
    edits = body(editor.get(path + "/edits"))["data"]
    assert {edit["who"] for edit in edits} == {"editor"}
    assert [edit["field"] for edit in edits].count("expires_at") == 2


def test_put_creates_and_replaces(editor: ApiClient) -> None:
    """PUT gives one state however often it is sent; fields that are left out get their defaults."""
    path = "/links/b.example/Xy"
    sent = {"target": TARGET, "title": "A", "forward": "drop"}
    created = editor.send("PUT", path, sent)
    assert (created.status_code, created.headers["Location"]) == (201, API + path)
    again = editor.send("PUT", path, sent)
    assert (again.status_code, again.headers["ETag"]) == (200, created.headers["ETag"])
    editor.send("DELETE", path)
    replaced = body(editor.send("PUT", path, {"target": TARGET + "2"}))
    assert (replaced["title"], replaced["forward"], replaced["status"]) == ("", None, "active")
    assert editor.send("PUT", "/links/other.example/x", sent).status_code == 422
    assert editor.get("/links/b.example/xy").status_code == 404


def test_a_cursor_neither_repeats_nor_leaves_out(editor: ApiClient) -> None:
    """A11: five links are seen once each by following ``next``, while a sixth is made."""
    for number in range(5):
        editor.post("/links", {"target": TARGET, "code": f"c{number}"})
    seen: list[str] = []
    path = "/links?limit=2"
    while path:
        page = editor.get(path)
        seen += [link["code"] for link in body(page)["data"]]
        if len(seen) == 2:
            editor.post("/links", {"target": TARGET, "code": "sixth"})
        cursor = body(page)["next"]
        assert ("Link" in page.headers) == (cursor is not None)
        path = f"/links?limit=2&after={cursor}" if cursor else ""
        if cursor:
            assert page.headers["Link"] == f'<{BASE}{API}{path}>; rel="next"'
    assert sorted(seen) == [f"c{number}" for number in range(5)]


@pytest.mark.parametrize("sort", ["new", "clicks", "title", "code", "changed"])
def test_pages_of_every_order_are_the_whole_list(editor: ApiClient, sort: str) -> None:
    """Pages of two links together are the list of all links, in its order."""
    for number, title in enumerate(["b", "", "B", "a", "", "Ä", "b"]):
        editor.post("/links", {"target": TARGET, "code": f"c{number}", "title": title})
    whole = [link["code"] for link in body(editor.get(f"/links?sort={sort}"))["data"]]
    assert len(whole) == 7
    seen: list[str] = []
    cursor = ""
    while True:
        page = body(editor.get(f"/links?sort={sort}&limit=2&after={cursor}"))
        seen += [link["code"] for link in page["data"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == whole


def test_a_filtered_list(editor: ApiClient) -> None:
    """Words, a pasted short URL and the status select links."""
    editor.post("/links", {"target": TARGET, "code": "c1", "title": "Whales"})
    editor.post("/links", {"target": TARGET, "code": "c2", "title": "Sieves"})
    editor.send("DELETE", "/links/go.example.com/c2")
    found = {
        query: [link["code"] for link in body(editor.get(f"/links?{query}"))["data"]]
        for query in ("query=whale", f"query={BASE}/c2/3", "status=retired", "status=active", "issue=none", "query=%00")
    }
    assert found == {
        "query=whale": ["c1"],
        f"query={BASE}/c2/3": ["c2"],
        "status=retired": ["c2"],
        "status=active": ["c1"],
        "issue=none": [],
        "query=%00": ["c2", "c1"],
    }


BAD_QUERIES = {
    "cursor": "after=x",
    "cursor of another order": "sort=title&after=WyJuZXciLDFd",
    "cursor with another length": "after=WyJuZXciXQ",
    "huge cursor": "after=WyJuZXciLDk5OTk5OTk5OTk5OTk5OTk5OTk5OV0",
    "limit": "limit=0",
    "limit above": "limit=501",
    "limit as text": "limit=many",
    "sort": "sort=id",
    "unknown": "limt=5",
    "twice": "limit=5&limit=6",
}


@pytest.mark.parametrize("query", BAD_QUERIES.values(), ids=BAD_QUERIES.keys())
def test_bad_parameters(editor: ApiClient, query: str) -> None:
    """A parameter that is not allowed gets 400 and is named."""
    response = editor.get(f"/links?{query}")
    assert response.status_code == 400
    assert body(response)["detail"]


def test_the_cursor_of_the_first_page(editor: ApiClient) -> None:
    """``WyJuZXciLDFd`` in BAD_QUERIES is a real cursor, but of the order ``new``."""
    assert editor.get("/links?after=WyJuZXciLDFd").status_code == 200


def test_a_batch(site: ApiSite, editor: ApiClient) -> None:
    """A13: each link of a batch has its own result; an atomic one is stored whole or not at all."""
    editor.post("/links", {"target": TARGET, "code": "taken"})
    links = [{"target": TARGET}, {"target": TARGET, "code": "taken"}, {"target": TARGET, "code": "free"}]
    refused = editor.post("/links/batch?atomic=true", {"links": links})
    assert (refused.status_code, errors(refused)) == (409, ["/links/1/code"])
    assert site.store.value("select count(*) from links") == 1
    response = editor.post("/links/batch", {"links": [*links, {"target": "ftp://example.com"}]})
    results = body(response)["results"]
    assert response.status_code == 200
    assert [result["status"] for result in results] == [201, 409, 201, 422]
    assert results[1]["problem"]["type"].endswith("#code-taken")
    assert results[2]["link"]["code"] == "free"
    whole = editor.post("/links/batch?atomic=true", {"links": [{"target": TARGET}] * 500})
    assert (whole.status_code, len(body(whole)["results"])) == (201, 500)
    assert editor.post("/links/batch", {"links": [{"target": TARGET}] * 501}).status_code == 422
    assert editor.post("/links/batch", {"links": []}).status_code == 422


ROLE_CASES = {
    "no scope": (("read",), "editor", 403, "scope"),
    "no role": (("read", "links"), "viewer", 403, "role"),
    "allowed": (("links",), "editor", 201, ""),
}


@pytest.mark.parametrize(("scopes", "owner", "status", "name"), ROLE_CASES.values(), ids=ROLE_CASES.keys())
def test_scope_and_role(site: ApiSite, scopes: tuple[str, ...], owner: str, status: int, name: str) -> None:
    """A8: a change needs the scope and the role; a viewer's token with the scope has no effect."""
    response = site.client(site.add_token(owner, *scopes)).post("/links", {"target": TARGET})
    assert response.status_code == status
    if name:
        assert body(response)["type"].endswith(f"#{name}")


def test_an_expired_link_changes_its_tag(site: ApiSite, editor: ApiClient) -> None:
    """The status of a link is a part of the object, so that its ETag differs after it has expired."""
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3_600))
    created = editor.post("/links", {"target": TARGET, "code": "x1", "expires_at": soon})
    with site.store.transaction():
        site.store.execute("update links set expires_at = 1")
    present = editor.get("/links/go.example.com/x1")
    assert body(present)["status"] == "expired"
    assert present.headers["ETag"] != created.headers["ETag"]


def test_a_viewer_reads(site: ApiSite, editor: ApiClient) -> None:
    """A viewer's token reads links and changes none."""
    editor.post("/links", {"target": TARGET, "code": "x1"})
    viewer = site.client("viewer")
    assert viewer.get("/links").status_code == 200
    assert viewer.get("/links/go.example.com/x1").status_code == 200
    assert viewer.send("DELETE", "/links/go.example.com/x1").status_code == 403
