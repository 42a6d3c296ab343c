"""Simulated readers for the demonstration: people who read a newsletter, and the machines that come with them."""

import random
from collections.abc import Iterator, Sequence

from msgspec import Struct

BROWSERS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 "
    "Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 "
    "Safari/605.1.15",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
)
REFERRERS = ("", "", "", "https://mail.google.com/", "https://outlook.live.com/", "https://mail.proton.me/")
LANGUAGES = (
    "en-GB,en;q=0.9",
    "en-US,en;q=0.9",
    "de-DE,de;q=0.8,en;q=0.5",
    "nb-NO,nb;q=0.9",
    "pt-PT,pt;q=0.9",
)
KIND_WEIGHTS = {"title": 1.0, "image": 0.6, "more": 0.4, "text": 0.5, "button": 0.6, "footer": 0.05}
MACHINES = {
    "crawler": "Mozilla/5.0 (compatible; ExampleCrawler/2.1; +https://example.com/bot)",
    "preview": "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "tool": "curl/8.11.0",
}


class Link(Struct, frozen=True):
    """A link of the issue as a reader sees it: where it leads, what it looks like, how good what is behind it is."""

    path: str
    kind: str
    place: int
    appeal: float


class Visit(Struct, frozen=True):
    """One request: its method, its path and its headers. The address comes as a trusted proxy would pass it on."""

    method: str
    path: str
    headers: dict[str, str]


def visits(links: Sequence[Link], *, readers: int, seed: int) -> Iterator[Visit]:
    """The requests of so many readers, and of machines that make about a third of all requests."""
    rng = random.Random(seed)  # noqa: S311
    weights = [KIND_WEIGHTS[link.kind] * link.appeal / link.place**0.7 for link in links]
    for _ in range(readers):
        headers = _person(rng)
        for link in rng.choices(links, weights, k=1 + min(4, int(rng.expovariate(1.2)))):
            yield Visit("GET", link.path, headers)
        if rng.random() < 0.18:
            yield _machine(rng, links)
        if rng.random() < 0.03:
            yield Visit("GET", rng.choice(links).path, {**headers, "Sec-Purpose": "prefetch"})
        if rng.random() < 0.015:
            yield from _scanner(rng, links)


def _address(rng: random.Random) -> str:
    """An address from the three networks that are set aside for documentation (RFC 5737)."""
    return f"{rng.choice(('192.0.2', '198.51.100', '203.0.113'))}.{rng.randrange(1, 255)}"


def _person(rng: random.Random) -> dict[str, str]:
    headers = {
        "X-Forwarded-For": _address(rng),
        "User-Agent": rng.choice(BROWSERS),
        "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "Accept-Language": rng.choice(LANGUAGES),
    }
    referrer = rng.choice(REFERRERS)
    return {**headers, "Referer": referrer} if referrer else headers


def _machine(rng: random.Random, links: Sequence[Link]) -> Visit:
    name = rng.choice(sorted(MACHINES))
    headers = {"X-Forwarded-For": _address(rng), "User-Agent": MACHINES[name], "Accept": "*/*"}
    return Visit("HEAD" if name == "tool" else "GET", rng.choice(links).path, headers)


def _scanner(rng: random.Random, links: Sequence[Link]) -> Iterator[Visit]:
    """A mail gateway: a browser's user agent, and link after link within a second."""
    headers = {"X-Forwarded-For": _address(rng), "User-Agent": BROWSERS[1], "Accept": "*/*"}
    for link in links[: rng.randrange(8, 20)]:
        yield Visit("GET", link.path, headers)
