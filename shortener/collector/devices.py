"""Parse user agents into browser, operating system and kind of device."""

from functools import lru_cache, partial

from msgspec import Struct

from shortener.store import Store
from shortener.store.clicks import add_user_agent, find_user_agent, user_agent_by_id

CACHE_SIZE = 20_000
MAX_PARSED_LENGTH = 384
"""Number of characters of a user agent that are parsed, because some patterns take quadratic time.

The browser is named within them.
"""


class UserAgent(Struct, frozen=True):
    """A parsed user agent; ``id`` is the number of its row in the store."""

    id: int
    browser: str
    os: str
    device: str
    """``phone``, ``tablet``, ``computer`` or ``other``."""


class UserAgentCache:
    """The user agents in the store, with the recently used ones in memory."""

    def __init__(self, store: Store) -> None:
        self.get_or_create = lru_cache(CACHE_SIZE)(partial(_get_or_create, store))
        """Function that returns a parsed user agent, and stores it if it is new. Call it inside a transaction."""
        self.by_id = lru_cache(CACHE_SIZE)(partial(_by_id, store))
        """Function that returns the stored user agent with an id."""

    def clear(self) -> None:
        """Clear the cache. Call it after a rollback or a deletion, which may have removed rows from the store."""
        self.get_or_create.cache_clear()
        self.by_id.cache_clear()


def _get_or_create(store: Store, ua: str) -> UserAgent:
    row = find_user_agent(store, ua)
    if row:
        return UserAgent(**row)
    browser, os, device = parse_user_agent(ua)
    return UserAgent(add_user_agent(store, ua, browser=browser, os=os, device=device), browser, os, device)


def _by_id(store: Store, agent_id: int) -> UserAgent:
    return UserAgent(**user_agent_by_id(store, agent_id))


def parse_user_agent(ua: str) -> tuple[str, str, str]:
    """Return (browser, operating system, kind of device) of a user agent."""
    # Its patterns take a third of the collector's start; most commands that import this module parse nothing.
    from user_agents import parse

    agent = parse(ua[:MAX_PARSED_LENGTH])
    kinds = (("phone", agent.is_mobile), ("tablet", agent.is_tablet), ("computer", agent.is_pc))
    device = next((kind for kind, matches in kinds if matches), "other")
    return str(agent.browser.family)[:64], str(agent.os.family)[:64], device
