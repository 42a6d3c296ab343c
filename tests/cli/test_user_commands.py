"""``shortener user``: the users of the pages, from a terminal."""

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
    """Run a command in an empty directory, at little cost a password."""
    monkeypatch.setattr(accounts, "_HASH_METHOD", "scrypt:1024:8:1")
    monkeypatch.setenv("SHORTENER_STORAGE__DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)

    def invoke(*words: str, typed: str = "") -> Result:
        return CliRunner().invoke(main, ["user", *words], input=typed)

    return invoke


def test_users_come_and_go(run: Run) -> None:
    """Added with a password from standard input, listed, promoted, removed; no password is printed."""
    added = run("add", "ann", "--role", "admin", typed="a long sentence\n")
    assert (added.exit_code, added.output) == (0, "ann: added as admin.\n")
    run("add", "ben", typed="another sentence\n")
    assert run("set-role", "ben", "viewer").output == "ben: viewer now.\n"
    listed = json.loads(run("list", "--format", "json").output)
    assert [(each["name"], each["role"], each["has_password"]) for each in listed] == [
        ("ann", "admin", True),
        ("ben", "viewer", True),
    ]
    assert run("password", "ben", typed="a new sentence\n").output == "ben: password changed.\n"
    assert run("remove", "ben").output == "ben: removed.\n"
    assert "ann" in run("list").output
    assert run("list", "--format", "csv").output.count("\n") == 2


def test_an_invitation_is_an_address(run: Run) -> None:
    """With --invite nobody types a password: an address is printed at which the user chooses one."""
    printed = run("add", "cat", "--invite").output
    assert "One-time address: http://127.0.0.1:8000/-/welcome/" in printed
    assert "to be chosen" in run("list").output
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


@pytest.mark.parametrize(("words", "typed", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_is_refused(run: Run, words: tuple[str, ...], typed: str, said: str) -> None:
    """One line that says why, status 1, and nothing is changed."""
    run("add", "admin", "--role", "admin", typed="a long sentence\n")
    refused = run(*words, typed=typed)
    assert refused.exit_code == 1
    assert said in refused.output
    assert "Traceback" not in refused.output
    assert [each["name"] for each in json.loads(run("list", "--format", "json").output)] == ["admin"]
