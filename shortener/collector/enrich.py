"""Convert lines of the click log to clicks for the store, with link, verdict, user agent and country."""

from functools import lru_cache, partial

import msgspec

from shortener.classification.evidence import Classification, ClickRequest
from shortener.classification.request_rules import RULES_VERSION
from shortener.clicklog.format import MAX_HEADER_LENGTH, MAX_TEXT_LENGTH, ClickLine, opts_out
from shortener.clicklog.pseudonyms import DailyKeys, hash_address, hash_visitor, network_of
from shortener.collector.datacenters import read_datacenters
from shortener.collector.devices import UserAgentCache
from shortener.collector.ip_databases import IPDatabases
from shortener.collector.request_cache import RequestClassifier
from shortener.config import Config
from shortener.store import Store
from shortener.store.clicks import Click, ResolvedLink, get_or_add_headers, resolve
from shortener.urls import clean_referrer

LINK_CACHE_SIZE = 50_000
HEADER_CACHE_SIZE = 5_000
NETWORK_CACHE_SIZE = 20_000
MAX_IDENTIFIER_LENGTH = 64  # characters


StoredHeaders = tuple[int, dict[str, str]]
"""(id of the row in the store, shortened request headers)."""


class ClickEnricher:
    """Builds clicks for the store from lines of the click log. Raises ConfigError, InputError.

    Call the methods in the transaction that stores the clicks.
    """

    def __init__(self, store: Store, *, config: Config, keys: DailyKeys, agents: UserAgentCache) -> None:
        self._store = store
        self._privacy = config.privacy
        self._keys = keys
        self._user_agents = agents
        self._request_classifier = RequestClassifier(read_datacenters(config))
        self._ip_databases = IPDatabases(config)
        self._case_sensitive_hosts = {domain.host for domain in config.domains if domain.case_sensitive}
        self._https_hosts = config.https_hosts
        self._cached_resolve = lru_cache(LINK_CACHE_SIZE)(partial(resolve, store))
        self._links_revision = -1
        self._store_headers = lru_cache(HEADER_CACHE_SIZE)(partial(_store_headers, store))

    def refresh(self) -> None:
        """Clear the cached links if any link was edited, and reload IP databases whose files have changed."""
        revision = self._store.meta("links_revision")
        if revision != self._links_revision:
            self._cached_resolve.cache_clear()
            self._links_revision = revision
        if self._ip_databases.reload_changed():
            self._request_classifier.clear()

    def clear_caches(self) -> None:
        """Clear the caches. Call it after a rollback or a deletion, which may have removed rows from the store."""
        self._user_agents.clear()
        self._store_headers.cache_clear()
        self._request_classifier.clear()

    def build_click(self, line: ClickLine) -> Click | None:
        """Return the click in a line of the click log; None if its short link is unknown.

        This hashes or removes identifiers in ``line``.
        """
        link = self._resolve(line)
        if link is None:
            return None
        may_track = self._redact(line)
        ua = None if line.ua is None else line.ua[:MAX_TEXT_LENGTH]
        headers_id, headers = (None, None) if line.h is None else self._store_headers(tuple(line.h.items()))
        language = (line.lang or "").partition(",")[0].partition(";")[0].strip()[:35]
        method = (line.method or "GET")[:16]
        referrer = _cached_clean_referrer(line.ref) if line.ref else ""
        n = line.n if line.n in link.issues_by_placement else 0
        # Classified from the stored form, so that a reclassification by the same rules changes nothing.
        request = ClickRequest(
            ts=line.ts,
            method=method,
            ua=ua,
            headers=headers,
            lang=language or None,
            https=line.host.lower() in self._https_hosts,
            net=line.net,
            ref=referrer or None,
            asn=self._ip_databases.asn(line.net),
        )
        # Other clicks are not considered yet.
        classification = self._request_classifier.classify(request, headers_key=headers_id)
        if link.honeypot and classification.verdict == "human":
            classification = Classification("scanner", "hidden-link", classification.evidence)
        return Click(
            id=line.id,
            ts=int(line.ts * 1000),
            link_id=link.link_id,
            n=n,
            issue_id=link.issues_by_placement.get(n, link.issue_id),
            method=method,
            status=line.status or 302,
            verdict=classification.verdict,
            reason=classification.reason,
            rules_version=RULES_VERSION,
            evidence=classification.evidence,
            first_visits=0,
            net=line.net,
            addr=line.addr,
            visitor=line.visitor,
            recipient_token=line.copy,
            agent_id=None if ua is None else self._user_agents.get_or_create(ua).id,
            headers_id=headers_id,
            referrer=referrer,
            language=language,
            country=self._ip_databases.country(line.net) if may_track else "",
        )

    def _resolve(self, line: ClickLine) -> ResolvedLink | None:
        host = line.host.lower()
        return self._cached_resolve(host, line.code if host in self._case_sensitive_hosts else line.code.lower())

    def _redact(self, line: ClickLine) -> bool:
        """Remove what must not be stored, and return whether the reader may be tracked."""
        # docs/click-log.md, section 4.
        if line.ip:
            key = self._keys.key(line.ts)
            line.net = line.net or network_of(line.ip)
            line.addr = line.addr or hash_address(line.ip, key=key)
            line.visitor = line.visitor or hash_visitor(line.ip, line.ua or "", key=key)
        self._hash_addresses(line)
        line.net, line.addr = _enclosing_network(line.net) if line.net else None, _shorten_identifier(line.addr)
        line.visitor, line.copy = _shorten_identifier(line.visitor), _shorten_identifier(line.copy)
        if self._privacy.addresses == "none":
            line.net = line.addr = line.visitor = line.copy = None
        headers = line.h or {}
        if "" in headers.values():  # nginx writes "" for a header that was not sent
            line.h = headers = {name: value for name, value in headers.items() if value}
        if self._privacy.respect_gpc and opts_out(headers):
            line.visitor = line.copy = line.ua = line.ref = None
            return False
        return True

    def _hash_addresses(self, line: ClickLine) -> None:
        # Redirect workers write hashes, but other programs, such as nginx, may write addresses.
        for name in ("addr", "visitor", "copy"):
            value = getattr(line, name)
            if value and (":" in value or "." in value):
                setattr(line, name, hash_address(value, key=self._keys.key(line.ts)) or value)


def _store_headers(store: Store, headers: tuple[tuple[str, str], ...]) -> StoredHeaders:
    values = {name[:32]: value[:MAX_HEADER_LENGTH] for name, value in sorted(headers)[:20]}
    return get_or_add_headers(store, msgspec.json.encode(values).decode()), values


_cached_clean_referrer = lru_cache(maxsize=4096)(clean_referrer)


@lru_cache(NETWORK_CACHE_SIZE)
def _enclosing_network(net: str) -> str | None:
    # Other programs may write an address, a network of another size, or an invalid text.
    return network_of(net.partition("/")[0])


def _shorten_identifier(text: str | None) -> str | None:
    return text[:MAX_IDENTIFIER_LENGTH] if text else None
