"""Accounts of the editor pages: passwords, roles, sessions that expire, and invitations.

An invitation is a one-time URL at which a user chooses a password.
"""

import functools
import hashlib
import secrets
import unicodedata
from typing import get_args

from werkzeug.security import check_password_hash, generate_password_hash

from shortener.config import Config
from shortener.durations import DAY_SECONDS
from shortener.errors import InputError
from shortener.messages import Message
from shortener.store import Store, accounts
from shortener.store.accounts import Role as Role
from shortener.store.accounts import User

ROLES: tuple[Role, ...] = get_args(Role)
"""Roles by rights: a viewer reads, an editor also changes issues, links and picks, an admin also manages users."""
MIN_PASSWORD_LENGTH, MAX_PASSWORD_LENGTH = 10, 1024
"""Length of a password in characters; the upper limit bounds the cost of hashing it."""
MAX_NAME_LENGTH = 60  # characters
SESSION_LIFETIME_SECONDS = 90 * DAY_SECONDS
"""Age at which every session ends."""
SESSION_IDLE_SECONDS = 14 * DAY_SECONDS
"""Time without use after which a session ends."""
SESSION_TOUCH_SECONDS = 5 * 60
"""Minimum time between two updates of a session's last use, so that most page views write nothing to the store."""
INVITATION_LIFETIME_SECONDS = 3 * DAY_SECONDS
INVITATION_PATH = "/-/welcome/"
_HASH_METHOD = "scrypt:32768:8:1"


@functools.cache
def _dummy_hash() -> str:
    # The check of an unknown user takes as long as that of a known one, and does not reveal which users exist.
    return generate_password_hash(secrets.token_urlsafe(16), method=_HASH_METHOD)


def check_name(name: str) -> str:
    """Return a user name with its Unicode characters and spaces normalized. Raises InputError for an invalid name."""
    name = unicodedata.normalize("NFC", " ".join(name.split()))
    if not name or len(name) > MAX_NAME_LENGTH or not name.isprintable() or "/" in name:
        raise InputError(Message("a name has 1 to {limit} printable characters and no slash", limit=MAX_NAME_LENGTH))
    return name


def parse_role(role: str) -> Role:
    """Return the role with this name. Raises InputError for an unknown role."""
    for known_role in ROLES:
        if role == known_role:
            return known_role
    raise InputError(Message("unknown role {role}; expected one of {names}", role=repr(role), names=", ".join(ROLES)))


def check_password(password: str) -> None:
    """Raise InputError if a new password is too short or too long."""
    if not MIN_PASSWORD_LENGTH <= len(password) <= MAX_PASSWORD_LENGTH:
        raise InputError(
            Message(
                "a password has {minimum} to {maximum} characters; choose, for example, a sentence",
                minimum=str(MIN_PASSWORD_LENGTH),
                maximum=str(MAX_PASSWORD_LENGTH),
            )
        )


def hash_password(password: str) -> str:
    """Return the hash of a new password. Raises InputError if the password is too short or too long."""
    check_password(password)
    return generate_password_hash(_normalize_password(password), method=_HASH_METHOD)


def _normalize_password(password: str) -> str:
    # It does not matter how a keyboard composes letters. A character that UTF-8 cannot encode becomes "?".
    return unicodedata.normalize("NFKC", password).encode("utf-8", "replace").decode()


def role_allows(role: Role, required: Role) -> bool:
    """Return whether the role ``role`` has all rights of the role ``required``."""
    return ROLES.index(role) >= ROLES.index(required)


def verify_password(user: User | None, password: str) -> bool:
    """Return whether ``password`` is the password of the user; false for an unknown user (None)."""
    password_hash = user.password_hash if user is not None and user.password_hash else _dummy_hash()
    matches = check_password_hash(password_hash, _normalize_password(password[:MAX_PASSWORD_LENGTH]))
    return matches and password_hash is not _dummy_hash() and len(password) <= MAX_PASSWORD_LENGTH


def add_user(store: Store, name: str, *, role: Role, password: str | None, now: int) -> None:
    """Add a user.

    Without ``password``, the user chooses one with an invitation. Raises InputError, and Conflict if the name exists.
    """
    hashed = "" if password is None else hash_password(password)
    with store.transaction():
        accounts.add(store, check_name(name), role=role, password_hash=hashed, now=now)
        # There is a user now, so the invitation of the first admin becomes invalid.
        accounts.delete_first_admin_invitations(store)


def set_role(store: Store, name: str, role: Role, *, now: int) -> None:
    """Change the role of a user and end the user's sessions. Raises NotFound, or InputError for the last admin."""
    with store.transaction():
        user = accounts.get(store, name)
        if user.role == role:
            return
        _require_not_last_admin(store, user)
        accounts.set_role(store, user.id, role, now=now)
        accounts.end_sessions(store, user.id)


def set_password(store: Store, name: str, password: str, *, now: int) -> None:
    """Change the password of a user and end the user's sessions. Raises NotFound, InputError."""
    hashed = hash_password(password)
    with store.transaction():
        user = accounts.get(store, name)
        accounts.set_password(store, user.id, hashed, now=now)
        accounts.end_sessions(store, user.id)


def remove_user(store: Store, name: str) -> None:
    """Remove a user and the user's sessions. Raises NotFound, or InputError for the last admin."""
    with store.transaction():
        user = accounts.get(store, name)
        _require_not_last_admin(store, user)
        accounts.remove(store, user.id)


def _require_not_last_admin(store: Store, user: User) -> None:
    if user.role == "admin" and user.password_hash and accounts.count_admins(store) == 1:
        raise InputError(
            Message("{name} is the last admin who can sign in; make another user admin first", name=user.name)
        )


def start_session(store: Store, user: User, *, now: int) -> str:
    """Start a session of a user, and return its token for the session cookie."""
    token = secrets.token_urlsafe(32)
    with store.transaction():
        accounts.delete_expired_sessions(
            store,
            created_before=now - SESSION_LIFETIME_SECONDS,
            seen_before=now - SESSION_IDLE_SECONDS - SESSION_TOUCH_SECONDS,
        )
        accounts.add_session(store, _hash_token(token), user.id, now=now)
    return token


def set_language(store: Store, user: User, language: str, *, now: int) -> None:
    """Store the language in which a user sees the pages; '' means the language that the browser asks for."""
    with store.transaction():
        accounts.set_language(store, user.id, language, now=now)


def session_user(store: Store, token: str, *, now: int) -> User | None:
    """Return the user who is signed in with this session token; None if the session has ended."""
    session = accounts.find_session(store, _hash_token(token))
    if (
        session is None
        or now - session.created_at >= SESSION_LIFETIME_SECONDS
        or now - session.seen_at >= SESSION_IDLE_SECONDS
    ):
        return None
    if now - session.seen_at >= SESSION_TOUCH_SECONDS:
        with store.transaction():
            accounts.touch_session(store, _hash_token(token), now=now)
            accounts.touch_user(store, session.user.id, now=now)
    return session.user


def end_session(store: Store, token: str) -> None:
    """End the session with this token."""
    with store.transaction():
        accounts.end_session(store, _hash_token(token))


def invite(store: Store, name: str, *, config: Config, now: int) -> str:
    """Return the URL of a new invitation for a user. Earlier ones of the user become invalid. Raises NotFound."""
    with store.transaction():
        return _create_invitation(store, accounts.get(store, name), config=config, now=now)


def invite_first_admin(store: Store, *, config: Config, now: int) -> str | None:
    """Return the invitation URL at which the first admin creates an account; None if there are users already."""
    with store.transaction():
        return None if accounts.count_users(store) else _create_invitation(store, None, config=config, now=now)


def _create_invitation(store: Store, user: User | None, *, config: Config, now: int) -> str:
    token = secrets.token_urlsafe(32)
    accounts.add_invitation(
        store, _hash_token(token), user.id if user else None, expires_at=now + INVITATION_LIFETIME_SECONDS
    )
    return f"{config.base_url}{INVITATION_PATH}{token}"


def find_invitation(store: Store, token: str, *, now: int) -> accounts.Invitation | None:
    """Return the invitation with this token, or None if it was used, has expired or never existed."""
    return accounts.find_invitation(store, _hash_token(token), now=now)


def accept_invitation(
    store: Store,
    token: str,
    *,
    name: str,  # used only for the first admin, who has no account yet
    password: str,
    now: int,
) -> User:
    """Set the password that an invited user has chosen, and return the user.

    Raises InputError for an invalid invitation, password or name.
    """
    hashed = hash_password(password)
    with store.transaction():
        invitation = accounts.find_invitation(store, _hash_token(token), now=now)
        if invitation is None or (invitation.user is None and accounts.count_users(store)):
            raise InputError(Message("this invite link was used or has expired; ask an admin for a new one"))
        if invitation.user is None:
            name = check_name(name)
            accounts.add(store, name, role="admin", password_hash=hashed, now=now)
        else:
            name = invitation.user.name
            accounts.set_password(store, invitation.user.id, hashed, now=now)
            accounts.end_sessions(store, invitation.user.id)
        accounts.use_invitation(store, _hash_token(token))
        return accounts.get(store, name)


def _hash_token(token: str) -> str:
    # A fast hash is enough, because tokens are random.
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
