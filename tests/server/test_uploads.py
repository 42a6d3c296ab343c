"""Bounds on request bodies: unfinished bodies of some clients do not refuse those of others."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from shortener.server.uploads import Uploads


def held(sizes: list[tuple[str, int]], *, limit: int, client_limit: int) -> list[int]:
    """Return the numbers of the uploads that are still held after bytes arrived for new ones in this order."""

    async def run() -> list[int]:
        uploads = Uploads(limit=limit, client_limit=client_limit)
        ended: set[int] = set()
        filled = asyncio.Event()

        async def send(number: int, client: str, size: int) -> None:
            try:
                async with asyncio.timeout(60) as deadline:
                    with uploads.hold(client, deadline) as upload:
                        uploads.add(upload, size)
                        assert uploads.size <= limit
                        await filled.wait()
            except TimeoutError:
                ended.add(number)

        async with asyncio.TaskGroup() as tasks:
            for number, (client, size) in enumerate(sizes):
                tasks.create_task(send(number, client, size))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            filled.set()
        assert uploads.size == 0
        return [number for number in range(len(sizes)) if number not in ended]

    # The browser of other tests in this process has an event loop in the main thread.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, run()).result()


A, B, C = "192.0.2.1", "192.0.2.2", "2001:db8::1"
ROWS: dict[str, tuple[list[tuple[str, int]], list[int]]] = {
    "within both limits": ([(A, 40), (B, 40)], [0, 1]),
    "one client's oldest body ends": ([(A, 40), (B, 10), (A, 30)], [1, 2]),
    "as many of its oldest as needed": ([(A, 20), (A, 20), (A, 20), (A, 45)], [3]),
    "a body beyond its client's limit ends": ([(B, 10), (A, 70)], [0]),
    "the oldest of all clients ends": ([(A, 50), (B, 50), (C, 10)], [1, 2]),
    "all addresses of an IPv6 network are one client": ([(C, 40), ("2001:db8::2", 40)], [1]),
    "two IPv6 networks are two": ([(C, 40), ("2001:db8:1::2", 40)], [0, 1]),
    "IPv4 inside IPv6 is IPv4": ([(A, 40), (f"::ffff:{A}", 40)], [1]),
    "clients without address are one": ([("", 40), ("unknown", 40)], [1]),
}


@pytest.mark.parametrize(("sizes", "expected"), ROWS.values(), ids=ROWS)
def test_limits(sizes: list[tuple[str, int]], expected: list[int]) -> None:
    """Beyond its limit a client loses its own oldest bodies; beyond the limit of all clients the oldest bodies end."""
    assert held(sizes, limit=100, client_limit=60) == expected
