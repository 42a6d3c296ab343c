"""The honeypot link of an issue: a link that no reader sees, so that only machines follow it."""

from shortener.config import Config, Domain
from shortener.services.new_code import new_unused_code
from shortener.short_urls import build_short_url, parse_short_url
from shortener.store import Store, links
from shortener.store.issues import Issue
from shortener.store.links import Link


def find_honeypot(store: Store, issue: Issue) -> Link | None:
    """Return the honeypot link of an issue, or None."""
    own_links = (link for link in links.list_by_issue(store, issue.id) if link.issue_id == issue.id)
    return next((link for link in own_links if link.honeypot), None)


def stored_honeypot_url(store: Store, issue: Issue, config: Config) -> str:
    """Return the short URL of an issue's honeypot link, or '' if it has none."""
    link = find_honeypot(store, issue)
    return build_short_url(link.domain, link.code, domains=config.domains) if link else ""


def add_honeypot(store: Store, issue: Issue, domain: Domain, *, config: Config, now: int) -> str:
    """Add a honeypot link to an issue and return its short URL."""
    code = new_unused_code(store, domain, config=config)
    # A reader who follows it after all arrives at the page of the bare domain.
    target = domain.home or f"{domain.scheme}://{domain.host}/"
    title = "Hidden link"
    links.add(store, domain.host, code, target=target, title=title, issue_id=issue.id, honeypot=True, now=now)
    return build_short_url(domain.host, code, domains=config.domains)


def replace_honeypot_url(url: str, honeypot_url: str, *, config: Config) -> str:
    """Return ``url``, or ``honeypot_url`` if ``url`` is not the short URL of the same honeypot link."""
    key = parse_short_url(url, domains=config.domains)
    return url if key == parse_short_url(honeypot_url, domains=config.domains) else honeypot_url
