"""Creating and changing single short links."""

from collections.abc import Mapping

from shortener.config import Config, Domain
from shortener.errors import FieldError
from shortener.messages import Message
from shortener.services.edit import retarget
from shortener.services.new_code import choose_code
from shortener.short_urls import validate_target
from shortener.store import Store, links
from shortener.store.links import Link, LinkField


def find_domain(host: str | None, *, config: Config) -> Domain:
    """Return the configured domain with this host; None means the first domain. Raises InputError for an
    unknown host.
    """
    for domain in config.domains:
        if host is None or domain.host == host.strip().lower():
            return domain
    hosts = ", ".join(domain.host for domain in config.domains)
    raise FieldError(
        Message("{host}: not a configured domain; the configured ones are {hosts}", host=str(host), hosts=hosts),
        field="domain",
    )


def link_key(host: str, code: str, *, config: Config) -> tuple[str, str]:
    """Return the (host, code) under which a short link is stored."""
    case_sensitive = any(domain.host == host.lower() and domain.case_sensitive for domain in config.domains)
    return host.lower(), code if case_sensitive else code.lower()


def add_link(
    store: Store,
    target: str,
    *,
    config: Config,
    now: int,
    host: str | None = None,  # None for the first domain
    code: str | None = None,  # None for a random code
    title: str = "",
    forward: str | None = None,
    expires_at: int | None = None,  # seconds of the UTC epoch
) -> Link:
    """Create and return a short link that belongs to no issue.

    Raises InputError, and Conflict for a code that is taken.
    """
    domain = find_domain(host, config=config)
    canonical = validate_target(target, config=config)
    with store.transaction():
        chosen = choose_code(store, domain, code, config=config)
        links.add(
            store,
            domain.host,
            chosen,
            target=canonical,
            title=title.strip(),
            forward=forward,
            expires_at=expires_at,
            now=now,
        )
        return links.get(store, domain.host, chosen)


def find_reusable(store: Store, target: str, *, config: Config, now: int, host: str | None = None) -> Link | None:
    """Return the oldest active link to this target that belongs to no issue; None if there is none.

    Raises InputError.
    """
    domain = find_domain(host, config=config)
    return links.find_by_target(store, domain.host, validate_target(target, config=config), now=now)


def change_link(
    store: Store, link: Link, changes: Mapping[LinkField, str | int | None], *, config: Config, who: str, now: int
) -> None:
    """Change fields of a link, and record each change in the link's history. Raises TargetRefused."""
    with store.transaction():
        for field, value in changes.items():
            if field == "target":
                target = validate_target(str(value), config=config)
                retarget(store, link, target, config=config, who=who, now=now)
            else:
                value = value.strip() if field == "title" and isinstance(value, str) else value
                links.update_field(store, link, field, value, who=who, now=now)
