"""The ranking as a value: pages, commands and files print this object, and its fields are the JSON keys."""

from typing import TypeVar

from msgspec import Struct

from shortener.ranking.inputs import Counted

_Number = TypeVar("_Number", int, float)


def split_count(count: _Number, counted: Counted) -> tuple[_Number | None, _Number | None]:
    """Return (visitors, clicks): the count in the field that `counted` names, and None in the other."""
    return (count, None) if counted == "visitors" else (None, count)


class RankedArticle(Struct, frozen=True):
    """One article of the list.

    `appeal` is the shrunken multiple of the average article, with the 90 % interval `low` to `high`. `p_top` is
    the probability of belonging to the published top k, `gem` the article's number among the hidden gems.
    `visitors` or `clicks`, whichever the ranking counted, is the sum over the `shown` appearances of the article,
    and the other one is None. `expected` is the sum that an average article would have had in them. `issue` and
    `position` are those of the last appearance, or of the issue that was asked for.
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


class IssueProgress(Struct, frozen=True):
    """An issue of the fit at the time of the ranking.

    `hours` is its age since sending. `visitors` or `clicks`, as the issue's own `counted` names it, is the sum over
    its articles, and the other one is None. `to_come` is the share of them that is still expected.
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
    """All listed articles in order; the first `top` are the published list. `as_of` is ISO 8601 in UTC.

    Each issue counts its visitors or, if too few are known, its clicks: `issues[].counted`. The `counted` of the
    whole is "visitors" if every issue in which a listed article appeared counts visitors, otherwise "clicks". In
    a mixed list "clicks" may therefore include the visitors of some issues; a warning names the other ones.
    `issues` are all those of the fit, also without a listed article. Without articles `counted` covers all sent
    issues.
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
