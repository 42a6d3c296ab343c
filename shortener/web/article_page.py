"""The content of the page about one article: its issues, results, short links, and the editors' decisions."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from shortener.errors import NotFound
from shortener.messages import Message
from shortener.ranking import CountedArticle, ExplainedAppearance, Explanation
from shortener.ranking.certainty import Group, certainty_group
from shortener.ranking.inputs import Counted
from shortener.ranking.result import is_comparable
from shortener.reporting.counts import to_datetime_or_none
from shortener.reporting.link_records import LinkRecord, build_link_record
from shortener.services.draft_picks import MonthDecision, report_month_decision
from shortener.store import articles, decisions, listings, signals
from shortener.store.articles import ArticleAppearance
from shortener.store.signals import Signal
from shortener.web.article_list import month_of
from shortener.web.context import config, now, store
from shortener.web.ranking_cache import RankingKey, counted_articles, explanation


class Appearance(Struct, frozen=True):
    """The appearance of an article in one issue. Unknown figures are None."""

    issue: str
    issue_title: str
    sent_at: datetime | None
    role: str
    """``article``, ``inline`` (a link in running text) or ``other``."""
    position: int | None
    visitors: int | None
    clicks: int | None
    typical: float | None
    """Expected number of visitors or clicks of an average article at this position."""


class ArticlePage(Struct, frozen=True):
    """The content of the page about one article. Unknown figures are None."""

    url: str
    title: str
    author: str
    summary: str
    section: str
    counted: Counted
    visitors: int | None
    clicks: int | None
    typical: float | None
    appeal: float | None
    """How often the article is clicked, as a multiple of an average article at its position, such as 1.8."""
    low: float | None
    """Lower end of the 90 % interval of ``appeal``."""
    high: float | None
    """Upper end of the 90 % interval of ``appeal``."""
    group: Group | None
    appearances: tuple[Appearance, ...]
    signals: Signal | None
    links: tuple[LinkRecord, ...]
    decisions: tuple[MonthDecision, ...]
    month: str
    """Month of the last appearance; '' if no issue with the article was sent."""
    is_ready: bool
    """Whether the figures have been computed."""

    @property
    def is_comparable(self) -> bool:
        """Whether the figures are large enough to compare the article with an average article."""
        count = self.clicks if self.visitors is None else self.visitors
        return self.typical is not None and is_comparable(count, self.typical)


def load_article(
    url: str,  # canonical URL of the article
    *,
    wait: bool,
) -> ArticlePage:
    """Return the content of the page about one article.

    Without ``wait``, figures that are not computed yet are None. Raises NotFound.
    """
    shown = articles.list_appearances(store(), url)
    if not shown:
        raise NotFound(Message("no issue has an article with this address"))
    sent = [row for row in shown if row.sent_at is not None and row.sent_at <= now()]
    month = month_of(sent[0].sent_at or 0) if sent else ""
    figures = explanation(url, month, wait=wait) if month else None
    counts = _find_counts(url, month) if month and figures is None else None
    known = figures if figures is not None and figures.cells else None
    link_rows = listings.link_details_by_id(store(), articles.list_link_ids(store(), url)).values()
    return ArticlePage(
        url=url,
        title=_first(row.title for row in shown) or url,
        author=_first(row.author for row in shown),
        summary=_first(row.summary for row in shown),
        section=_first(row.section for row in shown),
        counted=known.counted if known else "clicks" if counts and counts.visitors is None else "visitors",
        visitors=known.visitors if known else counts.visitors if counts else None,
        clicks=known.clicks if known else counts.clicks if counts else None,
        typical=known.expected if known else None,
        appeal=known.appeal if known else None,
        low=known.low if known else None,
        high=known.high if known else None,
        group=certainty_group(known.low, known.high) if known else None,
        appearances=_appearances(shown, known),
        signals=signals.find(store(), url),
        links=tuple(build_link_record(row, config=config(), now=now()) for row in link_rows),
        decisions=tuple(map(report_month_decision, decisions.list_by_article(store(), url))),
        month=month,
        is_ready=figures is not None or not month,
    )


def _find_counts(url: str, month: str) -> CountedArticle | None:
    return next((each for each in counted_articles(RankingKey(month=month)) if each.url == url), None)


def _first(texts: Iterable[str]) -> str:
    return next((text for text in texts if text), "")


def _appearances(shown: Sequence[ArticleAppearance], figures: Explanation | None) -> tuple[Appearance, ...]:
    cells: Mapping[str, ExplainedAppearance] = {cell.issue: cell for cell in figures.cells} if figures else {}
    rows = []
    for row in shown:
        cell = cells.get(row.slug)
        rows.append(
            Appearance(
                issue=row.slug,
                issue_title=row.issue_title,
                sent_at=to_datetime_or_none(row.sent_at),
                role=row.role,
                position=row.position,
                visitors=cell.visitors if cell else None,
                clicks=cell.clicks if cell else None,
                typical=cell.expected if cell else None,
            )
        )
    return tuple(rows)
