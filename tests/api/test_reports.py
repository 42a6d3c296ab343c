"""Reports, ranking, picks and clicks in the API are the objects that the commands print."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from shortener.app import create_pages_app
from shortener.classification.classify import SETTLED_AFTER_MS
from shortener.config import Storage
from shortener.store.copying import copy_store
from tests.api.conftest import ApiClient, ApiSite
from tests.api.test_issues import NEW
from tests.api.test_links import body
from tests.conftest import FIREFOX

SENT = 1_714_550_400
"""2024-05-01T08:00Z."""
AS_OF = re.compile(r'"(as_of|hours)":[^,]+,')
"""Time at which a report was made, and the age of its issue."""


def click(site: ApiSite, number: int, *, ts: float, code: str, n: int = 1) -> dict[str, Any]:
    """Return a line of the click log: a reader's click."""
    return {
        "v": 1,
        "id": f"click-{number:04d}",
        "ts": ts,
        "host": "go.example.com",
        "code": code,
        "n": n,
        "method": "GET",
        "status": 302,
        "ua": FIREFOX,
        "visitor": f"v{number}",
        "addr": f"v{number}",
        "lang": "en-US",
        "h": {"accept": "*/*", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"},
    }


def add_read_issue(site: ApiSite) -> dict[str, Any]:
    """Add an issue of May 2024 that three people click; return its contents."""
    new = NEW | {"slug": "may", "sent_at": "2024-05-01T08:00:00Z"}
    contents: dict[str, Any] = body(site.client("editor").post("/issues", new))
    code = contents["issue"]["articles"][0]["links"][0]["short_url"].rpartition("/")[2]
    site.write_clicks(*(click(site, number, ts=SENT + 600 * number, code=code) for number in range(1, 4)))
    site.collect()
    issue: dict[str, Any] = contents["issue"]
    return issue


@pytest.fixture
def read(site: ApiSite) -> dict[str, Any]:
    """The contents of an issue of May 2024 that three people have clicked."""
    return add_read_issue(site)


@pytest.fixture(scope="module")
def unchanged(
    tmp_path_factory: pytest.TempPathFactory, module_store_url: str
) -> Iterator[tuple[ApiSite, dict[str, Any]]]:
    """Installation that tests only read, and the contents of its issue, which three people have clicked."""
    site = ApiSite(tmp_path_factory.mktemp("reports") / "data", url=module_store_url)
    yield site, add_read_issue(site)
    site.close()


def without_time(value: dict[str, Any]) -> dict[str, Any]:
    """Return a report without the time at which it was made, and without the age of its issue."""
    if value.get("outlook"):
        value = value | {"outlook": value["outlook"] | {"hours": 0}}
    return {key: each for key, each in value.items() if key != "as_of"}


SAME = {
    "issue": ("/reports/issues/may", ("report", "issue", "may")),
    "link": ("/reports/links/go.example.com/{code}", ("report", "link", "{code}")),
    "summary": ("/reports/summary", ("report", "summary")),
    "summary of a time": (
        "/reports/summary?since=2024-05-01T00:00:00Z&until=2024-05-02T00:00:00%2B02:00",
        ("report", "summary", "--since", "2024-05-01T00:00:00Z", "--until", "2024-05-02T00:00:00+02:00"),
    ),
    "comparison": ("/reports/compare?issues=may,may&hours=24", ("report", "compare", "may", "may", "--hours", "24")),
    "ranking": ("/ranking", ("rank",)),
    "ranking of a month": ("/ranking?month=2024-05", ("rank", "--month", "2024-05")),
    "ranking of an issue": ("/ranking?issue=may", ("rank", "--issue", "may")),
    "picks": ("/picks?month=2024-05", ("picks", "--month", "2024-05")),
}


@pytest.mark.parametrize("name", SAME)
def test_reports_are_those_of_the_commands(unchanged: tuple[ApiSite, dict[str, Any]], name: str) -> None:
    """A14: the API and the command give one object, apart from the time at which it was made."""
    site, issue = unchanged
    editor = site.client("editor")
    path, words = SAME[name]
    code = issue["articles"][0]["links"][0]["short_url"].rpartition("/")[2]
    response = editor.get(path.format(code=code))
    assert response.status_code == 200, response.text
    as_of = ("--as-of", body(response)["as_of"]) if words[0] in {"rank", "picks"} else ()
    printed = json.loads(site.run(*(word.format(code=code) for word in words), *as_of, "--format", "json"))
    assert without_time(body(response)) == without_time(printed)
    if name == "issue":
        assert body(response)["totals"]["clicks"]["human"] == 3


def test_a_report_is_sent_once_until_it_changes(site: ApiSite, editor: ApiClient, read: dict[str, Any]) -> None:
    """The ETag of a report does not depend on its time; new clicks change it."""
    first = editor.get("/reports/issues/may")
    unchanged = editor.get("/reports/issues/may", If_None_Match=first.headers["ETag"])
    assert (unchanged.status_code, unchanged.data) == (304, b"")
    code = read["articles"][0]["links"][0]["short_url"].rpartition("/")[2]
    site.write_clicks(click(site, 9, ts=SENT + 9_000, code=code))
    site.collect()
    assert editor.get("/reports/issues/may", If_None_Match=first.headers["ETag"]).status_code == 200


def test_answers_are_equal_on_both_engines(
    site: ApiSite, editor: ApiClient, read: dict[str, Any], tmp_path: Path, postgres_url: str
) -> None:
    """Each list and report has the same bytes on a copy of the store in PostgreSQL, apart from its time."""
    copy_store(site.store, postgres_url, on_progress=lambda *_: None)
    storage = Storage(data=str(tmp_path / "copy"), url=postgres_url)
    app = create_pages_app(msgspec.structs.replace(site.config, storage=storage))
    copied = ApiClient(app.test_client(use_cookies=False), site.tokens["editor"])
    code = read["articles"][0]["links"][0]["short_url"].rpartition("/")[2]
    paths = [path.format(code=code) for path, _ in SAME.values()]
    for path in (*paths, "/links", "/links?query=WHALES&sort=title", "/issues", "/issues/may", "/clicks"):
        expected, answer = editor.get(path), copied.get(path)
        assert (expected.status_code, answer.status_code) == (200, 200), answer.text
        assert AS_OF.sub("", answer.text) == AS_OF.sub("", expected.text), path
    app.extensions["connection_pool"].close()


BAD = {
    "unknown issue": ("/reports/issues/none", 404),
    "unknown link": ("/reports/links/go.example.com/none", 404),
    "one issue": ("/reports/compare?issues=may", 400),
    "unknown issues": ("/reports/compare?issues=may,none", 404),
    "no issues": ("/reports/compare", 400),
    "older than it is": ("/reports/compare?issues=may,may&hours=999999", 400),
    "since after until": ("/reports/summary?since=2024-05-02T00:00:00Z&until=2024-05-01T00:00:00Z", 400),
    "a time without zone": ("/reports/summary?since=2024-05-02T00:00:00", 400),
    "a year out of range": ("/reports/summary?since=0001-05-02T00:00:00Z", 400),
    "no month": ("/picks", 400),
    "a bad month": ("/ranking?month=2024-13", 400),
    "a month without issues": ("/picks?month=2020-01", 404),
    "month and issue": ("/ranking?month=2024-05&issue=may", 400),
    "an unknown ranked issue": ("/ranking?issue=none", 404),
    "decisions of a bad month": ("/decisions/2024", 422),
    "a bad cursor": ("/clicks?after=WyJjbGlja3MiLCJ4Il0", 400),
}


@pytest.mark.parametrize(("path", "status"), BAD.values(), ids=BAD.keys())
def test_reports_that_cannot_be(unchanged: tuple[ApiSite, dict[str, Any]], path: str, status: int) -> None:
    """A report of something that does not exist, or with a bad parameter, is a problem."""
    response = unchanged[0].client("editor").get(path)
    assert (response.status_code, response.mimetype) == (status, "application/problem+json"), response.text


def test_decisions(site: ApiSite, editor: ApiClient, read: dict[str, Any]) -> None:
    """A decision about an article, given by its URL, is stored, replaced and removed; figures do not change."""
    url = read["articles"][0]["url"]
    path = f"/decisions/2024-05/{quote(url, safe='')}"
    ranking = body(editor.get("/ranking?month=2024-05"))["articles"]
    decided = editor.send("PUT", path, {"action": "pin", "reason": "the cover story"})
    assert decided.status_code == 200
    assert (body(decided)["url"], body(decided)["who"]) == (url, "editor")
    listed = body(editor.get("/decisions/2024-05"))["data"]
    assert listed == json.loads(site.run("picks", "decisions", "--month", "2024-05", "--format", "json"))
    picks = body(editor.get("/picks?month=2024-05"))
    assert (picks["featured"][0]["url"], picks["featured"][0]["origin"]) == (url, "pinned")
    assert body(editor.get("/ranking?month=2024-05"))["articles"] == ranking
    assert editor.send("PUT", path, {"action": "pin", "reason": ""}).status_code == 422
    assert editor.send("PUT", path, {"action": "raise", "reason": "x"}).status_code == 422
    assert editor.send("DELETE", path).status_code == 204
    assert editor.send("DELETE", path).status_code == 404
    assert editor.send("PUT", "/decisions/2024-05/nothing", {"action": "pin", "reason": "x"}).status_code == 404
    assert site.client("viewer").send("PUT", path, {"action": "pin", "reason": "x"}).status_code == 403


def test_the_export_of_clicks(site: ApiSite, editor: ApiClient, read: dict[str, Any]) -> None:
    """The lines are those of the command; bounds select among them."""
    response = editor.get("/clicks")
    assert response.mimetype == "application/x-ndjson"
    assert response.text == site.run("clicks", "export")
    assert len(response.text.splitlines()) == 3
    some = editor.get("/clicks?since=2024-05-01T08:15:00Z&until=2024-05-01T08:25:00Z")
    assert [json.loads(line)["id"] for line in some.text.splitlines()] == ["click-0002"]
    assert site.client(site.add_token("editor", "read")).get("/clicks").status_code == 403
    assert site.client("viewer").get("/clicks").status_code == 403


def test_the_export_ends_at_the_watermark(site: ApiSite, editor: ApiClient, read: dict[str, Any]) -> None:
    """Clicks whose verdict can still change, or before which some are not stored, come with a later export."""
    code = read["articles"][0]["links"][0]["short_url"].rpartition("/")[2]
    now = time.time()
    settled, recent = now - SETTLED_AFTER_MS / 1000 - 300, now - 5
    first = editor.get("/clicks")
    following = first.headers["Link"].partition(">")[0].partition("/-/api/v1")[2]
    site.write_clicks(click(site, 11, ts=settled, code=code), click(site, 12, ts=recent, code=code))
    assert first.headers["Watermark"] > "2026"
    uncollected = editor.get("/clicks")
    limit = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(settled - SETTLED_AFTER_MS / 1000))
    assert uncollected.headers["Watermark"] <= limit
    site.collect()
    ids = [json.loads(line)["id"] for line in editor.get("/clicks").text.splitlines()]
    assert ids == ["click-0001", "click-0002", "click-0003", "click-0011"]
    assert [json.loads(line)["id"] for line in editor.get(following).text.splitlines()] == []


def test_following_exports_have_every_click_once(site: ApiSite, editor: ApiClient, read: dict[str, Any]) -> None:
    """Following the header Link, a click comes exactly once."""
    code = read["articles"][0]["links"][0]["short_url"].rpartition("/")[2]
    first = editor.get("/clicks?until=2024-05-01T08:15:00Z")
    assert len(first.text.splitlines()) == 1
    cursor = first.headers["Link"].partition("after=")[2].partition(">")[0]
    rest = editor.get(f"/clicks?after={cursor}")
    assert [json.loads(line)["id"] for line in rest.text.splitlines()] == ["click-0002", "click-0003"]
    cursor = rest.headers["Link"].partition("after=")[2].partition(">")[0]
    assert editor.get(f"/clicks?after={cursor}").text == ""
    assert code
