"""Run a parser in a child process with limits on processor time and memory."""

import resource
import signal
import subprocess
import sys

# Some input could keep a parser busy for ever.
MAX_MEMORY_BYTES = 1 << 30
WAIT_SECONDS = 60.0
"""Longest wait for a child process, on a machine where other programs need most of the processor time."""


class LimitExceeded(Exception):
    """Raised when a child process needed more processor time than it may have, or did not end in WAIT_SECONDS."""


def run_limited(module: str, content: bytes, *, cpu_seconds: int) -> tuple[int, bytes]:
    """Run a module in a child process with ``content`` as standard input; return exit status and standard output.

    The module must call ``limit_this_process``. Raises LimitExceeded.
    """
    command = [sys.executable, "-m", module, str(cpu_seconds)]
    try:
        process = subprocess.run(  # noqa: S603
            command, input=content, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=WAIT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise LimitExceeded from None
    if process.returncode in {-signal.SIGXCPU, -signal.SIGKILL}:
        raise LimitExceeded
    return process.returncode, process.stdout


def limit_this_process() -> None:
    """Limit the memory and processor time of this process.

    The first command-line argument is the limit of processor time in seconds.
    """
    cpu_seconds = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # The kernel ends the process when it exceeds the time, even after its parent has ended.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
