"""The first schema: issues, links, clicks, sums of clicks, and read positions in the click log."""

from sqlite_utils import Database

from shortener.store.migrations.script import run_script

SCRIPT = """
create table issues (
    id integer primary key,
    slug text not null unique check (slug <> ''),
    title text not null default '',
    format text not null check (format in ('markdown', 'html')),
    domain text not null,
    sent_at integer,
    recipients integer check (recipients > 0),
    source blob not null,
    output blob not null,
    created_at integer not null,
    updated_at integer not null
) strict;

create table articles (
    id integer primary key,
    issue_id integer not null references issues on delete cascade,
    url text not null check (url <> ''),
    position integer check (position > 0),
    title text not null default '',
    author text not null default '',
    summary text not null default '',
    section text not null default '',
    image text not null default '',
    corrected text not null default '',
    unique (issue_id, url)
) strict;

create table links (
    id integer primary key,
    domain text not null check (domain <> ''),
    code text not null check (code <> '' and code not like '-%'),
    target text check (target like 'http://%' or target like 'https://%'),
    title text not null default '',
    issue_id integer references issues on delete set null,
    article_id integer references articles on delete set null,
    forward text check (forward in ('merge', 'override', 'drop')),
    status text not null default 'active' check (status in ('active', 'retired')),
    trap integer not null default 0 check (trap in (0, 1)),
    expires_at integer,
    created_at integer not null,
    updated_at integer not null,
    unique (domain, code)
) strict;

create index links_by_issue on links (issue_id) where issue_id is not null;
create index links_by_article on links (article_id) where article_id is not null;

create table placements (
    link_id integer not null references links on delete cascade,
    n integer not null check (n > 0),
    issue_id integer not null references issues on delete cascade,
    article_id integer references articles on delete set null,
    kind text not null check (kind in ('image', 'title', 'more', 'text', 'button', 'footer')),
    text text not null default '',
    primary key (link_id, n)
) strict, without rowid;

create index placements_by_issue on placements (issue_id, n);

create table edits (
    id integer primary key,
    link_id integer not null references links on delete cascade,
    at integer not null,
    who text not null default '',
    field text not null,
    old text,
    new text
) strict;

create index edits_by_link on edits (link_id, at);

create table agents (
    id integer primary key,
    ua text not null unique,
    browser text not null default '',
    os text not null default '',
    device text not null default ''
) strict;

create table headers (
    id integer primary key,
    h text not null unique
) strict;

create table clicks (
    seq integer primary key,
    id text not null unique,
    ts integer not null,
    link_id integer not null references links,
    n integer not null default 0,
    issue_id integer references issues on delete set null,
    method text not null default 'GET',
    status integer not null default 302,
    verdict text not null check (verdict in ('human', 'bot', 'scanner', 'preview', 'prefetch')),
    reason text not null,
    rules integer not null,
    gaps integer not null default 0,
    first integer not null default 0,
    net text,
    addr text,
    visitor text,
    copy text,
    agent_id integer references agents,
    headers_id integer references headers,
    referrer text not null default '',
    language text not null default '',
    country text not null default ''
) strict;

create index clicks_by_time on clicks (ts);
create index clicks_by_visitor on clicks (visitor, first) where visitor is not null;
create index clicks_by_address on clicks (addr, ts) where addr is not null;
create index clicks_by_copy on clicks (copy, ts) where copy is not null;
create index clicks_by_link on clicks (link_id, ts);

create table hourly (
    issue_id integer not null,
    link_id integer not null,
    n integer not null,
    hour integer not null,
    verdict text not null,
    clicks integer not null check (clicks >= 0),
    visitors integer not null check (visitors >= 0),
    link_visitors integer not null check (link_visitors >= 0),
    issue_visitors integer not null check (issue_visitors >= 0),
    site_visitors integer not null check (site_visitors >= 0),
    primary key (link_id, hour, n, issue_id, verdict)
) strict, without rowid;

create index hourly_by_hour on hourly (hour);

create table daily (
    issue_id integer not null,
    link_id integer not null,
    day integer not null,
    dimension text not null,
    value text not null,
    clicks integer not null check (clicks >= 0),
    primary key (link_id, dimension, value, day, issue_id)
) strict, without rowid;

create table totals (
    issue_id integer not null,
    link_id integer not null,
    n integer not null,
    human integer not null check (human >= 0),
    bot integer not null check (bot >= 0),
    scanner integer not null check (scanner >= 0),
    preview integer not null check (preview >= 0),
    prefetch integer not null check (prefetch >= 0),
    visitors integer not null check (visitors >= 0),
    link_visitors integer not null check (link_visitors >= 0),
    issue_visitors integer not null check (issue_visitors >= 0),
    site_visitors integer not null check (site_visitors >= 0),
    primary key (issue_id, link_id, n)
) strict, without rowid;

create index totals_by_link on totals (link_id, human, link_visitors);

create table hours (
    issue_id integer not null,
    hour integer not null,
    human integer not null check (human >= 0),
    bot integer not null check (bot >= 0),
    scanner integer not null check (scanner >= 0),
    preview integer not null check (preview >= 0),
    prefetch integer not null check (prefetch >= 0),
    visitors integer not null check (visitors >= 0),
    link_visitors integer not null check (link_visitors >= 0),
    issue_visitors integer not null check (issue_visitors >= 0),
    site_visitors integer not null check (site_visitors >= 0),
    primary key (issue_id, hour)
) strict, without rowid;

create index hours_by_hour on hours (hour);

create table placement_days (
    day integer not null,
    issue_id integer not null,
    link_id integer not null,
    n integer not null,
    human integer not null check (human >= 0),
    bot integer not null check (bot >= 0),
    scanner integer not null check (scanner >= 0),
    preview integer not null check (preview >= 0),
    prefetch integer not null check (prefetch >= 0),
    visitors integer not null check (visitors >= 0),
    link_visitors integer not null check (link_visitors >= 0),
    issue_visitors integer not null check (issue_visitors >= 0),
    site_visitors integer not null check (site_visitors >= 0),
    primary key (day, issue_id, link_id, n)
) strict, without rowid;

create table days (
    day integer not null,
    human integer not null check (human >= 0),
    bot integer not null check (bot >= 0),
    scanner integer not null check (scanner >= 0),
    preview integer not null check (preview >= 0),
    prefetch integer not null check (prefetch >= 0),
    visitors integer not null check (visitors >= 0),
    link_visitors integer not null check (link_visitors >= 0),
    issue_visitors integer not null check (issue_visitors >= 0),
    site_visitors integer not null check (site_visitors >= 0),
    primary key (day)
) strict, without rowid;

create table shares (
    issue_id integer not null,
    dimension text not null,
    value text not null,
    clicks integer not null check (clicks >= 0),
    primary key (issue_id, dimension, value)
) strict, without rowid;

create table segments (
    id text primary key,
    name text not null,
    node text not null default '',
    position integer not null default 0 check (position >= 0),
    lines integer not null default 0,
    skipped integer not null default 0,
    skipping integer not null default 0,
    finished_at integer,
    updated_at integer not null
) strict, without rowid;

create table skips (
    segment_id text not null,
    offset integer not null,
    reason text not null,
    at integer not null,
    primary key (segment_id, offset)
) strict, without rowid;

create table misses (
    day integer not null,
    domain text not null,
    code text not null,
    status integer not null,
    requests integer not null,
    primary key (day, domain, code, status)
) strict, without rowid;

create table facts (
    name text primary key,
    value integer not null
) strict, without rowid;

insert into facts (name, value) values ('links_revision', 0), ('clicks_from', 0), ('judged_seq', 0);

create trigger links_added after insert on links begin
    update facts set value = value + 1 where name = 'links_revision';
end;
create trigger links_edited after update on links begin
    update facts set value = value + 1 where name = 'links_revision';
end;
create trigger links_removed after delete on links begin
    update facts set value = value + 1 where name = 'links_revision';
end;
"""


def m001_loop(db: Database) -> None:
    """Create the tables of issues, links, clicks, sums of clicks, and read positions in the click log."""
    run_script(db, SCRIPT)
