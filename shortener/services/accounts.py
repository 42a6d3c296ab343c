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
MIN_PASSWORD, MAX_PASSWORD = 10, 1024
"""Characters. The upper bound keeps a megabyte from being hashed."""
MAX_NAME = 60  # characters
SESSION_SECONDS = 90 * 86_400
"""A session ends at this age, however busy it is."""
IDLE_SECONDS = 14 * 86_400
"""A session ends when it was not used for so long."""
SEEN_SECONDS = 3600
"""How exactly it is known when a session was last used: a page view is to write nothing."""
INVITATION_SECONDS = 3 * 86_400
WELCOME_PATH = "/-/welcome/"
_METHOD = "scrypt:32768:8:1"


@functools.cache
def _nobody() -> str:
    """The hash that is checked where there is no user, so that the answer takes as long as for a wrong password."""
    return generate_password_hash(secrets.token_urlsafe(16), method=_METHOD)


def check_name(name: str) -> str:
    """A user's name in its normal form. Raises InputError for what would not look like itself in a list."""
    name = unicodedata.normalize("NFC", " ".join(name.split()))
    if not name or len(name) > MAX_NAME or not name.isprintable() or "/" in name:
        raise InputError(f"the name has to have 1 to {MAX_NAME} printable characters, and no slash")
    return name


def check_role(role: str) -> Role:
    """The role of that name. Raises InputError."""
    for known in ROLES:
        if role == known:
            return known
    raise InputError(f"{role!r} is no role; choose one of {', '.join(ROLES)}")


def hash_password(password: str) -> str:
    """The hash of a new password. Raises InputError for one that is too short or too long."""
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise InputError(
            f"a password has {MIN_PASSWORD} to {MAX_PASSWORD} characters; a sentence is a good one"
        )
    return generate_password_hash(_normal(password), method=_METHOD)


def _normal(password: str) -> str:
    """The same password whichever keyboard composed its letters; surrogates cannot be encoded otherwise."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "replace").decode()


def allows(role: Role, needed: Role) -> bool:
    """Whether a role may do what another may."""
    return ROLES.index(role) >= ROLES.index(needed)


def verify(user: User | None, password: str) -> bool:
    """Whether this is the user's password; takes as long for nobody, and for a user who has none yet."""
    known = user.password if user is not None and user.password else _nobody()
    right = check_password_hash(known, _normal(password[:MAX_PASSWORD]))
    return right and known is not _nobody() and len(password) <= MAX_PASSWORD


def add_user(store: Store, name: str, *, role: Role, password: str | None, now: int) -> None:
    """Add a user; without a password one has to be chosen through a one-time address.

    Raises InputError, Conflict. The address that would make a first admin ends with the first user.
    """
    hashed = "" if password is None else hash_password(password)
    with store.writing():
        accounts.add(store, check_name(name), role=role, password=hashed, now=now)
        accounts.forget_first_invitations(store)


def set_role(store: Store, name: str, role: Role, *, now: int) -> None:
    """Give a user another role and end all sessions. Raises NotFound, InputError for the last admin."""
    with store.writing():
        user = accounts.get(store, name)
        if user.role == role:
            return
        _keep_an_admin(store, user)
        accounts.set_role(store, user.id, role, now=now)
        accounts.end_sessions(store, user.id)


def set_password(store: Store, name: str, password: str, *, now: int) -> None:
    """Give a user another password and end all sessions. Raises NotFound, InputError."""
    hashed = hash_password(password)
    with store.writing():
        user = accounts.get(store, name)
        accounts.set_password(store, user.id, hashed, now=now)
        accounts.end_sessions(store, user.id)


def remove_user(store: Store, name: str) -> None:
    """Remove a user, whose sessions end at once. Raises NotFound, InputError for the last admin."""
    with store.writing():
        user = accounts.get(store, name)
        _keep_an_admin(store, user)
        accounts.remove(store, user.id)


def _keep_an_admin(store: Store, user: User) -> None:
    """Raise InputError when nobody could manage users any more without this one."""
    if user.role == "admin" and user.password and accounts.admins(store) == 1:
        raise InputError(f"{user.name} is the last admin who can sign in; make somebody else admin first")


def start_session(store: Store, user: User, *, now: int) -> str:
    """Remember a browser that has just proved to be the user's; the token for its cookie."""
    token = secrets.token_urlsafe(32)
    with store.writing():
        accounts.forget_sessions(
            store, created_before=now - SESSION_SECONDS, seen_before=now - IDLE_SECONDS - SEEN_SECONDS
        )
        accounts.add_session(store, _hash(token), user.id, now=now)
    return token


def signed_in(store: Store, token: str, *, now: int) -> User | None:
    """The user of a session's token, None when the session has ended."""
    found = accounts.session(store, _hash(token))
    if found is None or now - found.created_at >= SESSION_SECONDS or now - found.seen_at >= IDLE_SECONDS:
        return None
    if now - found.seen_at >= SEEN_SECONDS:
        with store.writing():
            accounts.see_session(store, _hash(token), now=now)
    return found.user


def end_session(store: Store, token: str) -> None:
    """Sign a browser out."""
    with store.writing():
        accounts.end_session(store, _hash(token))


def invite(store: Store, name: str, *, config: Config, now: int) -> str:
    """A one-time address at which a user chooses a new password; replaces the one before. Raises NotFound."""
    with store.writing():
        return _invite(store, accounts.get(store, name), config=config, now=now)


def invite_first(store: Store, *, config: Config, now: int) -> str | None:
    """The one-time address that makes the first admin, None where there are users already."""
    with store.writing():
        return None if accounts.count(store) else _invite(store, None, config=config, now=now)


def _invite(store: Store, user: User | None, *, config: Config, now: int) -> str:
    token = secrets.token_urlsafe(32)
    accounts.add_invitation(
        store, _hash(token), user.id if user else None, expires_at=now + INVITATION_SECONDS
    )
    return f"{config.base_url}{WELCOME_PATH}{token}"


def invited(store: Store, token: str, *, now: int) -> accounts.Invitation | None:
    """Whom a one-time address is for, None when it was used, has expired or never was."""
    return accounts.invitation(store, _hash(token), now=now)


def accept(store: Store, token: str, *, name: str, password: str, now: int) -> User:
    """Use a one-time address: choose a password, and as the first admin a name; the user who is signed in by it.

    Raises InputError. Of two who use one address at once, one gets in.
    """
    hashed = hash_password(password)
    with store.writing():
        found = accounts.invitation(store, _hash(token), now=now)
        if found is None or (found.user is None and accounts.count(store)):
            raise InputError("this one-time address was used or is too old; ask an admin for a new one")
        if found.user is None:
            name = check_name(name)
            accounts.add(store, name, role="admin", password=hashed, now=now)
        else:
            name = found.user.name
            accounts.set_password(store, found.user.id, hashed, now=now)
            accounts.end_sessions(store, found.user.id)
        accounts.use_invitation(store, _hash(token))
        return accounts.get(store, name)


def _hash(token: str) -> str:
    """A token as it is stored; it is random, so that a fast hash is enough."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
