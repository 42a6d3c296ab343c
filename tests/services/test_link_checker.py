"""Link checks: only public addresses are requested, within limits of time and number, and throttled by host."""

import math
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest

from shortener.services.host_throttle import (
    ANSWER_TTL_SECONDS,
    HOST_INTERVAL_SECONDS,
    MAX_CACHE_ENTRIES,
    HostThrottle,
    SlotTimeout,
)
from shortener.services.link_checker import LinkStatus, check_links
from shortener.services.public_http import is_public_address

ADDRESSES = {
    "127.0.0.1": False,
    "127.9.9.9": False,
    "0.0.0.0": False,  # noqa: S104
    "10.0.0.1": False,
    "172.31.255.255": False,
    "192.168.1.1": False,
    "100.64.0.1": False,
    "169.254.169.254": False,
    "192.0.0.8": False,
    "192.88.99.1": False,
    "198.18.0.1": False,
    "203.0.113.5": False,
    "224.0.0.1": False,
    "255.255.255.255": False,
    "::": False,
    "::1": False,
    "::ffff:127.0.0.1": False,
    "::ffff:93.184.215.14": False,
    "::127.0.0.1": False,
    "64:ff9b::7f00:1": False,
    "2002:7f00:1::": False,
    "2001:0:7f00:1::": False,
    "fec0::1": False,
    "fe80::1%eth0": False,
    "fd00::1": False,
    "ff02::1": False,
    "2001:db8::1": False,
    "localhost": False,
    "": False,
    "93.184.215.14": True,
    "2606:2800:21f:cb07:6820:80da:af6b:8b2c": True,
}


@pytest.mark.parametrize(("address", "public"), ADDRESSES.items(), ids=ADDRESSES.keys())
def test_only_public_addresses_are_allowed(address: str, public: bool) -> None:
    """Loopback, private, shared, reserved, multicast and IPv4-mapped addresses are not public."""
    assert is_public_address(address) is public


class Site:
    """A local server that stands for a site of the public internet, and records its requests."""

    def __init__(self) -> None:
        self.responses: dict[str, bytes] = {}
        self.heads: list[str] = []
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listening.getsockname()[1]
        self.closing = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self._respond, args=(connection,), daemon=True).start()

    def _respond(self, connection: socket.socket) -> None:
        with connection:
            head = connection.recv(8_192).decode("latin-1")
            self.heads.append(head)
            path = head.split(" ")[1] if " " in head else ""
            try:
                if path == "/slow":
                    for byte in b"HTTP/1.1 200 OK\r\n" + b"X-Pad: 1\r\n" * 100:
                        connection.sendall(bytes([byte]))
                        time.sleep(0.2)
                elif path == "/endless":
                    connection.sendall(b"HTTP/1.1 200 OK\r\n")
                    while True:
                        connection.sendall(b"X-Pad: " + b"x" * 4_000 + b"\r\n")
                elif path == "/silent":
                    self.closing.wait(60)
                else:
                    connection.sendall(self.responses.get(path, b"HTTP/1.1 404 Not Found\r\n\r\n"))
            except OSError:
                pass


@pytest.fixture
def site() -> Iterator[Site]:
    """A site that closes when the test ends."""
    site = Site()
    yield site
    site.closing.set()
    site.listening.close()


ADDRESSES_BY_NAME = {
    "good.example": ["93.184.215.14"],
    "twin.example": ["93.184.215.14"],
    "inner.example": ["10.0.0.1"],
    "both.example": ["93.184.215.14", "::1"],
}


def check(
    site: Site,
    *targets: str,
    timeout_seconds: float = 60.0,
    throttle: HostThrottle | None = None,
    resolver_hangs: bool = False,
) -> list[LinkStatus]:
    """Check targets in a network where every public name resolves to the site."""

    def resolve(host: str, port: int) -> list[str]:
        if resolver_hangs:
            site.closing.wait(60)
        if host not in ADDRESSES_BY_NAME:
            raise socket.gaierror
        addresses = ADDRESSES_BY_NAME[host]
        return ["127.0.0.1"] if addresses == ["93.184.215.14"] else addresses

    return list(
        check_links(
            targets,
            user_agent="shortener test",
            resolver=resolve,
            is_allowed=lambda address: address == "127.0.0.1" or is_public_address(address),
            ports={"http": site.port, "https": site.port},
            timeout_seconds=timeout_seconds,
            throttle=throttle or HostThrottle(host_interval=0.0),
        )
    )


def redirect(location: str) -> bytes:
    """Return a redirect response."""
    return f"HTTP/1.1 302 Found\r\nLocation: {location}\r\n\r\n".encode()


OUTCOMES: dict[str, tuple[str, str]] = {
    "http://good.example/ok": ("answers", "answers (200)"),
    "http://good.example/gone": ("trouble", "answers with 404"),
    "http://good.example/fault": ("trouble", "answers with 500"),
    "http://good.example/robots": ("answers", "answers programs with 403; check it in a browser"),
    "http://good.example/moved": ("answers", "answers (200)"),
    "http://good.example/relative": ("answers", "answers (200)"),
    "http://good.example/inward": ("refused", "not checked: it leads to an address that is not public"),
    "http://good.example/named": ("refused", "not checked: it leads to an address that is not public"),
    "http://good.example/file": ("refused", "not checked: it leads to an address that is not public"),
    "http://good.example/port": ("refused", "not checked: it leads to an address that is not public"),
    "http://good.example/loop": ("trouble", "more than 5 redirects"),
    "http://good.example/rubbish": ("trouble", "no answer"),
    "http://good.example/empty": ("trouble", "no answer"),
    "http://good.example/endless": ("answers", "answers (200)"),
    "http://good.example/hints": ("answers", "answers (200)"),
    "http://good.example/only-hints": ("trouble", "no answer"),
    "http://good.example/hints-for-ever": ("trouble", "no answer"),
    "http://inner.example/": ("refused", "not checked: it leads to an address that is not public"),
    "http://both.example/": ("refused", "not checked: it leads to an address that is not public"),
    "http://good.example:8080/": ("refused", "not checked: it leads to an address that is not public"),
    "https://good.example/": ("trouble", "its certificate cannot be verified"),
    "http://nowhere.example/": ("trouble", "no answer"),
}


def test_results_of_checks(site: Site) -> None:
    """Every target gets its result and message; no hop is requested at a private address, other port or file."""
    site.responses = {
        "/ok": b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000,
        "/fault": b"HTTP/1.0 500 Oh\r\n\r\n",
        "/robots": b"HTTP/1.1 403 Forbidden\r\n\r\n",
        "/moved": redirect("http://good.example/ok"),
        "/relative": redirect("/ok"),
        "/inward": redirect("http://127.0.0.1/"),
        "/named": redirect("http://inner.example/"),
        "/file": redirect("file:///etc/passwd"),
        "/port": redirect("http://good.example:22/"),
        "/loop": redirect("/loop"),
        "/hints": b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        "/only-hints": b"HTTP/1.1 100 Continue\r\n\r\n",
        "/hints-for-ever": b"HTTP/1.1 100 Continue\r\n\r\n" * 100_000,
        "/rubbish": b"SSH-2.0-OpenSSH\r\n\r\n",
        "/empty": b"",
    }
    statuses = check(site, *OUTCOMES)
    assert {status.target: (status.result, status.message) for status in statuses} == OUTCOMES


def test_requests_contain_no_private_data(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request has no cookie and no credentials, ignores proxies of the environment, and names the user agent."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    site.responses = {"/ok": b"HTTP/1.1 200 OK\r\n\r\n"}
    assert check(site, "http://good.example/ok")[0].result == "answers"
    names = {line.partition(":")[0] for line in site.heads[0].split("\r\n")[1:] if line}
    assert names == {"Host", "User-Agent", "Accept", "Connection"}


@pytest.mark.parametrize("path", ["slow", "silent"])
def test_slow_site_ends_at_the_time_limit(site: Site, path: str) -> None:
    """A site that sends single bytes, or none for a minute, is reported when the time limit is over."""
    statuses = check(site, f"http://good.example/{path}", "http://good.example/ok", timeout_seconds=2.0)
    assert [status.result for status in statuses] == ["trouble", "unasked"]


def test_targets_above_the_limit_are_not_requested(site: Site) -> None:
    """Of 300 targets of one host 200 are requested, and the others are reported as not checked."""
    site.responses = {f"/{n}": b"HTTP/1.1 200 OK\r\n\r\n" for n in range(300)}
    statuses = check(site, *(f"http://good.example/{n}" for n in range(300)))
    assert [status.result for status in statuses].count("unasked") == 100
    assert len(site.heads) == 200


OK = b"HTTP/1.1 200 OK\r\n\r\n"


class Clock:
    """A monotonic clock that moves only when it is set."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class RecordingThrottle(HostThrottle):
    """A throttle on a simulated clock, which records when the slot of the site's address was held."""

    def __init__(self) -> None:
        self.clock = Clock()
        super().__init__(self.clock)
        self.held: list[tuple[float, float]] = []
        wait = self._condition.wait

        def advance(timeout: float | None = None) -> bool:
            wait(0.001)
            self.clock.now += timeout or 0.0
            return True

        self._condition.wait = advance  # type: ignore[method-assign]

    @contextmanager
    def slot(self, key: str, *, deadline: float) -> Iterator[None]:
        """Hold a slot, and record the time before and after."""
        with super().slot(key, deadline=math.inf):
            start = self.clock.now
            yield
            if key == "address 127.0.0.1":
                self.held.append((start, self.clock.now))

    def pauses(self) -> list[float]:
        """Return the simulated seconds between two uses of the address."""
        return [later[0] - earlier[1] for earlier, later in pairwise(self.held)]


def test_host_is_paused_within_and_between_checks(site: Site) -> None:
    """Requests to one host keep the pause within a check, in the next check, and along redirects."""
    site.responses = {"/a": OK, "/b": OK, "/c": OK, "/moved": redirect("/c")}
    throttle = RecordingThrottle()
    check(site, "http://good.example/a", "http://good.example/moved", throttle=throttle)
    check(site, "http://good.example/b", throttle=throttle)
    assert len(site.heads) == 4
    assert min(throttle.pauses()) >= HOST_INTERVAL_SECONDS


def test_concurrent_checks_share_the_slot_of_a_machine(site: Site) -> None:
    """Concurrent checks of two names of one machine request it one at a time, with a jittered pause."""
    site.responses = {f"/{n}": OK for n in range(12)}
    throttle = RecordingThrottle()
    threads = [
        threading.Thread(
            target=lambda own=n: check(
                site,
                f"http://good.example/{own}",
                f"http://twin.example/{own + 4}",
                f"http://good.example/{own + 8}",
                throttle=throttle,
            )
        )
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(site.heads) == 12
    assert min(throttle.pauses()) >= HOST_INTERVAL_SECONDS
    assert len({round(pause, 3) for pause in throttle.pauses()}) > 3, "the pauses have no jitter"


def test_successful_answers_are_cached(site: Site) -> None:
    """A target that answered is not requested again; a target in trouble is, as it may have been fixed."""
    site.responses = {"/ok": OK}
    throttle = HostThrottle(host_interval=0.0)
    for _ in range(3):
        statuses = check(site, "http://good.example/ok", "http://good.example/gone", throttle=throttle)
        assert [status.message for status in statuses] == ["answers (200)", "answers with 404"]
    paths = [head.split(" ")[1] for head in site.heads]
    assert (paths.count("/ok"), paths.count("/gone")) == (1, 3)


def test_next_check_requests_the_remaining_targets(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Targets that did not fit into a check are requested by the next checks, and those that answered are not."""
    monkeypatch.setattr("shortener.services.link_checker.MAX_TARGETS", 4)
    site.responses = {f"/{n}": OK for n in range(9)}
    throttle, targets = HostThrottle(host_interval=0.0), [f"http://good.example/{n}" for n in range(9)]
    remaining = []
    for _ in range(3):
        statuses = check(site, *targets, throttle=throttle)
        remaining.append(sum(status.result == "unasked" for status in statuses))
    assert remaining == [5, 1, 0]
    assert sorted(head.split(" ")[1] for head in site.heads) == sorted(site.responses)


def test_hanging_resolver_does_not_hold_the_check(site: Site) -> None:
    """A check ends at its time limit although the resolver still hangs, and reports the targets as not checked."""
    targets = ("http://good.example/ok", "http://twin.example/")
    statuses = check(site, *targets, timeout_seconds=0.2, resolver_hangs=True)
    assert [status.result for status in statuses] == ["unasked", "unasked"]


def test_cached_answer_expires() -> None:
    """A cached answer is returned until its time to live is over."""
    clock = Clock()
    throttle = HostThrottle(clock)
    throttle.cache_answer("https://a.example/", 200)
    clock.now += ANSWER_TTL_SECONDS - 1
    assert throttle.cached_answer("https://a.example/") == 200
    clock.now += 1
    assert throttle.cached_answer("https://a.example/") is None


def test_slot_is_free_after_the_pause() -> None:
    """The slot of a host is refused before its pause is over and granted afterwards; other hosts have their own."""
    clock = Clock()
    throttle = HostThrottle(clock)
    with throttle.slot("a.example", deadline=clock.now + 9):
        pass
    clock.now += 0.99
    with pytest.raises(SlotTimeout), throttle.slot("a.example", deadline=clock.now):
        pass
    with throttle.slot("b.example", deadline=clock.now):
        pass
    clock.now += 0.35
    with throttle.slot("a.example", deadline=clock.now + 9):
        pass


def test_caches_are_bounded() -> None:
    """Neither the cached answers nor the times of hosts exceed their limit by more than the unexpired entries."""
    clock = Clock()
    throttle = HostThrottle(clock)
    for number in range(MAX_CACHE_ENTRIES + 2_000):
        throttle.cache_answer(f"https://a.example/{number}", 200)
        with throttle.slot(f"{number}.example", deadline=clock.now):
            pass
        clock.now += 0.01
    assert len(throttle._answer_cache) <= MAX_CACHE_ENTRIES
    assert len(throttle._available_at) <= MAX_CACHE_ENTRIES + 200
