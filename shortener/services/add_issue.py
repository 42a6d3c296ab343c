"""Adding an issue: its links get short links, everything is stored, and the issue is returned with short URLs."""

from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import Any

from msgspec import Struct

from shortener import newsletter
from shortener.collector.classifier import queue_reclassification
from shortener.config import Config, Domain
from shortener.errors import InputError, TargetRefused, UnreadableDocument
from shortener.newsletter import Document, ExtractedIssue
from shortener.services.honeypot import (
    add_honeypot,
    find_honeypot,
    replace_honeypot_url,
    stored_honeypot_url,
)
from shortener.services.issue_links import (
    LinkOccurrence,
    ShortLinkKey,
    Targets,
    match_links,
    number_placements,
    save_links,
    save_placements,
    set_missing_targets,
    short_urls,
)
from shortener.short_urls import build_short_url, parse_short_url, validate_target
from shortener.store import Store, issues, links
from shortener.store.issues import Issue
from shortener.urls import homograph_warning

MAX_SLUG_LENGTH = 100  # characters


class AddRequest(Struct, frozen=True):
    """A document to add as an issue, with the values that an editor entered; None if nothing was entered."""

    source: bytes
    filename: str
    """The name of the file, from which the format and the default slug are derived."""
    slug: str | None = None
    title: str | None = None
    sent_at: int | None = None
    recipients: int | None = None
    domain: str | None = None
    targets: Targets = {}
    """Targets of short links that the document contains, as returned by ``parse_targets``."""
    number_placements: bool = True
    """Whether short URLs contain the placement number (``/code/3``)."""
    add_honeypot: bool = False
    """Whether to add a honeypot link; an issue that has one keeps it."""
    recipient_tag: str | None = None
    """The per-recipient merge tag for every short URL; '' for none, None to keep the issue's tag."""


class AddResult(Struct, frozen=True):
    """The added issue; ``output`` is the source in which only URLs were replaced by short URLs.

    ``adopted`` is the number of short links that the source contained already. ``skipped`` and ``untouched`` have a
    line for each link that was left as it is.
    """

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
    """Short URLs that have no target yet."""
    warnings: tuple[str, ...]
    honeypot_url: str = ""
    """The short URL of the honeypot link, '' if there is none."""
    honeypot_html: str = ""
    """The HTML inserted for the honeypot link, '' if the document contained it already."""
    recipient_tag: str = ""
    format: str = ""


def add_or_update_issue(store: Store, request: AddRequest, *, config: Config, now: int) -> AddResult:
    """Add an issue, or update the one with this slug, in one transaction; unchanged input changes nothing.

    Raises InputError (not an issue, or a refused target, with its line), Conflict (a short link has another target).
    """
    hosts = [domain.host for domain in config.domains]
    source, tag = newsletter.strip_recipient_tags(request.source, hosts=hosts)
    document = _parse(source, request)
    slug = _choose_slug(request)
    domain = _find_domain(request.domain, config)
    with store.transaction():
        existing = issues.find(store, slug)
        tag = _choose_recipient_tag(store, existing, request, found_tag=tag, hosts=hosts)
        if existing is not None and _is_unchanged(store, existing, request, recipient_tag=tag, hosts=hosts):
            return _unchanged_result(store, existing, document, config)
        occurrences = [LinkOccurrence(link) for link in document.links]
        skipped = match_links(store, occurrences, request.targets, filename=request.filename, config=config)
        set_missing_targets(store, occurrences, request.targets, config=config, now=now)
        extracted = newsletter.extract_articles(
            document, [occurrence.article_key for occurrence in occurrences]
        )
        issue = _save_issue(store, existing, slug, extracted, document, request, domain, now=now)
        article_ids = _save_articles(store, issue, extracted)
        new_links, adopted = save_links(
            store, issue, extracted, occurrences, article_ids, request.targets, domain, config=config, now=now
        )
        number_placements(store, issue, occurrences)
        save_placements(store, issue, extracted, occurrences, article_ids)
        honeypot_url = stored_honeypot_url(store, issue, config)
        # A document made from another issue's output contains that issue's honeypot link: it gets one of its own.
        if not honeypot_url and (request.add_honeypot or any(link.honeypot_id for link in occurrences)):
            honeypot_url = add_honeypot(store, issue, domain, config=config, now=now)
        output, honeypot_html = _rewrite(
            store, document, occurrences, request, honeypot_url, recipient_tag=tag, config=config
        )
        issues.update(store, issue.id, now=now, output=output)
        if existing is not None and existing.sent_at != issue.sent_at:
            queue_reclassification(store, issue.id)
        return AddResult(
            slug=slug,
            output=output,
            created=existing is None,
            changed=True,
            articles=sum(article.position is not None for article in extracted.articles),
            new_links=new_links,
            adopted=adopted,
            skipped=tuple(skipped),
            untouched=_untouched_lines(document),
            links_without_target=links_without_target(store, issue.id, config=config),
            warnings=tuple(_warnings(extracted, occurrences)),
            honeypot_url=honeypot_url,
            honeypot_html=honeypot_html,
            recipient_tag=tag,
            format=document.format,
        )


def parse_targets(rows: Sequence[tuple[int, str, str]], *, config: Config) -> dict[ShortLinkKey, str]:
    """Return the targets of short links, given as rows (line, short URL, target).

    Raises InputError with the line for a short URL of another domain, a refused target, or a short link with two
    targets.
    """
    targets: dict[ShortLinkKey, str] = {}
    for line, short_url, target in rows:
        key = parse_short_url(short_url, domains=config.domains)
        if key is None:
            hosts = ", ".join(domain.host for domain in config.domains)
            raise InputError(f"line {line}: {short_url}: not a short link of {hosts}")
        try:
            canonical = validate_target(target, config=config)
        except TargetRefused as refused:
            raise InputError(f"line {line}: {refused}") from None
        if targets.setdefault(key, canonical) != canonical:
            raise InputError(
                f"line {line}: {short_url}: listed twice, with the targets {targets[key]} and {canonical}"
            )
    return targets


def links_without_target(store: Store, issue_id: int, *, config: Config) -> tuple[str, ...]:
    """Return the short URLs of an issue's links that have no target."""
    return tuple(
        build_short_url(link.domain, link.code, domains=config.domains)
        for link in links.list_by_issue(store, issue_id)
        if link.target is None
    )


def _parse(source: bytes, request: AddRequest) -> Document:
    """Return the parsed document. Raises UnreadableDocument, or InputError for a honeypot link in Markdown."""
    try:
        document = newsletter.parse(source, format=newsletter.detect_format(request.filename, source))
    except UnreadableDocument as error:
        raise type(error)(f"{request.filename}: {error}") from None
    if request.add_honeypot and document.format != "html":
        raise InputError(f"{request.filename}: Markdown has no invisible links", kind="honeypot_in_markdown")
    return document


def _choose_slug(request: AddRequest) -> str:
    """Return the slug of the request, else one made from the file name. Raises InputError."""
    slug = request.slug if request.slug is not None else PurePath(request.filename).name.partition(".")[0]
    slug = "-".join(slug.split()) if request.slug is None else slug
    if (
        slug in {"", ".", ".."}
        or len(slug) > MAX_SLUG_LENGTH
        or any(c in "/\\?#%" or not c.isprintable() or c.isspace() for c in slug)
    ):
        raise InputError(
            f"{slug!r} cannot be a slug: expected up to {MAX_SLUG_LENGTH} letters, digits and hyphens",
            kind="invalid_slug",
        )
    return slug


def _find_domain(host: str | None, config: Config) -> Domain:
    """Return the domain for new codes, the first one by default. Raises InputError for an unknown host."""
    if host is None:
        return config.domains[0]
    for domain in config.domains:
        if domain.host == host.lower():
            return domain
    hosts = ", ".join(domain.host for domain in config.domains)
    raise InputError(f"{host}: unknown domain; expected one of {hosts}")


def _choose_recipient_tag(
    store: Store, existing: Issue | None, request: AddRequest, *, found_tag: str, hosts: Sequence[str]
) -> str:
    """Return the merge tag of the request, else of the source, else of the existing issue; '' for none."""
    if request.recipient_tag is not None:
        return newsletter.check_recipient_tag(request.recipient_tag) if request.recipient_tag else ""
    return found_tag or (_stored_recipient_tag(store, existing, hosts) if existing else "")


def _stored_recipient_tag(store: Store, issue: Issue, hosts: Sequence[str]) -> str:
    """Return the merge tag in the stored output of an issue, '' for none."""
    return newsletter.strip_recipient_tags(issues.get_documents(store, issue.id)[1], hosts=hosts)[1]


def _is_unchanged(
    store: Store, issue: Issue, request: AddRequest, *, recipient_tag: str, hosts: Sequence[str]
) -> bool:
    """Return whether the request would change nothing; its source may equal the stored source or the stored output."""
    if request.add_honeypot and find_honeypot(store, issue) is None:
        return False
    pending_targets = any(
        link.target is None and (link.domain, link.code) in request.targets
        for link in links.list_by_issue(store, issue.id)
    )
    return (
        not pending_targets
        and all(value == getattr(issue, name) for name, value in _entered_values(request).items())
        and recipient_tag == _stored_recipient_tag(store, issue, hosts)
        and request.source in issues.get_documents(store, issue.id)
    )


def _entered_values(request: AddRequest) -> dict[str, Any]:
    """Return the fields of the issue that an editor entered, by name."""
    values = {"title": request.title, "sent_at": request.sent_at, "recipients": request.recipients}
    return {name: value for name, value in values.items() if value is not None}


def _unchanged_result(store: Store, issue: Issue, document: Document, config: Config) -> AddResult:
    """Return the result for an issue that is stored as requested."""
    articles = issues.list_articles(store, issue.id)
    return AddResult(
        slug=issue.slug,
        output=issues.get_documents(store, issue.id)[1],
        created=False,
        changed=False,
        articles=sum(article.position is not None for article in articles),
        new_links=0,
        adopted=0,
        skipped=(),
        untouched=_untouched_lines(document),
        links_without_target=links_without_target(store, issue.id, config=config),
        warnings=(),
        honeypot_url=stored_honeypot_url(store, issue, config),
        format=document.format,
    )


def _untouched_lines(document: Document) -> tuple[str, ...]:
    """Return a line for each link that is left as it is, with the reason."""
    return tuple(f"line {link.line}: {link.url}: {link.reason}" for link in document.untouched)


def _rewrite(
    store: Store,
    document: Document,
    occurrences: Sequence[LinkOccurrence],
    request: AddRequest,
    honeypot_url: str,
    *,
    recipient_tag: str,
    config: Config,
) -> tuple[bytes, str]:
    """Return the document with short URLs, and the HTML that was inserted for a new honeypot link ('' for none)."""
    urls = dict(short_urls(store, occurrences, config=config, with_numbers=request.number_placements))
    honeypots = [occurrence.link for occurrence in occurrences if occurrence.honeypot_id]
    urls |= {link.index: replace_honeypot_url(link.url, honeypot_url, config=config) for link in honeypots}
    output = newsletter.rewrite(document, urls, recipient_tag=recipient_tag)
    if not honeypot_url or document.format != "html" or honeypots:
        return output, ""
    honeypot_html = newsletter.honeypot_html(honeypot_url, recipient_tag=recipient_tag)
    return newsletter.insert_honeypot(output, honeypot_html), honeypot_html


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
    """Add the issue, or update it with the entered values and the source; return it. Raises InputError."""
    if request.recipients is not None and request.recipients < 1:
        raise InputError("recipients: expected 1 or more, or nothing if the number is unknown")
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
        changes = _entered_values(request)
        if request.source != issues.get_documents(store, existing.id)[1]:
            changes["source"] = request.source
        if changes:
            issues.update(store, existing.id, now=now, **changes)
    return issues.get(store, slug)


def _save_articles(store: Store, issue: Issue, extracted: ExtractedIssue) -> dict[str, int]:
    """Save the articles and return their ids by key; positions that an editor set are kept."""
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
        article_id: article.position
        for article_id, article in stored.items()
        if "position" in article.corrected_fields.split()
    }
    order = [article_id for article_id in order if article_id not in corrected]
    for article_id, position in sorted(corrected.items(), key=lambda item: item[1] or 0):
        if position is not None:
            order.insert(position - 1, article_id)
    positions: dict[int, int | None] = dict.fromkeys(ids.values())
    positions.update({article_id: position for position, article_id in enumerate(order, start=1)})
    issues.set_positions(store, positions)
    return ids


def _warnings(extracted: ExtractedIssue, occurrences: Sequence[LinkOccurrence]) -> Iterator[str]:
    """Yield what an editor should check before the issue is sent, one line each."""
    link_ids: dict[str, set[int]] = {}
    for occurrence in occurrences:
        if occurrence.article_key is not None:
            link_ids.setdefault(occurrence.article_key, set()).add(occurrence.link_id)
            if occurrence.short_link_key is None and (warning := homograph_warning(occurrence.article_key)):
                yield f"line {occurrence.link.line}: {warning}"
    for article in extracted.articles:
        codes = len(link_ids.get(article.key, ()))
        if codes > 1:
            yield f"{article.key}: one article under {codes} codes; its clicks are added up"
        if article.position is not None and not article.title:
            yield f"{article.key}: no title was found"
