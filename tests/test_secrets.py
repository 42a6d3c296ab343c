"""The secret of sessions: made when there is none, for the owner alone; one that could be guessed is refused."""

import threading
from pathlib import Path

import pytest

from shortener.config import Config, Site, Storage
from shortener.errors import ConfigError
from shortener.secrets import FILE_NAME, MIN_LENGTH, session_secret


def configured(directory: Path, secret: str = "") -> Config:
    """A configuration with this secret."""
    return Config(site=Site(secret=secret), storage=Storage(data=str(directory)))


def test_a_secret_is_made_once_and_for_its_owner(tmp_path: Path) -> None:
    """Long, the same the next time, readable by nobody else; of twenty who start at once all have the same."""
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(session_secret(configured(tmp_path)))) for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20
    assert len(set(found)) == 1
    assert len(found[0]) >= MIN_LENGTH
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o077 == 0
    assert [each.name for each in tmp_path.iterdir()] == [FILE_NAME]


@pytest.mark.parametrize("secret", ["dev", "secret", "x" * (MIN_LENGTH - 1)])
def test_a_configured_secret_has_to_be_long(tmp_path: Path, secret: str) -> None:
    """A short one is refused with what is expected; one of enough characters is taken."""
    with pytest.raises(ConfigError, match="at least 32 characters"):
        session_secret(configured(tmp_path, secret))
    assert session_secret(configured(tmp_path, "y" * MIN_LENGTH)) == "y" * MIN_LENGTH


@pytest.mark.parametrize("content", ["", "\n", "short\n"])
def test_a_file_that_holds_no_secret_is_refused(tmp_path: Path, content: str) -> None:
    """An empty file, as a full disk leaves one, is named with the mend; nothing signs with it."""
    (tmp_path / FILE_NAME).write_text(content)
    with pytest.raises(ConfigError, match="remove the file"):
        session_secret(configured(tmp_path))
