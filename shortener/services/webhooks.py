"""Management of webhook endpoints, and the signed message of an event (Standard Webhooks 1.0.0).

The specification is at https://www.standardwebhooks.com.
"""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from shortener.config import Config
from shortener.durations import DAY_SECONDS
from shortener.errors import Conflict, InputError, TargetRefused
from shortener.messages import Message, mark_text
from shortener.reporting.counts import to_datetime, to_datetime_or_none
from shortener.short_urls import build_short_url
from shortener.store import Store
from shortener.store import webhooks as webhook_store
from shortener.store.webhooks import DeliveryItem, DeliveryState, Event, Webhook
from shortener.urls import canonicalize_target

EventType = Literal[
    "link.created",
    "link.updated",
    "link.retired",
    "issue.added",
    "issue.milestone",
    "clicks.counted",
    "traffic.machine_burst",
]
EVENT_TYPES: dict[EventType, str] = {
    "link.created": mark_text("a short link was created"),
    "link.updated": mark_text("a field of a short link was changed"),
    "link.retired": mark_text("a short link was retired"),
    "issue.added": mark_text("an issue was added"),
    "issue.milestone": mark_text("an issue was sent 1 hour, 1 day, 3 days or 7 days ago"),
    "clicks.counted": mark_text("clicks were counted, at most once a minute"),
    "traffic.machine_burst": mark_text("many automated requests for the links of an issue"),
}
"""Types of events that an endpoint can receive, with descriptions. Every endpoint also receives its own tests."""
TEST_EVENT = "webhook.test"
SECRET_PREFIX = "whsec_"  # noqa: S105
SECRET_BYTES = 32
ROTATION_SECONDS = DAY_SECONDS
"""Time after a rotation during which messages are also signed with the previous secret."""
MAX_WEBHOOKS = 20
DEFAULT_PORTS = frozenset({443, 8443})
ENDPOINT_GONE = Message("it answered with 410, which means that it is no longer used")
NO_ANSWER = Message("no answer")
REDIRECT_NOT_FOLLOWED = Message("answered with a redirect, which is not followed")
ADDRESS_NOT_ALLOWED = Message("not sent: the URL leads to an address or port that is not allowed")
CERTIFICATE_NOT_VERIFIED = Message("the certificate of the endpoint cannot be verified")
_STORED_MESSAGES = (
    Message("disabled by an admin"),
    ENDPOINT_GONE,
    NO_ANSWER,
    REDIRECT_NOT_FOLLOWED,
    ADDRESS_NOT_ALLOWED,
    CERTIFICATE_NOT_VERIFIED,
)


class WebhookSummary(Struct, frozen=True):
    """The data of a webhook that pages and the API show."""

    id: int
    url: str
    events: tuple[EventType, ...]
    """The types of events that it receives; empty for all types."""
    enabled: bool
    disabled_reason: str | None
    created_at: datetime
    old_secret_until: datetime | None
    """The end of the time in which the previous secret signs messages too; None without a previous secret."""


class DeliverySummary(Struct, frozen=True):
    """The delivery of an event to a webhook, as pages and the API show it."""

    id: int
    event_id: str
    type: str
    created_at: datetime
    state: DeliveryState
    attempts: int
    tried_at: datetime | None
    next_at: datetime | None
    """The time of the next attempt; None if there is none."""
    http_status: int | None
    message: str


def summarize(webhook: Webhook, *, now: int) -> WebhookSummary:
    """Return the data of a webhook that pages and the API show: all but its secrets, with times as datetimes."""
    chosen = webhook.events.split()
    return WebhookSummary(
        id=webhook.id,
        url=webhook.url,
        events=tuple(event_type for event_type in EVENT_TYPES if event_type in chosen),
        enabled=webhook.disabled_at is None,
        disabled_reason=_message_from_stored_text(webhook.disabled_reason) if webhook.disabled_reason else None,
        created_at=to_datetime(webhook.created_at),
        old_secret_until=to_datetime(webhook.old_secret_until) if now < webhook.old_secret_until else None,
    )


def summarize_delivery(item: DeliveryItem) -> DeliverySummary:
    """Return the data of a delivery that pages and the API show, with times as datetimes."""
    delivery = item.delivery
    return DeliverySummary(
        id=delivery.id,
        event_id=item.event.id,
        type=item.event.type,
        created_at=to_datetime(item.event.at),
        state=delivery.state,
        attempts=delivery.attempts,
        tried_at=to_datetime_or_none(delivery.tried_at),
        next_at=to_datetime(delivery.next_at) if delivery.state == "waiting" else None,
        http_status=delivery.http_status,
        message=_message_from_stored_text(delivery.message),
    )


def add_webhook(
    store: Store,
    url: str,
    *,
    events: Iterable[str] = (),  # empty for all types
    config: Config,
    now: int,
) -> Webhook:
    """Add a webhook for events of the given types, and return it.

    Raises InputError, and Conflict if there are too many webhooks.
    """
    url, event_types = validate_url(url, config=config), _join_event_types(events)
    with store.transaction():
        if len(webhook_store.list_all(store)) >= MAX_WEBHOOKS:
            raise Conflict(Message("there are {limit} webhooks already; delete one first", limit=MAX_WEBHOOKS))
        webhook_id = webhook_store.add(store, url, events=event_types, secret=_new_secret(), now=now)
        return webhook_store.get(store, webhook_id)


def update_webhook(
    store: Store,
    webhook_id: int,
    *,
    config: Config,
    now: int,
    url: str | None = None,
    events: Iterable[str] | None = None,
    enabled: bool | None = None,
) -> Webhook:
    """Change the given fields of a webhook and return it. Raises NotFound, InputError."""
    fields: dict[str, str | int | None] = {}
    if url is not None:
        fields["url"] = validate_url(url, config=config)
    if events is not None:
        fields["events"] = _join_event_types(events)
    with store.transaction():
        webhook = webhook_store.get(store, webhook_id)
        if enabled is True:
            fields |= {"disabled_at": None, "disabled_reason": ""}
        elif enabled is False and webhook.disabled_at is None:
            disable(store, webhook_id, reason=webhook_store.DISABLED_BY_ADMIN, now=now)
        webhook_store.update(store, webhook_id, now=now, **fields)
        return webhook_store.get(store, webhook_id)


def attempts_failed(count: int) -> Message:
    """Return the reason why an endpoint was disabled: all ``count`` attempts of a delivery have failed."""
    return Message("{count} attempts to deliver a message have failed", count=count)


def no_answer_within(seconds: float) -> Message:
    """Return the message about an attempt that was not answered within ``seconds``."""
    return Message("no answer within {seconds} seconds", seconds=format(seconds, "g"))


def webhook_disabled(reason: str) -> Message:
    """Return the message about a delivery that was still waiting when its endpoint was disabled for ``reason``."""
    return Message("the webhook was disabled: {reason}", reason=reason)


def _message_from_stored_text(text: str) -> str:
    failed = re.fullmatch(r"(\d{1,3}) attempts to deliver a message have failed", text)
    if failed:
        return attempts_failed(int(failed[1]))
    late = re.fullmatch(r"no answer within (\d{1,5}(?:\.\d{1,5})?) seconds", text)
    if late:
        return no_answer_within(float(late[1]))
    reason = text.removeprefix(str(webhook_disabled("")))
    if reason != text:
        return webhook_disabled(_message_from_stored_text(reason))
    # A text of unknown wording is shown without translation.
    return next((message for message in _STORED_MESSAGES if message == text), text)


def disable(store: Store, webhook_id: int, *, reason: str, now: int) -> None:
    """Disable an endpoint, and mark its waiting deliveries as failed. Call it inside a transaction."""
    webhook_store.update(store, webhook_id, now=now, disabled_at=now, disabled_reason=str(reason))
    webhook_store.fail_waiting_deliveries(store, webhook_id, message=str(webhook_disabled(reason)))


def delete_webhook(store: Store, webhook_id: int) -> None:
    """Delete an endpoint with its deliveries. Raises NotFound."""
    with store.transaction():
        webhook_store.get(store, webhook_id)
        webhook_store.delete(store, webhook_id)


def rotate_secret(store: Store, webhook_id: int, *, now: int) -> Webhook:
    """Give an endpoint a new secret.

    For ROTATION_SECONDS, the previous secret signs messages as well. Raises NotFound.
    """
    with store.transaction():
        webhook = webhook_store.get(store, webhook_id)
        webhook_store.update(
            store,
            webhook_id,
            now=now,
            secret=_new_secret(),
            old_secret=webhook.secret,
            old_secret_until=now + ROTATION_SECONDS,
        )
        return webhook_store.get(store, webhook_id)


def send_test(store: Store, webhook_id: int, *, now: int) -> int:
    """Queue a test event for an endpoint and return the id of its delivery.

    Raises NotFound, and Conflict if the endpoint is disabled.
    """
    with store.transaction():
        _require_enabled(store, webhook_id)
        return webhook_store.record_event_for(store, webhook_id, TEST_EVENT, {"webhook": webhook_id}, now=now)


def retry_delivery(store: Store, webhook_id: int, delivery_id: int, *, now: int) -> None:
    """Queue a delivery again with the same message id. Raises NotFound, and Conflict if the endpoint is disabled."""
    with store.transaction():
        _require_enabled(store, webhook_id)
        webhook_store.get_delivery(store, webhook_id, delivery_id)
        webhook_store.update_delivery(store, delivery_id, state="waiting", attempts=0, next_at=now)


def _require_enabled(store: Store, webhook_id: int) -> None:
    if webhook_store.get(store, webhook_id).disabled_at is not None:
        raise Conflict(Message("the webhook is disabled; enable it first"))


def validate_url(raw: str, *, config: Config) -> str:
    """Return the URL of an endpoint in canonical form. Raises InputError if the configuration does not allow it."""
    try:
        url = canonicalize_target(raw)
        parts = urlsplit(url)
    except TargetRefused as refused:
        raise InputError(str(refused)) from None
    if parts.scheme != "https" and not config.webhooks.allow_http:
        raise InputError(Message("{url}: the URL of a webhook must begin with https://", url=url))
    if port_of(url) not in allowed_ports(config):
        ports = ", ".join(map(str, sorted(allowed_ports(config))))
        raise InputError(
            Message(
                "{url}: port {port} is not allowed; expected one of {ports}",
                url=url,
                port=port_of(url),
                ports=ports,
            )
        )
    return url.partition("#")[0]


def allowed_ports(config: Config) -> frozenset[int]:
    """Return the ports that the URL of an endpoint may have."""
    http_ports = {80} if config.webhooks.allow_http else set()
    return DEFAULT_PORTS | http_ports | set(config.webhooks.ports)


def port_of(url: str) -> int:
    """Return the port of a canonical URL. If the URL names no port, return the default port of its scheme."""
    parts = urlsplit(url)
    return parts.port or (443 if parts.scheme == "https" else 80)


def _join_event_types(events: Iterable[str]) -> str:
    chosen = set(events)
    for event_type in chosen - EVENT_TYPES.keys():
        raise InputError(
            Message(
                "{event_type}: unknown event; expected one of {names}",
                event_type=event_type,
                names=", ".join(EVENT_TYPES),
            )
        )
    return " ".join(event_type for event_type in EVENT_TYPES if event_type in chosen)


def _new_secret() -> str:
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def build_body(event: Event, *, config: Config) -> bytes:
    """Return the body of the message about an event. All attempts to deliver the message send the same body."""
    data: dict[str, Any] = msgspec.json.decode(event.data)
    if "code" in data:
        short_url = build_short_url(data["domain"], data["code"], domains=config.domains)
        data = {"short_url": short_url, **data}
    return msgspec.json.encode({"type": event.type, "timestamp": to_datetime(event.at), "data": data})


def sign(webhook: Webhook, event_id: str, body: bytes, *, now: int) -> dict[str, str]:
    """Return the headers that sign the message ``body`` about an event. ``now`` is in seconds of the UTC epoch."""
    text = f"{event_id}.{now}.".encode() + body
    keys = [webhook.secret, *([webhook.old_secret] if now < webhook.old_secret_until else [])]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(now),
        "webhook-signature": " ".join(_signature(key, text) for key in keys),
    }


def _signature(secret: str, text: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    return "v1," + base64.b64encode(hmac.digest(key, text, hashlib.sha256)).decode()
