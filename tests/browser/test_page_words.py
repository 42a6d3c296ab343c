"""Words of refusals and pages that do not exist. ``test_every_page.py`` checks those of the other pages."""

import re
import time
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from shortener.app import create_app
from tests.browser import scene, words

MISSES = {
    "unknown link": "/unknown1",
    "preview of an unknown link": "/unknown1+",
    "home": "/",
    "no such page": "/-/nothing",
    "no such issue": "/-/issues/nothing",
    "no such setup": "/-/issues/nothing/setup",
    "no such link": "/-/links/127.0.0.1/nothing",
    "no short link": "/-/link?short_url=x",
    "address of a form": "/-/articles/decide",
    "unknown order": "/-/links?sort=x",
    "unknown status": "/-/links?status=x",
    "invalid month": "/-/articles?month=2026-13",
    "month without issues": "/-/articles?month=2020-01",
    "article that no issue has": "/-/articles/article?url=https://example.org/nothing",
    "article of an unknown issue": "/-/articles?issue=nothing",
    "picks of an invalid month": "/-/picks?month=x",
    "picks of a month without issues": "/-/picks?month=2020-01",
    "used invite link": "/-/welcome/x",
    "page of admins": "/-/settings/users",
}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("run `shortener issue list`", True),
        ("choose one with --slug", True),
        ("edit config.toml", True),
        ("set [networks] countries", True),
        ("400 Bad Request", True),
        ("Not Found", True),
        ("a draft -- not sent", False),
        ("Clicks not found to be human", False),
        ("a link shortener for newsletters", False),
    ],
)
def test_pattern(text: str, found: bool) -> None:
    """The pattern finds what it is for, and no plain sentence."""
    assert bool(words.FORBIDDEN.search(text)) is found


def test_words_of_misses(tmp_path: Path) -> None:
    """No refusal, question or error page has a technical word, for admins and without a session."""
    config = scene.configure(tmp_path / "data")
    scene.build(config, now=int(time.time()), readers=1)
    app = create_app(config)
    wrong: list[str] = []
    for role in ("", "admin"):
        client = app.test_client()

        def check(path: str, client: FlaskClient = client, **data: str) -> TestResponse:
            """Open a page, or send a form, and look at the words of what comes."""
            response = client.open(
                path,
                method="POST" if data else "GET",
                data=data or None,
                base_url=config.base_url,
                headers={"Sec-Fetch-Site": "same-origin"},
                follow_redirects=True,
            )
            wrong.extend(f"{path}: {word}" for word in words.technical_words(response.text))
            return response

        if role:
            assert "aria-invalid" in check("/-/sign-in", name=role, password="wrong wrong wrong").text
            assert check("/-/sign-in", name=role, password=scene.PASSWORD).request.path == "/-/"
            found = re.search(r'class="title"[^§]*?href="(/-/links/[^"?]+)"', check("/-/links?issue=2026-11").text)
            assert found
            assert check(f"{found[1]}/retire").status_code == 200
        for path in MISSES.values():
            check(path)
    app.extensions["connection_pool"].close()
    assert not wrong
