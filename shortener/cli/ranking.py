"""``shortener rank``: the articles by what readers wanted, and one article's evidence in full."""

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import click
import msgspec

from shortener.cli import Session, with_store
from shortener.cli.options import TIME
from shortener.cli.output import FORMATS, plain, print_csv, print_json, print_line, print_table
from shortener.config import Config
from shortener.errors import NotFound
from shortener.ranking.inputs import History, Showing
from shortener.ranking.order import rank as rank_articles
from shortener.ranking.result import Ranked, Ranking
from shortener.reporting.history import history
from shortener.shorturl import parse_short_url
from shortener.store import Store, links

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
    config = session.config
    moment = int(time.time()) if as_of is None else as_of
    known = history(store, as_of=moment)
    ranking = rank_articles(
        known,
        as_of=moment,
        month=month,
        issue=slug,
        top=config.ranking.top,
        window=config.ranking.window,
        zone=config.zone,
    )
    if explain is not None:
        _explain(_wanted(store, ranking, explain, config), ranking, known, form)
    else:
        _PRINT[form](ranking)


def _print_csv(ranking: Ranking) -> None:
    print_csv(COLUMNS, ([getattr(each, name) for name in COLUMNS] for each in ranking.articles))


def _print_table(ranking: Ranking) -> None:
    scale = Scale(ranking.articles)
    print_table(
        f"What readers wanted{_where(ranking)}",
        ("", "title", "issue", "place", "clicks", "expected", "appeal", scale.heading, "top", "note"),
        (_table_row(each, ranking, scale) for each in ranking.articles),
        empty=f"{ranking.footer}.",
    )
    if ranking.articles:
        for line in _below(ranking):
            print_line(line)


def _table_row(each: Ranked, ranking: Ranking, scale: "Scale") -> list[Any]:
    return [
        each.rank if each.rank <= ranking.top else f"({each.rank})",
        each.title,
        each.issue,
        each.position,
        each.clicks,
        f"{each.expected:,.1f}",
        f"×{each.appeal:.2f}",  # noqa: RUF001
        scale.draw(each),
        f"{each.p_top:.0%}",
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
        low, high = (f"×{math.exp(end):.2g}" for end in (self._low, self._high))  # noqa: RUF001
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


def _where(ranking: Ranking) -> str:
    where = ranking.month or ranking.issue
    return f" · {where}" if where else ""


def _below(ranking: Ranking) -> Iterator[str]:
    """What stands under the list: gems, warnings, the footer."""
    titles = {each.url: each.title for each in ranking.articles}
    if ranking.top < len(ranking.articles):
        yield f"Published: the first {ranking.top}; ranks in brackets are not."
    if ranking.gems:
        yield "Hidden gems: " + "; ".join(titles.get(url, url) for url in ranking.gems)
    if ranking.loved_by_few:
        yield "Loved by few: " + "; ".join(titles.get(url, url) for url in ranking.loved_by_few)
    for warning in ranking.warnings:
        yield f"Note: {warning}"
    yield f"{ranking.footer}."


def _print_markdown(ranking: Ranking) -> None:
    click.echo("| # | article | clicks | appeal | 90 % interval | note |")
    click.echo("|--:|---|--:|--:|--:|---|")
    for each in ranking.articles:
        click.echo(
            f"| {each.rank} | {_link(each)} | {each.clicks} | ×{each.appeal:.2f} "  # noqa: RUF001
            f"| {each.low:.2f} to {each.high:.2f} | {_markdown(each.note)} |"
        )
    for line in _below(ranking):
        click.echo(f"\n{_markdown(line)}")


def _link(each: Ranked) -> str:
    url = each.url.replace("(", "%28").replace(")", "%29").replace("|", "%7C")
    return f"[{_markdown(each.title)}]({url})"


def _markdown(text: str) -> str:
    """Text that Markdown shows as it is, in one cell of a table."""
    return "".join("\\" + c if c in "\\`*_[]<>|#" else c for c in plain(text))


_PRINT = {"table": _print_table, "json": print_json, "csv": _print_csv, "markdown": _print_markdown}


def _wanted(store: Store, ranking: Ranking, url: str, config: Config) -> Ranked:
    """The ranked article of a target or short URL. Raises NotFound."""
    targets = {url}
    if key := parse_short_url(url, domains=config.domains):
        found = links.find(store, *key)
        targets |= {found.target} if found and found.target else set()
    for each in ranking.articles:
        if each.url in targets:
            return each
    raise NotFound(
        f"{url}: not among the {len(ranking.articles)} ranked articles; `shortener rank` lists them"
    )


def _explain(each: Ranked, ranking: Ranking, known: History, form: str) -> None:
    """One article: its line, and every showing that it rests on."""
    showings = [showing for showing in known.showings if showing.url == each.url]
    if form == "json":
        print_json({**msgspec.structs.asdict(each), "showings": showings, "footer": ranking.footer})
        return
    if form == "csv":
        print_csv(("issue", "position", "clicks", "placements"), map(_showing, showings))
        return
    print_line(f"{each.rank}. {each.title}")
    print_line(f"{each.url}")
    print_line(f"{each.note}")
    print_line(
        f"appeal ×{each.appeal:.2f}, 90 % interval {each.low:.2f} to {each.high:.2f}; "  # noqa: RUF001
        f"chance of the first {ranking.top}: {each.p_top:.0%}"
    )
    print_table(
        "Shown", ("issue", "place", "clicks", "by placement"), map(_showing, showings), empty="Never."
    )
    print_line(f"{ranking.footer}.")


def _showing(showing: Showing) -> list[Any]:
    kinds: Iterable[str] = (
        f"{placed.kind} {placed.clicks}" + (f" on {placed.links} links" if placed.links > 1 else "")
        for placed in showing.placements
    )
    return [showing.issue, showing.position, showing.clicks, ", ".join(kinds)]
