"""``shortener rank``: the articles by what readers wanted, and one article's evidence in full."""

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import click

from shortener.cli import Session, with_store
from shortener.cli.options import TIME
from shortener.cli.output import FORMATS, percent, plain, print_csv, print_json, print_line, print_table
from shortener.ranking import Explanation, Factor, Ranked, Ranking
from shortener.ranking.explanation import Cell
from shortener.reporting.ranking import explanation, ranking
from shortener.store import Store

TIMES = "\u00d7"
BAR = 24
"""Columns of a drawn interval."""
COLUMNS = (
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
    "form",
    type=click.Choice([*FORMATS.choices, "markdown"]),
    default="table",
    show_default=True,
    help="Output format.",
)
@with_store
def rank(
    session: Session,
    store: Store,
    month: str | None,
    slug: str | None,
    as_of: int | None,
    explain: str | None,
    form: str,
) -> None:
    """Rank the articles by what readers wanted, allowing for place, issue and chance."""
    asked: dict[str, Any] = {
        "config": session.config,
        "as_of": int(time.time()) if as_of is None else as_of,
        "month": month,
        "issue": slug,
    }
    if explain is not None:
        _EXPLAIN[form](explanation(store, explain, **asked))
    else:
        _PRINT[form](ranking(store, **asked))


def _print_csv(made: Ranking) -> None:
    print_csv(COLUMNS, ([getattr(each, name) for name in COLUMNS] for each in made.articles))


def _print_table(made: Ranking) -> None:
    scale = Scale(made.articles)
    signals = [name for name in ("read_ratio", "fan_ratio") if _any(made, name)]
    print_table(
        f"What readers wanted{_where(made)}",
        (
            *("", "title", "issue", "place", "clicks", "expected", "appeal", scale.heading, "top"),
            *(name.replace("_ratio", "s") for name in signals),
            "note",
        ),
        (_table_row(each, made, scale, signals) for each in made.articles),
        empty=f"{made.footer}.",
    )
    if made.articles:
        for line in _below(made):
            print_line(line)


def _any(made: Ranking, name: str) -> bool:
    return any(getattr(each, name) is not None for each in made.articles)


def _table_row(each: Ranked, made: Ranking, scale: "Scale", signals: Sequence[str]) -> list[Any]:
    return [
        each.rank if each.rank <= made.top else f"({each.rank})",
        each.title,
        each.issue,
        each.position,
        each.clicks,
        f"{each.expected:,.1f}",
        f"{TIMES}{each.appeal:.2f}",
        scale.draw(each),
        f"{each.p_top:.0%}",
        *(percent(getattr(each, name)) for name in signals),
        each.note,
    ]


class Scale:
    """Where appeals stand on a line of text: log scale, wide enough for most, ``|`` at the average."""

    def __init__(self, articles: Sequence[Ranked]) -> None:
        lows = sorted(max(each.low, 0.02) for each in articles) or [0.5]
        highs = sorted(min(each.high, 50.0) for each in articles) or [2.0]
        self._low = math.log(min(lows[len(lows) // 20], 0.5))
        self._high = math.log(max(highs[-1 - len(highs) // 20], 2.0))

    @property
    def heading(self) -> str:
        """The ends of the line."""
        low, high = (f"{TIMES}{math.exp(end):.2g}" for end in (self._low, self._high))
        return low + " 90 % ".center(BAR - len(low) - len(high)) + high

    def draw(self, each: Ranked) -> str:
        """The 90 % interval as a line, the appeal as a point on it; arrows where it goes on."""
        cells = [" "] * BAR
        cells[self._at(1.0)] = "|"
        first, last = self._at(each.low), self._at(each.high)
        for at in range(first, last + 1):
            cells[at] = "─"
        if math.log(max(each.low, 1e-9)) < self._low:
            cells[0] = "<"
        if math.log(max(each.high, 1e-9)) > self._high:
            cells[-1] = ">"
        cells[self._at(each.appeal)] = "●"
        return "".join(cells)

    def _at(self, appeal: float) -> int:
        share = (math.log(max(appeal, 1e-9)) - self._low) / (self._high - self._low)
        return round(min(1.0, max(0.0, share)) * (BAR - 1))


def _where(made: Ranking) -> str:
    where = made.month or made.issue
    return f" · {where}" if where else ""


def _below(made: Ranking) -> Iterator[str]:
    """What stands under the list: gems, warnings, the footer."""
    titles = {each.url: each.title for each in made.articles}
    if made.top < len(made.articles):
        yield f"Published: the first {made.top}; ranks in brackets are not."
    if made.gems:
        yield "Hidden gems: " + "; ".join(titles.get(url, url) for url in made.gems)
    if made.loved_by_few:
        yield "Loved by few: " + "; ".join(titles.get(url, url) for url in made.loved_by_few)
    for warning in made.warnings:
        yield f"Note: {warning}"
    yield f"{made.footer}."


def _print_markdown(made: Ranking) -> None:
    click.echo("| # | article | clicks | appeal | 90 % interval | note |")
    click.echo("|--:|---|--:|--:|--:|---|")
    for each in made.articles:
        click.echo(
            f"| {each.rank} | {_link(each)} | {each.clicks} | {TIMES}{each.appeal:.2f} "
            f"| {each.low:.2f} to {each.high:.2f} | {_markdown(each.note)} |"
        )
    for line in _below(made):
        click.echo(f"\n{_markdown(line)}")


def _link(each: Ranked) -> str:
    url = each.url.replace("(", "%28").replace(")", "%29").replace("|", "%7C")
    return f"[{_markdown(each.title)}]({url})"


def _markdown(text: str) -> str:
    """Text that Markdown shows as it is, in one cell of a table."""
    return "".join("\\" + c if c in "\\`*_[]<>|#" else c for c in plain(text))


def _explain_table(made: Explanation) -> None:
    print_line(made.title)
    print_line(made.url)
    print_line(
        f"{made.clicks:,} clicks; an average article at its places: {made.expected:,.1f}. "
        f"Appeal {TIMES}{made.appeal:.2f}, 90 % interval {made.low:.2f} to {made.high:.2f}"
    )
    print_line(f"Appeal = {_product(made.factors)}")
    print_table("Shown", _CELL_COLUMNS, map(_cell_row, made.cells), empty="Never.")
    for cell in made.cells:
        print_line(f"Expected in {cell.issue} = {_product(cell.factors)}")
    print_line(f"{made.footer}.")


_CELL_COLUMNS = ("issue", "place", "placements", "clicks", "expected", "fitted")


def _cell_row(cell: Cell) -> list[Any]:
    placements = " ".join(cell.placements)
    return [cell.issue, cell.position, placements, cell.clicks, f"{cell.expected:.1f}", f"{cell.fitted:.1f}"]


def _product(factors: Iterable[Factor]) -> str:
    return f" {TIMES} ".join(f"{_number(factor.times)} ({factor.name})" for factor in factors)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _explain_csv(made: Explanation) -> None:
    print_csv(_CELL_COLUMNS, map(_cell_row, made.cells))


def _explain_markdown(made: Explanation) -> None:
    why = _markdown(_product(made.factors))
    click.echo(f"**{_markdown(made.title)}**: appeal {TIMES}{made.appeal:.2f} = {why}\n")
    click.echo("| issue | place | clicks | expected | why |\n|---|--:|--:|--:|---|")
    for cell in made.cells:
        why = _markdown(_product(cell.factors))
        click.echo(
            f"| {_markdown(cell.issue)} | {cell.position} | {cell.clicks} | {cell.expected:.1f} | {why} |"
        )


_PRINT: Mapping[str, Any] = {
    "table": _print_table,
    "json": print_json,
    "csv": _print_csv,
    "markdown": _print_markdown,
}
_EXPLAIN: Mapping[str, Any] = {
    "table": _explain_table,
    "json": print_json,
    "csv": _explain_csv,
    "markdown": _explain_markdown,
}

COMMANDS = [rank]
