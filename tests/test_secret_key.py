"""The secret that signs session cookies: generation, validation, and damaged files."""

import threading
from pathlib import Path

import pytest

from shortener.config import Config, Site, Storage
from shortener.errors import ConfigError, StoreError
from shortener.secret_key import session_secret


def config(data: Path, secret: str = "") -> Config:
    """Return a configuration with this secret."""
    data.mkdir(exist_ok=True)
    return Config(site=Site(secret=secret), storage=Storage(data=str(data)))


def test_a_generated_secret_is_stored(tmp_path: Path) -> None:
    """A secret is generated once, stored readable by its owner only, and read afterwards."""
    secret = session_secret(config(tmp_path))
    assert len(secret) >= 32
    assert session_secret(config(tmp_path)) == secret
    assert (tmp_path / "secret").stat().st_mode & 0o077 == 0
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_an_empty_secret_file_is_replaced(tmp_path: Path) -> None:
    """An empty file, as after a power failure, is replaced by a generated secret."""
    (tmp_path / "secret").touch()
    secret = session_secret(config(tmp_path))
    assert len(secret) >= 32
    assert session_secret(config(tmp_path)) == secret


def test_short_secrets_are_refused(tmp_path: Path) -> None:
    """A short secret in file or configuration is refused, not replaced."""
    (tmp_path / "secret").write_text("guess me")
    with pytest.raises(ConfigError, match="too short"):
        session_secret(config(tmp_path))
    for chosen in ("dev", "secret", "x" * 31):
        with pytest.raises(ConfigError, match="at least 32"):
            session_secret(config(tmp_path, chosen))
    assert session_secret(config(tmp_path, "y" * 32)) == "y" * 32


def test_a_missing_data_directory(tmp_path: Path) -> None:
    """If the secret cannot be written, StoreError is raised."""
    missing = config(tmp_path / "data")
    (tmp_path / "data").rmdir()
    with pytest.raises(StoreError, match="users cannot sign in"):
        session_secret(missing)


def test_concurrent_starts_agree_on_one_secret(tmp_path: Path) -> None:
    """Of many concurrent starts without a secret, all return the one that is stored."""
    settings, secrets = config(tmp_path), set()
    threads = [threading.Thread(target=lambda: secrets.add(session_secret(settings))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(secrets) == 1
