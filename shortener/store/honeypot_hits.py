"""SQL for the table of honeypot hits: clicks on honeypot links, which readers do not see."""

from collections.abc import Iterable
from typing import NamedTuple

from shortener.durations import QUARTER_HOUR_SECONDS
from shortener.store.database import Store
from shortener.store.nearby_clicks import NEARBY_CLICK_COLUMNS, NearbyClickRow

_QUARTER_HOUR_MS = 1000 * QUARTER_HOUR_SECONDS
_HONEYPOT_LINKS = "select id from links where honeypot = 1"


class HoneypotHit(NamedTuple):
    """A group of similar clicks on honeypots (links hidden from readers) in one quarter-hour."""

    addr: str
    """'' if unknown."""
    net: str
    """'' if unknown."""
    agent_id: int
    """0 if the user agent is unknown, or if ``evidence`` marks the clicks as automated."""
    reason: str
    evidence: int
    """Only the bits that mark a click as automated."""
    first_at: int
    """Time of the first click, in milliseconds of the UTC epoch."""
    last_at: int
    """Time of the last click, in milliseconds of the UTC epoch."""


def hits_near(store: Store, values: Iterable[str], *, since: int, until: int) -> list[HoneypotHit]:
    """Return groups of clicks on honeypots (hidden links) that came from an address or network in ``values``.

    ``since`` and ``until`` are epoch milliseconds.
    """
    sql = f"""
        select {", ".join(HoneypotHit._fields)} from honeypot_hits
        where quarter_hour between :first and :last and (addr in :values or net in :values)
    """  # noqa: S608
    # The time is extended to whole quarter-hours.
    periods = {"first": _quarter_hour_start_seconds(since), "last": _quarter_hour_start_seconds(until)}
    return [HoneypotHit._make(row) for row in store.execute(sql, {"values": list(values), **periods})]


def clicks_near(store: Store, values: Iterable[str], *, since: int, until: int) -> list[NearbyClickRow]:
    """Return the clicks on honeypots (hidden links) that came from an address or network in ``values``.

    ``since`` and ``until`` are epoch milliseconds.
    """
    sql = f"""
        select {NEARBY_CLICK_COLUMNS} from clicks
        where link_id in ({_HONEYPOT_LINKS}) and ts >= :since and ts < :until and (addr in :values or net in :values)
    """  # noqa: S608
    return store.execute(sql, {"values": list(values), "since": since, "until": until}).fetchall()


def record(
    store: Store,
    *,
    first_seq: int,
    last_seq: int,
    machine_mask: int,  # the bits of ``evidence`` that mark a click as automated
) -> None:
    """Add clicks on honeypots (links hidden from readers) to the table of hits.

    ``first_seq`` and ``last_seq`` are sequence numbers of clicks.
    """
    # The plus sign keeps SQLite from reading all clicks on the links.
    _insert_hits(store, f"seq between ? and ? and +link_id in ({_HONEYPOT_LINKS})", (first_seq, last_seq), machine_mask)


def record_again(
    store: Store,
    *,
    first_at: int,
    last_at: int,
    machine_mask: int,  # the bits of ``evidence`` that mark a click as automated
) -> None:
    """Compute the honeypot hits (clicks on hidden links) of a period again.

    ``first_at`` and ``last_at`` are epoch milliseconds.
    """
    # The period is extended to whole quarter-hours.
    first, last = _quarter_hour_start_seconds(first_at), _quarter_hour_start_seconds(last_at)
    store.execute("delete from honeypot_hits where quarter_hour between ? and ?", (first, last))
    condition = f"""
        link_id in ({_HONEYPOT_LINKS}) and ts >= ? and ts < ?
        and seq <= (select value from meta where name = 'classified_seq')
    """  # noqa: S608
    _insert_hits(store, condition, (1000 * first, 1000 * last + _QUARTER_HOUR_MS), machine_mask)


def _insert_hits(store: Store, condition: str, bounds: tuple[int, int], machine_mask: int) -> None:
    # Clicks that the classification rules treat alike are combined, so that the table stays small in a flood of clicks.
    # A program's click is stored without its user agent, because it affects clicks with any user agent. Clicks with a
    # recipient token are left out: few have the same token, so they need no table.
    sql = f"""
        insert into honeypot_hits (quarter_hour, {", ".join(HoneypotHit._fields)})
        select ts / {_QUARTER_HOUR_MS} * {QUARTER_HOUR_SECONDS}, coalesce(addr, ''), coalesce(net, ''),
            case when evidence & {machine_mask} = 0 then coalesce(agent_id, 0) else 0 end, reason,
            evidence & {machine_mask}, min(ts), max(ts)
        from clicks
        where {condition} and recipient_token is null and verdict not in ('preview', 'prefetch')
        group by 1, 2, 3, 4, 5, 6
        on conflict (quarter_hour, addr, net, agent_id, reason, evidence) do update set
            first_at = case when excluded.first_at < honeypot_hits.first_at
                            then excluded.first_at else honeypot_hits.first_at end,
            last_at = case when excluded.last_at > honeypot_hits.last_at
                           then excluded.last_at else honeypot_hits.last_at end
    """  # noqa: S608
    store.execute(sql, bounds)


def _quarter_hour_start_seconds(milliseconds: int) -> int:
    return milliseconds // _QUARTER_HOUR_MS * QUARTER_HOUR_SECONDS
