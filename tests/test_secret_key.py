"""The secret that signs sessions, and what can happen to its file."""

import threading
from pathlib import Path

import pytest

from shortener.config import Config, Site, Storage
from shortener.errors import ConfigError, StoreError
from shortener.secret_key import session_secret


def config(data: Path, secret: str = "") -> Config:
    """A configuration with this secret."""
    data.mkdir(exist_ok=True)
    return Config(site=Site(secret=secret), storage=Storage(data=str(data)))


def test_a_made_secret_is_kept_for_its_owner(tmp_path: Path) -> None:
    """One is made at the first start, the next starts read it, and nobody else can."""
    made = session_secret(config(tmp_path))
    assert len(made) >= 32
    assert session_secret(config(tmp_path)) == made
    assert (tmp_path / "secret").stat().st_mode & 0o077 == 0
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_what_a_power_cut_left_empty_is_made_anew(tmp_path: Path) -> None:
    """An empty file keeps no server from starting, and is no secret."""
    (tmp_path / "secret").touch()
    made = session_secret(config(tmp_path))
    assert len(made) >= 32
    assert session_secret(config(tmp_path)) == made


def test_what_could_be_guessed_is_refused(tmp_path: Path) -> None:
    """A short secret that somebody chose is named, and not replaced behind his back."""
    (tmp_path / "secret").write_text("guess me")
    with pytest.raises(ConfigError, match="too short"):
        session_secret(config(tmp_path))
    for chosen in ("dev", "secret", "x" * 31):
        with pytest.raises(ConfigError, match="at least 32"):
            session_secret(config(tmp_path, chosen))
    assert session_secret(config(tmp_path, "y" * 32)) == "y" * 32


def test_where_none_can_be_made_it_is_said(tmp_path: Path) -> None:
    """No traceback where the data directory is gone."""
    gone = config(tmp_path / "data")
    (tmp_path / "data").rmdir()
    with pytest.raises(StoreError, match="nobody can sign in"):
        session_secret(gone)


def test_processes_that_start_at_once_read_the_same(tmp_path: Path) -> None:
    """Of many that find none, one makes it and all use it."""
    wanted, found = config(tmp_path), set()
    threads = [threading.Thread(target=lambda: found.add(session_secret(wanted))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 1
