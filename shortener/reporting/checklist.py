"""What an editor should look at before an issue is sent: each check says what was found and how to mend it."""

from collections.abc import Iterator, Sequence
from typing import Literal
from urllib.parse import urlsplit

from msgspec import Struct

from shortener.reporting.issue_contents import ArticleContents, IssueContents
from shortener.urls import homograph_warning

Level = Literal["good", "warn", "bad"]

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
"""Well-known hosts of short links: a click through one of them is counted by somebody else as well."""


class Check(Struct, frozen=True):
    """One thing that was looked at; ``items`` are the places where it is not as it should be."""

    level: Level
    name: str
    words: str
    items: tuple[str, ...] = ()


def build_checklist(issue: IssueContents) -> tuple[Check, ...]:
    """Look an issue over, without asking any other machine."""
    articles = [article for article in issue.articles if article.position is not None]
    return (
        *_check_details(issue),
        _check_articles(articles),
        _check_targets(issue),
        _check_codes(issue),
        *_check_titles(articles),
        *_check_hosts(issue),
    )


def _check_details(issue: IssueContents) -> Iterator[Check]:
    if issue.recipients is None:
        yield Check("warn", "recipients", "Nobody wrote down how many recipients there are: rates need it.")
    if issue.sent_at is None:
        yield Check(
            "warn", "sent", "There is no time of sending yet: the curve begins at the first click until then."
        )


def _check_articles(articles: Sequence[ArticleContents]) -> Check:
    if articles:
        return Check("good", "articles", f"{len(articles)} articles have a place to be ranked at.")
    return Check(
        "bad", "articles", "No link was taken for an article: give those that are one a place below."
    )


def _check_targets(issue: IssueContents) -> Check:
    if issue.todo:
        words = "These short links lead nowhere yet; readers would see an error page:"
        return Check("bad", "targets", words, issue.todo)
    return Check("good", "targets", f"All {len(issue.links)} short links lead somewhere.")


def _check_codes(issue: IssueContents) -> Check:
    double = tuple(
        f"{article.title or article.url}: {', '.join(link.short_url for link in article.links)}"
        for article in issue.articles
        if len(article.links) > 1
    )
    if double:
        words = "These articles have more than one short link; their clicks are added up:"
        return Check("warn", "codes", words, double)
    return Check("good", "codes", "No article has two short links.")


def _check_titles(articles: Sequence[ArticleContents]) -> Iterator[Check]:
    untitled = tuple(article.url for article in articles if not article.title)
    if untitled:
        yield Check(
            "warn", "titles", "These articles have no title yet; reports show their address:", untitled
        )
    elif articles:
        yield Check("good", "titles", "Every article has a title.")


def _check_hosts(issue: IssueContents) -> Iterator[Check]:
    targets = sorted({link.target for link in issue.links if link.target})
    foreign = tuple(url for url in targets if _host(url) in THIRD_PARTY_SHORTENERS)
    if foreign:
        words = "These targets are short links of others; lead readers straight to the page if you can:"
        yield Check("warn", "foreign", words, foreign)
    doubtful = tuple(warning for url in targets if (warning := homograph_warning(url)))
    if doubtful:
        yield Check(
            "warn", "doubtful", "These hosts are written so that they can be taken for others:", doubtful
        )
    plain = tuple(url for url in targets if url.startswith("http://"))
    if plain:
        yield Check("warn", "plain", "These targets are plain http; most browsers warn about that:", plain)


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").removeprefix("www.")
