"""Steps of a new issue in the test client: its text, its review, and the issue."""

import html
import io
import re
from typing import Any

from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse

from tests.web.conftest import Browser


def upload(content: bytes, name: str = "may.md") -> FileStorage:
    """Return a file as a browser uploads it."""
    return FileStorage(io.BytesIO(content), filename=name)


def add_text(browser: Browser, source: str = "", **fields: Any) -> str:
    """Send the form of the first step; return the path of the review."""
    response = browser.post("/-/new-issue", {"source": source} | fields)
    assert response.status_code == 303, response.text
    assert re.fullmatch(r"/-/new-issue/\d+/review", response.location)
    return response.location


def form_fields(page: str, action: str) -> dict[str, str]:
    """Return the fields of the form with this action as a browser sends them, without buttons, boxes and files."""
    form = re.search(rf'<form method="post" action="{re.escape(action)}".*?</form>', page, re.S)
    assert form is not None, action
    fields: dict[str, str] = {}
    for tag in re.findall(r"<input\b[^>]*>", form[0]):
        attributes = dict(re.findall(r'([a-z-]+)="([^"]*)"', tag))
        kind = attributes.get("type", "text")
        if kind not in {"checkbox", "radio", "file"} or (kind == "radio" and " checked" in tag):
            fields[attributes["name"]] = html.unescape(attributes.get("value", ""))
    for name, value in re.findall(r'<textarea[^>]*\bname="([^"]*)"[^>]*>(.*?)</textarea>', form[0], flags=re.S):
        fields[name] = html.unescape(value)
    for name, options in re.findall(r'<select name="([^"]*)"[^>]*>(.*?)</select>', form[0], flags=re.S):
        selected = re.search(r'value="([^"]*)" selected', options)
        fields[name] = selected[1] if selected else ""
    return fields


def rows(fields: dict[str, str]) -> dict[str, int]:
    """Return the number of each row of a form of articles, by its URL, in order."""
    numbers = sorted(int(name.removeprefix("url-")) for name in fields if name.startswith("url-"))
    return {fields[f"url-{number}"]: number for number in numbers}


def send_review(browser: Browser, path: str, action: str, **fields: Any) -> TestResponse:
    """Send the form of the review with its present values and these changes."""
    page = browser.get(path)
    assert page.status_code == 200, page.status_code
    return browser.post(path, {**form_fields(page.text, path), "action": action} | fields)


def create(browser: Browser, source: str = "", *, slug: str = "may", **fields: Any) -> TestResponse:
    """Take an issue through all steps; return the response to the last one."""
    return send_review(browser, add_text(browser, source, **fields), "create", slug=slug)
