"""Reading user agents: browser, system and device, each new string once."""

from collections import OrderedDict

from msgspec import Struct
from user_agents import parse

from shortener.store import Store
from shortener.store import clicks as sql

CACHE_SIZE = 20_000
MAX_PARSED_LENGTH = 384
"""Characters that the parser gets: some of its patterns take quadratic time; browsers name themselves before."""


class UserAgent(Struct, frozen=True):
    """What a user agent says of itself. ``id`` is its row in the store."""

    id: int
    browser: str
    os: str
    device: str
    """phone, tablet, computer or other."""


class UserAgentCache:
    """The user agents that the store has seen, the recent ones in memory."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._by_text: OrderedDict[str, UserAgent] = OrderedDict()
        self._by_id: OrderedDict[int, UserAgent] = OrderedDict()

    def get_or_create(self, ua: str) -> UserAgent:
        """The reading of a user agent, stored the first time; called inside the collector's transaction."""
        agent = self._by_text.get(ua)
        if agent is None:
            agent = self._by_text[ua] = self._find_stored(ua) or self._parse_and_store(ua)
            if len(self._by_text) > CACHE_SIZE:
                self._by_text.popitem(last=False)
        return agent

    def by_id(self, agent_id: int) -> UserAgent:
        """The reading of a stored user agent."""
        agent = self._by_id.get(agent_id)
        if agent is None:
            agent = self._by_id[agent_id] = UserAgent(**sql.user_agent_by_id(self._store, agent_id))
            if len(self._by_id) > CACHE_SIZE:
                self._by_id.popitem(last=False)
        return agent

    def clear(self) -> None:
        """Forget what was read since, because the transaction that stored it was rolled back."""
        self._by_text.clear()
        self._by_id.clear()

    def _find_stored(self, ua: str) -> UserAgent | None:
        row = sql.find_user_agent(self._store, ua)
        return UserAgent(**row) if row else None

    def _parse_and_store(self, ua: str) -> UserAgent:
        browser, os, device = parse_user_agent(ua)
        return UserAgent(
            sql.add_user_agent(self._store, ua, browser=browser, os=os, device=device), browser, os, device
        )


def parse_user_agent(ua: str) -> tuple[str, str, str]:
    """Browser, system and kind of device of a user agent, by the first MAX_READ characters of it."""
    agent = parse(ua[:MAX_PARSED_LENGTH])
    kinds = (("phone", agent.is_mobile), ("tablet", agent.is_tablet), ("computer", agent.is_pc))
    device = next((kind for kind, holds in kinds if holds), "other")
    return str(agent.browser.family)[:64], str(agent.os.family)[:64], device
