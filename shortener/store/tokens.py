"""SQL for tokens of the JSON API, and for stored answers to requests with an idempotency key."""

from typing import Any, Literal, get_args

from msgspec import Struct

from shortener.errors import Conflict, NotFound
from shortener.messages import Message
from shortener.store.accounts import Role, User
from shortener.store.database import Store

Scope = Literal["read", "links", "issues", "clicks", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)


class Token(Struct, frozen=True):
    """A token of the JSON API. ``owner`` is a user name, ``start`` the first characters of the token.

    Times are seconds of the UTC epoch.
    """

    id: int
    name: str
    owner: str
    role: Role
    """The present role of the owner."""
    start: str
    scopes: tuple[Scope, ...]
    created_at: int
    expires_at: int | None
    last_used_at: int | None


_SELECT = """
    select tokens.id, tokens.name, users.name, role, start, scopes, tokens.created_at, expires_at, last_used_at
    from tokens join users on users.id = tokens.user_id
"""


def _token(row: Any) -> Token:
    token_id, name, owner, role, start, scopes, created_at, expires_at, last_used_at = row
    chosen = tuple(scope for scope in SCOPES if scope in scopes.split())
    return Token(token_id, name, owner, role, start, chosen, created_at, expires_at, last_used_at)


def find(store: Store, token_hash: str) -> Token | None:
    """Return the token with this hash, even an expired one; None if there is none."""
    row = store.execute(f"{_SELECT} where token_hash = ?", (token_hash,)).fetchone()
    return _token(row) if row else None


def list_all(store: Store, *, owner: str | None = None) -> list[Token]:
    """Return the tokens of all users, or of the user ``owner``, ordered by owner and name."""
    sql = f"{_SELECT} where cast(:owner as text) is null or users.name = :owner order by users.name, tokens.name"
    return [_token(row) for row in store.execute(sql, {"owner": owner})]


def get(store: Store, token_id: int) -> Token:
    """Return the token with this id. Raises NotFound."""
    row = store.execute(f"{_SELECT} where tokens.id = ?", (token_id,)).fetchone()
    if row is None:
        raise not_found(str(token_id))
    return _token(row)


def not_found(name: str) -> NotFound:
    """Return a NotFound error that says that no token has this name or id."""
    return NotFound(Message("{name}: there is no such token", name=name), kind="token_not_found")


def add(
    store: Store,
    user: User,
    *,
    name: str,
    token_hash: str,
    start: str,  # first characters of the token
    scopes: tuple[Scope, ...],
    expires_at: int | None,
    now: int,
) -> Token:
    """Store a new API token of a user, and return the token.

    Raises Conflict if the user has a token of this name.
    """
    # Tokens are stored only as hashes, so a stolen copy of the store contains no usable token.
    row = store.execute(
        """
        insert into tokens (user_id, name, token_hash, start, scopes, created_at, expires_at)
        values (?, ?, ?, ?, ?, ?, ?) on conflict (user_id, name) do nothing returning id
        """,
        (user.id, name, token_hash, start, " ".join(scopes), now, expires_at),
    ).fetchone()
    if row is None:
        raise Conflict(
            Message("{name}: {user} has a token of this name; choose another", name=name, user=user.name),
            kind="token_name_taken",
        )
    return get(store, row[0])


def delete(store: Store, token_id: int) -> None:
    """Delete a token."""
    store.execute("delete from tokens where id = ?", (token_id,))


def touch(store: Store, token_id: int, *, now: int) -> None:
    """Set the last use of a token to ``now``, unless another process is writing to the store."""
    store.connection.execute_unless_busy("update tokens set last_used_at = ? where id = ?", (now, token_id))


class StoredAnswer(Struct, frozen=True):
    """The stored answer to a request with an idempotency key. ``request_hash`` is the hash of that request."""

    request_hash: str
    status: int
    headers: str
    body: bytes


def find_answer(store: Store, token_id: int, key: str, *, since: int) -> StoredAnswer | None:
    """Return the answer stored after ``since`` (seconds of the UTC epoch) for a token and idempotency key, or None."""
    row = store.execute(
        """
        select request_hash, status, headers, body from idempotency_keys
        where token_id = ? and key = ? and created_at > ?
        """,
        (token_id, key, since),
    ).fetchone()
    return StoredAnswer(row[0], row[1], row[2], bytes(row[3])) if row else None


def save_answer(store: Store, token_id: int, key: str, answer: StoredAnswer, *, now: int, keep_seconds: int) -> None:
    """Store the answer for a token and idempotency key.

    The answers that are older than ``keep_seconds`` are deleted for all tokens.
    """
    store.execute("delete from idempotency_keys where created_at <= ?", (now - keep_seconds,))
    store.execute(
        """
        insert into idempotency_keys (token_id, key, request_hash, created_at, status, headers, body)
        values (?, ?, ?, ?, ?, ?, ?)
        on conflict (token_id, key) do update set
            request_hash = excluded.request_hash, created_at = excluded.created_at, status = excluded.status,
            headers = excluded.headers, body = excluded.body
        """,
        (token_id, key, answer.request_hash, now, answer.status, answer.headers, answer.body),
    )
