"""Handling of standard streams: closed streams, full disks, closed pipes, and encodings that lack characters."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click

from shortener.remedies import REPORTED_ERRORS, error_message

STREAM_NAMES = ("stdin", "stdout", "stderr")
OUTPUT_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}
"""Errors of writing. Those without a file name are of standard output: for other files the name is known."""


def open_closed_streams() -> None:
    """Open closed standard streams as the null device."""
    # If a stream stayed closed, the next file that is opened, such as the store, would get its file descriptor (0, 1 or
    # 2), and output would be written into that file.
    for number, name in enumerate(STREAM_NAMES):
        if getattr(sys, name) is None:
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_RDWR), number)
            setattr(sys, name, open(number, "w" if number else "r", encoding="utf-8", closefd=False))  # noqa: SIM115
    # Characters that the encoding lacks are written as "?".
    if not _is_utf8():
        _reconfigure(errors="replace")


def use_utf8() -> None:
    """Write UTF-8 to standard output even if the locale has another encoding."""
    # JSON and CSV are for programs.
    if not _is_utf8():
        _reconfigure(encoding="utf-8")


def _is_utf8() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def _reconfigure(**settings: str) -> None:
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(**settings)


def flush_output() -> None:
    """Write buffered standard output. Raises OSError."""
    # A full disk is then reported as an error of the command.
    sys.stdout.flush()


@contextmanager
def report_errors() -> Iterator[None]:
    """Run a ``with`` block. For an error that users can cause, print one line and exit with status 1."""
    try:
        yield
    except BrokenPipeError:  # the program that reads the output has ended
        _discard_output()
        sys.exit(0)
    except UnicodeEncodeError as error:
        _exit_with(f"{error.object[error.start : error.end]!r}: not valid UTF-8; write the text in UTF-8")
    except UnicodeDecodeError as error:
        _exit_with(f"the input is not UTF-8 text (byte {error.start}); write it in UTF-8")
    except REPORTED_ERRORS as error:
        if isinstance(error, OSError) and error.filename is None and error.errno in OUTPUT_ERRORS:
            _discard_output()
            _exit_with(f"standard output: {error.strerror}; write to another file or disk")
        _exit_with(error_message(error))


def _exit_with(message: str) -> None:
    with suppress(OSError):
        click.echo(f"Error: {message}", err=True)
    sys.exit(1)


def _discard_output() -> None:
    # Buffered output goes to the null device. Writing it at exit would fail again.
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
