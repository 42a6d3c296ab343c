"""SQL for users, their sessions, and their invitations: one-time links at which users choose a password."""

from typing import Literal

from msgspec import Struct

from shortener.errors import Conflict, NotFound
from shortener.messages import Message
from shortener.store.database import Store
from shortener.store.sql_text import column_list

Role = Literal["viewer", "editor", "admin"]


class User(Struct, frozen=True):
    """A user of the editor pages. Times are seconds of the UTC epoch."""

    id: int
    name: str
    role: Role
    password_hash: str
    """'' until the user has chosen a password."""
    created_at: int
    updated_at: int
    language: str
    """Language tag; '' means the language of the browser."""


class Session(Struct, frozen=True):
    """A signed-in browser. ``created_at`` and ``seen_at`` (last use) are seconds of the UTC epoch."""

    user: User
    created_at: int
    seen_at: int


class UserSummary(Struct, frozen=True):
    """A user, with the number of open sessions. Times are seconds of the UTC epoch."""

    name: str
    role: Role
    has_password: bool
    created_at: int
    sessions: int
    seen_at: int | None
    """When the user last used the pages; None if never."""
    invited_until: int | None
    """When the user's invitation expires; None without one."""


_COLUMNS = column_list(User, "users")


def count_users(store: Store) -> int:
    """Return the number of users."""
    return int(store.value("select count(*) from users"))


def count_admins(store: Store) -> int:
    """Return the number of admins who have a password."""
    return int(store.value("select count(*) from users where role = 'admin' and password_hash <> ''"))


def find(store: Store, name: str) -> User | None:
    """Return the user with this name, or None."""
    row = store.execute(f"select {_COLUMNS} from users where name = ?", (name,)).fetchone()  # noqa: S608
    return User(*row) if row else None


def get(store: Store, name: str) -> User:
    """Return the user with this name. Raises NotFound."""
    user = find(store, name)
    if user is None:
        raise NotFound(Message("{name}: no user has this name", name=name), kind="user_not_found")
    return user


def list_all(store: Store) -> list[UserSummary]:
    """Return all users, ordered by name."""
    sql = """
        select name, role, password_hash <> '', created_at,
            (select count(*) from sessions where user_id = users.id), seen_at,
            (select max(expires_at) from invitations where user_id = users.id)
        from users order by name
    """
    rows = store.execute(sql)
    return [UserSummary(name, role, bool(has_password), *rest) for name, role, has_password, *rest in rows]


def add(store: Store, name: str, *, role: Role, password_hash: str, now: int) -> int:
    """Add a user and return the id. ``password_hash`` is '' if the user has no password yet.

    Raises Conflict if the name is taken.
    """
    row = store.execute(
        """
        insert into users (name, role, password_hash, created_at, updated_at) values (?, ?, ?, ?, ?)
        on conflict (name) do nothing returning id
        """,
        (name, role, password_hash, now, now),
    ).fetchone()
    if row is None:
        raise Conflict(Message("{name}: the name is taken; choose another", name=name))
    return int(row[0])


def set_role(store: Store, user_id: int, role: Role, *, now: int) -> None:
    """Change the role of a user."""
    store.execute("update users set role = ?, updated_at = ? where id = ?", (role, now, user_id))


def set_language(store: Store, user_id: int, language: str, *, now: int) -> None:
    """Change the language of a user."""
    store.execute("update users set language = ?, updated_at = ? where id = ?", (language, now, user_id))


def set_password(store: Store, user_id: int, password_hash: str, *, now: int) -> None:
    """Change the password hash of a user."""
    store.execute("update users set password_hash = ?, updated_at = ? where id = ?", (password_hash, now, user_id))


def remove(store: Store, user_id: int) -> None:
    """Delete a user, together with the user's sessions and invitations."""
    store.execute("delete from users where id = ?", (user_id,))


def add_session(store: Store, token_hash: str, user_id: int, *, now: int) -> None:
    """Store a session under the hash of its token."""
    # Tokens are stored only as hashes, so a stolen copy of the store contains no usable token.
    store.execute(
        "insert into sessions (token_hash, user_id, created_at, seen_at) values (?, ?, ?, ?)",
        (token_hash, user_id, now, now),
    )
    touch_user(store, user_id, now=now)


def find_session(store: Store, token_hash: str) -> Session | None:
    """Return the session with this token hash, or None."""
    sql = f"""
        select {_COLUMNS}, sessions.created_at, sessions.seen_at
        from sessions join users on users.id = sessions.user_id where token_hash = ?
    """  # noqa: S608
    row = store.execute(sql, (token_hash,)).fetchone()
    return Session(User(*row[:-2]), row[-2], row[-1]) if row else None


def touch_session(store: Store, token_hash: str, *, now: int) -> None:
    """Record that a session was used at ``now`` (seconds of the UTC epoch)."""
    store.execute("update sessions set seen_at = ? where token_hash = ?", (now, token_hash))


def touch_user(store: Store, user_id: int, *, now: int) -> None:
    """Record that a user used the pages at ``now`` (seconds of the UTC epoch)."""
    store.execute("update users set seen_at = ? where id = ?", (now, user_id))


def end_session(store: Store, token_hash: str) -> None:
    """Delete one session."""
    store.execute("delete from sessions where token_hash = ?", (token_hash,))


def end_sessions(store: Store, user_id: int) -> None:
    """Delete all sessions and invitations of a user."""
    store.execute("delete from sessions where user_id = ?", (user_id,))
    store.execute("delete from invitations where user_id = ?", (user_id,))


def delete_expired_sessions(store: Store, *, created_before: int, seen_before: int) -> None:
    """Delete sessions created before ``created_before``, or last used before ``seen_before`` (seconds of the UTC
    epoch).
    """
    store.execute("delete from sessions where created_at < ? or seen_at < ?", (created_before, seen_before))


def add_invitation(store: Store, token_hash: str, user_id: int | None, *, expires_at: int) -> None:
    """Store an invitation for a user, and delete the user's earlier invitation.

    If ``user_id`` is None, the invitation is for creating the first admin.
    """
    # Several invitations for the first admin can be valid: `init` and each start of the server print one until there is
    # a user.
    store.execute("delete from invitations where user_id = ?", (user_id,))
    store.execute(
        "insert into invitations (token_hash, user_id, expires_at) values (?, ?, ?)",
        (token_hash, user_id, expires_at),
    )


class Invitation(Struct, frozen=True):
    """An invitation that has not expired. ``user`` is None if the invitation is for creating the first admin."""

    user: User | None


def find_invitation(store: Store, token_hash: str, *, now: int) -> Invitation | None:
    """Return the invitation with this token hash, or None if it was used or has expired at ``now``."""
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
    """Delete an invitation, so that only one request can use it. Return whether it existed."""
    return store.execute("delete from invitations where token_hash = ?", (token_hash,)).rowcount == 1


def delete_first_admin_invitations(store: Store) -> None:
    """Delete all invitations that create the first admin."""
    store.execute("delete from invitations where user_id is null")
