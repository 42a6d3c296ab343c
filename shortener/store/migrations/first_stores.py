"""Creation of the tables and indexes that are missing in stores of early versions of the program."""

import re

from sqlite_utils import Database

from shortener.store.migrations.m001_loop import SCRIPT
from shortener.store.migrations.script import run_script, statements

_CREATED_NAME = re.compile(r"\s*create (?:table|index) (\w+)")
_TOTALS = """
insert into totals
select issue_id, link_id, n,
    sum(case verdict when 'human' then clicks else 0 end), sum(case verdict when 'bot' then clicks else 0 end),
    sum(case verdict when 'scanner' then clicks else 0 end), sum(case verdict when 'preview' then clicks else 0 end),
    sum(case verdict when 'prefetch' then clicks else 0 end),
    sum(visitors), sum(link_visitors), sum(issue_visitors), sum(site_visitors)
from hourly group by 1, 2, 3;
"""


def complete_first_tables(db: Database) -> None:
    """Create each table and index of the first migration that ``db`` does not have yet."""
    # Early versions had a first migration that created fewer tables and indexes.
    existing = {row[0] for row in db.conn.execute("select name from sqlite_master")}
    for statement in statements(SCRIPT):
        match = _CREATED_NAME.match(statement)
        if match and match[1] not in existing:
            run_script(db, statement)
    # Such a store has complete sums of clicks by hour. Later migrations compute all other sums from these and from the
    # clicks.
    if "totals" not in existing:
        run_script(db, _TOTALS)
