"""Entry point of a child process of the server: ``python -m shortener.server KIND``.

The process reads its task, with the configuration, as JSON from standard input.
"""

import logging
import sys
from importlib import import_module

import msgspec

from shortener.remedies import REPORTED_ERRORS, error_message
from shortener.server.process import Task, end_with_parent, log_to_stderr

log = logging.getLogger(__name__)


def main(kind: str) -> None:
    """Run the module ``kind`` of this package, such as ``worker`` or ``pages``, until SIGTERM."""
    log_to_stderr()
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=Task)
    end_with_parent(task.parent)
    try:
        import_module(f"shortener.server.{kind}").run(task)
    except REPORTED_ERRORS as error:
        log.error("%s: %s", kind, error_message(error))
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1])
