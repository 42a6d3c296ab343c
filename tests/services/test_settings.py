"""Storing of settings: changes against what is in force, the question before another time zone, and undoing."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from shortener.config import Config, Domain, Site
from shortener.errors import Doubtful, FieldError
from shortener.services import history
from shortener.services.settings import current_config, find_changes, put_settings, stored_values
from shortener.store import Store, open_reader, open_store, page_changes
from shortener.store.backups import back_up

CONFIG = Config(site=Site(name="Low Tide"), domain=(Domain(host="go.example"),))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    with closing(open_store(tmp_path)) as opened:
        yield opened


def save(store: Store, texts: dict[str, str], config: Config = CONFIG) -> dict[str, str | None]:
    """Store these settings, confirmed, and return the changes."""
    with store.transaction():
        changes = find_changes(store, texts, config=config, confirmed=True)
        put_settings(store, changes)
    return changes


def test_only_differences_are_stored(store: Store) -> None:
    """A text like the present value is no change; an empty one, and the default, delete what is stored."""
    assert save(store, {"site.name": "Low Tide", "ranking.top": "10"}) == {}
    assert save(store, {"site.name": "High Tide", "ranking.top": "010"}) == {"site.name": "High Tide"}
    assert current_config(store, CONFIG).site.name == "High Tide"
    assert save(store, {"site.name": ""}) == {"site.name": None}
    assert stored_values(store, ["site.name"]) == {"site.name": None}
    assert current_config(store, CONFIG) == CONFIG


def test_given_keys_are_not_stored(store: Store) -> None:
    """A key that the file gives is skipped, even with a value that is not valid."""
    config = Config(given={"site.timezone": "config.toml"})
    assert find_changes(store, {"site.timezone": "Mars", "ranking.gems": "2"}, config=config) == {"ranking.gems": "2"}


def test_errors_are_at_their_field(store: Store) -> None:
    """The field of an error is the key, and nothing is stored."""
    with pytest.raises(FieldError, match="from 1 to 100") as error:
        save(store, {"site.name": "Other", "ranking.top": "0"})
    assert error.value.field == "ranking.top"
    assert current_config(store, CONFIG) == CONFIG


def test_another_zone_is_explained_first(store: Store) -> None:
    """A change of the time zone needs a confirmation, which says what will change."""
    with pytest.raises(Doubtful, match="days begin at a different time") as error:
        find_changes(store, {"site.timezone": "Asia/Tokyo"}, config=CONFIG)
    assert error.value.field == "site.timezone"
    assert save(store, {"site.timezone": "Asia/Tokyo"}) == {"site.timezone": "Asia/Tokyo"}
    assert find_changes(store, {"site.timezone": "Asia/Tokyo"}, config=CONFIG) == {}


def test_a_change_raises_the_revision(store: Store) -> None:
    """Every process notices a changed setting by the revision, as it notices an edited link."""
    before = store.meta("links_revision")
    save(store, {"site.name": "Spring Tide"})
    assert store.meta("links_revision") > before


def change(store: Store, texts: dict[str, str]) -> int:
    """Store settings as the page does, and return the id of the change."""
    keys = ["site.name", "ranking.top"]
    state = history.stored_settings
    with history.recorded(
        store, lambda: state(store, keys), page="settings", summary="Settings", who="ada", now=1
    ) as recorder:
        put_settings(store, find_changes(store, texts, config=CONFIG))
    assert recorder.change_id is not None
    return recorder.change_id


def test_undo_restores_the_values_before(store: Store) -> None:
    """Undoing restores what was stored, also nothing, and leaves other settings that were changed later."""
    first = change(store, {"site.name": "Spring Tide"})
    change(store, {"ranking.top": "3"})
    history.undo(store, page_changes.get(store, first), who="ann", now=2)
    assert stored_values(store, ["site.name", "ranking.top"]) == {"site.name": None, "ranking.top": "3"}


def test_backups_have_the_settings(store: Store, tmp_path: Path) -> None:
    """A backup, copied to a data directory, has the stored settings."""
    save(store, {"site.timezone": "Asia/Tokyo", "privacy.text": "Ask us."})
    restored = tmp_path / "restored"
    restored.mkdir()
    back_up(store, restored / "store.db", now=1)
    with closing(open_reader(restored)) as reader:
        config = current_config(reader, CONFIG)
    assert (config.site.timezone, config.privacy.text) == ("Asia/Tokyo", "Ask us.")
