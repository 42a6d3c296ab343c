"""Targets are asked when an editor asks, only public ones, and nobody waits for them."""

import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from shortener.services.host_throttle import MAX_CONCURRENT_CHECKS

if TYPE_CHECKING:
    from tests.web.conftest import Desk

INNER = {"a.example": "10.0.0.1", "e.example": "169.254.169.254", "c.example": "127.0.0.1"}


@pytest.fixture
def inner_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that lead inside, or nowhere; nothing outside of this machine is looked up."""

    def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        if host not in INNER:
            raise socket.gaierror
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (INNER[host], port))]

    monkeypatch.setattr("shortener.services.link_checker.socket.getaddrinfo", getaddrinfo)


def test_what_came_of_asking_is_shown(desk: "Desk", inner_names: None) -> None:
    """Each target in words, and the same words for an inner address whether or not anything listens there."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        desk.take_in(
            "[a](https://a.example/) [b](http://e.example/) [c](http://c.example/) [d](https://d.example/)\n"
        )
        browser = desk.client("editor")
        assert "Ask the targets whether they answer" in browser.get("/-/issues/may/contents").text
        page = browser.post("/-/issues/may/reach").text
        assert page.count("it leads to an address that is not public") == 3
        assert page.count("no answer") == 1
        with pytest.raises(BlockingIOError):
            listening.accept()


def test_only_so_many_checks_run_at_once(
    desk: "Desk", inner_names: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks while others ask is told to wait, so that pages keep their threads."""
    monkeypatch.setattr("shortener.web.views.issues.CHECK_QUEUE_TIMEOUT_SECONDS", 0.01)
    desk.take_in()
    browser, throttle = desk.client("editor"), desk.app.extensions["host_throttle"]
    for _ in range(MAX_CONCURRENT_CHECKS):
        throttle.check_slots.acquire()
    answer = browser.post("/-/issues/may/reach")
    assert answer.status_code == 303
    assert "ask again in half a minute" in browser.get(answer.headers["Location"]).text
    throttle.check_slots.release()
    assert browser.post("/-/issues/may/reach").status_code == 200


def test_nobody_waits_for_a_target(desk: "Desk", monkeypatch: pytest.MonkeyPatch) -> None:
    """While a check hangs, pages answer and a link is saved in under a second."""
    hanging = threading.Event()

    def getaddrinfo(*_: Any, **__: Any) -> list[Any]:
        hanging.wait(10)
        return []

    monkeypatch.setattr("shortener.services.link_checker.socket.getaddrinfo", getaddrinfo)
    desk.take_in()
    asking, saving = desk.client("editor"), desk.client("editor")
    check = threading.Thread(target=asking.post, args=("/-/issues/may/reach",))
    check.start()
    begun = time.monotonic()
    assert (
        saving.post("/-/new-link", {"target": "https://a.example/x", "domain": "go.example"}).status_code
        == 303
    )
    assert saving.get("/-/issues/may").status_code == 200
    assert time.monotonic() - begun < 1
    assert check.is_alive()
    hanging.set()
    check.join()
