"""SQL for clicks, their user agents and request headers, and misses.

A miss is a request that was answered with 404 or 410.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from shortener.durations import DAY_SECONDS
from shortener.store import nearby_clicks, rollups
from shortener.store.database import Reader, Store
from shortener.store.rollup_tables import VERDICTS
from shortener.store.sql_text import column_list

FIRST_ON_PLACEMENT, FIRST_ON_LINK, FIRST_IN_ISSUE, FIRST_ON_SITE = 1, 2, 4, 8
"""Bits of ``clicks.first_visits``: where a click is the visitor's first human click of the UTC day."""
MAX_MISSED_CODES_PER_DAY = 1000
"""Maximum number of unknown codes stored for a UTC day; misses of further codes are summed under the code ''."""


class Visit(Struct, gc=False):
    """A stored click, with the fields that are needed to find a visitor's first click of the day."""

    id: str
    ts: int
    """Milliseconds of the UTC epoch."""
    link_id: int
    n: int
    """Number of the placement (one use of a link in an issue); 0 if unknown."""
    issue_id: int | None
    verdict: str
    visitor: str | None
    first_visits: int
    """Bits ``FIRST_ON_PLACEMENT`` to ``FIRST_ON_SITE``: where the click is the visitor's first of the day."""


class Click(Visit, gc=False):
    """A stored click with all its fields. Unknown values are None or ''."""

    method: str
    status: int
    reason: str
    rules_version: int
    evidence: int
    """Bitmask of the signs by which the click was classified as human or automated."""
    net: str | None
    addr: str | None
    recipient_token: str | None
    agent_id: int | None
    headers_id: int | None
    referrer: str
    language: str
    country: str


_COLUMNS = column_list(Click)


def count_clicks(store: Store) -> int:
    """Return the number of stored clicks."""
    return int(store.value("select count(*) from clicks"))


def all_classified(store: Store) -> bool:
    """Return whether all clicks are classified as human or automated, and none are queued to be classified again."""
    # A click is classified once it was compared with nearby clicks.
    return last_seq(store) <= store.meta("classified_seq") and not nearby_clicks.queued_issues(store)


def stored_ids(store: Store, ids: Sequence[str]) -> set[str]:
    """Return which of these click ids are already stored."""
    return {row[0] for row in store.execute("select id from clicks where id in :ids", {"ids": ids})}


def last_seq(store: Store) -> int:
    """Return the sequence number (seq) of the last stored click, 0 if there is none."""
    return int(store.value("select coalesce(max(seq), 0) from clicks"))


def insert(store: Store, clicks: Mapping[int, Click]) -> None:
    """Insert new clicks into the store. The keys of ``clicks`` are their sequence numbers."""
    rows = ((seq, *msgspec.structs.astuple(click)) for seq, click in clicks.items())
    store.connection.insert_rows("clicks", ("seq", *Click.__struct_fields__), rows)


class ResolvedLink(Struct, frozen=True):
    """A short link with the issues that contain it."""

    link_id: int
    issue_id: int | None
    """Issue to which the link belongs; None if there is none. Other issues can contain the link too."""
    issues_by_placement: dict[int, int]
    """Placement number ``n`` → issue id."""
    honeypot: bool = False
    """Whether it is the honeypot link of its issue."""


def resolve(store: Store, domain: str, code: str) -> ResolvedLink | None:
    """Return the link with this domain and code together with its issues; None if there is no such link."""
    row = store.row("select id, issue_id, honeypot from links where domain = ? and code = ?", (domain, code))
    if row is None:
        return None
    placements = store.execute("select n, issue_id from placements where link_id = ?", (row["id"],))
    return ResolvedLink(row["id"], row["issue_id"], dict(placements.fetchall()), bool(row["honeypot"]))


def clicks_by_seq(store: Store, seqs: Iterable[int]) -> dict[int, Click]:
    """Return the stored clicks with these sequence numbers, keyed by sequence number."""
    sql = f"select seq, {_COLUMNS} from clicks where seq in :seqs"  # noqa: S608
    return {row[0]: Click(*row[1:]) for row in store.execute(sql, {"seqs": list(seqs)})}


VisitorDay = tuple[int, str]
"""(UTC day as days since 1970, visitor hash)."""


def visits_by_seq(store: Store, minimum_first_visits: Mapping[VisitorDay, int]) -> dict[int, Visit]:
    """Return the human clicks of given visitors on given days, by sequence number.

    In ``minimum_first_visits``, 0 selects all clicks, 1 only first visits.
    """
    sql = f"""
        select seq, {column_list(Visit)} from clicks
        where ts / 86400000 = :day and visitor in :visitors and first_visits >= :minimum and verdict = 'human'
    """  # noqa: S608
    visitors: dict[tuple[int, int], list[str]] = {}
    for (day, visitor), minimum in minimum_first_visits.items():
        visitors.setdefault((day, minimum), []).append(visitor)
    return {
        row[0]: Visit(*row[1:])
        for (day, minimum), hashes in visitors.items()
        for row in store.execute(sql, {"day": day, "visitors": hashes, "minimum": minimum})
    }


def update_verdicts(store: Store, clicks: Mapping[int, Click]) -> None:
    """Update the verdicts of stored clicks, and all other fields that classification sets.

    The keys of ``clicks`` are their sequence numbers.
    """
    store.connection.update_rows(
        "clicks",
        ("verdict", "reason", "rules_version", "evidence", "first_visits"),
        "seq",
        (
            (click.verdict, click.reason, click.rules_version, click.evidence, click.first_visits, seq)
            for seq, click in clicks.items()
        ),
    )


def find_user_agent(store: Store, ua: str) -> dict[str, Any] | None:
    """Return id, browser, os and device of a stored user agent, or None."""
    return store.row("select id, browser, os, device from user_agents where ua = ?", (ua,))


def user_agent_by_id(store: Store, agent_id: int) -> dict[str, Any]:
    """Return id, browser, os and device of the user agent with this id."""
    return next(store.rows("select id, browser, os, device from user_agents where id = ?", (agent_id,)))


def add_user_agent(store: Store, ua: str, *, browser: str, os: str, device: str) -> int:
    """Store a parsed user agent and return its id."""
    sql = "insert into user_agents (ua, browser, os, device) values (?, ?, ?, ?) returning id"
    return int(store.execute(sql, (ua, browser, os, device)).fetchone()[0])


def get_or_add_headers(store: Store, headers_json: str) -> int:
    """Return the id of request headers, given as canonical JSON. They are added if they are not stored yet."""
    headers_id = store.value("select id from headers where h = ?", (headers_json,))
    if headers_id is None:
        sql = "insert into headers (h) values (?) returning id"
        headers_id = store.execute(sql, (headers_json,)).fetchone()[0]
    return int(headers_id)


def add_misses(
    store: Store,
    misses: dict[tuple[int, str, str, int], int],  # a quarter-hour is given in seconds of the UTC epoch
) -> None:
    """Add to the stored numbers of requests that were answered with 404 or 410.

    A key of ``misses`` is (quarter-hour, domain, code, status).
    """
    codes_by_day = {day: _missed_codes(store, day) for day in {_utc_day(key[0]) for key in misses}}
    for (quarter_hour, domain, code, status), requests in misses.items():
        codes = codes_by_day[_utc_day(quarter_hour)]
        if status == 404 and (domain, code) not in codes and len(codes) >= MAX_MISSED_CODES_PER_DAY:
            code = ""
        codes.add((domain, code))
        store.execute(
            """
            insert into misses (quarter_hour, domain, code, status, requests) values (?, ?, ?, ?, ?)
            on conflict (quarter_hour, domain, code, status) do update set
                requests = misses.requests + excluded.requests
            """,
            (quarter_hour, domain, code, status, requests),
        )


def _utc_day(seconds: int) -> int:
    return seconds - seconds % DAY_SECONDS


def _missed_codes(store: Store, day: int) -> set[tuple[str, str]]:
    sql = "select distinct domain, code from misses where quarter_hour >= ? and quarter_hour < ?"
    return set(store.execute(sql, (day, day + DAY_SECONDS)))


def read_verdict_counts(reader: Reader) -> list[tuple[str, int]]:
    """Return (verdict, number of clicks) over all time, for each verdict that has clicks, such as "human" or "bot"."""
    sums = ", ".join(f"coalesce(sum({verdict}), 0)" for verdict in VERDICTS)
    row = reader.execute(f"select {sums} from totals_by_placement").fetchone()  # noqa: S608
    return sorted((verdict, clicks) for verdict, clicks in zip(VERDICTS, row, strict=True) if clicks)


def clear_rollups_of_stored_days(store: Store) -> None:
    """Delete the click counts of all days whose clicks are still stored."""
    # The counts of days whose clicks were deleted cannot be computed again, so they stay.
    since = store.meta("purged_before")
    store.execute("delete from clicks_by_link where quarter_hour >= ?", (since,))
    store.execute("delete from breakdown_by_link where day >= ?", (since,))
    rollups.recompute_coarse_rollups(store)


def iterate_stored_clicks(store: Store) -> Iterator[Click]:
    """Yield all stored clicks, except those of days that ``purge_clicks`` has begun to delete."""
    sql = f"select {_COLUMNS} from clicks where ts >= ?"  # noqa: S608
    for row in store.connection.stream(sql, (store.meta("purged_before") * 1000,)):
        yield Click(*row)


def oldest_click_time(store: Store) -> int | None:
    """Return the time of the oldest stored click in seconds of the UTC epoch, or None if there are no clicks."""
    ts = store.value("select min(ts) from clicks")
    return None if ts is None else int(ts) // 1000


def oldest_unclassified_time(store: Store) -> int | None:
    """Return the time of the oldest unclassified click in seconds of the UTC epoch; None if there is none."""
    ts = store.value("select min(ts) from clicks where seq > ?", (store.meta("classified_seq"),))
    return None if ts is None else int(ts) // 1000


def purge_clicks(store: Store, *, before: int, limit: int = 20_000) -> int:
    """Delete at most ``limit`` clicks older than ``before``, and return how many were deleted.

    ``before`` is midnight UTC in epoch seconds.
    """
    with store.transaction():
        sql = "delete from clicks where seq in (select seq from clicks where ts < ? limit ?)"
        deleted = int(store.execute(sql, (before * 1000, limit)).rowcount)
        if deleted:
            store.execute(
                "update meta set value = :before where name = 'purged_before' and value < :before", {"before": before}
            )
            store.execute("delete from honeypot_hits where quarter_hour < ?", (before,))
            # SQLite reuses a seq once all higher ones are deleted: classified_seq must not be above the next click.
            store.execute(
                "update meta set value = (select coalesce(max(seq), 0) from clicks) "
                "where name = 'classified_seq' and value > (select coalesce(max(seq), 0) from clicks)"
            )
    return deleted


def delete_unreferenced(store: Store) -> None:
    """Delete user agents and request headers that no stored click refers to."""
    with store.transaction():
        for table, column in (("user_agents", "agent_id"), ("headers", "headers_id")):
            store.execute(
                f"delete from {table} where id not in "  # noqa: S608
                f"(select {column} from clicks where {column} is not null)"
            )
