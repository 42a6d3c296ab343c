"""Phrases in many languages, and lists of well-known hosts, from the files in ``data/``. Each file is read once."""

import re
import tomllib
from functools import cache
from importlib.resources import files

_FOREIGN_LETTERS = re.compile(r"[^\x00-\x7f]+")

HOSTS_FILE = "hosts.toml"
"""Name of the file that lists known hosts; every other data file belongs to one language."""


@cache
def read_data_files() -> dict[str, dict[str, list[str]]]:
    """Return the content of all bundled data files as ``{file name: {key: entries}}``."""
    paths = sorted(files("shortener.newsletter").joinpath("data").iterdir(), key=lambda path: path.name)
    return {path.name: tomllib.loads(path.read_text("utf-8")) for path in paths if path.name.endswith(".toml")}


def language_entries(key: str) -> list[str]:
    """Return the phrases that the data files of all languages list under ``key``. Raises KeyError if there are none."""
    by_language = (data for name, data in read_data_files().items() if name != HOSTS_FILE)
    entries = [entry for data in by_language for entry in data.get(key, ())]
    if not entries:  # an empty pattern would match any text
        raise KeyError(key)
    return entries


def language_pattern(key: str) -> str:
    """Return a regular expression that matches any phrase listed under ``key`` in any language.

    It matches only text that is case-folded.
    """
    pattern = "|".join(dict.fromkeys(language_entries(key)))
    return f"(?:{_FOREIGN_LETTERS.sub(lambda match: match[0].casefold(), pattern)})"


def host_entries(key: str) -> frozenset[str]:
    """Return the entries under ``key`` in the bundled list of well-known hosts.

    Raises KeyError if the list has no such key.
    """
    return frozenset(read_data_files()[HOSTS_FILE][key])


def host_pattern(key: str) -> str:
    """Return a regular expression that matches any entry under ``key`` in the bundled list of well-known hosts."""
    return f"(?:{'|'.join(sorted(host_entries(key)))})"
