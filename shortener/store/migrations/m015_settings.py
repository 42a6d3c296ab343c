"""A table of the settings that editors change in the web interface."""

from sqlite_utils import Database

from shortener.store.migrations.script import run_script

SCRIPT = """
create table settings (
    name text primary key,
    value text not null
) strict;
"""


def m015_settings(db: Database) -> None:
    """Create the table of settings, which has a text for each key."""
    run_script(db, SCRIPT)
