"""Loading of the stored data that is compared with a document when an issue is added."""

from shortener.config import Config
from shortener.newsletter import stored_form
from shortener.services.issue_plan import ExistingIssue, ParsedRequest, ShortLinkKey
from shortener.short_urls import parse_short_url
from shortener.store import Store, issues, links
from shortener.store.links import Link

_MIN_OWN_LINKS = 3
_MIN_SHORT_FRACTION = 0.5  # of the links of a document
_MIN_OWN_FRACTION = 0.9  # of the links of an issue: a document that has them is its output, perhaps edited


def load_existing_issue(store: Store, parsed: ParsedRequest, *, host: str, config: Config, now: int) -> ExistingIssue:
    """Return the stored version of an issue, if any, and the stored short links that its new document contains."""
    issue = issues.find(store, parsed.slug)
    short_links = _stored_short_links(store, parsed, config)
    own_links = links.list_by_issue(store, issue.id) if issue else []
    source, output = issues.get_documents(store, issue.id) if issue else (b"", b"")
    link_ids = {link.id for link in own_links} | {link.id for link in short_links.values()}
    issue_id = issue.id if issue else 0
    return ExistingIssue(
        issue=issue,
        source=source,
        output=output,
        articles=tuple(issues.list_articles(store, issue.id)) if issue else (),
        links=tuple(own_links),
        placements=tuple(issues.list_placements(store, issue.id)) if issue else (),
        short_links=short_links,
        numbers_elsewhere={
            link_id: frozenset(issues.used_placement_numbers(store, link_id, except_issue_id=issue_id))
            for link_id in link_ids
        },
        recurring=issues.recurring_urls(
            store, domain=host, format=parsed.document.format, except_issue_id=issue_id, now=now
        ),
        output_of=None if issue else _find_slug_by_output(store, parsed, short_links, config),
    )


def _stored_short_links(store: Store, parsed: ParsedRequest, config: Config) -> dict[ShortLinkKey, Link]:
    found: dict[ShortLinkKey, Link] = {}
    for document_link in parsed.document.links:
        key = parse_short_url(document_link.url, domains=config.domains)
        if key is not None and key not in found and (link := links.find(store, *key)):
            found[key] = link
    return found


def find_known_issue(store: Store, parsed: ParsedRequest, config: Config) -> str | None:
    """Return the slug of the stored issue to which a document belongs; None for a new document."""
    # The document has either the original links or the short links of the issue.
    source, is_mail = parsed.request.source, parsed.document.format == "eml"
    same = issues.find_by_source(store, stored_form(source) if is_mail else source)
    return same or _find_slug_by_output(store, parsed, _stored_short_links(store, parsed, config), config)


def _find_slug_by_output(
    store: Store, parsed: ParsedRequest, short_links: dict[ShortLinkKey, Link], config: Config
) -> str | None:
    # The output of an issue is its text with short links, which may have been edited meanwhile.
    source, document = parsed.request.source, parsed.document
    exact = issues.find_by_output(store, stored_form(source) if document.format == "eml" else source)
    if exact is not None:
        return exact
    # An edited document is recognized if it still contains most of the issue's short links.
    owners = {link.issue_id for link in short_links.values() if not link.honeypot}
    if len(owners) != 1 or len(short_links) < _MIN_OWN_LINKS:
        return None
    owner = next(iter(owners))
    issue = issues.find_by_id(store, owner) if owner is not None else None
    short = sum(parse_short_url(link.url, domains=config.domains) is not None for link in document.links)
    if issue is None or short < _MIN_SHORT_FRACTION * len(document.links):
        return None
    own = sum(link.issue_id == issue.id for link in links.list_by_issue(store, issue.id))
    return issue.slug if len(short_links) >= _MIN_OWN_FRACTION * own else None
