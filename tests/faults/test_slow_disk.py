"""A disk on which every sync takes half a second affects no reader and loses no click."""

import shutil
from pathlib import Path

import pytest

from tests.faults.crowds import probe
from tests.faults.serving import Server, needs_proc, serving

pytestmark = needs_proc
DELAY_US = 500_000
REQUESTS = 200


def test_a_slow_disk_slows_nobody_down(tmp_path: Path) -> None:
    """With each fdatasync and fsync delayed by half a second, redirects are not delayed and all clicks are stored."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    tracing = [strace, "-f", "-qq", "-o", str(tmp_path / "trace"), "-e", "trace=fdatasync,fsync"]
    server = Server(
        tmp_path,
        prefix=[*tracing, "-e", f"inject=fdatasync,fsync:delay_exit={DELAY_US}"],
        tables="[clicklog]\nsync = 0.1\n",
        pages=False,
    )
    try:
        with serving(server):
            server.click("before")
            found = probe(server, requests=REQUESTS, pause=0.01)
            assert found.errors == 0
            server.click("after")
            server.stop(seconds=60)
    except AssertionError:
        if "ptrace" in server.said() or "PTRACE" in server.said():
            pytest.skip("strace may not trace here")
        raise
    delayed = (tmp_path / "trace").read_text().count("(DELAYED)")
    assert 0 < delayed < REQUESTS / 2, "a request that waited for its sync would have had one of its own"
    server.check()
    assert server.stored() == REQUESTS + 2
