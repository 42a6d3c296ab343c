"""Adding an issue: all changes are planned first, and then stored in one transaction."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import PurePath
from typing import cast, get_args

from msgspec import Struct
from msgspec.structs import replace

from shortener import newsletter
from shortener.config import Config, Domain
from shortener.errors import InputError, TargetRefused, UnreadableDocument
from shortener.messages import Message, name_file
from shortener.newsletter import Document, Format
from shortener.services.apply_plan import apply_plan
from shortener.services.edit_links import find_domain
from shortener.services.existing_issue import load_existing_issue
from shortener.services.issue_plan import AddRequest, IssuePlan, LeftAloneLink, ParsedRequest, ShortLinkKey
from shortener.services.new_code import new_unused_code
from shortener.services.plan_issue import plan_issue
from shortener.services.plan_links import left_alone_lines
from shortener.services.plausibility import check_details
from shortener.short_urls import build_short_url, parse_short_url, validate_target
from shortener.store import Store, issues, links

__all__ = [
    "MAX_SLUG_LENGTH",
    "AddRequest",
    "AddResult",
    "add_or_update_issue",
    "links_without_target",
    "make_plan",
    "parse_request",
    "parse_targets",
    "preview_issue",
    "reread_issue",
    "untouched_links",
]

MAX_SLUG_LENGTH = 100  # characters


class AddResult(Struct, frozen=True):
    """The result of adding an issue."""

    slug: str
    output: bytes
    """The document with short URLs."""
    created: bool
    changed: bool
    articles: int
    new_links: int
    adopted: int
    """Number of short links of this installation that the document already contained."""
    skipped: tuple[str, ...]
    """A line of text for each link that the configuration excludes, and for each link to this installation's pages."""
    untouched: tuple[str, ...]
    """A line of text for each other link that is not replaced."""
    links_without_target: tuple[str, ...]
    """Short URLs that have no target yet."""
    warnings: tuple[str, ...]
    left_alone: tuple[LeftAloneLink, ...] = ()
    """All links whose URL is not replaced."""
    honeypot_url: str = ""
    """The short URL of the honeypot link, '' if there is none."""
    honeypot_html: str = ""
    """The HTML inserted for the honeypot link, '' if the document contained it already."""
    recipient_tag: str = ""
    format: str = ""
    date_in_headers: int | None = None
    """The date header of a mail, in seconds of the UTC epoch. It is proposed as the sending time."""


def add_or_update_issue(store: Store, request: AddRequest, *, config: Config, now: int) -> AddResult:
    """Add an issue, or update the stored issue with the same slug.

    Raises InputError, Conflict, and Doubtful for unlikely values.
    """
    parsed = parse_request(request, config=config)
    with store.transaction():
        plan = make_plan(store, parsed, config=config, now=now)
        issue_id = plan.issue_id
        if not request.confirmed:
            stored = None if issue_id is None else issues.get(store, plan.slug)
            check_details(store, stored, sent_at=request.sent_at, recipients=request.recipients, now=now)
        if plan.changed or issue_id is None:
            issue_id = apply_plan(store, plan, config=config, now=now)
        return _result(store, plan, parsed, issue_id, config=config)


def preview_issue(store: Store, request: AddRequest, *, config: Config, now: int) -> IssuePlan:
    """Return what adding an issue would store, without storing anything. Raises InputError, Conflict."""
    return make_plan(store, parse_request(request, config=config), config=config, now=now)


def reread_issue(store: Store, slug: str, *, config: Config, now: int, dry_run: bool = False) -> IssuePlan:
    """Parse the stored document of an issue again, then store and return the result.

    Corrections by editors are kept. Raises NotFound.
    """
    with nullcontext() if dry_run else store.transaction():
        issue = issues.get(store, slug)
        source, output = issues.get_documents(store, issue.id)
        hosts = [domain.host for domain in config.domains]
        request = AddRequest(
            source=source,
            filename=slug,
            slug=slug,
            domain=issue.domain,
            format=issue.format,
            number_placements=_has_placement_numbers(output, store, issue.id, config),
            take_over_tracking=b"TrackLink" in source and b"TrackLink" not in output,
        )
        parsed = replace(
            parse_request(request, config=config),
            found_tag=newsletter.strip_recipient_tags(output, hosts=hosts)[1],
        )
        # Another version of the program may have read the document differently. Short URLs stay.
        plan = make_plan(store, parsed, config=config, now=now, reread=True)
        if not dry_run:
            apply_plan(store, plan, config=config, now=now)
        return plan


def untouched_links(store: Store, slug: str, *, config: Config, now: int) -> tuple[str, ...]:
    """Return a line of text for each link of a stored issue that is not replaced by a short link. Raises NotFound."""
    plan = reread_issue(store, slug, config=config, now=now, dry_run=True)
    return left_alone_lines(plan.skipped + plan.untouched)


def _has_placement_numbers(output: bytes, store: Store, issue_id: int, config: Config) -> bool:
    # A placement number follows the code, as in ``/7pk3e/4``.
    urls = (
        f"{build_short_url(link.domain, link.code, domains=config.domains)}/".encode()
        for link in links.list_by_issue(store, issue_id)
    )
    return any(url in output for url in urls) or not output


def removed_issue_error(slug: str) -> InputError:
    """Return the error to raise for the slug of a removed issue."""
    return InputError(Message("{slug}: this issue was removed", slug=slug), kind="issue_removed")


def make_plan(store: Store, parsed: ParsedRequest, *, config: Config, now: int, reread: bool = False) -> IssuePlan:
    """Return what adding the parsed issue would store. Raises InputError, Conflict."""
    domain = find_domain(parsed.request.domain, config=config)
    existing = load_existing_issue(store, parsed, host=domain.host, config=config, now=now)
    if existing.issue is not None and existing.issue.removed_at is not None and not reread:
        raise removed_issue_error(parsed.slug)
    codes = _unused_codes(store, domain, config)
    # With ``reread``, the plan always says that something changes.
    return plan_issue(parsed, existing, domain=domain, codes=codes, config=config, reread=reread)


def _unused_codes(store: Store, domain: Domain, config: Config) -> Iterator[str]:
    given: set[str] = set()
    while True:
        code = new_unused_code(store, domain, config=config)
        if code not in given:
            given.add(code)
            yield code


def _result(store: Store, plan: IssuePlan, parsed: ParsedRequest, issue_id: int, *, config: Config) -> AddResult:
    is_stored = not plan.changed and plan.format != "eml"
    honeypot = plan.honeypot
    return AddResult(
        slug=plan.slug,
        output=issues.get_documents(store, issue_id)[1] if is_stored else plan.output,
        created=plan.issue_id is None,
        changed=plan.changed,
        articles=sum(article.position is not None for article in issues.list_articles(store, issue_id)),
        new_links=sum(link.link_id is None and not link.adopted for link in plan.links) if plan.changed else 0,
        adopted=sum(link.adopted for link in plan.links) if plan.changed else 0,
        skipped=left_alone_lines(plan.skipped) if plan.changed else (),
        untouched=left_alone_lines(plan.untouched),
        left_alone=plan.skipped + plan.untouched,
        links_without_target=links_without_target(store, issue_id, config=config),
        warnings=plan.warnings if plan.changed else (),
        honeypot_url=build_short_url(*honeypot.key, domains=config.domains) if honeypot else "",
        honeypot_html=plan.honeypot_html if plan.changed else "",
        recipient_tag=plan.recipient_tag if plan.changed else "",
        format=plan.format,
        date_in_headers=parsed.document.sent_at,
    )


def parse_request(request: AddRequest, *, config: Config) -> ParsedRequest:
    """Return a request together with its parsed document and its slug. Raises InputError."""
    hosts = [domain.host for domain in config.domains]
    source, tag = newsletter.strip_recipient_tags(request.source, hosts=hosts)
    document = _parse(source, request)
    return ParsedRequest(request, document, _choose_slug(request), tag)


def _parse(source: bytes, request: AddRequest) -> Document:
    detected = request.format or newsletter.detect_format(request.filename or newsletter.PASTED_NAME, source)
    if detected not in get_args(Format):
        raise InputError(
            Message(
                "{detected}: unknown format; expected one of {formats}",
                detected=detected,
                formats=", ".join(get_args(Format)),
            )
        )
    try:
        document = newsletter.parse(
            source,
            format=cast(Format, detected),
            take_over_tracking=request.take_over_tracking,
            break_signature=request.break_signature,
        )
    except UnreadableDocument as error:
        raise type(error)(name_file(request.filename, error.message)) from None
    if request.add_honeypot and (document.format != "html" or document.parts):
        reasons = {
            "markdown": Message("Markdown has no invisible links"),
            "eml": Message("a mail gets no invisible links"),
            "mjml": Message("MJML has no invisible links"),
        }
        reason = reasons.get(document.format, Message("HTML that is not UTF-8 gets no invisible links"))
        raise InputError(name_file(request.filename, reason), kind="honeypot_in_markdown")
    return document


def parse_targets(rows: Sequence[tuple[int, str, str]], *, config: Config) -> dict[ShortLinkKey, str]:
    """Return targets by short link, from rows of (line number, short URL, target).

    Raises InputError, with the line number, for an invalid row.
    """
    targets: dict[ShortLinkKey, str] = {}
    for line, short_url, target in rows:
        key = parse_short_url(short_url, domains=config.domains)
        if key is None:
            hosts = ", ".join(domain.host for domain in config.domains)
            raise InputError(
                Message(
                    "line {line}: {short_url}: not a short link of {hosts}", line=line, short_url=short_url, hosts=hosts
                )
            )
        try:
            canonical = validate_target(target, config=config)
        except TargetRefused as refused:
            raise InputError(Message("line {line}: {refused}", line=line, refused=refused.message)) from None
        if targets.setdefault(key, canonical) != canonical:
            raise InputError(
                Message(
                    "line {line}: {short_url}: listed twice, with the targets {first} and {second}",
                    line=line,
                    short_url=short_url,
                    first=targets[key],
                    second=canonical,
                )
            )
    return targets


def links_without_target(store: Store, issue_id: int, *, config: Config) -> tuple[str, ...]:
    """Return the short URLs of an issue's links that have no target."""
    return tuple(
        build_short_url(link.domain, link.code, domains=config.domains)
        for link in links.list_by_issue(store, issue_id)
        if link.target is None
    )


def _choose_slug(request: AddRequest) -> str:
    slug = request.slug if request.slug is not None else PurePath(request.filename).name.partition(".")[0]
    slug = "-".join(slug.split()) if request.slug is None else slug
    check_slug(slug)
    return slug


def check_slug(slug: str) -> None:
    """Raise InputError if a text cannot be a slug."""
    if (
        slug in {"", ".", ".."}
        or len(slug) > MAX_SLUG_LENGTH
        or any(c in "/\\?#%" or not c.isprintable() or c.isspace() for c in slug)
    ):
        raise InputError(
            Message(
                "{slug} cannot be a slug: expected up to {limit} letters, digits and hyphens",
                slug=repr(slug),
                limit=MAX_SLUG_LENGTH,
            ),
            kind="invalid_slug",
        )
