"""Help of the commands: sections, summaries that fit 80 columns, examples that run, and what a command loads."""

import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from shortener.cli import SECTIONS, main
from shortener.cli.groups import MAX_SUMMARY_LENGTH

CONFIG = (
    '[site]\ntimezone = "Europe/Berlin"\n[[domain]]\nhost = "go.example.com"\n[[domain]]\nhost = "127.0.0.1:8000"\n'
)
TESTED_ELSEWHERE = {"serve", "centre", "node", "demo", "collect --follow", "store copy", "store restore-wal"}
"""Commands that run until a signal, or need a database or a damaged store. Here only their options are read."""
EXAMPLE_CONFIG = Path(__file__).parent.parent.parent / "config.example.toml"
OTHER_ARTICLE = "https://example.org/articles/a-cheaper-sieve"
SAMPLE_ARTICLE = "https://example.org/articles/counting-whales-by-ear"
CLICK = (
    '{"v":1,"id":"01a-17","ts":1795507500.5,"host":"go.example.com","code":"7pk3e","n":1,"method":"GET","status":302,'
    '"visitor":"ann","addr":"ann","ua":"Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"}\n'
)


def run(arguments: str, *, stdin: str = "") -> Result:
    """Run a command line in the current directory, with its redirections, and require that it succeeds."""
    words = shlex.split(arguments)
    if "<" in words:
        stdin = Path(words.pop(words.index("<") + 1)).read_text(encoding="utf-8")
        words.remove("<")
    if ">" in words:
        words = words[: words.index(">")]
    result = CliRunner().invoke(main, words, input=stdin)
    assert result.exit_code == 0, f"{arguments}: {result.output}"
    return result


def commands(group: click.Group, *path: str) -> Iterator[tuple[str, click.Command]]:
    """Yield all commands of a group and of its subgroups, each with its words."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield " ".join((*path, name)), command
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)


COMMANDS = dict(commands(main))
CALLABLE = {
    name: command
    for name, command in COMMANDS.items()
    if not isinstance(command, click.Group) or command.invoke_without_command
}


def test_the_help_is_in_sections() -> None:
    """Every command is in one of the sections, which are listed in their order, and the help fits 80 columns."""
    lines = CliRunner().invoke(main, ["--help"], terminal_width=80).output.splitlines()
    headings = [line.removesuffix(":") for line in lines if line.removesuffix(":") in SECTIONS]
    assert headings == ["Newsletter", "Results", "Server"]
    listed = {line.split()[0] for line in lines if line.startswith("  ") and line.strip()}
    assert {name for names in SECTIONS.values() for name in names} <= listed


@pytest.mark.parametrize("name", COMMANDS)
def test_a_summary_is_a_whole_sentence(name: str) -> None:
    """The first sentence of a command fits the lists of commands, so none is cut."""
    summary = COMMANDS[name].get_short_help_str(1000)
    assert 0 < len(summary) <= MAX_SUMMARY_LENGTH, summary
    group = name.rpartition(" ")[0]
    help_text = CliRunner().invoke(main, [*group.split(), "--help"], terminal_width=80).output
    assert summary in help_text
    assert all(len(line) <= 80 for line in help_text.splitlines())


@pytest.mark.parametrize("name", CALLABLE)
def test_a_command_has_two_examples(name: str) -> None:
    """The help of a command ends with its two examples, which fit 80 columns."""
    examples = getattr(CALLABLE[name], "examples", ())
    assert len(examples) == 2
    assert all(f"shortener {name.split()[0]}" in example or "--config" in example for example in examples)
    help_text = CliRunner().invoke(main, [*name.split(), "--help"], terminal_width=80).output
    assert help_text.endswith("Examples:\n" + "".join(f"  {example}\n" for example in examples))
    assert all(len(line) <= 80 for line in help_text.splitlines())


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the files, issues, links and users that the examples name."""
    directory = tmp_path_factory.mktemp("examples")
    sample = files("shortener.demo").joinpath("issue.md").read_text("utf-8")
    for name, text in {
        "config.toml": CONFIG,
        "config.example.toml": EXAMPLE_CONFIG.read_text("utf-8"),
        "issue.md": sample,
        "other.md": sample.replace(SAMPLE_ARTICLE, "https://go.example.com/7pk3e").replace(
            OTHER_ARTICLE, "https://example.org/spring"
        ),
        "targets.csv": f"short_url,target\ngo.example.com/7pk3e,{SAMPLE_ARTICLE}\n",
        "issue.html": '<h1>Winter</h1><p><a href="https://example.org/a"><b>An article</b></a></p>',
        "links.csv": "short_url,target\ngo.example.com/winter,https://example.org/winter\n",
        "signals.csv": f"url,views,reads,fans\n{SAMPLE_ARTICLE},100,50,5\n",
        "password.txt": "a long sentence as password\n",
    }.items():
        (directory / name).write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(directory)
        run("issue add other.md --slug 2026-11 --sent-at 2026-11-24T08:00Z --recipients 1500 --targets targets.csv")
        run("issue add issue.md --slug 2026-10 --sent-at 2026-10-24T08:00 --recipients 1400 --output sent.md")
        run("link add https://example.org/spring --code spring")
        run("user add admin --role admin", stdin="a long sentence as password\n")
        (directory / "data" / "clicklog").mkdir(mode=0o700)
        (directory / "data" / "clicklog" / "one.jsonl").write_text(CLICK, encoding="utf-8")
        (directory / "data" / "clicklog" / "one.jsonl").chmod(0o600)
        run("collect --once")
    return directory


PREPARATIONS = {
    "issue remove": ("issue add issue.html --slug 2026-12",),
    "picks undo": (
        'picks pin 7pk3e --month 2026-11 --reason "good"',
        'picks pin https://example.org/spring --month 2026-11 --reason "good"',
    ),
    "token revoke": ("token add website --scope read", "token add script --scope read"),
    "user set-role": ("user add ben < password.txt",),
    "user remove": ("user add ben < password.txt", 'user add "Ada Lovelace" < password.txt'),
    "user password": ("user add ben < password.txt",),
}
"""Commands to run before the examples of a command."""


@pytest.mark.parametrize("name", CALLABLE)
def test_the_examples_run(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The examples of a command succeed one after the other, in a directory with what they name."""
    directory = tmp_path / "examples"
    shutil.copytree(prepared, directory)
    if name == "init":
        shutil.rmtree(directory / "data")
    monkeypatch.chdir(directory)
    for preparation in PREPARATIONS.get(name, ()):
        run(preparation)
    for example in CALLABLE[name].examples:  # type: ignore[attr-defined]
        if name == "init":
            (directory / "config.toml").unlink()
        arguments = example.removeprefix('eval "$(').removesuffix(')"').removeprefix("shortener ")
        arguments = arguments.replace("/etc/shortener/", "").replace("/backups/", "")
        if any(arguments.startswith(command) for command in TESTED_ELSEWHERE):
            CALLABLE[name].make_context(name, arguments.split()[len(name.split()) :])
        else:
            run(arguments, stdin="go.example.com\nEurope/Berlin\n" if name == "init" else "")


@pytest.mark.parametrize("command", ["issue list", "report summary", "report issue 2026-11 --format csv"])
def test_reading_commands_load_little(prepared: Path, command: str) -> None:
    """They load neither numpy nor the parser of user agents, which take longer than all the rest."""
    program = (
        "import sys\nfrom shortener.cli import main\n"
        f"main({command.split()!r}, standalone_mode=False)\nprint(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=prepared, capture_output=True, text=True, check=True, timeout=60
    )
    assert "2026-11" in done.stdout
    loaded = {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}
    assert "sqlite_utils" in loaded
    assert not loaded & {"numpy", "pandas", "user_agents", "ua_parser", "flask", "jinja2"}
