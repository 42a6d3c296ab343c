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
    """One request, ``at`` seconds from the start. The address comes as a trusted proxy would pass it on."""

    at: float
    method: str
    path: str
    headers: dict[str, str]


def visits(links: Sequence[Link], *, readers: int, seconds: float, seed: int) -> list[Visit]:
    """The requests of so many readers within about so many seconds, and of the machines that come with them.

    A reader opens a link every few seconds; a mail gateway opens them all at once.
    """
    rng = random.Random(seed)  # noqa: S311
    made = [visit for _ in range(readers) for visit in _around_reader(rng, links, seconds=seconds)]
    return sorted(made, key=lambda visit: visit.at)


def _around_reader(rng: random.Random, links: Sequence[Link], *, seconds: float) -> Iterator[Visit]:
    """A reader's clicks, and now and then a machine's."""
    weights = [KIND_WEIGHTS[link.kind] * link.appeal / link.place**0.7 for link in links]
    headers = _person(rng)
    at = rng.uniform(0, seconds)
    for link in rng.choices(links, weights, k=1 + min(4, int(rng.expovariate(1.2)))):
        yield Visit(at, "GET", link.path, headers)
        at += rng.uniform(0.06, 0.2) * seconds
    at = rng.uniform(0, seconds)
    if rng.random() < 0.18:
        yield _machine(rng, links, at=at)
    if rng.random() < 0.03:
        yield Visit(at, "GET", rng.choice(links).path, {**headers, "Sec-Purpose": "prefetch"})
    if rng.random() < 0.015:
        yield from _gateway(rng, links, at=at)


def _address(rng: random.Random) -> str:
    """A private address: nobody's in particular, and from many networks, as a newsletter's readers are."""
    return f"10.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(1, 255)}"


def _person(rng: random.Random) -> dict[str, str]:
    headers = {
        "X-Forwarded-For": _address(rng),
        "User-Agent": rng.choice(BROWSERS),
        "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "Accept-Language": rng.choice(LANGUAGES),
    }
    referrer = rng.choice(REFERRERS)
    return {**headers, "Referer": referrer} if referrer else headers


def _machine(rng: random.Random, links: Sequence[Link], *, at: float) -> Visit:
    name = rng.choice(sorted(MACHINES))
    headers = {"X-Forwarded-For": _address(rng), "User-Agent": MACHINES[name], "Accept": "*/*"}
    return Visit(at, "HEAD" if name == "tool" else "GET", rng.choice(links).path, headers)


def _gateway(rng: random.Random, links: Sequence[Link], *, at: float) -> Iterator[Visit]:
    """A mail gateway: a browser's user agent, and link after link within a second."""
    headers = {"X-Forwarded-For": _address(rng), "User-Agent": BROWSERS[1], "Accept": "*/*"}
    for link in links[: rng.randrange(12, 25)]:
        yield Visit(at, "GET", link.path, headers)
