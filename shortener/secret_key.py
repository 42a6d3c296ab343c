"""The secret that signs sessions: made at first start, for the owner's eyes only; there is no default one."""

import os
import secrets
from pathlib import Path

from shortener.config import Config
from shortener.errors import ConfigError, StoreError

KEY_FILE_NAME = "secret"
MIN_SECRET_LENGTH = 32


def session_secret(config: Config) -> str:
    """The configured secret, else the one of the data directory, made when there is none yet.

    Raises ConfigError for a secret that could be guessed, StoreError where none can be made.
    """
    if config.site.secret:
        if len(config.site.secret) < MIN_SECRET_LENGTH:
            raise ConfigError(
                f"site.secret: expected at least {MIN_SECRET_LENGTH} characters, or none to have one made"
            )
        return config.site.secret
    path = config.data_directory / KEY_FILE_NAME
    try:
        if not path.exists() or not path.stat().st_size:
            _create_secret(path)
        return _read_secret(path)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}; without it nobody can sign in") from error


def _read_secret(path: Path) -> str:
    text = path.read_text(encoding="ascii").strip()
    if len(text) < MIN_SECRET_LENGTH:
        raise ConfigError(f"{path}: too short to be a secret; remove the file to have a new one made")
    return text


def _create_secret(path: Path) -> None:
    """Written beside and then linked, so that of two processes that start at once both read the same secret.

    Synced before it has its name; what a power cut left empty all the same is no secret of anybody, and goes.
    """
    fresh = path.with_name(f".{KEY_FILE_NAME}-{secrets.token_hex(4)}")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48) + "\n")
            file.flush()
            os.fsync(fd)
        if path.exists() and not path.stat().st_size:
            path.unlink()
        path.hardlink_to(fresh)
    except FileExistsError:
        pass
    finally:
        fresh.unlink(missing_ok=True)
