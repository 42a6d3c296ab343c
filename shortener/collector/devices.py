"""Parsing of user agents: browser, operating system and kind of device. The results are stored."""

from operator import attrgetter

from cachetools import LRUCache, cachedmethod
from msgspec import Struct
from user_agents import parse

from shortener.store import Store
from shortener.store.clicks import add_user_agent, find_user_agent, user_agent_by_id

CACHE_SIZE = 20_000
MAX_PARSED_LENGTH = 384
"""Number of characters of a user agent that are parsed, because some patterns take quadratic time.

The browser is named within them.
"""


class UserAgent(Struct, frozen=True):
    """A parsed user agent; ``id`` is the id of its row in the store."""

    id: int
    browser: str
    os: str
    device: str
    """``phone``, ``tablet``, ``computer`` or ``other``."""


class UserAgentCache:
    """Access to the user agents in the store. The most recently used ones are also in memory."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._by_text: LRUCache[str, UserAgent] = LRUCache(CACHE_SIZE)
        self._by_id: LRUCache[int, UserAgent] = LRUCache(CACHE_SIZE)

    @cachedmethod(attrgetter("_by_text"))
    def get_or_create(self, ua: str) -> UserAgent:
        """Return the parsed user agent, and store it if it is new. Call it inside a transaction."""
        row = find_user_agent(self._store, ua)
        return UserAgent(**row) if row else self._parse_and_store(ua)

    @cachedmethod(attrgetter("_by_id"))
    def by_id(self, agent_id: int) -> UserAgent:
        """Return the stored user agent with this id."""
        return UserAgent(**user_agent_by_id(self._store, agent_id))

    def clear(self) -> None:
        """Clear the cache. Call it after a rollback or a deletion, which may have removed rows."""
        self._by_text.clear()
        self._by_id.clear()

    def _parse_and_store(self, ua: str) -> UserAgent:
        browser, os, device = parse_user_agent(ua)
        agent_id = add_user_agent(self._store, ua, browser=browser, os=os, device=device)
        return UserAgent(agent_id, browser, os, device)


def parse_user_agent(ua: str) -> tuple[str, str, str]:
    """Return (browser, operating system, kind of device), parsed from the first MAX_PARSED_LENGTH characters."""
    agent = parse(ua[:MAX_PARSED_LENGTH])
    kinds = (("phone", agent.is_mobile), ("tablet", agent.is_tablet), ("computer", agent.is_pc))
    device = next((kind for kind, matches in kinds if matches), "other")
    return str(agent.browser.family)[:64], str(agent.os.family)[:64], device
