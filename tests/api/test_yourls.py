"""The API of YOURLS: formats, actions, errors, and what its clients rely on."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest
from werkzeug.test import TestResponse

from shortener.app import create_app
from shortener.config import Api
from shortener.services import edit_links, tokens
from shortener.store import links
from tests.api.conftest import BASE, NOW, ApiSite

PATH = "/yourls-api.php"


def parse_xml(response: TestResponse) -> ElementTree.Element:
    """Return the root element of a response."""
    return ElementTree.fromstring(response.data)  # noqa: S314 - our own response


class Yourls(ApiSite):
    """Installation with the API of YOURLS, and a token of 32 hexadecimal digits."""

    def __init__(self, directory: Path, *, strict: bool = False) -> None:
        super().__init__(directory, Api(compatible=("yourls",), yourls_strict=strict))
        created = tokens.add_token(
            self.store, "editor", "yourls", scopes=("read", "links"), expires_at=None, now=NOW, hexadecimal=True
        )
        self.token = created.text

    def call(self, action: str, *, method: str = "GET", base_url: str = BASE, **parameters: str) -> TestResponse:
        """Send a request with the token as signature and the format json, unless others are given."""
        values = {"signature": self.token, "format": "json", "action": action} | parameters
        client = self.app.test_client(use_cookies=False)
        if method == "POST":
            return client.post(PATH, data=values, base_url=base_url)
        return client.open(PATH, method=method, query_string=values, base_url=base_url)

    def fields(self, action: str, **parameters: str) -> dict[str, Any]:
        """Return the JSON object of a successful answer."""
        response = self.call(action, **parameters)
        assert response.status_code == 200, response.text
        fields: dict[str, Any] = msgspec.json.decode(response.data)
        return fields

    def refusal(self, status: int, action: str, **parameters: str) -> dict[str, Any]:
        """Return the JSON object of an answer with an error status."""
        response = self.call(action, **parameters)
        assert response.status_code == status, response.text
        fields: dict[str, Any] = msgspec.json.decode(response.data)
        return fields


@pytest.fixture
def yourls(tmp_path: Path) -> Iterator[Yourls]:
    """Installation with the default configuration of the API."""
    site = Yourls(tmp_path / "data")
    yield site
    site.close()


def test_a_new_link(yourls: Yourls) -> None:
    """A created link has the fields of YOURLS; a target that has a link already gets that link."""
    fields = yourls.fields("shorturl", url="https://example.com/a", title="A title")
    code = fields["url"]["keyword"]
    date = fields["url"].pop("date")
    assert len(date) == len("2026-11-28 08:00:00")
    short_url = f"https://go.example.com/{code}"
    assert fields == {
        "url": {"keyword": code, "url": "https://example.com/a", "title": "A title", "ip": ""},
        "status": "success",
        "message": "https://example.com/a added to database",
        "title": "A title",
        "shorturl": short_url,
        "statusCode": "200",
    }
    again = yourls.fields("shorturl", url="https://example.com/a")
    assert (again["shorturl"], again["statusCode"]) == (short_url, "200")
    assert yourls.fields("shorturl", url="example.com/b")["url"]["url"] == "http://example.com/b"


def test_formats(yourls: Yourls) -> None:
    """simple is the short URL alone, XML is the default, and JSONP is refused without a script."""
    simple = yourls.call("shorturl", url="https://example.com/a", keyword="abc", format="simple")
    assert (simple.text, simple.mimetype) == ("https://go.example.com/abc", "text/plain")
    links.update_field(
        yourls.store, links.get(yourls.store, "go.example.com", "abc"), "title", "a < b & \x01c", who="x", now=NOW
    )
    client = yourls.app.test_client(use_cookies=False)
    values = {"signature": yourls.token, "action": "url-stats", "shorturl": "abc"}
    response = client.get(PATH, query_string=values, base_url=BASE)
    assert response.mimetype == "application/xml"
    root = parse_xml(response)
    assert root.tag == "root"
    assert root.findtext("link/title") == "a < b & c"
    assert root.findtext("link/shorturl") == "https://go.example.com/abc"
    assert parse_xml(yourls.call("stats", format="xml")).find("links/link_1") is not None
    assert parse_xml(yourls.call("db-stats", format="xml")).findtext("db-stats/total_links") == "1"
    jsonp = yourls.call("version", format="jsonp", callback="alert")
    assert (jsonp.status_code, jsonp.mimetype) == (400, "application/json")
    assert "alert" not in jsonp.text


def test_expanding(yourls: Yourls) -> None:
    """A code and a whole short URL both find a link; unknown and retired ones are not found."""
    edit_links.add_link(yourls.store, "https://example.com/a", code="abc", config=yourls.config, now=NOW)
    for text in ("abc", "ABC", "https://go.example.com/abc", "https://go.example.com/abc/2"):
        fields = yourls.fields("expand", shorturl=text)
        assert (fields["longurl"], fields["keyword"]) == ("https://example.com/a", "abc")
    assert yourls.call("expand", shorturl="abc", format="simple").text == "https://example.com/a"
    link = links.get(yourls.store, "go.example.com", "abc")
    links.update_field(yourls.store, link, "status", "retired", who="ada", now=NOW)
    for text in ("abc", "nosuch", "", "https://elsewhere.example/abc"):
        for action in ("expand", "url-stats"):
            fields = yourls.refusal(404, action, shorturl=text)
            assert (fields["errorCode"], fields["message"]) == ("404", "Error: short URL not found")


REFUSED_LINKS = {
    "no URL": ({}, "error:nourl"),
    "not a web address": ({"url": "javascript:alert(1)"}, "error:nourl"),
    "private": ({"url": "http://10.0.0.1/"}, "error:nourl"),
    "own short link": ({"url": "https://go.example.com/abc"}, "error:noloop"),
    "taken": ({"url": "https://example.com/new", "keyword": "taken"}, "error:keyword"),
    "no code": ({"url": "https://example.com/new", "keyword": "a b"}, "error:keyword"),
}


@pytest.mark.parametrize(("parameters", "code"), REFUSED_LINKS.values(), ids=REFUSED_LINKS.keys())
def test_refused_links(yourls: Yourls, parameters: dict[str, str], code: str) -> None:
    """A link that cannot be created is refused with the code that YOURLS has for it."""
    edit_links.add_link(yourls.store, "https://example.com/a", code="taken", config=yourls.config, now=NOW)
    fields = yourls.refusal(400, "shorturl", **parameters)
    assert (fields["status"], fields["code"], fields["errorCode"]) == ("fail", code, "400")
    assert yourls.fields("db-stats")["db-stats"]["total_links"] == "1"


def test_strict_answers(tmp_path: Path) -> None:
    """By configuration a target that has a link is refused, and the answer has that link, as in YOURLS."""
    site = Yourls(tmp_path / "data", strict=True)
    created = site.fields("shorturl", url="https://example.com/a")
    fields = site.refusal(400, "shorturl", url="https://example.com/a")
    assert (fields["status"], fields["code"]) == ("fail", "error:url")
    assert (fields["shorturl"], fields["url"]) == (created["shorturl"], created["url"])
    site.close()


def test_authentication(yourls: Yourls) -> None:
    """The token is the signature or the password; hashes of it are refused with an explanation."""
    assert yourls.fields("version")["version"]
    assert yourls.fields("version", signature="", username="anybody", password=yourls.token)["version"]
    assert yourls.call("version", method="POST").status_code == 200
    for signature in ("", "wrong", "x" * 500):
        fields = yourls.refusal(403, "version", signature=signature)
        assert fields == {"message": "Please log in", "errorCode": "403"}
    assert "timestamp" in yourls.refusal(403, "version", timestamp="1764316800", hash="sha256")["message"]
    reader = yourls.add_token("viewer", "read", name="reader")
    assert yourls.fields("stats", signature=reader)["stats"]["total_links"] == "0"
    assert "scope" in yourls.refusal(403, "shorturl", signature=reader, url="https://example.com/")["message"]
    assert yourls.refusal(400, "nonsense")["message"] == 'Unknown or missing "action" parameter'
    head = yourls.call("shorturl", method="HEAD", url="https://example.com/")
    assert head.status_code == 405
    assert yourls.fields("db-stats")["db-stats"]["total_links"] == "0"


def test_lists(yourls: Yourls) -> None:
    """Links are listed by clicks or age, a part of them or from a place on; retired ones are left out."""
    for number in range(4):
        edit_links.add_link(
            yourls.store, f"https://example.com/{number}", code=f"c{number}", config=yourls.config, now=NOW + number
        )
        link_id = links.get(yourls.store, "go.example.com", f"c{number}").id
        with yourls.store.transaction():
            yourls.store.execute(
                "insert into totals_by_placement values (0, ?, 0, ?, 9, 0, 0, 0, 0, 0, 0, 0, 0)",
                (link_id, (3, 1, 2, 0)[number]),
            )
    with yourls.store.transaction():
        links.add(yourls.store, "go.example.com", "old", target="https://example.com/old", now=NOW)
        links.update_field(
            yourls.store, links.get(yourls.store, "go.example.com", "old"), "status", "retired", who="x", now=NOW
        )

    def codes(**parameters: str) -> list[str]:
        listed = yourls.fields("stats", **parameters)["links"]
        assert list(listed) == [f"link_{number}" for number in range(1, len(listed) + 1)]
        return [each["shorturl"].rpartition("/")[2] for each in listed.values()]

    assert codes(filter="top", limit="3") == ["c0", "c2", "c1"]
    assert codes(filter="bottom", limit="2") == ["c3", "c1"]
    assert codes(filter="bottom", limit="3", start="2") == ["c2", "c0"]
    assert codes(filter="last", limit="2") == ["c3", "c2"]
    assert codes(filter="last", limit="9", start="3") == ["c0"]
    assert len(set(codes(filter="rand", limit="2"))) == 2
    assert codes(filter="top", limit="0") == []
    assert yourls.fields("url-stats", shorturl="c0")["link"]["clicks"] == "3"
    assert yourls.fields("db-stats")["db-stats"] == {"total_links": "4", "total_clicks": "6"}


def test_a_link_is_on_the_domain_of_the_request(yourls: Yourls) -> None:
    """The host that a client addresses decides about the domain; other hosts of the pages mean the first one."""
    response = yourls.call("shorturl", url="https://example.com/a", keyword="Abc", base_url="https://b.example")
    assert msgspec.json.decode(response.data)["shorturl"] == "https://b.example/Abc"


def test_redirects_and_api_share_a_port(yourls: Yourls) -> None:
    """With redirects in front the paths of the API reach it, also by POST; other installations do not have them."""
    app = create_app(yourls.config)
    client = app.test_client(use_cookies=False)
    values = {"signature": yourls.token, "action": "version", "format": "simple"}
    assert client.post(PATH, data=values, base_url=BASE).status_code == 200
    assert client.get(PATH, query_string=values, base_url=BASE).status_code == 200
    assert client.post("/rest/v3/short-urls", base_url=BASE).status_code == 405
    plain = create_app(msgspec.structs.replace(yourls.config, api=Api()))
    assert plain.test_client().get(PATH, query_string=values, base_url=BASE).status_code == 404
    assert plain.test_client().post(PATH, data=values, base_url=BASE).status_code == 405
    for each in (app, plain):
        each.wsgi_app.close()  # type: ignore[attr-defined]
        each.extensions["connection_pool"].close()


@pytest.mark.usefixtures("short_busy_timeout")
def test_a_locked_store(yourls: Yourls) -> None:
    """While another process holds the store for long, a client is told to try again."""
    with yourls.store.transaction():
        response = yourls.call("shorturl", url="https://example.com/a")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
