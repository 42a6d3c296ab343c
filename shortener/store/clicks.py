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
from shortener.store.rollups import Daily as Daily
from shortener.store.rollups import Hourly as Hourly

FIRST_ON_PLACEMENT, FIRST_ON_LINK, FIRST_IN_ISSUE, FIRST_ON_SITE = 1, 2, 4, 8
"""Bits of ``clicks.first``: what the click is the first human visit of, by its visitor on its UTC day."""
MAX_SKIPS_KEPT = 1000
"""Skipped lines that are remembered with their offset, a segment; the count goes on."""
MAX_MISSED_CODES = 1000
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
    rules: int
    gaps: int
    first: int
    net: str | None
    addr: str | None
    visitor: str | None
    copy: str | None
    agent_id: int | None
    headers_id: int | None
    referrer: str
    language: str
    country: str


_COLUMNS = Click.__struct_fields__
_SELECTED = ", ".join(_COLUMNS)
_INSERT = f"insert into clicks (seq, {_SELECTED}) values (?{', ?' * len(_COLUMNS)})"  # noqa: S608


def count(store: Store) -> int:
    """How many clicks are stored."""
    return int(store.value("select count(*) from clicks"))


def all_judged(store: Store) -> bool:
    """Whether every stored click has been judged by its neighbours, by all that is known now."""
    return last_seq(store) <= store.fact("judged_seq") and not nearby_clicks.asked(store)


def known_ids(store: Store, ids: Sequence[str]) -> set[str]:
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


class Placed(Struct, frozen=True):
    """Where a click on a link belongs."""

    link_id: int
    issue_id: int | None
    placements: dict[int, int]
    """The issue of each of the link's placements, by n."""
    trap: bool = False
    """Whether the link is its issue's hidden one."""


def place(store: Store, domain: str, code: str) -> Placed | None:
    """What a short link stands for, or None where there is no such link."""
    row = store.row("select id, issue_id, trap from links where domain = ? and code = ?", (domain, code))
    if row is None:
        return None
    placements = store.execute("select n, issue_id from placements where link_id = ?", (row["id"],))
    return Placed(row["id"], row["issue_id"], dict(placements.fetchall()), bool(row["trap"]))


def by_seq(store: Store, seqs: Iterable[int]) -> dict[int, Click]:
    """Stored clicks by their seq."""
    sql = f"select seq, {_SELECTED} from clicks where seq in (select value from json_each(?))"  # noqa: S608
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
    first: int
    verdict: str = "human"


def visits(store: Store, day: int, visitors: Iterable[str], *, first_only: bool) -> list[StoredVisit]:
    """The human clicks of visitors on a day (UTC days since 1970): all of them, or those that are a first visit."""
    sql = f"""
        select seq, id, ts, link_id, n, issue_id, visitor, first from clicks
        where ts / 86400000 = ? and visitor in (select value from json_each(?))
            {"and first > 0" if first_only else ""} and verdict = 'human'
    """  # noqa: S608
    return [StoredVisit(*row) for row in store.execute(sql, (day, _json(sorted(visitors))))]


def rewrite(store: Store, clicks: Mapping[int, Click]) -> None:
    """Write the verdict, the reason and the first visits of stored clicks anew, by seq."""
    store.db.conn.executemany(
        "update clicks set verdict = ?, reason = ?, rules = ?, gaps = ?, first = ? where seq = ?",
        (
            (click.verdict, click.reason, click.rules, click.gaps, click.first, seq)
            for seq, click in clicks.items()
        ),
    )


def agent(store: Store, ua: str) -> dict[str, Any] | None:
    """The stored reading of a user agent: id, browser, os, device."""
    return store.row("select id, browser, os, device from agents where ua = ?", (ua,))


def agent_by_id(store: Store, agent_id: int) -> dict[str, Any]:
    """A stored reading by its id."""
    return next(store.rows("select id, browser, os, device from agents where id = ?", (agent_id,)))


def add_agent(store: Store, ua: str, *, browser: str, os: str, device: str) -> int:
    """Store the reading of a user agent; its id."""
    sql = "insert into agents (ua, browser, os, device) values (?, ?, ?, ?) returning id"
    return int(store.execute(sql, (ua, browser, os, device)).fetchone()[0])


def headers_id(store: Store, h: str) -> int:
    """The id under which this set of request headers (canonical JSON) is stored."""
    found = store.value("select id from headers where h = ?", (h,))
    if found is None:
        found = store.execute("insert into headers (h) values (?) returning id", (h,)).fetchone()[0]
    return int(found)


def add_to_rollups(store: Store, hourly: Hourly, daily: Daily) -> None:
    """Add sums to the rollups; negative ones take away, and a row that comes to nothing is removed."""
    rollups.add(store, hourly, daily)


def add_misses(store: Store, misses: dict[tuple[int, str, str, int], int]) -> None:
    """Add requests that led nowhere: (day, domain, code, status) → requests."""
    for (day, domain, code, status), requests in misses.items():
        known = store.value(
            "select 1 from misses where day = ? and domain = ? and code = ? and status = ?",
            (day, domain, code, status),
        )
        crowded = not known and status == 404 and _missed_codes(store, day) >= MAX_MISSED_CODES
        store.execute(
            """
            insert into misses (day, domain, code, status, requests) values (?, ?, ?, ?, ?)
            on conflict (day, domain, code, status) do update set requests = requests + excluded.requests
            """,
            (day, domain, "" if crowded else code, status, requests),
        )


def _missed_codes(store: Store, day: int) -> int:
    return int(store.value("select count(*) from misses where day = ?", (day,)))


class Position(Struct, frozen=True):
    """How far a segment has been drained."""

    position: int
    skipping: bool
    finished: bool


def positions(store: Store) -> dict[str, Position]:
    """The position of every segment that was ever read, by the segment's id."""
    rows = store.execute("select id, position, skipping, finished_at from segments")
    return {row[0]: Position(row[1], bool(row[2]), row[3] is not None) for row in rows}


def read_positions(reader: Database) -> dict[str, int]:
    """How far each segment has been drained, in bytes by its id, over a connection that only reads."""
    return dict(reader.conn.execute("select id, position from segments").fetchall())


def read_verdicts(reader: Database) -> list[tuple[str, int]]:
    """(verdict, clicks) over all time, from the sums, over a connection that only reads."""
    sql = "select verdict, sum(clicks) from hourly group by verdict order by verdict"
    return [(str(verdict), int(clicks)) for verdict, clicks in reader.conn.execute(sql)]


def read_lines_drained(reader: Database) -> int:
    """Lines of the click log that were drained, over all time, over a connection that only reads."""
    row = reader.conn.execute("select value from facts where name = 'lines_drained'").fetchone()
    return int(row[0]) if row else 0


def position(store: Store, segment: str) -> Position:
    """The position of one segment; 0 for one that was never read."""
    row = store.execute(
        "select position, skipping, finished_at from segments where id = ?", (segment,)
    ).fetchone()
    return Position(row[0], bool(row[1]), row[2] is not None) if row else Position(0, False, False)


class Unfinished(Struct, frozen=True):
    """A segment that was not read to its end."""

    id: str
    name: str
    position: int


def unfinished(store: Store, *, node: str) -> list[Unfinished]:
    """The segments that workers of a node wrote and nobody has read to the end yet."""
    sql = "select id, name, position from segments where finished_at is null and node = ? order by name"
    return [Unfinished(*row) for row in store.execute(sql, (node,))]


def move_position(
    store: Store,
    segment: str,
    *,
    name: str,
    node: str,
    to: Position,
    lines: int,
    skips: Sequence[tuple[int, str]],
    now: int,
) -> None:
    """Move a segment's position and keep account of the lines that were passed over."""
    store.execute(
        """
        insert into segments (id, name, node, position, lines, skipped, skipping, finished_at, updated_at)
        values (?, ?, ?, ?, ?, ?, ?, ?, ?)
        on conflict (id) do update set
            name = excluded.name, position = excluded.position, lines = lines + excluded.lines,
            skipped = skipped + excluded.skipped, skipping = excluded.skipping,
            finished_at = excluded.finished_at, updated_at = excluded.updated_at
        """,
        (segment, name, node, to.position, lines, len(skips), to.skipping, now if to.finished else None, now),
    )
    if lines:
        store.execute(
            "insert into facts (name, value) values ('lines_drained', ?) "
            "on conflict (name) do update set value = value + excluded.value",
            (lines,),
        )
    kept = store.value("select count(*) from skips where segment_id = ?", (segment,)) if skips else 0
    store.db.conn.executemany(
        "insert into skips (segment_id, offset, reason, at) values (?, ?, ?, ?) on conflict do nothing",
        ((segment, offset, reason, now) for offset, reason in skips[: max(0, MAX_SKIPS_KEPT - kept)]),
    )


def clear_rollups(store: Store) -> None:
    """Remove the sums of all days whose clicks are still stored; those of purged days stay."""
    since = store.fact("clicks_from")
    store.execute("delete from hourly where hour >= ?", (since,))
    store.execute("delete from daily where day >= ?", (since,))
    rollups.recompute(store)


def stored_clicks(store: Store) -> Iterator[Click]:
    """All stored clicks from kept days."""
    sql = f"select {_SELECTED} from clicks where ts >= ?"  # noqa: S608
    for row in store.execute(sql, (store.fact("clicks_from") * 1000,)):
        yield Click(*row)


def forget_segments(store: Store, *, before: int) -> None:
    """Forget finished segments whose files are gone for long (seconds of UTC epoch)."""
    store.execute("delete from skips where at < ?", (before,))
    store.execute("delete from segments where finished_at is not null and updated_at < ?", (before,))


def oldest(store: Store) -> int | None:
    """When the oldest stored click was made, in seconds of UTC epoch; None where there are no clicks."""
    ts = store.value("select min(ts) from clicks")
    return None if ts is None else int(ts) // 1000


def purge(store: Store, *, before: int, most: int = 20_000) -> int:
    """Delete clicks from before a UTC day's start (seconds), some at a time; how many. Their sums stay."""
    with store.writing():
        sql = "delete from clicks where seq in (select seq from clicks where ts < ? limit ?)"
        deleted = int(store.execute(sql, (before * 1000, most)).rowcount)
        if deleted:
            store.execute("update facts set value = max(value, ?) where name = 'clicks_from'", (before,))
            # A seq is given again once all above it are gone: what was judged must not stand above the next.
            store.execute(
                "update facts set value = min(value, (select coalesce(max(seq), 0) from clicks)) "
                "where name = 'judged_seq'"
            )
    return deleted


def forget_unused(store: Store) -> None:
    """Delete user agents and request headers that no stored click has."""
    with store.writing():
        for table, column in (("agents", "agent_id"), ("headers", "headers_id")):
            store.execute(
                f"delete from {table} where id not in "  # noqa: S608
                f"(select {column} from clicks where {column} is not null)"
            )


def _json(values: Iterable[str]) -> str:
    return msgspec.json.encode(list(values)).decode()
