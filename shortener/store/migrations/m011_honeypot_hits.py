"""A table of honeypot hits, the clicks on links that readers do not see."""

from sqlite_utils import Database

from shortener.store.migrations.script import run_script

SCRIPT = """
create table honeypot_hits (
    quarter_hour integer not null,
    addr text not null,
    net text not null,
    agent_id integer not null,
    reason text not null,
    evidence integer not null,
    first_at integer not null,
    last_at integer not null,
    primary key (quarter_hour, addr, net, agent_id, reason, evidence)
) strict, without rowid;

insert into honeypot_hits
select ts / 900000 * 900, coalesce(addr, ''), coalesce(net, ''),
    case when evidence & 511 = 0 then coalesce(agent_id, 0) else 0 end, reason, evidence & 511, min(ts), max(ts)
from clicks
where link_id in (select id from links where honeypot = 1) and recipient_token is null
    and verdict not in ('preview', 'prefetch') and seq <= (select value from meta where name = 'classified_seq')
group by 1, 2, 3, 4, 5, 6;
"""


def m011_honeypot_hits(db: Database) -> None:
    """Create the table of honeypot hits, and fill it from the classified clicks."""
    # 511 is the mask of the evidence bits that show that a program clicked. Such a hit is stored without its user
    # agent, because it affects clicks with any user agent.
    run_script(db, SCRIPT)
