"""Fair ranking: counts in, an ordered list of articles out, with how sure we are and what was hidden.

Pure: no store, no web, no clock. ``rank`` is the list, ``explain`` one article of it, ``compare`` two issues
at the same age, and ``picks`` (in its own module) the next issue's section.
"""

from shortener.ranking.comparison import ComparedIssue, Comparison, compare
from shortener.ranking.explanation import ExplainedAppearance, Explanation, Factor, explain
from shortener.ranking.inputs import Appearance, Arrival, History, Issue, Placement, Signal
from shortener.ranking.rank import rank
from shortener.ranking.result import IssueProgress, RankedArticle, Ranking
from shortener.ranking.signals import Blend

__all__ = [
    "Appearance",
    "Arrival",
    "Blend",
    "ComparedIssue",
    "Comparison",
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
