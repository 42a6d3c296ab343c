"""``shortener token``: tokens are created, listed and revoked."""

import json
import re
import time
from zoneinfo import ZoneInfo

import pytest

from shortener.cli.tokens import parse_expiry
from shortener.services import accounts, tokens
from tests.conftest import Newsletter, Shortener


@pytest.fixture(autouse=True)
def ada(newsletter: Newsletter) -> None:
    """The only user is the editor Ada."""
    accounts.add_user(newsletter.store, "Ada", role="editor", password=None, now=1)


def test_add_list_and_revoke(newsletter: Newsletter, shortener: Shortener) -> None:
    """A token is printed once; the list shows how it begins, and a revoked one is refused."""
    text = shortener("token", "add", "report script", "--scope", "read", "--scope", "clicks").stdout.strip()
    assert re.fullmatch(r"sho_[A-Za-z0-9]{40}", text)
    now = int(time.time())
    found = tokens.find_token(newsletter.store, text, now=now)
    assert found is not None
    assert (found.owner, found.scopes) == ("Ada", ("read", "clicks"))
    (row,) = json.loads(shortener("token", "list", "--format", "json").stdout)
    assert (row["name"], row["start"], row["scopes"]) == ("report script", text[:8], ["read", "clicks"])
    for output_format in ("table", "csv"):
        listed = shortener("token", "list", "--format", output_format).stdout
        assert text[:8] in listed
        assert text[:12] not in listed
    shortener("token", "revoke", "report script")
    assert tokens.find_token(newsletter.store, text, now=now) is None
    assert "no such token" in shortener("token", "revoke", "report script", status=1).output


def test_a_short_token(newsletter: Newsletter, shortener: Shortener) -> None:
    """``--hex`` prints a token of 32 hexadecimal digits."""
    text = shortener("token", "add", "phone", "--scope", "links", "--hex").stdout.strip()
    assert re.fullmatch(r"[0-9a-f]{32}", text)
    assert tokens.find_token(newsletter.store, text, now=1) is not None


REFUSED = {
    "no scope": (("token", "add", "x"), 2, "--scope"),
    "unknown scope": (("token", "add", "x", "--scope", "all"), 2, "--scope"),
    "past": (("token", "add", "x", "--scope", "read", "--expires", "2020-01-31"), 1, "choose a later one"),
    "no date": (("token", "add", "x", "--scope", "read", "--expires", "tomorrow"), 2, "is not a date and time"),
    "unknown owner": (("token", "add", "x", "--scope", "read", "--user", "Bob"), 1, "shortener user list"),
    "empty name": (("token", "add", " ", "--scope", "read"), 1, "name of a token"),
}


@pytest.mark.parametrize(("words", "status", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_refused_tokens(shortener: Shortener, words: tuple[str, ...], status: int, message: str) -> None:
    """A token that cannot be is refused in one line with the remedy, and nothing is stored."""
    assert message in shortener(*words, status=status).output
    assert json.loads(shortener("token", "list", "--format", "json").stdout) == []


def test_a_taken_name_is_refused(shortener: Shortener) -> None:
    """A user's tokens have different names."""
    shortener("token", "add", "x", "--scope", "read")
    assert "choose another" in shortener("token", "add", "x", "--scope", "read", status=1).output


def test_several_users(newsletter: Newsletter, shortener: Shortener) -> None:
    """With several users the owner has to be named, also to revoke a token whose name occurs twice."""
    accounts.add_user(newsletter.store, "Vera", role="viewer", password=None, now=1)
    assert "--user: Ada, Vera" in shortener("token", "add", "x", "--scope", "read", status=1).output
    shortener("token", "add", "x", "--scope", "read", "--user", "Ada")
    result = shortener("token", "add", "x", "--scope", "read", "--scope", "links", "--user", "Vera")
    assert "links needs the role editor" in result.stderr
    assert "--user" in shortener("token", "revoke", "x", status=1).output
    shortener("token", "revoke", "x", "--user", "Vera")
    (row,) = json.loads(shortener("token", "list", "--format", "json").stdout)
    assert row["owner"] == "Ada"


def test_a_day_means_its_end_in_the_zone_of_the_site() -> None:
    """The last day of a token ends at midnight of the site's time zone; a time is taken as it is."""
    assert parse_expiry("2027-01-31", zone=ZoneInfo("UTC")) == 1_801_440_000
    assert parse_expiry("2027-01-31", zone=ZoneInfo("Europe/Berlin")) == 1_801_440_000 - 3_600
    assert parse_expiry("2027-01-31T12:00Z", zone=ZoneInfo("UTC")) == 1_801_440_000 - 43_200
