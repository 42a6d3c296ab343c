"""Settings that editors change on the pages: storing them, and applying them to the configuration."""

from collections.abc import Iterable, Mapping

from shortener.config import Config
from shortener.errors import Doubtful, FieldError, InputError
from shortener.messages import Message
from shortener.settings import ZONE, parse_setting, setting_texts, with_settings
from shortener.store import Reader, Store, settings


def current_config(store: Reader, config: Config) -> Config:
    """Return the configuration ``config`` with the settings in the store applied."""
    return with_settings(config, settings.read(store))


def find_changes(
    store: Store,
    texts: Mapping[str, str],  # the submitted values by key
    *,
    config: Config,  # without the stored settings
    confirmed: bool = False,  # whether the time zone may change
) -> dict[str, str | None]:
    """Return the changed settings among the submitted ones, by key. None means the default value.

    Raises FieldError, Doubtful.
    """
    present, defaults = setting_texts(current_config(store, config), texts), setting_texts(config, texts)
    # A key that the configuration file or the environment sets is skipped. An empty text means the default.
    values = {key: _canonicalize(key, text) or defaults[key] for key, text in texts.items() if key not in config.given}
    changes = {key: text for key, text in values.items() if text != present[key]}
    if ZONE in changes and not confirmed:
        raise Doubtful(_explain_zone(present[ZONE], changes[ZONE]), field=ZONE)
    return {key: None if text == defaults[key] else text for key, text in changes.items()}


def put_settings(store: Store, values: Mapping[str, str | None]) -> None:
    """Store settings by key. None deletes a setting, which then has its default value."""
    for key, value in values.items():
        if value is not None:
            settings.put(store, key, value)
    removed = [key for key, value in values.items() if value is None]
    if removed:
        settings.delete(store, removed)


def stored_values(store: Store, keys: Iterable[str]) -> dict[str, str | None]:
    """Return the stored texts of the settings with these keys, by key; None for a setting that is not stored."""
    stored = settings.read(store)
    return {key: stored.get(key) for key in keys}


def _canonicalize(key: str, text: str) -> str:
    try:
        return str(parse_setting(key, text)) if text else ""
    except InputError as error:
        raise FieldError(error.args[0], field=key) from error


def _explain_zone(old: str, new: str) -> Message:
    return Message(
        "with {new} instead of {old}, days begin at a different time: clicks near midnight move to the day before or "
        "after, also in past reports, and an issue sent near the end of a month may move to another month. Totals do "
        "not change",
        new=new,
        old=old,
    )
