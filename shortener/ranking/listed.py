"""The part of the model's data that belongs to the listed articles; caveats and checks concern this part only."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from shortener.ranking.inputs import Issue
from shortener.ranking.observations import FloatArray, Observations


class ListedPart(Struct, frozen=True, eq=False):
    """The listed articles (indices) and the mask `cells` of their cells; `has_gems` says whether gems are shown."""

    observations: Observations
    articles: tuple[int, ...]
    cells: npt.NDArray[np.bool_]
    has_gems: bool

    @property
    def issue_indices(self) -> tuple[int, ...]:
        """The issues that contain a listed article, oldest first."""
        return tuple(np.unique(self.observations.issue_index[self.cells]).tolist())

    @property
    def issues(self) -> tuple[Issue, ...]:
        """The issues that contain a listed article, oldest first."""
        return tuple(self.observations.issues[n] for n in self.issue_indices)

    @property
    def positions(self) -> FloatArray:
        """The positions of the listed articles in their cells; nan if unknown."""
        return self.observations.positions[self.cells]


def listed_part(observations: Observations, articles: Sequence[int], *, has_gems: bool) -> ListedPart:
    """Return the part of the data that belongs to the articles with these indices."""
    cells = np.isin(observations.article_index, np.array(articles, dtype=np.intp))
    return ListedPart(observations, tuple(articles), cells, has_gems)
