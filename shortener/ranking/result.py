"""The result of ranking articles, as pages, commands and files show it. Its field names are the keys in JSON."""

from typing import TypeVar

from msgspec import Struct

from shortener.ranking.inputs import Counted

_Number = TypeVar("_Number", int, float)

MIN_COUNT = 5
"""Smallest count to compare an article with an average one (W. G. Cochran, Biometrics 10, 1954, p. 420)."""


def is_comparable(count: float | None, expected: float) -> bool:
    """Return whether an article has enough clicks or visitors to be compared with an average one."""
    # `expected` is the count of an average article. If both counts are smaller, the appeal is close to its prior, which
    # is no finding (docs/ranking.md section 10).
    return max(count or 0, expected) >= MIN_COUNT


def split_count(count: _Number, counted: Counted) -> tuple[_Number | None, _Number | None]:
    """Return (visitors, clicks): (`count`, None) if `counted` is "visitors", else (None, `count`)."""
    return (count, None) if counted == "visitors" else (None, count)


class RankedArticle(Struct, frozen=True):
    """One article of a ranking."""

    rank: int
    url: str
    title: str
    issue: str
    """Slug of the ranked issue, or of the last issue that contained the article."""
    position: int | None
    """Position of the article in `issue`."""
    visitors: int | None
    """Visitors in the ranked issue, or in all issues; None if clicks are counted."""
    clicks: int | None
    """Clicks in the ranked issue, or in all issues; None if visitors are counted."""
    expected: float
    """Count of an average article in its place, in the units of the issues (`IssueProgress.counted`)."""
    appeal: float
    """How often the article is clicked, as a multiple of an average one there; few clicks shrink it towards 1."""
    low: float
    """Lower end of the 90 % interval of `appeal`."""
    high: float
    """Upper end of the 90 % interval of `appeal`."""
    p_top: float
    """Probability (0 to 1) of belonging to the top list."""
    gem: int | None
    """Number among the hidden gems (good articles that few readers saw); None for other articles."""
    note: str
    shown: int
    """Number of issues in which the article appeared."""
    score: float
    """Logarithm of `appeal`."""
    views: int | None
    read_ratio: float | None
    fan_ratio: float | None
    blend: float | None

    @property
    def is_comparable(self) -> bool:
        """Whether the article has enough visitors, or clicks, to be compared with an average one."""
        return is_comparable(self.clicks if self.visitors is None else self.visitors, self.expected)


class IssueProgress(Struct, frozen=True):
    """An issue that was used for the ranking, with its figures at the time of the ranking."""

    slug: str
    title: str
    hours: float
    """Hours since sending."""
    recipients: int | None
    counted: Counted
    visitors: int | None
    """Number of visitors; None if clicks are counted."""
    clicks: int | None
    """Number of clicks; None if visitors are counted."""
    to_come: float
    """Estimated share (0 to 1) of the issue's clicks that have not arrived yet."""


class Ranking(Struct, frozen=True):
    """The articles of a ranking, in order."""

    as_of: str
    """Time of the ranking, as ISO 8601 in UTC."""
    month: str | None
    method: str
    counted: Counted
    """Visitors if they are known for every issue with one of the articles, else clicks."""
    articles: tuple[RankedArticle, ...]
    gems: tuple[str, ...]
    """URLs of the hidden gems (good articles that few readers saw)."""
    footer: str
    warnings: tuple[str, ...]
    """A warning names issues counted in clicks, if other issues count visitors."""
    loved_by_few: tuple[str, ...]
    """URLs of articles with few clicks that many of their readers applauded."""
    top: int
    """Number of articles in the top list, which are the first ones."""
    issue: str | None
    issues: tuple[IssueProgress, ...]
    """All issues from which the ranking was computed. Some may contain none of its articles."""

    def __bool__(self) -> bool:
        """Return whether the ranking has any articles."""
        return bool(self.articles)
