"""Access tokens of the JSON API.

A token never has more rights than its owner's present role.
"""

import hashlib
import secrets
import string
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

from shortener.errors import Conflict, InputError
from shortener.messages import Message, mark_text
from shortener.reporting.counts import to_datetime, to_datetime_or_none
from shortener.services.accounts import role_allows
from shortener.store import Store, accounts, tokens
from shortener.store.accounts import Role
from shortener.store.tokens import SCOPES, Scope, Token

__all__ = ["SCOPES", "SCOPE_ROLES", "Scope", "Token"]

SCOPE_ROLES: dict[Scope, Role] = {
    "read": "viewer",
    "links": "editor",
    "issues": "editor",
    "clicks": "editor",
    "admin": "admin",
}
"""The role that the owner of a token needs for each scope."""
SCOPE_MEANINGS: dict[Scope, str] = {
    "read": mark_text("Read links, issues, reports, ranking and picks"),
    "links": mark_text("Create and change links"),
    "issues": mark_text("Add and change issues, and decide about picks"),
    "clicks": mark_text("Export single clicks"),
    "admin": mark_text("Manage webhooks"),
}
"""What each scope permits."""
PREFIX = "sho_"
"""Beginning of every token, by which secret scanners recognize one."""
TOKEN_LENGTH = 40  # characters behind the prefix; 238 bits
HEX_LENGTH = 32  # characters of a token for clients that limit its length; 128 bits
START_LENGTH = 8  # characters of a token that are stored in clear
MAX_TOKEN_LENGTH = 100  # characters
MAX_NAME_LENGTH = 100  # characters
TOUCH_SECONDS = 60
"""Minimum time between two updates of a token's last use, so that most requests write nothing to the store."""
_ALPHABET = string.ascii_letters + string.digits


class TokenSummary(Struct, frozen=True):
    """The data of a token that commands, pages and the API show."""

    id: int
    name: str
    owner: str
    start: str
    """The first characters of the token's text."""
    scopes: tuple[Scope, ...]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class CreatedToken(Struct, frozen=True):
    """A new token with its text, which is shown only once."""

    text: str
    token: Token


def add_token(
    store: Store,
    owner: str,  # name of the user
    name: str,  # of the token
    *,
    scopes: Iterable[str],
    expires_at: int | None,  # seconds of the UTC epoch; None for never
    now: int,
    hexadecimal: bool = False,  # for clients that limit the length of a token
) -> CreatedToken:
    """Create an API token for a user.

    Raises InputError, NotFound for an unknown user, Conflict for a name that is in use.
    """
    name = check_name(name)
    chosen = parse_scopes(scopes)
    if expires_at is not None and expires_at <= now:
        raise InputError(Message("expires_at: this time is over; choose a later one"))
    text = secrets.token_hex(HEX_LENGTH // 2) if hexadecimal else _random_token()
    with store.transaction():
        token = tokens.add(
            store,
            accounts.get(store, owner),
            name=name,
            token_hash=_hash(text),
            start=text[:START_LENGTH],
            scopes=chosen,
            expires_at=expires_at,
            now=now,
        )
    return CreatedToken(text, token)


def _random_token() -> str:
    return PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(TOKEN_LENGTH))


def _hash(text: str) -> str:
    # A fast hash is enough, because tokens are random.
    return hashlib.sha256(text.encode()).hexdigest()


def check_name(name: str) -> str:
    """Return the name of a token with single spaces between words. Raises InputError if it is empty, too long or
    unprintable.
    """
    name = " ".join(name.split())
    if not name or len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise InputError(Message("the name of a token has 1 to {limit} printable characters", limit=MAX_NAME_LENGTH))
    return name


def parse_scopes(names: Iterable[str]) -> tuple[Scope, ...]:
    """Return the scopes with these names, in the order of SCOPES. Raises InputError for an unknown name, or
    for none.
    """
    wanted = set(names)
    unknown = sorted(wanted - set(SCOPES))
    if unknown or not wanted:
        what = f"unknown scope {unknown[0]!r}" if unknown else "no scope was chosen"
        raise InputError(Message("{what}; expected one or more of {names}", what=what, names=", ".join(SCOPES)))
    return tuple(scope for scope in SCOPES if scope in wanted)


def find_token(store: Store, text: str, *, now: int) -> Token | None:
    """Return the token with this text, and record that it was used. Return None if it is unknown, expired
    or revoked.
    """
    if not text or len(text) > MAX_TOKEN_LENGTH or not text.isascii():
        return None
    token = tokens.find(store, _hash(text))
    if token is None or (token.expires_at is not None and now >= token.expires_at):
        return None
    if token.last_used_at is None or now - token.last_used_at >= TOUCH_SECONDS:
        tokens.touch(store, token.id, now=now)
    return token


def has_role_for(token: Token, scope: Scope) -> bool:
    """Return whether the current role of the token's owner allows what ``scope`` permits."""
    return role_allows(token.role, SCOPE_ROLES[scope])


def scopes_for_role(role: Role) -> dict[Scope, str]:
    """Return the scopes that a user with this role can give to a token, as a dict from scope to description."""
    return {scope: text for scope, text in SCOPE_MEANINGS.items() if role_allows(role, SCOPE_ROLES[scope])}


def end_of_day(day: date, *, zone: ZoneInfo) -> int:
    """Return the end of a day in a time zone, in seconds of the UTC epoch. Raises OverflowError for ``date.max``."""
    next_day = day + timedelta(days=1)
    return int(datetime(next_day.year, next_day.month, next_day.day, tzinfo=zone).timestamp())


def unusable_scopes(token: Token) -> tuple[Scope, ...]:
    """Return the scopes of a token that are not allowed by the current role of its owner."""
    return tuple(scope for scope in token.scopes if not has_role_for(token, scope))


def revoke_token(store: Store, name: str, *, owner: str | None = None) -> Token:
    """Delete the token with this name and return it. Raises NotFound, Conflict.

    ``owner`` is needed if several users have a token of this name.
    """
    with store.transaction():
        found = [token for token in tokens.list_all(store, owner=owner) if token.name == name]
        if len(found) > 1:
            owners = ", ".join(token.owner for token in found)
            raise Conflict(
                Message("{name}: several users have a token of this name: {owners}", name=name, owners=owners),
                kind="several_tokens",
            )
        if not found:
            raise tokens.not_found(name)
        tokens.delete(store, found[0].id)
    return found[0]


def summarize(token: Token) -> TokenSummary:
    """Return the data of a token that users may see: all but its text, with times as datetimes."""
    return TokenSummary(
        id=token.id,
        name=token.name,
        owner=token.owner,
        start=token.start,
        scopes=token.scopes,
        created_at=to_datetime(token.created_at),
        expires_at=to_datetime_or_none(token.expires_at),
        last_used_at=to_datetime_or_none(token.last_used_at),
    )
