"""The documents are held to the code: every command is in the README, and nothing in it is invented."""

import re
import tempfile
from pathlib import Path

import click
import pytest

from shortener.cli import main

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands(group: click.Group, path: tuple[str, ...] = ()) -> dict[str, click.Command]:
    """Every command by its words, as ``issue add``; hidden ones left out."""
    found: dict[str, click.Command] = {}
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if command.hidden:
            continue
        if isinstance(command, click.Group):
            found |= commands(command, (*path, name))
        else:
            found[" ".join((*path, name))] = command
    return found


COMMANDS = commands(main)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_stands_in_the_readme(name: str) -> None:
    """A user finds each command in the README."""
    assert re.search(rf"shortener {name}\b", README), f"README.md does not mention `shortener {name}`"


def mentioned() -> list[str]:
    """Every call of a command in the README, inline or at a prompt, without its configuration option."""
    calls = re.findall(r"(?:^\$ |`)(?:\.venv/bin/)?(shortener [^`\n]*)", README, flags=re.M)
    return sorted({re.sub(r" --config \S+", "", call) for call in calls})


@pytest.mark.parametrize("call", mentioned())
def test_the_readme_calls_only_what_there_is(call: str) -> None:
    """Each command and each option that the README shows exists."""
    words = call.split()[1:]
    name = next((" ".join(words[:size]) for size in (3, 2, 1) if " ".join(words[:size]) in COMMANDS), None)
    if name is None:
        assert words, call
        assert words[0].startswith("-") or any(name.startswith(words[0] + " ") for name in COMMANDS), call
        return
    options = {option for param in COMMANDS[name].params for option in (*param.opts, *param.secondary_opts)}
    for word in words:
        if word.startswith("--"):
            assert word.partition("=")[0] in options, f"{call}: there is no option {word}"


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_says_what_it_does(name: str) -> None:
    """`--help` of each command has a sentence, and each option of it a help text."""
    command = COMMANDS[name]
    assert command.help
    for param in command.params:
        if isinstance(param, click.Option) and not param.hidden:
            assert param.help, f"{name}: {param.opts[0]} has no help text"


def routes() -> list[str]:
    """The addresses of the application, down to the second part of each, without placeholders."""
    from shortener.app import create_pages_app
    from shortener.config import Config, Storage

    with tempfile.TemporaryDirectory() as data:
        app = create_pages_app(Config(storage=Storage(data=data)))
        rules = [rule.rule for rule in app.url_map.iter_rules()]
    kept = {re.match(r"/(?:-/[a-z-]*|[a-z.]*)", rule) for rule in rules}
    return sorted({match[0] for match in kept if match})


@pytest.mark.parametrize("route", routes())
def test_every_route_stands_in_the_readme(route: str) -> None:
    """A reader of the README knows what answers at which address."""
    assert f"`{route}" in README, f"README.md does not mention {route}"


def test_every_make_target_of_the_readme_exists() -> None:
    """`make …` in the README is a target of the Makefile."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"(?:^|`)make ([a-z]+)", README, flags=re.M)
    assert {"demo", "test"} <= set(targets)
    for target in targets:
        assert re.search(rf"^{target}:", makefile, flags=re.M), target
