"""Tests of the link check: public addresses only, a limit of simultaneous checks, no page that waits."""

import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from shortener.services.host_throttle import MAX_CONCURRENT_CHECKS

if TYPE_CHECKING:
    from tests.web.conftest import EditorSite

PRIVATE_ADDRESSES = {"a.example": "10.0.0.1", "e.example": "169.254.169.254", "c.example": "127.0.0.1"}


@pytest.fixture
def private_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Resolve some names to private addresses and all others to nothing, without a network."""

    def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        if host not in PRIVATE_ADDRESSES:
            raise socket.gaierror
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (PRIVATE_ADDRESSES[host], port))]

    monkeypatch.setattr("socket.getaddrinfo", getaddrinfo)


def test_results_are_shown(site: "EditorSite", private_names: None) -> None:
    """The page shows a result for each target.

    A private address is not connected to, and its result does not tell whether a port is open."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        site.add_issue(
            "[a](https://a.example/) [b](http://e.example/) [c](http://c.example/) [d](https://d.example/)\n"
        )
        browser = site.client("editor")
        assert "Check links" in browser.get("/-/issues/may/contents").text
        page = browser.post("/-/issues/may/reach").text
        assert page.count("it leads to an address that is not public") == 3
        assert page.count("no answer") == 1
        with pytest.raises(BlockingIOError):
            listening.accept()


def test_limit_of_simultaneous_checks(site: "EditorSite", private_names: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that starts while too many run is refused with a message, so that pages keep their threads."""
    monkeypatch.setattr("shortener.web.views.issues.CHECK_QUEUE_TIMEOUT_SECONDS", 0.01)
    site.add_issue()
    browser, throttle = site.client("editor"), site.app.extensions["host_throttle"]
    for _ in range(MAX_CONCURRENT_CHECKS):
        throttle.check_slots.acquire()
    response = browser.post("/-/issues/may/reach")
    assert response.status_code == 303
    assert "Try again in 30 seconds" in browser.get(response.headers["Location"]).text
    throttle.check_slots.release()
    assert browser.post("/-/issues/may/reach").status_code == 200


def test_pages_answer_during_a_check(site: "EditorSite", monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages answer and a link is saved while a check hangs in a name lookup."""
    hanging = threading.Event()

    def getaddrinfo(*_: Any, **__: Any) -> list[Any]:
        hanging.wait(60)
        return []

    monkeypatch.setattr("socket.getaddrinfo", getaddrinfo)
    site.add_issue()
    asking, saving = site.client("editor"), site.client("editor")
    check = threading.Thread(target=asking.post, args=("/-/issues/may/reach",))
    check.start()
    assert saving.post("/-/new-link", {"target": "https://a.example/x", "domain": "go.example"}).status_code == 303
    assert saving.get("/-/issues/may").status_code == 200
    assert check.is_alive()
    hanging.set()
    check.join()
