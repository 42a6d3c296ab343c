"""SQL to classify clicks as human or automated.

``seq`` is a click's sequence number; clicks stored later have higher ones.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

from shortener.store.database import Store

NEARBY_CLICK_COLUMNS = "seq, ts, link_id, issue_id, n, net, addr, recipient_token, agent_id, reason, evidence"
# Enough for 290 clicks a second in the four minutes that are read before a new click.
MAX_NEARBY_CLICKS = 70_000
"""Maximum number of clicks from one query for nearby clicks; of more, those nearest in time are returned."""
RECLASSIFY_PREFIX = "reclassify:"
"""Prefix of a ``meta`` key that queues an issue for reclassification; the value is the last reclassified click."""


NearbyClickRow = tuple[int, int, int, int | None, int, str | None, str | None, str | None, int | None, str, int]
"""A stored click with the fields that detectors compare (``NEARBY_CLICK_COLUMNS``); ``ts`` is in milliseconds."""


class StoredRequest(NamedTuple):
    """The fields of a stored click that the classification rules read."""

    seq: int
    ts: int
    """Milliseconds of the UTC epoch."""
    domain: str
    method: str
    agent_id: int | None
    """Id of the user agent."""
    headers_id: int | None
    """Id of the request headers."""
    language: str
    net: str | None
    referrer: str


def clicks_after(store: Store, seq: int, *, limit: int) -> list[NearbyClickRow]:
    """Return at most ``limit`` clicks that were stored after the click ``seq``, in the order of storing."""
    sql = f"select {NEARBY_CLICK_COLUMNS} from clicks where seq > ? order by seq limit ?"  # noqa: S608
    return store.execute(sql, (seq, limit)).fetchall()


def issue_clicks_after(
    store: Store, issue_id: int, seq: int, *, evidence_mask: int, limit: int
) -> list[NearbyClickRow]:
    """Return an issue's clicks that were stored after the click ``seq``.

    Other issues' clicks are included if their ``evidence`` has a bit of ``evidence_mask``.
    """
    sql = f"""
        select {NEARBY_CLICK_COLUMNS} from clicks
        where seq > ? and (issue_id = ? or evidence & ? <> 0) order by seq limit ?
    """  # noqa: S608
    return store.execute(sql, (seq, issue_id, evidence_mask, limit)).fetchall()


def clicks_without_token(store: Store, *, since: int, until: int) -> list[NearbyClickRow]:
    """Return the clicks without a recipient token from ``since`` to just before ``until`` (epoch milliseconds).

    At most MAX_NEARBY_CLICKS are returned.
    """
    return _clicks_nearest_to_middle(store, "recipient_token is null", {}, since, until)


def clicks_by_value(
    store: Store,
    column_name: Literal["addr", "recipient_token"],
    values: Iterable[str],
    *,
    hour: int,  # hours since 1970
    since: int,
    until: int,
) -> list[NearbyClickRow]:
    """Return at most MAX_NEARBY_CLICKS clicks of one hour with one of ``values`` in ``column_name``.

    ``since`` and ``until`` (epoch milliseconds) limit the time further.
    """
    condition = f"ts / 3600000 = :hour and {column_name} in :values"
    return _clicks_nearest_to_middle(store, condition, {"hour": hour, "values": list(values)}, since, until)


def clicks_from_networks(store: Store, networks: Iterable[str], *, since: int, until: int) -> list[NearbyClickRow]:
    """Return these networks' clicks from ``since`` to just before ``until`` (milliseconds of the UTC epoch)."""
    sql = f"""
        select {NEARBY_CLICK_COLUMNS} from clicks where ts >= :since and ts < :until and net in :networks
    """  # noqa: S608
    return store.execute(sql, {"since": since, "until": until, "networks": list(networks)}).fetchall()


def _clicks_nearest_to_middle(
    store: Store, condition: str, values: dict[str, Any], since: int, until: int
) -> list[NearbyClickRow]:
    sql = f"select {NEARBY_CLICK_COLUMNS} from clicks where {condition} and ts >= :since and ts < :until"  # noqa: S608
    values = values | {"since": since, "until": until}
    rows = store.execute(sql, values).fetchmany(MAX_NEARBY_CLICKS + 1)
    # Of too many clicks, those nearest to the middle of the time range are returned.
    if len(rows) > MAX_NEARBY_CLICKS:
        values |= {"middle": (since + until) // 2, "limit": MAX_NEARBY_CLICKS}
        rows = store.execute(f"{sql} order by abs(ts - :middle) limit :limit", values).fetchall()
    return rows


def click_by_id(store: Store, click_id: str) -> NearbyClickRow | None:
    """Return the click with this id, or None."""
    sql = f"select {NEARBY_CLICK_COLUMNS} from clicks where id = ?"  # noqa: S608
    row: NearbyClickRow | None = store.execute(sql, (click_id,)).fetchone()
    return row


def stored_requests(store: Store, seqs: Iterable[int]) -> Iterator[StoredRequest]:
    """Yield the requests of the clicks with these sequence numbers."""
    sql = """
        select clicks.seq, clicks.ts, links.domain, clicks.method, clicks.agent_id, clicks.headers_id,
               clicks.language, clicks.net, clicks.referrer
        from clicks join links on links.id = clicks.link_id
        where clicks.seq in :seqs
    """
    return map(StoredRequest._make, store.execute(sql, {"seqs": list(seqs)}))


def user_agent_text(store: Store, agent_id: int) -> str:
    """Return the text of the user agent with this id."""
    return str(store.value("select ua from user_agents where id = ?", (agent_id,)))


def headers_text(store: Store, headers_id: int) -> str:
    """Return the request headers with this id, as JSON."""
    return str(store.value("select h from headers where id = ?", (headers_id,)))


def first_seq_since(store: Store, ts: int) -> int | None:
    """Return the lowest sequence number of the clicks since ``ts`` (milliseconds of the UTC epoch), or None."""
    seq = store.value("select min(seq) from clicks where ts >= ?", (ts,))
    return None if seq is None else int(seq)


def count_from_seq(store: Store, seq: int) -> int:
    """Return the number of stored clicks whose sequence number is ``seq`` or higher."""
    return int(store.value("select count(*) from clicks where seq >= ?", (seq,)))


def set_rules_version(store: Store, rules_version: int, *, first_seq: int, last_seq: int) -> None:
    """Record which version of the rules has classified the clicks from ``first_seq`` to ``last_seq``."""
    store.execute(
        "update clicks set rules_version = ? where seq between ? and ? and rules_version <> ?",
        (rules_version, first_seq, last_seq, rules_version),
    )


def honeypot_link_ids(store: Store) -> set[int]:
    """Return the ids of all honeypot links, which readers do not see."""
    return {row[0] for row in store.execute("select id from links where honeypot = 1")}


def issue_contexts(store: Store) -> dict[int, tuple[int | None, int]]:
    """Return (sending time, number of links) of each issue, by issue id.

    The time is milliseconds of the UTC epoch, or None if unknown.
    """
    sql = """
        select issues.id, issues.sent_at * 1000, count(distinct placements.link_id)
        from issues left join placements on placements.issue_id = issues.id group by issues.id
    """
    return {row[0]: (row[1], row[2]) for row in store.execute(sql)}


def slugs_by_issue(store: Store) -> dict[int, str]:
    """Return the slugs of all issues, by issue id."""
    return dict(store.execute("select id, slug from issues").fetchall())


def queue_reclassification(store: Store, issue_id: int) -> None:
    """Queue the clicks of an issue for reclassification.

    Call this when the sending time or the hidden link (honeypot) of the issue changes.
    """
    store.set_meta(f"{RECLASSIFY_PREFIX}{issue_id}", 0)


def queued_issues(store: Store) -> dict[int, int]:
    """Return the progress of the reclassification of queued issues, by issue id.

    The progress is the sequence number of the last reclassified click.
    """
    # The progress is 0 at first.
    rows = store.execute("select name, value from meta where name like ?", (RECLASSIFY_PREFIX + "%",))
    return {int(name.removeprefix(RECLASSIFY_PREFIX)): value for name, value in rows}
