"""Creation of an issue in steps: an editor uploads a text, reviews and corrects what was found in it, and creates the
issue.
"""

from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from shortener import newsletter
from shortener.config import Config
from shortener.errors import FieldError, InputError, NotFound, ShortenerError
from shortener.messages import Message
from shortener.reporting.issue_contents import ArticleContents
from shortener.reporting.local_time import local_day
from shortener.services.add_issue import (
    MAX_SLUG_LENGTH,
    AddRequest,
    AddResult,
    add_or_update_issue,
    check_slug,
    make_plan,
    parse_request,
    removed_issue_error,
)
from shortener.services.article_rows import find_corrections, merge_corrections, reading_order
from shortener.services.edit import ArticleEdit
from shortener.services.existing_issue import find_known_issue
from shortener.services.issue_plan import IssuePlan, ParsedRequest
from shortener.services.new_slug import slug_from_title
from shortener.services.plan_contents import PlanContents, plan_contents
from shortener.short_urls import parse_short_url
from shortener.store import Store, issues, uploads
from shortener.store.issues import Issue
from shortener.store.uploads import Upload, UploadSummary

UNNAMED_FILES = frozenset(
    (
        "campaign", "content", "document", "draft", "email", "export", "index", "input", "issue", "mail", "message",
        "newsletter", "noname", "output", "unnamed", "untitled",
    )
)  # fmt: skip
"""Names of files that say nothing about the issue."""
MAX_TARGETS = 5_000
"""Largest number of targets that an editor enters for the short links of a text."""


KnownChoice = Literal["", "update", "copy"]
"""Whether a text that an issue has already updates that issue or becomes another one; '' if that is not decided."""


class Choices(Struct, frozen=True, omit_defaults=True):
    """What an editor entered about an uploaded text, and what was found in the text."""

    title: str = ""
    slug: str = ""
    """Slug that the editor entered; '' if the suggested slug is used."""
    suggested_slug: str = ""
    """Slug made from the name of the file, the title or the date."""
    known: KnownChoice = ""
    """Whether to update an existing issue with this text or slug, or to create another one; '' if undecided."""
    known_slug: str = ""
    """Slug of the existing issue for which ``known`` was decided; '' if none was."""
    edits: tuple[ArticleEdit, ...] = ()
    targets: dict[str, str] = {}
    """Targets by short URL, for short links that the text contains already."""
    articles: int = 0
    """Number of articles in the text; 0 if unknown."""
    links: int = 0
    """Number of short links that the text will have; 0 if unknown."""


class Review(Struct, frozen=True):
    """What will be created from an uploaded text."""

    upload: Upload
    choices: Choices
    request: AddRequest
    plan: IssuePlan
    contents: PlanContents
    rows: tuple[ArticleContents, ...]
    """Link targets in reading order."""
    known_issue: Issue | None
    """The existing issue with this text or slug."""
    known: KnownChoice
    title: str
    own_targets: Mapping[str, str]
    """Targets that were entered, by short URL in the text."""


class UnfinishedUpload(Struct, frozen=True):
    """An uploaded text from which no issue was created yet."""

    id: int
    name: str
    """Name of the file; '' for pasted text."""
    who: str
    created_at: int
    """Seconds of the UTC epoch."""
    articles: int
    """0 if unknown."""
    links: int
    """0 if unknown."""


def add_upload(
    store: Store,
    source: bytes,
    *,
    name: str,
    targets: Mapping[str, str],  # by short URL that the text already contains
    config: Config,
    who: str,
    now: int,
) -> int:
    """Store the text of a newsletter issue for review, and return the id of the upload. Raises InputError."""
    choices = Choices(suggested_slug=_suggest_slug(source, name, config, now), targets=bounded_targets(targets))
    with store.transaction():
        upload_id = uploads.add(store, who=who, name=name, source=source, choices=encode_choices(choices), now=now)
    _save_size(store, upload_id, config=config, now=now)
    return upload_id


def replace_text(
    store: Store, upload: Upload, source: bytes, *, name: str, targets: Mapping[str, str], config: Config, now: int
) -> None:
    """Replace the text of an upload; what the editor has entered stays. Raises InputError, Conflict."""
    choices = choices_of(upload)
    if source != upload.source:
        choices = replace(choices, suggested_slug=_suggest_slug(source, name, config, now), known="", known_slug="")
    choices = replace(choices, targets=bounded_targets({**choices.targets, **targets}))
    with store.transaction():
        uploads.update(store, upload, name=name, source=source, choices=encode_choices(choices), now=now)
    _save_size(store, upload.id, config=config, now=now)


def _save_size(store: Store, upload_id: int, *, config: Config, now: int) -> None:
    upload = uploads.get(store, upload_id)
    try:
        review = load_review(store, upload, config=config, now=now)
    except ShortenerError:
        # The numbers of articles and links stay unknown if the text cannot be reviewed.
        return
    save_choices(store, upload, with_size(review.choices, review), now=now)


def with_size(choices: Choices, review: Review) -> Choices:
    """Return ``choices`` with the numbers of articles and links that were found in the uploaded text."""
    return replace(choices, articles=review.contents.articles, links=len(review.contents.issue.links))


def list_unfinished(store: Store, *, limit: int) -> list[UnfinishedUpload]:
    """Return the uploads from which no issue was created, the last changed first."""
    return [
        UnfinishedUpload(upload.id, upload.name, upload.who, upload.created_at, choices.articles, choices.links)
        for upload in uploads.list_unfinished(store, limit=limit)
        for choices in (choices_of(upload),)
    ]


def save_choices(store: Store, upload: Upload, choices: Choices, *, now: int) -> None:
    """Store what an editor entered about an upload. Raises Conflict if the upload was changed since it was read."""
    with store.transaction():
        uploads.update(store, upload, name=upload.name, source=upload.source, choices=encode_choices(choices), now=now)


def choices_of(upload: UploadSummary) -> Choices:
    """Return what an editor has entered about an uploaded text."""
    return msgspec.json.decode(upload.choices, type=Choices)


def encode_choices(choices: Choices) -> bytes:
    """Return what an editor entered about an upload, in the form in which it is stored."""
    return msgspec.json.encode(choices)


def bounded_targets(targets: Mapping[str, str], *, field: str = "file") -> dict[str, str]:
    """Return a copy of ``targets``, a dict from short URL to target.

    Raises FieldError for the form's ``field`` if there are more than MAX_TARGETS.
    """
    if len(targets) > MAX_TARGETS:
        message = Message("this has more than {limit} short links; leave out those of other issues", limit=MAX_TARGETS)
        raise FieldError(message, field=field)
    return dict(targets)


def _suggest_slug(source: bytes, name: str, config: Config, now: int) -> str:
    parsed = parse_request(AddRequest(source=source, filename=name, slug="x"), config=config)
    stem = PurePath(name).name.partition(".")[0].removesuffix("_out")
    slug = slug_from_title(stem)
    if not slug or slug in UNNAMED_FILES:
        urls = [link.url for link in parsed.document.links]
        slug = slug_from_title(newsletter.extract_articles(parsed.document, urls).title or "")
    return slug[:MAX_SLUG_LENGTH] or local_day(parsed.document.sent_at or now, config.zone).isoformat()


def load_review(store: Store, upload: Upload, *, config: Config, now: int) -> Review:
    """Return what the uploaded text would become as an issue, with the editor's corrections so far.

    Raises InputError, Conflict.
    """
    choices = choices_of(upload)
    request = _build_request(upload, choices, config=config)
    parsed = parse_request(request, config=config)
    known_issue = _known_issue(store, parsed, config)
    known = choices.known if known_issue is not None and known_issue.slug == choices.known_slug else ""
    slug = parsed.slug
    if known_issue is not None:
        slug = _free_slug(store, slug) if known == "copy" else known_issue.slug
    elif not choices.slug:
        slug = _free_slug(store, slug)
    parsed = replace(parsed, slug=slug, request=replace(request, slug=slug, allow_copy=known == "copy"))
    plan = make_plan(store, parsed, config=config, now=now)
    contents = plan_contents(plan, config=config)
    places = {target.url: number for number, target in enumerate(contents.targets)}
    in_text = {link.short_url for link in contents.issue.links}
    return Review(
        upload=upload,
        choices=choices,
        request=parsed.request,
        plan=plan,
        contents=contents,
        rows=reading_order(contents.targets, lambda target: places[target.url]),
        known_issue=known_issue,
        known=known,
        title=contents.issue.title or (known_issue.title if known_issue else slug),
        own_targets={url: target for url, target in choices.targets.items() if url in in_text},
    )


def _build_request(upload: Upload, choices: Choices, *, config: Config) -> AddRequest:
    targets = {}
    # Targets of URLs that are not short URLs of this installation are left out.
    for short_url, target in choices.targets.items():
        if key := parse_short_url(short_url, domains=config.domains):
            targets[key] = target
    edits = []
    for edit in choices.edits:
        edit_key = parse_short_url(edit.url, domains=config.domains)
        # An edit made before the target was entered identifies the article by its short URL.
        edits.append(replace(edit, url=targets.get(edit_key, edit.url)) if edit_key else edit)
    return AddRequest(
        source=upload.source,
        filename=upload.name,
        slug=choices.slug or choices.suggested_slug,
        title=choices.title or None,
        targets=targets,
        corrections=tuple(edits),
    )


def _known_issue(store: Store, parsed: ParsedRequest, config: Config) -> Issue | None:
    slug = find_known_issue(store, parsed, config)
    issue = issues.find(store, slug) if slug is not None else issues.find(store, parsed.slug)
    return issue if issue is not None and issue.removed_at is None else None


def _free_slug(store: Store, slug: str) -> str:
    free, number = slug, 2
    while issues.find(store, free) is not None:
        free = f"{slug[: MAX_SLUG_LENGTH - 7]}-{number}"
        number += 1
    return free


def check_new_slug(store: Store, slug: str) -> None:
    """Raise InputError for a text that cannot be a slug, or that is the slug of an issue, even a removed one."""
    check_slug(slug)
    issue = issues.find(store, slug)
    if issue is None:
        return
    if issue.removed_at is not None:
        raise removed_issue_error(slug)
    raise InputError(
        Message("this is the slug of {issue}; choose another, or update that issue", issue=issue.title or slug)
    )


def correct(review: Review, submitted: Iterable[ArticleEdit], choices: Choices) -> Choices:
    """Return a copy of ``choices`` with all corrections of articles so far.

    These are the earlier ones in ``review``, overridden by the ``submitted`` ones.
    """
    new = find_corrections(review.rows, submitted)
    shown = {row.url: row for row in review.rows}
    return replace(choices, edits=merge_corrections(review.request.corrections, new, shown=shown))


def create_issue(store: Store, upload: Upload, *, config: Config, now: int) -> AddResult:
    """Create or update the issue of a reviewed upload. Raises FieldError, and NotFound if this was done already."""
    with store.transaction():
        upload = uploads.get(store, upload.id)
        if upload.issue_slug is not None:
            raise NotFound(Message("the issue {slug} was created from this text already", slug=upload.issue_slug))
        review = load_review(store, upload, config=config, now=now)
        if review.known_issue is not None and not review.known:
            raise FieldError(Message("say first whether to update this issue or to make a new one"), field="known")
        result = add_or_update_issue(store, review.request, config=config, now=now)
        # This also deletes the uploaded text.
        uploads.mark_created(store, upload.id, result.slug, now=now)
        return result
