"""The configuration: accepted and refused values, messages, and completeness of the example file."""

import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from shortener.config import ConfigFile, Domain, load
from shortener.errors import ConfigError

EXAMPLE = Path(__file__).parent.parent / "config.example.toml"


def write(tmp_path: Path, text: str) -> Path:
    """Write a configuration file and return its path."""
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_example_lists_every_key_with_its_default() -> None:
    """config.example.toml has every key commented out; without the marks it is the default configuration."""
    text = EXAMPLE.read_text(encoding="utf-8")
    assert not [key for table in tomllib.loads(text).values() for key in table]
    tree = tomllib.loads(re.sub(r"^#(?=[^ ])", "", text, flags=re.M))
    domain = tree.pop("domain")[0]
    expected = msgspec.json.decode(msgspec.json.encode(ConfigFile()))
    expected.pop("domain")
    assert tree == expected
    assert domain == msgspec.to_builtins(Domain(host="go.example.com"))


def test_the_example_is_valid() -> None:
    """The example file is a valid configuration."""
    assert load(EXAMPLE, environment={}).server.port == 8000


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        pytest.param("[server]\nprot = 1", ["server.prot", "no such key", "port"], id="unknown key"),
        pytest.param("[sever]\nport = 1", ["sever", "no such key", "server"], id="unknown table"),
        pytest.param("[server]\nport = 0", ["server.port = 0", "a whole number from 1 to 65535"], id="port 0"),
        pytest.param("[server]\nport = 70000", ["server.port = 70000", "from 1 to 65535"], id="port 70000"),
        pytest.param('[server]\nport = "x"', ["server.port = 'x'", "expected a whole number"], id="port of letters"),
        pytest.param(
            "[redirect]\nstatus = 303", ["redirect.status = 303: expected one of 301, 302, 307, 308"], id="status"
        ),
        pytest.param(
            '[redirect]\nforward = "all"',
            ["redirect.forward = 'all': expected one of merge, override, drop"],
            id="forward",
        ),
        pytest.param('[site]\ntimezone = "Mars/Base"', ["Mars/Base", "a time zone such as"], id="zone"),
        pytest.param(
            '[site]\nbase_url = "links.example"', ["site.base_url = 'links.example'", "a URL such as"], id="base_url"
        ),
        pytest.param('[server]\ntrusted_proxies = ["x"]', ["server.trusted_proxies", "'x'"], id="proxy"),
        pytest.param(
            '[[domain]]\nhost = "a/b"', ["domain[0].host = 'a/b': expected a host name"], id="host with a path"
        ),
        pytest.param('[[domain]]\nhome = "x"', ["domain[0]: the key host is missing"], id="domain without host"),
        pytest.param('[[domain]]\nhost = "A.b"\n[[domain]]\nhost = "a.b"', ["a.b", "twice"], id="domain twice"),
        pytest.param("[privacy]\nkeep_clicks = 3", ["keep_clicks = 3", "keep_log"], id="clicks before log"),
        pytest.param(
            '[[domain]]\nhost = "a.b:443"\n[[domain]]\nhost = "a.b."', ["a.b", "twice"], id="domain twice, with a port"
        ),
        pytest.param('[codes]\nalphabet = "aabcdefghkmnpqrstuv"', ["codes.alphabet", "twice"], id="alphabet"),
        pytest.param(
            '[codes]\nalphabet = "ab"', ["codes.alphabet = 'ab': expected 16 to 62 letters"], id="short alphabet"
        ),
        pytest.param('[[domain]]\nhost = "a.b"\nhome = "javascript:x"', ["domain.home", "web address"], id="home"),
        pytest.param('[[domain]]\nhost = "a.b"\nhome = "/x"', ["domain.home", "https://"], id="relative home"),
        pytest.param('[site]\nbase_url = "http://["', ["site.base_url", "http://["], id="base_url without an address"),
        pytest.param('[storage]\ndata = "~nobody-here/x"', ["storage.data", "~nobody-here"], id="unknown home"),
        pytest.param('[networks]\nasn = "a\\u0000"', ["networks.asn", "NUL"], id="path with NUL"),
        pytest.param("a = " + "[" * 9_000, ["TOML"], id="deeply nested"),
        pytest.param(
            "[clicklog]\nsync = -1", ["clicklog.sync = -1: expected a number from 0 to 60"], id="negative sync"
        ),
        pytest.param("[ranking]\nblend = [1]", ["ranking.blend = [1", "[0.6, 0.25, 0.15]"], id="one weight"),
        pytest.param("[ranking]\nblend = [0, 0, 0]", ["ranking.blend", "not all 0"], id="no weight"),
        pytest.param("[ranking]\nblend = [1, -1, 1]", ["ranking.blend[1]", "-1"], id="negative weight"),
        pytest.param("[ranking]\ngems = -1", ["ranking.gems = -1"], id="negative gems"),
        pytest.param("server = 3", ["server = 3: expected a table"], id="no table"),
        pytest.param("[ranking]\nbackground = 1", ["ranking.background = 1: expected true or false"], id="no boolean"),
        pytest.param('[server]\nmetrics = "x"', ["server.metrics = 'x': expected a list"], id="no list"),
        pytest.param("port = ", ["not valid TOML"], id="not TOML"),
    ],
)
def test_errors_name_key_value_and_expectation(tmp_path: Path, text: str, parts: list[str]) -> None:
    """An error is one line with file, key, value and what was expected."""
    with pytest.raises(ConfigError) as error:
        load(write(tmp_path, text), environment={})
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith("config.toml: ") or "not valid TOML" in message
    for part in parts:
        assert part in message


def test_unreadable_files(tmp_path: Path) -> None:
    """A missing file, a binary file and a directory are refused with ConfigError."""
    with pytest.raises(ConfigError, match=r"none\.toml: no such file"):
        load(tmp_path / "none.toml", environment={})
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load(tmp_path / "bad.toml", environment={})
    with pytest.raises(ConfigError, match="directory"):
        load(tmp_path, environment={})


def test_byte_order_mark(tmp_path: Path) -> None:
    """A file that an editor on Windows saved with a byte order mark is read."""
    assert load(write(tmp_path, "\ufeff[server]\nport = 9"), environment={}).server.port == 9


@pytest.mark.parametrize("text", ["", "domain = 3", '[[domain]]\nhost = "a.b"'])
def test_keys_of_a_list_cannot_be_set_by_the_environment(tmp_path: Path, text: str) -> None:
    """A variable for one key of [[domain]] is refused in one line that names it."""
    with pytest.raises(ConfigError, match="domain"):
        load(write(tmp_path, text), environment={"SHORTENER_DOMAIN__HOST": "x.example"})


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    """``SHORTENER_TABLE__KEY`` overrides ``[table] key`` with a value of the key's type."""
    path = write(tmp_path, "[server]\nport = 8100\n")
    secret = tmp_path / "secret.txt"
    secret.write_text("s" * 40 + "\n", encoding="utf-8")
    config = load(
        path,
        environment={
            "SHORTENER_SERVER__PORT": "9000",
            "SHORTENER_SITE__NAME": "2026",
            "SHORTENER_SERVER__TRUSTED_PROXIES": '["10.0.0.0/8"]',
            "SHORTENER_DOMAIN": '[{host = "go.example", case_sensitive = true}]',
            "SHORTENER_REDIRECT__FORWARD": "drop",
            "SHORTENER_REDIRECT__STATUS": "307",
            "SHORTENER_SITE__SECRET_FILE": str(secret),
            "SHORTENER_CONFIG": str(path),
            "UNRELATED": "x",
        },
    )
    assert config.server.port == 9000
    assert config.site.name == "2026"
    assert config.server.trusted_proxies == ("10.0.0.0/8",)
    assert config.domains == (Domain(host="go.example", case_sensitive=True),)
    assert config.redirect.forward == "drop"
    assert config.redirect.status == 307
    assert config.site.secret == "s" * 40


@pytest.mark.parametrize(
    ("name", "value", "parts"),
    [
        pytest.param(
            "SHORTENER_SERVER__PORT",
            "many",
            ["SHORTENER_SERVER__PORT = 'many': expected a whole number from 1 to 65535"],
            id="bad value",
        ),
        pytest.param(
            "SHORTENER_SERVER__PORTS", "1", ["SHORTENER_SERVER__PORTS: there is no such key"], id="unknown key"
        ),
        pytest.param("SHORTENER_SITE__TIMEZONE", "Mars", ["SHORTENER_SITE__TIMEZONE = 'Mars'"], id="zone"),
        pytest.param("SHORTENER_DOMAIN", '[{host = "a/b"}]', ["SHORTENER_DOMAIN: domain[0].host = 'a/b'"], id="domain"),
        pytest.param("SHORTENER_CODES__ALPHABET", "aa" * 9, ["SHORTENER_CODES__ALPHABET = 'aa"], id="alphabet"),
        pytest.param("SHORTENER_SITE__SECRET_FILE", "/nonexistent/x", ["SECRET_FILE", "cannot be read"], id="file"),
    ],
)
def test_the_environment_is_validated(name: str, value: str, parts: list[str]) -> None:
    """An invalid environment variable is refused like the key that it overrides."""
    with pytest.raises(ConfigError) as error:
        load(None, environment={name: value})
    for part in parts:
        assert part in str(error.value)


def test_relative_paths_are_resolved_against_the_file(tmp_path: Path) -> None:
    """Relative paths are resolved against the directory of the file, not the current directory."""
    path = write(
        tmp_path,
        '[storage]\ndata = "clicks"\n[verdicts]\ndatacenters = ["clouds.txt"]\n[networks]\nasn = "asn.mmdb"\n',
    )
    config = load(path, environment={})
    assert config.data_directory == tmp_path / "clicks"
    assert config.verdicts.datacenters == (str(tmp_path / "clouds.txt"),)
    assert config.networks.asn == str(tmp_path / "asn.mmdb")
    assert config.networks.countries == "", "an empty path stays empty"


@pytest.mark.parametrize(
    ("text", "base_url", "domain"),
    [
        pytest.param("", "http://127.0.0.1:8000", "127.0.0.1:8000", id="defaults"),
        pytest.param('[server]\nhost = "0.0.0.0"\nport = 80', "http://127.0.0.1:80", "127.0.0.1:80", id="any address"),
        pytest.param('[server]\nhost = "::1"', "http://[::1]:8000", "[::1]:8000", id="IPv6"),
        pytest.param(
            '[site]\nbase_url = "https://Links.Example"',
            "https://links.example",
            "links.example",
            id="base_url",
        ),
        pytest.param('[[domain]]\nhost = "Go.Example"', "http://127.0.0.1:8000", "go.example", id="domain"),
    ],
)
def test_defaults_of_base_url_and_domain(tmp_path: Path, text: str, base_url: str, domain: str) -> None:
    """``base_url`` defaults to the server's address, and the only domain to the host of ``base_url``."""
    config = load(write(tmp_path, text), environment={})
    assert config.base_url == base_url
    assert config.domains[0].host == domain
