"""Asking targets whether they answer: never inside our own network, and never for long."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from shortener.services.host_throttle import ANSWER_TTL_SECONDS, MAX_CACHE_ENTRIES, HostThrottle, SlotTimeout
from shortener.services.link_checker import LinkStatus, check_links, is_public_address

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
def test_only_plain_public_addresses_are_public(address: str, public: bool) -> None:
    """Loopback, private, shared, reserved, multicast, and IPv4 in IPv6's clothes are not."""
    assert is_public_address(address) is public


class Site:
    """A server on this machine that plays a site of the public internet."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes] = {}
        self.heads: list[str] = []
        self.times: list[float] = []
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listening.getsockname()[1]
        self.silent = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            head = connection.recv(8_192).decode("latin-1")
            self.heads.append(head)
            self.times.append(time.monotonic())
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
                    self.silent.wait(20)
                else:
                    connection.sendall(self.answers.get(path, b"HTTP/1.1 404 Not Found\r\n\r\n"))
            except OSError:
                pass


@pytest.fixture
def site() -> Iterator[Site]:
    """The site, until the test ends."""
    made = Site()
    yield made
    made.silent.set()
    made.listening.close()


NAMES = {
    "good.example": ["93.184.215.14"],
    "twin.example": ["93.184.215.14"],
    "inner.example": ["10.0.0.1"],
    "both.example": ["93.184.215.14", "::1"],
}


def ask(
    site: Site,
    *targets: str,
    seconds: float = 5.0,
    manners: HostThrottle | None = None,
    resolved: float = 0.0,
) -> list[LinkStatus]:
    """Ask, on an internet where every public name leads to the site, after so many seconds of looking names up."""
    asked: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        time.sleep(resolved)
        if host not in NAMES:
            raise socket.gaierror
        return ["127.0.0.1"] if NAMES[host] == ["93.184.215.14"] else NAMES[host]

    return list(
        check_links(
            targets,
            user_agent="shortener test",
            resolver=resolve,
            is_allowed=lambda address: address == "127.0.0.1" or is_public_address(address),
            ports={"http": site.port, "https": site.port},
            timeout_seconds=seconds,
            throttle=manners or HostThrottle(host_interval=0.0),
        )
    )


def redirect(location: str) -> bytes:
    """An answer that leads elsewhere."""
    return f"HTTP/1.1 302 Found\r\nLocation: {location}\r\n\r\n".encode()


OUTCOMES: dict[str, tuple[str, str]] = {
    "http://good.example/ok": ("answers", "answers (200)"),
    "http://good.example/gone": ("trouble", "answers with 404"),
    "http://good.example/fault": ("trouble", "answers with 500"),
    "http://good.example/robots": ("answers", "answers machines with 403; look at it yourself"),
    "http://good.example/moved": ("answers", "answers (200)"),
    "http://good.example/relative": ("answers", "answers (200)"),
    "http://good.example/inward": ("refused", "not asked: it leads to an address that is not public"),
    "http://good.example/named": ("refused", "not asked: it leads to an address that is not public"),
    "http://good.example/file": ("refused", "not asked: it leads to an address that is not public"),
    "http://good.example/port": ("refused", "not asked: it leads to an address that is not public"),
    "http://good.example/loop": ("trouble", "more than 5 redirects"),
    "http://good.example/rubbish": ("trouble", "no answer"),
    "http://good.example/empty": ("trouble", "no answer"),
    "http://good.example/endless": ("answers", "answers (200)"),
    "http://good.example/hints": ("answers", "answers (200)"),
    "http://good.example/only-hints": ("trouble", "no answer"),
    "http://good.example/hints-for-ever": ("trouble", "no answer"),
    "http://inner.example/": ("refused", "not asked: it leads to an address that is not public"),
    "http://both.example/": ("refused", "not asked: it leads to an address that is not public"),
    "http://good.example:8080/": ("refused", "not asked: it leads to an address that is not public"),
    "https://good.example/": ("trouble", "its certificate cannot be verified"),
    "http://nowhere.example/": ("trouble", "no answer"),
}


def test_what_comes_of_asking(site: Site) -> None:
    """Each target is told of in words; no hop goes to an inner address, a file, or a port that is not the web's."""
    site.answers = {
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
    found = {each.target: (each.result, each.message) for each in ask(site, *OUTCOMES)}
    assert found == OUTCOMES


def test_nothing_of_ours_is_sent(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """No cookie, no credentials, no proxy of the environment; only who we are."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    site.answers = {"/ok": b"HTTP/1.1 200 OK\r\n\r\n"}
    assert ask(site, "http://good.example/ok")[0].result == "answers"
    names = {line.partition(":")[0] for line in site.heads[0].split("\r\n")[1:] if line}
    assert names == {"Host", "User-Agent", "Accept", "Connection"}


@pytest.mark.parametrize("path", ["slow", "silent"])
def test_a_slow_site_costs_its_bound(site: Site, path: str) -> None:
    """A byte now and then, or none at all: the answer is there when the time is over."""
    begun = time.monotonic()
    found = ask(site, f"http://good.example/{path}", "http://good.example/ok", seconds=1.0)
    assert time.monotonic() - begun < 3
    assert [each.result for each in found] == ["trouble", "unasked"]


def test_one_host_is_not_flooded(site: Site) -> None:
    """Targets of one host are asked one after the other; beyond the most they are left for the next time."""
    site.answers = {f"/{n}": b"HTTP/1.1 200 OK\r\n\r\n" for n in range(300)}
    found = ask(site, *(f"http://good.example/{n}" for n in range(300)))
    assert [each.result for each in found].count("unasked") == 100
    assert len(site.heads) == 200


OK = b"HTTP/1.1 200 OK\r\n\r\n"
PAUSE = 0.15
"""A short second, so that the test is short."""


def pauses(site: Site) -> list[float]:
    """The seconds between two requests that the site saw."""
    return [later - sooner for sooner, later in zip(site.times, site.times[1:], strict=False)]


def test_a_host_has_its_pause_in_and_between_checks(site: Site) -> None:
    """One request at a time, and a pause behind each: in one check, in the next, and along redirects."""
    site.answers = {"/a": OK, "/b": OK, "/c": OK, "/moved": redirect("/c")}
    manners = HostThrottle(host_interval=PAUSE)
    ask(site, "http://good.example/a", "http://good.example/moved", manners=manners)
    ask(site, "http://good.example/b", manners=manners)
    assert len(site.times) == 4
    assert min(pauses(site)) >= PAUSE


def test_editors_who_ask_at_once_are_one_to_a_host(site: Site) -> None:
    """Several checks at the same time, under two names of one machine: it sees one request a pause, jittered."""
    site.answers = {f"/{n}": OK for n in range(12)}
    manners = HostThrottle(host_interval=PAUSE)
    threads = [
        threading.Thread(
            target=lambda own=n: ask(
                site,
                f"http://good.example/{own}",
                f"http://twin.example/{own + 4}",
                f"http://good.example/{own + 8}",
                manners=manners,
            )
        )
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(site.times) == 12
    assert min(pauses(site)) >= PAUSE
    assert len({round(pause, 3) for pause in pauses(site)}) > 3, "the pauses have no jitter"


def test_what_answered_is_not_asked_again_for_a_while(site: Site) -> None:
    """The next check goes on with what was left; what was in trouble is asked again, as somebody may have mended it."""
    site.answers = {"/ok": OK}
    manners = HostThrottle(host_interval=0.0)
    for _ in range(3):
        found = ask(site, "http://good.example/ok", "http://good.example/gone", manners=manners)
        assert [each.message for each in found] == ["answers (200)", "answers with 404"]
    paths = [head.split(" ")[1] for head in site.heads]
    assert (paths.count("/ok"), paths.count("/gone")) == (1, 3)


def test_what_is_not_asked_in_time_is_asked_the_next_time(site: Site) -> None:
    """Of more targets than fit into one check, each check asks those that are left."""
    site.answers = {f"/{n}": OK for n in range(9)}
    manners, targets = HostThrottle(host_interval=PAUSE), [f"http://good.example/{n}" for n in range(9)]
    left = [
        sum(each.result == "unasked" for each in ask(site, *targets, seconds=4 * PAUSE, manners=manners))
        for _ in range(5)
    ]
    assert 9 > left[0] > 0
    assert left == sorted(left, reverse=True)
    assert left[-1] == 0
    assert len(site.heads) == 9


def test_a_name_that_is_not_looked_up_in_time_holds_nobody(site: Site) -> None:
    """The resolver hangs longer than the check may take: it ends all the same, and says what was not asked."""
    begun = time.monotonic()
    found = ask(site, "http://good.example/ok", "http://twin.example/", seconds=0.2, resolved=4.0)
    assert time.monotonic() - begun < 3
    assert [each.result for each in found] == ["unasked", "unasked"]


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_an_answer_is_remembered_for_its_time_and_no_longer() -> None:
    """Then the target is asked again."""
    clock = Clock()
    manners = HostThrottle(clock)
    manners.cache_answer("https://a.example/", "answers (200)")
    clock.now += ANSWER_TTL_SECONDS - 1
    assert manners.cached_answer("https://a.example/") == "answers (200)"
    clock.now += 1
    assert manners.cached_answer("https://a.example/") is None


def test_a_second_is_a_second() -> None:
    """With its own pause a host is asked once a second at the most, by whatever way the clock goes on."""
    clock = Clock()
    manners = HostThrottle(clock)
    with manners.slot("a.example", deadline=clock.now + 9):
        pass
    clock.now += 0.99
    with pytest.raises(SlotTimeout), manners.slot("a.example", deadline=clock.now):
        pass
    with manners.slot("b.example", deadline=clock.now):
        pass
    clock.now += 0.35
    with manners.slot("a.example", deadline=clock.now + 9):
        pass


def test_the_memory_is_bounded() -> None:
    """Ten thousand links of one's own, or of somebody who wants to fill it."""
    clock = Clock()
    manners = HostThrottle(clock)
    for number in range(MAX_CACHE_ENTRIES + 2_000):
        manners.cache_answer(f"https://a.example/{number}", "answers (200)")
        with manners.slot(f"{number}.example", deadline=clock.now):
            pass
        clock.now += 0.01
    assert len(manners._answer_cache) <= MAX_CACHE_ENTRIES
    assert len(manners._available_at) <= MAX_CACHE_ENTRIES + 200
