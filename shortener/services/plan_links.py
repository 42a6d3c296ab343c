"""The links that an issue will have: target, short link and placement number of each link in the document."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from urllib.parse import urlsplit, urlunsplit

from shortener import newsletter
from shortener.config import Config, Domain
from shortener.errors import Conflict, TargetRefused
from shortener.messages import Message
from shortener.newsletter import Document
from shortener.services.issue_plan import (
    ExistingIssue,
    LeftAloneLink,
    Occurrence,
    PlannedArticle,
    PlannedLink,
    ShortLinkKey,
    Targets,
)
from shortener.short_urls import build_short_url, parse_short_url
from shortener.urls import canonicalize_target

_MAX_URL_LENGTH = 200  # characters of a URL in a line of what was left alone


def left_alone_lines(links: Iterable[LeftAloneLink]) -> tuple[str, ...]:
    """Return a line of text for each link that is not replaced: line number, URL (truncated if long) and reason."""
    return tuple(
        Message("line {line}: {url}: {reason}", line=link.line, url=_shorten(link.text), reason=link.reason)
        for link in links
    )


def _shorten(url: str) -> str:
    return url if len(url) <= _MAX_URL_LENGTH else f"{url[:_MAX_URL_LENGTH]}…"


def match_links(
    document: Document, existing: ExistingIssue, given_targets: Targets, *, config: Config
) -> tuple[list[Occurrence], list[LeftAloneLink], list[LeftAloneLink]]:
    """Find the target of each link in a document. Raises Conflict.

    Return (all links, excluded links, other links that keep their URL).
    """
    occurrences = [Occurrence(link) for link in document.links]
    opt_outs = newsletter.find_opt_out_links(document)
    twins = newsletter.find_outlook_twins(document)
    domains, skips = config.domains, config.newsletter.skip
    own_hosts = {domain.host for domain in domains} | {urlsplit(config.base_url).netloc}
    stored_targets = {link.target for link in existing.links if link.target}
    # Skipped links match a pattern in the configuration, or lead to pages of this installation.
    skipped: list[LeftAloneLink] = []
    # Links left alone have a URL that cannot be replaced, or let readers unsubscribe.
    left: list[LeftAloneLink] = []
    for occurrence in occurrences:
        url, line = occurrence.link.url, occurrence.link.line
        if pattern := _skip_pattern(url, skips):
            skipped.append(LeftAloneLink(line, url, Message("matches {pattern}", pattern=pattern)))
            continue
        try:
            key = parse_short_url(url, domains=domains) if "://" in url else None
            if key is not None:
                _record_short_link(occurrence, key, existing, given_targets, config)
            elif urlsplit(url).netloc.lower() in own_hosts:
                skipped.append(LeftAloneLink(line, url, Message("a page of this installation")))
            else:
                target = canonicalize_target(url, allow_private=config.redirect.private_targets, own_hosts=own_hosts)
                opt_out = opt_outs.get(twins.get(occurrence.link.index, occurrence.link.index))
                if opt_out and target not in stored_targets:
                    left.append(LeftAloneLink(line, url, opt_out))
                else:
                    occurrence.target_key = target
        except (TargetRefused, ValueError) as error:
            reason = error.reason if isinstance(error, TargetRefused) else str(error)
            left.append(LeftAloneLink(line, url, reason))
    return occurrences, skipped, left


def _skip_pattern(url: str, skips: Iterable[str]) -> str | None:
    lower = url.lower()
    return next((skip for skip in skips if fnmatchcase(lower, skip.lower())), None)


def _record_short_link(
    occurrence: Occurrence, key: ShortLinkKey, existing: ExistingIssue, given_targets: Targets, config: Config
) -> None:
    link = existing.short_links.get(key)
    if link is not None and link.honeypot:
        occurrence.honeypot = True
        return
    target = given_targets.get(key)
    if link is not None and link.target is not None:
        if target not in {None, link.target}:
            raise Conflict(
                Message(
                    "{link} leads to {stored}, not to {target}",
                    link="/".join(key),
                    stored=link.target,
                    target=target,
                ),
                kind="link_has_other_target",
            )
        target = link.target
    occurrence.short_link_key = key
    occurrence.placement_number = _placement_number_in_url(occurrence.link.url)
    occurrence.target_key = target or build_short_url(*key, domains=config.domains)


def _placement_number_in_url(url: str) -> int:
    # The path is ``/<code>/<n>``.
    tail = urlsplit(url).path.strip("/").partition("/")[2]
    return int(tail) if tail.isascii() and tail.isdigit() and len(tail) <= 5 else 0


def find_first_targets(
    occurrences: Sequence[Occurrence],
    existing: ExistingIssue,
    given_targets: Targets,  # entered by an editor
    *,
    config: Config,
) -> dict[str, str]:
    """Return a dict from target to short URL, for short links that had no target until now."""
    found: dict[str, str] = {}
    for occurrence in occurrences:
        key = occurrence.short_link_key
        stored = existing.short_links.get(key) if key else None
        if key and stored is not None and stored.target is None and key in given_targets:
            # The target was unknown when the link was stored. Until the plan is stored, the article has the short URL
            # in its place. If several short links get one target, the first in the document counts.
            found.setdefault(given_targets[key], build_short_url(*key, domains=config.domains))
    return found


def plan_links(
    occurrences: Sequence[Occurrence],  # the links of the document
    articles: Sequence[PlannedArticle],
    article_by_link: Mapping[int, int],
    replaced_urls: Mapping[str, str],  # stored URL by the new URL that replaces it
    existing: ExistingIssue,
    given_targets: Targets,
    domain: Domain,
    codes: Iterator[str],
) -> list[PlannedLink]:
    """Return the short links that a document needs.

    This sets ``planned_link`` of each occurrence to an index in the list.
    """
    planned: list[PlannedLink] = []
    by_target: dict[str, int] = {}
    by_key: dict[ShortLinkKey, int] = {}
    issue_id = existing.issue.id if existing.issue else None
    own = {link.target: link for link in reversed(existing.links) if link.target and link.issue_id == issue_id}
    # Short links that the document already contains are kept.
    for occurrence in occurrences:
        key, target = occurrence.short_link_key, occurrence.target_key
        if key is None or target is None:
            continue
        if key not in by_key:
            stored = existing.short_links.get(key)
            given = given_targets.get(key)
            is_new_target = stored is not None and stored.target is None and given is not None
            link = PlannedLink(
                key=key,
                target=stored.target or given if stored else given,
                link_id=stored.id if stored else None,
                adopted=True,
                retargeted=is_new_target,
            )
            by_key[key] = _append(planned, link, occurrence, articles, article_by_link)
        occurrence.planned_link = by_key[key]
        by_target.setdefault(target, by_key[key])
    # Other links share a short link if their targets are equal.
    for occurrence in occurrences:
        target = occurrence.target_key
        if occurrence.short_link_key is not None or target is None:
            continue
        if target not in by_target:
            stored = own.get(target) or own.get(replaced_urls.get(target, ""))
            link = PlannedLink(
                key=(stored.domain, stored.code) if stored else (domain.host, next(codes)),
                target=target,
                link_id=stored.id if stored else None,
                retargeted=stored is not None and stored.target != target,
            )
            by_target[target] = _append(planned, link, occurrence, articles, article_by_link)
        occurrence.planned_link = by_target[target]
    return planned


def _append(
    planned: list[PlannedLink],
    link: PlannedLink,
    occurrence: Occurrence,
    articles: Sequence[PlannedArticle],
    article_by_link: Mapping[int, int],
) -> int:
    link.article = article_by_link.get(occurrence.link.index)
    link.title = articles[link.article].title if link.article is not None else ""
    planned.append(link)
    return len(planned) - 1


def number_placements(
    occurrences: Sequence[Occurrence],
    planned: Sequence[PlannedLink],
    existing: ExistingIssue,
    twins: Mapping[int, int],  # index of each Outlook-only link to that of the equal link for other mail programs
) -> None:
    """Set the number at the end of each short URL, such as 4 in ``/7pk3e/4``."""
    placed = [o for o in occurrences if o.planned_link is not None and o.link.index not in twins]
    elsewhere = [existing.numbers_elsewhere.get(link.link_id or 0, frozenset()) for link in planned]
    # A number that the URL in the document already has is kept.
    used: set[int] = set()
    for occurrence in placed:
        number = occurrence.placement_number
        if number in used or number in elsewhere[occurrence.planned_link or 0]:
            occurrence.placement_number = 0
        used.add(occurrence.placement_number)
    # Other links get the numbers of the previous version of the issue, then free ones.
    previous: dict[int, list[int]] = {}
    for placement in existing.placements:
        if placement.n not in used:
            previous.setdefault(placement.link_id, []).append(placement.n)
    for occurrence in placed:
        numbers = previous.get(planned[occurrence.planned_link or 0].link_id or 0)
        if not occurrence.placement_number and numbers:
            occurrence.placement_number = numbers.pop(0)
            used.add(occurrence.placement_number)
    _number_remaining(placed, elsewhere, used)
    # Both twins get one number.
    by_index = {occurrence.link.index: occurrence for occurrence in occurrences}
    for index, twin in twins.items():
        by_index[index].placement_number = by_index[twin].placement_number


def _number_remaining(placed: Sequence[Occurrence], elsewhere: Sequence[frozenset[int]], used: set[int]) -> None:
    next_number = 0
    for occurrence in placed:
        if not occurrence.placement_number:
            next_number += 1
            # A free number is used neither in this issue nor by this short link in another issue.
            while next_number in used or next_number in elsewhere[occurrence.planned_link or 0]:
                next_number += 1
            occurrence.placement_number = next_number
            used.add(next_number)


def short_urls(
    occurrences: Sequence[Occurrence],
    planned: Sequence[PlannedLink],
    *,
    config: Config,
    with_numbers: bool,  # whether URLs end with the placement number, as in ``/7pk3e/4``
) -> Iterator[tuple[int, str]]:
    """Yield (index of the link in the document, short URL) for every link whose URL is replaced."""
    for occurrence in occurrences:
        if occurrence.planned_link is None:
            continue
        n = occurrence.placement_number if with_numbers else 0
        if occurrence.short_link_key is None:
            key = planned[occurrence.planned_link].key
            yield occurrence.link.index, build_short_url(*key, n, domains=config.domains)
        elif with_numbers:
            # An adopted link keeps the spelling of its code, its query and its fragment.
            parts = urlsplit(occurrence.link.url)
            code = parts.path.strip("/").partition("/")[0]
            yield occurrence.link.index, urlunsplit(parts._replace(path=f"/{code}/{n}"))
        elif occurrence.link.written_longer:
            yield occurrence.link.index, occurrence.link.url
