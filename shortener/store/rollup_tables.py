"""The rollups (tables of click counts), and the SQL that writes them."""

from collections.abc import Iterator

from msgspec import Struct

from shortener.durations import DAY_SECONDS, HOUR_SECONDS

VERDICTS = ("human", "bot", "scanner", "preview", "prefetch")
AUTOMATED_CLICKS = " + ".join(VERDICTS[1:])
"""SQL: the number of clicks in a row that are not human."""
VISITOR_COLUMNS = ("visitor_clicks", "visitors", "link_visitors", "issue_visitors", "site_visitors")
"""Sums of human clicks with a visitor hash, and of first visits: to the placement, the link, the issue and the site."""
SUM_COLUMNS = (*VERDICTS, *VISITOR_COLUMNS)
"""Columns of sums in a rollup of clicks: number of clicks with each verdict, and ``VISITOR_COLUMNS``."""
MIN_VISITOR_SHARE = 0.5
"""Lowest share of human clicks that have a visitor hash at which the number of visitors counts as known."""
HAS_VISITORS = f"coalesce(sum(visitor_clicks) >= {MIN_VISITOR_SHARE} * sum(human), true)"
"""SQL: whether the visitors of summed rows are known."""
PERIOD_SECONDS = {"hour": HOUR_SECONDS, "day": DAY_SECONDS}
"""Key columns of coarse rollups that derive from ``quarter_hour``: the second at which its UTC hour or day begins."""


class Rollup(Struct, frozen=True):
    """A table of click counts: its name, the columns of its key, and the columns of its numbers."""

    table: str
    key_columns: tuple[str, ...]
    sum_columns: tuple[str, ...] = SUM_COLUMNS
    click_columns: tuple[str, ...] = VERDICTS
    """A row is deleted if all of these columns are 0."""
    source: "Rollup | None" = None
    """Detailed table whose rows this coarse table sums up; None for a detailed table."""


# Migrations create the tables, so a change here needs a migration too. ``clicks_by_link`` and ``breakdown_by_link`` are
# detailed. The others are coarse: they contain sums of detailed rows, so that a report reads few rows.
# ``quarter_hour``, ``hour`` and ``day`` are the times at which these periods of UTC begin, in seconds of the UTC epoch.
CLICKS_BY_LINK = Rollup("clicks_by_link", ("link_id", "quarter_hour", "n", "issue_id"))
BREAKDOWN_BY_LINK = Rollup(
    "breakdown_by_link", ("link_id", "dimension", "value", "day", "issue_id"), ("clicks",), ("clicks",)
)
COARSE_ROLLUPS = (
    Rollup("totals_by_placement", ("issue_id", "link_id", "n"), source=CLICKS_BY_LINK),
    Rollup("clicks_by_link_hour", ("link_id", "hour"), source=CLICKS_BY_LINK),
    Rollup("clicks_by_issue", ("issue_id", "quarter_hour"), source=CLICKS_BY_LINK),
    Rollup("clicks_by_issue_hour", ("issue_id", "hour"), source=CLICKS_BY_LINK),
    Rollup("clicks_by_placement", ("day", "issue_id", "link_id", "n"), source=CLICKS_BY_LINK),
    Rollup("clicks_of_site", ("quarter_hour",), source=CLICKS_BY_LINK),
    Rollup(
        "breakdown_by_issue",
        ("issue_id", "dimension", "value"),
        ("clicks",),
        ("clicks",),
        source=BREAKDOWN_BY_LINK,
    ),
)
ALL_ROLLUPS = (CLICKS_BY_LINK, BREAKDOWN_BY_LINK, *COARSE_ROLLUPS)


def recompute_statements() -> Iterator[str]:
    """Yield the SQL statements that compute all coarse tables of click counts again from the two detailed ones."""
    for rollup in COARSE_ROLLUPS:
        source = rollup.source or rollup
        keys = [
            name if name in source.key_columns else f"quarter_hour - quarter_hour % {PERIOD_SECONDS[name]}"
            for name in rollup.key_columns
        ]
        sums = [f"sum({name})" for name in rollup.sum_columns]
        yield f"delete from {rollup.table}"  # noqa: S608
        yield (
            f"insert into {rollup.table} ({', '.join(rollup.key_columns + rollup.sum_columns)}) "  # noqa: S608
            f"select {', '.join(keys + sums)} from {source.table} group by {', '.join(keys)}"
        )


def add_statement(rollup: Rollup) -> str:
    """Return SQL that adds numbers to a row of click counts.

    Its parameters are the key, the numbers, and the numbers again.
    """
    # A click may have been counted under another placement before: its subtraction must not break a check and
    # stop the collector.
    columns = rollup.key_columns + rollup.sum_columns
    values = ["?"] * len(rollup.key_columns) + ["max(0, ?)"] * len(rollup.sum_columns)
    changes = [f"{name} = max(0, {rollup.table}.{name} + ?)" for name in rollup.sum_columns]
    return f"""
        insert into {rollup.table} ({", ".join(columns)}) values ({", ".join(values)})
        on conflict ({", ".join(rollup.key_columns)}) do update set {", ".join(changes)}
    """  # noqa: S608


def delete_empty_statement(rollup: Rollup) -> str:
    """Return the SQL statement that deletes a row, given by its key, if it has no clicks."""
    terms = [f"{name} = ?" for name in rollup.key_columns]
    terms += [f"{name} = 0" for name in rollup.click_columns]
    return f"delete from {rollup.table} where {' and '.join(terms)}"  # noqa: S608
