"""SQL for classification: nearby clicks, stored requests, and how far classification has progressed."""

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from msgspec import Struct

from shortener.store.database import Store
from shortener.store.sql_text import json_array

NEARBY_CLICK_COLUMNS = "seq, ts, link_id, issue_id, n, net, addr, recipient_token, agent_id, reason, evidence"
MAX_NEARBY_CLICKS = 70_000
"""Maximum number of clicks read before, between or after the clicks being classified.

It is enough for 300 a second in the widest window, which is four minutes long. If there are more, those
nearest in time are read."""
RECLASSIFY_PREFIX = "reclassify:"
"""Prefix of a key in ``meta`` that queues an issue for reclassification.

The value is the sequence number (seq) of the last click that was classified again."""


NearbyClickRow = tuple[int, int, int, int | None, int, str | None, str | None, str | None, int | None, str, int]
"""A stored click with the fields that detectors compare (``NEARBY_CLICK_COLUMNS``); ``ts`` is in ms."""


class HoneypotHitRow(NamedTuple):
    """Clicks on honeypot links that have equal fields, with the time of the first and the last of them.

    Times are milliseconds of UTC epoch.
    """

    first_at: int
    last_at: int
    net: str | None
    addr: str | None
    agent_id: int | None
    reason: str
    evidence: int
    """The evidence of these clicks, limited to the bits in the ``evidence_mask`` of the query."""


class StoredRequest(NamedTuple):
    """A stored click with the fields that the request rules read. User agent and headers are given by id."""

    seq: int
    ts: int
    domain: str
    method: str
    agent_id: int | None
    headers_id: int | None
    language: str
    net: str | None
    referrer: str


def clicks_after(store: Store, seq: int, *, limit: int) -> list[NearbyClickRow]:
    """Return at most ``limit`` clicks stored after ``seq``, in the order in which they were stored."""
    sql = f"select {NEARBY_CLICK_COLUMNS} from clicks where seq > ? order by seq limit ?"  # noqa: S608
    return store.execute(sql, (seq, limit)).fetchall()


def issue_clicks_after(
    store: Store, issue_id: int, seq: int, *, evidence_mask: int, limit: int
) -> list[NearbyClickRow]:
    """Return at most ``limit`` clicks after ``seq`` that belong to an issue or have a bit of ``evidence_mask``."""
    sql = f"""
        select {NEARBY_CLICK_COLUMNS} from clicks
        where seq > ? and (issue_id = ? or evidence & ? <> 0) order by seq limit ?
    """  # noqa: S608
    return store.execute(sql, (seq, issue_id, evidence_mask, limit)).fetchall()


class ReadWindow(Struct, frozen=True):
    """A time window in which to read clicks, around the clicks being classified.

    It reaches from ``since`` to ``until``; ``first_target_at`` and ``last_target_at`` are the times of the
    first and last click being classified. All times are milliseconds of UTC epoch.
    """

    first_target_at: int
    last_target_at: int
    since: int
    until: int


class NearbyClicks(NamedTuple):
    """Clicks of a window, and whether clicks are missing because there were too many."""

    rows: list[NearbyClickRow]
    truncated: bool


def anonymous_clicks(store: Store, window: ReadWindow) -> NearbyClicks:
    """Return the clicks of a window that have no recipient token.

    If there are too many, return those nearest in time to the clicks being classified.
    """
    return _nearest_clicks(store, "recipient_token is null", (), window)


def clicks_by_value(
    store: Store,
    column_name: Literal["addr", "recipient_token"],
    values: Iterable[str],
    window: ReadWindow,
    *,
    hour: int,
) -> NearbyClicks:
    """Return the clicks of a window in one hour that have one of ``values`` in a column.

    ``hour`` counts from 1970. If there are too many, return those nearest in time to the clicks being
    classified.
    """
    condition = f"ts / 3600000 = ? and {column_name} in (select value from json_each(?))"  # noqa: S608
    return _nearest_clicks(store, condition, (hour, json_array(values)), window)


def _nearest_clicks(store: Store, condition: str, values: tuple[int | str, ...], window: ReadWindow) -> NearbyClicks:
    """Return the clicks of a window that meet an SQL condition, whose parameters are ``values``.

    If there are more than MAX_NEARBY_CLICKS, return at most that many from each of three parts of the window:
    before, between and after the clicks being classified. Those nearest in time are preferred.
    """
    select = f"select {NEARBY_CLICK_COLUMNS} from clicks where"  # noqa: S608
    within = f"{condition} and ts between ? and ?"
    rows = store.execute(f"{select} {within}", (*values, window.since, window.until)).fetchmany(MAX_NEARBY_CLICKS + 1)
    if len(rows) <= MAX_NEARBY_CLICKS:
        return NearbyClicks(rows, False)
    parts = []
    for since, until, order in (
        (window.since, window.first_target_at - 1, "desc"),
        (window.first_target_at, window.last_target_at, "asc"),
        (window.last_target_at + 1, window.until, "asc"),
    ):
        nearest = f"select seq from clicks where {within} order by ts {order} limit ?"  # noqa: S608
        part = store.execute(f"{select} seq in ({nearest})", (*values, since, until, MAX_NEARBY_CLICKS))
        parts.append(part.fetchall())
    return NearbyClicks([row for part in parts for row in part], any(len(part) >= MAX_NEARBY_CLICKS for part in parts))


def clicks_from_networks(store: Store, networks: Iterable[str], *, since: int, until: int) -> Iterator[NearbyClickRow]:
    """Yield the clicks from these networks between ``since`` and ``until`` (milliseconds of UTC epoch)."""
    sql = f"""
        select {NEARBY_CLICK_COLUMNS} from clicks
        where ts between ? and ? and net in (select value from json_each(?))
    """  # noqa: S608
    return store.execute(sql, (since, until, json_array(networks)))


def clicks_on_links(store: Store, link_ids: Iterable[int], *, since: int, until: int) -> Iterator[NearbyClickRow]:
    """Yield the clicks on these links between ``since`` and ``until`` (milliseconds of UTC epoch)."""
    sql = f"""
        select {NEARBY_CLICK_COLUMNS} from clicks
        where link_id in (select value from json_each(?)) and ts between ? and ?
    """  # noqa: S608
    return store.execute(sql, (json_array(link_ids), since, until))


def honeypot_hits(
    store: Store,
    link_ids: Iterable[int],
    *,
    since: int,
    until: int,
    below_seq: int,
    evidence_mask: int,
    machine_mask: int,
    interval_ms: int,
) -> Iterator[HoneypotHitRow]:
    """Yield the clicks on honeypot links between two times, in groups, without those with a recipient token.

    Times are in milliseconds. Only clicks stored before the sequence number ``below_seq`` count. The clicks
    of a group have the same network, address, user agent, reason, bits of ``evidence_mask`` and interval of
    ``interval_ms``. Clicks with a bit of ``machine_mask`` are grouped without regard to the user agent;
    ``agent_id`` is then None.
    """
    sql = """
        select min(ts), max(ts), net, addr, case when evidence & :machine_mask = 0 then agent_id end as agent, reason,
            evidence & :evidence_mask
        from clicks
        where link_id in (select value from json_each(:links)) and ts between :since and :until
            and recipient_token is null and seq < :below_seq
        group by net, addr, agent, reason, evidence & :evidence_mask, ts / :interval_ms
    """
    values = {
        "links": json_array(link_ids),
        "since": since,
        "until": until,
        "below_seq": below_seq,
        "evidence_mask": evidence_mask,
    }
    return map(
        HoneypotHitRow._make,
        store.execute(sql, values | {"machine_mask": machine_mask, "interval_ms": interval_ms}),
    )


def click_by_id(store: Store, click_id: str) -> NearbyClickRow | None:
    """Return the click with this id, or None."""
    sql = f"select {NEARBY_CLICK_COLUMNS} from clicks where id = ?"  # noqa: S608
    row: NearbyClickRow | None = store.execute(sql, (click_id,)).fetchone()
    return row


def stored_requests(store: Store, seqs: Iterable[int]) -> Iterator[StoredRequest]:
    """Yield the requests of the stored clicks with these sequence numbers (seq)."""
    sql = """
        select clicks.seq, clicks.ts, links.domain, clicks.method, clicks.agent_id, clicks.headers_id,
               clicks.language, clicks.net, clicks.referrer
        from clicks join links on links.id = clicks.link_id
        where clicks.seq in (select value from json_each(?))
    """
    return map(StoredRequest._make, store.execute(sql, (json_array(seqs),)))


def user_agent_text(store: Store, agent_id: int) -> str:
    """Return the text of the user agent with this id."""
    return str(store.value("select ua from user_agents where id = ?", (agent_id,)))


def headers_text(store: Store, headers_id: int) -> str:
    """Return the request headers with this id, as JSON."""
    return str(store.value("select h from headers where id = ?", (headers_id,)))


def first_seq_since(store: Store, ts: int) -> int | None:
    """Return the smallest seq of clicks at or after ``ts`` (milliseconds of UTC epoch), or None."""
    seq = store.value("select min(seq) from clicks where ts >= ?", (ts,))
    return None if seq is None else int(seq)


def count_from_seq(store: Store, seq: int) -> int:
    """Return the number of stored clicks with this seq or a higher one."""
    return int(store.value("select count(*) from clicks where seq >= ?", (seq,)))


def set_rules_version(store: Store, rules_version: int, *, first_seq: int, last_seq: int) -> None:
    """Record which version of the rules classified the clicks between two sequence numbers (seq)."""
    store.execute(
        "update clicks set rules_version = ? where seq between ? and ? and rules_version <> ?",
        (rules_version, first_seq, last_seq, rules_version),
    )


def honeypot_link_ids(store: Store) -> set[int]:
    """Return the ids of all honeypot links."""
    return {row[0] for row in store.execute("select id from links where honeypot = 1")}


def issue_contexts(store: Store) -> dict[int, tuple[int | None, int]]:
    """Return the sending time (milliseconds, or None) and the number of links of each issue, by issue id."""
    sql = """
        select issues.id, issues.sent_at * 1000, count(distinct placements.link_id)
        from issues left join placements on placements.issue_id = issues.id group by issues.id
    """
    return {row[0]: (row[1], row[2]) for row in store.execute(sql)}


def slugs_by_issue(store: Store) -> dict[int, str]:
    """Return the slugs of all issues, by issue id."""
    return dict(store.execute("select id, slug from issues").fetchall())


def set_meta(store: Store, name: str, value: int) -> None:
    """Set a key of the table ``meta``."""
    store.execute(
        "insert into meta (name, value) values (?, ?) on conflict (name) do update set value = excluded.value",
        (name, value),
    )


def delete_meta(store: Store, name: str) -> None:
    """Delete a key of the table ``meta``."""
    store.execute("delete from meta where name = ?", (name,))


def queued_issues(store: Store) -> dict[int, int]:
    """Return the issues queued for reclassification, each with the seq of its last click classified again."""
    rows = store.execute("select name, value from meta where name glob ?", (RECLASSIFY_PREFIX + "*",))
    return {int(name.removeprefix(RECLASSIFY_PREFIX)): value for name, value in rows}
