"""Changes of links that several pages make."""

from shortener.config import Config
from shortener.shorturl import checked_target, short_url
from shortener.store import Store, issues, links
from shortener.store.links import Link


def retarget(store: Store, link: Link, target: str, *, config: Config, who: str, now: int) -> None:
    """Change where a link leads, and with it which article it stands for in its issues. Raises TargetRefused."""
    new = checked_target(target, config=config)
    if new == link.target:
        return
    old = link.target or short_url(link.domain, link.code, domains=config.domains)
    with store.writing():
        links.change(store, link, "target", new, who=who, now=now)
        issues.rename_target(store, link.id, old=old, new=new)
