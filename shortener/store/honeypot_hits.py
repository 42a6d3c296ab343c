"""SQL for the table of honeypot hits: clicks on honeypot links, which readers do not see.

Hits in the same quarter-hour are combined in one row if the classification rules would treat them alike. So the table
stays small in a flood of clicks.
"""

from collections.abc import Iterable
from typing import NamedTuple

from shortener.durations import QUARTER_HOUR_SECONDS
from shortener.store.database import Store
from shortener.store.nearby_clicks import NEARBY_CLICK_COLUMNS, NearbyClickRow

_QUARTER_HOUR_MS = 1000 * QUARTER_HOUR_SECONDS
_HONEYPOT_LINKS = "select id from links where honeypot = 1"


class HoneypotHit(NamedTuple):
    """One row of the table of honeypot hits: clicks on honeypot links, which readers do not see.

    A row combines the clicks of a quarter-hour that have the same address, network, user agent, reason and evidence.
    ``first_at`` and ``last_at`` are the times of the first and the last of these clicks in milliseconds of the UTC
    epoch. Unknown values are '' or 0. If ``evidence`` shows that a program clicked, ``agent_id`` is 0.
    """

    addr: str
    net: str
    agent_id: int
    reason: str
    evidence: int
    first_at: int
    last_at: int


def hits_near(store: Store, values: Iterable[str], *, since: int, until: int) -> list[HoneypotHit]:
    """Return the rows of honeypot hits whose address or network is one of ``values``.

    A honeypot hit is a click on a link that readers do not see. The quarter-hours that contain ``since`` and ``until``
    (milliseconds of the UTC epoch) are included.
    """
    sql = f"""
        select {", ".join(HoneypotHit._fields)} from honeypot_hits
        where quarter_hour between :first and :last and (addr in :values or net in :values)
    """  # noqa: S608
    periods = {"first": _quarter_hour(since), "last": _quarter_hour(until)}
    return [HoneypotHit._make(row) for row in store.execute(sql, {"values": list(values), **periods})]


def clicks_near(store: Store, values: Iterable[str], *, since: int, until: int) -> list[NearbyClickRow]:
    """Return the clicks on honeypot links whose address or network is one of ``values``.

    Readers do not see honeypot links. The clicks are from ``since`` to just before ``until`` (milliseconds of the UTC
    epoch).
    """
    sql = f"""
        select {NEARBY_CLICK_COLUMNS} from clicks
        where link_id in ({_HONEYPOT_LINKS}) and ts >= :since and ts < :until and (addr in :values or net in :values)
    """  # noqa: S608
    return store.execute(sql, {"values": list(values), "since": since, "until": until}).fetchall()


def record(store: Store, *, first_seq: int, last_seq: int, machine_mask: int) -> None:
    """Add new clicks on honeypot links, which readers do not see, to the table of honeypot hits.

    The clicks have the sequence numbers ``first_seq`` to ``last_seq``. ``machine_mask`` has the evidence bits that show
    that a program clicked.
    """
    # The plus sign keeps SQLite from reading all clicks on the links.
    _insert(store, f"seq between ? and ? and +link_id in ({_HONEYPOT_LINKS})", (first_seq, last_seq), machine_mask)


def record_again(store: Store, *, first_at: int, last_at: int, machine_mask: int) -> None:
    """Compute the honeypot hits of a time range again, after its clicks were classified again.

    A honeypot hit is a click on a link that readers do not see. The quarter-hours that contain ``first_at`` and
    ``last_at`` (milliseconds of the UTC epoch) are included. ``machine_mask`` has the evidence bits that show that a
    program clicked.
    """
    first, last = _quarter_hour(first_at), _quarter_hour(last_at)
    store.execute("delete from honeypot_hits where quarter_hour between ? and ?", (first, last))
    condition = f"""
        link_id in ({_HONEYPOT_LINKS}) and ts >= ? and ts < ?
        and seq <= (select value from meta where name = 'classified_seq')
    """  # noqa: S608
    _insert(store, condition, (1000 * first, 1000 * last + _QUARTER_HOUR_MS), machine_mask)


def _insert(store: Store, condition: str, bounds: tuple[int, int], machine_mask: int) -> None:
    """Add the clicks that meet an SQL condition, with the parameters ``bounds``, to the table of honeypot hits."""
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


def _quarter_hour(milliseconds: int) -> int:
    """Return the beginning of the quarter-hour that contains a time, in seconds of the UTC epoch."""
    return milliseconds // _QUARTER_HOUR_MS * QUARTER_HOUR_SECONDS
