"""What reports say while the clicks of a node are missing, and that they agree once those have arrived (D7, D8)."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from shortener.clicklog.format import LOCAL_KEY
from shortener.clicklog.pseudonyms import DailyKeys, hash_visitor
from shortener.collector.collector import Collector
from shortener.durations import DAY_SECONDS, HOUR_SECONDS
from shortener.reporting.completeness import describe_completeness
from shortener.reporting.health import Backlog, check_health
from shortener.reporting.issue_report import IssueReport, build_issue_report
from shortener.reporting.quality import LocalKeyDay
from shortener.reporting.summary import build_summary
from shortener.reporting.watermark import find_watermark
from shortener.store import inbox, nodes, shared_keys
from tests.conftest import FIREFOX, SENT
from tests.scale.conftest import Centre

LINKS = "abcd"
RECIPIENTS = 10
SETTLED_SECONDS = 15 * 60


def report(centre: Centre, slug: str, *, now: int) -> IssueReport:
    """Return the report of an issue at a time."""
    return build_issue_report(centre.store, slug, as_of=now)


def sentences(found: IssueReport) -> list[str]:
    """Return what a report says about missing clicks, with times in UTC."""
    return list(
        describe_completeness(
            found.quality,
            format_time=lambda time: f"{time:%H:%M}",
            format_day=lambda day: f"{day:%d %B}",
        )
    )


def test_late_clicks_complete_a_burst(centre: Centre) -> None:
    """Half of a scanner's clicks arrive an hour late; then all are its, and until then the report names the node."""
    centre.add_issue(
        "wide", {link: [("title", n)] for n, link in enumerate(LINKS, 1)}, places={}, sent_at=SENT, recipients=None
    )
    until = SENT + 600
    for node, links in (("berlin", "ab"), ("paris", "cd")):
        for recipient in range(RECIPIENTS):
            for link in links:
                second = SENT + 700 + 60 * recipient + 0.2 * LINKS.index(link)
                centre.click(link, visitor=f"r{recipient}", copy=f"r{recipient}", ts=second)
        if node == "berlin":
            centre.send(node)
        centre.record(node)
    now = SENT + 2 * HOUR_SECONDS
    centre.report("berlin", sent_until=now)
    centre.report("paris", sent_until=until)
    centre.store.execute("update nodes set heard_at = ?", (until,))
    centre.collect()
    assert verdicts(centre) != {"scanner"}
    early = report(centre, "wide", now=now)
    assert early.totals.clicks.total == 20
    assert (early.quality.waiting_for, early.quality.complete_until) == ("paris", datetime.fromtimestamp(until, UTC))
    assert sentences(early) == ["Complete until 08:10: the node paris was last heard from at 08:10."]
    assert build_summary(centre.store, as_of=now).quality.waiting_for == "paris"
    assert watermark(centre, now=now) == until - SETTLED_SECONDS

    centre.send("paris", after=until)
    centre.report("paris", sent_until=now)
    assert report(centre, "wide", now=now).quality.waiting_for == "paris"  # sent, but not collected yet
    assert watermark(centre, now=now) == until - SETTLED_SECONDS
    assert check_health(centre.config, now=now).backlog == Backlog(inbox.backlog(centre.store)[0], now - until)
    centre.collect()
    assert verdicts(centre) == {"scanner"}
    complete = report(centre, "wide", now=now)
    assert (complete.totals.clicks.human, complete.totals.clicks.scanner) == (0, 40)
    assert watermark(centre, now=now) == now - SETTLED_SECONDS
    assert check_health(centre.config, now=now).backlog == Backlog(0, 0)
    assert (complete.quality.waiting_for, complete.quality.last_heard, sentences(complete)) == (None, None, [])


def watermark(centre: Centre, *, now: int) -> int:
    """Return the watermark of exports and of webhooks."""
    return find_watermark(centre.store, config=centre.config, now=now)


def verdicts(centre: Centre) -> set[str]:
    """Return the verdicts of the stored clicks."""
    return {row[0] for row in centre.store.execute("select distinct verdict from clicks")}


@pytest.mark.parametrize("shared", [True, False], ids=["shared key", "key that has not arrived"])
def test_a_reader_on_two_nodes_is_one_visitor(centre: Centre, tmp_path: Path, shared: bool) -> None:
    """With the shared key a reader is one visitor on both nodes; with a local key two, and the report says so."""
    with closing(Collector(centre.store, config=centre.config, clock=lambda: SENT)):
        stored = shared_keys.read(centre.store)
    for node in ("berlin", "paris"):
        keys = DailyKeys(tmp_path / node, shared=True)
        for day, key in stored.items() if shared or node == "berlin" else ():
            keys.add(day, key)
        visitor = hash_visitor("203.0.113.9", FIREFOX, key=keys.key(SENT))
        more: dict[str, Any] = {"key": LOCAL_KEY} if keys.is_local(SENT) else {}
        centre.click("one", 1, visitor=visitor or "", **more)
        centre.send(node)
        centre.report(node, sent_until=SENT + 3600)
    centre.collect()
    found = report(centre, "may", now=SENT + 3600)
    assert found.totals.visitors == (1 if shared else 2)
    may_first = datetime.fromtimestamp(SENT - SENT % DAY_SECONDS, UTC)
    assert found.quality.local_keys == (() if shared else (LocalKeyDay("paris", may_first),))
    cut_off = "The node paris was cut off on 01 May and counted its visitors apart; some may be counted twice."
    assert sentences(found) == ([] if shared else [cut_off])


def test_a_node_that_has_sent_nothing_is_named(centre: Centre) -> None:
    """Without a report of a node nothing is known to be complete; without nodes everything is."""
    centre.report("berlin", sent_until=SENT)
    found = report(centre, "may", now=SENT)
    assert (found.quality.complete_until, found.quality.waiting_for) == (None, "paris")
    assert sentences(found) == ["Clicks of the node paris have not arrived yet."]
    assert watermark(centre, now=SENT) == 0
    for name in ("berlin", "paris"):
        nodes.remove(centre.store, name, now=SENT)
    found = report(centre, "may", now=SENT)
    assert (found.quality.complete_until, found.quality.waiting_for, sentences(found)) == (None, None, [])
