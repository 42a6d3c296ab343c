"""Rank newsletter articles by how often readers click them, compared with an average article at the same position.

The method is in docs/ranking.md.
"""

import os

# More threads of numpy's matrix library take more processor time and are not faster: the matrices are small.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

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
