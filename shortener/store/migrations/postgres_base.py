"""The schema of a new store on PostgreSQL. It matches SQLite's after the migration ``m014_link_hours``."""

BASE_NAME = "m014_link_hours"

_SUMS = (
    "human", "bot", "scanner", "preview", "prefetch",
    "visitor_clicks", "visitors", "link_visitors", "issue_visitors", "site_visitors",
)  # fmt: skip


def _rollup_sql(name: str, columns: str, key: str, sums: tuple[str, ...] = _SUMS) -> str:
    counts = ", ".join(f"{column} integer not null check ({column} >= 0)" for column in sums)
    return f"create table {name} ({columns}, {counts}, primary key ({key}));\n"


# Types are written as in SQLite, and translated later. ``clicks`` has no foreign keys, because their checks would
# double the time in which clicks are stored; a trigger removes the id of a deleted issue from its clicks. ``meta`` has
# a row ``write_lock``, which a write transaction locks.
SCRIPT = """
create table issues (
    id integer primary key,
    slug text not null unique check (slug <> ''),
    title text not null default '',
    format text not null check (format in ('markdown', 'html', 'mjml', 'eml')),
    domain text not null,
    sent_at integer,
    recipients integer check (recipients > 0),
    source blob not null,
    output blob not null,
    created_at integer not null,
    updated_at integer not null,
    archived_at integer,
    removed_at integer
);

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
    corrected_fields text not null default '',
    role text not null default 'other' check (role in ('article', 'inline', 'other'))
);

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
    honeypot integer not null default 0 check (honeypot in (0, 1)),
    expires_at integer,
    created_at integer not null,
    updated_at integer not null,
    revision integer not null default 0,
    unique (domain, code)
);

create table placements (
    link_id integer not null references links on delete cascade,
    n integer not null check (n > 0),
    issue_id integer not null references issues on delete cascade,
    article_id integer references articles on delete set null,
    kind text not null check (kind in ('image', 'title', 'more', 'text', 'button', 'footer')),
    text text not null default '',
    part text not null default '' check (part in ('', 'html', 'text')),
    primary key (link_id, n)
);

create table edits (
    id integer primary key,
    link_id integer not null references links on delete cascade,
    at integer not null,
    who text not null default '',
    field text not null,
    old text,
    new text
);

create table user_agents (
    id integer primary key,
    ua text not null,
    browser text not null default '',
    os text not null default '',
    device text not null default ''
);

create table headers (
    id integer primary key,
    h text not null
);

create table clicks (
    seq integer primary key,
    id text not null unique,
    ts integer not null,
    link_id integer not null,
    n integer not null default 0,
    issue_id integer,
    method text not null default 'GET',
    status integer not null default 302,
    verdict text not null check (verdict in ('human', 'bot', 'scanner', 'preview', 'prefetch')),
    reason text not null,
    rules_version integer not null,
    evidence integer not null default 0,
    first_visits integer not null default 0,
    net text,
    addr text,
    visitor text,
    recipient_token text,
    agent_id integer,
    headers_id integer,
    referrer text not null default '',
    language text not null default '',
    country text not null default ''
);

create table segments (
    id text primary key,
    name text not null,
    node text not null default '',
    position integer not null default 0 check (position >= 0),
    lines integer not null default 0,
    skipped integer not null default 0,
    in_long_line integer not null default 0,
    finished_at integer,
    updated_at integer not null
);

create table skips (
    segment_id text not null,
    byte_position integer not null,
    reason text not null,
    at integer not null,
    primary key (segment_id, byte_position)
);

create table misses (
    quarter_hour integer not null,
    domain text not null,
    code text not null,
    status integer not null,
    requests integer not null,
    primary key (quarter_hour, domain, code, status)
);

create table meta (
    name text primary key,
    value integer not null
);

create table signals (
    url text not null,
    views integer check (views >= 0),
    reads integer check (reads >= 0),
    fans integer check (fans >= 0),
    updated_at integer not null
);

create table decisions (
    id integer primary key,
    month text not null check (month ~ '^[0-9]{4}-[0-9]{2}$'),
    url text not null,
    action text not null check (action in ('pin', 'exclude', 'choose')),
    reason text not null check (reason <> ''),
    who text not null,
    at integer not null
);

create table draft_links (
    month text not null check (month ~ '^[0-9]{4}-[0-9]{2}$'),
    url text not null,
    link_id integer not null references links on delete cascade
);

create table users (
    id integer primary key,
    name text not null unique check (name <> ''),
    role text not null check (role in ('viewer', 'editor', 'admin')),
    password_hash text not null default '',
    created_at integer not null,
    updated_at integer not null
);

create table sessions (
    token_hash text primary key,
    user_id integer not null references users on delete cascade,
    created_at integer not null,
    seen_at integer not null
);

create table invitations (
    token_hash text primary key,
    user_id integer references users on delete cascade,
    expires_at integer not null
);

create table tokens (
    id integer primary key,
    user_id integer not null references users on delete cascade,
    name text not null check (name <> ''),
    token_hash text not null unique,
    start text not null,
    scopes text not null check (scopes <> ''),
    created_at integer not null,
    expires_at integer,
    last_used_at integer,
    unique (user_id, name)
);

create table idempotency_keys (
    token_id integer not null references tokens on delete cascade,
    key text not null,
    request_hash text not null,
    created_at integer not null,
    status integer not null,
    headers text not null,
    body blob not null,
    primary key (token_id, key)
);

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
);

create table webhooks (
    id integer primary key,
    url text not null,
    events text not null default '',
    secret text not null,
    old_secret text not null default '',
    old_secret_until integer not null default 0,
    disabled_at integer,
    disabled_reason text not null default '',
    created_at integer not null,
    updated_at integer not null
);

create table webhook_events (
    id text primary key,
    type text not null,
    at integer not null,
    data text not null
);

create table webhook_deliveries (
    id integer primary key,
    webhook_id integer not null references webhooks on delete cascade,
    event_id text not null references webhook_events on delete cascade,
    state text not null default 'waiting' check (state in ('waiting', 'sent', 'failed')),
    attempts integer not null default 0,
    next_at integer not null,
    tried_at integer,
    http_status integer,
    message text not null default '',
    unique (webhook_id, event_id)
);

create table page_changes (
    id integer primary key,
    page text not null,
    at integer not null,
    who text not null,
    summary text not null,
    before blob not null,
    after blob not null,
    undone_at integer
);
"""
_LINK, _ISSUE, _N = "link_id integer not null", "issue_id integer not null", "n integer not null"
_VALUE = "dimension text not null, value text not null"
ROLLUPS = "".join(
    (
        _rollup_sql(
            "clicks_by_link", f"{_LINK}, quarter_hour integer not null, {_N}, {_ISSUE}",
            "link_id, quarter_hour, n, issue_id",
        ),
        _rollup_sql(
            "breakdown_by_link", f"{_LINK}, {_VALUE}, day integer not null, {_ISSUE}",
            "link_id, dimension, value, day, issue_id", ("clicks",),
        ),
        _rollup_sql("totals_by_placement", f"{_ISSUE}, {_LINK}, {_N}", "issue_id, link_id, n"),
        _rollup_sql("clicks_by_issue", f"{_ISSUE}, quarter_hour integer not null", "issue_id, quarter_hour"),
        _rollup_sql("clicks_by_issue_hour", f"{_ISSUE}, hour integer not null", "issue_id, hour"),
        _rollup_sql(
            "clicks_by_placement", f"day integer not null, {_ISSUE}, {_LINK}, {_N}", "day, issue_id, link_id, n"
        ),
        _rollup_sql("clicks_of_site", "quarter_hour integer not null", "quarter_hour"),
        _rollup_sql("breakdown_by_issue", f"{_ISSUE}, {_VALUE}", "issue_id, dimension, value", ("clicks",)),
        _rollup_sql("clicks_by_link_hour", f"{_LINK}, hour integer not null", "link_id, hour"),
    )
)  # fmt: skip
# Long texts have hash indexes, because an entry of an ordinary index has at most 2,704 bytes. For that reason, unique
# indexes of URLs contain the MD5 hash of the URL.
INDEXES = """
create index links_by_issue on links (issue_id) where issue_id is not null;
create index links_by_article on links (article_id) where article_id is not null;
create index placements_by_issue on placements (issue_id, n);
create index edits_by_link on edits (link_id, at);
create index clicks_by_time on clicks (ts);
create index sessions_by_user on sessions (user_id);
create index links_by_change on links (updated_at);
create index clicks_by_visitor on clicks ((ts / 86400000), visitor, first_visits) where visitor is not null;
create index clicks_by_address on clicks ((ts / 3600000), addr, ts) where addr is not null;
create index clicks_of_link on clicks (link_id, ts);
create index clicks_by_recipient_token on clicks ((ts / 3600000), recipient_token, ts)
    where recipient_token is not null;
create index clicks_by_link_time on clicks_by_link (quarter_hour);
create index totals_by_placement_link on totals_by_placement (link_id, human, link_visitors);
create index clicks_by_issue_time on clicks_by_issue (quarter_hour);
create unique index articles_of_issue on articles (issue_id, md5(url));
create index articles_by_url on articles using hash (url);
create index idempotency_keys_by_time on idempotency_keys (created_at);
create index webhook_events_by_time on webhook_events (at);
create index webhook_deliveries_by_event on webhook_deliveries (event_id);
create index webhook_deliveries_waiting on webhook_deliveries (next_at) where state = 'waiting';
create index page_changes_by_page on page_changes (page, id);
create index page_changes_by_time on page_changes (at);
create unique index decisions_of_month on decisions (month, md5(url));
create unique index draft_links_of_month on draft_links (month, md5(url));
create unique index signals_by_url on signals (md5(url));
create index user_agents_by_text on user_agents using hash (ua);
create index headers_by_text on headers using hash (h);
create index links_by_revision on links (revision, id);

insert into meta (name, value) values
    ('links_revision', 0), ('purged_before', 0), ('classified_seq', 0), ('write_lock', 0);
"""
# ``links.revision`` is the revision number of the last change of a link. It is assigned under a row lock, so numbers
# are committed in ascending order.
TRIGGERS = (
    """
    create function stamp_link_revision() returns trigger language plpgsql as $$
    declare
        current bigint := nullif(current_setting('shortener.links_revision', true), '');
    begin
        if current is null then
            update meta set value = value + 1 where name = 'links_revision' returning value into current;
            perform set_config('shortener.links_revision', current::text, true);
        end if;
        new.revision := current;
        return new;
    end $$
    """,
    "create trigger links_stamped before insert or update on links for each row execute function stamp_link_revision()",
    """
    create function forget_issue_of_clicks() returns trigger language plpgsql as $$
    begin
        update clicks set issue_id = null where issue_id = old.id;
        return null;
    end $$
    """,
    "create trigger issues_deleted after delete on issues for each row execute function forget_issue_of_clicks()",
)
