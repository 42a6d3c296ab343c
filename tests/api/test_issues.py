"""Issues in the API: adding one equals the command, with dry run, corrections and the document."""

import base64
import json
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from shortener import demo
from tests.api.conftest import API, ApiClient, ApiSite
from tests.api.test_links import body, errors

SEED = Path(demo.__file__).parent / "issue.md"
DOCUMENT = SEED.read_text(encoding="utf-8")
NEW = {
    "document": DOCUMENT,
    "format": "markdown",
    "slug": "2026-11",
    "sent_at": "2026-11-24T08:00:00+01:00",
    "recipients": 1500,
}


def count_rows(site: ApiSite) -> tuple[int, ...]:
    """Return the numbers of issues, links and placements in the store."""
    return tuple(site.store.value(f"select count(*) from {table}") for table in ("issues", "links", "placements"))


@pytest.mark.usefixtures("parser_process")
def test_adding_equals_the_command(site: ApiSite, editor: ApiClient, tmp_path: Path) -> None:
    """A12: 201, then 200 with the same codes; the output is the file that the command writes."""
    first = editor.post("/issues", NEW)
    assert (first.status_code, first.headers["Location"]) == (201, f"{API}/issues/2026-11")
    again = editor.post("/issues", NEW)
    assert again.status_code == 200
    assert body(again)["output"] == body(first)["output"]
    assert body(again)["issue"] == body(first)["issue"]
    file = tmp_path / "issue.out.md"
    site.run("issue", "add", str(SEED), "--slug", "2026-11", "--output", str(file))
    assert file.read_bytes() == body(first)["output"].encode()
    assert editor.get("/issues/2026-11/output").data == file.read_bytes()
    assert body(editor.get("/issues/2026-11")) == json.loads(site.run("issue", "show", "2026-11", "--format", "json"))
    listed = json.loads(site.run("issue", "list", "--format", "json"))
    assert body(editor.get("/issues"))["data"] == listed
    assert listed[0]["sent_at"] == "2026-11-24T07:00:00Z"


def test_links_that_are_left_alone_have_a_reason(editor: ApiClient) -> None:
    """Each link that keeps its URL is listed with its line, its text and the reason."""
    left_alone = body(editor.post("/issues", NEW))["left_alone"]
    assert left_alone
    lines = DOCUMENT.splitlines()
    for link in left_alone:
        assert link["text"] in lines[link["line"] - 1]
        assert link["reason"]


def test_a_dry_run_stores_nothing(site: ApiSite, editor: ApiClient) -> None:
    """A dry run answers with the contents, also of an issue that exists, and stores nothing."""
    before = count_rows(site)
    dry = editor.post("/issues?dry_run=true", NEW)
    assert dry.status_code == 200
    assert count_rows(site) == before
    stored = body(editor.post("/issues", NEW))
    for key in ("title", "sent_at", "recipients", "status", "domain", "format"):
        assert body(dry)["issue"][key] == stored["issue"][key], key
    assert body(dry)["left_alone"] == stored["left_alone"]
    unchanged = body(editor.post("/issues?dry_run=true", NEW))
    assert (unchanged["issue"], unchanged["output"]) == (stored["issue"], stored["output"])
    edited = editor.post("/issues?dry_run=true", {"document": DOCUMENT.replace("whales", "seals"), "slug": "2026-11"})
    assert body(edited)["issue"]["recipients"] == 1500
    assert body(editor.get("/issues/2026-11")) == stored["issue"]


def test_a_repeated_request_adds_one_issue(site: ApiSite, editor: ApiClient) -> None:
    """With an idempotency key the repetition gets the first answer, with its status."""
    first = editor.post("/issues", NEW, Idempotency_Key="k")
    again = editor.post("/issues", NEW, Idempotency_Key="k")
    assert (again.status_code, again.json) == (201, first.json)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert count_rows(site)[0] == 1


def test_a_dry_run_with_a_key_stores_no_issue(site: ApiSite, editor: ApiClient) -> None:
    """The transaction of an idempotency key contains only the answer of a dry run."""
    before = count_rows(site)
    assert editor.post("/issues?dry_run=true", NEW, Idempotency_Key="k").status_code == 200
    assert count_rows(site) == before


def test_a_slug_is_made_from_the_title(editor: ApiClient) -> None:
    """Without a slug the title gives it; without both the request is refused."""
    added = editor.post("/issues", {"document": DOCUMENT, "title": "Low Tide: November!"})
    assert body(added)["issue"]["slug"] == "low-tide-november"
    refused = editor.post("/issues", {"document": DOCUMENT})
    assert (refused.status_code, errors(refused)) == (422, ["/slug"])


def test_a_mail_in_base64(editor: ApiClient) -> None:
    """A document that is not UTF-8 is sent and returned in base64, every other byte unchanged."""
    mail = EmailMessage()
    mail["Subject"] = "November"
    mail["From"] = "letter@example.com"
    mail.set_content('<p><a href="https://a.example/wal">Zählung</a></p>', subtype="html", charset="latin-1")
    sent = base64.b64encode(mail.as_bytes()).decode()
    added = editor.post("/issues", {"document": sent, "encoding": "base64", "format": "eml", "slug": "mail"})
    assert added.status_code == 201
    assert b"https://go.example.com/" in base64.b64decode(body(added)["output"])
    output = editor.get("/issues/mail/output")
    assert output.mimetype == "message/rfc822"
    assert b"letter@example.com" not in output.data
    bad = editor.post("/issues", {"document": "#", "encoding": "base64", "slug": "x"})
    assert (bad.status_code, errors(bad)) == (422, ["/document"])


REFUSED: dict[str, tuple[dict[str, Any], int, list[str]]] = {
    "no document": ({"document": ""}, 422, ["/document"]),
    "an image": ({"document": "GIF89a"}, 422, ["/document"]),
    "a slug with a slash": ({"slug": "a/b"}, 422, ["/slug"]),
    "unknown format": ({"format": "docx"}, 422, ["/format"]),
    "no recipients": ({"recipients": 0}, 422, ["/recipients"]),
    "a target elsewhere": ({"targets": {"https://x.example/a": "https://a.example/"}}, 422, ["/targets"]),
    "too large": ({"document": "x" * 5_300_000}, 413, ["/document"]),
}


@pytest.mark.parametrize(("fields", "status", "pointers"), REFUSED.values(), ids=REFUSED.keys())
def test_refused_issues(
    site: ApiSite, editor: ApiClient, fields: dict[str, Any], status: int, pointers: list[str]
) -> None:
    """A document or field that is not allowed is named, and nothing is stored."""
    response = editor.post("/issues", NEW | fields)
    assert (response.status_code, errors(response)) == (status, pointers)
    assert count_rows(site) == (0, 0, 0)


def test_the_output_of_an_issue_is_a_conflict(editor: ApiClient) -> None:
    """The output of an issue is not added as another one by mistake, only as a copy."""
    output = body(editor.post("/issues", NEW))["output"]
    again = {"document": output, "format": "markdown", "slug": "2026-12"}
    assert editor.post("/issues", again).status_code == 409
    assert editor.post("/issues", again | {"copy": True}).status_code == 201


def test_unlikely_values_need_to_be_confirmed(editor: ApiClient) -> None:
    """A sending time years ahead is refused with the remedy, and stored once it is confirmed."""
    far = {"sent_at": "2199-05-01T08:00:00Z"}
    refused = editor.post("/issues", NEW | far)
    assert refused.status_code == 422
    assert body(refused)["errors"][0]["pointer"] == "/sent_at"
    assert "`confirmed`: true" in body(refused)["detail"]
    assert editor.post("/issues", NEW | far | {"confirmed": True}).status_code == 201
    path, later = "/issues/2026-11", {"sent_at": "2199-05-02T08:00:00Z"}
    assert editor.send("PATCH", path, later).status_code == 422
    assert editor.send("PATCH", path, later | {"confirmed": True}).status_code == 200


def test_a_title_is_not_blank(editor: ApiClient) -> None:
    """A title of spaces is refused, and spaces around a title are removed."""
    editor.post("/issues", NEW)
    refused = editor.send("PATCH", "/issues/2026-11", {"title": "  "})
    assert refused.status_code == 422
    assert body(refused)["errors"][0]["pointer"] == "/title"
    assert body(editor.send("PATCH", "/issues/2026-11", {"title": " May "}))["title"] == "May"


def test_change_an_issue(editor: ApiClient) -> None:
    """Title, sending time and recipients are changed and cleared, and a sent issue is archived."""
    editor.post("/issues", NEW | {"sent_at": "2024-05-01T08:00:00Z"})
    etag = editor.get("/issues/2026-11").headers["ETag"]
    path = "/issues/2026-11"
    assert editor.send("PATCH", path, {"title": "T"}, If_Match='"old"').status_code == 412
    changed = editor.send("PATCH", path, {"title": "T", "recipients": None, "archived": True}, If_Match=etag)
    assert changed.status_code == 200
    issue = body(changed)
    assert (issue["title"], issue["recipients"], issue["status"]) == ("T", None, "archived")
    assert body(editor.get("/issues"))["data"] == []
    assert len(body(editor.get("/issues?all=true"))["data"]) == 1
    draft = body(editor.send("PATCH", path, {"archived": False, "sent_at": None}))
    assert (draft["status"], draft["sent_at"]) == ("draft", None)
    assert editor.send("PATCH", path, {"archived": True}).status_code == 422
    assert editor.send("PATCH", path, {}).status_code == 200


def test_scope_of_issues(site: ApiSite) -> None:
    """Adding an issue needs the scope issues, reading one the scope read."""
    writer = site.client(site.add_token("editor", "issues", name="writer"))
    assert writer.post("/issues", NEW).status_code == 201
    assert writer.get("/issues/2026-11").status_code == 403
    reader = site.client(site.add_token("viewer", "read", name="reader"))
    assert reader.get("/issues/2026-11").status_code == 200
    assert reader.post("/issues", NEW).status_code == 403
    assert reader.get("/issues/none").status_code == 404
