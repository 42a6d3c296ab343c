"""Commands whose output, store or temporary folder cannot be written end in one line, with nothing half-written."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from shortener.cli import main
from shortener.collector import other_collector
from shortener.collector.collector import Collector
from shortener.collector.other_collector import drain_once
from shortener.config import Config, Domain, Storage
from shortener.errors import StoreError
from shortener.store import links, open_store
from tests.faults.mounts import fill, memory_disk
from tests.faults.serving import isolated_runner

ISSUE = "# May\n\n### [Whales](https://a.example/whales)\n\nBy Ada\n"


class Installation:
    """A data directory with one link, and commands on it."""

    def __init__(self, directory: Path, *, data: Path) -> None:
        self.directory, self.data = directory, data
        self.config = directory / "config.toml"
        self.config.write_text(f'[[domain]]\nhost = "go.example"\n[storage]\ndata = "{data}"\n')
        (directory / "issue.md").write_text(ISSUE)
        with closing(open_store(data)) as store, store.transaction():
            links.add(store, "go.example", "abc", target="https://a.example/", now=0)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command and return its result."""
        command = [sys.executable, "-m", "shortener", "--config", str(self.config), *words]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SHORTENER_")}
        environment["PYTHONPATH"] = os.pathsep.join(sys.path)
        return subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=self.directory, timeout=120, env=environment
        )

    def call(self, *words: str) -> str:
        """Run a command in the process of the test, which costs less, and return its output."""
        done = isolated_runner().invoke(main, ["--config", str(self.config), *words])
        assert done.exit_code == 0, done.output
        return done.stdout

    def fails(self, *words: str) -> str:
        """Run a command that fails, and return its one line."""
        done = self.run(*words)
        assert done.returncode == 1, done.stderr
        assert done.stderr.count("\n") == 1
        assert done.stderr.startswith("Error: ")
        return done.stderr

    def slugs(self) -> list[str]:
        """Return the slugs of the stored issues."""
        return [issue["slug"] for issue in json.loads(self.call("issue", "list", "--format", "json"))]


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A full file system; the test is skipped if it cannot be mounted."""
    with memory_disk(tmp_path / "full", "size=16k") as path:
        fill(path / "ballast")
        yield path


OUTPUTS = {
    "issue add": ("issue", "add", "issue.md", "--slug", "may", "--output", "{}/out.md"),
    "issue export": ("issue", "export", "known", "--output", "{}/out.md"),
    "backup": ("backup", "{}/backup.db"),
    "nginx": ("edge", "nginx", "--map", "{}/edge.map"),
}


@pytest.mark.parametrize("words", OUTPUTS.values(), ids=OUTPUTS.keys())
def test_output_on_a_full_disk(words: tuple[str, ...], full_disk: Path, tmp_path: Path) -> None:
    """The line names the file; no part of it remains, and the issue of a failed ``issue add`` is not stored."""
    installation = Installation(tmp_path, data=tmp_path / "data")
    installation.call(
        "issue", "add", str(tmp_path / "issue.md"), "--slug", "known", "--output", str(tmp_path / "known.md")
    )
    (tmp_path / "issue.md").write_text(ISSUE.replace("May", "June").replace("whales", "bees"))
    line = installation.fails(*(word.format(full_disk) for word in words))
    assert line.startswith(f"Error: {full_disk}/")
    assert "No space left" in line or "full" in line
    assert [path.name for path in full_disk.iterdir()] == ["ballast"]
    assert installation.slugs() == ["known"]


WRITES = {
    "link": ("link", "add", "https://a.example/2"),
    "issue": ("issue", "add", "issue.md", "--slug", "may"),
    "rebuild": ("rebuild",),
    "serve": ("serve", "--port", "1"),
}


@pytest.mark.parametrize("words", WRITES.values(), ids=WRITES.keys())
def test_store_on_a_full_disk(words: tuple[str, ...], tmp_path: Path) -> None:
    """A command that writes to the store ends in one line about the disk, not about standard output."""
    with memory_disk(tmp_path / "small", "size=1m") as disk:
        installation = Installation(tmp_path, data=disk / "data")
        shutil.rmtree(disk / "data" / "run", ignore_errors=True)
        installation.call("link", "list")
        fill(disk / "ballast")
        line = installation.fails(*words)
        assert "full" in line or "No space left" in line
        assert "standard output" not in line
        (disk / "ballast").unlink()
        assert "abc" in installation.call("link", "list")
        assert installation.slugs() == []


FOUR_COMMANDS = """
import sys
from shortener.cli import main
for words in (["link", "add", "https://a.example/2"], ["collect", "--once"], ["rebuild"], ["link", "list"]):
    main(["--config", sys.argv[1], *words], standalone_mode=False)
"""


def test_read_only_root(tmp_path: Path) -> None:
    """Without any writable folder but the data directory, as in a container, links are added and read."""
    unshare = shutil.which("unshare")
    if unshare is None or os.geteuid():
        pytest.skip("needs root and unshare")
    data = tmp_path / "data"
    installation = Installation(tmp_path, data=data)
    script = f'mount --make-rprivate / && mount --bind {data} {data} && mount -o remount,bind,ro / && cd / && exec "$@"'
    prefix = (unshare, "-m", "sh", "-c", script, "sh")
    if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        pytest.skip("nothing may be mounted here")
    done = subprocess.run(
        [*prefix, sys.executable, "-c", FOUR_COMMANDS, str(installation.config)],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "https://a.example/2" in done.stdout


def test_collector_without_progress_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """``collect --once`` says that it waits, and ends with an error if the running collector stores nothing."""
    monkeypatch.setattr(other_collector, "REPORT_SECONDS", 0.1)
    monkeypatch.setattr(other_collector, "STALL_SECONDS", 0.3)
    config = Config(domain=(Domain(host="go.example"),), storage=Storage(data=str(tmp_path)))
    with closing(open_store(tmp_path)) as store:
        running = Collector(store, config=config)
        (tmp_path / "clicklog").mkdir()
        (tmp_path / "clicklog" / "x.jsonl").write_text('{"v":1,"id":"a","ts":1,"host":"go.example","code":"abc"}\n')
        with pytest.raises(StoreError, match="has stored nothing"):
            drain_once(store, config=config)
        assert "waiting for the running collector" in caplog.text
        running.close()
        assert drain_once(store, config=config) == 1
