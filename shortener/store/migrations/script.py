"""Run the SQL script of a migration inside the open transaction."""

import sqlite3

from sqlite_utils import Database


def run_script(db: Database, script: str) -> None:
    """Execute the statements of a script one by one, because ``executescript`` would commit between them."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            db.execute(statement)
            statement = ""
    if statement.strip():
        raise ValueError(f"incomplete statement at the end of a migration: {statement.strip()[:80]!r}")
