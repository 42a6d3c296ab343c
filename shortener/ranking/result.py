"""The result of ranking articles, as pages, commands and files show it. Its field names are the keys in JSON."""

from typing import TypeVar

from msgspec import Struct

from shortener.ranking.inputs import Counted

_Number = TypeVar("_Number", int, float)

MIN_COUNT = 5
"""Smallest count with which an article is compared with an average one: the usual minimum of an expected count.

Its own count, or that of an average article in its place, must reach this number (W. G. Cochran, Biometrics 10, 1954,
p. 420).
"""


def is_comparable(count: float | None, expected: float) -> bool:
    """Return whether an article has enough clicks or visitors to be compared with an average article in its place.

    `count` is its own count, and `expected` is that of the average article. One of them must be at least `MIN_COUNT`.
    """
    # Of smaller counts the appeal is close to its prior, which is no finding (docs/ranking.md section 10).
    return max(count or 0, expected) >= MIN_COUNT


def split_count(count: _Number, counted: Counted) -> tuple[_Number | None, _Number | None]:
    """Return (visitors, clicks): (`count`, None) if `counted` is "visitors", else (None, `count`)."""
    return (count, None) if counted == "visitors" else (None, count)


class RankedArticle(Struct, frozen=True):
    """One article of a ranking.

    `appeal` says how often it is clicked, as a multiple of an average article in its place. If there are few clicks,
    the estimate is shrunk towards 1. `low` to `high` is the 90 % interval of `appeal`. `score` is the log of `appeal`.
    `p_top` is the probability of belonging to the top list. `gem` is the article's number among the hidden gems (good
    articles that few readers saw), or None.

    `shown` is the number of issues in which the article appeared. `visitors` or `clicks` is the article's count in
    these issues; the other of the two is None. `expected` is the count that an average article would have had in its
    place. `issue` and `position` are those of the article's last appearance. In a ranking of one issue, `issue`,
    `position` and the counts are those of the ranked issue.
    """

    rank: int
    url: str
    title: str
    issue: str
    position: int | None
    visitors: int | None
    clicks: int | None
    expected: float
    appeal: float
    low: float
    high: float
    p_top: float
    gem: int | None
    note: str
    shown: int
    score: float
    views: int | None
    read_ratio: float | None
    fan_ratio: float | None
    blend: float | None

    @property
    def is_comparable(self) -> bool:
        """Whether the article has enough visitors, or clicks, to be compared with an average one."""
        return is_comparable(self.clicks if self.visitors is None else self.visitors, self.expected)


class IssueProgress(Struct, frozen=True):
    """An issue that was used for the ranking, with its figures at the time of the ranking.

    `hours` is its age since sending. If `counted` is "visitors", its count is in `visitors`, and `clicks` is None;
    otherwise the reverse. `to_come` is the estimated share (0 to 1) of its clicks that have not arrived yet.
    """

    slug: str
    title: str
    hours: float
    recipients: int | None
    counted: Counted
    visitors: int | None
    clicks: int | None
    to_come: float


class Ranking(Struct, frozen=True):
    """The articles of a ranking, in order; the first `top` of them are the top list.

    `as_of` is the time of the ranking, as ISO 8601 in UTC. `issues` are all issues from which the ranking was computed.
    Some of them may contain none of its articles.

    `counted` is the unit of the articles' own counts. It is "visitors" if visitors are known for every issue that
    contains one of the articles, else "clicks". The count of an average article, `RankedArticle.expected`, is a
    sum over issues, and each term has the unit of its issue (`IssueProgress.counted`). If these units differ, a warning
    names the issues that are counted in clicks.
    """

    as_of: str
    month: str | None
    method: str
    counted: Counted
    articles: tuple[RankedArticle, ...]
    gems: tuple[str, ...]
    footer: str
    warnings: tuple[str, ...]
    loved_by_few: tuple[str, ...]
    top: int
    issue: str | None
    issues: tuple[IssueProgress, ...]

    def __bool__(self) -> bool:
        """Return whether the ranking has any articles."""
        return bool(self.articles)
