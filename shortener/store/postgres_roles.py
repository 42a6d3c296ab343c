"""Database roles of redirect nodes, machines that answer short links.

A role may read links and keys, and write only the rows of its own node.
"""

import secrets

from shortener.errors import StoreError
from shortener.store.database import Store
from shortener.store.links_copy import STORE_ID_KEY

GRANTS = (
    "select (id, revision, domain, code, target, title, forward, status, expires_at) on links",
    "select on meta, settings, shared_keys, migrations",
    "select on nodes",
    "update (version, heard_at, sent_until, links_revision, backlog_bytes, unrecorded, disk_free) on nodes",
    "select, insert on sent_segments",
    "update (position, finished, updated_at) on sent_segments",
    "insert on inbox",
)
"""What a node may do. Row-level security limits what it does with nodes, sent_segments and inbox to its own rows."""
TABLES = tuple(sorted({name for grant in GRANTS for name in grant.rpartition(" on ")[2].split(", ")}))


def role_name(store: Store, node: str) -> str:
    """Return the name of a redirect node's database role. It is different for every store on the database server."""
    return f"shortener_{store.meta(STORE_ID_KEY):x}_{node}"


def database_name(store: Store) -> str:
    """Return the name of the PostgreSQL database that contains the store."""
    return str(store.value("select current_database()"))


def create(store: Store, node: str) -> tuple[str, str]:
    """Create the database role of a redirect node, and return (name, password) of the role.

    An existing role gets a new password. Raises StoreError.
    """
    # Called inside a transaction, so that no role is left without its rights.
    if not store.value("select rolcreaterole or rolsuper from pg_roles where rolname = current_user"):
        raise StoreError("the user of the database may not create roles", kind="role_creation_refused")
    role, password = role_name(store, node), secrets.token_urlsafe(24)
    exists = store.value("select 1 from pg_roles where rolname = ?", (role,))
    verb = "alter" if exists else "create"
    store.connection.execute(f"{verb} role \"{role}\" login password '{password}'")
    store.connection.execute(f'grant usage on schema {_schema(store)} to "{role}"')
    for grant in GRANTS:
        store.connection.execute(f'grant {grant} to "{role}"')
    return role, password


def drop(store: Store, role: str) -> None:
    """Drop the database role of a redirect node, if it exists. Its open connections lose all rights.

    Call it inside a transaction.
    """
    if store.value("select 1 from pg_roles where rolname = ?", (role,)):
        store.connection.execute(f'revoke all on {", ".join(TABLES)} from "{role}"')
        store.connection.execute(f'revoke usage on schema {_schema(store)} from "{role}"')
        store.connection.execute(f'drop role "{role}"')


def _schema(store: Store) -> str:
    return str(store.value("select quote_ident(current_schema())"))
