"""A provisional order of articles by their counts, which is shown while the statistical model is being fitted."""

from msgspec import Struct

from shortener.ranking.inputs import Appearance, History, common_unit
from shortener.ranking.selection import ArticleFilter, select_articles


class CountedArticle(Struct, frozen=True):
    """An article with its count, summed over all issues."""

    url: str
    title: str
    issue: str
    """Issue in which the article appeared last."""
    position: int | None
    """Position in this last issue."""
    visitors: int | None
    """The count, if visitors are counted, else None."""
    clicks: int | None
    """The count, if clicks are counted, else None."""
    shown: int
    """Number of issues in which the article appeared."""


def count_articles(history: History, *, as_of: float, article_filter: ArticleFilter) -> tuple[CountedArticle, ...]:
    """Return the articles that the ranking would list, ordered by their counts, the highest first.

    If `article_filter` selects one issue, only the counts in that issue are used. Raises InputError for an invalid
    history, and NotFound for an unknown issue.
    """
    known, urls = select_articles(history, article_filter, as_of=as_of)
    appearances: dict[str, list[Appearance]] = {}
    for appearance in known.appearances:
        if appearance.url in urls and article_filter.issue in {None, appearance.issue}:
            appearances.setdefault(appearance.url, []).append(appearance)
    slugs = {row.issue for rows in appearances.values() for row in rows}
    unit = common_unit(issue for issue in known.issues if issue.slug in slugs)
    order = {issue.slug: number for number, issue in enumerate(known.issues)}
    articles = []
    for url, rows in appearances.items():
        last = max(rows, key=lambda row: order[row.issue])
        visitors = sum(row.clicks for row in rows) if unit == "visitors" else None
        clicks = sum(row.click_count for row in rows) if unit == "clicks" else None
        title = history.titles.get(url) or url
        articles.append(CountedArticle(url, title, last.issue, last.position, visitors, clicks, len(rows)))
    return tuple(sorted(articles, key=lambda article: (-(article.visitors or article.clicks or 0), article.url)))
