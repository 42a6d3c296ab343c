"""The API of Shlink: short URLs, visits, tags, errors, and scripts of other sites."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from werkzeug.test import TestResponse

from shortener.api.rate_limit import RateLimit
from shortener.app import create_app
from shortener.collector.other_collector import drain_once
from shortener.config import Api
from shortener.errors import CodeRefused
from shortener.services import edit_links
from shortener.services.add_issue import AddRequest, add_or_update_issue
from shortener.services.tokens import SCOPES
from shortener.store import links
from tests.api.conftest import BASE, NOW, ApiSite
from tests.conftest import FIREFOX

REST = "/rest/v3"
ERRORS = "https://shlink.io/api/error/"


class Shlink(ApiSite):
    """Installation with the API of Shlink."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, Api(compatible=("shlink",)))
        self.key = self.add_token("editor", "read", "links", "clicks", name="shlink")

    def send(self, method: str, path: str, body: Any = None, *, key: str | None = None, **headers: str) -> TestResponse:
        """Send a request with a key that has all scopes, unless another is given."""
        sent = {"X-Api-Key": self.key if key is None else key} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        data = None if body is None else msgspec.json.encode(body)
        client = self.app.test_client(use_cookies=False)
        return client.open(path, method=method, headers=sent, data=data, base_url=BASE)

    def json(self, method: str, path: str, body: Any = None, *, status: int = 200, **options: str) -> Any:
        """Return the JSON document of an answer with this status."""
        response = self.send(method, REST + path, body, **options)
        assert response.status_code == status, response.text
        assert response.mimetype == ("application/json" if status == 200 else "application/problem+json")
        return msgspec.json.decode(response.data)

    def click(self, number: int, code: str, **more: Any) -> None:
        """Write a click to the click log, ``number`` minutes after NOW, and collect it."""
        line = {
            "v": 1, "id": f"click-{number}", "ts": NOW + 60 * number, "host": "go.example.com", "code": code,
            "method": "GET", "status": 302, "ua": FIREFOX, "visitor": f"v{number}", "addr": f"v{number}",
            "lang": "en-US", "ref": "https://mail.example/",
            "h": {"accept": "*/*", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"},
        }  # fmt: skip
        directory = self.config.data_directory / "clicklog"
        directory.mkdir(exist_ok=True)
        with (directory / "readers.jsonl").open("ab") as file:
            file.write(msgspec.json.encode(line | more) + b"\n")
        drain_once(self.store, config=self.config)


@pytest.fixture
def shlink(tmp_path: Path) -> Iterator[Shlink]:
    """Installation without links."""
    site = Shlink(tmp_path / "data")
    yield site
    site.close()


def test_creating_and_reusing(shlink: Shlink) -> None:
    """A created short URL has the fields of Shlink; unknown fields and tags have no effect; a link can be reused."""
    body = {"longUrl": "https://example.com/", "customSlug": "autumn", "tags": ["x"], "findIfExists": True, "new": 1}
    created = shlink.json("POST", "/short-urls", body)
    assert created.pop("dateCreated")[-6:] == "+00:00"
    assert created == {
        "shortCode": "autumn",
        "shortUrl": "https://go.example.com/autumn",
        "longUrl": "https://example.com/",
        "visitsSummary": {"total": 0, "nonBots": 0, "bots": 0},
        "tags": [],
        "meta": {"validSince": None, "validUntil": None, "maxVisits": None},
        "domain": None,
        "title": None,
        "crawlable": False,
        "forwardQuery": True,
        "hasRedirectRules": False,
    }
    assert shlink.json("POST", "/short-urls", body)["shortCode"] == "autumn"
    reused = shlink.json("POST", "/short-urls", {"longUrl": "https://example.com/", "findIfExists": True})
    assert reused["shortCode"] == "autumn"
    other = shlink.json("POST", "/short-urls", {"longUrl": "https://example.com/"})
    assert other["shortCode"] != "autumn"
    full = {
        "longUrl": "https://example.com/", "customSlug": "Full", "domain": "b.example", "title": "Full",
        "validUntil": "2099-01-02T03:04:05+01:00", "forwardQuery": False,
    }  # fmt: skip
    made = shlink.json("POST", "/short-urls", full)
    assert (made["domain"], made["shortUrl"], made["title"]) == ("b.example", "https://b.example/Full", "Full")
    assert (made["meta"]["validUntil"], made["forwardQuery"]) == ("2099-01-02T02:04:05+00:00", False)


def test_a_taken_slug(shlink: Shlink) -> None:
    """A taken code is refused with the error that clients of Shlink know."""
    shlink.json("POST", "/short-urls", {"longUrl": "https://example.com/1", "customSlug": "autumn"})
    body = {"longUrl": "https://example.com/2", "customSlug": "autumn"}
    assert shlink.json("POST", "/short-urls", body, status=400) == {
        "title": "Invalid custom slug",
        "type": f"{ERRORS}non-unique-slug",
        "detail": 'Provided slug "autumn" is already in use.',
        "status": 400,
        "customSlug": "autumn",
    }


INVALID: dict[str, tuple[dict[str, Any], str]] = {
    "no URL": ({}, "longUrl"),
    "not a web address": ({"longUrl": "javascript:alert(1)"}, "longUrl"),
    "private": ({"longUrl": "http://10.0.0.1"}, "longUrl"),
    "number": ({"longUrl": 7}, "longUrl"),
    "maximum of visits": ({"longUrl": "https://example.com", "maxVisits": 5}, "maxVisits"),
    "later start": ({"longUrl": "https://example.com", "validSince": "2030-01-01T00:00:00Z"}, "validSince"),
    "no time": ({"longUrl": "https://example.com", "validUntil": "soon"}, "validUntil"),
    "year 0001": ({"longUrl": "https://example.com", "validUntil": "0001-01-01T00:00:00+14:00"}, "validUntil"),
    "slug": ({"longUrl": "https://example.com", "customSlug": "a/b"}, "customSlug"),
    "reserved slug": ({"longUrl": "https://example.com", "customSlug": "rest"}, "customSlug"),
    "domain": ({"longUrl": "https://example.com", "domain": "elsewhere.example"}, "domain"),
}


@pytest.mark.parametrize(("body", "element"), INVALID.values(), ids=INVALID.keys())
def test_invalid_data(shlink: Shlink, body: dict[str, Any], element: str) -> None:
    """What this server cannot do, or does not allow, is refused with the name of the element."""
    problem = shlink.json("POST", "/short-urls", body, status=400)
    assert (problem["type"], problem["invalidElements"]) == (f"{ERRORS}invalid-data", [element])
    assert shlink.json("GET", "/short-urls")["shortUrls"]["data"] == []


def test_broken_bodies(shlink: Shlink) -> None:
    """A body that is not JSON is refused."""
    for data in (b"[", b"\xff", b"{"):
        client = shlink.app.test_client(use_cookies=False)
        response = client.post(f"{REST}/short-urls", headers={"X-Api-Key": shlink.key}, data=data, base_url=BASE)
        assert response.status_code == 400
        assert msgspec.json.decode(response.data)["type"] == f"{ERRORS}malformed-request-body"
    assert shlink.send("POST", f"{REST}/short-urls", {"longUrl": "x" * 200_000}).status_code == 413


def test_changing_and_retiring(shlink: Shlink) -> None:
    """Given fields change, with the owner of the key in the history; a deleted short URL is a retired link."""
    shlink.json("POST", "/short-urls", {"longUrl": "https://example.com/1", "customSlug": "abc"})
    changes = {"longUrl": "https://example.com/2", "title": "Two", "tags": ["x"], "maxVisits": None}
    changed = shlink.json("PATCH", "/short-urls/abc", changes | {"forwardQuery": False})
    assert (changed["longUrl"], changed["title"], changed["forwardQuery"]) == ("https://example.com/2", "Two", False)
    assert shlink.json("PATCH", "/short-urls/abc", {"title": None})["title"] is None
    later = shlink.json("PATCH", "/short-urls/abc", {"validUntil": "2099-01-01T00:00:00Z"})
    assert later["meta"]["validUntil"] == "2099-01-01T00:00:00+00:00"
    assert shlink.json("PATCH", "/short-urls/abc", {"maxVisits": 3}, status=400)["invalidElements"] == ["maxVisits"]
    refused = shlink.json("PATCH", "/short-urls/abc", {"title": "x", "longUrl": "http://10.0.0.1"}, status=400)
    assert refused["invalidElements"] == ["longUrl"]
    assert shlink.json("GET", "/short-urls/ABC")["title"] is None
    assert shlink.json("GET", "/short-urls/abc/redirect-rules") == {
        "defaultLongUrl": "https://example.com/2",
        "redirectRules": [],
    }
    link = links.get(shlink.store, "go.example.com", "abc")
    assert {edit["who"] for edit in links.list_edits(shlink.store, link.id)} == {"editor"}
    assert shlink.send("DELETE", f"{REST}/short-urls/abc").status_code == 204
    assert links.get(shlink.store, "go.example.com", "abc").status == "retired"
    for method, path in (("GET", "abc"), ("PATCH", "abc"), ("DELETE", "abc"), ("GET", "abc/visits"), ("GET", "no")):
        problem = shlink.json(method, f"/short-urls/{path}", {} if method == "PATCH" else None, status=404)
        assert problem["type"] == f"{ERRORS}short-url-not-found"
    assert shlink.json("GET", "/short-urls")["shortUrls"]["data"] == []


def test_lists_of_short_urls(shlink: Shlink) -> None:
    """Lists have pages, orders, a search, a span of time, and issues as tags."""
    for number in range(12):
        edit_links.add_link(
            shlink.store, f"https://example.com/{number}", code=f"c{number:02}", config=shlink.config,
            now=NOW + 86_400 * number, title=f"T{11 - number:02}",
        )  # fmt: skip
    for slug in ("may", "june"):
        source = f"# x\n\n### [One](https://a.example/{slug})\n".encode()
        request = AddRequest(source=source, filename="x.md", slug=slug)
        add_or_update_issue(shlink.store, request, config=shlink.config, now=NOW - 1)

    def codes(query: str) -> list[str]:
        page = shlink.json("GET", f"/short-urls?{query}")["shortUrls"]
        assert page["pagination"]["itemsInCurrentPage"] == len(page["data"])
        return [each["shortCode"] for each in page["data"]]

    page = shlink.json("GET", "/short-urls?itemsPerPage=5&orderBy=dateCreated-DESC")["shortUrls"]
    assert page["pagination"] == {
        "currentPage": 1,
        "pagesCount": 3,
        "itemsPerPage": 5,
        "itemsInCurrentPage": 5,
        "totalItems": 14,
    }
    own = "searchTerm=example.com"
    assert codes(f"{own}&itemsPerPage=3&orderBy=shortCode-ASC") == ["c00", "c01", "c02"]
    assert codes(f"{own}&itemsPerPage=5&page=3&orderBy=shortCode-DESC") == ["c01", "c00"]
    assert codes(f"{own}&itemsPerPage=2&orderBy=title-DESC") == ["c00", "c01"]
    assert codes(f"{own}&page=9") == []
    assert codes("searchTerm=%2F11") == ["c11"]
    assert codes("startDate=2023-11-16T00:00:00%2B00:00&endDate=2023-11-18T00:00:00Z&orderBy=shortCode-ASC") == [
        "c02",
        "c03",
    ]
    assert len(codes("itemsPerPage=-1")) == 14
    (may,) = codes("tags[]=may")
    assert may not in codes("tags[]=june")
    assert len(codes("tags[]=may&tags[]=june&tagsMode=any")) == 2
    assert codes("tags[]=may&tags[]=june&tagsMode=all") == []
    assert shlink.json("GET", f"/short-urls/{may}")["tags"] == ["may"]
    assert shlink.json("GET", "/short-urls?startDate=soon", status=400)["invalidElements"] == ["startDate"]


def test_visits_tags_and_domains(shlink: Shlink) -> None:
    """Clicks of people are nonBots and those of machines bots, in sums and in lists of single clicks."""
    source = b"# x\n\n### [One](https://a.example/1)\n"
    add_or_update_issue(
        shlink.store, AddRequest(source=source, filename="x.md", slug="may"), config=shlink.config, now=NOW
    )
    code = shlink.json("GET", "/short-urls?tags[]=may")["shortUrls"]["data"][0]["shortCode"]
    shlink.json("POST", "/short-urls", {"longUrl": "https://example.com/", "customSlug": "lone"})
    shlink.click(1, code)
    shlink.click(2, code, method="HEAD")
    shlink.click(9, "lone")
    summary = {"total": 2, "nonBots": 1, "bots": 1}
    assert shlink.json("GET", f"/short-urls/{code}")["visitsSummary"] == summary
    assert shlink.json("GET", "/visits")["visits"]["nonOrphanVisits"] == {"total": 3, "nonBots": 2, "bots": 1}
    assert shlink.json("GET", "/tags")["tags"]["data"] == ["may"]
    assert shlink.json("GET", "/tags/stats")["tags"]["data"] == [
        {"tag": "may", "shortUrlsCount": 1, "visitsSummary": summary}
    ]
    visits = shlink.json("GET", f"/short-urls/{code}/visits")["visits"]["data"]
    assert [visit["potentialBot"] for visit in visits] == [True, False]
    assert visits[1] == {
        "referer": "https://mail.example/",
        "date": "2023-11-14T22:14:20+00:00",
        "userAgent": FIREFOX,
        "visitLocation": None,
        "potentialBot": False,
        "visitedUrl": f"https://go.example.com/{code}",
        "redirectUrl": None,
    }

    def count(path: str) -> int:
        return len(shlink.json("GET", path)["visits"]["data"])

    assert count(f"/short-urls/{code}/visits?excludeBots=true") == 1
    assert count("/tags/may/visits") == 2
    assert count("/domains/DEFAULT/visits") == 3
    assert count("/domains/b.example/visits") == 0
    assert count("/visits/non-orphan?itemsPerPage=2") == 2
    assert count("/visits/non-orphan?startDate=2023-11-14T22:20:00Z") == 1
    assert count("/visits/non-orphan?endDate=2023-11-14T22:20:00Z") == 2
    assert count("/visits/orphan") == 0
    domains = shlink.json("GET", "/domains")["domains"]["data"]
    assert [(each["domain"], each["isDefault"]) for each in domains] == [("go.example.com", True), ("b.example", False)]
    assert shlink.json("GET", "/tags/none/visits", status=404)["type"] == f"{ERRORS}tag-not-found"
    assert shlink.json("GET", "/domains/none/visits", status=404)["type"] == f"{ERRORS}domain-not-found"


def test_shorten_for_clients_that_only_send_a_url(shlink: Shlink) -> None:
    """The key may be in the query string of this address alone."""
    query = f"apiKey={shlink.key}&longUrl=https://example.com/a"
    text = shlink.send("GET", f"{REST}/short-urls/shorten?{query}&format=txt", key="")
    assert text.mimetype == "text/plain"
    again = shlink.json("GET", f"/short-urls/shorten?{query}", key="")
    assert again["shortUrl"] == text.text
    assert shlink.json("GET", f"/short-urls?{query}", status=401, key="")["type"] == f"{ERRORS}missing-authentication"


def test_keys(shlink: Shlink) -> None:
    """A request needs a key that exists and permits it; the health needs none."""
    for path in ("/rest/health", "/rest/v3/health"):
        health = shlink.send("GET", path, key="")
        assert msgspec.json.decode(health.data) == {"status": "pass", "version": "4.0.0", "links": {}}
    assert shlink.json("GET", "/tags", status=401, key="wrong")["type"] == f"{ERRORS}invalid-api-key"
    reader = shlink.add_token("viewer", "read", name="reader")
    assert shlink.json("GET", "/tags", key=reader)["tags"]["data"] == []
    assert shlink.json("GET", "/visits/non-orphan", status=403, key=reader)["status"] == 403
    body = {"longUrl": "https://example.com"}
    assert shlink.json("POST", "/short-urls", body, status=403, key=reader)["status"] == 403
    viewer = shlink.add_token("viewer", *SCOPES, name="all")
    assert "role" in shlink.json("POST", "/short-urls", body, status=403, key=viewer)["type"]


@pytest.mark.parametrize("path", ["/short-urls/a/visits", "/tags/a/visits", "/visits/non-orphan", "/visits/orphan"])
def test_lists_of_single_visits_need_the_scope_clicks(shlink: Shlink, path: str) -> None:
    """A token with the scope read alone cannot list visits."""
    reader = shlink.add_token("viewer", "read", name="reader")
    assert "scope" in shlink.json("GET", path, status=403, key=reader)["type"]


@pytest.mark.parametrize("code", ["visits", "non-orphan"])
def test_a_code_that_is_like_the_address_of_a_list_of_visits(shlink: Shlink, code: str) -> None:
    """The scope read is enough for a short URL, whatever its code is."""
    shlink.json("POST", "/short-urls", {"longUrl": "https://example.com", "customSlug": code})
    reader = shlink.add_token("viewer", "read", name="reader")
    assert shlink.json("GET", f"/short-urls/{code}", key=reader)["shortCode"] == code


def test_scripts_of_other_sites(shlink: Shlink) -> None:
    """Preflight requests get their headers back, and every answer may be read by scripts."""
    headers = {"Origin": "https://app.example", "Access-Control-Request-Headers": "x-api-key,content-type"}
    preflight = shlink.app.test_client().options(f"{REST}/short-urls", headers=headers, base_url=BASE)
    assert preflight.status_code == 204
    assert preflight.headers["Access-Control-Allow-Headers"] == "x-api-key,content-type"
    assert "PATCH" in preflight.headers["Access-Control-Allow-Methods"]
    for response in (preflight, shlink.send("GET", f"{REST}/tags"), shlink.send("GET", f"{REST}/tags", key="wrong")):
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in response.headers


def test_what_is_missing(shlink: Shlink) -> None:
    """Other addresses and methods are refused as not implemented."""
    assert shlink.json("GET", "/mercure-info", status=501)["type"] == f"{ERRORS}mercure-not-configured"
    for method, path in (
        ("PUT", "/tags"),
        ("DELETE", "/short-urls/abc/visits"),
        ("POST", "/short-urls/abc/redirect-rules"),
        ("GET", "/no/such"),
    ):
        assert shlink.json(method, path, status=501)["type"] == f"{ERRORS}not-implemented"


def test_the_code_rest_is_reserved(shlink: Shlink) -> None:
    """No new link gets the code that the paths begin with; without this API it is a code like any other."""
    with pytest.raises(CodeRefused, match="reserved"):
        edit_links.add_link(shlink.store, "https://example.com", code="rest", config=shlink.config, now=NOW)
    plain = msgspec.structs.replace(shlink.config, api=Api())
    assert edit_links.add_link(shlink.store, "https://example.com", code="rest", config=plain, now=NOW).code == "rest"


def test_redirects_and_api_share_a_port(shlink: Shlink) -> None:
    """With redirects in front, every method of a path of the API reaches it, and codes redirect as before."""
    app = create_app(shlink.config)
    plain = msgspec.structs.replace(shlink.config, api=Api())
    for code in ("rest", "restful"):
        edit_links.add_link(shlink.store, "https://example.com/", code=code, config=plain, now=NOW)
    client = app.test_client(use_cookies=False)
    headers = {"X-Api-Key": shlink.key}
    for method, path, status in (
        ("OPTIONS", f"{REST}/short-urls", 204),
        ("GET", f"{REST}/short-urls?searchTerm=a%26b=c", 200),
        ("PATCH", f"{REST}/short-urls/restful", 200),
        ("DELETE", f"{REST}/short-urls/none", 404),
        ("GET", "/rest/health", 200),
        ("GET", "/restful", 302),
        ("POST", "/restful", 405),
        ("GET", "/rest", 302),
        ("GET", "/rest/3", 302),
        ("GET", "/rest/", 302),
    ):
        response = client.open(path, method=method, headers=headers, data=b"{}", base_url=BASE)
        assert response.status_code == status, path
    app.wsgi_app.close()  # type: ignore[attr-defined]
    app.extensions["connection_pool"].close()


def test_the_rate_limit_says_how_long_to_wait(tmp_path: Path) -> None:
    """Beyond the limit a client is told the seconds until the minute ends."""
    shlink = Shlink(tmp_path / "data")
    shlink.app.extensions["api_rate_limit"] = RateLimit(1, clock=lambda: 0.0)
    assert shlink.send("GET", f"{REST}/tags").status_code == 200
    refused = shlink.send("GET", f"{REST}/tags")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "60")
    shlink.close()


@pytest.mark.usefixtures("short_busy_timeout")
def test_a_locked_store(shlink: Shlink) -> None:
    """While another process holds the store for long, a client is told to try again."""
    with shlink.store.transaction():
        response = shlink.send("POST", f"{REST}/short-urls", {"longUrl": "https://example.com/a"})
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
