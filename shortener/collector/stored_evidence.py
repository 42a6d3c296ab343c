"""Stored requests as the rules read them: what a click line said, as far as it was kept."""

import msgspec

from shortener.classification.evidence import ClickRequest
from shortener.store import Store
from shortener.store import nearby_clicks as sql
from shortener.store.nearby_clicks import StoredRequest


class StoredRequestReader:
    """Reads stored requests; user agents and headers, which most requests share, are read once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._user_agents: dict[int, str] = {}
        self._headers: dict[int, dict[str, str]] = {}

    def read(self, row: StoredRequest, *, https: bool, asn: int | None = None) -> ClickRequest:
        """What a stored click tells of its request; the collector has judged it by the same.

        ``asn`` is what the operator's database says of the network.
        """
        return ClickRequest(
            ts=row.ts / 1000,
            method=row.method,
            ua=None if row.agent_id is None else self._user_agent(row.agent_id),
            headers=None if row.headers_id is None else self._request_headers(row.headers_id),
            lang=row.language or None,
            https=https,
            net=row.net,
            ref=row.referrer or None,
            asn=asn,
        )

    def _user_agent(self, agent_id: int) -> str:
        if agent_id not in self._user_agents:
            self._user_agents[agent_id] = sql.user_agent_text(self._store, agent_id)
        return self._user_agents[agent_id]

    def _request_headers(self, headers_id: int) -> dict[str, str]:
        if headers_id not in self._headers:
            text = sql.headers_text(self._store, headers_id)
            self._headers[headers_id] = msgspec.json.decode(text, type=dict[str, str])
        return self._headers[headers_id]
