"""Execution of the SQL script of a migration inside the open transaction."""

import sqlite3
from collections.abc import Iterator

from sqlite_utils import Database


def run_script(db: Database, script: str) -> None:
    """Execute the statements of a script one by one inside the open transaction."""
    # ``executescript`` would commit the transaction.
    for statement in statements(script):
        db.execute(statement)


def statements(script: str) -> Iterator[str]:
    """Yield the statements of a script. Raises ValueError if the last one is incomplete."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        raise ValueError(f"incomplete statement at the end of a migration: {statement.strip()[:80]!r}")
