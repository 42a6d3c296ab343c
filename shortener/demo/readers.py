"""Simulated requests for the demonstration: readers of a newsletter, bots, prefetches and a mail scanner."""

import random
from collections.abc import Iterator, Sequence

from msgspec import Struct

BROWSER_USER_AGENTS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 "
    "Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 "
    "Safari/605.1.15",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
)
REFERRERS = ("", "", "", "https://mail.google.com/", "https://outlook.live.com/", "https://mail.proton.me/")
ACCEPT_LANGUAGES = (
    "en-GB,en;q=0.9",
    "en-US,en;q=0.9",
    "de-DE,de;q=0.8,en;q=0.5",
    "nb-NO,nb;q=0.9",
    "pt-PT,pt;q=0.9",
)
KIND_WEIGHTS = {"title": 1.0, "image": 0.6, "more": 0.4, "text": 0.5, "button": 0.6, "footer": 0.05}
"""Relative probability that a reader clicks, by kind of placement."""
BOT_USER_AGENTS = {
    "crawler": "Mozilla/5.0 (compatible; ExampleCrawler/2.1; +https://example.com/bot)",
    "preview": "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "tool": "curl/8.11.0",
}


class ReaderLink(Struct, frozen=True):
    """A placement that readers can click. Its kind, position and appeal determine how often they do."""

    path: str
    kind: str
    position: int
    appeal: float


class SimulatedRequest(Struct, frozen=True):
    """One request, to be sent ``offset_seconds`` after the start. X-Forwarded-For contains the reader's address."""

    offset_seconds: float
    method: str
    path: str
    headers: dict[str, str]


def simulate_requests(
    links: Sequence[ReaderLink], *, readers: int, seconds: float, seed: int
) -> list[SimulatedRequest]:
    """Return the requests of ``readers`` readers, and of some bots, in order of time. They span about ``seconds``.

    A reader opens a link every few seconds, but a mail scanner opens many within a second. Equal arguments give an
    equal result.
    """
    rng = random.Random(seed)  # noqa: S311
    requests = [request for _ in range(readers) for request in _reader_requests(rng, links, seconds=seconds)]
    return sorted(requests, key=lambda request: request.offset_seconds)


def _reader_requests(rng: random.Random, links: Sequence[ReaderLink], *, seconds: float) -> Iterator[SimulatedRequest]:
    """Yield the clicks of one reader. Sometimes also yield requests of a bot, a prefetch or a mail scanner."""
    weights = [KIND_WEIGHTS[link.kind] * link.appeal / link.position**0.7 for link in links]
    headers = _browser_headers(rng)
    offset = rng.uniform(0, seconds)
    for link in rng.choices(links, weights, k=1 + min(4, int(rng.expovariate(1.2)))):
        yield SimulatedRequest(offset, "GET", link.path, headers)
        offset += rng.uniform(0.06, 0.2) * seconds
    offset = rng.uniform(0, seconds)
    if rng.random() < 0.18:
        yield _bot_request(rng, links, offset_seconds=offset)
    if rng.random() < 0.03:
        yield SimulatedRequest(offset, "GET", rng.choice(links).path, {**headers, "Sec-Purpose": "prefetch"})
    if rng.random() < 0.015:
        yield from _mail_scanner_requests(rng, links, offset_seconds=offset)


def _random_address(rng: random.Random) -> str:
    """Return a random private address. The addresses are spread over many networks, like those of real readers."""
    return f"10.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(1, 255)}"


def _browser_headers(rng: random.Random) -> dict[str, str]:
    headers = {
        "X-Forwarded-For": _random_address(rng),
        "User-Agent": rng.choice(BROWSER_USER_AGENTS),
        "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "Accept-Language": rng.choice(ACCEPT_LANGUAGES),
    }
    referrer = rng.choice(REFERRERS)
    return {**headers, "Referer": referrer} if referrer else headers


def _bot_request(rng: random.Random, links: Sequence[ReaderLink], *, offset_seconds: float) -> SimulatedRequest:
    name = rng.choice(sorted(BOT_USER_AGENTS))
    headers = {"X-Forwarded-For": _random_address(rng), "User-Agent": BOT_USER_AGENTS[name], "Accept": "*/*"}
    return SimulatedRequest(offset_seconds, "HEAD" if name == "tool" else "GET", rng.choice(links).path, headers)


def _mail_scanner_requests(
    rng: random.Random, links: Sequence[ReaderLink], *, offset_seconds: float
) -> Iterator[SimulatedRequest]:
    """Yield the requests of a mail scanner: 12 to 24 links at once, with the user agent of a browser."""
    headers = {"X-Forwarded-For": _random_address(rng), "User-Agent": BROWSER_USER_AGENTS[1], "Accept": "*/*"}
    for link in links[: rng.randrange(12, 25)]:
        yield SimulatedRequest(offset_seconds, "GET", link.path, headers)
