"""Pages of webhooks: an admin adds, tests, changes, disables and deletes one."""

from typing import TYPE_CHECKING

import msgspec
import pytest

from shortener.services import webhooks as service
from shortener.services.webhook_sender import Attempt, store_attempt
from shortener.store import webhooks

if TYPE_CHECKING:
    from tests.web.conftest import EditorSite

PATH = "/-/settings/webhooks"


def test_an_admin_manages_webhooks(site: "EditorSite") -> None:
    """Every form of the pages does what it says."""
    browser = site.client("admin")
    assert "<table" not in browser.get(PATH).text
    added = browser.post(PATH, {"url": "https://hooks.example.com/in", "events": ["link.created", "issue.added"]})
    assert added.status_code == 303
    (webhook,) = webhooks.list_all(site.store)
    assert webhook.events == "link.created issue.added"
    page = f"{PATH}/{webhook.id}"
    assert added.headers["Location"] == page
    assert webhook.secret in browser.get(page).text
    assert "https://hooks.example.com/in" in browser.get(PATH).text
    assert PATH in browser.get("/-/settings").text

    assert browser.post(f"{page}/test").status_code == 303
    assert "webhook.test" in browser.get(page).text
    (item,) = webhooks.list_deliveries(site.store, webhook.id, limit=5)
    with site.store.transaction():
        message = "<b>broken</b>"
        webhooks.update_delivery(site.store, item.delivery.id, state="failed", http_status=500, message=message)
    text = browser.get(page).text
    assert "&lt;b&gt;broken&lt;/b&gt;" in text
    assert msgspec.json.decode(browser.get(f"{page}/deliveries.json").data)[0]["message"] == message
    assert browser.post(f"{page}/deliveries/{item.delivery.id}/retry").status_code == 303
    assert webhooks.get_delivery(site.store, webhook.id, item.delivery.id).delivery.state == "waiting"

    assert browser.post(page, {"url": "https://hooks.example.com/other", "events": []}).status_code == 303
    assert browser.post(f"{page}/secret").status_code == 303
    changed = webhooks.get(site.store, webhook.id)
    assert (changed.url, changed.events) == ("https://hooks.example.com/other", "")
    assert changed.secret != webhook.secret
    assert changed.old_secret == webhook.secret
    assert "previous secret is valid until" in browser.get(page).text

    assert browser.post(f"{page}/state", {"enabled": "no"}).status_code == 303
    assert "disabled by an admin" in browser.get(page).text
    assert browser.post(f"{page}/test").status_code == 409
    assert browser.post(f"{page}/deliveries/{item.delivery.id}/retry").status_code == 409
    assert browser.post(f"{page}/state", {"enabled": "yes"}).status_code == 303
    assert browser.post(f"{page}/test").status_code == 303
    assert browser.post(f"{page}/delete").status_code == 303
    assert webhooks.list_all(site.store) == []
    assert browser.get(page).status_code == 404


def test_errors_keep_what_was_entered(site: "EditorSite") -> None:
    """An address that is not allowed is explained beside the form, which keeps address and events."""
    browser = site.client("admin")
    for url in ("http://hooks.example.com/", "https://10.0.0.1/", "nothing"):
        response = browser.post(PATH, {"url": url, "events": "issue.added"})
        assert response.status_code == 400
        assert f'value="{url}"' in response.text
        assert 'aria-invalid="true"' in response.text
        assert 'value="issue.added" checked' in response.text
    webhook = service.add_webhook(site.store, "https://hooks.example.com/", config=site.config, now=1)
    response = browser.post(f"{PATH}/{webhook.id}", {"url": "https://10.0.0.1/"})
    assert response.status_code == 400
    assert 'value="https://10.0.0.1/"' in response.text
    assert webhooks.list_all(site.store) == [webhook]


def test_many_deliveries_have_pages(site: "EditorSite") -> None:
    """Older deliveries are on further pages."""
    browser = site.client("admin")
    webhook = service.add_webhook(site.store, "https://hooks.example.com/", config=site.config, now=1)
    for _ in range(60):
        service.send_test(site.store, webhook.id, now=1)
    page = browser.get(f"{PATH}/{webhook.id}")
    assert page.text.count('<td data-name="Time">') == 50
    older = page.text.split("?before=")[1].split('"')[0]
    assert browser.get(f"{PATH}/{webhook.id}?before={older}").text.count('<td data-name="Time">') == 10


@pytest.mark.parametrize("number", ["9" * 9, "9" * 20, "9" * 5000])
def test_a_large_number_names_no_webhook(site: "EditorSite", number: str) -> None:
    """A number that no store can have is not found, however long it is."""
    browser = site.client("admin")
    pages = [browser.get(f"{PATH}/{number}"), browser.get(f"{PATH}/{number}/deliveries.json")]
    forms = ["", "/state", "/secret", "/test", "/delete", f"/deliveries/{number}/retry"]
    pages += [browser.post(f"{PATH}/{number}{form}", {"url": "https://hooks.example.com/"}) for form in forms]
    assert {page.status_code for page in pages} <= {404, 405}


@pytest.mark.parametrize(
    ("attempt", "reason", "result"),
    [
        (Attempt(410, "Gone"), "Das Programm antwortete mit 410", "der Webhook wurde ausgeschaltet: das Programm"),
        (Attempt(None, str(service.NO_ANSWER)), "10 Versuche, eine Nachricht", "keine Antwort"),
    ],
)
def test_reasons_and_results_are_in_german(site: "EditorSite", attempt: Attempt, reason: str, result: str) -> None:
    """A German page says in German why a webhook is disabled and what became of its deliveries; JSON is English."""
    webhook = service.add_webhook(site.store, "https://hooks.example.com/", config=site.config, now=1)
    for _ in range(2):
        service.send_test(site.store, webhook.id, now=1)
    first = webhooks.list_deliveries(site.store, webhook.id, limit=5)[-1].delivery.id
    while webhooks.get(site.store, webhook.id).disabled_at is None:
        delivery = webhooks.get_delivery(site.store, webhook.id, first).delivery
        with site.store.transaction():
            store_attempt(site.store, delivery, attempt, now=1)
    browser = site.client("admin")
    german = {"Accept-Language": "de"}
    page = f"{PATH}/{webhook.id}"
    text = browser.get(page, **german).text
    assert f"Ausgeschaltet: {reason[0].lower()}{reason[1:]}" in text
    assert result in text
    assert reason[1:] in browser.get(PATH, **german).text
    assert "1 Webhook wurde ausgeschaltet" in browser.get("/-/settings/system", **german).text
    assert "1 webhook was disabled" in browser.get("/-/settings.json", **german).text
    deliveries = msgspec.json.decode(browser.get(f"{page}/deliveries.json", **german).data)
    assert str(deliveries[0]["message"]).startswith("the webhook was disabled: ")


@pytest.mark.parametrize(
    ("attempts", "in_list", "on_page"),
    [
        ([], "no message yet", "No message was sent yet."),
        ([Attempt(204, "")], "last message", "Works. The last message arrived"),
        ([Attempt(None, "no answer")], "last message has not arrived", "1 message waits, next try"),
        ([Attempt(410, "Gone")], "disabled", "Disabled: it answered with 410"),
    ],
    ids=["new", "works", "late", "failed"],
)
def test_state_of_a_webhook(site: "EditorSite", attempts: list[Attempt], in_list: str, on_page: str) -> None:
    """The list and the page of a webhook say whether its messages arrive."""
    webhook = service.add_webhook(site.store, "https://hooks.example.com/", config=site.config, now=1)
    for attempt in attempts:
        delivery_id = service.send_test(site.store, webhook.id, now=1)
        with site.store.transaction():
            store_attempt(
                site.store, webhooks.get_delivery(site.store, webhook.id, delivery_id).delivery, attempt, now=1
            )
    browser = site.client("admin")
    assert in_list in browser.get(PATH).text
    assert on_page in browser.get(f"{PATH}/{webhook.id}").text
