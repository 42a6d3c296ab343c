"""SQL for judging clicks again: a click's neighbours, its request, and how far judging has come."""

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

import msgspec
from msgspec import Struct

from shortener.store.database import Store

NEARBY_CLICK_COLUMNS = "seq, ts, link_id, issue_id, n, net, addr, recipient_token, agent_id, reason, evidence"
MAX_NEARBY_CLICKS = 70_000
"""So many neighbours are read of one kind, and no more: three hundred a second for the widest look of four minutes.
What a flood of more than that holds is judged by those that are nearest in time."""
RECLASSIFY_PREFIX = "reclassify:"
"""How a fact begins that asks for an issue's clicks to be judged again; its value is the seq that was reached."""


NearbyClickRow = tuple[
    int, int, int, int | None, int, str | None, str | None, str | None, int | None, str, int
]
"""What the rules over sets of clicks need of a stored click, in the order of ``NEIGHBOUR``; ``ts`` in milliseconds."""


class HoneypotHitRow(NamedTuple):
    """Hits of hidden links that say the same: from the first to the last of them, milliseconds."""

    first_at: int
    last_at: int
    net: str | None
    addr: str | None
    agent_id: int | None
    reason: str
    evidence: int
    """The bits that were asked for."""


class StoredRequest(NamedTuple):
    """What the rules over one request need of a stored click, by the ids of its user agent and its headers."""

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
    """The clicks that were stored behind ``seq``, oldest first, so many at the most."""
    sql = f"select {NEARBY_CLICK_COLUMNS} from clicks where seq > ? order by seq limit ?"  # noqa: S608
    return store.execute(sql, (seq, limit)).fetchall()


def issue_clicks_after(
    store: Store, issue_id: int, seq: int, *, evidence_mask: int, limit: int
) -> list[NearbyClickRow]:
    """The same of an issue's clicks, and of those that show one of ``bits``, whatever they are on."""
    sql = f"""
        select {NEARBY_CLICK_COLUMNS} from clicks
        where seq > ? and (issue_id = ? or evidence & ? <> 0) order by seq limit ?
    """  # noqa: S608
    return store.execute(sql, (seq, issue_id, evidence_mask, limit)).fetchall()


class ReadWindow(Struct, frozen=True):
    """Clicks to read: those from ``since`` to ``until``, milliseconds, around the times from ``first`` to ``last``."""

    first_target_at: int
    last_target_at: int
    since: int
    until: int


class NearbyClicks(NamedTuple):
    """Clicks that were read, and whether there were more of them."""

    rows: list[NearbyClickRow]
    truncated: bool


def anonymous_clicks(store: Store, window: ReadWindow) -> NearbyClicks:
    """The clicks without a copy token; in a flood, those that are nearest."""
    return _nearest_clicks(store, "recipient_token is null", (), window)


def clicks_by_value(
    store: Store,
    column_name: Literal["addr", "recipient_token"],
    values: Iterable[str],
    window: ReadWindow,
    *,
    hour: int,
) -> NearbyClicks:
    """The clicks of an hour (hours since 1970) with one of these values in a column; in a flood, the nearest."""
    condition = f"ts / 3600000 = ? and {column_name} in (select value from json_each(?))"  # noqa: S608
    return _nearest_clicks(store, condition, (hour, _json(values)), window)


def _nearest_clicks(
    store: Store, condition: str, values: tuple[int | str, ...], window: ReadWindow
) -> NearbyClicks:
    """All clicks that meet a condition, or ``CROWD`` before, amid and behind the times that are looked around."""
    select = f"select {NEARBY_CLICK_COLUMNS} from clicks where"  # noqa: S608
    within = f"{condition} and ts between ? and ?"
    rows = store.execute(f"{select} {within}", (*values, window.since, window.until)).fetchmany(
        MAX_NEARBY_CLICKS + 1
    )
    if len(rows) <= MAX_NEARBY_CLICKS:
        return NearbyClicks(rows, False)
    parts = []
    for since, until, order in (
        (window.since, window.first_target_at - 1, "desc"),
        (window.first_target_at, window.last_target_at, "asc"),
        (window.last_target_at + 1, window.until, "asc"),
    ):
        nearest = f"select seq from clicks where {within} order by ts {order} limit ?"  # noqa: S608
        found = store.execute(f"{select} seq in ({nearest})", (*values, since, until, MAX_NEARBY_CLICKS))
        parts.append(found.fetchall())
    return NearbyClicks(
        [row for part in parts for row in part], any(len(part) >= MAX_NEARBY_CLICKS for part in parts)
    )


def clicks_from_networks(
    store: Store, networks: Iterable[str], *, since: int, until: int
) -> Iterator[NearbyClickRow]:
    """The clicks from these networks, from ``since`` to ``until``."""
    sql = f"""
        select {NEARBY_CLICK_COLUMNS} from clicks
        where ts between ? and ? and net in (select value from json_each(?))
    """  # noqa: S608
    return store.execute(sql, (since, until, _json(networks)))


def clicks_on_links(
    store: Store, link_ids: Iterable[int], *, since: int, until: int
) -> Iterator[NearbyClickRow]:
    """The clicks on these links, from ``since`` to ``until``, milliseconds."""
    sql = f"""
        select {NEARBY_CLICK_COLUMNS} from clicks
        where link_id in (select value from json_each(?)) and ts between ? and ?
    """  # noqa: S608
    return store.execute(sql, (_json(sorted(link_ids)), since, until))


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
    """The clicks without a copy token on these links with a seq ``below``, from ``since`` to ``until``.

    Those of one network, address, user agent, reason and ``bits`` within ``every`` milliseconds are one row. Of what
    shows one of the bits ``whoever`` the user agent does not matter, and is None.
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
        "links": _json(sorted(link_ids)),
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
    """One click by its id, or None."""
    sql = f"select {NEARBY_CLICK_COLUMNS} from clicks where id = ?"  # noqa: S608
    found: NearbyClickRow | None = store.execute(sql, (click_id,)).fetchone()
    return found


def stored_requests(store: Store, seqs: Iterable[int]) -> Iterator[StoredRequest]:
    """The requests of stored clicks."""
    sql = """
        select clicks.seq, clicks.ts, links.domain, clicks.method, clicks.agent_id, clicks.headers_id,
               clicks.language, clicks.net, clicks.referrer
        from clicks join links on links.id = clicks.link_id
        where clicks.seq in (select value from json_each(?))
    """
    return map(StoredRequest._make, store.execute(sql, (_json(seqs),)))


def user_agent_text(store: Store, agent_id: int) -> str:
    """The user agent of that id."""
    return str(store.value("select ua from user_agents where id = ?", (agent_id,)))


def headers_text(store: Store, headers_id: int) -> str:
    """The request headers of that id, as JSON."""
    return str(store.value("select h from headers where id = ?", (headers_id,)))


def first_seq_since(store: Store, ts: int) -> int | None:
    """The smallest seq of the clicks from ``ts`` (milliseconds) on, None where there is none."""
    found = store.value("select min(seq) from clicks where ts >= ?", (ts,))
    return None if found is None else int(found)


def count_from_seq(store: Store, seq: int) -> int:
    """How many clicks are stored from a seq on."""
    return int(store.value("select count(*) from clicks where seq >= ?", (seq,)))


def set_rules_version(store: Store, rules_version: int, *, first_seq: int, last_seq: int) -> None:
    """Say that the clicks from one seq to another have been judged by these rules."""
    store.execute(
        "update clicks set rules_version = ? where seq between ? and ? and rules_version <> ?",
        (rules_version, first_seq, last_seq, rules_version),
    )


def honeypot_link_ids(store: Store) -> set[int]:
    """The links that are some issue's hidden one."""
    return {row[0] for row in store.execute("select id from links where honeypot = 1")}


def issue_contexts(store: Store) -> dict[int, tuple[int | None, int]]:
    """When each issue was sent (milliseconds), and how many links it has."""
    sql = """
        select issues.id, issues.sent_at * 1000, count(distinct placements.link_id)
        from issues left join placements on placements.issue_id = issues.id group by issues.id
    """
    return {row[0]: (row[1], row[2]) for row in store.execute(sql)}


def slugs_by_issue(store: Store) -> dict[int, str]:
    """The slug of every issue, by its id."""
    return dict(store.execute("select id, slug from issues").fetchall())


def set_meta(store: Store, name: str, value: int) -> None:
    """Set one of the store's own numbers."""
    store.execute(
        "insert into meta (name, value) values (?, ?) on conflict (name) do update set value = excluded.value",
        (name, value),
    )


def delete_meta(store: Store, name: str) -> None:
    """Forget one of the store's own numbers."""
    store.execute("delete from meta where name = ?", (name,))


def queued_issues(store: Store) -> dict[int, int]:
    """The issues whose clicks are to be judged again, and the seq that each has reached."""
    found = store.execute(
        "select name, value from meta where name glob ?", (RECLASSIFY_PREFIX + "*",)
    ).fetchall()
    return {int(name.removeprefix(RECLASSIFY_PREFIX)): value for name, value in found}


def _json(values: Iterable[str] | Iterable[int]) -> str:
    return msgspec.json.encode(list(values)).decode()
