"""The articles that a ranking shows, among all articles to which its model is fitted."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from shortener.ranking.inputs import Issue
from shortener.ranking.observations import FloatArray, Observations


class ListedPart(Struct, frozen=True, eq=False):
    """The articles that a ranking shows, and a mask that selects their data."""

    observations: Observations
    """The data of all articles to which the model is fitted, also of those that the ranking does not show."""
    articles: tuple[int, ...]
    """Indices of the articles that the ranking shows."""
    cells: npt.NDArray[np.bool_]
    """For each entry of `observations` (one article in one issue), whether the ranking shows the article."""
    has_gems: bool
    """Whether hidden gems (good articles that few readers saw) are shown."""

    @property
    def issue_indices(self) -> tuple[int, ...]:
        """Indices of the issues with an article that the ranking shows, oldest first."""
        return tuple(np.unique(self.observations.issue_index[self.cells]).tolist())

    @property
    def issues(self) -> tuple[Issue, ...]:
        """The issues with an article that the ranking shows, oldest first."""
        return tuple(self.observations.issues[n] for n in self.issue_indices)

    @property
    def positions(self) -> FloatArray:
        """The positions of the articles that the ranking shows, in each issue that contains them; nan if unknown."""
        return self.observations.positions[self.cells]


def listed_part(
    observations: Observations,
    articles: Sequence[int],  # indices of the articles that the ranking shows
    *,
    has_gems: bool,  # whether it also shows hidden gems (good articles that few readers saw)
) -> ListedPart:
    """Return the articles that a ranking shows, with a mask that selects their data in `observations`."""
    cells = np.isin(observations.article_index, np.array(articles, dtype=np.intp))
    return ListedPart(observations, tuple(articles), cells, has_gems)
