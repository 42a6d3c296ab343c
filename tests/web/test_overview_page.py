"""Tests of the overview page, the list of issues, and the domain checks of the first-run checklist."""

import json
import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

from shortener.durations import DAY_SECONDS
from shortener.services import issue_status
from shortener.services.domain_check import DomainStatus, sign_nonce
from shortener.store import links
from shortener.web import domain_status
from shortener.web.domain_status import DomainChecks

if TYPE_CHECKING:
    from tests.web.conftest import EditorSite

NONCE = "0123456789abcdef" * 2


@pytest.fixture(autouse=True)
def _fake_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the domains answer without a request."""
    monkeypatch.setattr(
        domain_status, "check_domain", lambda domain, **_: DomainStatus(domain.host, is_https=True, result="answers")
    )


WHALES = "https://a.example/whales"


def add_year(site: "EditorSite", visitors: Sequence[int] = range(5, 11)) -> None:
    """Add weekly issues with these numbers of visitors."""
    now, count = int(time.time()), len(visitors)
    for number, readers in enumerate(visitors):
        slug = f"w{number}"
        sent_at = now - (count - number) * 7 * DAY_SECONDS
        site.add_issue(slug=slug, sent_at=sent_at)
        code = next(each.code for each in links.list_by_issue(site.store, number + 1) if each.target == WHALES)
        site.write_clicks([click_line(code, reader=f"{slug}-{index}", at=sent_at + 600) for index in range(readers)])


def click_line(code: str, *, reader: str, at: int) -> str:
    """Return a click-log line of a human click."""
    return json.dumps(
        {
            "v": 1,
            "id": f"c-{reader}",
            "ts": at,
            "host": "go.example",
            "code": code,
            "method": "GET",
            "visitor": f"v-{reader}",
            "addr": f"a-{reader}",
            "ua": "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
            "h": {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "accept": "text/html"},
        }
    )


def test_empty_overview(site: "EditorSite") -> None:
    """Without an issue the overview says what to do first; a viewer sees no button for it."""
    page = site.client("editor").get("/-/").text
    assert "No issue yet" in page
    assert "Add the first issue" in page
    viewer = site.client("viewer").get("/-/").text
    assert "First steps" in viewer
    assert "new-issue" not in viewer


def test_one_odd_issue_does_not_flatten_the_chart(site: "EditorSite") -> None:
    """An issue far below the others is at the edge of the chart, and a sentence names it."""
    add_year(site, (20, 21, 1, 20, 22, 21))
    page = site.client("editor").get("/-/").text
    assert re.findall(r"drawn at its lower edge: <bdi>([^<]*)<", page)[0].endswith(": 0.5\u00a0%")
    ticks = re.findall(r'text-anchor="end">([0-9.]+)\u00a0%</text>', page)
    assert min(map(float, ticks)) >= 4
    assert max(map(float, ticks)) < 13


def test_overview_compares_the_last_issue(site: "EditorSite") -> None:
    """The first lines have the last issue's figures beside the usual; each dot of the chart leads to its issue."""
    add_year(site)
    page = site.client("editor").get("/-/").text
    assert "10 visitors, 5.0\u00a0% of the recipients: above your usual 3.5\u00a0% after 7 days." in page
    assert page.count('class="dot') >= 6
    for number in range(6):
        assert f'href="/-/issues/w{number}" aria-label="' in page
    assert "First steps" not in page
    data = json.loads(site.client("viewer").get("/-/overview.json?months=3").text)
    assert [issue["slug"] for issue in data["overview"]["issues"]] == [f"w{number}" for number in range(5, -1, -1)]
    assert data["months"] == 3
    assert data["overview"]["issues"][0]["visitors"] == 10


def test_best_articles_of_a_period(site: "EditorSite") -> None:
    """The best articles are those of issues in the period; an unknown period is the default."""
    add_year(site)
    editor = site.client("editor")
    deadline = time.monotonic() + 30
    while json.loads(editor.get("/-/overview.json").text)["best_articles"] is None:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    page = editor.get("/-/?months=x").text
    assert (
        re.findall(r'<th scope="row" class="title"><a href="[^"]*" dir="auto">([^<]*)<', page)[0] == "Counting whales"
    )
    assert "too few visitors to compare" not in page
    assert 'aria-current="true">6 months' in page


def test_tasks_are_for_editors(site: "EditorSite") -> None:
    """An editor sees what waits, with links; a viewer does not."""
    site.add_issue(sent_at=None)
    assert 'href="/-/issues/may/setup">“May: songs and sieves” is a draft' in site.client("editor").get("/-/").text
    assert "To do" not in site.client("viewer").get("/-/").text


def test_a_domain_that_does_not_answer(site: "EditorSite", monkeypatch: pytest.MonkeyPatch) -> None:
    """Admins see a domain that leads elsewhere even after the first issue; the page does not wait for the check."""
    site.add_issue(sent_at=int(time.time()) - 600)
    monkeypatch.setattr(
        domain_status, "check_domain", lambda domain, **_: DomainStatus(domain.host, is_https=True, result="elsewhere")
    )
    admin = site.client("admin")
    deadline = time.monotonic() + 30
    while "go.example leads to another server" not in admin.get("/-/").text:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert "leads to another server" not in site.client("editor").get("/-/").text


def test_domain_checks_are_made_once_and_again_later(site: "EditorSite", monkeypatch: pytest.MonkeyPatch) -> None:
    """Results are kept while they are fresh; a domain that does not answer is checked again sooner."""
    seen: list[str] = []

    def check(domain: object, **_: object) -> DomainStatus:
        seen.append("check")
        return DomainStatus("go.example", is_https=True, result="silent")

    monkeypatch.setattr(domain_status, "check_domain", check)
    checks = DomainChecks(site.config, session_secret="x")
    deadline = time.monotonic() + 30
    while checks.latest() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert len(seen) == len(site.config.domains)
    monkeypatch.setattr(domain_status, "RETRY_SECONDS", 0.0)
    while len(seen) < 2 * len(site.config.domains):
        checks.latest()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_answer_to_a_domain_check(site: "EditorSite") -> None:
    """The installation signs a nonce without a session, and nothing else."""
    browser = site.browser()
    answer = browser.get(f"/-/answers/{NONCE}")
    assert answer.text == sign_nonce(NONCE, secret=site.app.config["SECRET_KEY"])
    assert browser.get("/-/answers/x").status_code == 404
    assert browser.get(f"/-/answers/{'A' * 32}").status_code == 404


def test_list_of_issues(site: "EditorSite") -> None:
    """The list can be sorted, searched and filtered by status, and shows each issue beside the usual."""
    add_year(site)
    site.add_issue(slug="draft", source="# 潮汐 next\n\n[x](https://x.example/)\n", sent_at=None)
    viewer = site.client("viewer")
    page = viewer.get("/-/issues").text
    assert "above</span>" not in page
    assert 'class="above"><span aria-hidden="true">▲</span> above the usual 3.5' in page
    assert page.count("too few earlier issues") == 4
    assert "Prepare for sending" not in page
    assert 'href="/-/issues/draft/setup">Prepare for sending</a>' in site.client("editor").get("/-/issues").text

    def slugs(query: str) -> list[str]:
        text = viewer.get(f"/-/issues{query}").text
        return [part.partition('"')[0] for part in text.split('class="title"><a href="/-/issues/')[1:]]

    assert slugs("?sort=visitors")[:6] == [f"w{number}" for number in range(6)]
    assert slugs("?sort=-rate")[0] == "w5"
    assert slugs("?q=潮汐") == ["draft"]
    assert slugs("?q=W3+songs") == ["w3"]
    assert slugs("?status=draft") == ["draft"]
    assert slugs("?status=sent&q=nothing") == []
    assert "Nothing matches" in viewer.get("/-/issues?q=nothing").text


def test_list_of_issues_has_pages(site: "EditorSite", monkeypatch: pytest.MonkeyPatch) -> None:
    """A long list has pages, whose links keep the order; archived issues stand below."""
    monkeypatch.setattr("shortener.web.views.issues.PAGE_SIZE", 2)
    now = int(time.time())
    for number in range(5):
        site.add_issue(slug=f"w{number}", sent_at=now - (5 - number) * DAY_SECONDS)
    issue_status.archive_issue(site.store, "w0", now=now)
    page = site.client("viewer").get("/-/issues?sort=sent&page=2").text
    assert "3 to 4 of 4" in page
    assert 'rel="prev" href="/-/issues?sort=sent&amp;page=1"' in page
    assert "1 archived or removed issue" in page
