"""``shortener user``: adding, listing, changing and removing users of the pages."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from shortener.cli import main
from shortener.services import accounts

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs a command in an empty directory, with a fast password hash."""
    monkeypatch.setattr(accounts, "_HASH_METHOD", "scrypt:128:1:1")
    monkeypatch.setenv("SHORTENER_STORAGE__DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str, typed: str = "") -> Result:
        return CliRunner().invoke(main, ["user", *arguments], input=typed)

    return invoke


def test_users_are_added_changed_and_removed(run: Run) -> None:
    """The password is read from standard input; list, set-role, password and remove print the result."""
    added = run("add", "ann", "--role", "admin", typed="a long sentence\n")
    assert (added.exit_code, added.output) == (0, "ann: added as admin.\n")
    run("add", "ben", typed="another sentence\n")
    assert run("set-role", "ben", "viewer").output == "ben: now viewer.\n"
    listed = json.loads(run("list", "--format", "json").output)
    assert [(user["name"], user["role"], user["has_password"]) for user in listed] == [
        ("ann", "admin", True),
        ("ben", "viewer", True),
    ]
    assert run("password", "ben", typed="a new sentence\n").output == "ben: password changed.\n"
    assert run("remove", "ben").output == "ben: removed.\n"
    assert "ann" in run("list").output
    assert run("list", "--format", "csv").output.count("\n") == 2


def test_an_invite_link_is_printed(run: Run) -> None:
    """``--invite`` prints a link at which the user chooses a password."""
    printed = run("add", "cat", "--invite").output
    assert "Invite link: http://127.0.0.1:8000/-/welcome/" in printed
    assert "not set" in run("list").output
    assert "/-/welcome/" in run("password", "cat", "--invite").output


REFUSED = {
    "short password": (("add", "ann"), "short\n", "10 to 1024 characters"),
    "no password": (("add", "ann"), "", "10 to 1024 characters"),
    "endless password": (("add", "ann"), "x" * 5_000 + "\n", "10 to 1024 characters"),
    "no name": (("add", "  "), "a long sentence\n", "1 to 60"),
    "slash": (("add", "a/b"), "a long sentence\n", "no slash"),
    "control": (("add", "a\x1b[2Jb"), "a long sentence\n", "printable"),
    "unknown": (("remove", "nobody"), "", "no user has this name"),
    "taken": (("add", "admin"), "a long sentence\n", "the name is taken"),
    "last admin": (("remove", "admin"), "", "last admin"),
    "demoted": (("set-role", "admin", "viewer"), "", "last admin"),
}


@pytest.mark.parametrize(("arguments", "typed", "text"), REFUSED.values(), ids=REFUSED.keys())
def test_a_failure_is_one_line(run: Run, arguments: tuple[str, ...], typed: str, text: str) -> None:
    """A refused command has status 1, says why, and changes nothing."""
    run("add", "admin", "--role", "admin", typed="a long sentence\n")
    refused = run(*arguments, typed=typed)
    assert refused.exit_code == 1
    assert text in refused.output
    assert "Traceback" not in refused.output
    assert [user["name"] for user in json.loads(run("list", "--format", "json").output)] == ["admin"]
