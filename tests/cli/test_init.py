"""``shortener init``, the data directories that other commands create, and ``shortener completion``."""

import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner, Result

from shortener.app import create_pages_app
from shortener.cli import main
from shortener.config import load
from shortener.services.accounts import invite_first_admin
from shortener.services.settings import current_config
from shortener.store import open_store

README = Path(__file__).parent.parent.parent / "README.md"
OPTIONS = ("--domain", "go.example.com", "--timezone", "Europe/Berlin")


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str, stdin: str = "", status: int = 0) -> Result:
    """Run a command that must have this exit status."""
    result = CliRunner().invoke(main, words, input=stdin)
    assert result.exit_code == status, result.output
    return result


def test_init_with_options(directory: Path) -> None:
    """With options, `init` asks nothing; it writes domain and URL of the pages, and stores the time zone."""
    run("init", *OPTIONS)
    config = load(directory / "config.toml", environment={})
    assert [domain.host for domain in config.domains] == ["go.example.com"]
    assert (config.base_url, config.site.timezone) == ("https://go.example.com", "UTC")
    with closing(open_store(config.data_directory)) as store:
        assert current_config(store, config).site.timezone == "Europe/Berlin"


def test_init_asks(directory: Path) -> None:
    """Without options, `init` asks until the answer is a domain; an empty answer takes the zone of the machine."""
    result = run("init", stdin="no domain\nhttps://Go.Example.com/\nMars\n\n")
    assert "'no domain' is not a domain such as go.example.com" in result.output
    assert "'Mars' is not a time zone such as Europe/Berlin" in result.output
    config = load(directory / "config.toml", environment={})
    assert config.domains[0].host == "go.example.com"


LOCAL_HOSTS = {
    "port": ("127.0.0.1:8123", "http://127.0.0.1:8123"),
    "name": ("localhost:8124", "http://localhost:8124"),
    "IPv6": ("[::1]:8125", "http://[::1]:8125"),
}


@pytest.mark.parametrize(("host", "url"), LOCAL_HOSTS.values(), ids=LOCAL_HOSTS)
def test_a_local_host_is_served_over_http(directory: Path, host: str, url: str) -> None:
    """For a trial on one machine the links are http URLs, and the server listens on their port."""
    run("init", "--domain", host, "--timezone", "UTC")
    config = load(directory / "config.toml", environment={})
    assert (config.base_url, config.domains[0].scheme) == (url, "http")
    assert config.server.port == int(url.rpartition(":")[2])


def test_the_printed_links_create_the_first_admin(directory: Path) -> None:
    """The links lead to the page where the first admin chooses a password, also after a start of the server."""
    output = run("init", *OPTIONS).output
    links = [word for word in output.split() if "/-/welcome/" in word]
    assert [urlsplit(link).netloc for link in links] == ["go.example.com", "127.0.0.1:8000"]
    config = load(directory / "config.toml", environment={})
    store = open_store(config.data_directory)
    assert invite_first_admin(store, config=config, now=1)
    store.close()
    response = create_pages_app(config).test_client().get(links[1])
    assert response.status_code == 200
    assert 'name="password"' in response.text


def test_init_overwrites_nothing(directory: Path) -> None:
    """An existing configuration file is kept, and the message names it."""
    (directory / "config.toml").write_text("[site]\n", encoding="utf-8")
    assert "config.toml: exists already" in run("init", *OPTIONS, status=1).stderr
    assert [path.name for path in directory.iterdir()] == ["config.toml"]


def test_init_without_input_names_the_option(directory: Path) -> None:
    """In a script without input and options, `init` fails with the missing option and writes nothing."""
    assert "give --domain" in run("init", status=2).stderr
    assert not list(directory.iterdir())


def test_init_writes_the_named_file(directory: Path) -> None:
    """With --config the file is written there, and its data directory is beside it."""
    (directory / "site").mkdir()
    assert "shortener --config site/own.toml serve" in run("--config", "site/own.toml", "init", *OPTIONS).output
    assert sorted(path.name for path in (directory / "site").iterdir()) == ["data", "own.toml"]


def test_the_commands_of_the_readme_work_as_printed(directory: Path) -> None:
    """The commands of the README for a first issue succeed in a checkout; a test of its own runs `serve`."""
    text = README.read_text("utf-8").partition("## Your first real issue")[2].partition("```\n")[2].partition("```")[0]
    lines = [line.removeprefix(".venv/bin/shortener ") for line in text.splitlines() if line.startswith(".venv/")]
    assert [line.split()[0] for line in lines] == ["init", "issue", "serve", "report"]
    (directory / "shortener" / "demo").mkdir(parents=True)
    shutil.copy(README.parent / "shortener" / "demo" / "issue.md", directory / "shortener" / "demo")
    for line in lines:
        if line != "serve":
            run(*line.split())
    assert (directory / "issue.out.md").read_text("utf-8").count("https://go.example.com/") > 8


COMMANDS = {
    "list": ("issue", "list"),
    "add": ("issue", "add", "issue.md"),
    "link": ("link", "add", "https://example.org/"),
    "report": ("report", "summary"),
    "rank": ("rank",),
    "picks": ("picks", "--month", "2026-11"),
    "collect": ("collect", "--once"),
    "backup": ("backup", "backup.db"),
    "user": ("user", "list"),
    "nginx": ("edge", "nginx"),
}


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_a_command_without_configuration_creates_nothing(directory: Path, words: tuple[str, ...]) -> None:
    """Without a configuration file, a command says what to do and leaves the directory as it was."""
    (directory / "issue.md").write_text("# Issue\n\n[A](https://example.org/a)\n", encoding="utf-8")
    stderr = run(*words, status=1).stderr
    assert stderr == (
        "Error: there is no config.toml in this directory; `shortener init` writes one, or give its path with "
        "--config\n"
    )
    assert [path.name for path in directory.iterdir()] == ["issue.md"]


def test_the_environment_is_a_configuration(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the data directory in the environment, commands need no file."""
    monkeypatch.setenv("SHORTENER_STORAGE__DATA", str(directory / "elsewhere"))
    run("link", "add", "https://example.org/")
    assert (directory / "elsewhere" / "store.db").exists()


READING = {
    "issues": (("issue", "list"), 0),
    "issue": (("issue", "show", "may"), 1),
    "links": (("link", "list"), 0),
    "report": (("report", "summary"), 0),
    "rank": (("rank",), 0),
    "users": (("user", "list"), 0),
    "tokens": (("token", "list"), 0),
    "clicks": (("clicks", "export"), 0),
    "backup": (("backup", "backup.db"), 1),
}


@pytest.mark.parametrize(("words", "status"), READING.values(), ids=READING)
def test_a_command_that_reads_creates_nothing(directory: Path, words: tuple[str, ...], status: int) -> None:
    """With a configuration but without a store, commands that only read find nothing, and create nothing."""
    (directory / "config.toml").write_text('[storage]\ndata = "data"\n', encoding="utf-8")
    run(*words, status=status)
    assert [path.name for path in directory.iterdir()] == ["config.toml"]


def test_a_store_that_exists_is_used(directory: Path) -> None:
    """A store that `serve` created without a configuration file is used by the other commands."""
    run("init", *OPTIONS)
    (directory / "config.toml").unlink()
    assert "No issues yet" in run("issue", "list").output


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shell: str) -> None:
    """Each script calls `shortener` with the variable that makes it complete."""
    assert f"_SHORTENER_COMPLETE={shell}_complete" in run("completion", shell).output


def test_bash_completes_commands(directory: Path) -> None:
    """The script for bash completes the name of a command."""
    (directory / "shortener").write_text(
        f'#!{sys.executable}\nfrom shortener.cli import main\nmain(prog_name="shortener")\n', encoding="utf-8"
    )
    (directory / "shortener").chmod(0o755)
    program = """
PATH="$PWD:$PATH"
eval "$(shortener completion bash 2>/dev/null)"
COMP_WORDS=(shortener iss) COMP_CWORD=1
_shortener_completion shortener
echo "${COMPREPLY[@]}"
"""
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["issue"]
