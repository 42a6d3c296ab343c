"""``shortener rank``: the articles by what readers wanted, and one article's evidence in full."""

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import click

from shortener.cli import CliContext, with_store
from shortener.cli.options import TIME
from shortener.cli.output import (
    OUTPUT_FORMATS,
    format_percent,
    print_csv,
    print_json,
    print_line,
    print_table,
    sanitize_line,
)
from shortener.ranking import Explanation, Factor, RankedArticle, Ranking
from shortener.ranking.explanation import ExplainedAppearance
from shortener.reporting.ranking import explain_article, rank_stored_articles
from shortener.store import Store

MULTIPLICATION_SIGN = "\u00d7"
INTERVAL_WIDTH = 24
"""Columns of a drawn interval."""
RANKING_COLUMNS = (
    "rank",
    "url",
    "title",
    "issue",
    "position",
    "clicks",
    "expected",
    "appeal",
    "low",
    "high",
    "p_top",
    "gem",
    "note",
    "shown",
    "views",
    "read_ratio",
    "fan_ratio",
    "blend",
)


@click.command("rank")
@click.option("--month", metavar="YYYY-MM", help="Only articles last shown in this month.")
@click.option("--issue", "slug", help="Only articles of this issue.")
@click.option("--as-of", type=TIME, help="As it was known at this time (default: now).")
@click.option("--explain", metavar="URL", help="Everything behind one article: its target, or a short link.")
@click.option(
    "--format",
    "output_format",
    type=click.Choice([*OUTPUT_FORMATS.choices, "markdown"]),
    default="table",
    show_default=True,
    help="Output format.",
)
@with_store
def rank(
    context: CliContext,
    store: Store,
    month: str | None,
    slug: str | None,
    as_of: int | None,
    explain: str | None,
    output_format: str,
) -> None:
    """Rank the articles by what readers wanted, allowing for place, issue and chance."""
    asked: dict[str, Any] = {
        "config": context.config,
        "as_of": int(time.time()) if as_of is None else as_of,
        "month": month,
        "issue": slug,
    }
    if explain is not None:
        _EXPLANATION_PRINTERS[output_format](explain_article(store, explain, **asked))
    else:
        _RANKING_PRINTERS[output_format](rank_stored_articles(store, **asked))


def _print_csv(result: Ranking) -> None:
    print_csv(
        RANKING_COLUMNS, ([getattr(each, name) for name in RANKING_COLUMNS] for each in result.articles)
    )


def _print_table(result: Ranking) -> None:
    scale = AppealScale(result.articles)
    signals = [name for name in ("read_ratio", "fan_ratio") if _has_values(result, name)]
    print_table(
        f"What readers wanted{_title_suffix(result)}",
        (
            *("", "title", "issue", "place", "clicks", "expected", "appeal", scale.heading, "top"),
            *(name.replace("_ratio", "s") for name in signals),
            "note",
        ),
        (_table_row(each, result, scale, signals) for each in result.articles),
        empty_message=f"{result.footer}.",
    )
    if result.articles:
        for line in _footer_lines(result):
            print_line(line)


def _has_values(result: Ranking, column: str) -> bool:
    return any(getattr(each, column) is not None for each in result.articles)


def _table_row(
    article: RankedArticle, result: Ranking, scale: "AppealScale", signals: Sequence[str]
) -> list[Any]:
    return [
        article.rank if article.rank <= result.top else f"({article.rank})",
        article.title,
        article.issue,
        article.position,
        article.clicks,
        f"{article.expected:,.1f}",
        f"{MULTIPLICATION_SIGN}{article.appeal:.2f}",
        scale.draw_interval(article),
        f"{article.p_top:.0%}",
        *(format_percent(getattr(article, name)) for name in signals),
        article.note,
    ]


class AppealScale:
    """Where appeals stand on a line of text: log scale, wide enough for most, ``|`` at the average."""

    def __init__(self, articles: Sequence[RankedArticle]) -> None:
        lows = sorted(max(each.low, 0.02) for each in articles) or [0.5]
        highs = sorted(min(each.high, 50.0) for each in articles) or [2.0]
        self._log_low = math.log(min(lows[len(lows) // 20], 0.5))
        self._log_high = math.log(max(highs[-1 - len(highs) // 20], 2.0))

    @property
    def heading(self) -> str:
        """The ends of the line."""
        low, high = (f"{MULTIPLICATION_SIGN}{math.exp(end):.2g}" for end in (self._log_low, self._log_high))
        return low + " 90 % ".center(INTERVAL_WIDTH - len(low) - len(high)) + high

    def draw_interval(self, article: RankedArticle) -> str:
        """The 90 % interval as a line, the appeal as a point on it; arrows where it goes on."""
        cells = [" "] * INTERVAL_WIDTH
        cells[self._column(1.0)] = "|"
        first, last = self._column(article.low), self._column(article.high)
        for at in range(first, last + 1):
            cells[at] = "─"
        if math.log(max(article.low, 1e-9)) < self._log_low:
            cells[0] = "<"
        if math.log(max(article.high, 1e-9)) > self._log_high:
            cells[-1] = ">"
        cells[self._column(article.appeal)] = "●"
        return "".join(cells)

    def _column(self, appeal: float) -> int:
        share = (math.log(max(appeal, 1e-9)) - self._log_low) / (self._log_high - self._log_low)
        return round(min(1.0, max(0.0, share)) * (INTERVAL_WIDTH - 1))


def _title_suffix(result: Ranking) -> str:
    where = result.month or result.issue
    return f" · {where}" if where else ""


def _footer_lines(result: Ranking) -> Iterator[str]:
    """What stands under the list: gems, warnings, the footer."""
    titles = {each.url: each.title for each in result.articles}
    if result.top < len(result.articles):
        yield f"Published: the first {result.top}; ranks in brackets are not."
    if result.gems:
        yield "Hidden gems: " + "; ".join(titles.get(url, url) for url in result.gems)
    if result.loved_by_few:
        yield "Loved by few: " + "; ".join(titles.get(url, url) for url in result.loved_by_few)
    for warning in result.warnings:
        yield f"Note: {warning}"
    yield f"{result.footer}."


def _print_markdown(result: Ranking) -> None:
    click.echo("| # | article | clicks | appeal | 90 % interval | note |")
    click.echo("|--:|---|--:|--:|--:|---|")
    for each in result.articles:
        click.echo(
            f"| {each.rank} | {_markdown_link(each)} | {each.clicks} | {MULTIPLICATION_SIGN}{each.appeal:.2f} "
            f"| {each.low:.2f} to {each.high:.2f} | {_escape_markdown(each.note)} |"
        )
    for line in _footer_lines(result):
        click.echo(f"\n{_escape_markdown(line)}")


def _markdown_link(article: RankedArticle) -> str:
    url = article.url.replace("(", "%28").replace(")", "%29").replace("|", "%7C")
    return f"[{_escape_markdown(article.title)}]({url})"


def _escape_markdown(text: str) -> str:
    """Text that Markdown shows as it is, in one cell of a table."""
    return "".join("\\" + c if c in "\\`*_[]<>|#" else c for c in sanitize_line(text))


def _print_explanation_table(result: Explanation) -> None:
    print_line(result.title)
    print_line(result.url)
    print_line(
        f"{result.clicks:,} clicks; an average article at its places: {result.expected:,.1f}. "
        f"Appeal {MULTIPLICATION_SIGN}{result.appeal:.2f}, 90 % interval {result.low:.2f} to {result.high:.2f}"
    )
    print_line(f"Appeal = {_format_product(result.factors)}")
    print_table("Shown", _OBSERVATION_COLUMNS, map(_observation_row, result.cells), empty_message="Never.")
    for cell in result.cells:
        print_line(f"Expected in {cell.issue} = {_format_product(cell.factors)}")
    print_line(f"{result.footer}.")


_OBSERVATION_COLUMNS = ("issue", "place", "placements", "clicks", "expected", "fitted")


def _observation_row(observation: ExplainedAppearance) -> list[Any]:
    placements = " ".join(observation.placements)
    return [
        observation.issue,
        observation.position,
        placements,
        observation.clicks,
        f"{observation.expected:.1f}",
        f"{observation.fitted:.1f}",
    ]


def _format_product(factors: Iterable[Factor]) -> str:
    return f" {MULTIPLICATION_SIGN} ".join(
        f"{_format_number(factor.times)} ({factor.name})" for factor in factors
    )


def _format_number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _print_explanation_csv(result: Explanation) -> None:
    print_csv(_OBSERVATION_COLUMNS, map(_observation_row, result.cells))


def _print_explanation_markdown(result: Explanation) -> None:
    why = _escape_markdown(_format_product(result.factors))
    click.echo(
        f"**{_escape_markdown(result.title)}**: appeal {MULTIPLICATION_SIGN}{result.appeal:.2f} = {why}\n"
    )
    click.echo("| issue | place | clicks | expected | why |\n|---|--:|--:|--:|---|")
    for cell in result.cells:
        why = _escape_markdown(_format_product(cell.factors))
        click.echo(
            f"| {_escape_markdown(cell.issue)} | {cell.position} | {cell.clicks} | {cell.expected:.1f} | {why} |"
        )


_RANKING_PRINTERS: Mapping[str, Any] = {
    "table": _print_table,
    "json": print_json,
    "csv": _print_csv,
    "markdown": _print_markdown,
}
_EXPLANATION_PRINTERS: Mapping[str, Any] = {
    "table": _print_explanation_table,
    "json": print_json,
    "csv": _print_explanation_csv,
    "markdown": _print_explanation_markdown,
}

COMMANDS = [rank]
