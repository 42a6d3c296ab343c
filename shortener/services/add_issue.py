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
from shortener.codes import new_code
from shortener.collector.classifier import ask_for_judging
from shortener.config import Config, Domain
from shortener.errors import Conflict, InputError, TargetRefused, Unreadable
from shortener.newsletter import Document, FoundLink, Reading
from shortener.services.edit import retarget
from shortener.short_urls import checked_target, parse_short_url, short_url
from shortener.store import Store, issues, links
from shortener.store.issues import Issue, Placement
from shortener.store.links import Link
from shortener.urls import homograph_warning

WHO = "issue add"

ShortKey = tuple[str, str]
"""(host, code in the domain's own case)."""


class Request(Struct, frozen=True):
    """What is to be taken in, and what the editor says of it."""

    source: bytes
    name: str
    """The file's name: gives the format and, without ``slug``, the slug."""
    slug: str | None = None
    title: str | None = None
    sent_at: int | None = None
    recipients: int | None = None
    domain: str | None = None
    targets: Mapping[ShortKey, str] = {}
    """Canonical targets of short links that stand in the issue, as ``read_targets`` gives them."""
    placements: bool = True
    """Whether a link says which placement it is (``/code/3``)."""
    trap: bool = False
    """Whether to hide a link in it that only machines follow. An issue that has one keeps it."""
    copy_tag: str | None = None
    """The merge tag behind every short URL; '' for none, None for the one that the issue had."""


class Taken(Struct, frozen=True):
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
    todo: tuple[str, ...]
    """Short links that still need a target."""
    warnings: tuple[str, ...]
    trap: str = ""
    """The short URL of the hidden link, '' where there is none."""
    hidden: str = ""
    """The HTML that was put in for it, '' where it stood there already."""
    copy_tag: str = ""
    format: str = ""


class _Occurrence(Struct):
    """One link of the document: what it leads to, and the short link that it is or will be."""

    found: FoundLink
    key: str | None = None
    """The identity of its article: the canonical target, or the short URL of a code without one."""
    own: ShortKey | None = None
    n: int = 0
    link_id: int = 0
    trap: int = 0
    """The id of the hidden link that it is, 0 for a link that readers see."""


def take_in(store: Store, request: Request, *, config: Config, now: int) -> Taken:
    """Take an issue in, all or nothing. Taking the same one in again changes nothing.

    Raises InputError (not an issue, a refused target, with its line), Conflict (a code that has another target).
    """
    hosts = [each.host for each in config.domains]
    source, tag = newsletter.untag(request.source, hosts=hosts)
    document = _parse(source, request)
    slug = _slug(request)
    domain = _domain(request.domain, config)
    with store.writing():
        known = issues.find(store, slug)
        tag = _copy_tag(store, known, request, there=tag, hosts=hosts)
        if known is not None and _is_known(store, known, request, tag=tag, hosts=hosts):
            return _unchanged(store, known, document, config)
        occurrences = [_Occurrence(found) for found in document.links]
        skipped = _identify(store, occurrences, request, config)
        _give_targets(store, occurrences, request, config, now=now)
        reading = newsletter.read(document, [occurrence.key for occurrence in occurrences])
        issue = _put_issue(store, known, slug, reading, document, request, domain, now=now)
        articles = _put_articles(store, issue, reading)
        counts = _put_links(store, issue, reading, occurrences, articles, request, config, domain, now=now)
        _number(store, issue, occurrences)
        _place(store, issue, reading, occurrences, articles)
        urls = dict(_short_urls(store, occurrences, config, placements=request.placements))
        trap = _trap(store, issue, document, occurrences, request, config, domain, now=now)
        urls |= {each.found.index: _as_found(each, trap, config) for each in occurrences if each.trap}
        output = newsletter.rewrite(document, urls, tag=tag)
        hidden = ""
        if trap and document.format == "html" and not any(each.trap for each in occurrences):
            hidden = newsletter.hidden_link(trap, tag=tag)
            output = newsletter.hide_link(output, hidden)
        issues.change(store, issue.id, now=now, output=output)
        if known is not None and known.sent_at != issue.sent_at:
            ask_for_judging(store, issue.id)
    return Taken(
        slug=slug,
        output=output,
        created=known is None,
        changed=True,
        articles=sum(article.position is not None for article in reading.articles),
        new_links=counts[0],
        adopted=counts[1],
        skipped=tuple(skipped),
        untouched=tuple(f"line {left.line}: {left.url}: {left.reason}" for left in document.untouched),
        todo=todo(store, issue.id, config=config),
        warnings=tuple(_warnings(store, issue, reading, occurrences)),
        trap=trap,
        hidden=hidden,
        copy_tag=tag,
        format=document.format,
    )


def read_targets(rows: Sequence[tuple[int, str, str]], *, config: Config) -> dict[ShortKey, str]:
    """Targets for short links, from (line, short URL, target) rows.

    Raises InputError with the line for a short URL of a domain that is not ours, a refused target, or a code that is
    given two targets.
    """
    targets: dict[ShortKey, str] = {}
    for line, given, target in rows:
        key = parse_short_url(given, domains=config.domains)
        if key is None:
            hosts = ", ".join(domain.host for domain in config.domains)
            raise InputError(f"line {line}: {given}: not a short link of a configured [[domain]] ({hosts})")
        try:
            canonical = checked_target(target, config=config)
        except TargetRefused as refused:
            raise InputError(f"line {line}: {refused}") from None
        if targets.setdefault(key, canonical) != canonical:
            raise InputError(
                f"line {line}: {given}: stands twice, with the targets {targets[key]} and {canonical}"
            )
    return targets


def todo(store: Store, issue_id: int, *, config: Config) -> tuple[str, ...]:
    """The short links of an issue that still need a target."""
    return tuple(
        short_url(link.domain, link.code, domains=config.domains)
        for link in links.of_issue(store, issue_id)
        if link.target is None
    )


def _parse(source: bytes, request: Request) -> Document:
    try:
        document = newsletter.parse(source, format=newsletter.guess_format(request.name, source))
    except Unreadable as error:
        raise type(error)(f"{request.name}: {error}") from None
    if request.trap and document.format != "html":
        raise InputError(
            f"{request.name}: Markdown has no invisible links; take in the HTML that is sent, or say which link is "
            "hidden in your template with `shortener issue set SLUG --trap SHORT_URL`"
        )
    return document


def _slug(request: Request) -> str:
    """The slug that was asked for, else one from the file's name. Raises InputError."""
    slug = request.slug if request.slug is not None else PurePath(request.name).name.partition(".")[0]
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


def _domain(host: str | None, config: Config) -> Domain:
    """The domain that new codes are made on. Raises InputError for one that is not configured."""
    if host is None:
        return config.domains[0]
    for domain in config.domains:
        if domain.host == host.lower():
            return domain
    hosts = ", ".join(domain.host for domain in config.domains)
    raise InputError(f"{host}: not a configured domain; there are {hosts}")


def _copy_tag(
    store: Store, known: Issue | None, request: Request, *, there: str, hosts: Sequence[str]
) -> str:
    """The tag that was asked for, else the one that stands in the source, else the one that the issue had."""
    if request.copy_tag is not None:
        return newsletter.check_tag(request.copy_tag) if request.copy_tag else ""
    return there or (_written_tag(store, known, hosts) if known else "")


def _written_tag(store: Store, issue: Issue, hosts: Sequence[str]) -> str:
    """The copy tag of the issue as it was written last."""
    return newsletter.untag(issues.documents(store, issue.id)[1], hosts=hosts)[1]


def _own_trap(store: Store, issue: Issue) -> Link | None:
    """The hidden link that an issue has."""
    owned = (link for link in links.of_issue(store, issue.id) if link.issue_id == issue.id)
    return next((link for link in owned if link.trap), None)


def _is_known(store: Store, issue: Issue, request: Request, *, tag: str, hosts: Sequence[str]) -> bool:
    """Whether the request says nothing that the store does not know."""
    said = {"title": request.title, "sent_at": request.sent_at, "recipients": request.recipients}
    new = {name for name, value in said.items() if value is not None and value != getattr(issue, name)}
    pending = any(
        link.target is None and (link.domain, link.code) in request.targets
        for link in links.of_issue(store, issue.id)
    )
    if (request.trap and _own_trap(store, issue) is None) or tag != _written_tag(store, issue, hosts):
        return False
    return request.source in issues.documents(store, issue.id) and not new and not pending


def _unchanged(store: Store, issue: Issue, document: Document, config: Config) -> Taken:
    articles = issues.articles(store, issue.id)
    trap = _own_trap(store, issue)
    return Taken(
        slug=issue.slug,
        output=issues.documents(store, issue.id)[1],
        created=False,
        changed=False,
        articles=sum(article.position is not None for article in articles),
        new_links=0,
        adopted=0,
        skipped=(),
        untouched=tuple(f"line {left.line}: {left.url}: {left.reason}" for left in document.untouched),
        todo=todo(store, issue.id, config=config),
        warnings=(),
        trap="" if trap is None else short_url(trap.domain, trap.code, domains=config.domains),
        format=document.format,
    )


def _identify(
    store: Store, occurrences: Sequence[_Occurrence], request: Request, config: Config
) -> list[str]:
    """Say what each link leads to; the ones that stay as they are keep no key. Which were skipped, and by what.

    Raises InputError that names every refused target, Conflict for a code with another target.
    """
    skipped, refused = [], []
    hosts = {domain.host for domain in config.domains} | {urlsplit(config.base_url).netloc}
    for occurrence in occurrences:
        url, line = occurrence.found.url, occurrence.found.line
        pattern = next(
            (each for each in config.newsletter.skip if fnmatchcase(url.lower(), each.lower())), None
        )
        if pattern is not None:
            skipped.append(f"line {line}: {url}: matches {pattern}")
            continue
        own = parse_short_url(url, domains=config.domains) if "://" in url else None
        try:
            hidden = links.find(store, *own) if own else None
            if hidden is not None and hidden.trap:
                occurrence.trap = hidden.id
            elif own is not None:
                occurrence.own = own
                occurrence.n = _given_number(url)
                occurrence.key = _adopted_target(store, own, request) or short_url(
                    *own, domains=config.domains
                )
            elif urlsplit(url).netloc.lower() in hosts:
                skipped.append(f"line {line}: {url}: a page of ours")
            else:
                occurrence.key = checked_target(url, config=config)
        except (TargetRefused, ValueError) as error:
            refused.append(f"line {line}: {error}")
    if refused:
        more = f" (and {len(refused) - 1} more: lines {_lines(refused[1:])})" if refused[1:] else ""
        raise InputError(f"{request.name}: {refused[0]}{more}; nothing was stored")
    return skipped


def _lines(refused: Sequence[str]) -> str:
    return ", ".join(each.partition(":")[0].removeprefix("line ") for each in refused[:10])


def _given_number(url: str) -> int:
    """The n of ``/<code>/<n>``, 0 where the URL has none."""
    tail = urlsplit(url).path.strip("/").partition("/")[2]
    return int(tail) if tail.isascii() and tail.isdigit() and len(tail) <= 5 else 0


def _adopted_target(store: Store, key: ShortKey, request: Request) -> str | None:
    """What an adopted short link leads to: the stored target, else the one that came along, else nothing yet."""
    link = links.find(store, *key)
    given = request.targets.get(key)
    if link is not None and link.target is not None:
        if given is not None and given != link.target:
            raise Conflict(
                f"{'/'.join(key)} leads to {link.target}, not to {given}; `shortener link set` changes a target"
            )
        return link.target
    return given


def _put_issue(
    store: Store,
    known: Issue | None,
    slug: str,
    reading: Reading,
    document: Document,
    request: Request,
    domain: Domain,
    *,
    now: int,
) -> Issue:
    if request.recipients is not None and request.recipients < 1:
        raise InputError("recipients: expected 1 or more; leave it out when it is not known")
    if known is None:
        issues.add(
            store,
            slug,
            title=request.title or reading.title or slug,
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
        if request.source != issues.documents(store, known.id)[1]:
            changes["source"] = request.source
        if changes:
            issues.change(store, known.id, now=now, **changes)
    return issues.get(store, slug)


def _put_articles(store: Store, issue: Issue, reading: Reading) -> dict[str, int]:
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
        for article in reading.articles
    }
    stored = {article.id: article for article in issues.articles(store, issue.id)}
    order = [ids[article.key] for article in reading.articles if article.position is not None]
    corrected = {key: each.position for key, each in stored.items() if "position" in each.corrected.split()}
    order = [each for each in order if each not in corrected]
    for article_id, position in sorted(corrected.items(), key=lambda item: item[1] or 0):
        if position is not None:
            order.insert(position - 1, article_id)
    positions: dict[int, int | None] = dict.fromkeys(ids.values())
    positions.update({article_id: position for position, article_id in enumerate(order, start=1)})
    issues.set_positions(store, positions)
    return ids


def _put_links(
    store: Store,
    issue: Issue,
    reading: Reading,
    occurrences: Sequence[_Occurrence],
    articles: Mapping[str, int],
    request: Request,
    config: Config,
    domain: Domain,
    *,
    now: int,
) -> tuple[int, int]:
    """Give every tracked link its code, one an article; how many are new, and how many were adopted."""
    by_key: dict[str, int] = {}
    for link in links.of_issue(store, issue.id):
        if link.target and link.issue_id == issue.id:
            by_key.setdefault(link.target, link.id)
    titles = {article.key: article.title or "" for article in reading.articles}
    adopted: dict[ShortKey, int] = {}
    for occurrence in occurrences:
        if occurrence.own is not None and occurrence.key is not None:
            key = occurrence.own
            if key not in adopted:
                adopted[key] = _adopt(store, key, request, title=titles[occurrence.key], now=now)
                links.assign(
                    store, adopted[key], issue_id=issue.id, article_id=articles[occurrence.key], now=now
                )
            occurrence.link_id = adopted[key]
            by_key.setdefault(occurrence.key, adopted[key])
    new = 0
    for occurrence in occurrences:
        if occurrence.own is None and occurrence.key is not None:
            if occurrence.key not in by_key:
                code = _free_code(store, domain, config)
                link_id = links.add(
                    store, domain.host, code, target=occurrence.key, title=titles[occurrence.key], now=now
                )
                links.assign(store, link_id, issue_id=issue.id, article_id=articles[occurrence.key], now=now)
                by_key[occurrence.key] = link_id
                new += 1
            occurrence.link_id = by_key[occurrence.key]
    return new, len(adopted)


def _give_targets(
    store: Store, occurrences: Sequence[_Occurrence], request: Request, config: Config, *, now: int
) -> None:
    """Say where adopted links lead that had no target; articles and decisions follow before they are read anew."""
    for key in {occurrence.own for occurrence in occurrences if occurrence.own is not None}:
        link, target = links.find(store, *key), request.targets.get(key)
        if link is not None and link.target is None and target is not None:
            retarget(store, link, target, config=config, who=WHO, now=now)


def _adopt(store: Store, key: ShortKey, request: Request, *, title: str, now: int) -> int:
    """The link of a short URL that stands in the issue, made where it is new."""
    link = links.find(store, *key)
    if link is not None:
        return link.id
    return links.add(store, *key, target=request.targets.get(key), title=title, now=now)


def _free_code(store: Store, domain: Domain, config: Config) -> str:
    """A new code in the domain's own case."""

    def own(code: str) -> str:
        return code if domain.case_sensitive else code.lower()

    return own(
        new_code(
            length=config.codes.length,
            alphabet=config.codes.alphabet,
            taken=lambda code: links.find(store, domain.host, own(code)) is not None,
        )
    )


def _number(store: Store, issue: Issue, occurrences: Sequence[_Occurrence]) -> None:
    """Give every placement its n: the one in its URL, else the one that it had, else the next free one."""
    placed = [occurrence for occurrence in occurrences if occurrence.key is not None]
    taken = {each.link_id: issues.taken_numbers(store, each.link_id, but=issue.id) for each in placed}
    used: set[int] = set()
    for occurrence in placed:
        if occurrence.n in used or occurrence.n in taken[occurrence.link_id]:
            occurrence.n = 0
        used.add(occurrence.n)
    before: dict[int, list[int]] = {}
    for old in issues.placements(store, issue.id):
        if old.n not in used:
            before.setdefault(old.link_id, []).append(old.n)
    for occurrence in placed:
        if not occurrence.n and before.get(occurrence.link_id):
            occurrence.n = before[occurrence.link_id].pop(0)
            used.add(occurrence.n)
    n = 0
    for occurrence in placed:
        if not occurrence.n:
            n += 1
            while n in used or n in taken[occurrence.link_id]:
                n += 1
            occurrence.n = n
            used.add(n)


def _place(
    store: Store,
    issue: Issue,
    reading: Reading,
    occurrences: Sequence[_Occurrence],
    articles: Mapping[str, int],
) -> None:
    placed = [
        Placement(
            link_id=occurrences[placement.index].link_id,
            n=occurrences[placement.index].n,
            article_id=articles[article.key],
            kind=placement.kind,
            text=placement.text or "",
        )
        for article in reading.articles
        for placement in article.placements
    ]
    issues.replace_placements(store, issue.id, placed)


def _short_urls(
    store: Store, occurrences: Sequence[_Occurrence], config: Config, *, placements: bool
) -> Iterator[tuple[int, str]]:
    """The URL that each tracked link gets, by its index."""
    codes = links.codes(store, {occurrence.link_id for occurrence in occurrences})
    for occurrence in occurrences:
        if occurrence.key is None:
            continue
        n = occurrence.n if placements else 0
        if occurrence.own is None:
            yield occurrence.found.index, short_url(*codes[occurrence.link_id], n, domains=config.domains)
        elif placements:
            parts = urlsplit(occurrence.found.url)
            code = parts.path.strip("/").partition("/")[0]
            yield occurrence.found.index, urlunsplit(parts._replace(path=f"/{code}/{n}"))


def _trap(
    store: Store,
    issue: Issue,
    document: Document,
    occurrences: Sequence[_Occurrence],
    request: Request,
    config: Config,
    domain: Domain,
    *,
    now: int,
) -> str:
    """The short URL of the issue's hidden link, made where one is wanted; '' for none.

    One that came along from another issue's document stands for one of its own.
    """
    own = _own_trap(store, issue)
    if own is not None:
        return short_url(own.domain, own.code, domains=config.domains)
    if not request.trap and not any(each.trap for each in occurrences):
        return ""
    code = _free_code(store, domain, config)
    # Whoever does follow it shall arrive somewhere harmless: the page that the bare domain shows.
    target = domain.home or f"{domain.scheme}://{domain.host}/"
    links.add(
        store, domain.host, code, target=target, title="Hidden link", issue_id=issue.id, trap=True, now=now
    )
    return short_url(domain.host, code, domains=config.domains)


def _as_found(occurrence: _Occurrence, trap: str, config: Config) -> str:
    """The URL of a hidden link that stands in the document: as it is, unless it is another issue's."""
    own = parse_short_url(trap, domains=config.domains)
    return (
        occurrence.found.url if parse_short_url(occurrence.found.url, domains=config.domains) == own else trap
    )


def _warnings(
    store: Store, issue: Issue, reading: Reading, occurrences: Sequence[_Occurrence]
) -> Iterator[str]:
    """What an editor should look at before the issue is sent."""
    codes: dict[str, set[int]] = {}
    for occurrence in occurrences:
        if occurrence.key is not None:
            codes.setdefault(occurrence.key, set()).add(occurrence.link_id)
            if occurrence.own is None and (doubt := homograph_warning(occurrence.key)):
                yield f"line {occurrence.found.line}: {doubt}"
    for article in reading.articles:
        if len(codes.get(article.key, ())) > 1:
            yield f"{article.key}: one article under {len(codes[article.key])} codes; its clicks are added up"
        if article.position is not None and not article.title:
            yield f"{article.key}: no title was found; `shortener issue set {issue.slug} --article …` gives it one"
