"""The commands of redirect nodes: a token at the centre, joining with it, the list, and the removal."""

import json
import tomllib
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from shortener.cli import main
from shortener.config import Config, Domain, Privacy, Site, Storage
from shortener.errors import InputError, StoreError
from shortener.node.joining import node_configuration
from shortener.node.token import NodeToken, database_url, decode_token, encode_token, shared_tables
from shortener.store import links, nodes, open_node_reader, open_store
from shortener.store.nodes import Node
from tests.conftest import Shortener


@pytest.fixture
def centre(tmp_path: Path, postgres_url: str) -> Path:
    """The configuration file of a centre, whose store has one link."""
    path = tmp_path / "centre" / "config.toml"
    path.parent.mkdir()
    path.write_text(
        '[site]\nbase_url = "https://links.example"\n[[domain]]\nhost = "go.example"\ncase_sensitive = true\n'
        f'[redirect]\nstatus = 307\n[storage]\ndata = "{path.parent / "data"}"\nurl = "{postgres_url}"\n',
        encoding="utf-8",
    )
    with closing(open_store(path.parent / "data", url=postgres_url)) as store, store.transaction():
        links.add(store, "go.example", "abc", target="https://a.example/", now=1)
    return path


def run(path: Path, *words: str, status: int = 0, stdin: str = "") -> Result:
    """Run a command with a configuration file."""
    result = CliRunner().invoke(main, ["--config", str(path), *words], input=stdin)
    assert result.exit_code == status, result.output
    return result


def test_a_machine_joins_with_a_token(centre: Path, tmp_path: Path, postgres_url: str) -> None:
    """The node gets what it shares with the centre, a first copy, and a role that may read no click (D9)."""
    made = run(centre, "node", "token", "paris")
    assert "--host" in made.stderr
    path = tmp_path / "paris" / "config.toml"
    path.parent.mkdir()
    run(path, "node", "join", stdin=made.stdout)
    assert path.stat().st_mode & 0o777 == 0o600
    tree = tomllib.loads(path.read_text(encoding="utf-8"))
    url = tree["storage"].pop("url")
    assert tree == {
        "site": {"base_url": "https://links.example"},
        "domain": [{"host": "go.example", "case_sensitive": True}],
        "redirect": {"status": 307},
        "storage": {"data": "data"},
        "node": {"name": "paris"},
    }
    with closing(open_node_reader(url)) as reader:
        assert nodes.report(reader, Node("paris", "", 0, "1.0", None, 1_700_000_000, 0, 7, 0, 0))
        with pytest.raises(StoreError, match="denied"):
            reader.execute("select * from clicks")
    assert (path.parent / "data" / "links.db").exists()
    path.write_text(path.read_text() + "[server]\nport = 9000\n")
    run(path, "node", "join", stdin=run(centre, "node", "token", "paris").stdout)
    assert tomllib.loads(path.read_text())["server"] == {"port": 9000}
    refused = run(path, "node", "join", stdin=run(centre, "node", "token", "rome").stdout, status=1)
    assert "is not that of the node rome" in refused.stderr
    listed = json.loads(run(centre, "node", "list", "--format", "json").stdout)
    assert [(each["name"], each["links_behind"], each["sent_until"]) for each in listed] == [
        ("paris", 1, "2023-11-14T22:13:20Z"),
        ("rome", 1, None),
    ]
    said = run(centre, "node", "remove", "paris").stdout
    assert "7 bytes of its click log were not sent; clicks after 2023-11-14 22:13:20" in said
    assert "It never reported" in run(centre, "node", "remove", "rome").stdout
    assert "No nodes." in run(centre, "node", "list").stdout
    run(centre, "node", "remove", "paris", status=1)
    with pytest.raises(StoreError, match="paris"):
        open_node_reader(url)


def test_a_token_carries_what_nodes_share() -> None:
    """Values that differ from their defaults are in a token; secrets and what concerns one machine are not."""
    config = Config(
        site=Site(base_url="https://LINKS.example", secret="x" * 40, name="Weekly"),
        domain=(Domain(host="go.example", home="https://a.example/"),),
        storage=Storage(url="postgresql://centre:secret@db/x"),
        privacy=Privacy(addresses="none", text='Say "no"\nto'),
    )
    token = NodeToken("paris", "postgresql://db/x", shared_tables(config))
    text = encode_token(token)
    assert text.isascii()
    assert "\n" not in text
    assert decode_token(f" {text}\n") == token
    assert token.tables == {
        "site": {"base_url": "https://links.example", "name": "Weekly"},
        "domain": [{"host": "go.example", "home": "https://a.example/"}],
        "privacy": {"addresses": "none", "text": 'Say "no"\nto'},
    }
    assert tomllib.loads(node_configuration(token))["privacy"] == token.tables["privacy"]


@pytest.mark.parametrize("text", ["", "no token", "e30", "ä", "[]"])
def test_another_text_is_no_token(text: str) -> None:
    """A text that is not a token is refused in one line."""
    with pytest.raises(InputError, match="this is not the token"):
        decode_token(text)


@pytest.mark.parametrize(
    ("options", "host", "expected"),
    [
        ({"host": "db.example", "port": "5433", "user": "a", "dbname": "b"}, "", "@db.example:5433/name"),
        ({"host": "db.example", "sslmode": "require"}, "", "@db.example/name?sslmode=require"),
        ({"host": "one,two", "port": "5432"}, "", "@one:5432,two:5432/name"),
        (
            {"host": "127.0.0.1", "port": "5432", "options": "-csearch_path=x"},
            "db:99",
            "@db:99/name?options=-csearch_path%3Dx",
        ),
        ({"host": "fd00::5,two", "port": "5432"}, "", "@[fd00::5]:5432,two:5432/name"),
        ({"host": "db.example"}, "fd00::7", "@[fd00::7]/name"),
        ({"host": "db.example"}, "[fd00::7]:99", "@[fd00::7]:99/name"),
        ({"host": "/run/postgresql"}, "", "@/name?host=%2Frun%2Fpostgresql"),
        ({}, "", "@/name"),
    ],
)
def test_the_url_of_a_node_has_its_own_role(options: dict[str, str], host: str, expected: str) -> None:
    """A node reaches the database where the centre does, or at the given host, with other options alike."""
    url = database_url(options, host=host, database="name", user="role", password="p/w")
    assert url == f"postgresql://role:p%2Fw{expected}"


def test_nodes_need_postgresql_and_a_token(shortener: Shortener) -> None:
    """On SQLite, or before a machine has joined, each command ends in one line with its remedy."""
    for words, remedy in (
        (("node", "token", "paris"), "store copy"),
        (("centre",), "store copy"),
        (("node",), "node join"),
        (("node", "remove", "paris"), "node list"),
    ):
        result = shortener(*words, status=1)
        assert remedy in result.stderr
    assert "No nodes." in shortener("node", "list").stdout
