"""SQL for accounts: users, their sessions and the one-time addresses that let somebody in without a password.

Tokens are stored as hashes only; who reads the store can sign in as nobody.
"""

from typing import Literal

from msgspec import Struct

from shortener.errors import Conflict, NotFound
from shortener.store.database import Store

Role = Literal["viewer", "editor", "admin"]


class User(Struct, frozen=True):
    """A person who may see the editor pages; ``password`` is a hash, '' as long as none was chosen."""

    id: int
    name: str
    role: Role
    password_hash: str
    created_at: int
    updated_at: int


class Session(Struct, frozen=True):
    """A signed-in browser; times in seconds of UTC epoch."""

    user: User
    created_at: int
    seen_at: int


class UserSummary(Struct, frozen=True):
    """A line of the list of users; ``seen_at`` is the last sign of life of any open session."""

    name: str
    role: Role
    has_password: bool
    created_at: int
    sessions: int
    seen_at: int | None


_COLUMNS = ", ".join(f"users.{name}" for name in User.__struct_fields__)


def count_users(store: Store) -> int:
    """How many users there are."""
    return int(store.value("select count(*) from users"))


def count_admins(store: Store) -> int:
    """How many users may do everything and can sign in."""
    return int(store.value("select count(*) from users where role = 'admin' and password_hash <> ''"))


def find(store: Store, name: str) -> User | None:
    """The user of a name, or None."""
    row = store.execute(f"select {_COLUMNS} from users where name = ?", (name,)).fetchone()  # noqa: S608
    return User(*row) if row else None


def get(store: Store, name: str) -> User:
    """The user of a name. Raises NotFound."""
    user = find(store, name)
    if user is None:
        raise NotFound(f"{name}: there is no user of this name; `shortener user list` shows them all")
    return user


def list_all(store: Store) -> list[UserSummary]:
    """All users by name."""
    sql = """
        select name, role, password_hash <> '', users.created_at, count(token_hash), max(seen_at)
        from users left join sessions on sessions.user_id = users.id group by users.id order by name
    """
    rows = store.execute(sql)
    return [UserSummary(row[0], row[1], bool(row[2]), row[3], row[4], row[5]) for row in rows]


def add(store: Store, name: str, *, role: Role, password_hash: str, now: int) -> int:
    """Add a user with a password hash ('': to be chosen); the id. Raises Conflict when the name is taken."""
    row = store.execute(
        """
        insert into users (name, role, password_hash, created_at, updated_at) values (?, ?, ?, ?, ?)
        on conflict (name) do nothing returning id
        """,
        (name, role, password_hash, now, now),
    ).fetchone()
    if row is None:
        raise Conflict(f"{name}: there is a user of this name already; choose another")
    return int(row[0])


def set_role(store: Store, user_id: int, role: Role, *, now: int) -> None:
    """Give a user another role."""
    store.execute("update users set role = ?, updated_at = ? where id = ?", (role, now, user_id))


def set_password(store: Store, user_id: int, password_hash: str, *, now: int) -> None:
    """Give a user another password hash."""
    store.execute(
        "update users set password_hash = ?, updated_at = ? where id = ?", (password_hash, now, user_id)
    )


def remove(store: Store, user_id: int) -> None:
    """Remove a user, and with it every session and one-time address."""
    store.execute("delete from users where id = ?", (user_id,))


def add_session(store: Store, token_hash: str, user_id: int, *, now: int) -> None:
    """Remember a signed-in browser by the hash of its token."""
    store.execute(
        "insert into sessions (token_hash, user_id, created_at, seen_at) values (?, ?, ?, ?)",
        (token_hash, user_id, now, now),
    )


def find_session(store: Store, token_hash: str) -> Session | None:
    """The session of a token's hash, or None."""
    sql = f"""
        select {_COLUMNS}, sessions.created_at, sessions.seen_at
        from sessions join users on users.id = sessions.user_id where token_hash = ?
    """  # noqa: S608
    row = store.execute(sql, (token_hash,)).fetchone()
    return Session(User(*row[:-2]), row[-2], row[-1]) if row else None


def touch_session(store: Store, token_hash: str, *, now: int) -> None:
    """Note that a session is in use."""
    store.execute("update sessions set seen_at = ? where token_hash = ?", (now, token_hash))


def end_session(store: Store, token_hash: str) -> None:
    """Forget one session."""
    store.execute("delete from sessions where token_hash = ?", (token_hash,))


def end_sessions(store: Store, user_id: int) -> None:
    """Forget all sessions and one-time addresses of a user."""
    store.execute("delete from sessions where user_id = ?", (user_id,))
    store.execute("delete from invitations where user_id = ?", (user_id,))


def delete_expired_sessions(store: Store, *, created_before: int, seen_before: int) -> None:
    """Forget the sessions that are too old or were idle for too long."""
    store.execute("delete from sessions where created_at < ? or seen_at < ?", (created_before, seen_before))


def add_invitation(store: Store, token_hash: str, user_id: int | None, *, expires_at: int) -> None:
    """Keep the hash of a one-time address, in place of the one before; without a user it is the first admin's."""
    store.execute("delete from invitations where user_id is ?", (user_id,))
    store.execute(
        "insert into invitations (token_hash, user_id, expires_at) values (?, ?, ?)",
        (token_hash, user_id, expires_at),
    )


class Invitation(Struct, frozen=True):
    """A one-time address that is still good: for a user, or (None) for whoever becomes the first admin."""

    user: User | None


def find_invitation(store: Store, token_hash: str, *, now: int) -> Invitation | None:
    """The one-time address of a token's hash, None when it was used or is too old."""
    row = store.execute(
        "select user_id from invitations where token_hash = ? and expires_at > ?", (token_hash, now)
    ).fetchone()
    if row is None:
        return None
    if row[0] is None:
        return Invitation(None)
    user = store.execute(f"select {_COLUMNS} from users where id = ?", (row[0],)).fetchone()  # noqa: S608
    return Invitation(User(*user)) if user else None


def use_invitation(store: Store, token_hash: str) -> bool:
    """Strike a one-time address out; False when somebody was faster."""
    return store.execute("delete from invitations where token_hash = ?", (token_hash,)).rowcount == 1


def delete_first_admin_invitations(store: Store) -> None:
    """Strike out the addresses that would make a first admin."""
    store.execute("delete from invitations where user_id is null")
