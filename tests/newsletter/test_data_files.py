"""Data files of languages and hosts: keys, valid patterns, and lists that only some languages have."""

import re

import pytest

from shortener.newsletter.data_files import (
    HOSTS_FILE,
    host_pattern,
    language_entries,
    language_pattern,
    read_data_files,
)
from shortener.newsletter.phrases import normalize

LANGUAGES = {name: data for name, data in read_data_files().items() if name != HOSTS_FILE}


@pytest.mark.parametrize("name", LANGUAGES)
def test_keys_of_a_language(name: str) -> None:
    """A language has only keys that the English file explains, so that a misspelt key is noticed."""
    assert LANGUAGES[name].keys() <= LANGUAGES["en.toml"].keys()


@pytest.mark.parametrize("name", read_data_files())
def test_entries_are_valid_patterns(name: str) -> None:
    """Every entry of a data file is a valid regular expression that does not match an empty text."""
    for entries in read_data_files()[name].values():
        for entry in entries:
            assert not re.compile(entry).fullmatch(""), entry


def test_entries_of_all_languages_are_joined() -> None:
    """A pattern matches the entries of every language that has the key."""
    assert {"von", "van"} <= set(language_entries("name_particle"))
    assert re.fullmatch(language_pattern("read_more"), "weiterlesen")
    assert re.fullmatch(language_pattern("read_more"), "llegir més")
    assert re.fullmatch(host_pattern("boilerplate_subdomains"), "shop")


def test_unknown_key_raises_an_error() -> None:
    """A key that no file has raises KeyError, because an empty pattern would match any text."""
    with pytest.raises(KeyError, match="no_such_key"):
        language_pattern("no_such_key")
    with pytest.raises(KeyError, match="no_such_key"):
        host_pattern("no_such_key")


@pytest.mark.parametrize(
    ("text", "normalized"),
    [
        ("  Read More → ", "read more"),
        ("पूरा पढ़ें ❤️", "पूरा पढ़ें"),
        ("« อ่านเพิ่ม »", "อ่านเพิ่ม"),
        ("İPTAL", "iptal"),
        ("Schließen!", "schliessen"),
        ("here️", "here"),
    ],
)
def test_texts_are_normalized(text: str, normalized: str) -> None:
    """Punctuation and emoji at both ends go; vowel signs of Hindi and Thai at the end stay."""
    assert normalize(text) == normalized


def test_entries_match_folded_text() -> None:
    """An entry matches whichever way its letters are folded, such as a Greek final sigma."""
    assert re.search(language_pattern("opt_out_text"), normalize("ΔΙΑΓΡΑΦΉ ΣΥΝΔΡΟΜΉΣ"))


@pytest.mark.parametrize("name", LANGUAGES)
def test_every_language_has_the_words_around_links(name: str) -> None:
    """Each language has the words for "read more", "here", "view in browser", "contact" and leaving the list."""
    needed = {"read_more", "generic_text", "service_text", "boilerplate_text", "footer_text", "opt_out_text"}
    assert needed | {"opt_out_context", "navigation_heading", "sponsor_label"} <= LANGUAGES[name].keys()
