"""Settings that editors change: precedence, values that are refused, and stored values that are not valid any more."""

from pathlib import Path

import pytest

from shortener.config import Config, load
from shortener.errors import InputError
from shortener.settings import parse_setting, setting_keys, setting_texts, with_settings

STORED = {
    "site.name": "Low Tide",
    "site.timezone": "Europe/Berlin",
    "ranking.top": "7",
    "ranking.gems": "0",
    "privacy.text": "Ask us.",
    "domain.go.example.home": "https://example.com/",
}


def load_text(tmp_path: Path, text: str, **environment: str) -> Config:
    """Return the configuration of a file with this text and of these environment variables."""
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    return load(path, environment=environment)


def test_stored_values_replace_defaults(tmp_path: Path) -> None:
    """Every setting that neither file nor environment gives has its stored value."""
    config = with_settings(load_text(tmp_path, '[[domain]]\nhost = "Go.Example"'), STORED)
    assert setting_texts(config, setting_keys(config)) == STORED
    assert (config.zone.key, config.ranking.top, config.ranking.window) == ("Europe/Berlin", 7, 24)


def test_file_and_environment_precede_the_store(tmp_path: Path) -> None:
    """A value of the environment precedes one of the file, which precedes the stored one."""
    text = '[site]\nname = "File"\ntimezone = "UTC"\n[[domain]]\nhost = "go.example"\nhome = ""\n'
    given = load_text(tmp_path, text, SHORTENER_SITE__NAME="Environment")
    config = with_settings(given, STORED)
    assert (config.site.name, config.site.timezone, config.domains[0].home) == ("Environment", "UTC", "")
    assert given.given == {
        "site.name": "SHORTENER_SITE__NAME",
        "site.timezone": "config.toml",
        "domain.go.example.host": "config.toml",
        "domain.go.example.home": "config.toml",
    }


def test_the_variable_of_all_domains_gives_their_keys(tmp_path: Path) -> None:
    """``SHORTENER_DOMAIN`` gives the keys that it has, and no others."""
    config = load_text(tmp_path, "", SHORTENER_DOMAIN='[{host = "go.example"}]')
    assert config.given == {"domain.go.example.host": "SHORTENER_DOMAIN"}


def test_the_domain_of_the_base_url_has_a_home_page(tmp_path: Path) -> None:
    """Without [[domain]] the host of the pages is the domain, and its home page is a setting too."""
    config = load_text(tmp_path, '[site]\nbase_url = "https://go.example"')
    assert with_settings(config, STORED).domains[0].home == "https://example.com/"


def test_unusable_stored_values_are_left_out() -> None:
    """A stored value that this version or machine does not know, or of a domain that is gone, changes nothing."""
    stored = {"site.timezone": "Mars/Base", "ranking.top": "9999", "domain.old.example.home": "https://a.example/"}
    assert with_settings(Config(), stored) == Config()
    assert with_settings(Config(), {"server.port": "80"}) == Config()


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        ("site.timezone", "Mars/Base", "enter a time zone such as Europe/Berlin"),
        ("site.timezone", "../../etc/passwd", "enter a time zone"),
        ("site.name", "x" * 101, "enter a text of at most 100 characters"),
        ("privacy.text", "x" * 4001, "enter a text of at most 4,000 characters"),
        ("ranking.top", "0", "enter a whole number from 1 to 100"),
        ("ranking.top", "many", "enter a whole number from 1 to 100"),
        ("ranking.top", "9" * 5000, "enter a whole number from 1 to 100"),
        ("ranking.gems", "-1", "enter a whole number from 0 to 100"),
        ("domain.go.example.home", "javascript:x", "is not a web address"),
        ("domain.go.example.home", "/x", "write it in full"),
        ("domain.go.example.home", "https://GO.example", "is the domain itself"),
    ],
)
def test_bad_values_are_refused_in_the_words_of_the_file(key: str, text: str, message: str) -> None:
    """A value that the configuration file may not have is refused with the description of its key."""
    with pytest.raises(InputError, match=message):
        parse_setting(key, text)
