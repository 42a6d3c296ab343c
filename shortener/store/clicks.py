"""SQL for clicks: what the collector writes in its transaction, and the sums that are kept of them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from sqlite_utils import Database

from shortener.store import nearby_clicks, rollups
from shortener.store.database import Store
from shortener.store.rollups import DAY_SECONDS as DAY_SECONDS
from shortener.store.rollups import HOUR_SECONDS as HOUR_SECONDS
from shortener.store.rollups import LinkBreakdownSums as LinkBreakdownSums
from shortener.store.rollups import LinkClickSums as LinkClickSums

FIRST_ON_PLACEMENT, FIRST_ON_LINK, FIRST_IN_ISSUE, FIRST_ON_SITE = 1, 2, 4, 8
"""Bits of ``clicks.first``: what the click is the first human visit of, by its visitor on its UTC day."""
MAX_SKIPS_PER_SEGMENT = 1000
"""Skipped lines that are remembered with their offset, a segment; the count goes on."""
MAX_MISSED_CODES_PER_DAY = 1000
"""Unknown codes that are remembered one by one, a day; a flood of random ones is summed up under ''."""


class Click(Struct, gc=False):
    """A click as it is stored; ``ts`` in milliseconds, None where nothing is known.

    ``n`` is the placement under which the click counts, 0 for none: what an issue places later moves no counted click.
    """

    id: str
    ts: int
    link_id: int
    n: int
    issue_id: int | None
    method: str
    status: int
    verdict: str
    reason: str
    rules_version: int
    evidence: int
    first_visits: int
    net: str | None
    addr: str | None
    visitor: str | None
    recipient_token: str | None
    agent_id: int | None
    headers_id: int | None
    referrer: str
    language: str
    country: str


_COLUMNS = Click.__struct_fields__
_COLUMN_LIST = ", ".join(_COLUMNS)
_INSERT = f"insert into clicks (seq, {_COLUMN_LIST}) values (?{', ?' * len(_COLUMNS)})"  # noqa: S608


def count_clicks(store: Store) -> int:
    """How many clicks are stored."""
    return int(store.value("select count(*) from clicks"))


def all_classified(store: Store) -> bool:
    """Whether every stored click has been judged by its neighbours, by all that is known now."""
    return last_seq(store) <= store.meta("classified_seq") and not nearby_clicks.queued_issues(store)


def stored_ids(store: Store, ids: Sequence[str]) -> set[str]:
    """Those of the ids that are stored already."""
    sql = "select id from clicks where id in (select value from json_each(?))"
    return {row[0] for row in store.execute(sql, (_json(ids),))}


def last_seq(store: Store) -> int:
    """The seq of the click that was stored last, 0 before the first."""
    return int(store.value("select coalesce(max(seq), 0) from clicks"))


def insert(store: Store, clicks: Mapping[int, Click]) -> None:
    """Store clicks whose ids are new, by the seq that each gets."""
    store.db.conn.executemany(
        _INSERT, ((seq, *msgspec.structs.astuple(click)) for seq, click in clicks.items())
    )


class ResolvedLink(Struct, frozen=True):
    """Where a click on a link belongs."""

    link_id: int
    issue_id: int | None
    issues_by_placement: dict[int, int]
    """The issue of each of the link's placements, by n."""
    honeypot: bool = False
    """Whether the link is its issue's hidden one."""


def resolve(store: Store, domain: str, code: str) -> ResolvedLink | None:
    """What a short link stands for, or None where there is no such link."""
    row = store.row("select id, issue_id, honeypot from links where domain = ? and code = ?", (domain, code))
    if row is None:
        return None
    placements = store.execute("select n, issue_id from placements where link_id = ?", (row["id"],))
    return ResolvedLink(row["id"], row["issue_id"], dict(placements.fetchall()), bool(row["honeypot"]))


def clicks_by_seq(store: Store, seqs: Iterable[int]) -> dict[int, Click]:
    """Stored clicks by their seq."""
    sql = f"select seq, {_COLUMN_LIST} from clicks where seq in (select value from json_each(?))"  # noqa: S608
    text = msgspec.json.encode(sorted(seqs)).decode()
    return {row[0]: Click(*row[1:]) for row in store.execute(sql, (text,))}


class StoredVisit(Struct, frozen=True, gc=False):
    """What first visits are decided by, of a stored human click."""

    seq: int
    id: str
    ts: int
    link_id: int
    n: int
    issue_id: int | None
    visitor: str
    first_visits: int
    verdict: str = "human"


def human_visits(store: Store, day: int, visitors: Iterable[str], *, first_only: bool) -> list[StoredVisit]:
    """The human clicks of visitors on a day (UTC days since 1970): all of them, or those that are a first visit."""
    sql = f"""
        select seq, id, ts, link_id, n, issue_id, visitor, first_visits from clicks
        where ts / 86400000 = ? and visitor in (select value from json_each(?))
            {"and first_visits > 0" if first_only else ""} and verdict = 'human'
    """  # noqa: S608
    return [StoredVisit(*row) for row in store.execute(sql, (day, _json(sorted(visitors))))]


def update_verdicts(store: Store, clicks: Mapping[int, Click]) -> None:
    """Write the verdict, the reason and the first visits of stored clicks anew, by seq."""
    store.db.conn.executemany(
        "update clicks set verdict = ?, reason = ?, rules_version = ?, evidence = ?, first_visits = ? where seq = ?",
        (
            (click.verdict, click.reason, click.rules_version, click.evidence, click.first_visits, seq)
            for seq, click in clicks.items()
        ),
    )


def find_user_agent(store: Store, ua: str) -> dict[str, Any] | None:
    """The stored reading of a user agent: id, browser, os, device."""
    return store.row("select id, browser, os, device from user_agents where ua = ?", (ua,))


def user_agent_by_id(store: Store, agent_id: int) -> dict[str, Any]:
    """A stored reading by its id."""
    return next(store.rows("select id, browser, os, device from user_agents where id = ?", (agent_id,)))


def add_user_agent(store: Store, ua: str, *, browser: str, os: str, device: str) -> int:
    """Store the reading of a user agent; its id."""
    sql = "insert into user_agents (ua, browser, os, device) values (?, ?, ?, ?) returning id"
    return int(store.execute(sql, (ua, browser, os, device)).fetchone()[0])


def get_or_add_headers(store: Store, headers_json: str) -> int:
    """The id under which this set of request headers (canonical JSON) is stored."""
    found = store.value("select id from headers where h = ?", (headers_json,))
    if found is None:
        found = store.execute("insert into headers (h) values (?) returning id", (headers_json,)).fetchone()[
            0
        ]
    return int(found)


def add_to_rollups(store: Store, clicks_by_link: LinkClickSums, breakdown_by_link: LinkBreakdownSums) -> None:
    """Add sums to the rollups; negative ones take away, and a row that comes to nothing is removed."""
    rollups.add_sums(store, clicks_by_link, breakdown_by_link)


def add_misses(store: Store, misses: dict[tuple[int, str, str, int], int]) -> None:
    """Add requests that led nowhere: (day, domain, code, status) → requests."""
    for (day, domain, code, status), requests in misses.items():
        known = store.value(
            "select 1 from misses where day = ? and domain = ? and code = ? and status = ?",
            (day, domain, code, status),
        )
        crowded = not known and status == 404 and _count_missed_codes(store, day) >= MAX_MISSED_CODES_PER_DAY
        store.execute(
            """
            insert into misses (day, domain, code, status, requests) values (?, ?, ?, ?, ?)
            on conflict (day, domain, code, status) do update set requests = requests + excluded.requests
            """,
            (day, domain, "" if crowded else code, status, requests),
        )


def _count_missed_codes(store: Store, day: int) -> int:
    return int(store.value("select count(*) from misses where day = ?", (day,)))


class SegmentPosition(Struct, frozen=True):
    """How far a segment has been drained."""

    position: int
    in_long_line: bool
    finished: bool


def segment_positions(store: Store) -> dict[str, SegmentPosition]:
    """The position of every segment that was ever read, by the segment's id."""
    rows = store.execute("select id, position, in_long_line, finished_at from segments")
    return {row[0]: SegmentPosition(row[1], bool(row[2]), row[3] is not None) for row in rows}


def read_positions(reader: Database) -> dict[str, int]:
    """How far each segment has been drained, in bytes by its id, over a connection that only reads."""
    return dict(reader.conn.execute("select id, position from segments").fetchall())


def read_verdict_counts(reader: Database) -> list[tuple[str, int]]:
    """(verdict, clicks) over all time, from the sums, over a connection that only reads."""
    sql = "select verdict, sum(clicks) from clicks_by_link group by verdict order by verdict"
    return [(str(verdict), int(clicks)) for verdict, clicks in reader.conn.execute(sql)]


def read_lines_drained(reader: Database) -> int:
    """Lines of the click log that were drained, over all time, over a connection that only reads."""
    row = reader.conn.execute("select value from meta where name = 'lines_drained'").fetchone()
    return int(row[0]) if row else 0


def segment_position(store: Store, segment_id: str) -> SegmentPosition:
    """The position of one segment; 0 for one that was never read."""
    row = store.execute(
        "select position, in_long_line, finished_at from segments where id = ?", (segment_id,)
    ).fetchone()
    return (
        SegmentPosition(row[0], bool(row[1]), row[2] is not None) if row else SegmentPosition(0, False, False)
    )


class UnfinishedSegment(Struct, frozen=True):
    """A segment that was not read to its end."""

    id: str
    name: str
    position: int


def unfinished_segments(store: Store, *, node: str) -> list[UnfinishedSegment]:
    """The segments that workers of a node wrote and nobody has read to the end yet."""
    sql = "select id, name, position from segments where finished_at is null and node = ? order by name"
    return [UnfinishedSegment(*row) for row in store.execute(sql, (node,))]


def advance_position(
    store: Store,
    segment_id: str,
    *,
    file_name: str,
    node: str,
    new_position: SegmentPosition,
    lines: int,
    skips: Sequence[tuple[int, str]],
    now: int,
) -> None:
    """Move a segment's position and keep account of the lines that were passed over."""
    store.execute(
        """
        insert into segments (id, name, node, position, lines, skipped, in_long_line, finished_at, updated_at)
        values (?, ?, ?, ?, ?, ?, ?, ?, ?)
        on conflict (id) do update set
            name = excluded.name, position = excluded.position, lines = lines + excluded.lines,
            skipped = skipped + excluded.skipped, in_long_line = excluded.in_long_line,
            finished_at = excluded.finished_at, updated_at = excluded.updated_at
        """,
        (
            segment_id,
            file_name,
            node,
            new_position.position,
            lines,
            len(skips),
            new_position.in_long_line,
            now if new_position.finished else None,
            now,
        ),
    )
    if lines:
        store.execute(
            "insert into meta (name, value) values ('lines_drained', ?) "
            "on conflict (name) do update set value = value + excluded.value",
            (lines,),
        )
    kept = store.value("select count(*) from skips where segment_id = ?", (segment_id,)) if skips else 0
    store.db.conn.executemany(
        "insert into skips (segment_id, byte_position, reason, at) values (?, ?, ?, ?) on conflict do nothing",
        (
            (segment_id, byte_position, reason, now)
            for byte_position, reason in skips[: max(0, MAX_SKIPS_PER_SEGMENT - kept)]
        ),
    )


def clear_rollups_of_stored_days(store: Store) -> None:
    """Remove the sums of all days whose clicks are still stored; those of purged days stay."""
    since = store.meta("purged_before")
    store.execute("delete from clicks_by_link where hour >= ?", (since,))
    store.execute("delete from breakdown_by_link where day >= ?", (since,))
    rollups.recompute_coarse_rollups(store)


def iterate_stored_clicks(store: Store) -> Iterator[Click]:
    """All stored clicks from kept days."""
    sql = f"select {_COLUMN_LIST} from clicks where ts >= ?"  # noqa: S608
    for row in store.execute(sql, (store.meta("purged_before") * 1000,)):
        yield Click(*row)


def delete_finished_segments(store: Store, *, before: int) -> None:
    """Forget finished segments whose files are gone for long (seconds of UTC epoch)."""
    store.execute("delete from skips where at < ?", (before,))
    store.execute("delete from segments where finished_at is not null and updated_at < ?", (before,))


def oldest_click_time(store: Store) -> int | None:
    """When the oldest stored click was made, in seconds of UTC epoch; None where there are no clicks."""
    ts = store.value("select min(ts) from clicks")
    return None if ts is None else int(ts) // 1000


def purge_clicks(store: Store, *, before: int, limit: int = 20_000) -> int:
    """Delete clicks from before a UTC day's start (seconds), some at a time; how many. Their sums stay."""
    with store.transaction():
        sql = "delete from clicks where seq in (select seq from clicks where ts < ? limit ?)"
        deleted = int(store.execute(sql, (before * 1000, limit)).rowcount)
        if deleted:
            store.execute("update meta set value = max(value, ?) where name = 'purged_before'", (before,))
            # A seq is given again once all above it are gone: what was judged must not stand above the next.
            store.execute(
                "update meta set value = min(value, (select coalesce(max(seq), 0) from clicks)) "
                "where name = 'classified_seq'"
            )
    return deleted


def delete_unreferenced(store: Store) -> None:
    """Delete user agents and request headers that no stored click has."""
    with store.transaction():
        for table, column in (("user_agents", "agent_id"), ("headers", "headers_id")):
            store.execute(
                f"delete from {table} where id not in "  # noqa: S608
                f"(select {column} from clicks where {column} is not null)"
            )


def _json(values: Iterable[str]) -> str:
    return msgspec.json.encode(list(values)).decode()
