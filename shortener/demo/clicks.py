"""Simulated lines of the click log: readers of an issue over some days, bots, link previews and mail scanners."""

import random
from collections.abc import Iterator, Sequence

from msgspec import Struct

from shortener.clicklog.format import FORMAT_VERSION, ClickLine
from shortener.durations import DAY_SECONDS, HOUR_SECONDS

BROWSER_USER_AGENTS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 "
    "Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 "
    "Safari/605.1.15",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
)
BROWSER_HEADERS = {
    "accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "sec-fetch-mode": "navigate",
    "sec-fetch-dest": "document",
    "sec-fetch-site": "cross-site",
}
REFERRERS = ("", "", "", "https://mail.google.com/", "https://outlook.live.com/", "https://mail.proton.me/")
LANGUAGES = ("en-GB", "en-US", "de-DE", "nb-NO", "pt-PT")
KIND_WEIGHTS = {"title": 1.0, "image": 0.6, "more": 0.4, "text": 0.5, "button": 0.6, "footer": 0.05}
"""Relative probability that a reader clicks a link, by what the link looks like."""
MINUTE_SECONDS = 60
POSITION_EXPONENT = 0.6
"""A link at position p is clicked p to the power of minus this exponent as often as at position 1."""
MEDIAN_DELAY_SECONDS = 3 * HOUR_SECONDS
DELAY_SPREAD = 1.3
"""Standard deviation of the logarithm of the time between sending and a reader's first click."""
BOTS = {
    "crawler": ("GET", "Mozilla/5.0 (compatible; ExampleCrawler/2.1; +https://example.com/bot)"),
    "preview": ("GET", "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"),
    "tool": ("HEAD", "curl/8.11.0"),
}
BOTS_PER_READER = 0.12
SCANNERS_PER_READER = 0.004


class ReaderLink(Struct, frozen=True):
    """One place in the text of a sample issue where a short link appears."""

    code: str
    n: int
    """Number at the end of the short URL, which tells several places of a link apart."""
    kind: str
    """What the link looks like, such as a title or an image."""
    position: int
    """Number of the article, from 1 at the top of the issue."""
    appeal: float
    """How much the linked page attracts readers, as a multiple of the average article."""


class _Client(Struct, frozen=True):
    """What all click-log lines of one simulated client have in common: network, address, user agent and headers."""

    network: str
    address: str
    user_agent: str
    language: str | None
    referrer: str | None
    headers: dict[str, str]


def simulate_clicks(
    links: Sequence[ReaderLink],
    *,
    host: str,
    readers: int,
    sent_at: int,  # seconds of the UTC epoch
    last_delay: int,  # largest number of seconds between sending and a reader's first click
    seed: int,
) -> list[ClickLine]:
    """Return the click-log lines of simulated readers, bots and mail scanners, in order of time."""
    rng = random.Random(seed)  # noqa: S311
    lines = [line for _ in range(readers) for line in _reader_lines(rng, links, host, sent_at, last_delay)]
    for _ in range(round(readers * BOTS_PER_READER)):
        lines.append(_bot_line(rng, links, host, sent_at))
    for _ in range(round(readers * SCANNERS_PER_READER)):
        lines += _mail_scanner_lines(rng, links, host, sent_at)
    lines.sort(key=lambda line: line.ts)
    for number, line in enumerate(lines):
        line.id = f"{seed:x}-{number:x}"
    return lines


def _reader_lines(
    rng: random.Random, links: Sequence[ReaderLink], host: str, sent_at: int, last_delay: int
) -> Iterator[ClickLine]:
    weights = [KIND_WEIGHTS[link.kind] * link.appeal / link.position**POSITION_EXPONENT for link in links]
    reader = _browser(rng)
    time = sent_at + _random_delay_seconds(rng, last_delay)
    for link in rng.choices(links, weights, k=1 + min(4, int(rng.expovariate(1.2)))):
        yield _line(reader, link, host, time)
        time += rng.uniform(25, 6 * MINUTE_SECONDS)


def _random_delay_seconds(rng: random.Random, last_delay: int) -> float:
    while True:
        delay = MEDIAN_DELAY_SECONDS * rng.lognormvariate(0, DELAY_SPREAD)
        if MINUTE_SECONDS <= delay <= last_delay:
            return delay


def _browser(rng: random.Random) -> _Client:
    network, address = _random_network_and_address(rng)
    language = rng.choice(LANGUAGES)
    referrer = rng.choice(REFERRERS)
    return _Client(network, address, rng.choice(BROWSER_USER_AGENTS), language, referrer or None, BROWSER_HEADERS)


def _random_network_and_address(rng: random.Random) -> tuple[str, str]:
    network = f"10.{rng.randrange(256)}.{rng.randrange(256)}.0/24"
    return network, f"{rng.getrandbits(64):016x}"


def _line(client: _Client, link: ReaderLink, host: str, time: float, *, method: str = "GET") -> ClickLine:
    return ClickLine(
        v=FORMAT_VERSION,
        id="",
        ts=round(time, 3),
        host=host,
        code=link.code,
        path=f"/{link.code}/{link.n}",
        n=link.n,
        method=method,
        status=302,
        net=client.network,
        addr=client.address,
        visitor=f"v{client.address}",
        ua=client.user_agent,
        ref=client.referrer,
        lang=client.language,
        h=client.headers,
    )


def _bot_line(rng: random.Random, links: Sequence[ReaderLink], host: str, sent_at: int) -> ClickLine:
    method, user_agent = BOTS[rng.choice(sorted(BOTS))]
    client = _Client(*_random_network_and_address(rng), user_agent, None, None, {"accept": "*/*"})
    time = sent_at + rng.uniform(MINUTE_SECONDS, DAY_SECONDS)
    return _line(client, rng.choice(links), host, time, method=method)


def _mail_scanner_lines(
    rng: random.Random, links: Sequence[ReaderLink], host: str, sent_at: int
) -> Iterator[ClickLine]:
    client = _Client(*_random_network_and_address(rng), BROWSER_USER_AGENTS[1], None, None, {"accept": "*/*"})
    time = sent_at + rng.uniform(1, 20)
    for link in links[: rng.randrange(12, 25)]:
        yield _line(client, link, host, time)
        time += 0.05
