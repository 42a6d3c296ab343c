"""Fair ranking: counts in, an ordered list of articles out, with how sure we are and what was hidden.

Pure: no store, no web, no clock. ``rank`` is the list, ``explain`` one article of it, ``compare`` two issues
at the same age, and ``picks`` (in its own module) the next issue's section.
"""

from shortener.ranking.comparison import Comparison, Side, compare
from shortener.ranking.explanation import Cell, Explanation, Factor, explain
from shortener.ranking.inputs import Arrival, History, Issue, Placement, Showing, Signal
from shortener.ranking.rank import rank
from shortener.ranking.result import Progress, Ranked, Ranking
from shortener.ranking.signals import Blend

__all__ = [
    "Arrival",
    "Blend",
    "Cell",
    "Comparison",
    "Explanation",
    "Factor",
    "History",
    "Issue",
    "Placement",
    "Progress",
    "Ranked",
    "Ranking",
    "Showing",
    "Side",
    "Signal",
    "compare",
    "explain",
    "rank",
]
