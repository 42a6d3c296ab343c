"""Real server on a free port, and the command line of Chromium."""

import contextlib
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from shortener.config import Config
from tests.browser import scene
from tests.ports import free_port as free_port

CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium") or ""
"""Path of the browser, '' if none is installed. Without windows it needs a third of the processor time of Chromium."""
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
START_SECONDS = 120.0


@contextlib.contextmanager
def server(config_path: Path, *, last_line: str = "Ready") -> Iterator[list[str]]:
    """Run ``shortener serve`` during the block; yield the lines that it printed up to the one with ``last_line``."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SHORTENER_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "shortener", "--config", str(config_path), "serve"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )
    output: queue.Queue[str] = queue.Queue()
    assert process.stdout is not None
    reader_thread = threading.Thread(target=_copy_lines, args=(process.stdout, output), daemon=True)
    reader_thread.start()
    try:
        lines = [output.get(timeout=START_SECONDS)]
        while last_line not in lines[-1]:
            lines.append(output.get(timeout=START_SECONDS))
        yield lines
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        reader_thread.join()
        process.stdout.close()


def _copy_lines(lines: Iterable[str], output: "queue.Queue[str]") -> None:
    for line in lines:
        output.put(line)


@contextlib.contextmanager
def installation(home: Path, build: Callable[..., None], **options: int) -> Iterator[Config]:
    """Create an installation in ``home`` with a function of ``scene``, and serve it during the block."""
    port = free_port()
    config = scene.configure(home / "data", port=port)
    build(config, now=int(time.time()), **options)
    with server(configuration(home, port=port)):
        yield config


def configuration(directory: Path, *, port: int) -> Path:
    """Write the configuration file of a server on ``port``, and return its path."""
    path = directory / "config.toml"
    path.write_text(
        f'[site]\nname = "Low Tide"\nbase_url = "http://127.0.0.1:{port}"\n'
        f'[[domain]]\nhost = "127.0.0.1:{port}"\nscheme = "http"\n'
        f'[server]\nport = {port}\n[storage]\ndata = "data"\n',
        encoding="utf-8",
    )
    return path
