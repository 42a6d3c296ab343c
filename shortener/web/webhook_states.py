"""The states of webhooks: whether their messages arrive."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal

from msgspec import Struct

from shortener.reporting.counts import to_datetime, to_datetime_or_none
from shortener.store.webhooks import DISABLED_BY_ADMIN, DeliveryTotals, Webhook

StateName = Literal["disabled", "failed", "new", "sending", "late", "works"]


class WebhookState(Struct, frozen=True):
    """Whether the messages of a webhook arrive.

    ``name`` is the state. "disabled": an admin disabled the webhook. "failed": it was disabled because messages did not
    arrive. "new": it has no messages yet. "sending": the first attempt to send a message is to come. "late": a message
    has not arrived, despite at least one attempt. "works": the newest message arrived.
    """

    name: StateName
    tried_at: datetime | None = None
    """Time of the last attempt to send the newest message. None without an attempt, and if the webhook is disabled."""
    waiting: int = 0
    """Number of messages still to be sent; 0 if the webhook is disabled."""
    next_at: datetime | None = None
    """Time of the next attempt to send a message; None if no message is to be sent."""


def describe_states(webhooks: Iterable[Webhook], deliveries: Mapping[int, DeliveryTotals]) -> dict[int, WebhookState]:
    """Return the state of each webhook by its id."""
    return {webhook.id: _describe_state(webhook, deliveries.get(webhook.id)) for webhook in webhooks}


def _describe_state(webhook: Webhook, totals: DeliveryTotals | None) -> WebhookState:
    if webhook.disabled_at is not None:
        return WebhookState("disabled" if webhook.disabled_reason == DISABLED_BY_ADMIN else "failed")
    if totals is None:
        return WebhookState("new")
    return WebhookState(
        _state_name(totals),
        tried_at=to_datetime_or_none(totals.tried_at),
        waiting=totals.waiting,
        next_at=to_datetime(totals.next_at) if totals.waiting else None,
    )


def _state_name(totals: DeliveryTotals) -> StateName:
    if totals.attempts or totals.state == "failed":
        return "late"
    return "sending" if totals.waiting else "works"
