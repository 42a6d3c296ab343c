"""Operations on webhooks: endpoints, their secrets, and deliveries of events."""

from typing import Annotated

from flask import Response
from msgspec import UNSET, Meta, Struct, UnsetType, structs

from shortener.api.operations import PREFIX, operation
from shortener.api.problems import ApiError
from shortener.api.responses import check_if_match, json_answer, no_content, tagged_answer
from shortener.errors import InputError
from shortener.services import webhooks
from shortener.services.webhooks import DeliverySummary, EventType, WebhookSummary
from shortener.store import webhooks as stored_webhooks
from shortener.web.context import config, now, store

MAX_ID_DIGITS = 15
URL = Annotated[str, Meta(max_length=2_000)]
EventTypes = Annotated[tuple[EventType, ...], Meta(max_length=20)]


class WebhookList(Struct, frozen=True):
    """All webhooks, oldest first."""

    data: tuple[WebhookSummary, ...]


class NewWebhook(Struct, frozen=True, forbid_unknown_fields=True):
    """A webhook to create; without ``events`` it receives all types of events."""

    url: URL
    events: EventTypes = ()


class WebhookChange(Struct, frozen=True, forbid_unknown_fields=True):
    """New values for fields of a webhook. Fields that are missing stay unchanged. An empty ``events`` means all types
    of events.
    """

    url: URL | UnsetType = UNSET
    events: EventTypes | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class WebhookWithSecret(WebhookSummary, frozen=True):
    """A webhook and its new secret. ``secret`` is null if the request is repeated with the same idempotency key."""

    secret: str | None = None


class DeliveryPage(Struct, frozen=True):
    """Deliveries of a webhook, newest first. ``next`` is the value of ``after`` for the next page, null on the last
    page.
    """

    data: tuple[DeliverySummary, ...]
    next: str | None


class DeliveryQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Query parameters of the list of deliveries: number of deliveries, and where the list continues."""

    limit: Annotated[int, Meta(ge=1, le=500, description="Largest number of deliveries.")] = 100
    after: Annotated[str, Meta(pattern="^[0-9]{1,15}$", description="`next` of the previous page.")] | None = None


class QueuedDelivery(Struct, frozen=True):
    """The delivery that was queued; ``delivery`` is its id."""

    delivery: int


@operation("GET", "/webhooks", answers={200: WebhookList}, scope="admin")
def list_webhooks() -> Response:
    """List the webhooks, oldest first."""
    return json_answer(WebhookList(tuple(map(_summarize, stored_webhooks.list_all(store())))))


@operation(
    "POST",
    "/webhooks",
    answers={201: WebhookWithSecret},
    scope="admin",
    body=NewWebhook,
    problems=("conflict",),
    hidden_field="secret",
)
def create_webhook(body: NewWebhook) -> Response:
    """Create a webhook with a new secret."""
    try:
        webhook = webhooks.add_webhook(store(), body.url, events=body.events, config=config(), now=now())
    except InputError as error:
        raise ApiError("invalid", str(error), pointer="/url") from None
    answer = WebhookWithSecret(**structs.asdict(_summarize(webhook)), secret=webhook.secret)
    return json_answer(answer, status=201, headers={"Location": f"{PREFIX}/webhooks/{webhook.id}"})


@operation("GET", "/webhooks/{webhook_id}", answers={200: WebhookSummary}, scope="admin", etag=True)
def get_webhook(webhook_id: str) -> Response:
    """Return a webhook."""
    return tagged_answer(_summarize(stored_webhooks.get(store(), _parse_id(webhook_id))))


@operation(
    "PATCH", "/webhooks/{webhook_id}", answers={200: WebhookSummary}, scope="admin", body=WebhookChange, etag=True
)
def change_webhook(webhook_id: str, body: WebhookChange) -> Response:
    """Change, enable or disable a webhook. Disabling it marks all waiting deliveries as failed."""
    number = _parse_id(webhook_id)
    with store().transaction():
        check_if_match(_summarize(stored_webhooks.get(store(), number)))
        try:
            webhook = webhooks.update_webhook(
                store(),
                number,
                url=None if body.url is UNSET else body.url,
                events=None if body.events is UNSET else body.events,
                enabled=None if body.enabled is UNSET else body.enabled,
                config=config(),
                now=now(),
            )
        except InputError as error:
            raise ApiError("invalid", str(error), pointer="/url") from None
    return tagged_answer(_summarize(webhook))


@operation("DELETE", "/webhooks/{webhook_id}", answers={204: None}, scope="admin", etag=True)
def delete_webhook(webhook_id: str) -> Response:
    """Delete a webhook with its deliveries."""
    number = _parse_id(webhook_id)
    with store().transaction():
        check_if_match(_summarize(stored_webhooks.get(store(), number)))
        webhooks.delete_webhook(store(), number)
    return no_content()


@operation(
    "POST", "/webhooks/{webhook_id}/secret", answers={200: WebhookWithSecret}, scope="admin", hidden_field="secret"
)
def rotate_webhook_secret(webhook_id: str) -> Response:
    """Give a webhook a new secret. For 24 hours messages are signed with both the new and the previous secret."""
    webhook = webhooks.rotate_secret(store(), _parse_id(webhook_id), now=now())
    return json_answer(WebhookWithSecret(**structs.asdict(_summarize(webhook)), secret=webhook.secret))


@operation("POST", "/webhooks/{webhook_id}/test", answers={202: QueuedDelivery}, scope="admin", problems=("conflict",))
def test_webhook(webhook_id: str) -> Response:
    """Send the event `webhook.test` to a webhook."""
    delivery_id = webhooks.send_test(store(), _parse_id(webhook_id), now=now())
    return json_answer(QueuedDelivery(delivery_id), status=202)


@operation("GET", "/webhooks/{webhook_id}/deliveries", answers={200: DeliveryPage}, scope="admin", query=DeliveryQuery)
def list_deliveries(webhook_id: str, query: DeliveryQuery) -> Response:
    """List a webhook's deliveries of the last 30 days, newest first."""
    webhook = stored_webhooks.get(store(), _parse_id(webhook_id))
    before = None if query.after is None else int(query.after)
    items = stored_webhooks.list_deliveries(store(), webhook.id, limit=query.limit + 1, before=before)
    page = tuple(map(webhooks.summarize_delivery, items[: query.limit]))
    return json_answer(DeliveryPage(page, str(page[-1].id) if len(items) > query.limit else None))


@operation(
    "POST",
    "/webhooks/{webhook_id}/deliveries/{delivery_id}/retry",
    answers={202: QueuedDelivery},
    scope="admin",
    problems=("conflict",),
)
def retry_delivery(webhook_id: str, delivery_id: str) -> Response:
    """Send the event of a delivery again, with the same message id."""
    number = _parse_id(delivery_id)
    webhooks.retry_delivery(store(), _parse_id(webhook_id), number, now=now())
    return json_answer(QueuedDelivery(number), status=202)


def _summarize(webhook: stored_webhooks.Webhook) -> WebhookSummary:
    return webhooks.summarize(webhook, now=now())


def _parse_id(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_ID_DIGITS):
        raise ApiError("not-found", f"{text}: expected a number.")
    return int(text)
