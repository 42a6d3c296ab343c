"""Limits on the memory that request bodies take in a worker process.

Signed-in users and other clients have separate limits.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from shortener.clicklog.pseudonyms import parse_address

MIB = 1024 * 1024
SMALL_BODY_BYTES = 64 * 1024
"""Largest body that a form has without an upload. A larger one counts for its user if the user is signed in."""
SIGNED_IN_BYTES, SIGNED_IN_CLIENT_BYTES = 64 * MIB, 32 * MIB
"""Bytes held for all clients that are signed in, and for one of them."""
ANONYMOUS_BYTES, ANONYMOUS_CLIENT_BYTES = 24 * MIB, 6 * MIB
"""Bytes held for all other clients, and for one of them. An issue of the largest size still gets its response."""


class Upload:
    """The body of one request while it is in memory. The request is cancelled at ``deadline``."""

    def __init__(self, client: str, deadline: asyncio.Timeout) -> None:
        self.client = (parse_address(client) or b"")[:8]  # an IPv6 client has a whole /64
        self.deadline = deadline
        self.size = 0


class Uploads:
    """Limits the memory for request bodies of a group of clients, such as all signed-in users."""

    def __init__(
        self,
        *,
        limit: int,  # bytes for the group
        client_limit: int,  # bytes for each client
    ) -> None:
        self._limit = limit
        self.client_limit = client_limit
        """Largest body that is held."""
        self._uploads: dict[Upload, None] = {}  # the oldest first
        self._client_sizes: Counter[bytes] = Counter()
        self.size = 0

    @contextmanager
    def hold(
        self,
        client: str,
        deadline: asyncio.Timeout,  # moved to cancel the request if a limit is exceeded
    ) -> Iterator[Upload]:
        """Yield an object with which ``add`` counts the memory of a request's body, until the ``with`` block ends."""
        upload = Upload(client, deadline)
        self._uploads[upload] = None
        try:
            yield upload
        finally:
            self.release(upload)

    def add(self, upload: Upload, size: int) -> None:
        """Count ``size`` more bytes of a body. While a memory limit is exceeded, the oldest requests are cancelled."""
        if upload not in self._uploads:
            return  # it was ended, and its task has not noticed yet
        upload.size += size
        self._client_sizes[upload.client] += size
        self.size += size
        # A request that has arrived completely is soon not counted any more, so only clients that send slowly are
        # affected.
        while self._client_sizes[upload.client] > self.client_limit:
            self._end(next(each for each in self._uploads if each.client == upload.client))
        while self.size > self._limit:
            self._end(next(iter(self._uploads)))

    def release(self, upload: Upload) -> None:
        """Stop counting a body's bytes towards the memory limits. A second call does nothing."""
        if upload in self._uploads:
            del self._uploads[upload]
            self.size -= upload.size
            self._client_sizes[upload.client] -= upload.size
            if not self._client_sizes[upload.client]:
                del self._client_sizes[upload.client]

    def _end(self, upload: Upload) -> None:
        self.release(upload)
        upload.deadline.reschedule(asyncio.get_running_loop().time())
