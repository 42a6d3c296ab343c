"""New columns: the role of a link target, the part of a mail, and when an issue was archived or removed."""

from sqlite_utils import Database

from shortener.store.migrations.script import run_script

SCRIPT = """
alter table articles add column role text not null default 'other' check (role in ('article', 'inline', 'other'));
update articles set role = 'article' where position is not null;
update articles set corrected_fields = corrected_fields || ' role'
    where ' ' || corrected_fields || ' ' like '% position %';
create index articles_by_url on articles (url);

alter table placements add column part text not null default '' check (part in ('', 'html', 'text'));

alter table issues add column archived_at integer;
alter table issues add column removed_at integer;
"""

_OLD_CHECK = "check (format in ('markdown', 'html'))"
_NEW_CHECK = "check (format in ('markdown', 'html', 'mjml', 'eml'))"


def m009_roles(db: Database) -> None:
    """Add the columns ``role``, ``part``, ``archived_at`` and ``removed_at``, and allow the formats eml and mjml."""
    run_script(db, SCRIPT)
    _widen_format_check(db)


def _widen_format_check(db: Database) -> None:
    # SQLite cannot alter a check, and rebuilding the table would delete the rows that refer to it. So the schema text
    # itself is edited. SQLite documents this way for changes that do not concern rows
    # (https://sqlite.org/lang_altertable.html, "Making Other Kinds Of Table Schema Changes").
    version = db.execute("pragma schema_version").fetchone()[0]
    db.execute("pragma writable_schema = on")
    db.execute(
        "update sqlite_schema set sql = replace(sql, ?, ?) where type = 'table' and name = 'issues'",
        (_OLD_CHECK, _NEW_CHECK),
    )
    db.execute(f"pragma schema_version = {version + 1}")
    db.execute("pragma writable_schema = off")
