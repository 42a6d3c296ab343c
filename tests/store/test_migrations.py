"""Migrations: stores of every earlier schema open with the same data."""

import ast
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlite_utils import Database

from shortener.classification.detect_honeypot import AUTOMATION_MASK
from shortener.collector.rebuild import rebuild
from shortener.errors import StoreError
from shortener.files import STORE_FILE_NAME
from shortener.store import clicks, decisions, honeypot_hits, link_checks, migrations, open_store
from shortener.store.migrations import MIGRATION_NAMES, MIGRATIONS
from shortener.store.rollups import recompute_coarse_rollups

HOUR = 1_795_500_000 - 1_795_500_000 % 3600
CONTENT = f"""
insert into issues (id, slug, format, domain, source, output, created_at, updated_at)
    values (1, 'may', 'markdown', 'go.example', x'', x'', 1, 1);
insert into articles (id, issue_id, url, position, corrected) values (1, 1, 'https://a.example/', 1, 'title');
insert into links (id, domain, code, target, issue_id, article_id, trap, created_at, updated_at)
    values (1, 'go.example', 'abc', 'https://a.example/', 1, 1, 0, 1, 1),
           (2, 'go.example', 'xyz', null, 1, null, 1, 1, 1);
insert into edits (link_id, at, who, field, old, new) values (2, 1, 'ada', 'trap', '0', '1');
insert into agents (id, ua, browser) values (1, 'Firefox', 'Firefox');
insert into clicks (id, ts, link_id, n, issue_id, verdict, reason, rules, gaps, first, visitor, copy, agent_id)
    values ('a', {HOUR}000, 1, 2, 1, 'human', 'reader', 1, 4, 15, 'v', 'k', 1);
insert into hourly values (1, 1, 2, {HOUR}, 'human', 1, 1, 1, 1, 1);
insert into daily values (1, 1, {HOUR - HOUR % 86_400}, 'browser', 'Firefox', 1);
insert into totals values (1, 1, 2, 1, 0, 0, 0, 0, 1, 1, 1, 1);
insert into hours values (1, {HOUR}, 1, 0, 0, 0, 0, 1, 1, 1, 1);
insert into segments (id, name, position, updated_at) values ('s', 's.jsonl', 42, 1);
insert into skips (segment_id, offset, reason, at) values ('s', 7, 'torn', 1);
update facts set value = 1 where name = 'judged_seq';
insert into facts (name, value) values ('rejudge:1', 0);
"""


@pytest.mark.parametrize("until", MIGRATION_NAMES[1:])
def test_earlier_schema_is_migrated(tmp_path: Path, until: str) -> None:
    """Rows stored under an earlier schema keep their values, and triggers work after the migration."""
    tmp_path.chmod(0o700)
    old = Database(sqlite3.connect(tmp_path / STORE_FILE_NAME, isolation_level=None))
    MIGRATIONS.apply(old, stop_before=min(until, "m007_names"))
    old.conn.executescript(CONTENT)
    MIGRATIONS.apply(old, stop_before=until)
    old.close()
    store = open_store(tmp_path)
    try:
        (row,) = store.rows("select * from clicks left join user_agents on user_agents.id = agent_id")
        assert (row["verdict"], row["rules_version"], row["evidence"], row["first_visits"]) == (
            "human",
            1,
            4,
            15,
        )
        assert (row["recipient_token"], row["browser"]) == ("k", "Firefox")
        sums = ("clicks_by_link", "totals_by_placement", "clicks_by_issue")
        assert [store.value(f"select sum(visitors) from {table}") for table in sums] == [1, 1, 1]
        assert store.value("select clicks from breakdown_by_link") == 1
        assert store.value("select honeypot from links where code = 'xyz'") == 1
        assert store.value("select corrected_fields from articles") == "title"
        assert store.value("select field from edits") == "honeypot"
        assert store.row("select in_long_line, byte_position from segments join skips on segment_id = id") == {
            "in_long_line": 0,
            "byte_position": 7,
        }
        assert (store.meta("classified_seq"), store.meta("reclassify:1"), store.meta("judged_seq")) == (
            1,
            0,
            0,
        )
        assert not clicks.all_classified(store)  # the queued issue is still queued
        revision = store.meta("links_revision")
        with store.transaction():
            store.execute("update links set title = 'new' where code = 'abc'")
        assert store.meta("links_revision") == revision + 1
    finally:
        store.close()


@pytest.mark.parametrize("name", MIGRATION_NAMES)
def test_migration_does_not_depend_on_other_code(name: str) -> None:
    """A migration uses nothing of the program but ``run_script``: no later change can change what it does."""
    tree = ast.parse((Path(migrations.__file__).parent / f"{name}.py").read_text(encoding="utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    own = {module for module in imported if module is None or module.startswith("shortener")}
    assert own <= {"shortener.store.migrations.script"}


def test_processes_that_start_together_share_the_migrations(tmp_path: Path) -> None:
    """Several processes may open an old store at once: each migration is applied once, and no process fails."""
    code = "import sys; from pathlib import Path; from shortener.store import open_store; open_store(Path(sys.argv[1]))"
    processes = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(6)]
    assert [process.wait(60) for process in processes] == [0] * 6


def test_sums_are_split_into_quarter_hours(tmp_path: Path) -> None:
    """Sums of stored clicks are split by quarter-hour; those of purged clicks stay at the beginning of their hour."""
    tmp_path.chmod(0o700)
    old = Database(sqlite3.connect(tmp_path / STORE_FILE_NAME, isolation_level=None))
    MIGRATIONS.apply(old, stop_before="m008_quarter_hours")
    day = HOUR - HOUR % 86_400
    purged, hour = day - 86_400, day + 3_600
    rows = [
        # id, seconds, n, verdict, first visits, visitor
        ("a", hour + 10, 1, "human", 15, "v"),
        ("b", hour + 20, 1, "human", 0, None),
        ("c", hour + 930, 2, "human", 1, "v"),
        ("d", hour + 3_599, 2, "scanner", 0, "v"),
    ]
    old.conn.executescript(
        f"""
        insert into links (id, domain, code, target, created_at, updated_at)
            values (1, 'go.example', 'abc', 'https://a.example/', 1, 1);
        insert into issues (id, slug, format, domain, source, output, created_at, updated_at)
            values (1, 'may', 'html', 'go.example', x'', x'', 1, 1), (2, 'june', 'html', 'go.example', x'', x'', 1, 1);
        update meta set value = {day} where name = 'purged_before';
        insert into clicks_by_link values
            (1, 1, 1, {purged}, 'human', 4, 3, 3, 1, 1), (1, 1, 1, {purged}, 'bot', 3, 0, 0, 0, 0),
            (2, 1, 1, {purged}, 'human', 9, 2, 1, 1, 1),
            (1, 1, 1, {hour}, 'human', 2, 1, 1, 1, 1), (1, 1, 2, {hour}, 'human', 1, 1, 0, 0, 0),
            (1, 1, 2, {hour}, 'scanner', 1, 0, 0, 0, 0);
        insert into totals_by_placement values
            (1, 1, 1, 6, 3, 0, 0, 0, 4, 4, 2, 2), (1, 1, 2, 1, 0, 1, 0, 0, 1, 0, 0, 0),
            (2, 1, 1, 9, 0, 0, 0, 0, 2, 1, 1, 1);
        insert into breakdown_by_link values (1, 1, {purged}, 'reason', 'human/reader', 4);
        insert into misses values ({day}, 'go.example', 'no', 404, 5);
        """
    )
    old.conn.executemany(
        "insert into clicks (id, ts, link_id, n, issue_id, verdict, reason, rules_version, first_visits, visitor) "
        "values (?, ? * 1000, 1, ?, 1, ?, '', 1, ?, ?)",
        rows,
    )
    old.close()
    store = open_store(tmp_path)
    try:
        assert store.execute(
            "select quarter_hour, n, issue_id, human, bot, scanner, visitor_clicks, visitors, link_visitors, "
            "issue_visitors, site_visitors from clicks_by_link order by 1, 2, 3"
        ).fetchall() == [
            (purged, 1, 1, 4, 3, 0, 4, 3, 3, 1, 1),
            (purged, 1, 2, 9, 0, 0, 1, 2, 1, 1, 1),
            (hour, 1, 1, 2, 0, 0, 1, 1, 1, 1, 1),
            (hour + 900, 2, 1, 1, 0, 0, 1, 1, 0, 0, 0),
            (hour + 2_700, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0),
        ]
        assert store.execute(
            "select issue_id, n, human, bot, scanner, visitors, link_visitors, issue_visitors, site_visitors "
            "from totals_by_placement order by 1, 2"
        ).fetchall() == [
            (1, 1, 6, 3, 0, 4, 4, 2, 2),
            (1, 2, 1, 0, 1, 1, 0, 0, 0),
            (2, 1, 9, 0, 0, 2, 1, 1, 1),
        ]
        assert store.value("select clicks from breakdown_by_issue") == 4
        assert store.value("select quarter_hour from misses") == day
        migrated = store.execute("select * from clicks_by_link").fetchall()
        rebuild(store, on_progress=lambda _: None)
        assert store.execute("select * from clicks_by_link").fetchall() == migrated
    finally:
        store.close()


def test_stored_targets_get_roles(tmp_path: Path) -> None:
    """A target with a position is an article, others are other links, and what an editor placed is a correction."""
    tmp_path.chmod(0o700)
    database = Database(tmp_path / STORE_FILE_NAME)
    MIGRATIONS.apply(database, stop_before="m009_roles")
    database.conn.executescript(
        """
        insert into issues (id, slug, format, domain, source, output, created_at, updated_at)
            values (1, 'may', 'markdown', 'go.example', x'', x'', 1, 1);
        insert into articles (id, issue_id, url, position, corrected_fields) values
            (1, 1, 'https://a.example/1', 1, ''), (2, 1, 'https://a.example/2', null, 'position title'),
            (3, 1, 'https://a.example/3', null, 'title');
        """
    )
    database.conn.close()
    store = open_store(tmp_path)
    rows = store.execute("select role, corrected_fields from articles order by id").fetchall()
    assert rows == [("article", ""), ("other", "position title role"), ("other", "title")]
    with store.transaction():
        store.execute("update issues set format = 'eml'")
    with pytest.raises(StoreError), store.transaction():
        store.execute("update issues set format = 'docx'")
    assert store.value("pragma integrity_check") == "ok"
    store.close()


def test_classified_honeypot_hits_are_recorded(tmp_path: Path) -> None:
    """The new table has the hits of classified clicks without token; a machine's hits have no user agent."""
    tmp_path.chmod(0o700)
    database = Database(tmp_path / STORE_FILE_NAME)
    MIGRATIONS.apply(database, stop_before="m011_honeypot_hits")
    database.conn.executescript(
        """
        insert into links (id, domain, code, honeypot, created_at, updated_at) values
            (1, 'go.example', 'trap', 1, 1, 1), (2, 'go.example', 'a', 0, 1, 1);
        insert into user_agents (id, ua) values (7, 'ua');
        insert into clicks (seq, id, ts, link_id, verdict, reason, rules_version, evidence, addr, net, agent_id,
            recipient_token) values
            (1, '1', 900001, 1, 'scanner', 'hidden-link', 2, 0, 'a1', '192.0.2.0/24', 7, null),
            (2, '2', 900009, 1, 'scanner', 'hidden-link', 2, 1048576, 'a1', '192.0.2.0/24', 7, null),
            (3, '3', 1800000, 1, 'scanner', 'hidden-link', 2, 33, null, '203.0.113.0/24', 7, null),
            (4, '4', 1800000, 1, 'scanner', 'hidden-link', 2, 0, 'a2', null, 7, 'token'),
            (5, '5', 1800000, 1, 'preview', 'named-preview', 2, 0, 'a2', null, 7, null),
            (6, '6', 1800000, 2, 'human', 'reader', 2, 0, 'a2', null, 7, null),
            (7, '7', 1800000, 1, 'scanner', 'hidden-link', 2, 0, 'a3', null, 7, null);
        update meta set value = 6 where name = 'classified_seq';
        """
    )
    database.conn.close()
    store = open_store(tmp_path)
    expected = [
        (900, "a1", "192.0.2.0/24", 7, "hidden-link", 0, 900_001, 900_009),
        (1800, "", "203.0.113.0/24", 0, "hidden-link", 33, 1_800_000, 1_800_000),
    ]
    assert store.execute("select * from honeypot_hits").fetchall() == expected
    honeypot_hits.record_again(store, first_at=0, last_at=2_000_000, machine_mask=AUTOMATION_MASK)
    assert store.execute("select * from honeypot_hits").fetchall() == expected
    store.close()


def test_hours_of_links_are_summed(tmp_path: Path) -> None:
    """The sums of a link's quarter-hours, of all placements and issues, are in its hours."""
    tmp_path.chmod(0o700)
    database = Database(tmp_path / STORE_FILE_NAME)
    MIGRATIONS.apply(database, stop_before="m014_link_hours")
    rows = [(1, HOUR, 1, 1, *range(10)), (1, HOUR + 900, 0, 2, *range(10)), (1, HOUR + 3600, 1, 1, *range(10))]
    database.conn.executemany(f"insert into clicks_by_link values ({', '.join('?' * 14)})", rows)
    database.conn.commit()
    database.conn.close()
    store = open_store(tmp_path)
    hours = store.execute("select * from clicks_by_link_hour").fetchall()
    assert hours == [(1, HOUR, *range(0, 20, 2)), (1, HOUR + 3600, *range(10))]
    recompute_coarse_rollups(store)
    assert store.execute("select * from clicks_by_link_hour").fetchall() == hours
    store.close()


def test_decisions_are_kept_and_may_have_no_reason(tmp_path: Path) -> None:
    """Decisions keep their values, and a new one may have an empty reason."""
    tmp_path.chmod(0o700)
    database = Database(tmp_path / STORE_FILE_NAME)
    MIGRATIONS.apply(database, stop_before="m019_picks_edits")
    row = (3, "2024-05", "https://a.example/", "pin", "asked for", "Ana", 7)
    columns = "id, month, url, action, reason, who, at"
    with database.conn:
        database.conn.execute(f"insert into decisions ({columns}) values (?, ?, ?, ?, ?, ?, ?)", row)
    database.conn.close()
    store = open_store(tmp_path)
    assert store.execute(f"select {columns} from decisions").fetchall() == [row]
    decisions.decide(store, "2024-05", "https://a.example/", action="exclude", reason="", who="Bo", now=8)
    assert [decision.reason for decision in decisions.list_all(store)] == [""]
    store.close()


def test_uploads_and_link_checks_are_new(tmp_path: Path) -> None:
    """A store with an issue gets the empty tables of uploads and link checks; a link check goes with its issue."""
    tmp_path.chmod(0o700)
    database = Database(tmp_path / STORE_FILE_NAME)
    MIGRATIONS.apply(database, stop_before="m018_new_issues")
    database.conn.executescript(
        """
        insert into issues (id, slug, title, format, domain, source, output, created_at, updated_at)
        values (1, 'may', 'May', 'markdown', 'go.example', x'', x'', 1, 1);
        """
    )
    database.conn.close()
    store = open_store(tmp_path)
    assert store.execute("select * from uploads").fetchall() == store.execute("select * from link_checks").fetchall()
    with store.transaction():
        link_checks.start(store, 1, total=3, now=5)
        store.execute("delete from issues where id = 1")
    assert store.value("select count(*) from link_checks") == 0
    store.close()


def test_users_have_the_language_of_their_browser_until_they_choose_one() -> None:
    """A user who was stored before languages has none."""
    database = Database(memory=True)
    MIGRATIONS.apply(database, stop_before="m017_user_language")
    columns = "name, role, password_hash, created_at, updated_at"
    database.conn.execute(f"insert into users ({columns}) values ('ada', 'admin', 'x', 1, 2)")
    MIGRATIONS.apply(database)
    assert database.conn.execute("select name, updated_at, language from users").fetchall() == [("ada", 2, "")]
