"""Taking an issue in: its links identified, given codes, stored, and the issue written back with short links.

The newsletter room finds and replaces, the store room keeps; here is decided which link becomes what.
"""

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import PurePath
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from msgspec import Struct

from shortener import newsletter
from shortener.codes import generate_code
from shortener.collector.classifier import queue_reclassification
from shortener.config import Config, Domain
from shortener.errors import Conflict, InputError, TargetRefused, UnreadableDocument
from shortener.newsletter import Document, DocumentLink, ExtractedIssue
from shortener.services.edit import retarget
from shortener.short_urls import build_short_url, parse_short_url, validate_target
from shortener.store import Store, issues, links
from shortener.store.issues import Issue, Placement
from shortener.store.links import Link
from shortener.urls import homograph_warning

EDITOR_NAME = "issue add"

ShortLinkKey = tuple[str, str]
"""(host, code in the domain's own case)."""


class AddRequest(Struct, frozen=True):
    """What is to be taken in, and what the editor says of it."""

    source: bytes
    filename: str
    """The file's name: gives the format and, without ``slug``, the slug."""
    slug: str | None = None
    title: str | None = None
    sent_at: int | None = None
    recipients: int | None = None
    domain: str | None = None
    targets: Mapping[ShortLinkKey, str] = {}
    """Canonical targets of short links that stand in the issue, as ``read_targets`` gives them."""
    number_placements: bool = True
    """Whether a link says which placement it is (``/code/3``)."""
    add_honeypot: bool = False
    """Whether to hide a link in it that only machines follow. An issue that has one keeps it."""
    recipient_tag: str | None = None
    """The merge tag behind every short URL; '' for none, None for the one that the issue had."""


class AddResult(Struct, frozen=True):
    """What came of it. ``output`` is the source with short links, every other byte unchanged."""

    slug: str
    output: bytes
    created: bool
    changed: bool
    articles: int
    new_links: int
    adopted: int
    skipped: tuple[str, ...]
    untouched: tuple[str, ...]
    links_without_target: tuple[str, ...]
    """Short links that still need a target."""
    warnings: tuple[str, ...]
    honeypot_url: str = ""
    """The short URL of the hidden link, '' where there is none."""
    honeypot_html: str = ""
    """The HTML that was put in for it, '' where it stood there already."""
    recipient_tag: str = ""
    format: str = ""


class _LinkOccurrence(Struct):
    """One link of the document: what it leads to, and the short link that it is or will be."""

    link: DocumentLink
    article_key: str | None = None
    """The identity of its article: the canonical target, or the short URL of a code without one."""
    short_link_key: ShortLinkKey | None = None
    placement_number: int = 0
    link_id: int = 0
    honeypot_id: int = 0
    """The id of the hidden link that it is, 0 for a link that readers see."""


def add_or_update_issue(store: Store, request: AddRequest, *, config: Config, now: int) -> AddResult:
    """Take an issue in, all or nothing. Taking the same one in again changes nothing.

    Raises InputError (not an issue, a refused target, with its line), Conflict (a code that has another target).
    """
    hosts = [each.host for each in config.domains]
    source, tag = newsletter.strip_recipient_tags(request.source, hosts=hosts)
    document = _parse(source, request)
    slug = _choose_slug(request)
    domain = _find_domain(request.domain, config)
    with store.transaction():
        known = issues.find(store, slug)
        tag = _choose_recipient_tag(store, known, request, found_tag=tag, hosts=hosts)
        if known is not None and _is_unchanged(store, known, request, recipient_tag=tag, hosts=hosts):
            return _unchanged_result(store, known, document, config)
        occurrences = [_LinkOccurrence(found) for found in document.links]
        skipped = _match_links(store, occurrences, request, config)
        _set_missing_targets(store, occurrences, request, config, now=now)
        reading = newsletter.extract_articles(
            document, [occurrence.article_key for occurrence in occurrences]
        )
        issue = _save_issue(store, known, slug, reading, document, request, domain, now=now)
        articles = _save_articles(store, issue, reading)
        counts = _save_links(store, issue, reading, occurrences, articles, request, config, domain, now=now)
        _number_placements(store, issue, occurrences)
        _save_placements(store, issue, reading, occurrences, articles)
        urls = dict(_short_urls(store, occurrences, config, number_placements=request.number_placements))
        trap = _honeypot_url(store, issue, document, occurrences, request, config, domain, now=now)
        urls |= {
            each.link.index: _honeypot_link_url(each, trap, config)
            for each in occurrences
            if each.honeypot_id
        }
        output = newsletter.rewrite(document, urls, recipient_tag=tag)
        hidden = ""
        if trap and document.format == "html" and not any(each.honeypot_id for each in occurrences):
            hidden = newsletter.honeypot_html(trap, recipient_tag=tag)
            output = newsletter.insert_honeypot(output, hidden)
        issues.update(store, issue.id, now=now, output=output)
        if known is not None and known.sent_at != issue.sent_at:
            queue_reclassification(store, issue.id)
    return AddResult(
        slug=slug,
        output=output,
        created=known is None,
        changed=True,
        articles=sum(article.position is not None for article in reading.articles),
        new_links=counts[0],
        adopted=counts[1],
        skipped=tuple(skipped),
        untouched=tuple(f"line {left.line}: {left.url}: {left.reason}" for left in document.untouched),
        links_without_target=links_without_target(store, issue.id, config=config),
        warnings=tuple(_warnings(store, issue, reading, occurrences)),
        honeypot_url=trap,
        honeypot_html=hidden,
        recipient_tag=tag,
        format=document.format,
    )


def parse_targets(rows: Sequence[tuple[int, str, str]], *, config: Config) -> dict[ShortLinkKey, str]:
    """Targets for short links, from (line, short URL, target) rows.

    Raises InputError with the line for a short URL of a domain that is not ours, a refused target, or a code that is
    given two targets.
    """
    targets: dict[ShortLinkKey, str] = {}
    for line, given, target in rows:
        key = parse_short_url(given, domains=config.domains)
        if key is None:
            hosts = ", ".join(domain.host for domain in config.domains)
            raise InputError(f"line {line}: {given}: not a short link of a configured [[domain]] ({hosts})")
        try:
            canonical = validate_target(target, config=config)
        except TargetRefused as refused:
            raise InputError(f"line {line}: {refused}") from None
        if targets.setdefault(key, canonical) != canonical:
            raise InputError(
                f"line {line}: {given}: stands twice, with the targets {targets[key]} and {canonical}"
            )
    return targets


def links_without_target(store: Store, issue_id: int, *, config: Config) -> tuple[str, ...]:
    """The short links of an issue that still need a target."""
    return tuple(
        build_short_url(link.domain, link.code, domains=config.domains)
        for link in links.list_by_issue(store, issue_id)
        if link.target is None
    )


def _parse(source: bytes, request: AddRequest) -> Document:
    try:
        document = newsletter.parse(source, format=newsletter.detect_format(request.filename, source))
    except UnreadableDocument as error:
        raise type(error)(f"{request.filename}: {error}") from None
    if request.add_honeypot and document.format != "html":
        raise InputError(
            f"{request.filename}: Markdown has no invisible links; take in the HTML that is sent, or say which link is "
            "hidden in your template with `shortener issue set SLUG --trap SHORT_URL`"
        )
    return document


def _choose_slug(request: AddRequest) -> str:
    """The slug that was asked for, else one from the file's name. Raises InputError."""
    slug = request.slug if request.slug is not None else PurePath(request.filename).name.partition(".")[0]
    slug = "-".join(slug.split()) if request.slug is None else slug
    if (
        slug in {"", ".", ".."}
        or len(slug) > 100
        or any(c in "/\\?#%" or not c.isprintable() or c.isspace() for c in slug)
    ):
        raise InputError(
            f"{slug!r} cannot be a slug: up to 100 letters, digits and hyphens; choose one with --slug"
        )
    return slug


def _find_domain(host: str | None, config: Config) -> Domain:
    """The domain that new codes are made on. Raises InputError for one that is not configured."""
    if host is None:
        return config.domains[0]
    for domain in config.domains:
        if domain.host == host.lower():
            return domain
    hosts = ", ".join(domain.host for domain in config.domains)
    raise InputError(f"{host}: not a configured domain; there are {hosts}")


def _choose_recipient_tag(
    store: Store, existing: Issue | None, request: AddRequest, *, found_tag: str, hosts: Sequence[str]
) -> str:
    """The tag that was asked for, else the one that stands in the source, else the one that the issue had."""
    if request.recipient_tag is not None:
        return newsletter.check_recipient_tag(request.recipient_tag) if request.recipient_tag else ""
    return found_tag or (_stored_recipient_tag(store, existing, hosts) if existing else "")


def _stored_recipient_tag(store: Store, issue: Issue, hosts: Sequence[str]) -> str:
    """The copy tag of the issue as it was written last."""
    return newsletter.strip_recipient_tags(issues.get_documents(store, issue.id)[1], hosts=hosts)[1]


def _find_honeypot(store: Store, issue: Issue) -> Link | None:
    """The hidden link that an issue has."""
    owned = (link for link in links.list_by_issue(store, issue.id) if link.issue_id == issue.id)
    return next((link for link in owned if link.honeypot), None)


def _is_unchanged(
    store: Store, issue: Issue, request: AddRequest, *, recipient_tag: str, hosts: Sequence[str]
) -> bool:
    """Whether the request says nothing that the store does not know."""
    said = {"title": request.title, "sent_at": request.sent_at, "recipients": request.recipients}
    new = {name for name, value in said.items() if value is not None and value != getattr(issue, name)}
    pending = any(
        link.target is None and (link.domain, link.code) in request.targets
        for link in links.list_by_issue(store, issue.id)
    )
    if (
        request.add_honeypot and _find_honeypot(store, issue) is None
    ) or recipient_tag != _stored_recipient_tag(store, issue, hosts):
        return False
    return request.source in issues.get_documents(store, issue.id) and not new and not pending


def _unchanged_result(store: Store, issue: Issue, document: Document, config: Config) -> AddResult:
    articles = issues.list_articles(store, issue.id)
    trap = _find_honeypot(store, issue)
    return AddResult(
        slug=issue.slug,
        output=issues.get_documents(store, issue.id)[1],
        created=False,
        changed=False,
        articles=sum(article.position is not None for article in articles),
        new_links=0,
        adopted=0,
        skipped=(),
        untouched=tuple(f"line {left.line}: {left.url}: {left.reason}" for left in document.untouched),
        links_without_target=links_without_target(store, issue.id, config=config),
        warnings=(),
        honeypot_url="" if trap is None else build_short_url(trap.domain, trap.code, domains=config.domains),
        format=document.format,
    )


def _match_links(
    store: Store, occurrences: Sequence[_LinkOccurrence], request: AddRequest, config: Config
) -> list[str]:
    """Say what each link leads to; the ones that stay as they are keep no key. Which were skipped, and by what.

    Raises InputError that names every refused target, Conflict for a code with another target.
    """
    skipped, refused = [], []
    hosts = {domain.host for domain in config.domains} | {urlsplit(config.base_url).netloc}
    for occurrence in occurrences:
        url, line = occurrence.link.url, occurrence.link.line
        pattern = next(
            (each for each in config.newsletter.skip if fnmatchcase(url.lower(), each.lower())), None
        )
        if pattern is not None:
            skipped.append(f"line {line}: {url}: matches {pattern}")
            continue
        own = parse_short_url(url, domains=config.domains) if "://" in url else None
        try:
            hidden = links.find(store, *own) if own else None
            if hidden is not None and hidden.honeypot:
                occurrence.honeypot_id = hidden.id
            elif own is not None:
                occurrence.short_link_key = own
                occurrence.placement_number = _placement_number_in_url(url)
                occurrence.article_key = _adopted_target(store, own, request) or build_short_url(
                    *own, domains=config.domains
                )
            elif urlsplit(url).netloc.lower() in hosts:
                skipped.append(f"line {line}: {url}: a page of ours")
            else:
                occurrence.article_key = validate_target(url, config=config)
        except (TargetRefused, ValueError) as error:
            refused.append(f"line {line}: {error}")
    if refused:
        more = f" (and {len(refused) - 1} more: lines {_line_numbers(refused[1:])})" if refused[1:] else ""
        raise InputError(f"{request.filename}: {refused[0]}{more}; nothing was stored")
    return skipped


def _line_numbers(messages: Sequence[str]) -> str:
    return ", ".join(each.partition(":")[0].removeprefix("line ") for each in messages[:10])


def _placement_number_in_url(url: str) -> int:
    """The n of ``/<code>/<n>``, 0 where the URL has none."""
    tail = urlsplit(url).path.strip("/").partition("/")[2]
    return int(tail) if tail.isascii() and tail.isdigit() and len(tail) <= 5 else 0


def _adopted_target(store: Store, short_link_key: ShortLinkKey, request: AddRequest) -> str | None:
    """What an adopted short link leads to: the stored target, else the one that came along, else nothing yet."""
    link = links.find(store, *short_link_key)
    given = request.targets.get(short_link_key)
    if link is not None and link.target is not None:
        if given is not None and given != link.target:
            raise Conflict(
                f"{'/'.join(short_link_key)} leads to {link.target}, not to {given}; "
                "`shortener link set` changes a target"
            )
        return link.target
    return given


def _save_issue(
    store: Store,
    existing: Issue | None,
    slug: str,
    extracted: ExtractedIssue,
    document: Document,
    request: AddRequest,
    domain: Domain,
    *,
    now: int,
) -> Issue:
    if request.recipients is not None and request.recipients < 1:
        raise InputError("recipients: expected 1 or more; leave it out when it is not known")
    if existing is None:
        issues.add(
            store,
            slug,
            title=request.title or extracted.title or slug,
            format=document.format,
            domain=domain.host,
            sent_at=request.sent_at,
            recipients=request.recipients,
            source=request.source,
            now=now,
        )
    else:
        said = {"title": request.title, "sent_at": request.sent_at, "recipients": request.recipients}
        changes: dict[str, Any] = {name: value for name, value in said.items() if value is not None}
        if request.source != issues.get_documents(store, existing.id)[1]:
            changes["source"] = request.source
        if changes:
            issues.update(store, existing.id, now=now, **changes)
    return issues.get(store, slug)


def _save_articles(store: Store, issue: Issue, extracted: ExtractedIssue) -> dict[str, int]:
    """Store the articles; their ids by key. Positions that an editor set stay where they were put."""
    ids = {
        article.key: issues.put_article(
            store,
            issue.id,
            article.key,
            title=article.title or "",
            author=article.author or "",
            summary=article.summary or "",
            section=article.section or "",
            image=article.image or "",
        )
        for article in extracted.articles
    }
    stored = {article.id: article for article in issues.list_articles(store, issue.id)}
    order = [ids[article.key] for article in extracted.articles if article.position is not None]
    corrected = {
        key: each.position for key, each in stored.items() if "position" in each.corrected_fields.split()
    }
    order = [each for each in order if each not in corrected]
    for article_id, position in sorted(corrected.items(), key=lambda item: item[1] or 0):
        if position is not None:
            order.insert(position - 1, article_id)
    positions: dict[int, int | None] = dict.fromkeys(ids.values())
    positions.update({article_id: position for position, article_id in enumerate(order, start=1)})
    issues.set_positions(store, positions)
    return ids


def _save_links(
    store: Store,
    issue: Issue,
    extracted: ExtractedIssue,
    occurrences: Sequence[_LinkOccurrence],
    article_ids: Mapping[str, int],
    request: AddRequest,
    config: Config,
    domain: Domain,
    *,
    now: int,
) -> tuple[int, int]:
    """Give every tracked link its code, one an article; how many are new, and how many were adopted."""
    by_key: dict[str, int] = {}
    for link in links.list_by_issue(store, issue.id):
        if link.target and link.issue_id == issue.id:
            by_key.setdefault(link.target, link.id)
    titles = {article.key: article.title or "" for article in extracted.articles}
    adopted: dict[ShortLinkKey, int] = {}
    for occurrence in occurrences:
        if occurrence.short_link_key is not None and occurrence.article_key is not None:
            key = occurrence.short_link_key
            if key not in adopted:
                adopted[key] = _adopt_link(store, key, request, title=titles[occurrence.article_key], now=now)
                links.assign_owner(
                    store,
                    adopted[key],
                    issue_id=issue.id,
                    article_id=article_ids[occurrence.article_key],
                    now=now,
                )
            occurrence.link_id = adopted[key]
            by_key.setdefault(occurrence.article_key, adopted[key])
    new = 0
    for occurrence in occurrences:
        if occurrence.short_link_key is None and occurrence.article_key is not None:
            if occurrence.article_key not in by_key:
                code = _new_unused_code(store, domain, config)
                link_id = links.add(
                    store,
                    domain.host,
                    code,
                    target=occurrence.article_key,
                    title=titles[occurrence.article_key],
                    now=now,
                )
                links.assign_owner(
                    store, link_id, issue_id=issue.id, article_id=article_ids[occurrence.article_key], now=now
                )
                by_key[occurrence.article_key] = link_id
                new += 1
            occurrence.link_id = by_key[occurrence.article_key]
    return new, len(adopted)


def _set_missing_targets(
    store: Store, occurrences: Sequence[_LinkOccurrence], request: AddRequest, config: Config, *, now: int
) -> None:
    """Say where adopted links lead that had no target; articles and decisions follow before they are read anew."""
    for key in {
        occurrence.short_link_key for occurrence in occurrences if occurrence.short_link_key is not None
    }:
        link, target = links.find(store, *key), request.targets.get(key)
        if link is not None and link.target is None and target is not None:
            retarget(store, link, target, config=config, who=EDITOR_NAME, now=now)


def _adopt_link(
    store: Store, short_link_key: ShortLinkKey, request: AddRequest, *, title: str, now: int
) -> int:
    """The link of a short URL that stands in the issue, made where it is new."""
    link = links.find(store, *short_link_key)
    if link is not None:
        return link.id
    return links.add(store, *short_link_key, target=request.targets.get(short_link_key), title=title, now=now)


def _new_unused_code(store: Store, domain: Domain, config: Config) -> str:
    """A new code in the domain's own case."""

    def own(code: str) -> str:
        return code if domain.case_sensitive else code.lower()

    return own(
        generate_code(
            length=config.codes.length,
            alphabet=config.codes.alphabet,
            is_taken=lambda code: links.find(store, domain.host, own(code)) is not None,
        )
    )


def _number_placements(store: Store, issue: Issue, occurrences: Sequence[_LinkOccurrence]) -> None:
    """Give every placement its n: the one in its URL, else the one that it had, else the next free one."""
    placed = [occurrence for occurrence in occurrences if occurrence.article_key is not None]
    taken = {
        each.link_id: issues.used_placement_numbers(store, each.link_id, except_issue_id=issue.id)
        for each in placed
    }
    used: set[int] = set()
    for occurrence in placed:
        if occurrence.placement_number in used or occurrence.placement_number in taken[occurrence.link_id]:
            occurrence.placement_number = 0
        used.add(occurrence.placement_number)
    before: dict[int, list[int]] = {}
    for old in issues.list_placements(store, issue.id):
        if old.n not in used:
            before.setdefault(old.link_id, []).append(old.n)
    for occurrence in placed:
        if not occurrence.placement_number and before.get(occurrence.link_id):
            occurrence.placement_number = before[occurrence.link_id].pop(0)
            used.add(occurrence.placement_number)
    n = 0
    for occurrence in placed:
        if not occurrence.placement_number:
            n += 1
            while n in used or n in taken[occurrence.link_id]:
                n += 1
            occurrence.placement_number = n
            used.add(n)


def _save_placements(
    store: Store,
    issue: Issue,
    extracted: ExtractedIssue,
    occurrences: Sequence[_LinkOccurrence],
    article_ids: Mapping[str, int],
) -> None:
    placed = [
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
    issues.replace_placements(store, issue.id, placed)


def _short_urls(
    store: Store, occurrences: Sequence[_LinkOccurrence], config: Config, *, number_placements: bool
) -> Iterator[tuple[int, str]]:
    """The URL that each tracked link gets, by its index."""
    codes = links.codes_by_id(store, {occurrence.link_id for occurrence in occurrences})
    for occurrence in occurrences:
        if occurrence.article_key is None:
            continue
        n = occurrence.placement_number if number_placements else 0
        if occurrence.short_link_key is None:
            yield (
                occurrence.link.index,
                build_short_url(*codes[occurrence.link_id], n, domains=config.domains),
            )
        elif number_placements:
            parts = urlsplit(occurrence.link.url)
            code = parts.path.strip("/").partition("/")[0]
            yield occurrence.link.index, urlunsplit(parts._replace(path=f"/{code}/{n}"))


def _honeypot_url(
    store: Store,
    issue: Issue,
    document: Document,
    occurrences: Sequence[_LinkOccurrence],
    request: AddRequest,
    config: Config,
    domain: Domain,
    *,
    now: int,
) -> str:
    """The short URL of the issue's hidden link, made where one is wanted; '' for none.

    One that came along from another issue's document stands for one of its own.
    """
    own = _find_honeypot(store, issue)
    if own is not None:
        return build_short_url(own.domain, own.code, domains=config.domains)
    if not request.add_honeypot and not any(each.honeypot_id for each in occurrences):
        return ""
    code = _new_unused_code(store, domain, config)
    # Whoever does follow it shall arrive somewhere harmless: the page that the bare domain shows.
    target = domain.home or f"{domain.scheme}://{domain.host}/"
    links.add(
        store,
        domain.host,
        code,
        target=target,
        title="Hidden link",
        issue_id=issue.id,
        honeypot=True,
        now=now,
    )
    return build_short_url(domain.host, code, domains=config.domains)


def _honeypot_link_url(occurrence: _LinkOccurrence, honeypot_url: str, config: Config) -> str:
    """The URL of a hidden link that stands in the document: as it is, unless it is another issue's."""
    own = parse_short_url(honeypot_url, domains=config.domains)
    return (
        occurrence.link.url
        if parse_short_url(occurrence.link.url, domains=config.domains) == own
        else honeypot_url
    )


def _warnings(
    store: Store, issue: Issue, extracted: ExtractedIssue, occurrences: Sequence[_LinkOccurrence]
) -> Iterator[str]:
    """What an editor should look at before the issue is sent."""
    codes: dict[str, set[int]] = {}
    for occurrence in occurrences:
        if occurrence.article_key is not None:
            codes.setdefault(occurrence.article_key, set()).add(occurrence.link_id)
            if occurrence.short_link_key is None and (doubt := homograph_warning(occurrence.article_key)):
                yield f"line {occurrence.link.line}: {doubt}"
    for article in extracted.articles:
        if len(codes.get(article.key, ())) > 1:
            yield f"{article.key}: one article under {len(codes[article.key])} codes; its clicks are added up"
        if article.position is not None and not article.title:
            yield f"{article.key}: no title was found; `shortener issue set {issue.slug} --article …` gives it one"
