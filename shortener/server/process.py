"""Signals, logging and start of every process of ``shortener serve``."""

import contextlib
import ctypes
import logging
import os
import signal
import sys
from collections.abc import Callable
from queue import Empty, SimpleQueue

from msgspec import Struct

from shortener.config import Config

STOP_SECONDS = 10
"""Time that open requests, and then the collector, have to finish after SIGTERM."""
PR_SET_PDEATHSIG = 1


class Task(Struct):
    """What a child process receives: the configuration, its parent, and the descriptor of its socket (-1: none)."""

    config: Config
    parent: int
    listening: int = -1


class Stop:
    """Whether SIGTERM or SIGINT was received.

    A signal handler may interrupt any code, also a wait for it. It therefore takes no lock, as an Event does, but puts
    into a queue whose ``put`` the standard library documents as safe in signal handlers.
    """

    def __init__(self) -> None:
        self._received = False
        self._queue: SimpleQueue[None] = SimpleQueue()
        on_stop(self._receive)

    def _receive(self) -> None:
        self._received = True
        self._queue.put(None)

    def __call__(self) -> bool:
        """Return whether the signal was received."""
        return self._received

    def wait(self, seconds: float) -> bool:
        """Wait for the signal, at most so long; return whether it was received."""
        if not self._received:
            with contextlib.suppress(Empty):
                self._queue.get(timeout=seconds)
        return self._received


def on_stop(stop: Callable[[], object]) -> None:
    """Call ``stop`` at SIGTERM or SIGINT, also at a SIGTERM that was blocked until now."""
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda _signum, _frame: stop())
    accept_sigterm()


def block_sigterm() -> None:
    """Let SIGTERM wait, also in a child that is started now, until ``accept_sigterm`` is called."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


def accept_sigterm() -> None:
    """Unblock SIGTERM, which is blocked while a child is started."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def end_with_parent(parent: int) -> None:
    """Ask the kernel for SIGTERM when the parent ends for any reason (on Linux only)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(0)  # it ended before the request


def log_to_stderr() -> None:
    """Write log messages of all processes in one format."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
