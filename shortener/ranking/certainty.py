"""How sure a ranking is: groups of articles by their 90 % intervals, and the confidence of the whole list."""

from collections.abc import Sequence
from statistics import median
from typing import Literal

from shortener.ranking.rank import METHOD
from shortener.ranking.result import RankedArticle, Ranking

Group = Literal["winner", "typical", "below"]
"""An article whose whole 90 % interval is above 1, around 1, or below 1."""
ComparedGroup = Group | Literal["unknown"]
"""The group of an article, or "unknown" if it is not comparable."""
Confidence = Literal["good", "fair", "low"]

GOOD_WIDTH, FAIR_WIDTH = 2.5, 4.0
"""Largest median quotient of an interval's ends: from 0.63 to 1.6 times typical, and from a half to twice."""


def certainty_group(low: float, high: float) -> Group:
    """Return the group of an article from the 90 % interval of its appeal, `low` to `high`.

    The group is "winner" if `low` is above 1, which is the appeal of an average article. It is "below" if `high` is
    below 1, and otherwise "typical" (docs/ranking.md section 10).
    """
    return "winner" if low > 1 else "below" if high < 1 else "typical"


def article_group(article: RankedArticle) -> ComparedGroup:
    """Return the group of an article in a ranking; "unknown" if its counts are too small to compare it."""
    return certainty_group(article.low, article.high) if article.is_comparable else "unknown"


def interval_width(articles: Sequence[RankedArticle]) -> float:
    """Return how wide the 90 % intervals are: the median of `high / low` over all articles, 1 without articles."""
    return median(article.high / article.low for article in articles) if articles else 1.0


def confidence(ranking: Ranking) -> Confidence:
    """Return the confidence of a ranking: good, fair or low (docs/ranking.md section 10)."""
    width = interval_width(ranking.articles)
    if ranking.method != METHOD or width > FAIR_WIDTH:
        return "low"
    return "good" if width <= GOOD_WIDTH and not ranking.warnings else "fair"
