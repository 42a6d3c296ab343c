"""Checks of an issue before it is sent. Each check names a problem and the places to fix."""

from collections.abc import Iterator, Sequence
from typing import Literal
from urllib.parse import urlsplit

from msgspec import Struct

from shortener.homographs import homograph_warning
from shortener.messages import Message
from shortener.reporting.issue_contents import ArticleContents, IssueContents

Level = Literal["good", "warn", "bad"]
"""Result of a check: ``good`` (nothing to do), ``warn`` (worth a look) or ``bad`` (to be fixed)."""

THIRD_PARTY_SHORTENERS = frozenset(
    (
        "amzn.to",
        "bit.ly",
        "buff.ly",
        "cutt.ly",
        "dlvr.it",
        "fb.me",
        "goo.gl",
        "hubs.ly",
        "ift.tt",
        "is.gd",
        "lnkd.in",
        "mailchi.mp",
        "ow.ly",
        "rb.gy",
        "rebrand.ly",
        "s.id",
        "shorturl.at",
        "t.co",
        "t.ly",
        "tiny.cc",
        "tinyurl.com",
        "trib.al",
        "v.gd",
        "youtu.be",
    )
)
"""Hosts of well-known URL shorteners. A click through one of them is also tracked by that service."""


class Check(Struct, frozen=True):
    """Result of one check of an issue."""

    level: Level
    name: str
    words: str
    """A sentence for editors."""
    items: tuple[str, ...] = ()
    """The places to fix."""


def build_checklist(issue: IssueContents) -> tuple[Check, ...]:
    """Return the results of all checks of an issue.

    The checks use stored data only; no request is sent to a link's target.
    """
    return (
        *_check_details(issue),
        _check_articles(issue.articles),
        _check_targets(issue),
        _check_codes(issue.articles),
        *_check_titles(issue.articles),
        *_check_hosts(issue),
    )


def _check_details(issue: IssueContents) -> Iterator[Check]:
    if issue.recipients is None:
        yield Check("warn", "recipients", Message("The number of recipients is missing, so there is no click rate."))
    if issue.sent_at is None:
        yield Check("warn", "sent", Message("No sending time is set. Until then the chart starts at the first click."))


def _check_articles(articles: Sequence[ArticleContents]) -> Check:
    if not articles:
        return Check(
            "bad", "articles", Message("No link is marked as an article. Set a position below for each article.")
        )
    words = Message.plural(
        "{count} article has a position and will be ranked.",
        "{count} articles have a position and will be ranked.",
        len(articles),
    )
    return Check("good", "articles", words)


def _check_targets(issue: IssueContents) -> Check:
    if issue.todo:
        words = Message("These short links have no destination yet. Readers would see an error page:")
        return Check("bad", "targets", words, issue.todo)
    return Check(
        "good",
        "targets",
        Message.plural(
            "The {count} short link has a destination.", "All {count} short links have a destination.", len(issue.links)
        ),
    )


def _check_codes(articles: Sequence[ArticleContents]) -> Check:
    repeated = tuple(
        f"{article.title or article.url}: {', '.join(link.short_url for link in article.links)}"
        for article in articles
        if len(article.links) > 1
    )
    if repeated:
        words = Message("These articles have more than one short link. Their clicks are added up:")
        return Check("warn", "codes", words, repeated)
    return Check("good", "codes", Message("No article has more than one short link."))


def _check_titles(articles: Sequence[ArticleContents]) -> Iterator[Check]:
    untitled = tuple(article.url for article in articles if not article.title)
    if untitled:
        yield Check(
            "warn", "titles", Message("These articles have no title. Reports show their web address instead:"), untitled
        )
    elif articles:
        yield Check("good", "titles", Message("Every article has a title."))


def _check_hosts(issue: IssueContents) -> Iterator[Check]:
    targets = sorted({link.target for link in issue.links if link.target})
    third_party = tuple(url for url in targets if _host(url) in THIRD_PARTY_SHORTENERS)
    if third_party:
        words = Message("These destinations are short links of other services. Link to the page itself if you can:")
        yield Check("warn", "foreign", words, third_party)
    warnings = tuple(warning for url in targets if (warning := homograph_warning(url)))
    if warnings:
        yield Check("warn", "doubtful", Message("These hosts look like other hosts:"), warnings)
    insecure = tuple(url for url in targets if url.startswith("http://"))
    if insecure:
        yield Check(
            "warn",
            "plain",
            Message("These destinations are not encrypted (http). Most browsers warn about it:"),
            insecure,
        )


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").removeprefix("www.")
