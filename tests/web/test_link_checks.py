"""Tests of the link check: public addresses only, a limit of simultaneous checks, no page that waits."""

import json
import re
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from shortener.errors import StoreBusy
from shortener.services.host_throttle import MAX_CONCURRENT_CHECKS
from shortener.services.link_checker import LinkStatus
from shortener.store import issues, link_checks

if TYPE_CHECKING:
    from tests.web.conftest import Browser, EditorSite

PRIVATE_ADDRESSES = {"a.example": "10.0.0.1", "e.example": "169.254.169.254", "c.example": "127.0.0.1"}


@pytest.fixture
def private_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Resolve some names to private addresses and all others to nothing, without a network."""

    def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        if host not in PRIVATE_ADDRESSES:
            raise socket.gaierror
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (PRIVATE_ADDRESSES[host], port))]

    monkeypatch.setattr("socket.getaddrinfo", getaddrinfo)


def wait_for_results(browser: "Browser") -> dict[str, Any]:
    """Wait until the link check of the issue has ended, and return it."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        check: dict[str, Any] = json.loads(browser.get("/-/issues/may/link-check.json").text)
        if check["finished_at"] is not None:
            return check
        time.sleep(0.05)
    raise AssertionError("the link check did not end")


def test_results_are_shown(site: "EditorSite", private_names: None) -> None:
    """The page shows the results by host, with their time, and keeps them.

    A private address is not connected to, and its result does not tell whether a port is open."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        site.add_issue(
            "[a](https://a.example/) [b](http://e.example/) [c](http://c.example/) [d](https://d.example/)\n"
        )
        browser = site.client("editor")
        assert "Check links" in browser.get("/-/issues/may/setup").text
        response = browser.post("/-/issues/may/link-check", {"page": "ready"})
        assert response.location == "/-/issues/may/ready#link-check"
        check = wait_for_results(browser)
        assert (check["done"], check["total"], check["problems"]) == (4, 4, 4)
        assert [host["host"] for host in check["hosts"]] == ["c.example", "e.example", "a.example", "d.example"]
        for page in ("ready", "setup"):
            text = browser.get(f"/-/issues/may/{page}").text
            assert text.count("it leads to an address that is not public") == 3
            assert text.count("no answer") == 1
            assert "Checked <time" in text
            assert "4 of 4 destinations have a problem" in text
        german = browser.get("/-/issues/may/ready", **{"Accept-Language": "de"}).text
        assert german.count("nicht geprüft: es führt zu einer Adresse, die nicht öffentlich ist") == 3
        with pytest.raises(BlockingIOError):
            listening.accept()


def test_no_connection(site: "EditorSite", private_names: None) -> None:
    """If no destination answers, the page says that the server has no connection, and lists no host."""
    site.add_issue("[d](https://d.example/) [e](https://f.example/)\n")
    browser = site.client("editor")
    browser.post("/-/issues/may/link-check")
    assert wait_for_results(browser)["is_offline"]
    page = browser.get("/-/issues/may/setup").text
    assert "This server seems to have no connection to the internet" in page
    assert "no answer" not in page


def test_errors_of_every_destination_are_listed(site_with_issue: "EditorSite") -> None:
    """Destinations that respond with an error show that the server has a connection, so the page lists them."""
    site = site_with_issue
    issue_id, now = issues.get(site.store, "may").id, int(time.time())
    status = LinkStatus("https://a.example/gone", "trouble", "answers with {number}", 404)
    with site.store.transaction():
        link_checks.start(site.store, issue_id, total=1, now=now)
        link_checks.finish(site.store, issue_id, started_at=now, results=msgspec.json.encode([status]), now=now)
    page = site.client("editor").get("/-/issues/may/setup").text
    assert "answers with 404" in page
    assert "no connection" not in page


def test_lost_check(site_with_issue: "EditorSite") -> None:
    """A check whose server was stopped is not shown as running for ever."""
    issue_id = issues.get(site_with_issue.store, "may").id
    with site_with_issue.store.transaction():
        started_at = int(time.time()) - 170
        link_checks.start(site_with_issue.store, issue_id, total=2, now=started_at)
        link_checks.set_progress(site_with_issue.store, issue_id, started_at=started_at, done=1)
    browser = site_with_issue.client("editor")
    assert "1 of 2 destinations checked" in browser.get("/-/issues/may/setup").text
    site_with_issue.store.execute("update link_checks set started_at = started_at - 20")
    assert "Check links" in browser.get("/-/issues/may/setup").text


def test_limit_of_simultaneous_checks(site: "EditorSite", private_names: None) -> None:
    """A check that starts while too many run is refused with a message."""
    site.add_issue()
    browser, throttle = site.client("editor"), site.app.extensions["host_throttle"]
    for _ in range(MAX_CONCURRENT_CHECKS):
        throttle.check_slots.acquire()
    response = browser.post("/-/issues/may/link-check")
    assert response.status_code == 303
    assert "Try again in a minute" in browser.get(response.headers["Location"]).text
    throttle.check_slots.release()
    assert browser.post("/-/issues/may/link-check").location == "/-/issues/may/setup#link-check"
    wait_for_results(browser)


def test_a_check_that_cannot_be_stored_takes_no_place(
    site: "EditorSite", private_names: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After more failed starts than checks may run, a check starts as soon as the store is no longer busy."""
    site.add_issue()
    browser = site.client("editor")

    def start(*_: Any, **__: Any) -> None:
        raise StoreBusy("the store is busy")

    with monkeypatch.context() as patched:
        patched.setattr(link_checks, "start", start)
        for _ in range(MAX_CONCURRENT_CHECKS + 1):
            assert browser.post("/-/issues/may/link-check").status_code == 503
    assert browser.post("/-/issues/may/link-check").location == "/-/issues/may/setup#link-check"
    wait_for_results(browser)


def test_pages_answer_during_a_check(site: "EditorSite", monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages answer, the progress is shown and a link is saved while a check hangs in a name lookup."""
    hanging = threading.Event()

    def getaddrinfo(*_: Any, **__: Any) -> list[Any]:
        hanging.wait(60)
        return []

    monkeypatch.setattr("socket.getaddrinfo", getaddrinfo)
    site.add_issue()
    browser = site.client("editor")
    assert browser.post("/-/issues/may/link-check").status_code == 303
    assert browser.post("/-/new-link", {"target": "https://a.example/x", "domain": "go.example"}).status_code == 303
    assert re.search(r"0 of \d destinations checked", browser.get("/-/issues/may/setup").text)
    hanging.set()
    wait_for_results(browser)
