"""Short URLs: format and parse them, and check whether a URL may be the target of a link."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from shortener.codes import PREVIEW_SUFFIX, normalize_code
from shortener.config import Config, Domain
from shortener.errors import CodeRefused
from shortener.urls import canonicalize_target, normalize_host_header


def parse_short_url(text: str, *, domains: Sequence[Domain]) -> tuple[str, str] | None:
    """Return (host, code) of a short URL; None for another host or an invalid code.

    Without a host, the first domain is meant.
    """
    # The scheme may be missing.
    # Query string and fragment are ignored, and in ``_parse_code`` a suffix ``+`` and a placement number.
    bare = text.strip().partition("#")[0].partition("?")[0]
    scheme, separator, rest = bare.partition("://")
    if not separator:
        rest = bare
    elif scheme.lower() not in {"http", "https"}:
        return None
    host, slash, path = rest.partition("/")
    domain = _match_domain(host, domains) if slash or separator else None
    if domain is None:
        if separator or not domains or "." in host or ":" in host:
            return None
        domain, path = domains[0], rest
    return _parse_code(domain, path)


def _match_domain(host: str, domains: Sequence[Domain]) -> Domain | None:
    name = normalize_host_header(host)
    return next((domain for domain in domains if normalize_host_header(domain.host) == name), None)


def _parse_code(domain: Domain, path: str) -> tuple[str, str] | None:
    code, _, n = path.removesuffix(PREVIEW_SUFFIX).partition("/")
    if n and not (n.isascii() and n.isdigit()):
        return None
    try:
        return domain.host.lower(), normalize_code(code, case_sensitive=domain.case_sensitive)
    except CodeRefused:
        return None


def format_short_url(domain: Domain, code: str, placement: int = 0) -> str:
    """Return ``https://host/code``, followed by ``/n`` if ``placement`` is not 0.

    ``placement`` tells several uses of one link in an issue apart.
    """
    return f"{domain.scheme}://{domain.host.lower()}/{code}" + (f"/{placement}" if placement else "")


def build_short_url(host: str, code: str, placement: int = 0, *, domains: Sequence[Domain]) -> str:
    """Return the short URL of a link on ``host``, which may be a domain that is no longer configured."""
    domain = next((domain for domain in domains if domain.host.lower() == host), Domain(host=host))
    return format_short_url(domain, code, placement)


def validate_target(raw: str, *, config: Config) -> str:
    """Return the target URL ``raw`` in canonical form. Raises TargetRefused if the configuration does not allow it."""
    # Links to our own hosts could redirect in a loop.
    own_hosts = {domain.host for domain in config.domains} | {urlsplit(config.base_url).netloc}
    return canonicalize_target(raw, allow_private=config.redirect.private_targets, own_hosts=own_hosts)
