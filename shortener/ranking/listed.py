"""The observations of the listed articles. The caveats, and some checks of the model, use only these."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from shortener.ranking.inputs import Issue
from shortener.ranking.observations import FloatArray, Observations


class ListedPart(Struct, frozen=True, eq=False):
    """The listed articles of a ranking, and a mask that selects their cells from all observations."""

    observations: Observations
    articles: tuple[int, ...]
    """Indices of the articles."""
    cells: npt.NDArray[np.bool_]
    """For each cell (one article in one issue), whether its article is listed."""
    has_gems: bool
    """Whether hidden gems (good articles that few readers saw) are shown."""

    @property
    def issue_indices(self) -> tuple[int, ...]:
        """Indices of the issues that contain a listed article, oldest first."""
        return tuple(np.unique(self.observations.issue_index[self.cells]).tolist())

    @property
    def issues(self) -> tuple[Issue, ...]:
        """The issues that contain a listed article, oldest first."""
        return tuple(self.observations.issues[n] for n in self.issue_indices)

    @property
    def positions(self) -> FloatArray:
        """The positions of the listed articles in all issues that contain them; nan if unknown."""
        return self.observations.positions[self.cells]


def listed_part(observations: Observations, articles: Sequence[int], *, has_gems: bool) -> ListedPart:
    """Return a `ListedPart` for the articles with the indices `articles`."""
    cells = np.isin(observations.article_index, np.array(articles, dtype=np.intp))
    return ListedPart(observations, tuple(articles), cells, has_gems)
