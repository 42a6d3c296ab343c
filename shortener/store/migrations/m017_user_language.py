"""The language in which a user sees the web interface."""

from sqlite_utils import Database

from shortener.store.migrations.script import run_script

SCRIPT = """
alter table users add column language text not null default '';
"""


def m017_user_language(db: Database) -> None:
    """Add the language tag that a user has chosen; '' means the language that the browser asks for."""
    run_script(db, SCRIPT)
