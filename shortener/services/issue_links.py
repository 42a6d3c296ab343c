"""The links of an issue that is added: their targets, short links, codes and placement numbers."""

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from urllib.parse import urlsplit, urlunsplit

from msgspec import Struct

from shortener.config import Config, Domain
from shortener.errors import Conflict, InputError, TargetRefused
from shortener.newsletter import DocumentLink, ExtractedIssue
from shortener.services.edit import retarget
from shortener.services.new_code import new_unused_code
from shortener.short_urls import build_short_url, parse_short_url, validate_target
from shortener.store import Store, issues, links
from shortener.store.issues import Issue, Placement

EDITOR_NAME = "issue add"
"""Name of the editor that is recorded when adding an issue changes a link."""

ShortLinkKey = tuple[str, str]
"""What identifies a short link: its host, and its code in the domain's stored case."""
Targets = Mapping[ShortLinkKey, str]
"""Canonical targets by the short link that leads to them."""


class LinkOccurrence(Struct):
    """One link of the document, and the short link that it becomes."""

    link: DocumentLink
    article_key: str | None = None
    """What identifies its article: the canonical target, or the short URL if the link has no target."""
    short_link_key: ShortLinkKey | None = None
    """Host and code of an adopted link, which was a short link already in the document."""
    placement_number: int = 0
    link_id: int = 0
    honeypot_id: int = 0
    """The link id if the link is the honeypot link, 0 for a link that readers see."""


def match_links(
    store: Store, occurrences: Sequence[LinkOccurrence], targets: Targets, *, filename: str, config: Config
) -> list[str]:
    """Set the article key of every link to be tracked; return a line with the reason for each skipped link.

    Raises InputError that lists all refused targets, Conflict for a short link that has another target.
    """
    skipped, refused = [], []
    own_hosts = {domain.host for domain in config.domains} | {urlsplit(config.base_url).netloc}
    for occurrence in occurrences:
        url, line = occurrence.link.url, occurrence.link.line
        pattern = next(
            (skip for skip in config.newsletter.skip if fnmatchcase(url.lower(), skip.lower())), None
        )
        if pattern is not None:
            skipped.append(f"line {line}: {url}: matches {pattern}")
            continue
        key = parse_short_url(url, domains=config.domains) if "://" in url else None
        try:
            if key is not None:
                _match_short_link(store, occurrence, key, targets, config)
            elif urlsplit(url).netloc.lower() in own_hosts:
                skipped.append(f"line {line}: {url}: a page of this installation")
            else:
                occurrence.article_key = validate_target(url, config=config)
        except (TargetRefused, ValueError) as error:
            refused.append((line, str(error)))
    if refused:
        raise InputError(f"{filename}: {_refusal_message(refused)}")
    return skipped


def _match_short_link(
    store: Store, occurrence: LinkOccurrence, key: ShortLinkKey, targets: Targets, config: Config
) -> None:
    """Mark a link that is one of our short links as adopted, or as a honeypot link. Raises Conflict."""
    link = links.find(store, *key)
    if link is not None and link.honeypot:
        occurrence.honeypot_id = link.id
        return
    target = targets.get(key)
    if link is not None and link.target is not None:
        if target not in {None, link.target}:
            raise Conflict(
                f"{'/'.join(key)} leads to {link.target}, not to {target}", kind="link_has_other_target"
            )
        target = link.target
    occurrence.short_link_key = key
    occurrence.placement_number = _placement_number_in_url(occurrence.link.url)
    occurrence.article_key = target or build_short_url(*key, domains=config.domains)


def _refusal_message(refused: Sequence[tuple[int, str]]) -> str:
    """Return the first refusal in full, and the lines of at most ten further ones."""
    (line, reason), *others = refused
    numbers = ", ".join(str(number) for number, _ in others[:10])
    more = f" (and {len(others)} more: lines {numbers})" if others else ""
    return f"line {line}: {reason}{more}; nothing was stored"


def _placement_number_in_url(url: str) -> int:
    """Return the ``n`` of ``/<code>/<n>``, or 0 if the URL has none."""
    tail = urlsplit(url).path.strip("/").partition("/")[2]
    return int(tail) if tail.isascii() and tail.isdigit() and len(tail) <= 5 else 0


def set_missing_targets(
    store: Store, occurrences: Sequence[LinkOccurrence], targets: Targets, *, config: Config, now: int
) -> None:
    """Set the targets of adopted links that had none.

    This comes before the articles are saved, because articles and decisions are moved to the new target.
    """
    for key in {
        occurrence.short_link_key for occurrence in occurrences if occurrence.short_link_key is not None
    }:
        link, target = links.find(store, *key), targets.get(key)
        if link is not None and link.target is None and target is not None:
            retarget(store, link, target, config=config, who=EDITOR_NAME, now=now)


def save_links(
    store: Store,
    issue: Issue,
    extracted: ExtractedIssue,
    occurrences: Sequence[LinkOccurrence],
    article_ids: Mapping[str, int],
    targets: Targets,
    domain: Domain,
    *,
    config: Config,
    now: int,
) -> tuple[int, int]:
    """Give every tracked link a short link, one for each article; return how many are new and how many adopted."""
    titles = {article.key: article.title or "" for article in extracted.articles}
    tracked = [
        (occurrence, occurrence.article_key)
        for occurrence in occurrences
        if occurrence.article_key is not None
    ]
    link_ids: dict[str, int] = {}
    for link in links.list_by_issue(store, issue.id):
        if link.target and link.issue_id == issue.id:
            link_ids.setdefault(link.target, link.id)
    adopted: dict[ShortLinkKey, int] = {}
    for occurrence, article_key in tracked:
        if (key := occurrence.short_link_key) is None:
            continue
        if key not in adopted:
            link_id = _find_or_add_link(store, key, targets.get(key), title=titles[article_key], now=now)
            links.assign_owner(
                store, link_id, issue_id=issue.id, article_id=article_ids[article_key], now=now
            )
            adopted[key] = link_id
        occurrence.link_id = adopted[key]
        link_ids.setdefault(article_key, adopted[key])
    new = 0
    for occurrence, article_key in tracked:
        if occurrence.short_link_key is not None:
            continue
        if article_key not in link_ids:
            code = new_unused_code(store, domain, config=config)
            title = titles[article_key]
            link_id = links.add(store, domain.host, code, target=article_key, title=title, now=now)
            links.assign_owner(
                store, link_id, issue_id=issue.id, article_id=article_ids[article_key], now=now
            )
            link_ids[article_key] = link_id
            new += 1
        occurrence.link_id = link_ids[article_key]
    return new, len(adopted)


def _find_or_add_link(store: Store, key: ShortLinkKey, target: str | None, *, title: str, now: int) -> int:
    """Return the id of an adopted link, added first if the store does not have it."""
    link = links.find(store, *key)
    return links.add(store, *key, target=target, title=title, now=now) if link is None else link.id


def number_placements(store: Store, issue: Issue, occurrences: Sequence[LinkOccurrence]) -> None:
    """Number every placement: as in its URL, else as in the previous version, else with a free number."""
    placed = [occurrence for occurrence in occurrences if occurrence.article_key is not None]
    taken_elsewhere = {
        occurrence.link_id: issues.used_placement_numbers(store, occurrence.link_id, except_issue_id=issue.id)
        for occurrence in placed
    }
    used: set[int] = set()
    for occurrence in placed:
        number = occurrence.placement_number
        if number in used or number in taken_elsewhere[occurrence.link_id]:
            occurrence.placement_number = 0
        used.add(occurrence.placement_number)
    previous: dict[int, list[int]] = {}
    for placement in issues.list_placements(store, issue.id):
        if placement.n not in used:
            previous.setdefault(placement.link_id, []).append(placement.n)
    for occurrence in placed:
        if not occurrence.placement_number and previous.get(occurrence.link_id):
            occurrence.placement_number = previous[occurrence.link_id].pop(0)
            used.add(occurrence.placement_number)
    next_number = 0
    for occurrence in placed:
        if not occurrence.placement_number:
            next_number += 1
            while next_number in used or next_number in taken_elsewhere[occurrence.link_id]:
                next_number += 1
            occurrence.placement_number = next_number
            used.add(next_number)


def save_placements(
    store: Store,
    issue: Issue,
    extracted: ExtractedIssue,
    occurrences: Sequence[LinkOccurrence],
    article_ids: Mapping[str, int],
) -> None:
    """Replace the stored placements of an issue."""
    placements = [
        Placement(
            link_id=occurrences[placement.link_index].link_id,
            n=occurrences[placement.link_index].placement_number,
            article_id=article_ids[article.key],
            kind=placement.kind,
            text=placement.text or "",
        )
        for article in extracted.articles
        for placement in article.placements
    ]
    issues.replace_placements(store, issue.id, placements)


def short_urls(
    store: Store, occurrences: Sequence[LinkOccurrence], *, config: Config, with_numbers: bool
) -> Iterator[tuple[int, str]]:
    """Yield (link index, short URL) for every link whose URL is to be replaced."""
    codes = links.codes_by_id(store, {occurrence.link_id for occurrence in occurrences})
    for occurrence in occurrences:
        if occurrence.article_key is None:
            continue
        n = occurrence.placement_number if with_numbers else 0
        if occurrence.short_link_key is None:
            url = build_short_url(*codes[occurrence.link_id], n, domains=config.domains)
            yield occurrence.link.index, url
        elif with_numbers:
            # An adopted link keeps the spelling of its code, its query and its fragment.
            parts = urlsplit(occurrence.link.url)
            code = parts.path.strip("/").partition("/")[0]
            yield occurrence.link.index, urlunsplit(parts._replace(path=f"/{code}/{n}"))
