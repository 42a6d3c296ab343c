"""The report of an issue: every click under its article and placement, nothing lost and nothing twice."""

from typing import Any

import msgspec
import pytest

from shortener.errors import NotFound
from shortener.reporting.issue_report import IssueReport, build_issue_report
from shortener.store import issues, links

NOW = 1_800_000_000


def made(newsletter: Any, slug: str = "may") -> IssueReport:
    return build_issue_report(newsletter.store, slug, as_of=NOW, domains=newsletter.config.domains)


def test_clicks_stand_under_their_article_and_placement(read: Any) -> None:
    """Image and title of one article are told apart; a click without a placement counts for the article."""
    one, two = made(read).articles
    assert (one.position, one.url, one.title, one.clicks) == (1, "https://a.example/one", "About one", 4)
    assert [(p.n, p.kind, p.clicks, p.visitors) for p in one.placements] == [
        (1, "image", 1, 1),
        (2, "title", 3, 2),
    ]
    assert (two.clicks, two.visitors, two.unplaced) == (1, 1, 1)
    assert [(p.n, p.clicks) for p in two.placements] == [(3, 0)]


def test_a_visitor_counts_once_a_link(read: Any) -> None:
    """Ann used two placements of the article and came back: she and bob are two visitors of it."""
    report = made(read)
    assert report.articles[0].visitors == 2
    assert report.articles[0].rate == 2 / 200
    assert report.totals.visitors == 3
    assert report.rate == 3 / 200


def test_what_is_no_article_is_reported_by_link(read: Any) -> None:
    """The footer's clicks are in the report, but under links."""
    (foot,) = made(read).links
    assert (foot.short_url, foot.target, foot.clicks) == (
        "https://go.example/foot",
        "https://a.example/foot",
        1,
    )
    assert [(p.n, p.kind, p.clicks) for p in foot.placements] == [(4, "footer", 1)]


def test_machines_are_counted_apart(read: Any) -> None:
    """Each verdict has its total; no machine is among the clicks of an article."""
    report = made(read)
    clicks = report.totals.clicks
    assert (clicks.human, clicks.bot, clicks.scanner, clicks.preview, clicks.prefetch) == (6, 1, 1, 1, 1)
    assert report.articles[0].other == 4
    assert report.quality.sentence.startswith("40 % of the requests were set aside: 10 % mail scanners")
    assert {each.reason for each in report.quality.reasons} >= {"reader", "head-request", "prefetch-header"}


def test_the_parts_add_up_to_the_whole(read: Any) -> None:
    """Articles, other links, hours and breakdowns each sum to the issue's human clicks."""
    report = made(read)
    human = report.totals.clicks.human
    parts: list[Any] = [*report.articles, *report.links]
    assert sum(each.clicks for each in parts) == human
    assert sum(each.other for each in parts) == report.totals.clicks.other
    assert all(each.clicks == each.unplaced + sum(p.clicks for p in each.placements) for each in parts)
    assert sum(hour.human for hour in report.timeline) == human
    assert sum(hour.other for hour in report.timeline) == report.totals.clicks.other
    assert {sum(part.clicks for part in named) for named in report.breakdown.values()} == {human}


def test_an_issue_without_clicks_lists_its_articles(newsletter: Any) -> None:
    """Articles that nobody clicked stand there with zeros."""
    report = made(newsletter)
    assert [(each.position, each.clicks, each.rate) for each in report.articles] == [(1, 0, 0.0), (2, 0, 0.0)]
    assert (report.timeline, report.quality.sentence) == ((), "no clicks yet")
    assert [each.clicks for each in report.links] == [0]


def test_without_recipients_there_is_no_rate(newsletter: Any) -> None:
    """Nobody wrote the recipients down: rates are null, not zero."""
    newsletter.add_issue("june", {"six": [("title", 1)]}, recipients=None, sent_at=None, places={"six": 1})
    newsletter.click("six", 1)
    newsletter.drain()
    report = made(newsletter, "june")
    assert (report.recipients, report.rate, report.articles[0].rate) == (None, None, None)
    assert report.articles[0].clicks == 1


def test_json_has_the_keys_of_the_contract(read: Any) -> None:
    """Programs find the promised keys first, times in ISO 8601 with Z."""
    report = msgspec.to_builtins(made(read))
    contract = ["slug", "as_of", "totals", "recipients", "quality", "articles", "timeline"]
    assert list(report)[: len(contract)] == contract
    assert list(report["totals"]["clicks"]) == ["human", "bot", "scanner", "preview", "prefetch"]
    assert list(report["articles"][0])[:7] == [
        *("position", "url", "title", "clicks", "visitors", "rate", "placements"),
    ]
    assert list(report["articles"][0]["placements"][0])[:4] == ["n", "kind", "clicks", "visitors"]
    assert list(report["timeline"][0]) == ["hour", "human", "other"]
    assert report["as_of"] == "2027-01-15T08:00:00Z"
    assert report["timeline"][0]["hour"].endswith(":00:00Z")


def test_a_placement_that_is_gone_leaves_its_clicks_to_the_article(read: Any) -> None:
    """A new version of the issue has no image: the clicks on it are still the article's."""
    store = read.store
    issue = issues.get(store, "may")
    placements = [each for each in issues.list_placements(store, issue.id) if each.kind != "image"]
    with store.transaction():
        issues.replace_placements(store, issue.id, placements)
    one = made(read).articles[0]
    assert (one.clicks, one.unplaced) == (4, 1)


def test_an_article_that_an_editor_took_off_the_list_is_reported_by_link(read: Any) -> None:
    """What is no article any more moves to the links with all its clicks."""
    store = read.store
    issue = issues.get(store, "may")
    with store.transaction():
        two = issues.list_articles(store, issue.id)[1]
        issues.set_positions(store, {two.id: None})
    report = made(read)
    assert [each.url for each in report.articles] == ["https://a.example/one"]
    assert {(each.short_url, each.clicks) for each in report.links} == {
        ("https://go.example/two", 1),
        ("https://go.example/foot", 1),
    }


def test_two_codes_of_one_article_are_added_up(newsletter: Any) -> None:
    """An article under two codes is one article with all placements."""
    store = newsletter.store
    with store.transaction():
        issue = issues.get(store, "may")
        first = issues.list_articles(store, issue.id)[0]
        other = links.add(store, "go.example", "alias", target=first.url, now=1)
        links.assign_owner(store, other, issue_id=issue.id, article_id=first.id, now=1)
        placed = issues.list_placements(store, issue.id)
        placed.append(issues.Placement(other, 9, first.id, "more", "read more"))
        issues.replace_placements(store, issue.id, placed)
    newsletter.click("one", 1)
    newsletter.click("alias", 9)
    newsletter.drain()
    one = made(newsletter).articles[0]
    assert (one.clicks, one.short_urls) == (2, ("https://go.example/one", "https://go.example/alias"))
    assert [(p.n, p.clicks) for p in one.placements] == [(1, 1), (2, 0), (9, 1)]


def test_an_unknown_slug_is_named(newsletter: Any) -> None:
    """The report of an unknown slug raises NotFound with the slug."""
    with pytest.raises(NotFound, match="june: no issue has this slug"):
        made(newsletter, "june")
