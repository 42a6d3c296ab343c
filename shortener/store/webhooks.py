"""SQL for webhooks: endpoints, events, and the delivery of each event to each endpoint."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct

from shortener.errors import NotFound
from shortener.messages import Message
from shortener.store.database import Reader, Store
from shortener.store.sql_text import column_list

DISABLED_BY_ADMIN = "disabled by an admin"
"""Reason of an endpoint that has not failed."""
DeliveryState = Literal["waiting", "sent", "failed"]


class Webhook(Struct, frozen=True):
    """An endpoint that receives events. Times are seconds of the UTC epoch."""

    id: int
    url: str
    events: str
    """Types that the endpoint receives, separated by spaces; '' means all."""
    secret: str
    old_secret: str
    """Secret with which messages are also signed until ``old_secret_until``."""
    old_secret_until: int
    disabled_at: int | None
    disabled_reason: str
    created_at: int
    updated_at: int


class Event(Struct, frozen=True):
    """An event to report to endpoints, such as a new link. It happened at ``at`` (seconds of the UTC epoch).

    ``data`` is a JSON object.
    """

    id: str
    type: str
    at: int
    data: str


class Delivery(Struct, frozen=True):
    """The delivery of one event to one endpoint. Times are seconds of the UTC epoch."""

    id: int
    webhook_id: int
    event_id: str
    state: DeliveryState
    attempts: int
    next_at: int
    """Time of the next attempt, while the delivery is waiting."""
    tried_at: int | None
    http_status: int | None
    """HTTP status of the last attempt."""
    message: str
    """Message of the last attempt."""


class DeliveryItem(Struct, frozen=True):
    """A delivery with its event."""

    delivery: Delivery
    event: Event


class DeliveryTotals(Struct, frozen=True):
    """Summary of the deliveries to an endpoint (a URL that receives events). Times are seconds of the UTC epoch."""

    webhook_id: int
    state: DeliveryState
    """State of the newest delivery."""
    tried_at: int | None
    """Time of the last attempt of the newest delivery."""
    waiting: int
    """Number of waiting deliveries."""
    attempts: int
    """Largest number of attempts of a waiting delivery; 0 if none is waiting."""
    next_at: int
    """Earliest time of a next attempt; 0 if no delivery is waiting."""


_WEBHOOK_COLUMNS = column_list(Webhook)
_DELIVERY_COLUMNS = column_list(Delivery, "webhook_deliveries")
_EVENT_COLUMNS = column_list(Event, "webhook_events")
_ITEM_SIZE = len(Delivery.__struct_fields__)
_SELECT_ITEMS = f"""
    select {_DELIVERY_COLUMNS}, {_EVENT_COLUMNS}
    from webhook_deliveries join webhook_events on webhook_events.id = event_id
"""  # noqa: S608
_SUBSCRIBED = "disabled_at is null and (events = '' or ' ' || events || ' ' like '% ' || ? || ' %')"


def add(store: Store, url: str, *, events: str, secret: str, now: int) -> int:
    """Add an endpoint and return its id."""
    sql = "insert into webhooks (url, events, secret, created_at, updated_at) values (?, ?, ?, ?, ?) returning id"
    return int(store.value(sql, (url, events, secret, now, now)))


def get(store: Store, webhook_id: int) -> Webhook:
    """Return the endpoint with this id. Raises NotFound."""
    row = store.execute(f"select {_WEBHOOK_COLUMNS} from webhooks where id = ?", (webhook_id,)).fetchone()  # noqa: S608
    if row is None:
        raise NotFound(Message("{webhook_id}: there is no such webhook", webhook_id=webhook_id))
    return Webhook(*row)


def list_all(store: Store) -> list[Webhook]:
    """Return all endpoints, the oldest first."""
    return [Webhook(*row) for row in store.execute(f"select {_WEBHOOK_COLUMNS} from webhooks order by id")]  # noqa: S608


def update(store: Store, webhook_id: int, *, now: int, **fields: str | int | None) -> None:
    """Set fields of an endpoint."""
    fields["updated_at"] = now
    assignments = ", ".join(f"{name} = ?" for name in fields)
    store.execute(f"update webhooks set {assignments} where id = ?", (*fields.values(), webhook_id))  # noqa: S608


def delete(store: Store, webhook_id: int) -> None:
    """Delete an endpoint with its deliveries."""
    store.execute("delete from webhooks where id = ?", (webhook_id,))


def is_subscribed(store: Store, event_type: str) -> bool:
    """Return whether any endpoint receives events of this type."""
    return store.value(f"select 1 from webhooks where {_SUBSCRIBED} limit 1", (event_type,)) is not None  # noqa: S608


def record_event(store: Store, event_type: str, data: Mapping[str, Any], *, now: int) -> None:
    """Store an event with its deliveries, if an endpoint receives events of this type.

    Call it inside the transaction of the change that the event reports.
    """
    # Then neither the change nor the event exists without the other.
    if is_subscribed(store, event_type):
        event_id = _add_event(store, event_type, data, now=now)
        store.execute(
            f"""
            insert into webhook_deliveries (webhook_id, event_id, next_at)
            select id, ?, ? from webhooks where {_SUBSCRIBED}
            """,  # noqa: S608
            (event_id, now, event_type),
        )


def record_event_for(store: Store, webhook_id: int, event_type: str, data: Mapping[str, Any], *, now: int) -> int:
    """Store an event for one endpoint, whatever types the endpoint receives. Return the delivery's id."""
    event_id = _add_event(store, event_type, data, now=now)
    sql = "insert into webhook_deliveries (webhook_id, event_id, next_at) values (?, ?, ?) returning id"
    return int(store.value(sql, (webhook_id, event_id, now)))


def _add_event(store: Store, event_type: str, data: Mapping[str, Any], *, now: int) -> str:
    event_id = f"msg_{secrets.token_hex(12)}"
    store.execute(
        "insert into webhook_events (id, type, at, data) values (?, ?, ?, ?)",
        (event_id, event_type, now, msgspec.json.encode(data).decode()),
    )
    return event_id


def due_deliveries(store: Store, *, now: int) -> list[DeliveryItem]:
    """Return the next due delivery of each enabled endpoint, in the order in which they became due."""
    sql = f"""
        {_SELECT_ITEMS} where webhook_deliveries.id in (
            select id from (
                select webhook_deliveries.id as id,
                       row_number() over (partition by webhook_id order by next_at, webhook_deliveries.id) as number
                from webhook_deliveries join webhooks on webhooks.id = webhook_id
                where state = 'waiting' and next_at <= ? and disabled_at is null
            ) as numbered where number = 1
        ) order by next_at, webhook_deliveries.id
    """  # noqa: S608
    return _items(store, sql, (now,))


def list_deliveries(store: Store, webhook_id: int, *, limit: int, before: int | None = None) -> list[DeliveryItem]:
    """Return at most ``limit`` deliveries of an endpoint, the newest first.

    With ``before``, only deliveries with a lower id are returned.
    """
    where, values = "webhook_id = ?", [webhook_id]
    if before is not None:
        where, values = f"{where} and webhook_deliveries.id < ?", [webhook_id, before]
    return _items(store, f"{_SELECT_ITEMS} where {where} order by webhook_deliveries.id desc limit ?", [*values, limit])


def sum_deliveries(store: Store) -> dict[int, DeliveryTotals]:
    """Return a summary of the deliveries to each endpoint, by its id. Endpoints without deliveries are left out."""
    sql = """
        select newest.webhook_id, newest.state, newest.tried_at, totals.waiting, totals.attempts, totals.next_at
        from webhook_deliveries as newest join (
            select max(id) as newest_id,
                   count(case when state = 'waiting' then 1 end) as waiting,
                   coalesce(max(case when state = 'waiting' then attempts end), 0) as attempts,
                   coalesce(min(case when state = 'waiting' then next_at end), 0) as next_at
            from webhook_deliveries group by webhook_id
        ) as totals on totals.newest_id = newest.id
    """
    all_totals = [DeliveryTotals(*row) for row in store.execute(sql)]
    return {totals.webhook_id: totals for totals in all_totals}


def get_delivery(store: Store, webhook_id: int, delivery_id: int) -> DeliveryItem:
    """Return a delivery of an endpoint. Raises NotFound."""
    items = _items(
        store, f"{_SELECT_ITEMS} where webhook_id = ? and webhook_deliveries.id = ?", (webhook_id, delivery_id)
    )
    if not items:
        raise NotFound(Message("{delivery_id}: the webhook has no such delivery", delivery_id=delivery_id))
    return items[0]


def _items(store: Store, sql: str, parameters: Sequence[int]) -> list[DeliveryItem]:
    rows = store.execute(sql, parameters)
    return [DeliveryItem(Delivery(*row[:_ITEM_SIZE]), Event(*row[_ITEM_SIZE:])) for row in rows]


def is_stored(store: Store, delivery: Delivery) -> bool:
    """Return whether a delivery still exists."""
    # If the delivery was deleted, a new one may have got its id.
    sql = "select 1 from webhook_deliveries where id = ? and webhook_id = ? and event_id = ?"
    return store.value(sql, (delivery.id, delivery.webhook_id, delivery.event_id)) is not None


def update_delivery(store: Store, delivery_id: int, **fields: str | int | None) -> None:
    """Set fields of a delivery."""
    assignments = ", ".join(f"{name} = ?" for name in fields)
    store.execute(
        f"update webhook_deliveries set {assignments} where id = ?",  # noqa: S608
        (*fields.values(), delivery_id),
    )


def delay_deliveries(store: Store, webhook_id: int, *, until: int) -> None:
    """Postpone waiting deliveries of an endpoint to ``until`` (seconds of the UTC epoch), unless they are due later."""
    store.execute(
        "update webhook_deliveries set next_at = ? where webhook_id = ? and state = 'waiting' and next_at < ?",
        (until, webhook_id, until),
    )


def fail_waiting_deliveries(store: Store, webhook_id: int, *, message: str) -> None:
    """Mark all waiting deliveries of an endpoint as failed."""
    store.execute(
        """
        update webhook_deliveries set state = 'failed', http_status = null, message = ?
        where webhook_id = ? and state = 'waiting'
        """,
        (message, webhook_id),
    )


def delete_events(store: Store, *, before: int) -> None:
    """Delete events from before a time (seconds of the UTC epoch) with their deliveries.

    An event with a waiting delivery is kept.
    """
    store.execute(
        """
        delete from webhook_events where at < ? and not exists
            (select 1 from webhook_deliveries where event_id = webhook_events.id and state = 'waiting')
        """,
        (before,),
    )


def count_failed(reader: Reader) -> int:
    """Return the number of endpoints that were disabled because deliveries failed."""
    sql = "select count(*) from webhooks where disabled_at is not null and disabled_reason <> ?"
    return int(reader.execute(sql, (DISABLED_BY_ADMIN,)).fetchone()[0])


class NewClicks(Struct, frozen=True):
    """Numbers of new clicks on a link, human (``clicks``) and ``automated``. ``issue`` is a slug."""

    domain: str
    code: str
    issue: str | None
    clicks: int
    automated: int


def new_clicks(store: Store, *, after_seq: int, until_seq: int) -> list[NewClicks]:
    """Return the numbers of clicks between two sequence numbers, by link and issue.

    ``until_seq`` is included, ``after_seq`` is not.
    """
    sql = """
        select links.domain, code, slug, human, total - human from (
            select link_id, issue_id, count(*) filter (where verdict = 'human') as human, count(*) as total
            from clicks where seq > ? and seq <= ? group by link_id, issue_id
        ) as counted join links on links.id = link_id left join issues on issues.id = counted.issue_id
        order by human desc, total desc, link_id
    """
    return [NewClicks(*row) for row in store.execute(sql, (after_seq, until_seq))]


class IssueRequests(Struct, frozen=True):
    """Numbers of requests for the links of an issue, by verdict."""

    issue_id: int
    slug: str
    human: int
    bot: int
    scanner: int
    preview: int
    prefetch: int


def issue_requests(store: Store, *, since: int) -> list[IssueRequests]:
    """Return the numbers of requests for the links of each issue since a time.

    ``since`` (epoch seconds) begins a quarter-hour.
    """
    sql = """
        select issues.id, slug, sum(human), sum(bot), sum(scanner), sum(preview), sum(prefetch)
        from issues join clicks_by_issue on issue_id = issues.id
        where quarter_hour >= ? group by issues.id order by issues.id
    """
    return [IssueRequests(*row) for row in store.execute(sql, (since,))]
