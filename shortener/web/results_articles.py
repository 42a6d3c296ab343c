"""The table of articles on the results page of an issue, in the order that the query string asks for."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from shortener.config import Domain
from shortener.durations import HOUR_SECONDS
from shortener.ranking import RankedArticle
from shortener.ranking.result import MIN_COUNT
from shortener.reporting.issue_list import SPARKLINE_HOURS, SPARKLINE_STEP_HOURS
from shortener.reporting.issue_report import ArticleReport, IssueReport
from shortener.reporting.outlook import Judgement
from shortener.short_urls import build_short_url
from shortener.store import Store, decisions, issue_clicks
from shortener.store.decisions import Decision
from shortener.web.cache import get_or_compute
from shortener.web.components import TableOrder, read_order
from shortener.web.context import config, store
from shortener.web.filters import capitalized, result_tone
from shortener.web.languages import gettext as _

COLUMNS = ("position", "title", "visitors", "typical", "rate")
"""Columns by which the table can be sorted; by ``typical`` it is grouped by certainty."""


class ArticleRow(Struct, frozen=True):
    """A row of the table of an issue's articles."""

    article: ArticleReport
    count: int | None
    """Number of visitors or clicks."""
    result: RankedArticle | None
    """The article's entry in the ranking."""
    tone: Judgement
    """Comparison with a typical article."""
    decision: Decision | None
    spark: tuple[int, ...]
    """Clicks in each period of ``SPARKLINE_STEP_HOURS`` since sending."""

    @property
    def is_compared(self) -> bool:
        """Whether the article has a result, and enough visitors or clicks to compare it."""
        return self.result is not None and self.result.is_comparable


class ArticleGroup(Struct, frozen=True):
    """Rows of the table under a common heading, which is '' if the table is not grouped."""

    tone: Judgement
    heading: str
    note: str
    rows: tuple[ArticleRow, ...]


class ArticleTable(Struct, frozen=True):
    """The table of articles. ``most`` is the count that the longest bar of the table shows."""

    groups: tuple[ArticleGroup, ...]
    order: TableOrder
    most: float
    counts_visitors: bool
    has_results: bool
    """Whether any article has an entry in the ranking. If none has, the table has no column for results."""

    @property
    def has_outstanding(self) -> bool:
        """Whether the result of any article is clearly above or clearly below the typical result."""
        return any(row.tone != "usual" for group in self.groups for row in group.rows)


def build_table(
    report: IssueReport,
    results: Mapping[str, RankedArticle],  # the articles' entries in the ranking, by URL
    *,
    issue_id: int,
    start: int,  # when the issue was sent or first clicked, in seconds of the UTC epoch
) -> ArticleTable:
    """Return the table of the articles of an issue."""
    counts_visitors = report.totals.visitors is not None
    order = read_order(COLUMNS, default="-typical" if results else "-visitors")
    domains = config().domains
    sparks = get_or_compute(
        ("sparks", issue_id), lambda store: _clicks_by_step(store, issue_id, start=start, domains=domains)
    )
    decided = _decisions_by_url(report.sent_at)
    rows = [
        ArticleRow(
            article=article,
            count=article.visitors if counts_visitors else article.clicks,
            result=results.get(article.url),
            tone=result_tone(results.get(article.url)),
            decision=decided.get(article.url),
            spark=_add_up(sparks, article.short_urls),
        )
        for article in report.articles
    ]
    rows = order.sort(rows, _VALUES)
    values = [row.count or 0 for row in rows] + [row.result.expected for row in rows if row.result]
    grouped = order.key == "typical" and results
    groups = (
        _groups(rows, order, counts_visitors=counts_visitors)
        if grouped
        else (ArticleGroup("usual", "", "", tuple(rows)),)
    )
    return ArticleTable(groups, order, max(values, default=0), counts_visitors, bool(results))


_VALUES: Mapping[str, Callable[[ArticleRow], Any]] = {
    "position": lambda row: row.article.position,
    "title": lambda row: row.article.title.casefold() or None,
    "visitors": lambda row: row.count,
    "typical": lambda row: row.result.appeal if row.is_compared and row.result else None,
    "rate": lambda row: row.article.rate,
}


def _groups(rows: Sequence[ArticleRow], order: TableOrder, *, counts_visitors: bool) -> tuple[ArticleGroup, ...]:
    compared = [row for row in rows if row.is_compared]
    texts: list[tuple[Judgement, str, str]] = [
        ("above", _("Clear winners"), _("clicked more than their position explains, beyond chance")),
        ("usual", _("About typical"), _("the difference can be chance")),
        ("below", _("Below"), _("clicked less than their position explains, beyond chance")),
    ]
    if all(row.tone == "usual" for row in compared):
        texts = [("usual", _("No article clearly stands out"), _("the differences can be chance"))]
    groups = (
        ArticleGroup(tone, heading, note, tuple(row for row in compared if row.tone == tone))
        for tone, heading, note in (texts if order.descending else reversed(texts))
    )
    others = ArticleGroup(
        "usual",
        capitalized(_("too few visitors to compare") if counts_visitors else _("too few clicks to compare")),
        _("fewer than {count}, and fewer than {count} are typical there", count=MIN_COUNT),
        tuple(row for row in rows if not row.is_compared),
    )
    return tuple(group for group in (*groups, others) if group.rows)


def _clicks_by_step(
    store: Store,
    issue_id: int,
    *,
    start: int,  # when step 0 begins, in seconds of the UTC epoch
    domains: Sequence[Domain],
) -> dict[str, dict[int, int]]:
    """Return ``{short URL: {step: clicks}}``; each step is a period of several hours."""
    # Steps without clicks are left out.
    sparks: dict[str, dict[int, int]] = {}
    for row in issue_clicks.human_clicks_by_link_and_step(
        store,
        issue_id,
        start=start,
        seconds=SPARKLINE_STEP_HOURS * HOUR_SECONDS,
        steps=SPARKLINE_HOURS // SPARKLINE_STEP_HOURS,
    ):
        url = build_short_url(row.domain, row.code, domains=domains)
        sparks.setdefault(url, {})[row.step] = row.clicks
    return sparks


def _add_up(sparks: Mapping[str, Mapping[int, int]], short_urls: Sequence[str]) -> tuple[int, ...]:
    found = [sparks[url] for url in short_urls if url in sparks]
    last = max((step for clicks in found for step in clicks), default=-1)
    return tuple(sum(clicks.get(step, 0) for clicks in found) for step in range(last + 1))


def _decisions_by_url(sent_at: datetime | None) -> dict[str, Decision]:
    if sent_at is None:
        return {}
    month = f"{sent_at.astimezone(config().zone):%Y-%m}"
    return {decision.url: decision for decision in decisions.list_by_month(store(), month)}
