"""Reading user agents: browser, system and device, each new string once."""

from collections import OrderedDict

from msgspec import Struct
from user_agents import parse

from shortener.store import Store
from shortener.store import clicks as sql

REMEMBERED = 20_000
MAX_READ = 384
"""Characters that the parser gets: some of its patterns take quadratic time; browsers name themselves before."""


class Agent(Struct, frozen=True):
    """What a user agent says of itself. ``id`` is its row in the store."""

    id: int
    browser: str
    os: str
    device: str
    """phone, tablet, computer or other."""


class Agents:
    """The user agents that the store has seen, the recent ones in memory."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen: OrderedDict[str, Agent] = OrderedDict()
        self._by_id: OrderedDict[int, Agent] = OrderedDict()

    def read(self, ua: str) -> Agent:
        """The reading of a user agent, stored the first time; called inside the collector's transaction."""
        agent = self._seen.get(ua)
        if agent is None:
            agent = self._seen[ua] = self._stored(ua) or self._parsed(ua)
            if len(self._seen) > REMEMBERED:
                self._seen.popitem(last=False)
        return agent

    def by_id(self, agent_id: int) -> Agent:
        """The reading of a stored user agent."""
        agent = self._by_id.get(agent_id)
        if agent is None:
            agent = self._by_id[agent_id] = Agent(**sql.agent_by_id(self._store, agent_id))
            if len(self._by_id) > REMEMBERED:
                self._by_id.popitem(last=False)
        return agent

    def forget(self) -> None:
        """Forget what was read since, because the transaction that stored it was rolled back."""
        self._seen.clear()
        self._by_id.clear()

    def _stored(self, ua: str) -> Agent | None:
        row = sql.agent(self._store, ua)
        return Agent(**row) if row else None

    def _parsed(self, ua: str) -> Agent:
        browser, os, device = describe(ua)
        return Agent(
            sql.add_agent(self._store, ua, browser=browser, os=os, device=device), browser, os, device
        )


def describe(ua: str) -> tuple[str, str, str]:
    """Browser, system and kind of device of a user agent, by the first MAX_READ characters of it."""
    agent = parse(ua[:MAX_READ])
    kinds = (("phone", agent.is_mobile), ("tablet", agent.is_tablet), ("computer", agent.is_pc))
    device = next((kind for kind, holds in kinds if holds), "other")
    return str(agent.browser.family)[:64], str(agent.os.family)[:64], device
