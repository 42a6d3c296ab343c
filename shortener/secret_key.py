"""The secret that signs session cookies, from the configuration or generated at the first start."""

import os
import secrets
from pathlib import Path

from shortener.config import Config
from shortener.errors import ConfigError, StoreError

KEY_FILE_NAME = "secret"
MIN_SECRET_LENGTH = 32  # characters


def session_secret(config: Config) -> str:
    """Return the secret that signs session cookies, from the configuration or else from a file.

    Raises ConfigError, StoreError.
    """
    if config.site.secret:
        if len(config.site.secret) < MIN_SECRET_LENGTH:
            raise ConfigError(
                f"site.secret: expected at least {MIN_SECRET_LENGTH} characters, or none for a generated secret"
            )
        return config.site.secret
    path = config.data_directory / KEY_FILE_NAME
    try:
        if not path.exists() or not path.stat().st_size:
            _create_secret(path)
        return _read_secret(path)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}; without it users cannot sign in") from error


def _read_secret(path: Path) -> str:
    text = path.read_text(encoding="ascii").strip()
    if len(text) < MIN_SECRET_LENGTH:
        raise ConfigError(f"{path}: too short to be a secret; delete the file to have a new one generated")
    return text


def _create_secret(path: Path) -> None:
    # Written to a temporary file and then linked, so that processes that start together all read one secret. Synced
    # before the link, so that a power failure leaves no empty secret; an empty one is replaced.
    temporary = path.with_name(f".{KEY_FILE_NAME}-{secrets.token_hex(4)}")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48) + "\n")
            file.flush()
            os.fsync(fd)
        if path.exists() and not path.stat().st_size:
            path.unlink()
        path.hardlink_to(temporary)
    except FileExistsError:
        pass
    finally:
        temporary.unlink(missing_ok=True)
