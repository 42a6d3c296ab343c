"""Check by an HTTP request whether a domain leads to this installation.

Only this installation can sign the random text in the request.
"""

import hmac
import secrets
import ssl
import time
from contextlib import closing, suppress
from http.client import HTTPException
from typing import Literal
from urllib.parse import urlsplit

from msgspec import Struct

from shortener.config import Config, Domain
from shortener.errors import StoreError
from shortener.services.public_http import AddressRefused, Resolver, resolve_allowed, resolve_host, send_request
from shortener.store import open_links_copy
from shortener.store.links_copy import STORE_ID_KEY

TIME_LIMIT_SECONDS = 6.0
SOCKET_TIMEOUT_SECONDS = 3.0
CHECK_PATH = "/-/answers/"
NONCE_LENGTH = 32
"""Characters of a nonce, which are hexadecimal digits."""
_PURPOSE = b"domain check"

DomainResult = Literal["answers", "elsewhere", "silent", "unknown", "private", "certificate"]
"""``answers``: this installation; ``elsewhere``: another server; ``silent``: no answer; ``unknown``: no such name;
``private``: an address that is not public; ``certificate``: its certificate is not valid."""


class DomainStatus(Struct, frozen=True):
    """The result of the check whether a domain leads to this installation."""

    host: str
    is_https: bool
    result: DomainResult


def installation_secret(config: Config, *, session_secret: str) -> str:
    """Return the secret for answering domain checks.

    All machines of an installation have the same secret.
    """
    # With PostgreSQL it is the random id of the store, which each redirect node has in its copy of the links. With
    # SQLite there is only one machine.
    if config.storage.url:
        with suppress(StoreError), closing(open_links_copy(config.data_directory)) as copy:
            if store_id := copy.meta(STORE_ID_KEY):
                return str(store_id)
    return session_secret


def sign_nonce(nonce: str, *, secret: str) -> str:
    """Return the installation's answer to a domain check: ``nonce`` signed with a key derived from ``secret``."""
    key = hmac.digest(secret.encode(), _PURPOSE, "sha256")
    return hmac.digest(key, nonce.encode(), "sha256").hex()


def check_domain(domain: Domain, *, secret: str, user_agent: str, resolver: Resolver = resolve_host) -> DomainStatus:
    """Check whether requests to a domain reach the installation with this secret.

    The check takes a few seconds at most, in addition to the DNS lookup.
    """
    result = _request_answer(domain, secret=secret, user_agent=user_agent, resolver=resolver)
    return DomainStatus(domain.host, domain.scheme == "https", result)


def _request_answer(domain: Domain, *, secret: str, user_agent: str, resolver: Resolver) -> DomainResult:
    nonce = secrets.token_hex(NONCE_LENGTH // 2)
    url = f"{domain.scheme}://{domain.host}{CHECK_PATH}{nonce}"
    parts = urlsplit(url)
    port = parts.port or (443 if domain.scheme == "https" else 80)
    try:
        address = resolve_allowed(parts.hostname or "", port, resolver=resolver)
    except AddressRefused:
        return "private"
    except OSError:
        return "unknown"
    try:
        response = send_request(
            url,
            address=address,
            port=port,
            headers={"User-Agent": user_agent, "Accept": "text/plain"},
            deadline=time.monotonic() + TIME_LIMIT_SECONDS,
            socket_timeout_seconds=SOCKET_TIMEOUT_SECONDS,
            max_body_bytes=200,
        )
    except ssl.SSLCertVerificationError:
        return "certificate"
    except (OSError, HTTPException):
        return "silent"
    expected = sign_nonce(nonce, secret=secret)
    # The body may be chunked.
    return "answers" if expected.encode() in response.body else "elsewhere"
