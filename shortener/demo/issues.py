"""The six sample issues of the demonstration: five earlier ones made from `earlier_issues.toml`, and `issue.md`."""

import tomllib
from importlib.resources import files

import msgspec
from msgspec import Struct

ARTICLE_URL = "https://example.org/articles/"
LATEST_NUMBER = 46
LATEST_RECIPIENTS = 3_000
LATEST_CLICK_RATE = 0.156
LATEST_APPEALS = {
    "counting-whales-by-ear": 1.0,
    "a-cheaper-sieve": 0.7,
    "the-tide-table-that-learned": 3.0,
    "reading-ships-logs": 0.8,
    "honest-maps-of-gaps": 1.0,
    "what-floats-forget": 2.5,
    "seagrass-from-space": 2.8,
    "field-notebooks-that-survive": 2.7,
}
"""Appeal of each article of `issue.md`. Some appealing articles are far down, so that ranking and clicks differ."""
ISSUE_TEMPLATE = """\
# {title}

*If this mail does not look right, [read it in your browser](https://example.org/low-tide/issues/{number}).*

## The editors' picks

{articles}---

You can [subscribe](https://example.org/low-tide/subscribe) yourself; our [archive](https://example.org/low-tide/archive)
goes back to 2019. [Unsubscribe](*|UNSUB|*)
"""
ARTICLE_TEMPLATE = """\
[![](images/{path}.jpg)]({url})

### [{title}]({url}) by {author}

{text}

[**Read more**]({url})

"""


class SampleIssue(Struct, frozen=True):
    """A sample issue, with the numbers from which its clicks are simulated."""

    slug: str
    source: bytes
    recipients: int
    click_rate: float
    """Share (0 to 1) of the recipients who click."""
    appeals: dict[str, float]
    """How much each article attracts readers, by its URL, as a multiple of the average article."""


class _Article(Struct, frozen=True):
    path: str
    title: str
    author: str
    text: str
    appeal: float


class _EarlierIssue(Struct, frozen=True):
    number: int
    title: str
    recipients: int
    click_rate: float
    articles: tuple[_Article, ...]


class _EarlierIssues(Struct, frozen=True):
    issue: tuple[_EarlierIssue, ...]


def sample_issues() -> list[SampleIssue]:
    """Return the six sample issues, the oldest first."""
    text = files("shortener.demo").joinpath("earlier_issues.toml").read_text("utf-8")
    earlier = msgspec.convert(tomllib.loads(text), _EarlierIssues).issue
    return [*(_from_table(issue) for issue in earlier), _latest_issue()]


def _from_table(issue: _EarlierIssue) -> SampleIssue:
    articles = "".join(
        ARTICLE_TEMPLATE.format(
            path=article.path,
            url=ARTICLE_URL + article.path,
            title=article.title,
            author=article.author,
            text=article.text,
        )
        for article in issue.articles
    )
    return SampleIssue(
        slug=_slug(issue.number),
        source=ISSUE_TEMPLATE.format(title=issue.title, number=issue.number, articles=articles).encode(),
        recipients=issue.recipients,
        click_rate=issue.click_rate,
        appeals={ARTICLE_URL + article.path: article.appeal for article in issue.articles},
    )


def _latest_issue() -> SampleIssue:
    return SampleIssue(
        slug=_slug(LATEST_NUMBER),
        source=files("shortener.demo").joinpath("issue.md").read_bytes(),
        recipients=LATEST_RECIPIENTS,
        click_rate=LATEST_CLICK_RATE,
        appeals={ARTICLE_URL + path: appeal for path, appeal in LATEST_APPEALS.items()},
    )


def _slug(number: int) -> str:
    return f"low-tide-{number}"
