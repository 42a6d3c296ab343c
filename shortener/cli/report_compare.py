"""``shortener report compare``: compare the clicks of two issues at the same age (time since sending)."""

import time
from typing import TYPE_CHECKING, Any

import click

from shortener.cli import CliContext, with_store
from shortener.cli.groups import Command
from shortener.cli.options import TIME
from shortener.cli.output import (
    format_option,
    format_percent,
    or_unknown,
    print_as,
    print_csv,
    print_json,
    print_line,
    print_table,
)
from shortener.store import Store

if TYPE_CHECKING:
    from shortener.ranking import ComparedIssue, Comparison


@click.command(
    "compare",
    cls=Command,
    examples=("shortener report compare 2026-11 2026-10", "shortener report compare 2026-11 2026-10 --hours 24"),
)
@click.argument("first", metavar="SLUG")
@click.argument("second", metavar="SLUG")
@click.option("--hours", type=float, help="Age in hours after sending (default: the age of the younger issue).")
@click.option("--as-of", type=TIME, help="Count only clicks until this time (default: now).")
@format_option
@with_store
def compare(
    context: CliContext,
    store: Store,
    first: str,
    second: str,
    hours: float | None,
    as_of: int | None,
    output_format: str,
) -> None:
    """Compare the clicks of two issues at the same age.

    The age is the time since sending. For each issue, the estimated share of clicks still to come is shown too.
    """
    # Imported here because it loads numpy, which the other reports do not need.
    from shortener.reporting.ranking import compare_stored_issues

    now = int(time.time())
    comparison = compare_stored_issues(store, first, second, as_of=now if as_of is None else as_of, hours=hours)
    print_as(
        output_format,
        json=lambda: print_json(comparison),
        csv=lambda: print_csv(
            _COMPARISON_COLUMNS,
            (_comparison_row(comparison, side) for side in (comparison.first, comparison.second)),
        ),
        table=lambda: _print_comparison(comparison),
    )


_COMPARISON_COLUMNS = (
    "slug",
    "title",
    "recipients",
    "hours",
    "visitors",
    "clicks",
    "rate",
    "to_come_then",
    "to_come_now",
)


def _comparison_row(result: "Comparison", side: "ComparedIssue") -> list[Any]:
    counts = [None if count is None else round(count, 1) for count in (side.visitors, side.clicks)]
    figures = [round(result.hours, 2), *counts, side.rate, result.to_come, side.to_come]
    return [side.slug, side.title, side.recipients, *figures]


def _print_comparison(result: "Comparison") -> None:
    sides = (result.first, result.second)
    units = sorted({side.counted for side in sides}, reverse=True)
    print_table(
        f"{result.hours:,.1f} hours after sending",
        (
            *("issue", "title", "recipients", *(f"{unit} by then" for unit in units)),
            *("click rate", "still expected then", "still expected now"),
        ),
        (
            [
                *(side.slug, side.title, side.recipients),
                *(None if count is None else round(count) for count in (getattr(side, unit) for unit in units)),
                or_unknown(format_percent(side.rate)),
                *(format_percent(share) for share in (result.to_come, side.to_come)),
            ]
            for side in sides
        ),
        empty_message="",
        optional=("recipients", "still expected then"),
    )
    print_line(f"{result.text}.")
