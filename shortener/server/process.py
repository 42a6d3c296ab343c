"""Signals, logging and start-up code that all processes of ``shortener serve`` share."""

import contextlib
import ctypes
import logging
import os
import select
import signal
import sys
from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from shortener.config import Config

STOP_SECONDS = 10
"""Time that open requests, and then the collector, have to finish after SIGTERM."""
PR_SET_PDEATHSIG = 1


MachineRole = Literal["serve", "centre", "node"]
"""What a machine does, by the command that runs there. A redirect node sends its click log to the store; a centre does
so too, and has the pages and the collector. With ``serve`` the collector reads the click log itself."""


class Task(Struct):
    """The data that a child process receives from the supervisor."""

    config: Config
    parent: int
    """Process id of the supervisor."""
    listening: int = -1
    """File descriptor of the socket on which to listen; -1 if there is none."""
    role: MachineRole = "serve"


class Stop:
    """A flag that is set by SIGTERM or SIGINT."""

    def __init__(self) -> None:
        self._received = False
        # A signal handler can interrupt any code, even a thread that waits for the flag. So it must not take a lock, as
        # threading.Event does. Nor does SimpleQueue fit: in CPython 3.11 its get() waits forever if a handler, also one
        # of another signal, runs until after the timeout. A pipe from which nothing is read wakes every waiting thread.
        self._pipe, self._write_end = os.pipe()
        on_stop(self._receive)

    def _receive(self) -> None:
        if not self._received:
            self._received = True
            os.write(self._write_end, b"\0")

    def __call__(self) -> bool:
        """Return whether SIGTERM or SIGINT was received."""
        return self._received

    def wait(self, seconds: float) -> bool:
        """Wait at most ``seconds`` for SIGTERM or SIGINT; return whether it was received."""
        waiting = select.poll()
        waiting.register(self._pipe, select.POLLIN)
        waiting.poll(seconds * 1_000)
        return self._received


def on_stop(stop: Callable[[], object]) -> None:
    """Unblock SIGTERM, and call ``stop`` at every SIGTERM or SIGINT from now on.

    If SIGTERM came while the signal was blocked, ``stop`` is called at once.
    """
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda _signum, _frame: stop())
    accept_sigterm()


def block_sigterm() -> None:
    """Block SIGTERM in this process and in the child processes that it starts, until ``accept_sigterm``."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


def accept_sigterm() -> None:
    """Unblock SIGTERM. If the signal came while it was blocked, it is received now."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def end_with_parent(parent: int) -> None:
    """Ask the kernel to send SIGTERM to this process when its parent process ends (on Linux only)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(0)  # it ended before the request


def log_to_stderr() -> None:
    """Write log messages to standard error, in one format for all processes."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
