"""A real server on a free port, and Debian's Chromium to look at it."""

import contextlib
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
START_SECONDS = 30.0


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def server(config_path: Path) -> Iterator[list[str]]:
    """``shortener serve`` until the block ends; the lines that it printed until it was ready."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SHORTENER_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "shortener", "--config", str(config_path), "serve"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )
    said: queue.Queue[str] = queue.Queue()
    assert process.stdout is not None
    reading = threading.Thread(target=_pass_on, args=(process.stdout, said), daemon=True)
    reading.start()
    try:
        lines = [said.get(timeout=START_SECONDS)]
        while not lines[-1].startswith("Ready"):
            lines.append(said.get(timeout=START_SECONDS))
        with contextlib.suppress(queue.Empty):
            lines.append(said.get(timeout=1.0))
        yield lines
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        reading.join()
        process.stdout.close()


def _pass_on(lines: Iterable[str], said: "queue.Queue[str]") -> None:
    for line in lines:
        said.put(line)


def configuration(directory: Path, *, port: int) -> Path:
    """A configuration file for a server on that port."""
    path = directory / "config.toml"
    path.write_text(
        f'[site]\nname = "Low Tide"\nbase_url = "http://127.0.0.1:{port}"\n'
        f'[[domain]]\nhost = "127.0.0.1:{port}"\nscheme = "http"\n'
        f'[server]\nport = {port}\n[storage]\ndata = "data"\n',
        encoding="utf-8",
    )
    return path
