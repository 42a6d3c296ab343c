"""An index for the list of links by their last change."""

from sqlite_utils import Database

from shortener.store.migrations.script import run_script

SCRIPT = """
create index links_by_change on links (updated_at);
"""


def m005_lists(db: Database) -> None:
    """Index links by their last change, so that sorting a list by it is fast for any number of links."""
    run_script(db, SCRIPT)
