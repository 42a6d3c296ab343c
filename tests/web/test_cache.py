"""Tests of the cache of computed values: large computations and errors."""

import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from shortener.errors import NotFound
from shortener.web.cache import get_if_ready, get_or_compute
from shortener.web.context import store
from tests.web.test_report_pages import write_human_clicks

if TYPE_CHECKING:
    from tests.web.conftest import EditorSite

SOLVING_PAGE_PROGRAM = """
import http.client, sys, threading
import numpy, waitress
from shortener.app import create_pages_app
from shortener.config import Config, Storage
from shortener.web.cache import get_or_compute

app = create_pages_app(Config(storage=Storage(data=sys.argv[1])))
app.add_url_rule("/-/solve", view_func=lambda: str(get_or_compute("sum", solve)))

def solve(_store):
    return float(numpy.linalg.solve(numpy.eye(400), numpy.ones(400)).sum())

server = waitress.create_server(app, port=0, host="127.0.0.1")
threading.Thread(target=server.run, daemon=True).start()
connection = http.client.HTTPConnection("127.0.0.1", server.effective_port)
connection.request("GET", "/-/solve")
print(connection.getresponse().read().decode())
"""


def test_large_computation_in_a_thread_of_the_server(tmp_path: object) -> None:
    """The threads of the pages' server have enough stack for OpenBLAS to solve 400 equations."""
    process = subprocess.run(
        [sys.executable, "-c", SOLVING_PAGE_PROGRAM, f"{tmp_path}/data"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (process.returncode, process.stdout) == (0, "400.0\n"), process.stderr


def test_errors_are_raised_and_not_cached(site: "EditorSite") -> None:
    """An error of a computation is raised to the view, and the next request computes again."""

    def fail(_store: object) -> None:
        raise NotFound("nothing to rank")

    with site.app.test_request_context():
        for _ in range(2):
            with pytest.raises(NotFound, match="nothing to rank"):
                get_or_compute("nothing", fail)
        request_store = store()
        assert get_or_compute("nothing", lambda used_store: used_store is request_store) is True


EDITS_OF_NOTHING_CACHED = {
    "role of a user": ("/-/settings/users/role", {"name": "viewer", "role": "editor"}),
    "token": ("/-/account/tokens/revoke", {"name": "script"}),
    "webhook": ("/-/settings/webhooks", {"url": "https://hooks.example.com/in"}),
}


@pytest.mark.parametrize(("path", "form"), EDITS_OF_NOTHING_CACHED.values(), ids=EDITS_OF_NOTHING_CACHED.keys())
def test_edits_of_nothing_that_is_cached_keep_the_cache(site: "EditorSite", path: str, form: dict[str, str]) -> None:
    """A change of users, tokens or webhooks does not make the next page compute the ranking again."""
    browser = site.client("admin")
    browser.post("/-/account/tokens", {"name": "script", "scopes": ["read"]})
    with site.app.test_request_context():
        get_or_compute("slow", lambda _store: "computed before")
    assert browser.post(path, form).status_code == 303
    with site.app.test_request_context():
        assert get_or_compute("slow", lambda _store: "computed again") == "computed before"


def test_a_value_that_is_not_ready_is_computed_once_in_the_background(site: "EditorSite") -> None:
    """Until a thread has computed the value there is None; requests meanwhile start no other thread."""
    started: list[int] = []
    may_finish = threading.Event()

    def compute(_store: object) -> str:
        started.append(1)
        assert may_finish.wait(10)
        return "ready"

    with site.app.test_request_context():
        assert [get_if_ready("slow", compute) for _ in range(3)] == [None, None, None]
        may_finish.set()
        deadline = time.monotonic() + 10
        while (value := get_if_ready("slow", compute)) is None and time.monotonic() < deadline:
            threading.Event().wait(0.01)
    assert value == "ready"
    assert started == [1]


def test_an_outdated_value_is_returned_while_one_thread_computes_the_new_one(
    site_with_issue: "EditorSite", monkeypatch: pytest.MonkeyPatch
) -> None:
    """After new clicks, requests get the value computed before them at once, and start only one thread together."""
    monkeypatch.setattr("shortener.web.cache.FRESH_SECONDS", 0.0)
    started: list[int] = []
    may_finish = threading.Event()

    def compute(_store: object) -> str:
        started.append(1)
        assert may_finish.wait(10)
        return "new"

    with site_with_issue.app.test_request_context():
        get_or_compute("counts", lambda _store: "old")
    write_human_clicks(site_with_issue, 2, link=1)
    with site_with_issue.app.test_request_context():
        assert [get_or_compute("counts", compute) for _ in range(3)] == ["old", "old", "old"]
        may_finish.set()
        deadline = time.monotonic() + 10
        while (value := get_or_compute("counts", compute)) == "old" and time.monotonic() < deadline:
            threading.Event().wait(0.01)
    assert value == "new"
    assert started == [1]


def test_an_empty_value_is_not_returned_after_new_clicks(site_with_issue: "EditorSite") -> None:
    """Where there were no results yet, the first clicks are seen at once."""
    with site_with_issue.app.test_request_context():
        assert get_or_compute("results", lambda _store: "") == ""
    with site_with_issue.app.test_request_context():
        assert get_if_ready("results", lambda _store: "computed again") == ""
    write_human_clicks(site_with_issue, 2, link=1)
    with site_with_issue.app.test_request_context():
        assert get_if_ready("results", lambda _store: "one article") == "one article"


def test_a_failed_background_computation_is_tried_again(site: "EditorSite") -> None:
    """An error in the thread is logged and not cached: the next request starts another one."""
    attempts: list[int] = []

    def compute(_store: object) -> str:
        attempts.append(1)
        if len(attempts) == 1:
            raise RuntimeError("no luck")
        return "ready"

    with site.app.test_request_context():
        deadline = time.monotonic() + 10
        while (value := get_if_ready("flaky", compute)) is None and time.monotonic() < deadline:
            threading.Event().wait(0.01)
    assert (value, len(attempts)) == ("ready", 2)


def test_a_value_computed_while_the_cache_is_cleared_is_not_kept(site: "EditorSite") -> None:
    """An edit clears the cache; a computation that began before it may have read the old data."""
    computed: list[int] = []

    def compute(_store: object) -> int:
        computed.append(len(computed) + 1)
        if len(computed) == 1:
            site.app.extensions["cache"].clear()
        return computed[-1]

    with site.app.test_request_context():
        assert [get_or_compute("number", compute) for _ in range(3)] == [1, 2, 2]
