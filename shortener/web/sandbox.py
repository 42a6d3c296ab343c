"""Check of an uploaded document: a child process parses it, with limits on processor time and memory."""

# Crafted markup can make a parser run forever. Python cannot stop a thread that matches a regular expression.

import os
import sys
import threading
from contextlib import suppress

from shortener import newsletter
from shortener.errors import DocumentTooLarge, InputError, UnreadableDocument
from shortener.limited_process import LimitExceeded, limit_this_process, run_limited
from shortener.messages import Message, name_file
from shortener.web import issue_document

CPU_SECONDS = 8
"""Processor time that a parse may need, including the start of the process. An issue of 5,000 links needs a second."""
MAX_PROCESSES = 2
"""Limit of simultaneous parses, so that some CPU time remains for redirects."""
QUEUE_TIMEOUT_SECONDS = 20.0
"""Longest wait of an upload while MAX_PROCESSES other parses run."""
PROCESS_NICENESS = 10

_process_slots = threading.BoundedSemaphore(MAX_PROCESSES)


def check_in_sandbox(
    source: bytes,
    *,
    name: str,  # file name; '' for pasted text
) -> None:
    """Check that a child process can parse a document in limited time and memory.

    Raises DocumentTooLarge, UnreadableDocument.
    """
    if len(source) > newsletter.MAX_ISSUE_BYTES:
        problem = Message("the issue is larger than 5 MB; keep images on a web server, or split the issue")
        raise DocumentTooLarge(name_file(name, problem))
    if not _process_slots.acquire(timeout=QUEUE_TIMEOUT_SECONDS):
        raise UnreadableDocument(Message("the server is busy reading other issues; try again in 30 seconds"))
    try:
        is_parsed = _parse_in_process(source, name or newsletter.PASTED_NAME)
    except LimitExceeded:
        problem = Message(
            "reading the issue took longer than {seconds} seconds and was stopped; look for brackets, quotes or "
            "comments that are opened again and again, or upload the HTML of a test send",
            seconds=str(CPU_SECONDS),
        )
        raise UnreadableDocument(name_file(name, problem)) from None
    finally:
        _process_slots.release()
    if not is_parsed:
        problem = Message(
            "the markup could not be read; look for a part that is repeated very often or nested very deeply"
        )
        raise UnreadableDocument(name_file(name, problem))


def _parse_in_process(source: bytes, name: str) -> bool:
    content = name.encode("utf-8", "replace").replace(b"\n", b" ") + b"\n" + source
    status, _ = run_limited("shortener.web.sandbox", content, cpu_seconds=CPU_SECONDS)
    return status == 0


def main() -> None:
    """Set the limits of this process, then parse the document on standard input."""
    os.nice(PROCESS_NICENESS)
    limit_this_process()
    # The input is a file name, a line feed and the document.
    name, _, source = sys.stdin.buffer.read().partition(b"\n")
    _parse(source, name.decode())


def _parse(source: bytes, name: str) -> None:
    # These are all parsers that the pages need.
    document_format = newsletter.detect_format(name, source)
    # The pages report a document that is not a valid issue.
    with suppress(InputError):
        document = newsletter.parse(source, format=document_format)
        newsletter.extract_articles(document, [link.url for link in document.links])
        newsletter.rewrite(document, {link.index: "https://x.invalid/abcde/1" for link in document.links})
        issue_document.read_document(source, format=document_format)


if __name__ == "__main__":
    main()
