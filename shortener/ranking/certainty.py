"""How certain a ranking is: whether each article is better than the average, and how far to trust the whole ranking.

The main measure is the 90 % interval of an article's appeal.
"""

from collections.abc import Sequence
from statistics import median
from typing import Literal

from shortener.ranking.rank import METHOD
from shortener.ranking.result import RankedArticle, Ranking

Group = Literal["winner", "typical", "below"]
"""Where the 90 % interval of an article's appeal lies: above 1 ("winner"), around 1 ("typical") or below 1 ("below").

An average article has appeal 1.
"""
ComparedGroup = Group | Literal["unknown"]
"""A `Group`, or "unknown" for an article that has too few clicks to be compared with an average one."""
Confidence = Literal["good", "fair", "low"]

GOOD_WIDTH, FAIR_WIDTH = 2.5, 4.0
"""Largest `interval_width` of a ranking with good confidence, and of one with fair confidence.

An interval of width 2.5 is, for example, 0.63 to 1.6; one of width 4 is 0.5 to 2.
"""


def certainty_group(low: float, high: float) -> Group:
    """Return the group of an article from the 90 % interval of its appeal, `low` to `high`.

    The group is "winner" if `low` is above 1, which is the appeal of an average article. It is "below" if `high` is
    below 1, and otherwise "typical" (docs/ranking.md section 10).
    """
    return "winner" if low > 1 else "below" if high < 1 else "typical"


def article_group(article: RankedArticle) -> ComparedGroup:
    """Return whether an article is better than the average ("winner"), worse ("below") or neither ("typical").

    It is better if the whole 90 % interval of its appeal is above 1, the appeal of an average article. It is worse if
    the whole interval is below 1. The result is "unknown" if the article has too few clicks for a comparison.
    """
    return certainty_group(article.low, article.high) if article.is_comparable else "unknown"


def interval_width(articles: Sequence[RankedArticle]) -> float:
    """Return how wide the 90 % intervals of appeal are: the median of `high / low` over all articles.

    The result is 1 if there are no articles.
    """
    return median(article.high / article.low for article in articles) if articles else 1.0


def confidence(ranking: Ranking) -> Confidence:
    """Return how far a ranking can be trusted: "good", "fair" or "low" (docs/ranking.md section 10).

    It is "low" if the intervals of appeal are wide or the model could not be fitted. It is "good" if the intervals are
    narrow and the ranking has no warnings.
    """
    width = interval_width(ranking.articles)
    if ranking.method != METHOD or width > FAIR_WIDTH:
        return "low"
    return "good" if width <= GOOD_WIDTH and not ranking.warnings else "fair"
