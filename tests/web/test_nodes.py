"""What pages, health, metrics and doctor show of redirect nodes."""

import time

import pytest

from shortener import __version__
from shortener.reporting.doctor import examine
from shortener.reporting.metrics import render_metrics
from shortener.store import nodes
from tests.web.conftest import EditorSite


@pytest.fixture
def site(site_with_issue: EditorSite) -> EditorSite:
    """An installation with the node berlin, which has just reported, and paris, not heard from for an hour."""
    store, now = site_with_issue.store, int(time.time())
    for name, ago in (("berlin", 1), ("paris", 3600)):
        nodes.add(store, name, role="", now=1)
        changes = "heard_at = ?, sent_until = ?, version = ?, backlog_bytes = 700, disk_free = 5000000000"
        store.execute(f"update nodes set {changes} where name = ?", (now - ago, now - ago, __version__, name))
    nodes.add_local_key_days(store, {("berlin", now // 86_400)})
    return site_with_issue


def test_reports_name_the_node_that_is_waited_for(site: EditorSite) -> None:
    """Overview, results of an issue and page of a link say until when they are complete, in the reader's language."""
    browser = site.client("viewer")
    link = site.store.value("select code from links limit 1")
    for path in ("/-/", "/-/issues/may", f"/-/links/go.example/{link}"):
        assert "the node paris was last heard from at" in browser.get(path).text
    assert "Der Knoten paris hat sich zuletzt um" in browser.get("/-/issues/may", **{"Accept-Language": "de"}).text
    found = browser.get("/-/issues/may/report.json").json
    assert found is not None
    assert (found["quality"]["waiting_for"], found["quality"]["local_keys"]) == ("paris", [])
    nodes.remove(site.store, "paris", now=2)
    assert "Complete until" not in browser.get("/-/issues/may").text


def test_the_state_of_nodes_is_shown(site: EditorSite) -> None:
    """Health, metrics, doctor and the page of the system list the nodes, and a silent one is a finding."""
    health = site.browser().get("/-/health").json
    assert health is not None
    assert health["status"] == "warn"
    assert [(node["name"], node["heard_seconds"] > 60) for node in health["nodes"]] == [
        ("berlin", False),
        ("paris", True),
    ]
    metrics = render_metrics(site.config)
    assert 'shortener_node_backlog_bytes{node="paris"} 700' in metrics
    findings = {finding.check: finding for finding in examine(site.config, config_path=None)}
    assert findings["node berlin"].level == "good"
    assert findings["node paris"].level == "warn"
    page = site.client("admin").get("/-/settings/system").text
    assert page.count("no contact") == 1
    assert "the node paris has not reported for" in page.lower()
