"""Rank newsletter articles by appeal: how often an article is clicked compared with an average one at its position.

`rank` returns the ranking. `explain` returns the factors whose product is the appeal of an article. `compare` compares
two issues an equal number of hours after sending. `suggest_reruns` returns articles to show again at another position.

The package uses no database, no web framework and no clock. The method is in docs/ranking.md.
"""

from shortener.ranking.comparison import ComparedIssue, Comparison, compare
from shortener.ranking.counted import CountedArticle, count_articles
from shortener.ranking.explanation import ExplainedAppearance, Explanation, Factor, explain
from shortener.ranking.inputs import Appearance, Arrival, Counted, History, Issue, Placement, Signal
from shortener.ranking.pipeline import Arrivals, estimate_arrivals
from shortener.ranking.rank import rank
from shortener.ranking.reruns import Rerun, suggest_reruns
from shortener.ranking.result import IssueProgress, RankedArticle, Ranking
from shortener.ranking.selection import ArticleFilter
from shortener.ranking.signals import Blend

__all__ = [
    "Appearance",
    "Arrival",
    "Arrivals",
    "ArticleFilter",
    "Blend",
    "ComparedIssue",
    "Comparison",
    "Counted",
    "CountedArticle",
    "ExplainedAppearance",
    "Explanation",
    "Factor",
    "History",
    "Issue",
    "IssueProgress",
    "Placement",
    "RankedArticle",
    "Ranking",
    "Rerun",
    "Signal",
    "compare",
    "count_articles",
    "estimate_arrivals",
    "explain",
    "rank",
    "suggest_reruns",
]
