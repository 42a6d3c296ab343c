"""Measure the speed of the rules: on cached and on hostile user agents, and on a million clicks at once.

python tests/benchmarks/verdicts/speed.py [--clicks 1000000]
"""

import argparse
import random
import sys
from collections.abc import Callable, Sequence
from functools import partial
from time import process_time

from shortener.classification.bot_user_agents import bot_reason
from shortener.classification.browsers import parse_browser
from shortener.classification.correlate import group_evidence
from shortener.classification.evidence import ClickRequest
from shortener.classification.nearby_clicks import NearbyClick
from shortener.classification.networks import read_networks
from shortener.classification.request_rules import classify_request, datacenter_table
from shortener.collector.devices import parse_user_agent
from shortener.durations import HOUR_MS, MINUTE_MS, SECOND_MS

NOW = 1_790_000_000
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 Safari/537.36"
)
HEADERS = {"sec-fetch-site": "none", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
HOSTILE: Sequence[str] = (
    "a" * 512,
    "Mozilla/5.0 (" + "(" * 500,
    "Mozilla/5.0 " + "x/1.0 " * 90,
    "1.1." * 128,
    "; " * 256,
    "a@b-" * 128,
    "Mozilla/5.0 (Linux; Android 9; " + "a" * 200 + "(" + "b" * 200,
    "Mozilla/5.0 " + "Version/1.1 " * 42,
    "Mozilla/5.0 (" + "compatible; " * 42,
    "Android; " * 56,
    "Opera/9.80 (J2ME/MIDP; Opera Mini/" + "9" * 450,
    "Mozilla/5.0 (iPhone; CPU iPhone OS " + "1_" * 200,
    "\u20ac" * 512,
)


def requests(count: int, rng: random.Random) -> list[ClickRequest]:
    """Return requests of 200 different browsers from 5,000 networks."""
    nets = [f"{rng.randrange(1, 223)}.{rng.randrange(256)}.{rng.randrange(256)}.0/24" for _ in range(5000)]
    agents = [CHROME.format(major) for major in range(100, 300)]
    return [
        ClickRequest(
            ts=NOW,
            method="GET",
            ua=rng.choice(agents),
            headers=HEADERS,
            lang="en",
            net=rng.choice(nets),
            ref=None,
        )
        for _ in range(count)
    ]


def one_network(count: int, rng: random.Random) -> list[NearbyClick]:
    """Return an hour's clicks from one network, the worst case for the detectors on networks."""
    return [
        NearbyClick(
            seq=seq,
            ts_ms=NOW * SECOND_MS + rng.randrange(HOUR_MS),
            link_id=rng.randrange(12),
            issue_id=1,
            net="203.0.113.0/24",
            addr=str(rng.randrange(256)),
            agent_id=rng.randrange(20),
            sent_at_ms=NOW * SECOND_MS,
            link_count=12,
            honeypot=rng.random() < 0.01,
        )
        for seq in range(count)
    ]


def one_token(count: int, rng: random.Random) -> list[NearbyClick]:
    """Return a minute's clicks with one recipient token, the worst case for the detectors on tokens."""
    return [
        NearbyClick(
            seq=seq,
            ts_ms=NOW * SECOND_MS + rng.randrange(MINUTE_MS),
            link_id=rng.randrange(12),
            issue_id=1,
            net=f"203.0.{rng.randrange(256)}.0/24",
            addr=str(rng.randrange(1000)),
            agent_id=rng.randrange(20),
            recipient_token="one",
            evidence=rng.choice((0, 32)),
            link_count=12,
        )
        for seq in range(count)
    ]


def seconds_for(agent: str) -> float:
    """Return the CPU seconds for all parsing of a user agent that is not cached."""
    start = process_time()
    parse_user_agent(agent)
    bot_reason(agent)
    parse_browser(agent)
    return process_time() - start


def print_speed(label: str, count: int, work: Callable[[], object]) -> None:
    """Run ``work`` on ``count`` items and print how many it processes in a second of CPU time."""
    start = process_time()
    work()
    seconds = process_time() - start
    print(f"{label:44} {count:>9,} in {seconds:6.2f} s  {count / seconds:>11,.0f} a CPU second")


def main() -> int:
    """Print all measurements and return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--clicks", type=int, default=1_000_000)
    count = parser.parse_args().clicks
    rng = random.Random(1)
    table = datacenter_table(
        read_networks("\n".join(f"{a}.{b}.0.0/16" for a in range(30, 60) for b in range(250)), name="generated")
    )
    sample = requests(100_000, rng)
    for request in sample:
        classify_request(request, datacenters=table)
    print_speed(
        "requests with cached user agents",
        len(sample),
        lambda: [classify_request(request, datacenters=table) for request in sample],
    )
    for agent in HOSTILE:  # the parser compiles its patterns at their first use
        seconds_for(agent)
    hostile = sorted(seconds_for(f"{text[:20]}{number}{text[20:]}"[:512]) for text in HOSTILE for number in range(20))
    median, worst = hostile[len(hostile) // 2] * SECOND_MS, hostile[-1] * SECOND_MS
    print(f"{'hostile user agents, CPU':44} median {median:.1f} ms, worst {worst:.1f} ms")
    for label, generate in (
        ("group evidence, one network for an hour", one_network),
        ("group evidence, one token in a minute", one_token),
    ):
        clicks = {click.seq: click for click in generate(count, rng)}
        print_speed(label, count, partial(group_evidence, clicks, clicks.keys()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
