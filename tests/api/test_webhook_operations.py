"""Operations on webhooks: who may call them, what they accept, and deliveries by pages."""

from typing import Any

import msgspec
import pytest
from werkzeug.test import TestResponse

from shortener.services.webhooks import MAX_WEBHOOKS
from shortener.store import webhooks
from tests.api.conftest import ApiClient, ApiSite

URL = "https://hooks.example.com/in"


def data(response: TestResponse) -> Any:
    """Return the JSON document of a response."""
    return msgspec.json.decode(response.data)


@pytest.fixture
def admin(site: ApiSite) -> ApiClient:
    """Client with an admin's token that has all scopes."""
    return site.client("admin")


@pytest.fixture
def webhook(admin: ApiClient) -> dict[str, Any]:
    """A webhook that receives events of links."""
    body: dict[str, Any] = data(admin.post("/webhooks", {"url": URL, "events": ["link.created"]}))
    return body


def test_the_secret_is_shown_at_creation_and_rotation_only(admin: ApiClient, webhook: dict[str, Any]) -> None:
    """Creating a webhook returns its secret, rotating it another one; reading it returns none."""
    assert webhook["secret"].startswith("whsec_")
    read = admin.get(f"/webhooks/{webhook['id']}")
    assert "secret" not in data(read)
    assert (data(read)["url"], data(read)["events"], data(read)["enabled"]) == (URL, ["link.created"], True)
    assert data(read)["old_secret_until"] is None
    rotated = data(admin.post(f"/webhooks/{webhook['id']}/secret", None))
    assert rotated["secret"].startswith("whsec_")
    assert rotated["secret"] != webhook["secret"]
    assert rotated["old_secret_until"] is not None
    assert data(admin.get("/webhooks"))["data"] == [data(admin.get(f"/webhooks/{webhook['id']}"))]


def test_a_repeated_creation_does_not_show_the_secret_again(admin: ApiClient) -> None:
    """With an idempotency key a webhook is created once, and its secret is not stored with the answer."""
    first, second = (admin.post("/webhooks", {"url": URL}, Idempotency_Key="k") for _ in range(2))
    assert first.headers["Location"] == f"/-/api/v1/webhooks/{data(first)['id']}"
    assert data(second) == data(first) | {"secret": None}
    assert len(data(admin.get("/webhooks"))["data"]) == 1


@pytest.mark.parametrize("role", ["viewer", "editor"])
def test_only_admins_see_webhooks(site: ApiSite, role: str) -> None:
    """A token of a lower role is refused, whatever its scopes."""
    for path in ("/webhooks", "/webhooks/1", "/webhooks/1/deliveries"):
        assert site.client(role).get(path).status_code == 403


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "http": ({"url": "http://hooks.example.com/in"}, "/url"),
    "loopback": ({"url": "https://127.0.0.1"}, "/url"),
    "IPv6 loopback": ({"url": "https://[::1]"}, "/url"),
    "metadata service": ({"url": "https://169.254.169.254"}, "/url"),
    "private": ({"url": "https://10.0.0.1"}, "/url"),
    "unknown event": ({"url": URL, "events": ["link.clicked"]}, "/events/0"),
    "unknown field": ({"url": URL, "secret": "x"}, "/secret"),
    "no URL": ({}, "/url"),
}


@pytest.mark.parametrize(("body", "pointer"), REFUSED.values(), ids=REFUSED.keys())
def test_refused_webhooks(admin: ApiClient, body: dict[str, Any], pointer: str) -> None:
    """A webhook that is not allowed is refused at its field, and nothing is stored."""
    response = admin.post("/webhooks", body)
    assert response.status_code == 422
    assert data(response)["errors"][0]["pointer"] == pointer
    assert data(admin.get("/webhooks"))["data"] == []


def test_too_many_webhooks(admin: ApiClient) -> None:
    """The number of webhooks is bounded."""
    for _ in range(MAX_WEBHOOKS):
        assert admin.post("/webhooks", {"url": URL}).status_code == 201
    assert admin.post("/webhooks", {"url": URL}).status_code == 409


def test_changing_and_deleting(admin: ApiClient, webhook: dict[str, Any]) -> None:
    """Given fields change if the object is the one that was read; a deleted webhook is gone."""
    path = f"/webhooks/{webhook['id']}"
    tag = admin.get(path).headers["ETag"]
    changed = admin.send("PATCH", path, {"enabled": False}, If_Match=tag)
    assert (data(changed)["enabled"], data(changed)["url"]) == (False, URL)
    assert data(changed)["disabled_reason"]
    refused = admin.send("PATCH", path, {"events": []}, If_Match=tag)
    assert refused.status_code == 412
    assert data(refused)["current"] == data(changed)
    assert data(admin.send("PATCH", path, {"url": "https://127.0.0.1/"}))["errors"][0]["pointer"] == "/url"
    assert data(admin.send("PATCH", path, {"events": [], "enabled": True}))["events"] == []
    assert admin.send("DELETE", path, If_Match=tag).status_code == 412
    assert admin.send("DELETE", path).status_code == 204
    for method in ("GET", "DELETE"):
        assert admin.send(method, path).status_code == 404
    assert admin.get("/webhooks/none").status_code == 404


def test_tests_and_retries(site: ApiSite, admin: ApiClient, webhook: dict[str, Any]) -> None:
    """A test is a delivery, which can be sent again with its message id; a disabled webhook refuses both."""
    path = f"/webhooks/{webhook['id']}"
    queued = admin.post(f"{path}/test", None)
    assert queued.status_code == 202
    (delivery,) = data(admin.get(f"{path}/deliveries"))["data"]
    assert (delivery["id"], delivery["type"], delivery["state"]) == (
        data(queued)["delivery"],
        "webhook.test",
        "waiting",
    )
    with site.store.transaction():
        webhooks.update_delivery(site.store, delivery["id"], state="failed", attempts=10)
    assert admin.post(f"{path}/deliveries/{delivery['id']}/retry", None).status_code == 202
    (again,) = data(admin.get(f"{path}/deliveries"))["data"]
    assert (again["event_id"], again["state"], again["attempts"]) == (delivery["event_id"], "waiting", 0)
    assert admin.post(f"{path}/deliveries/99/retry", None).status_code == 404
    admin.send("PATCH", path, {"enabled": False})
    for action in ("test", f"deliveries/{delivery['id']}/retry"):
        assert admin.post(f"{path}/{action}", None).status_code == 409


def test_pages_of_deliveries(site: ApiSite, admin: ApiClient, webhook: dict[str, Any]) -> None:
    """Following ``next`` gives every delivery once, newest first, also while new ones are added."""
    path = f"/webhooks/{webhook['id']}"
    ids = [data(admin.post(f"{path}/test", None))["delivery"] for _ in range(5)]
    seen, after = [], ""
    while after is not None:
        page = data(admin.get(f"{path}/deliveries?limit=2" + (f"&after={after}" if after else "")))
        seen += [delivery["id"] for delivery in page["data"]]
        after = page["next"]
        admin.post(f"{path}/test", None)
    assert seen == ids[::-1]
    for query in ("limit=0", "limit=501", "after=x", "before=1"):
        assert admin.get(f"{path}/deliveries?{query}").status_code == 400
