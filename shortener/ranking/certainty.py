"""How certain a ranking is, for each article and as a whole."""

from collections.abc import Sequence
from statistics import median
from typing import Literal

from shortener.ranking.rank import METHOD
from shortener.ranking.result import RankedArticle, Ranking

Group = Literal["winner", "typical", "below"]
"""Where the 90 % interval of an article's appeal lies: above 1 (the average), around it, or below it."""
ComparedGroup = Group | Literal["unknown"]
"""A `Group`, or "unknown" for an article that has too few clicks to be compared with an average one."""
Confidence = Literal["good", "fair", "low"]

GOOD_WIDTH, FAIR_WIDTH = 2.5, 4.0  # for example the intervals 0.63 to 1.6, and 0.5 to 2
"""Largest `interval_width` of a ranking with good confidence, and of one with fair confidence."""


def certainty_group(low: float, high: float) -> Group:
    """Return "winner" for an interval above 1 (the average), "below" for an interval below 1, otherwise "typical"."""
    # The interval is the 90 % interval of an article's appeal (docs/ranking.md section 10).
    return "winner" if low > 1 else "below" if high < 1 else "typical"


def article_group(article: RankedArticle) -> ComparedGroup:
    """Return whether an article is better than the average ("winner"), worse ("below") or neither ("typical").

    With too few clicks, return "unknown".
    """
    return certainty_group(article.low, article.high) if article.is_comparable else "unknown"


def interval_width(articles: Sequence[RankedArticle]) -> float:
    """Return the median of `high / low` over all articles: how wide their 90 % intervals are."""
    return median(article.high / article.low for article in articles) if articles else 1.0


def confidence(ranking: Ranking) -> Confidence:
    """Return how far a ranking can be trusted: "good", "fair" or "low" (docs/ranking.md section 10)."""
    width = interval_width(ranking.articles)
    if ranking.method != METHOD or width > FAIR_WIDTH:
        return "low"
    return "good" if width <= GOOD_WIDTH and not ranking.warnings else "fair"
