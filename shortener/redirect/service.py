"""What the connections of one redirect worker share: the answers, the time, and what is kept in memory for them."""

import asyncio
from asyncio import Future
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from pathlib import Path

from shortener.redirect.pages import Pages
from shortener.redirect.redirector import Environ, ParsedHeaders, Redirector
from shortener.redirect.responses import Response

BUFFER_BYTES = 16 * 1024
"""What is read of a connection at once."""
MAX_BODY = 16 * 1024 * 1024
"""Bytes: an issue of the largest size, also when it comes back from its preview in base64."""
HELD_BYTES = 4 * MAX_BODY
"""Bodies of requests that are kept in memory until they are whole, all together."""
MOST_KNOWN = 2048
"""Headers that a worker knows by heart (2 kB each at most); when there are more it begins anew."""
MOST_KNOWN_BYTES = 1024
MOST_MET = 20_000
"""Headers of which a worker knows that it met them once."""
THREADS = 12
"""Where an answer waits for the disk (``clicklog.sync`` of 0): threads that share one sync."""


class Service:
    """One for each worker; everything in it happens in the worker's event loop, but for the threads' answers."""

    def __init__(self, redirects: Redirector, *, pages: Path, threaded: bool) -> None:
        self.answer = redirects.respond
        self.answer_known = redirects.respond_cached
        self.known: dict[bytes, tuple[ParsedHeaders, bool]] = {}
        """What headers mean, byte for byte, and whether they keep the connection."""
        self.pages = Pages(pages)
        self.threaded = threaded
        self.stopping = False
        """Whether every answer is a connection's last one."""
        self.buffer = memoryview(bytearray(BUFFER_BYTES))
        self.tick = 0
        """Seconds since the start."""
        self.date = b""
        """The ``Date`` header and the empty line, made once a second."""
        self._met: set[int] = set()
        self._held = 0
        self._threads = ThreadPoolExecutor(THREADS) if threaded else None

    def keep_time(self) -> None:
        """A second has passed."""
        self.tick += 1
        self.date = f"Date: {formatdate(usegmt=True)}\r\n\r\n".encode()

    def hold(self, size: int) -> bool:
        """Count bytes of unfinished bodies; whether there is room for them."""
        self._held += size
        return self._held <= HELD_BYTES

    def remember(self, headers: bytes, sender: ParsedHeaders, *, keep: bool) -> None:
        """Know these headers by heart once they came twice: browsers of one kind send the same ones.

        What says who somebody is, a cookie or a forwarded address, is not kept.
        """
        trace = hash(headers)
        if trace not in self._met:
            if len(self._met) >= MOST_MET:
                self._met.clear()
            self._met.add(trace)
        elif not (
            self.stopping
            or sender.fields.forwarded_for
            or len(headers) > MOST_KNOWN_BYTES
            or b"\r\ncookie:" in headers.lower()
        ):
            if len(self.known) >= MOST_KNOWN:
                self.known.clear()
            self.known[headers] = sender, keep

    def answer_in_thread(self, environ: Environ, done: "Callable[[Future[Response | None]], None]") -> None:
        """Find the answer where waiting for the disk holds nobody else up."""
        loop = asyncio.get_running_loop()
        loop.run_in_executor(self._threads, self.answer, environ).add_done_callback(done)

    def stop(self) -> None:
        """Have every connection end with its next answer, known headers or not."""
        self.stopping = True
        self.known.clear()
