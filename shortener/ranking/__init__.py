"""Rank newsletter articles by appeal: clicks corrected for position, issue, placements and chance.

The package is pure: it uses no database, no web framework and no clock. `rank` returns the list, `explain`
the factors behind the figures of one article, and `compare` the comparison of two issues at equal age. The method is
described in docs/ranking.md.
"""

from shortener.ranking.comparison import ComparedIssue, Comparison, compare
from shortener.ranking.explanation import ExplainedAppearance, Explanation, Factor, explain
from shortener.ranking.inputs import Appearance, Arrival, Counted, History, Issue, Placement, Signal
from shortener.ranking.rank import rank
from shortener.ranking.result import IssueProgress, RankedArticle, Ranking
from shortener.ranking.signals import Blend

__all__ = [
    "Appearance",
    "Arrival",
    "Blend",
    "ComparedIssue",
    "Comparison",
    "Counted",
    "ExplainedAppearance",
    "Explanation",
    "Factor",
    "History",
    "Issue",
    "IssueProgress",
    "Placement",
    "RankedArticle",
    "Ranking",
    "Signal",
    "compare",
    "explain",
    "rank",
]
