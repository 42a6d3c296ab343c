"""Ports for the servers that tests start."""

import os
import random
import socket

FIRST_PORT, LAST_PORT = 10_000, 30_000
"""Below the ports that the kernel gives to outgoing connections, so that no connection takes a port between."""
_rng = random.Random(os.urandom(8))


def free_port() -> int:
    """Return a port of 127.0.0.1 on which no process listens; parallel test processes get different ones."""
    while True:
        port = _rng.randint(FIRST_PORT, LAST_PORT)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
