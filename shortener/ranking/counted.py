"""A provisional order of articles by their counts, which is shown while the statistical model is being fitted."""

from msgspec import Struct

from shortener.ranking.inputs import Appearance, History, common_unit
from shortener.ranking.selection import ArticleFilter, select_articles


class CountedArticle(Struct, frozen=True):
    """An article with its visitors or clicks, summed over issues."""

    url: str
    title: str
    issue: str
    """Slug of the issue in which the article appeared last."""
    position: int | None
    """Position in this last issue."""
    visitors: int | None
    """Number of visitors; None if clicks are counted instead."""
    clicks: int | None
    """Number of clicks; None if visitors are counted instead."""
    shown: int
    """Number of issues over which the count is summed."""


def count_articles(
    history: History,
    *,
    as_of: float,  # epoch seconds
    article_filter: ArticleFilter,
) -> tuple[CountedArticle, ...]:
    """Return the selected articles with their visitors or clicks, the most clicked first.

    Raises InputError, NotFound.
    """
    known, urls = select_articles(history, article_filter, as_of=as_of)
    appearances: dict[str, list[Appearance]] = {}
    for appearance in known.appearances:
        # If the filter selects one issue, only its counts are summed.
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
