"""Pages with tokens of the JSON API: a user's own, and those of all users for admins."""

import re
import time
from typing import TYPE_CHECKING

import pytest

from shortener.services import tokens
from shortener.store.tokens import list_all

if TYPE_CHECKING:
    from tests.web.conftest import EditorSite

API = "/-/api/v1/me"


def test_a_token_is_created_and_revoked(site: "EditorSite") -> None:
    """The text of a new token is shown once; the token works until it is revoked on the page."""
    browser = site.client("editor")
    page = browser.post("/-/account/tokens", {"name": "script", "scopes": ["read", "links"], "expires": "2999-01-31"})
    assert page.status_code == 200
    text = re.findall(r'<code id="token">(sho_\w{40})</code>', page.text)[0]
    again = browser.get("/-/account").text
    assert text not in again
    assert text[: tokens.START_LENGTH] in again
    (token,) = list_all(site.store)
    assert (token.owner, token.scopes, token.expires_at) == ("editor", ("read", "links"), 32_474_822_400)
    client = site.browser()
    assert client.get(API, Authorization=f"Bearer {text}").status_code == 200
    assert browser.post("/-/account/tokens/revoke", {"name": "script"}).status_code == 303
    assert client.get(API, Authorization=f"Bearer {text}").status_code == 401
    assert list_all(site.store) == []


REFUSED = {
    "no name": ({"scopes": ["read"]}, "1 to 100"),
    "no scope": ({"name": "x"}, "No scope"),
    "unknown scope": ({"name": "x", "scopes": ["all"]}, "Unknown scope"),
    "a day that is over": ({"name": "x", "scopes": ["read"], "expires": "2020-01-31"}, "later"),
    "no day": ({"name": "x", "scopes": ["read"], "expires": "soon"}, "2027-01-31"),
    "the last day there is": ({"name": "x", "scopes": ["read"], "expires": "9999-12-31"}, "2027-01-31"),
}


@pytest.mark.parametrize(("form", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_refused_tokens(site: "EditorSite", form: dict[str, object], message: str) -> None:
    """An error is shown at its field with what was entered, and nothing is stored."""
    page = site.client("editor").post("/-/account/tokens", form)
    assert page.status_code in {400, 422}
    assert message in page.text
    assert 'aria-invalid="true"' in page.text
    assert list_all(site.store) == []


def test_a_taken_name_is_refused(site: "EditorSite") -> None:
    """Two tokens of a user have different names."""
    browser = site.client("viewer")
    assert browser.post("/-/account/tokens", {"name": "x", "scopes": ["read"]}).status_code == 200
    page = browser.post("/-/account/tokens", {"name": "x", "scopes": ["read"]})
    assert page.status_code == 409
    assert "choose another" in page.text


def test_only_usable_scopes_are_offered(site: "EditorSite") -> None:
    """A viewer is offered the scope read, an admin every scope."""
    viewer, admin = (site.client(role).get("/-/account").text for role in ("viewer", "admin"))
    assert re.findall(r'name="scopes" value="(\w+)"', viewer) == ["read"]
    assert re.findall(r'name="scopes" value="(\w+)"', admin) == list(tokens.SCOPES)


def test_users_see_and_revoke_only_their_own_tokens(site: "EditorSite") -> None:
    """Another user's token is neither on the page of the account nor revoked there; admins see and revoke all."""
    tokens.add_token(site.store, "viewer", "theirs", scopes=["read"], expires_at=None, now=int(time.time()))
    editor, admin = site.client("editor"), site.client("admin")
    assert "theirs" not in editor.get("/-/account").text
    assert editor.post("/-/account/tokens/revoke", {"name": "theirs"}).status_code == 404
    assert editor.get("/-/settings/tokens").status_code == 403
    assert "theirs" in admin.get("/-/settings/tokens").text
    rows = admin.get("/-/settings/tokens.json").json
    assert rows is not None
    (row,) = rows
    assert (row["name"], row["owner"], row["last_used_at"]) == ("theirs", "viewer", None)
    revoke = {"name": "theirs", "owner": "viewer"}
    assert admin.post("/-/settings/tokens/revoke", revoke).status_code == 303
    assert admin.post("/-/settings/tokens/revoke", revoke).status_code == 404


def test_the_list_of_tokens_is_a_part_of_the_settings(site: "EditorSite") -> None:
    """The navigation marks the settings on the page with the tokens of all users."""
    page = site.client("admin").get("/-/settings/tokens").text
    assert '<a href="/-/settings" aria-current="true">Settings</a>' in page
