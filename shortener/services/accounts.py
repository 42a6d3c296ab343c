"""Who may see the editor pages: passwords, roles, sessions that end, one-time addresses, and the last admin."""

import functools
import hashlib
import secrets
import unicodedata
from typing import get_args

from werkzeug.security import check_password_hash, generate_password_hash

from shortener.config import Config
from shortener.errors import InputError
from shortener.store import Store, accounts
from shortener.store.accounts import Role as Role
from shortener.store.accounts import User

ROLES: tuple[Role, ...] = get_args(Role)
"""What a user may do, the least first: look; change issues, links and picks; manage users."""
MIN_PASSWORD_LENGTH, MAX_PASSWORD_LENGTH = 10, 1024
"""Characters. The upper bound keeps a megabyte from being hashed."""
MAX_NAME_LENGTH = 60  # characters
SESSION_LIFETIME_SECONDS = 90 * 86_400
"""A session ends at this age, however busy it is."""
SESSION_IDLE_SECONDS = 14 * 86_400
"""A session ends when it was not used for so long."""
SESSION_TOUCH_SECONDS = 3600
"""How exactly it is known when a session was last used: a page view is to write nothing."""
INVITATION_LIFETIME_SECONDS = 3 * 86_400
INVITATION_PATH = "/-/welcome/"
_HASH_METHOD = "scrypt:32768:8:1"


@functools.cache
def _dummy_hash() -> str:
    """The hash that is checked where there is no user, so that the answer takes as long as for a wrong password."""
    return generate_password_hash(secrets.token_urlsafe(16), method=_HASH_METHOD)


def check_name(name: str) -> str:
    """A user's name in its normal form. Raises InputError for what would not look like itself in a list."""
    name = unicodedata.normalize("NFC", " ".join(name.split()))
    if not name or len(name) > MAX_NAME_LENGTH or not name.isprintable() or "/" in name:
        raise InputError(f"the name has to have 1 to {MAX_NAME_LENGTH} printable characters, and no slash")
    return name


def parse_role(role: str) -> Role:
    """The role of that name. Raises InputError."""
    for known in ROLES:
        if role == known:
            return known
    raise InputError(f"{role!r} is no role; choose one of {', '.join(ROLES)}")


def hash_password(password: str) -> str:
    """The hash of a new password. Raises InputError for one that is too short or too long."""
    if not MIN_PASSWORD_LENGTH <= len(password) <= MAX_PASSWORD_LENGTH:
        raise InputError(
            f"a password has {MIN_PASSWORD_LENGTH} to {MAX_PASSWORD_LENGTH} characters; a sentence is a good one"
        )
    return generate_password_hash(_normalize_password(password), method=_HASH_METHOD)


def _normalize_password(password: str) -> str:
    """The same password whichever keyboard composed its letters; surrogates cannot be encoded otherwise."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "replace").decode()


def role_allows(role: Role, required: Role) -> bool:
    """Whether a role may do what another may."""
    return ROLES.index(role) >= ROLES.index(required)


def verify_password(user: User | None, password: str) -> bool:
    """Whether this is the user's password; takes as long for nobody, and for a user who has none yet."""
    known = user.password_hash if user is not None and user.password_hash else _dummy_hash()
    right = check_password_hash(known, _normalize_password(password[:MAX_PASSWORD_LENGTH]))
    return right and known is not _dummy_hash() and len(password) <= MAX_PASSWORD_LENGTH


def add_user(store: Store, name: str, *, role: Role, password: str | None, now: int) -> None:
    """Add a user; without a password one has to be chosen through a one-time address.

    Raises InputError, Conflict. The address that would make a first admin ends with the first user.
    """
    hashed = "" if password is None else hash_password(password)
    with store.transaction():
        accounts.add(store, check_name(name), role=role, password_hash=hashed, now=now)
        accounts.delete_first_admin_invitations(store)


def set_role(store: Store, name: str, role: Role, *, now: int) -> None:
    """Give a user another role and end all sessions. Raises NotFound, InputError for the last admin."""
    with store.transaction():
        user = accounts.get(store, name)
        if user.role == role:
            return
        _require_admin_left(store, user)
        accounts.set_role(store, user.id, role, now=now)
        accounts.end_sessions(store, user.id)


def set_password(store: Store, name: str, password: str, *, now: int) -> None:
    """Give a user another password and end all sessions. Raises NotFound, InputError."""
    hashed = hash_password(password)
    with store.transaction():
        user = accounts.get(store, name)
        accounts.set_password(store, user.id, hashed, now=now)
        accounts.end_sessions(store, user.id)


def remove_user(store: Store, name: str) -> None:
    """Remove a user, whose sessions end at once. Raises NotFound, InputError for the last admin."""
    with store.transaction():
        user = accounts.get(store, name)
        _require_admin_left(store, user)
        accounts.remove(store, user.id)


def _require_admin_left(store: Store, user: User) -> None:
    """Raise InputError when nobody could manage users any more without this one."""
    if user.role == "admin" and user.password_hash and accounts.count_admins(store) == 1:
        raise InputError(f"{user.name} is the last admin who can sign in; make somebody else admin first")


def start_session(store: Store, user: User, *, now: int) -> str:
    """Remember a browser that has just proved to be the user's; the token for its cookie."""
    token = secrets.token_urlsafe(32)
    with store.transaction():
        accounts.delete_expired_sessions(
            store,
            created_before=now - SESSION_LIFETIME_SECONDS,
            seen_before=now - SESSION_IDLE_SECONDS - SESSION_TOUCH_SECONDS,
        )
        accounts.add_session(store, _hash_token(token), user.id, now=now)
    return token


def session_user(store: Store, token: str, *, now: int) -> User | None:
    """The user of a session's token, None when the session has ended."""
    found = accounts.find_session(store, _hash_token(token))
    if (
        found is None
        or now - found.created_at >= SESSION_LIFETIME_SECONDS
        or now - found.seen_at >= SESSION_IDLE_SECONDS
    ):
        return None
    if now - found.seen_at >= SESSION_TOUCH_SECONDS:
        with store.transaction():
            accounts.touch_session(store, _hash_token(token), now=now)
    return found.user


def end_session(store: Store, token: str) -> None:
    """Sign a browser out."""
    with store.transaction():
        accounts.end_session(store, _hash_token(token))


def invite(store: Store, name: str, *, config: Config, now: int) -> str:
    """A one-time address at which a user chooses a new password; replaces the one before. Raises NotFound."""
    with store.transaction():
        return _create_invitation(store, accounts.get(store, name), config=config, now=now)


def invite_first_admin(store: Store, *, config: Config, now: int) -> str | None:
    """The one-time address that makes the first admin, None where there are users already."""
    with store.transaction():
        return (
            None if accounts.count_users(store) else _create_invitation(store, None, config=config, now=now)
        )


def _create_invitation(store: Store, user: User | None, *, config: Config, now: int) -> str:
    token = secrets.token_urlsafe(32)
    accounts.add_invitation(
        store, _hash_token(token), user.id if user else None, expires_at=now + INVITATION_LIFETIME_SECONDS
    )
    return f"{config.base_url}{INVITATION_PATH}{token}"


def find_invitation(store: Store, token: str, *, now: int) -> accounts.Invitation | None:
    """Whom a one-time address is for, None when it was used, has expired or never was."""
    return accounts.find_invitation(store, _hash_token(token), now=now)


def accept_invitation(store: Store, token: str, *, name: str, password: str, now: int) -> User:
    """Use a one-time address: choose a password, and as the first admin a name; the user who is signed in by it.

    Raises InputError. Of two who use one address at once, one gets in.
    """
    hashed = hash_password(password)
    with store.transaction():
        found = accounts.find_invitation(store, _hash_token(token), now=now)
        if found is None or (found.user is None and accounts.count_users(store)):
            raise InputError("this one-time address was used or is too old; ask an admin for a new one")
        if found.user is None:
            name = check_name(name)
            accounts.add(store, name, role="admin", password_hash=hashed, now=now)
        else:
            name = found.user.name
            accounts.set_password(store, found.user.id, hashed, now=now)
            accounts.end_sessions(store, found.user.id)
        accounts.use_invitation(store, _hash_token(token))
        return accounts.get(store, name)


def _hash_token(token: str) -> str:
    """A token as it is stored; it is random, so that a fast hash is enough."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
