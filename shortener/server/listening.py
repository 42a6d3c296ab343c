"""Time limits of a worker's connections, and a shutdown in which no connection is lost."""

import asyncio
import contextlib
import ctypes
import os
import socket
import stat
import struct
import time
from collections.abc import Iterator
from pathlib import Path

QUEUE_SECONDS = 3.0
"""Time that a stopping worker has to accept the connections that wait in its queue."""
REQUEST_SECONDS = 0.2
"""Time after that in which clients with a new connection can send their request."""
UNREAD_SECONDS = 30
"""Time in which a client must acknowledge what was sent to it; the kernel then closes the connection."""
IDLE_SECONDS = 90
"""Time without a byte in either direction after which a connection over TLS is closed."""
POLL_SECONDS = 0.01
SO_ATTACH_FILTER = 26


def limit_unread_output() -> bool:
    """Let the kernel close connections whose clients leave data unread for UNREAD_SECONDS.

    Return False if this process does not listen on a port yet.
    """
    listens = False
    for each in _duplicate_tcp_sockets():
        with contextlib.closing(each):
            # Connections inherit the option; those accepted before this moment get it here. A closed receive window
            # counts as not acknowledged.
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_SECONDS * 1000)
            listens = listens or bool(each.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    return listens


def close_idle_connections() -> None:
    """Close the connections of this process on which nothing was sent or received for IDLE_SECONDS (on Linux only)."""
    for connection in _duplicate_tcp_sockets():
        with contextlib.closing(connection), contextlib.suppress(OSError, struct.error):
            if not connection.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                # Granian leaves two kinds of idle connections open: HTTP/2 over TLS, and those without a byte after the
                # handshake.
                info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
                # tcpi_last_data_sent and tcpi_last_data_recv, in milliseconds
                if min(struct.unpack_from("I4xI", info, 44)) > IDLE_SECONDS * 1000:
                    connection.shutdown(socket.SHUT_RDWR)


async def empty_accept_queues() -> None:
    """Divert new clients to other workers, and wait until this process has accepted its waiting clients."""
    # The kernel resets queued connections when the process ends. A client whose packets are dropped repeats its attempt
    # after a second, and then reaches another worker.
    drop_all = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))  # BPF: return 0 bytes
    program = struct.pack("HP", 1, ctypes.addressof(drop_all))
    until = time.monotonic() + QUEUE_SECONDS
    for listening in _duplicate_listening_sockets():
        with contextlib.closing(listening), contextlib.suppress(OSError, struct.error):
            listening.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
            while _accept_queue_length(listening) and time.monotonic() < until:
                await asyncio.sleep(POLL_SECONDS)
    # The clients that were in the queues can now send their requests.
    await asyncio.sleep(REQUEST_SECONDS)


def _duplicate_listening_sockets() -> Iterator[socket.socket]:
    for candidate in _duplicate_tcp_sockets():
        if candidate.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            yield candidate
        else:
            candidate.close()


def _duplicate_tcp_sockets() -> Iterator[socket.socket]:
    # Only Linux has this directory. The caller closes each duplicate.
    with contextlib.suppress(FileNotFoundError):
        for entry in list(Path("/proc/self/fd").iterdir()):
            with contextlib.suppress(OSError):
                if not stat.S_ISSOCK(entry.stat().st_mode):
                    continue
                candidate = socket.socket(fileno=os.dup(int(entry.name)))
                if candidate.family in {socket.AF_INET, socket.AF_INET6} and candidate.type == socket.SOCK_STREAM:
                    yield candidate
                else:
                    candidate.close()


def _accept_queue_length(listening: socket.socket) -> int:
    info = listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    # The field tcpi_unacked of struct tcp_info.
    return int(struct.unpack_from("I", info, 24)[0])
