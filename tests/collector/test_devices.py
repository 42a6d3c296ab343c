"""User agents are parsed once each, hostile ones at a bounded cost, and the cache has a bounded size."""

from pathlib import Path
from time import process_time

import pytest

from shortener.classification.bot_user_agents import bot_reason
from shortener.classification.browsers import parse_browser
from shortener.collector.devices import UserAgentCache, parse_user_agent
from shortener.store import open_store

WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
HOSTILE = {
    "one letter": "a" * 505,
    "semicolons": "; " * 252,
    "brackets": "Mozilla/5.0 (" + "(" * 490,
    "products": "Mozilla/5.0 " + "x/1.0 " * 82,
    "compatible": "Mozilla/5.0 (" + "compatible; " * 40,
    "Androids": "Android; " * 56,
    "a long model": "Mozilla/5.0 (Linux; Android 9; " + "a" * 200 + "(" + "b" * 200,
    "versions": "Mozilla/5.0 (iPhone; CPU iPhone OS " + "1_" * 230,
    "addresses": "a@b-" * 126,
    "no ASCII": "\u20ac" * 500,
}


def cpu_seconds(agent: str) -> float:
    """Return the CPU time of everything that the collector does with a user agent."""
    start = process_time()
    parse_user_agent(agent)
    bot_reason(agent)
    parse_browser(agent)
    return process_time() - start


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_user_agents_are_cheap(name: str) -> None:
    """Strings of 512 characters that no browser sends take less than fifty times as long as a browser's.

    They take about twice as long; a pattern with catastrophic backtracking would take a million times as long.
    """
    begin, rest = HOSTILE[name][:20], HOSTILE[name][20:]
    # With the name in it, none is cached by an earlier test; the shortest time is without the compilation of patterns.
    ordinary = min(cpu_seconds(f"{WINDOWS} Chrome/{number}.0.0.0 Safari/537.36 {name}") for number in range(8))
    assert min(cpu_seconds(f"{begin}{number}{rest}"[:512]) for number in range(8)) < 50 * ordinary


def test_cache_size_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of different user agents evicts the oldest from the cache, and keeps all in the store."""
    monkeypatch.setattr("shortener.collector.devices.CACHE_SIZE", 20)
    store = open_store(tmp_path)
    agents = UserAgentCache(store)
    with store.transaction():
        ids = [agents.get_or_create(f"{WINDOWS} Chrome/{number}.0.0.0 Safari/537.36").id for number in range(60)]
        for agent_id in ids:
            agents.by_id(agent_id)
    assert agents.get_or_create.cache_info().currsize == agents.by_id.cache_info().currsize == 20
    assert agents.get_or_create(f"{WINDOWS} Chrome/0.0.0.0 Safari/537.36").id == ids[0]
    assert store.value("select count(*) from user_agents") == 60
    store.close()


@pytest.mark.parametrize(
    ("ua", "expected"),
    [
        (f"{WINDOWS} Chrome/152.0.0.0 Safari/537.36", ("Chrome", "Windows", "computer")),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            "Version/18.6 Mobile/15E148 Safari/604.1",
            ("Mobile Safari", "iOS", "phone"),
        ),
        ("", ("Other", "Other", "other")),
    ],
)
def test_browser_system_and_device(ua: str, expected: tuple[str, str, str]) -> None:
    """Browser, operating system and kind of device are parsed from typical user agents."""
    assert parse_user_agent(ua) == expected
