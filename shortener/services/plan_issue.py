"""Planning of an issue: what will be stored is computed from the document, the store and the request."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shortener import newsletter
from shortener.config import Config, Domain
from shortener.errors import Conflict, InputError
from shortener.homographs import homograph_warning
from shortener.messages import Message, name_file
from shortener.newsletter import ExtractedIssue
from shortener.services.issue_plan import (
    AddRequest,
    ExistingIssue,
    IssuePlan,
    LeftAloneLink,
    Occurrence,
    ParsedRequest,
    PlannedArticle,
    PlannedLink,
    PlannedPlacement,
)
from shortener.services.plan_articles import find_retargets, plan_articles
from shortener.services.plan_links import (
    find_first_targets,
    match_links,
    number_placements,
    plan_links,
    short_urls,
)
from shortener.short_urls import build_short_url, parse_short_url

EDITOR_NAME = "issue add"
"""The editor of the edits that adding an issue makes."""


def plan_issue(
    parsed: ParsedRequest,
    existing: ExistingIssue,
    *,
    domain: Domain,
    codes: Iterator[str],  # unused short-link codes of ``domain``
    config: Config,
    reread: bool = False,  # whether the plan counts as changed even if it equals the stored issue
) -> IssuePlan:
    """Return what adding an issue will store, without storing it. Raises InputError, Conflict."""
    request, document = parsed.request, parsed.document
    if request.recipients is not None and request.recipients < 1:
        raise InputError(Message("recipients: expected 1 or more, or nothing if the number is unknown"))
    if existing.output_of is not None and not request.allow_copy:
        problem = Message("this is the issue {output_of} with short links", output_of=existing.output_of)
        raise Conflict(name_file(request.filename, problem), kind="output_of_issue")
    tag = _recipient_tag(parsed, existing, config)
    occurrences, skipped, left = match_links(document, existing, request.targets, config=config)
    keys = [occurrence.target_key for occurrence in occurrences]
    extracted = newsletter.extract_articles(document, keys, recurring=existing.recurring)
    replaced_urls = find_retargets(extracted, existing)
    first_targets = find_first_targets(occurrences, existing, request.targets, config=config)
    articles = plan_articles(extracted, existing, {**replaced_urls, **first_targets}, request.corrections)
    twins = newsletter.find_outlook_twins(document)
    article_by_link = _article_by_link(extracted, twins)
    links = plan_links(occurrences, articles, article_by_link, replaced_urls, existing, request.targets, domain, codes)
    number_placements(occurrences, links, existing, twins)
    honeypot = _plan_honeypot(parsed, existing, occurrences, domain, codes)
    output, honeypot_html = _write_document(parsed, occurrences, links, honeypot, tag, config)
    changed = reread or not _is_unchanged(parsed, existing, links, tag, config)
    fields = _fields_to_store(parsed, existing, extracted, output, domain) if changed else {}
    return IssuePlan(
        slug=parsed.slug,
        issue_id=existing.issue.id if existing.issue else None,
        fields=fields,
        links=tuple(links),
        articles=tuple(articles),
        placements=tuple(_placements(extracted, occurrences, parsed)),
        output=output,
        changed=changed,
        skipped=tuple(skipped),
        untouched=_untouched_links(parsed, left),
        warnings=tuple(_warnings(parsed, extracted, occurrences, links, articles, replaced_urls)),
        honeypot=honeypot,
        honeypot_html=honeypot_html,
        recipient_tag=tag,
        format=document.format,
        changes_sending_time=existing.issue is not None
        and fields.get("sent_at", existing.issue.sent_at) != existing.issue.sent_at,
    )


def _article_by_link(extracted: ExtractedIssue, twins: Mapping[int, int]) -> dict[int, int]:
    by_link = {
        placement.link_index: index
        for index, article in enumerate(extracted.articles)
        for placement in article.placements
    }
    return by_link | {index: by_link[twin] for index, twin in twins.items() if twin in by_link}


def _placements(
    extracted: ExtractedIssue, occurrences: Sequence[Occurrence], parsed: ParsedRequest
) -> Iterator[PlannedPlacement]:
    document = parsed.document
    for index, article in enumerate(extracted.articles):
        for placement in article.placements:
            occurrence = occurrences[placement.link_index]
            if occurrence.planned_link is None:
                continue
            part = ""
            if document.format == "eml":
                part = "html" if document.parts[occurrence.link.part or 0].is_html else "text"
            yield PlannedPlacement(
                occurrence.planned_link,
                index,
                occurrence.placement_number,
                placement.kind,
                placement.text,
                part,
            )


def _recipient_tag(parsed: ParsedRequest, existing: ExistingIssue, config: Config) -> str:
    # The tag in the request has precedence over one in the document, and that over the stored one.
    tag = parsed.request.recipient_tag
    if tag is not None:
        return newsletter.check_recipient_tag(tag) if tag else ""
    return parsed.found_tag or _stored_tag(existing, config)


def _stored_tag(existing: ExistingIssue, config: Config) -> str:
    hosts = [domain.host for domain in config.domains]
    return newsletter.strip_recipient_tags(existing.output, hosts=hosts)[1]


def stored_source(request: AddRequest, format: str) -> bytes:
    """Return the document to store. From a mail, the headers that can identify a person are removed."""
    return newsletter.stored_form(request.source) if format == "eml" else request.source


def _is_unchanged(
    parsed: ParsedRequest,
    existing: ExistingIssue,
    links: Sequence[PlannedLink],
    tag: str,
    config: Config,
) -> bool:
    issue, request = existing.issue, parsed.request
    if issue is None or issue.removed_at is not None:
        return False
    if request.add_honeypot and _stored_honeypot(existing) is None:
        return False
    return (
        not any(link.retargeted for link in links)
        and all(value == getattr(issue, name) for name, value in _entered_fields(request).items())
        and tag == _stored_tag(existing, config)
        and stored_source(request, parsed.document.format) in (existing.source, existing.output)
    )


def _entered_fields(request: AddRequest) -> dict[str, Any]:
    values = {"title": request.title, "sent_at": request.sent_at, "recipients": request.recipients}
    return {name: value for name, value in values.items() if value is not None}


def _fields_to_store(
    parsed: ParsedRequest, existing: ExistingIssue, extracted: ExtractedIssue, output: bytes, domain: Domain
) -> dict[str, Any]:
    request, document = parsed.request, parsed.document
    source = stored_source(request, document.format)
    stored_output = newsletter.stored_form(output) if document.format == "eml" else output
    if existing.issue is None:
        return {
            "title": request.title or extracted.title or parsed.slug,
            "format": document.format,
            "domain": domain.host,
            "sent_at": request.sent_at,
            "recipients": request.recipients,
            "source": source,
            "output": stored_output,
        }
    changes: dict[str, Any] = {**_entered_fields(request), "output": stored_output}
    if source != existing.output:
        changes |= {"source": source, "format": document.format}
    return changes


def _stored_honeypot(existing: ExistingIssue) -> PlannedLink | None:
    issue_id = existing.issue.id if existing.issue else None
    for link in existing.links:
        if link.honeypot and link.issue_id == issue_id:
            return PlannedLink(key=(link.domain, link.code), target=link.target, link_id=link.id)
    return None


def _plan_honeypot(
    parsed: ParsedRequest,
    existing: ExistingIssue,
    occurrences: Sequence[Occurrence],
    domain: Domain,
    codes: Iterator[str],
) -> PlannedLink | None:
    stored = _stored_honeypot(existing)
    if stored is not None:
        return stored
    # A document that was copied from another issue contains that issue's honeypot link, and gets a new one.
    if not parsed.request.add_honeypot and not any(occurrence.honeypot for occurrence in occurrences):
        return None
    # A reader who follows it after all arrives at the page of the bare domain.
    target = domain.home or f"{domain.scheme}://{domain.host}/"
    return PlannedLink(key=(domain.host, next(codes)), target=target, title="Hidden link")


def _write_document(
    parsed: ParsedRequest,
    occurrences: Sequence[Occurrence],
    links: Sequence[PlannedLink],
    honeypot: PlannedLink | None,
    tag: str,
    config: Config,
) -> tuple[bytes, str]:
    """Return (document with short URLs, HTML of the hidden link that was inserted or '')."""
    document, request = parsed.document, parsed.request
    urls = dict(short_urls(occurrences, links, config=config, with_numbers=request.number_placements))
    found = [occurrence.link for occurrence in occurrences if occurrence.honeypot]
    honeypot_url = build_short_url(*honeypot.key, domains=config.domains) if honeypot else ""
    for link in found:
        is_own = honeypot is not None and parse_short_url(link.url, domains=config.domains) == honeypot.key
        urls[link.index] = link.url if is_own else honeypot_url
    output = newsletter.rewrite(document, urls, recipient_tag=tag)
    if not honeypot_url or document.format != "html" or found or document.parts:
        return output, ""
    html = newsletter.honeypot_html(honeypot_url, recipient_tag=tag)
    return newsletter.insert_honeypot(output, html), html


def _untouched_links(parsed: ParsedRequest, left: Sequence[LeftAloneLink]) -> tuple[LeftAloneLink, ...]:
    untouched = [LeftAloneLink(link.line, link.url, link.reason) for link in parsed.document.untouched]
    return tuple(sorted([*untouched, *left], key=_line))


def _line(link: LeftAloneLink) -> int:
    return link.line


def _warnings(
    parsed: ParsedRequest,
    extracted: ExtractedIssue,
    occurrences: Sequence[Occurrence],
    links: Sequence[PlannedLink],
    articles: Sequence[PlannedArticle],
    replaced_urls: Mapping[str, str],
) -> Iterator[str]:
    yield from parsed.document.warnings
    for new, old in replaced_urls.items():
        yield Message("{old}: the link leads to {new} now", old=old, new=new)
    for occurrence in occurrences:
        if occurrence.target_key is not None and occurrence.short_link_key is None:
            warning = homograph_warning(occurrence.target_key)
            if warning:
                yield Message("line {line}: {warning}", line=occurrence.link.line, warning=warning)
    for index, article in enumerate(articles):
        planned = {occurrences[placement.link_index].planned_link for placement in extracted.articles[index].placements}
        targets = {links[link].target for link in planned if link is not None}
        if len(planned) > 1 and len(targets) == 1:
            yield Message(
                "{url}: one article under {value} codes; its clicks are added up", url=article.url, value=len(planned)
            )
        if article.position is not None and not article.title:
            yield Message("{url}: no title was found", url=article.url)
