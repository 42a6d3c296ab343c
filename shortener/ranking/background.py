"""The site, author and title words of articles as predictors of their clicks.

The method is in docs/ranking.md section 7.1.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import numpy as np
from msgspec import Struct

from shortener.ranking.observations import FloatArray

MIN_NAME_ARTICLES = 2
"""Smallest number of articles with which a site or an author has a column in the design matrix."""
MAX_NAMES = 40
"""Largest number of sites, and of authors, that have a column in the design matrix: the most frequent ones."""
MIN_WORD_TITLES = 4
"""Smallest number of titles that contain a word with a column in the design matrix."""
MAX_WORD_SHARE = 0.40
"""A word in this share of the titles, or more, has no column in the design matrix: it hardly distinguishes articles."""
MAX_WORDS = 100
"""Largest number of words that have a column in the design matrix: the most frequent ones."""
SITE_SD, AUTHOR_SD, WORD_SD = 0.15, 0.15, 0.05
"""Priors of the standard deviations for sites, authors and title words (s_h, s_a, s_w in docs/ranking.md section 6)."""
WORD_PATTERN = re.compile(r"(?:[^\W_]|[+#]){2,}")


class BackgroundGroup(Struct, frozen=True, eq=False):
    """The columns of the design matrix for one kind of predictor, for example a column for each site."""

    kind: str
    sd: float
    """Prior standard deviation of the coefficients. All coefficients of the group share one variance."""
    names: tuple[str, ...]
    """Name of each column, for example the site."""
    columns: FloatArray
    """Matrix (articles x names)."""


def build_background(
    urls: Sequence[str],
    *,
    titles: Mapping[str, str],  # by URL
    authors: Mapping[str, str],  # by URL
) -> tuple[BackgroundGroup, ...]:
    """Return columns of the design matrix for the sites, authors and title words that several articles share."""
    sites = _name_columns([site_of(url) for url in urls])
    writers = _name_columns([authors.get(url, "").strip().casefold() for url in urls])
    words = _word_columns([titles.get(url, "") for url in urls])
    groups = (
        BackgroundGroup("site", SITE_SD, *sites),
        BackgroundGroup("author", AUTHOR_SD, *writers),
        BackgroundGroup("word", WORD_SD, *words),
    )
    return tuple(group for group in groups if group.names)


def site_of(url: str) -> str:
    """Return the host of a URL without `www.`; '' if it has no host."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:  # such as an unfinished IPv6 address
        return ""
    return host.removeprefix("www.")


def title_words(title: str) -> set[str]:
    """Return the words of a title in lower case. A word has two or more letters, digits, `+` or `#`."""
    return set(WORD_PATTERN.findall(title.lower()))


def _name_columns(names: Sequence[str]) -> tuple[tuple[str, ...], FloatArray]:
    counts = Counter(name for name in names if name)
    frequent = _most_frequent(counts, minimum=MIN_NAME_ARTICLES, limit=MAX_NAMES)
    return frequent, _membership([{name} for name in names], frequent)


def _word_columns(titles: Sequence[str]) -> tuple[tuple[str, ...], FloatArray]:
    words = [title_words(title) for title in titles]
    titled = np.array([bool(title) for title in titles])
    counts = Counter(word for found in words for word in found)
    limit = MAX_WORD_SHARE * titled.sum()
    usable = Counter({word: count for word, count in counts.items() if count < limit})
    frequent = _most_frequent(usable, minimum=MIN_WORD_TITLES, limit=MAX_WORDS)
    columns = _membership(words, frequent)
    if titled.any():
        # The mean over all titles is subtracted; an article without a title gets 0.
        columns = np.where(titled[:, None], columns - columns[titled].mean(axis=0), 0.0)
    return frequent, columns


def _most_frequent(counts: Counter[str], *, minimum: int, limit: int) -> tuple[str, ...]:
    names = sorted((name for name, count in counts.items() if count >= minimum), key=lambda n: (-counts[n], n))
    return tuple(names[:limit])


def _membership(sets: Sequence[set[str]], names: Sequence[str]) -> FloatArray:
    columns = {name: n for n, name in enumerate(names)}
    # 1 where a set contains the name, else 0
    matrix = np.zeros((len(sets), len(names)))
    for row, members in enumerate(sets):
        matrix[row, [columns[name] for name in members if name in columns]] = 1.0
    return matrix
