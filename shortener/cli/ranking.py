"""The command `shortener rank`: print the ranking, or with `--explain` the factors behind one article."""

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import click

from shortener.cli import CliContext, with_store
from shortener.cli.groups import Command
from shortener.cli.options import TIME
from shortener.cli.output import (
    OUTPUT_FORMATS,
    format_percent,
    print_csv,
    print_json,
    print_line,
    print_table,
    sanitize_line,
    wide_option,
)
from shortener.ranking import Explanation, Factor, RankedArticle, Ranking
from shortener.ranking.explanation import ExplainedAppearance
from shortener.reporting.ranking import explain_article, rank_stored_articles
from shortener.store import Store

MULTIPLICATION_SIGN = "\u00d7"
INTERVAL_WIDTH = 24
"""Width in characters of an interval that is drawn as text."""
DRAWN_APPEAL_RANGE = (0.02, 50.0)
"""Limits of the appeal scale. An interval that ends beyond a limit is cut off there."""
COUNT_COLUMNS = ("visitors", "clicks")
RANKING_COLUMNS = tuple(name for name in RankedArticle.__struct_fields__ if name != "score")


@click.command(
    "rank", cls=Command, examples=("shortener rank --month 2026-11", "shortener rank --issue 2026-11 --format csv")
)
@click.option("--month", metavar="YYYY-MM", help="Only articles last shown in this month.")
@click.option("--issue", "slug", help="Only articles of this issue.")
@click.option("--as-of", type=TIME, help="Rank what was known at this time (default: now).")
@click.option("--explain", metavar="URL", help="Explain one article, given by its target URL or a short link.")
@click.option(
    "--format",
    "output_format",
    type=click.Choice([*OUTPUT_FORMATS.choices, "markdown"]),
    default="table",
    show_default=True,
    help="Output format.",
)
@wide_option
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
    """Rank articles by appeal, corrected for their position.

    Appeal is the number of visitors or clicks of an article, divided by the typical number for its issue and position.
    An article with few clicks is ranked close to the average, because few clicks can be chance.
    """
    query: dict[str, Any] = {
        "config": context.config,
        "as_of": int(time.time()) if as_of is None else as_of,
        "month": month,
        "issue": slug,
    }
    if explain is not None:
        _EXPLANATION_PRINTERS[output_format](explain_article(store, explain, **query))
    else:
        _RANKING_PRINTERS[output_format](rank_stored_articles(store, **query))


def _print_csv(result: Ranking) -> None:
    rows = ([getattr(article, name) for name in RANKING_COLUMNS] for article in result.articles)
    print_csv(RANKING_COLUMNS, rows)


def _print_table(result: Ranking) -> None:
    scale = AppealScale(result.articles)
    signals = [name for name in ("read_ratio", "fan_ratio") if _has_values(result, name)]
    print_table(
        f"Articles by appeal{_title_suffix(result)}",
        (
            *("", "title", "issue", "position", result.counted, "typical", "vs typical", "90 % range", scale.heading),
            "top",
            *(name.replace("_ratio", "s") for name in signals),
            "note",
        ),
        (_table_row(article, result, scale, signals) for article in result.articles),
        empty_message=f"{result.footer}.",
        optional=("top", scale.heading, "issue", "position", "reads", "fans", "typical", "90 % range"),
        note="note",
    )
    if result.articles:
        for line in _footer_lines(result):
            print_line(line)


def _has_values(result: Ranking, column: str) -> bool:
    return any(getattr(article, column) is not None for article in result.articles)


def _table_row(article: RankedArticle, result: Ranking, scale: "AppealScale", signals: Sequence[str]) -> list[Any]:
    return [
        article.rank if article.rank <= result.top else f"({article.rank})",
        article.title,
        article.issue,
        article.position,
        getattr(article, result.counted),
        f"{article.expected:,.1f}",
        format_appeal(article.appeal),
        f"{article.low:.2f}\N{EN DASH}{article.high:.2f}",
        scale.draw_interval(article),
        f"{article.p_top:.0%}",
        *(format_percent(getattr(article, name)) for name in signals),
        article.note,
    ]


def format_appeal(appeal: float) -> str:
    """Format an appeal: a multiple of what is typical, with two decimals and a multiplication sign."""
    return f"{appeal:.2f}{MULTIPLICATION_SIGN}"


class AppealScale:
    """A logarithmic scale on which 90 % intervals of appeal are drawn as text. `|` marks 1, the average appeal."""

    def __init__(self, articles: Sequence[RankedArticle]) -> None:
        min_low, max_high = DRAWN_APPEAL_RANGE
        lows = sorted(max(article.low, min_low) for article in articles) or [0.5]
        highs = sorted(min(article.high, max_high) for article in articles) or [2.0]
        # The extreme 5 % at each end are left out, so that one wide interval does not compress all others.
        self._log_low = math.log(min(lows[len(lows) // 20], 0.5))
        self._log_high = math.log(max(highs[-1 - len(highs) // 20], 2.0))

    @property
    def heading(self) -> str:
        """The heading of the column with the intervals. It shows both ends of the scale."""
        low, high = (f"{math.exp(end):.2g}{MULTIPLICATION_SIGN}" for end in (self._log_low, self._log_high))
        return low + " 90 % ".center(INTERVAL_WIDTH - len(low) - len(high)) + high

    def draw_interval(self, article: RankedArticle) -> str:
        """Return the 90 % interval of an article's appeal as a line of text.

        `<` or `>` marks an end beyond the scale.
        """
        characters = [" "] * INTERVAL_WIDTH
        characters[self._column(1.0)] = "|"
        for column in range(self._column(article.low), self._column(article.high) + 1):
            characters[column] = "─"
        if math.log(max(article.low, 1e-9)) < self._log_low:
            characters[0] = "<"
        if math.log(max(article.high, 1e-9)) > self._log_high:
            characters[-1] = ">"
        characters[self._column(article.appeal)] = "●"
        return "".join(characters)

    def _column(self, appeal: float) -> int:
        share = (math.log(max(appeal, 1e-9)) - self._log_low) / (self._log_high - self._log_low)
        return round(min(1.0, max(0.0, share)) * (INTERVAL_WIDTH - 1))


def _title_suffix(result: Ranking) -> str:
    selection = result.month or result.issue
    return f" · {selection}" if selection else ""


def _footer_lines(result: Ranking) -> Iterator[str]:
    titles = {article.url: article.title for article in result.articles}
    if result.top < len(result.articles):
        yield f"Top picks: the first {result.top}. Articles with their rank in brackets are not among them."
    if result.gems:
        yield "Hidden gems: " + "; ".join(titles.get(url, url) for url in result.gems)
    if result.loved_by_few:
        yield "Few but devoted readers: " + "; ".join(titles.get(url, url) for url in result.loved_by_few)
    for warning in result.warnings:
        yield f"Note: {warning}"
    yield f"{result.footer}."


def _print_markdown(result: Ranking) -> None:
    click.echo(f"| # | article | {result.counted} | vs typical | 90 % range | note |")
    click.echo("|--:|---|--:|--:|--:|---|")
    for article in result.articles:
        click.echo(
            f"| {article.rank} | {_markdown_link(article)} | {getattr(article, result.counted)} "
            f"| {format_appeal(article.appeal)} | {article.low:.2f} to {article.high:.2f} "
            f"| {_escape_markdown_cell(article.note)} |"
        )
    for line in _footer_lines(result):
        click.echo(f"\n{_escape_markdown_cell(line)}")


def _markdown_link(article: RankedArticle) -> str:
    url = article.url.replace("(", "%28").replace(")", "%29").replace("|", "%7C")
    return f"[{_escape_markdown_cell(article.title)}]({url})"


def _escape_markdown_cell(text: str) -> str:
    return "".join("\\" + c if c in "\\`*_[]<>|#" else c for c in sanitize_line(text))


def _print_explanation_table(result: Explanation) -> None:
    print_line(result.title)
    print_line(result.url)
    print_line(
        f"{getattr(result, result.counted):,} {result.counted}; typical for the same issues and positions: "
        f"{result.expected:,.1f}. Appeal: {format_appeal(result.appeal)} typical, "
        f"90 % range {result.low:.2f} to {result.high:.2f}"
    )
    print_line(f"Appeal = {_format_product(result.factors)}")
    units = _counted_units(result)
    print_table(
        "Appearances",
        ("issue", "position", "placements", *units, "typical", "fitted"),
        (_appearance_row(appearance, units) for appearance in result.cells),
        empty_message="None.",
    )
    for appearance in result.cells:
        print_line(f"Typical in {appearance.issue} = {_format_product(appearance.factors)}")
    print_line(f"{result.footer}.")


def _counted_units(result: Explanation) -> list[str]:
    return [unit for unit in COUNT_COLUMNS if any(getattr(cell, unit) is not None for cell in result.cells)]


def _appearance_row(appearance: ExplainedAppearance, units: Sequence[str]) -> list[Any]:
    return [
        appearance.issue,
        appearance.position,
        " ".join(appearance.placements),
        *(getattr(appearance, unit) for unit in units),
        f"{appearance.expected:.1f}",
        f"{appearance.fitted:.1f}",
    ]


def _format_product(factors: Iterable[Factor]) -> str:
    return f" {MULTIPLICATION_SIGN} ".join(f"{_format_number(factor.times)} ({factor.name})" for factor in factors)


def _format_number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _print_explanation_csv(result: Explanation) -> None:
    columns = ("issue", "place", "placements", *COUNT_COLUMNS, "expected", "fitted")
    print_csv(columns, (_appearance_row(appearance, COUNT_COLUMNS) for appearance in result.cells))


def _print_explanation_markdown(result: Explanation) -> None:
    units = _counted_units(result)
    click.echo(
        f"**{_escape_markdown_cell(result.title)}**: appeal {format_appeal(result.appeal)} = "
        f"{_escape_markdown_cell(_format_product(result.factors))}\n"
    )
    click.echo(f"| issue | position | {' | '.join(units)} | typical | factors |")
    click.echo(f"|---|--:|{'--:|' * len(units)}--:|---|")
    for cell in result.cells:
        counts = " | ".join("" if count is None else f"{count}" for count in (getattr(cell, unit) for unit in units))
        click.echo(
            f"| {_escape_markdown_cell(cell.issue)} | {cell.position} | {counts} | {cell.expected:.1f} "
            f"| {_escape_markdown_cell(_format_product(cell.factors))} |"
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
