"""A document that is handed in is read on trial first, in a process that can be killed.

Markup can be written so that reading it takes for ever, and a regular expression that does not end holds every page
with it. The child does what taking in and the click map do; what it managed in time, the pages manage as well.
Run as ``python -m shortener.web.sandbox``, with a file name, a line feed and the document on standard input.
"""

import os
import resource
import subprocess
import sys
import threading

from shortener import newsletter
from shortener.errors import DocumentTooLarge, InputError, UnreadableDocument
from shortener.web import clickmap

TIMEOUT_SECONDS = 8.0
"""How long reading may take, the start of the process included; an issue of 5,000 links takes one."""
MAX_MEMORY_BYTES = 1 << 30
MAX_PROCESSES = 2
"""Documents that are read at the same time, so that readers keep a processor."""
QUEUE_TIMEOUT_SECONDS = 20.0
PROCESS_NICENESS = 10

_process_slots = threading.BoundedSemaphore(MAX_PROCESSES)


def check_in_sandbox(source: bytes, *, name: str) -> None:
    """Return when the document was read in time, or is refused anyhow. Raises TooLarge, Unreadable."""
    if len(source) > newsletter.MAX_ISSUE_BYTES:
        raise DocumentTooLarge(
            f"{name}: the issue is larger than 5 MB, which is the most; keep images on a web server, or split it"
        )
    if not _process_slots.acquire(timeout=QUEUE_TIMEOUT_SECONDS):
        raise UnreadableDocument("too many issues are being read at this moment; try again in half a minute")
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "shortener.web.sandbox"],
            input=name.encode("utf-8", "replace").replace(b"\n", b" ") + b"\n" + source,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UnreadableDocument(
            f"{name}: reading it took longer than {TIMEOUT_SECONDS:g} seconds and was stopped; no newsletter "
            "needs that. Look for brackets, quotes or comments that are opened again and again, "
            "or hand in the HTML of a test send"
        ) from None
    finally:
        _process_slots.release()
    if ended.returncode:
        raise UnreadableDocument(
            f"{name}: its markup could not be read; look for a part that is repeated very often or nested very deeply"
        )


def main() -> None:
    """Read the document as the pages will. What it is refused for is theirs to say."""
    os.nice(PROCESS_NICENESS)
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Also when nobody is left to kill it.
    resource.setrlimit(resource.RLIMIT_CPU, (int(TIMEOUT_SECONDS) + 1, int(TIMEOUT_SECONDS) + 1))
    name, _, source = sys.stdin.buffer.read().partition(b"\n")
    try:
        _parse(source, name.decode())
    except InputError:
        return


def _parse(source: bytes, name: str) -> None:
    form = newsletter.detect_format(name, source)
    document = newsletter.parse(source, format=form)
    newsletter.extract_articles(document, [link.url for link in document.links])
    newsletter.rewrite(document, {link.index: "https://x.invalid/abcde/1" for link in document.links})
    clickmap.render_map(source, format=form, shares={}, domains=(), stylesheet_url="")


if __name__ == "__main__":
    main()
