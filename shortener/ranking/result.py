"""The ranking as a value: what page, command and file print is this object and nothing else."""

from msgspec import Struct


class RankedArticle(Struct, frozen=True):
    """One article of the list. ``appeal`` is the shrunken multiple of the average article, ``low`` and
    ``high`` its 90 % interval, ``p_top`` the chance of the published top k, ``gem`` its number among the
    hidden gems.

    ``clicks`` and ``expected`` are sums over all its ``shown`` showings; ``expected`` is what an average
    article would have had at the same places. ``issue`` and ``position`` are its last, or those of the
    issue asked for.
    """

    rank: int
    url: str
    title: str
    issue: str
    position: int | None
    clicks: int
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
    """How far an issue has come: ``hours`` since sending, and the share of its clicks still ``to_come``."""

    slug: str
    title: str
    hours: float
    recipients: int | None
    clicks: int
    to_come: float


class Ranking(Struct, frozen=True):
    """All listed articles in order; the first ``top`` are the published list. ``as_of`` is ISO 8601, UTC."""

    as_of: str
    month: str | None
    method: str
    articles: tuple[RankedArticle, ...]
    gems: tuple[str, ...]
    footer: str
    warnings: tuple[str, ...]
    loved_by_few: tuple[str, ...]
    top: int
    issue: str | None
    issues: tuple[IssueProgress, ...]
