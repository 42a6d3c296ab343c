"""Short URLs as people write them and as we write them: which domain and code one names, and back."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from shortener.codes import normalize_code
from shortener.config import Config, Domain
from shortener.errors import CodeRefused
from shortener.urls import canonicalize_target

PREVIEW_SUFFIX = "+"


def parse_short_url(text: str, *, domains: Sequence[Domain]) -> tuple[str, str] | None:
    """Host and code that a short URL names, or None if it is none of ``domains`` (the default one first).

    Read are ``https://host/code``, ``host/code`` and a bare ``code`` of the default domain, each also with
    ``/n`` or the ``+`` of the preview page; a query or fragment is passed over. The code comes back in the
    domain's own case.
    """
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
    """The domain of a host, whose letters may be of either case; a port that says nothing is passed over."""
    name = host.lower()
    plain = name.removesuffix(":443").removesuffix(":80").removesuffix(".")
    return next((domain for domain in domains if domain.host.lower() in {name, plain}), None)


def _parse_code(domain: Domain, path: str) -> tuple[str, str] | None:
    code, _, n = path.removesuffix(PREVIEW_SUFFIX).partition("/")
    if n and not (n.isascii() and n.isdigit()):
        return None
    try:
        return domain.host.lower(), normalize_code(code, case_sensitive=domain.case_sensitive)
    except CodeRefused:
        return None


def format_short_url(domain: Domain, code: str, placement: int = 0) -> str:
    """``https://host/code``, with ``/n`` where the link stands for one of its placements."""
    return f"{domain.scheme}://{domain.host.lower()}/{code}" + (f"/{placement}" if placement else "")


def build_short_url(host: str, code: str, placement: int = 0, *, domains: Sequence[Domain]) -> str:
    """The short URL of a stored link; https where its domain is not configured any more."""
    domain = next((each for each in domains if each.host.lower() == host), Domain(host=host))
    return format_short_url(domain, code, placement)


def validate_target(raw: str, *, config: Config) -> str:
    """A target in its canonical form, by the installation's own rules. Raises TargetRefused.

    A target on one of our own domains, or on the host of the editor pages, would send readers in a circle.
    """
    own = {domain.host for domain in config.domains} | {urlsplit(config.base_url).netloc}
    return canonicalize_target(raw, allow_private=config.redirect.private_targets, own_hosts=own)
