"""The result of ranking articles, as pages, commands and files show it. Its field names are the keys in JSON."""

from typing import TypeVar

from msgspec import Struct

from shortener.ranking.inputs import Counted

_Number = TypeVar("_Number", int, float)

MIN_COUNT = 5
"""An article is comparable if its count or its expected count is at least this: the usual minimum of an expected count
(W. G. Cochran, Biometrics 10, 1954, p. 420).
"""


def is_comparable(count: float | None, expected: float) -> bool:
    """Return whether an article's count or its expected count is large enough to compare the two."""
    # Of smaller counts the appeal is close to its prior, which is no finding (docs/ranking.md section 10).
    return max(count or 0, expected) >= MIN_COUNT


def split_count(count: _Number, counted: Counted) -> tuple[_Number | None, _Number | None]:
    """Return (visitors, clicks): (`count`, None) if `counted` is "visitors", else (None, `count`)."""
    return (count, None) if counted == "visitors" else (None, count)


class RankedArticle(Struct, frozen=True):
    """One article of the list.

    `appeal` is a multiple of the average article, shrunk towards 1 if there are few clicks. `low` to `high` is the 90 %
    interval of `appeal`. `p_top` is the probability of belonging to the top list. `gem` is the article's number among
    the hidden gems (good articles that few readers saw), or None.

    `shown` is the number of issues in which the article appeared. `visitors` or `clicks` is the article's count in
    these issues; the other of the two is None. `expected` is the count of an average article at the same positions.
    `issue` and `position` are those of the article's last appearance. In a ranking of one issue, `issue`, `position`
    and the counts are those of the ranked issue.
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
    otherwise the reverse. `to_come` is the share (0 to 1) of its clicks that is still expected.
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
    """All listed articles in order; the first `top` of them are the top list.

    `as_of` is the time of the ranking, as ISO 8601 in UTC. `issues` are all issues that the model was fitted to, also
    those without a listed article.

    `counted` is the unit of the articles' counts: "visitors" if visitors are known for every issue with a listed
    article, else "clicks". An article's `expected` is a sum over issues, each in the issue's own unit
    (`IssueProgress.counted`). If these units differ, a warning names the issues that are counted in clicks.
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
        """Return whether articles are listed."""
        return bool(self.articles)
