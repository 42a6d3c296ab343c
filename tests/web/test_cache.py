"""Values that pages keep are computed where there is room for it, and their errors reach the page."""

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from shortener.errors import NotFound
from shortener.web.cache import get_or_compute
from shortener.web.context import store

if TYPE_CHECKING:
    from tests.web.conftest import Desk

SMALL = """
import sys, threading
from pathlib import Path
from shortener.app import create_pages_app
from shortener.config import Config, Storage
from shortener.web.cache import get_or_compute

app = create_pages_app(Config(storage=Storage(data=sys.argv[1])))

def solve(_store):
    import numpy
    return float(numpy.linalg.solve(numpy.eye(400), numpy.ones(400)).sum())

def ask():
    with app.test_request_context():
        print(get_or_compute("sum", solve))

threading.stack_size(512 * 1024)
thread = threading.Thread(target=ask)
thread.start()
thread.join()
"""


def test_large_rankings_have_room_in_small_threads(tmp_path: object) -> None:
    """A server's threads have small stacks, on which a system of 400 equations would end the whole process."""
    ended = subprocess.run(
        [sys.executable, "-c", SMALL, f"{tmp_path}/data"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (0, "400.0\n"), ended.stderr


def test_an_error_of_a_computation_is_the_pages(desk: "Desk") -> None:
    """What a computation raises is answered as if the page had raised it, and computed again the next time."""

    def fail(_store: object) -> None:
        raise NotFound("nothing to rank")

    with desk.app.test_request_context():
        for _ in range(2):
            with pytest.raises(NotFound, match="nothing to rank"):
                get_or_compute("nothing", fail)
        own = store()
        assert get_or_compute("nothing", lambda given: given is own) is True
