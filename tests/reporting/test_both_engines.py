"""Clicks and reports are the same on SQLite and on PostgreSQL."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from shortener.collector.rebuild import rebuild
from shortener.collector.reclassify import reclassify
from shortener.reporting.issue_report import build_issue_report
from shortener.reporting.link_report import build_link_report
from shortener.reporting.ranking_inputs import load_history
from shortener.reporting.summary import build_summary
from shortener.store import Store, clicks, listings, reports
from shortener.store.rollup_tables import ALL_ROLLUPS
from tests.conftest import FIREFOX, MACHINES, SENT, Newsletter

NOW = SENT + 86_400
REPORTS: dict[str, Callable[[Store], object]] = {
    "issue": lambda store: build_issue_report(store, "may", as_of=NOW),
    "link": lambda store: build_link_report(store, "go.example", "one", as_of=NOW),
    "summary": lambda store: build_summary(store, as_of=NOW),
    "summary of a day": lambda store: build_summary(store, since=SENT, until=NOW, as_of=NOW),
    "export": lambda store: list(reports.export_clicks(store, since=None, until=None)),
    "history": lambda store: load_history(store, as_of=NOW),
    "issues": lambda store: listings.list_issues(store),
    "all links": lambda store: list(listings.all_links(store)),
    "misses": lambda store: reports.top_misses(store, since=None, until=None, limit=9),
} | {
    f"links by {sort}": lambda store, sort=sort: listings.search_links(
        store, listings.LinkFilter(sort=sort, words=("ONE",)), now=NOW, limit=9
    )
    for sort in ("new", "clicks", "title", "code", "changed")
}  # fmt: skip


def collect(newsletter: Newsletter) -> None:
    """Let readers and machines click, in several drains."""
    newsletter.add_issue("june", {"three": [("title", 1)]}, places={"three": 1}, sent_at=SENT + 3600, recipients=50)
    for number in range(120):
        code, n = (("one", 1), ("one", 2), ("two", 3), ("foot", 4), ("three", 1), ("Lone", 0))[number % 6]
        newsletter.click(code, n, visitor=f"reader {number % 40}", net="192.0.2.0/24")
        if number % 30 == 29:
            newsletter.drain()
    for verdict in MACHINES:
        newsletter.machine(verdict, "one", 2)
    for number in range(40):  # a scanner follows every link at once
        newsletter.click("one", 1, visitor="gateway", after=4000 - 60 * number + number / 50, net="198.51.100.0/24")
    newsletter.click("nothing", status=404)
    newsletter.click("one", 1, ua=f"{FIREFOX} \0 and \ud800 end", visitor="strange\0", lang="d\ud800e")
    newsletter.drain()


def rows(store: Store) -> dict[str, list[tuple[object, ...]]]:
    """Return the sorted rows of clicks, user agents and all sums."""
    tables = ["clicks", "user_agents", "headers", "misses", *(rollup.table for rollup in ALL_ROLLUPS)]
    return {table: sorted(store.execute(f"select * from {table}").fetchall(), key=repr) for table in tables}


@pytest.fixture
def newsletters(tmp_path: Path, postgres_url: str) -> list[Newsletter]:
    """Equal newsletters with equal clicks, one on each engine."""
    found = [Newsletter(tmp_path / "sqlite"), Newsletter(tmp_path / "postgres", url=postgres_url)]
    for newsletter in found:
        collect(newsletter)
    return found


def test_everything_is_equal(newsletters: list[Newsletter]) -> None:
    """Stored rows and the JSON of every report are byte-equal, also after a new classification and a rebuild."""
    with closing(newsletters[0].store) as sqlite, closing(newsletters[1].store) as postgres:
        assert rows(postgres) == rows(sqlite)
        assert ("strange",) in sqlite.execute("select visitor from clicks").fetchall()
        assert f"{FIREFOX}  and  end" in [row[0] for row in sqlite.execute("select ua from user_agents")]
        for name, build in REPORTS.items():
            expected = msgspec.json.encode(build(sqlite), enc_hook=str)
            assert msgspec.json.encode(build(postgres), enc_hook=str) == expected, name
            assert len(expected) > 10, name
        for newsletter in newsletters:
            reclassify(newsletter.store, config=newsletter.config, on_progress=lambda *_: None)
            rebuild(newsletter.store, on_progress=lambda _: None)
        assert rows(postgres) == rows(sqlite)
        for store in (sqlite, postgres):
            while clicks.purge_clicks(store, before=NOW, limit=100):
                pass
            clicks.delete_unreferenced(store)
            assert clicks.count_clicks(store) == 0
        assert rows(postgres) == rows(sqlite)
