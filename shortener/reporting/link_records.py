"""Short links as pages, commands and the API show them: details, status and, if requested, click counts."""

from datetime import datetime

from msgspec import UNSET, Struct, UnsetType

from shortener.config import Config
from shortener.reporting.counts import to_datetime, to_datetime_or_none
from shortener.reporting.link_report import link_status
from shortener.short_urls import build_short_url, parse_short_url
from shortener.store.listings import LinkDetails

MAX_SEARCH_WORDS, MAX_SEARCH_LENGTH = 6, 200
"""Limits of a search text in words and in characters. The rest is ignored."""


class LinkRecord(Struct, frozen=True, kw_only=True):
    """A short link, with its click counts if requested."""

    short_url: str
    domain: str
    code: str
    target: str | None
    title: str
    issue: str | None
    """Slug."""
    article: str | None
    """URL of the link's article."""
    position: int | None
    """Position of the article in the issue."""
    status: str
    """active, todo (without a target), expired or retired."""
    clicks: int | UnsetType = UNSET
    """Human clicks."""
    visitors: int | UnsetType | None = UNSET
    """None if too few clicks have a visitor hash."""
    forward: str | None
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime


def build_link_record(
    row: LinkDetails,
    *,
    config: Config,
    now: int,
    with_counts: bool = True,  # whether to add the numbers of clicks and visitors
) -> LinkRecord:
    """Return what pages, commands and the API show of a link.

    The status is given for the time ``now`` (seconds of the UTC epoch).
    """
    return LinkRecord(
        short_url=build_short_url(row.domain, row.code, domains=config.domains),
        domain=row.domain,
        code=row.code,
        target=row.target,
        title=row.title,
        issue=row.issue,
        article=row.article,
        position=row.position,
        status=link_status(row.status, expires_at=row.expires_at, target=row.target, now=now),
        clicks=row.clicks if with_counts else UNSET,
        visitors=row.visitors if with_counts else UNSET,
        forward=row.forward,
        expires_at=to_datetime_or_none(row.expires_at),
        created_at=to_datetime(row.created_at),
        updated_at=to_datetime(row.updated_at),
    )


def search_text(text: str, *, config: Config) -> str:
    """Return the text to search for: the code if ``text`` is a short URL, otherwise ``text`` without outer spaces."""
    text = text.replace("\0", "").strip()[:MAX_SEARCH_LENGTH]
    key = parse_short_url(text, domains=config.domains) if "/" in text else None
    return key[1] if key else text


def search_words(text: str) -> tuple[str, ...]:
    """Return the words of a search text. A link is found if it contains all of them."""
    return tuple(text.split()[:MAX_SEARCH_WORDS])
