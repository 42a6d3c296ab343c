"""Authentication of API requests: tokens, scopes, roles and the rate limit."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from shortener.api.rate_limit import RateLimit
from shortener.config import Api
from shortener.services import accounts, tokens
from shortener.store import accounts as stored_accounts
from tests.api.conftest import ApiClient, ApiSite
from tests.store_content import dump


def expired(site: ApiSite) -> str:
    """Return a token that was valid until a moment ago."""
    return site.add_token("editor", "read", expires_at=int(time.time()) - 1)


def revoked(site: ApiSite) -> str:
    """Return a token that was revoked."""
    text = site.add_token("editor", "read")
    tokens.revoke_token(site.store, "test", owner="editor")
    return text


def of_removed_user(site: ApiSite) -> str:
    """Return a token whose owner was removed."""
    accounts.remove_user(site.store, "editor")
    return site.tokens["editor"]


INVALID: dict[str, Callable[[ApiSite], str]] = {
    "unknown": lambda site: "sho_" + "a" * 40,
    "expired": expired,
    "revoked": revoked,
    "of a removed user": of_removed_user,
    "not ASCII": lambda site: "ä",
    "too long": lambda site: "a" * 5_000,
}


@pytest.mark.parametrize("name", INVALID)
def test_invalid_tokens_get_one_answer(site: ApiSite, name: str) -> None:
    """Unknown, expired and revoked tokens get 401 with one and the same body, and a request without token another."""
    response = site.client(INVALID[name](site)).get("/me")
    other = site.client("sho_" + "b" * 40).get("/me")
    assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert response.text == other.text
    missing = site.client().get("/me")
    assert (missing.status_code, missing.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert missing.json is not None
    assert missing.json["type"].endswith("#token-missing")


def test_a_token_is_sent_in_either_header(site: ApiSite) -> None:
    """The headers Authorization and X-Api-Key are equal; a cookie has no effect."""
    token = site.tokens["viewer"]
    assert site.client().get("/me", X_Api_Key=token).status_code == 200
    assert site.client().get("/me", Authorization=f"bearer {token}").status_code == 200
    assert site.client().get("/me", Cookie=f"session={token}").status_code == 401
    assert site.client().get("/me", Authorization=f"Basic {token}").status_code == 401


def test_removing_or_demoting_the_owner_acts_at_once(site: ApiSite) -> None:
    """A token loses the rights of its owner with the next request."""
    admin = site.client("admin")
    accounts.add_user(site.store, "second", role="admin", password="a sentence for tests", now=1)
    me = admin.get("/me").json
    assert me is not None
    assert me["role"] == "admin"
    accounts.set_role(site.store, "admin", "viewer", now=1)
    me = admin.get("/me").json
    assert me is not None
    assert me["role"] == "viewer"
    stored_accounts.remove(site.store, stored_accounts.get(site.store, "admin").id)
    assert admin.get("/me").status_code == 401


def test_only_hashes_of_tokens_are_stored(site: ApiSite) -> None:
    """The store has eight characters of a token and its hash, also of one created with an idempotency key."""
    created = site.client("editor").post("/me/tokens", {"name": "x", "scopes": ["read"]}, Idempotency_Key="k")
    assert created.json is not None
    content = dump(site.store)
    for text in (*site.tokens.values(), created.json["token"]):
        assert text[:8] in content
        assert text[:16] not in content
        assert text.encode().hex() not in content.lower()


def test_the_last_use_is_written_once_a_minute(site: ApiSite) -> None:
    """The first request of a minute records its time; the others write nothing."""
    editor = site.client("editor")
    last_use = "select max(last_used_at) from tokens"
    editor.get("/me")
    earlier = site.store.value(last_use) - 20
    for used_at in (earlier, earlier - 60):
        site.store.execute("update tokens set last_used_at = ? where last_used_at is not null", (used_at,))
        editor.get("/me")
        assert (site.store.value(last_use) == used_at) == (used_at == earlier)
    listed = editor.get("/me/tokens").json
    assert listed is not None
    assert listed["data"][0]["last_used_at"].endswith("Z")


def test_a_token_cannot_extend_itself(site: ApiSite) -> None:
    """A token creates and revokes only tokens with its own scopes, and none that outlives it."""
    soon = int(time.time()) + 3_600
    client = site.client(site.add_token("editor", "read", "links", expires_at=soon))
    admin_scope = client.post("/me/tokens", {"name": "a", "scopes": ["read", "issues"]})
    endless = client.post("/me/tokens", {"name": "b", "scopes": ["read"]})
    later = client.post("/me/tokens", {"name": "c", "scopes": ["read"], "expires_at": "2999-01-01T00:00:00Z"})
    stronger = client.send("DELETE", "/me/tokens/2")
    assert [r.status_code for r in (admin_scope, endless, later, stronger)] == [403, 422, 422, 403]
    expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(soon - 60))
    made = client.post("/me/tokens", {"name": "d", "scopes": ["links"], "expires_at": expires})
    assert made.status_code == 201
    assert made.json is not None
    assert made.json["expires_at"] == expires
    path = made.headers["Location"].removeprefix("/-/api/v1")
    assert client.get(path).status_code == 200
    assert site.client(made.json["token"]).get("/me").status_code == 200
    assert client.send("DELETE", path).status_code == 204
    assert client.get(path).status_code == 404
    assert site.client(made.json["token"]).get("/me").status_code == 401


def test_tokens_of_other_users_are_not_found(site: ApiSite, editor: ApiClient) -> None:
    """A token neither shows nor revokes a token of another user."""
    assert editor.get("/me/tokens/1").status_code == 404
    assert editor.send("DELETE", "/me/tokens/1").status_code == 404
    assert site.client("viewer").get("/me").status_code == 200


def test_the_rate_limit_counts_by_token(tmp_path: Path, store_url: str) -> None:
    """Beyond the limit a token gets 429 with Retry-After; another token is unaffected."""
    site = ApiSite(tmp_path / "data", Api(rate_limit=3), url=store_url)
    viewer, editor = site.client("viewer"), site.client("editor")
    answers = [viewer.get("/me") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[0].headers["RateLimit-Policy"] == '"token";q=3;w=60'
    assert answers[0].headers["RateLimit"].startswith('"token";r=2;t=')
    assert 1 <= int(answers[3].headers["Retry-After"]) <= 60
    assert editor.get("/me").status_code == 200
    site.close()


def test_a_window_of_the_rate_limit_lasts_a_minute() -> None:
    """601 requests in a minute exceed 600; after the minute the count begins again. 0 means no limit."""
    seconds = [0.0]
    limit = RateLimit(600, clock=lambda: seconds[0])
    states = []
    for _ in range(601):
        states.append(limit.count(1))
        seconds[0] += 0.05
    assert [state.exceeded for state in states if state] == [False] * 600 + [True]
    last = states[-1]
    assert last is not None
    assert (last.remaining, last.reset_seconds) == (0, 30)
    seconds[0] = 60.0
    renewed = limit.count(1)
    assert renewed is not None
    assert (renewed.exceeded, renewed.remaining, renewed.reset_seconds) == (False, 599, 60)
    assert RateLimit(0, clock=lambda: 0.0).count(1) is None
